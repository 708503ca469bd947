"""A task as a step of chainrule's: a graph, and where its inputs come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr
from benchmarks.micro import Function, Product
from benchmarks.task import Array, Task, Unsupported
from benchmarks.workloads import Workload
from chainrule import nn, optim
from chainrule.backends import Wiring
from chainrule.eager import Tensor, Trace, per_example_grads
from chainrule.graph import Axis, DType, Graph, TensorType
from chainrule.nn import Module
from chainrule.train.sources import ArraySource
from chainrule.train.state import initial_state
from chainrule.train.step import build_step
from chainrule.train.writing import Recipe

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "none": nn.Identity}
LOSSES: dict[str, Callable[[], nn.Loss]] = {
    "quadratic": nn.QuadraticLoss,
    "mse": nn.MSELoss,
    "cross_entropy": nn.CrossEntropyLoss,
}
OPTIMIZERS = {"sgd": optim.SGD, "adam": optim.Adam}
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": cr.exp,
    "sigmoid": cr.sigmoid,
    "tanh": cr.tanh,
    "gelu": cr.gelu,
    "softmax": lambda x: x.softmax(axis=1),
    "layer_norm": lambda x: nn.LayerNorm(x.shape[1], elementwise_affine=False)(x),
}


class Skipping(Module):
    """Layers, of which one also gets what an earlier one gave."""

    def __init__(self, task: Workload, layers: Sequence[nn.Linear]) -> None:
        assert task.skip is not None
        self.layers = nn.ModuleList(layers)
        self.hidden, self.output = ACTIVATIONS[task.hidden](), ACTIVATIONS[task.output]()
        self.begin, self.end = task.skip
        begin, end = task.widths[self.begin], task.widths[self.end]
        self.skip = nn.Identity() if begin == end else nn.Linear(begin, end, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [B, K]."""
        values = [x]
        for place, layer in enumerate(self.layers, 1):
            z = layer(values[-1])
            if place == self.end:
                z = z + self.skip(values[self.begin])
            values.append((self.output if place == len(self.layers) else self.hidden)(z))
        return values[-1]


def network(task: Workload) -> Module:
    """The network, with the task's weights."""
    widths = zip(task.widths[:-1], task.widths[1:], strict=True)
    linear = [nn.Linear(inputs, outputs) for inputs, outputs in widths]
    if task.skip is not None:
        net: Module = Skipping(task, linear)
    else:
        parts: list[Module] = []
        for layer in linear:
            last = layer is linear[-1]
            parts += [layer, ACTIVATIONS[task.output if last else task.hidden]()]
        net = nn.Sequential(*parts[: -1 if task.output == "none" else None])
    net.astype(task.dtype)
    net.initialize(0)
    for layer, (weight, bias) in zip(linear, task.layers(), strict=True):
        assert layer.bias is not None
        layer.weight.replace(weight)
        layer.bias.replace(bias)
        layer.bias.requires_grad = task.trains_biases
    return net


@dataclass(frozen=True)
class Step:
    """A task's step.

    Parameters
    ----------
    graph : Graph
    wiring : Wiring
    state, data : mapping of str to array
        To start from, and to read.
    feeds : mapping of str to float
        What each step is given.
    batch : int
        How many rows it reads.
    """

    graph: Graph
    wiring: Wiring
    state: Mapping[str, Array]
    data: Mapping[str, Array]
    feeds: Mapping[str, float]
    batch: int = 0

    def fed(self, steps: int) -> dict[str, Array]:
        """The feeds of several steps."""
        return {name: np.full(steps, value) for name, value in self.feeds.items()}


def step_of(task: Task, arrays: Mapping[str, Array]) -> Step:
    """The step that `fit` would take, or one that computes a result and keeps it."""
    if isinstance(task, Workload):
        return _per_example(task, arrays) if task.per_example else _training(task, arrays)
    if isinstance(task, Product):
        return _product(task, arrays)
    if isinstance(task, Function):
        return _function(task, arrays)
    raise Unsupported("chainrule has no such task")


def training_of(task: Workload, arrays: Mapping[str, Array]) -> tuple[Recipe, ArraySource]:
    """What a workload trains, and on what."""
    loss = LOSSES[task.loss]()
    optimizer: Any = OPTIMIZERS[task.optimizer](lr=task.lr)
    target = loss.prepare_target(arrays["target"], np.dtype(task.dtype))
    return Recipe(network(task), loss, optimizer), ArraySource((arrays["x"],), target)


def _training(task: Workload, arrays: Mapping[str, Array]) -> Step:
    recipe, source = training_of(task, arrays)
    step = build_step(recipe, *source.batch_types(task.batch))
    wiring = step.wiring
    if not task.checks_finite:
        wiring = Wiring(wiring.state, wiring.data, wiring.rows)
    state = initial_state(recipe, 0, accumulate=False)
    return Step(step.graph, wiring, state, source.arrays(), {"lr": task.lr}, task.batch)


def _per_example(task: Workload, arrays: Mapping[str, Array]) -> Step:
    net, loss = network(task), LOSSES[task.loss]()

    def costs(net: Module, x: Tensor, target: Tensor) -> Tensor:
        return loss(net(x), target)

    data = {name: arrays[name] for name in ("x", "target")}
    parameters = dict(net.named_parameters())
    with Trace() as trace:
        symbols = {path: trace.input(p.type, path) for path, p in parameters.items()}
        for path, parameter in parameters.items():
            trace.bind(parameter, symbols[path])
        batch = [
            trace.input(_type((Axis("B", task.batch), *array.shape[1:]), array), name)
            for name, array in data.items()
        ]
        gradients = per_example_grads(costs)(net, *batch)
        results = {f"d_{path}": gradient for path, gradient in gradients.items()}
        return _holding(trace, symbols, results, parameters, data, task.batch)


def _product(task: Product, arrays: Mapping[str, Array]) -> Step:
    with Trace() as trace:
        symbols = {name: trace.input(_type(a.shape, a), name) for name, a in arrays.items()}
        a, b = task.oriented(symbols["a"], symbols["b"])
        return _holding(trace, symbols, {"result": a @ b}, arrays)


def _function(task: Function, arrays: Mapping[str, Array]) -> Step:
    with Trace() as trace:
        symbols = {"x": trace.input(_type(arrays["x"].shape, arrays["x"]), "x")}
        result = FUNCTIONS[task.name](symbols["x"])
        return _holding(trace, symbols, {"result": result}, arrays)


def _holding(
    trace: Trace,
    kept: Mapping[str, Tensor],
    results: Mapping[str, Tensor],
    state: Mapping[str, Any],
    data: Mapping[str, Array] | None = None,
    batch: int = 0,
) -> Step:
    """A step that leaves its inputs as they are; of the results only the last are wanted."""
    following = {name: f"next.{name}" for name in kept}
    outputs = {following[name]: symbol for name, symbol in kept.items()}
    graph = trace.build("step", {**outputs, **results})
    wiring = Wiring(following, tuple(data or ()), latest=tuple(results))
    arrays = {name: np.asarray(state[name]) for name in kept}
    return Step(graph, wiring, arrays, data or {}, {}, batch)


def _type(shape: tuple[int, ...], array: Array) -> TensorType:
    return TensorType(shape, DType.of(array.dtype))
