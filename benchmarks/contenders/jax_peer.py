"""JAX: the whole run inside one jitted loop, or one jitted call for each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contenders.by_hand import mean_square_norm
from benchmarks.task import Array, Cursor, Runner, Task, Unsupported
from benchmarks.workloads import Workload

# For the float64 workloads; what is float32 stays so.
jax.config.update("jax_enable_x64", True)

Tree = Any


def open_task(task: Task, arrays: Mapping[str, Array], threads: int, *, loop: bool) -> Runner:
    """Begin a task."""
    if not isinstance(task, Workload):
        raise Unsupported("It does trainings")
    if task.per_example:
        if loop:
            raise Unsupported("Gradients that are thrown away in a loop would not be computed")
        return PerExample(task, arrays)
    return Training(task, arrays, loop=loop)


def loss_of(task: Workload) -> Any:
    """The mean loss, as a function of layers, examples and targets."""
    activations = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu, "none": lambda z: z}
    hidden, output = activations[task.hidden], activations[task.output]

    def loss(layers: Tree, x: Any, target: Any) -> Any:
        for weight, bias in layers[:-1]:
            x = hidden(x @ weight + bias)
        weight, bias = layers[-1]
        x = output(x @ weight + bias)
        if task.loss == "cross_entropy":
            chosen = jnp.take_along_axis(jax.nn.log_softmax(x), target[:, None], 1)
            return -jnp.mean(chosen)
        if task.loss == "mse":
            return jnp.mean((x - target) ** 2)
        return 0.5 * jnp.sum((x - target) ** 2) / len(x)

    return loss


def layers_of(task: Workload) -> Tree:
    """Weights as [inputs, outputs], and biases."""
    return [(jnp.asarray(w.T), jnp.asarray(b)) for w, b in task.layers()]


class Training(Runner):
    """A training; its state is donated to each call."""

    def __init__(self, task: Workload, arrays: Mapping[str, Array], *, loop: bool) -> None:
        self.task = task
        self.loop = loop
        self.data = {name: jnp.asarray(array) for name, array in arrays.items()}
        self.cursor = Cursor(arrays["rows"])
        self.steps = 0
        layers = layers_of(task)
        self.biases = [bias for _, bias in layers]
        trained = layers if task.trains_biases else [weight for weight, _ in layers]
        zeros = jax.tree.map(jnp.zeros_like, trained) if task.optimizer == "adam" else ()
        self.state = trained, zeros, jax.tree.map(jnp.zeros_like, zeros)
        self.last = jnp.zeros((), task.dtype)
        self.step = jax.jit(self.take_step, donate_argnums=0)
        self.advance = jax.jit(self.take_steps, donate_argnums=0)

    def run(self, steps: int) -> None:
        if self.loop:
            self.state, self.last = self.advance(
                self.state, self.data, np.int32(self.steps), np.int32(steps)
            )
            self.steps += steps
        else:
            for _ in range(steps):
                self.state, self.last = self.step(self.state, self.data, np.int32(self.steps))
                self.steps += 1
        jax.block_until_ready((self.state, self.last))

    def value(self) -> float:
        return float(self.last)

    def take_steps(self, state: Tree, data: Tree, first: Any, steps: Any) -> Any:
        """Several steps; how many is not known when it is compiled."""

        def body(i: Any, carried: Any) -> Any:
            return self.take_step(carried[0], data, first + i)

        start = state, jnp.zeros((), self.task.dtype)
        return jax.lax.fori_loop(jnp.int32(0), steps, body, start)

    def take_step(self, state: Tree, data: Tree, number: Any) -> Any:
        """One step: the state after it, and the loss before."""
        task, mean_loss = self.task, loss_of(self.task)
        trained, m, v = state
        x, target = data["x"], data["target"]
        if task.examples > task.batch:  # otherwise the batch is all there is
            rows = data["rows"][number % len(data["rows"])]
            x, target = (a.at[rows].get(mode="promise_in_bounds") for a in (x, target))

        def loss(trained: Tree) -> Any:
            layers = trained if task.trains_biases else zip(trained, self.biases, strict=True)
            return mean_loss(list(layers), x, target)

        value, gradients = jax.value_and_grad(loss)(trained)
        if task.optimizer == "sgd":
            rate = np.asarray(task.lr, task.dtype)
            return (jax.tree.map(lambda p, g: p - rate * g, trained, gradients), m, v), value
        f = np.float32
        m = jax.tree.map(lambda m, g: f(0.9) * m + f(0.1) * g, m, gradients)
        v = jax.tree.map(lambda v, g: f(0.999) * v + f(0.001) * g * g, v, gradients)
        # Two numbers in float64, as torch has them.
        t = (number + 1).astype(jnp.float64)
        rate = (task.lr / (1 - 0.9**t)).astype(jnp.float32)
        root = jnp.sqrt(1 - 0.999**t).astype(jnp.float32)
        trained = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + f(1e-8)), trained, m, v
        )
        return (trained, m, v), value


class PerExample(Runner):
    """The gradient of each example's cost: ``jit(vmap(grad(loss)))``."""

    def __init__(self, task: Workload, arrays: Mapping[str, Array]) -> None:
        loss = loss_of(task)
        self.layers = layers_of(task)
        self.x, self.target = jnp.asarray(arrays["x"]), jnp.asarray(arrays["target"])
        self.rows = [jnp.asarray(rows) for rows in arrays["rows"][:256]]
        self.cursor = Cursor(arrays["rows"][:256])
        of_one = jax.grad(lambda layers, x, target: loss(layers, x[None], target[None]))
        of_each = jax.vmap(of_one, in_axes=(None, 0, 0))
        self.step = jax.jit(lambda layers, x, target, rows: of_each(layers, x[rows], target[rows]))

    def run(self, steps: int) -> None:
        for place in self.cursor.places(steps):
            self.last = self.step(self.layers, self.x, self.target, self.rows[place])
            jax.block_until_ready(self.last)

    def value(self) -> float:
        return mean_square_norm([np.asarray(array) for array in jax.tree.leaves(self.last)])
