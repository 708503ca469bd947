"""NumPy by hand: one step's formulas written out, in buffers that are made once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.micro import Product
from benchmarks.task import Array, Cursor, Runner, Task, Unsupported
from benchmarks.workloads import Workload


def open_task(task: Task, arrays: Mapping[str, Array], threads: int) -> Runner:
    """Begin a task. How many threads its products take is OpenBLAS's business."""
    if isinstance(task, Product):
        return Products(task, arrays)
    if not isinstance(task, Workload) or task.skip is not None:
        raise Unsupported("It does chains of layers, and products")
    return PerExample(task, arrays) if task.per_example else Training(task, arrays)


def expected(task: Workload, arrays: Mapping[str, Array]) -> dict[int, float]:
    """The right values of a task after the steps at which they are compared, in float64."""
    runner = PerExample if task.per_example else Training
    by_hand = runner(task, arrays, np.dtype(np.float64))
    found, done = {}, 0
    for steps in task.tolerances:
        by_hand.run(steps - done)
        found[steps], done = by_hand.value(), steps
    return found


class Training(Runner):
    """Chains of layers, trained.

    Parameters
    ----------
    task : Workload
    arrays : mapping of str to array
    dtype : dtype, optional
        To calculate in; the task's by default.
    """

    # B batch, I inputs of a layer, O its outputs

    def __init__(
        self, task: Workload, arrays: Mapping[str, Array], dtype: np.dtype | None = None
    ) -> None:
        self.task = task
        self.dtype = dtype or np.dtype(task.dtype)
        layers = task.layers()
        self.weights = [np.array(w.T, self.dtype, order="C") for w, _ in layers]  # [I, O]
        self.biases = [np.array(b, self.dtype) for _, b in layers]
        self.parameters = [*self.weights, *(self.biases if task.trains_biases else [])]
        self.gradients = [np.empty_like(p) for p in self.parameters]
        self.x, self.target = arrays["x"], arrays["target"]
        if self.target.dtype.kind == "f":
            self.target = self.target.astype(self.dtype, copy=False)
        self.cursor = Cursor(arrays["rows"])
        self.batch = np.empty((task.batch, task.widths[0]), self.dtype)
        self.read = np.empty((task.batch, task.widths[0]), self.x.dtype)
        self.values = [np.empty((task.batch, n), self.dtype) for n in task.widths[1:]]  # [B, O]
        self.deltas = [np.empty_like(value) for value in self.values]
        self.scratch = [np.empty_like(value) for value in self.values]
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p in self.parameters]
        self.room = [np.empty_like(p) for p in self.parameters]
        self.steps = 0
        self.loss = float("nan")

    def run(self, steps: int) -> None:
        for rows in self.cursor.take(steps):
            for batch in rows:
                self.steps += 1
                self.forward_and_back(batch)
                self.differentiate()
                if self.task.optimizer == "adam":
                    self.adam()
                else:
                    for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
                        gradient *= self.task.lr
                        parameter -= gradient

    def value(self) -> float:
        return self.loss

    def forward_and_back(self, rows: Array) -> None:
        """The loss of these rows, and δ = ∂loss/∂z of each layer."""
        task = self.task
        np.take(self.x, rows, axis=0, out=self.read, mode="clip")
        self.batch[...] = self.read
        value = self.batch
        last = len(self.weights) - 1
        for i, (weight, bias, z) in enumerate(
            zip(self.weights, self.biases, self.values, strict=True)
        ):
            np.matmul(value, weight, out=z)
            z += bias
            kind = task.output if i == last else task.hidden
            if kind == "sigmoid":
                np.negative(z, out=z)
                np.exp(z, out=z)
                z += 1
                np.reciprocal(z, out=z)
            elif kind == "relu":
                np.maximum(z, 0, out=z)
            value = z
        self.loss = self.start(value, self.target[rows], self.deltas[-1])
        if task.output == "sigmoid":
            self.through_sigmoid(last)
        for i in range(last, 0, -1):
            np.matmul(self.deltas[i], self.weights[i].T, out=self.deltas[i - 1])
            if task.hidden == "sigmoid":
                self.through_sigmoid(i - 1)
            else:
                self.deltas[i - 1] *= self.values[i - 1] > 0

    def start(self, output: Array, target: Array, delta: Array) -> float:
        """The mean loss; its derivative by the output goes into `delta`."""
        task, size = self.task, len(output)
        if task.loss == "cross_entropy":
            np.subtract(output, output.max(1, keepdims=True), out=delta)
            chosen = delta[np.arange(size), target]
            np.exp(delta, out=delta)
            sums = delta.sum(1, keepdims=True)
            loss = np.log(sums[:, 0]) - chosen
            delta /= sums
            delta[np.arange(size), target] -= 1
            delta *= 1 / size
            return float(loss.mean())
        np.subtract(output, target, out=delta)
        flat = delta.ravel()
        squares = float(flat @ flat)
        if task.loss == "mse":
            delta *= 2 / delta.size
            return squares / delta.size
        delta *= 1 / size
        return 0.5 * squares / size

    def through_sigmoid(self, i: int) -> None:
        """Multiply a δ by a·(1 - a)."""
        value, slope = self.values[i], self.scratch[i]
        np.subtract(1, value, out=slope)
        slope *= value
        self.deltas[i] *= slope

    def differentiate(self) -> None:
        """The gradients: aᵀ·δ of weights, Σ δ of biases."""
        inputs = [self.batch, *self.values[:-1]]
        count = len(self.weights)
        for value, delta, gradient in zip(inputs, self.deltas, self.gradients[:count], strict=True):
            np.matmul(value.T, delta, out=gradient)
        for delta, gradient in zip(self.deltas, self.gradients[count:], strict=False):
            np.sum(delta, axis=0, out=gradient)

    def adam(self) -> None:
        """p -= lr/(1-β₁ᵗ) · m / (√(v/(1-β₂ᵗ)) + ε)   [Kingma 2015, algorithm 1]."""
        rate = self.task.lr / (1 - 0.9**self.steps)
        correction = 1 / (1 - 0.999**self.steps)
        for p, g, (m, v), room in zip(
            self.parameters, self.gradients, self.moments, self.room, strict=True
        ):
            m *= 0.9
            np.multiply(g, 0.1, out=room)
            m += room
            v *= 0.999
            np.multiply(g, g, out=room)
            room *= 0.001
            v += room
            np.multiply(v, correction, out=room)
            np.sqrt(room, out=room)
            room += 1e-8
            np.divide(m, room, out=room)
            room *= rate
            p -= room


class PerExample(Training):
    """The gradient of each example's cost: a·δᵀ, and δ."""

    def run(self, steps: int) -> None:
        size = self.task.batch
        for rows in self.cursor.take(steps):
            for batch in rows:
                self.forward_and_back(batch)
                deltas = [delta * size for delta in self.deltas]
                inputs = [self.batch, *self.values[:-1]]
                outer = (a[:, :, None] * d[:, None, :] for a, d in zip(inputs, deltas, strict=True))
                self.each = [*outer, *deltas]

    def value(self) -> float:
        return mean_square_norm(self.each)


class Products(Runner):
    """C = A·B by OpenBLAS."""

    def __init__(self, task: Product, arrays: Mapping[str, Array]) -> None:
        self.task, self.arrays = task, arrays
        self.operands = task.oriented(arrays["a"], arrays["b"])
        self.result = np.empty((task.m, task.n), np.float32)

    def run(self, steps: int) -> None:
        a, b = self.operands
        for _ in range(steps):
            np.matmul(a, b, out=self.result)

    def value(self) -> float:
        return self.task.error(self.result, self.arrays)


def mean_square_norm(gradients: list[Array]) -> float:
    """The mean over the examples of the squared length of each one's gradient."""
    total = 0.0
    for array in gradients:
        for one in array:
            flat = one.ravel().astype(np.float64)
            total += float(flat @ flat)
    return total / len(gradients[0])
