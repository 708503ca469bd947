"""chainrule's own step of a workload: what `fit` compiles, and its session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.workloads import Array, Workload
from chainrule import nn, optim
from chainrule.autodiff import per_example_gradients
from chainrule.backends import Program, Session, Wiring, get_backend
from chainrule.eager import Tensor
from chainrule.eager.traced import keep_outputs, trace_function
from chainrule.graph import Axis, Graph, Output
from chainrule.nn import Module
from chainrule.nn.losses import Loss
from chainrule.train.sources import ArraySource
from chainrule.train.state import initial_state
from chainrule.train.step import build_step
from chainrule.train.writing import Recipe

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "none": nn.Identity}
LOSSES = {
    "quadratic": nn.QuadraticLoss,
    "mse": nn.MSELoss,
    "cross_entropy": nn.CrossEntropyLoss,
}
OPTIMIZERS = {"sgd": optim.SGD, "adam": optim.Adam}


class Skipping(Module):
    """Layers, of which one also gets what an earlier one gave."""

    def __init__(self, w: Workload, layers: Sequence[nn.Linear]) -> None:
        assert w.skip is not None
        self.layers = nn.ModuleList(layers)
        self.hidden, self.output = ACTIVATIONS[w.hidden](), ACTIVATIONS[w.output]()
        self.begin, self.end = w.skip
        begin, end = w.widths[self.begin], w.widths[self.end]
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


def network(w: Workload) -> Module:
    """The network, with the workload's weights."""
    linear = [nn.Linear(i, o) for i, o in zip(w.widths[:-1], w.widths[1:], strict=True)]
    if w.skip is not None:
        net: Module = Skipping(w, linear)
    else:
        between = [ACTIVATIONS[w.hidden]() for _ in linear[1:]]
        parts = [part for pair in zip(linear, between, strict=False) for part in pair]
        last = [] if w.output == "none" else [ACTIVATIONS[w.output]()]
        net = nn.Sequential(*parts, linear[-1], *last)
    net.astype(w.dtype)
    net.initialize(0)
    for layer, (weight, bias) in zip(linear, w.layers(), strict=True):
        assert layer.bias is not None
        layer.weight.replace(weight)
        layer.bias.replace(bias)
        layer.bias.requires_grad = w.trains_biases
    return net


@dataclass(frozen=True)
class Step:
    """A workload's step.

    Parameters
    ----------
    graph : Graph
    wiring : Wiring
    state, data : dict of str to array
        To start from, and to read.
    feeds : dict of str to float
        What each step is given.
    """

    graph: Graph
    wiring: Wiring
    state: dict[str, Array]
    data: dict[str, Array]
    feeds: dict[str, float]

    def unchecked(self) -> Step:
        """The step without its check for numbers that are not finite."""
        return replace(self, wiring=replace(self.wiring, finite=()))

    def open(self, backend: str) -> tuple[Program, Session]:
        """Compile it, and begin."""
        program = get_backend(backend).compile(self.graph, self.wiring)
        return program, program.open(self.state, self.data)

    def fed(self, steps: int) -> dict[str, Array]:
        """The feeds of several steps."""
        return {name: np.full(steps, value) for name, value in self.feeds.items()}


def step_of(w: Workload) -> Step:
    """The step that `fit` would take, or the gradients of each example."""
    net, loss = network(w), LOSSES[w.loss]()
    x, y = w.data()
    if w.per_example:
        return _per_example(w, net, loss, x, y)
    optimizer: Any = OPTIMIZERS[w.optimizer](lr=w.lr)
    recipe = Recipe(net, loss, optimizer)
    y = loss.prepare_target(y, np.dtype(w.dtype))
    source = ArraySource((x,), y)
    step = build_step(recipe, *source.batch_types(w.batch))
    state = initial_state(recipe, 0, accumulate=False)
    return Step(step.graph, step.wiring, state, dict(source.arrays()), {"lr": w.lr})


def _per_example(w: Workload, net: Module, loss: Loss, x: Array, y: Array) -> Step:
    """What `cr.per_example_grads` computes, as a step that keeps the weights as they are."""

    def costs(net: Module, x: Tensor, target: Tensor) -> Tensor:
        return loss(net(x), target)

    axis = Axis("B", w.batch)
    batch = (net, x[: w.batch], y[: w.batch])
    traced = trace_function(costs, batch, {}, (0,), {1: axis, 2: axis})
    names = [name for name in traced.graph.input_names if name not in ("x", "target")]
    graph = keep_outputs(
        per_example_gradients(traced.graph, "y", names, axis), [f"d_{name}" for name in names]
    )
    kept = [Output(f"next.{name}", graph.find(name)) for name in names]
    graph = Graph(graph.name, graph.nodes, (*graph.outputs, *kept), graph.aliases)
    state = {path: parameter.numpy() for path, parameter in net.named_parameters()}
    wiring = Wiring({name: f"next.{name}" for name in names}, ("x", "target"))
    return Step(graph, wiring, state, {"x": x, "target": y}, {})
