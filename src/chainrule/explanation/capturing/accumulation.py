"""One graph of an update that accumulates: the steps of its batches, then the update itself.

Training runs them one after the other, each with sums that the one before left. Here the sums are
values like any other, so that a number of the update opens down to each batch's data.

What is a batch's is named after it: ``batch1.0.out``, ``d_batch1.0.out``, ``batch1.cost``. A
parameter is one input for all; ``batch1.0.weight`` is another name of it, whose gradient
``d_batch1.0.weight`` is that of the batch's cost Σ wᵢ·lᵢ. ``d_0.weight`` is the gradient that the
update uses: of ``loss``, the whole update's, and of the penalty.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from chainrule.backends import Backend
from chainrule.eager import Tensor
from chainrule.eager import Trace as Tracing
from chainrule.explanation.arithmetic import primitive
from chainrule.explanation.capturing.batches import COST, prefix_of
from chainrule.explanation.trace import Array
from chainrule.graph import Attributes, Graph, Node, Output, TensorType
from chainrule.nn.losses import Loss
from chainrule.ops import verify
from chainrule.train.engine import Recorded
from chainrule.train.writing import ACCUMULATED, MEAN_COST, NEXT, TOTAL_WEIGHT

LOSS = "loss"


def compose(parts: Sequence[Recorded], loss: Loss, backend: Backend) -> tuple[Graph, list[Array]]:
    """Return the graph of a whole update, and the value of each of its nodes.

    Parameters
    ----------
    parts : sequence of Recorded
        The steps of the batches, and the update.
    loss : Loss
        What finishes the mean cost of all batches.
    backend : Backend
        What computed the parts; it computes the few values that none of them has.
    """
    *batches, update = parts
    writer = _Writer()
    for number, batch in enumerate(batches, 1):
        writer.add_inputs(_Part.of_batch(batch, number))
    writer.add_inputs(_Part(update))
    costs = [
        writer.add_batch(_Part.of_batch(batch, number), backend)
        for number, batch in enumerate(batches, 1)
    ]
    writer.add_loss(costs, loss, backend)
    writer.add_body(_Part(update))
    for label, position in update.graph.labels.items():
        writer.outputs[label] = writer.moved[position]
    for name, position in writer.state.items():
        writer.outputs.setdefault(NEXT + name, position)
    aliases = [pair for pair in update.graph.aliases if pair[1] in writer.names]
    for number, batch in enumerate(batches, 1):
        aliases += _Part.of_batch(batch, number).aliases(writer.names)
    outputs = tuple(Output(label, position) for label, position in writer.outputs.items())
    graph = Graph("accumulated_step", tuple(writer.nodes), outputs, tuple(dict(aliases).items()))
    return verify(graph), writer.values


@dataclass(frozen=True)
class _Part:
    """A step, and what its values are called in the whole."""

    recorded: Recorded
    prefix: str = ""

    @classmethod
    def of_batch(cls, recorded: Recorded, number: int) -> _Part:
        return cls(recorded, prefix_of(number))

    @property
    def graph(self) -> Graph:
        return self.recorded.graph

    def value(self, position: int) -> Array:
        return self.recorded.values[self.graph.name_of(position)]

    def is_shared(self, position: int) -> bool:
        """Whether an input is the same for all parts, or handed on from one to the next."""
        name = self.graph.name_of(position)
        return not self.prefix or name in self.recorded.state

    def name(self, name: str | None) -> str | None:
        """What a value of this part is called in the whole."""
        if name is None or not self.prefix:
            return name
        if name.startswith(NEXT + ACCUMULATED) or name == NEXT + TOTAL_WEIGHT:
            return self.prefix + name.removeprefix(NEXT)
        known = self.graph.positions
        factor = re.fullmatch(r"d_(.+)/d_(.+)", name)
        if factor and factor[2] in known:
            return f"d_{self.prefix}{factor[1]}/d_{self.prefix}{factor[2]}"
        if name.startswith("d_") and name.removeprefix("d_") in known:
            return f"d_{self.prefix}{name.removeprefix('d_')}"
        return self.prefix + name

    def aliases(self, names: Mapping[str, int]) -> list[tuple[str, str]]:
        """Other names of its values; a parameter has one in each batch, that its gradient has."""
        found = []
        for alias, name in self.graph.aliases:
            whole = self.name(name)
            if whole in names and self.graph[name].op != "input":
                found.append((f"{self.prefix}{alias}", str(whole)))
        for position in self.graph.inputs:
            name = self.graph.name_of(position)
            if self.is_shared(position) and f"d_{self.prefix}{name}" in names:
                found.append((self.prefix + name, name))
        return found


class _Writer:
    """The whole as it grows."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.values: list[Array] = []
        self.names: dict[str, int] = {}
        self.state: dict[str, int] = {}
        self.outputs: dict[str, int] = {}
        self.moved: dict[int, int] = {}

    def append(self, node: Node, value: Array) -> int:
        self.nodes.append(node)
        self.values.append(value)
        if node.name is not None:
            self.names[node.name] = len(self.nodes) - 1
        return len(self.nodes) - 1

    def add_inputs(self, part: _Part) -> None:
        """Append the inputs that no part before it brought."""
        for position in part.graph.inputs:
            node = part.graph.nodes[position]
            shared = part.is_shared(position)
            name = node.name if shared else part.name(node.name)
            assert name is not None  # inputs have names
            if name not in self.names:
                found = self.append(replace(node, name=name), part.value(position))
                if name in part.recorded.state:
                    self.state[name] = found

    def add_body(
        self, part: _Part, after: int | None = None, then: Callable[[], None] | None = None
    ) -> None:
        """Append what a part computes; what it makes of the state, the next one finds.

        Parameters
        ----------
        part : _Part
        after : int, optional
            A position of the part, after which `then` is called.
        then : callable, optional
        """
        self.moved = {}
        for position, node in enumerate(part.graph.nodes):
            name = part.graph.name_of(position)
            if node.op == "input":
                shared = part.is_shared(position)
                own = name if shared else str(part.name(name))
                self.moved[position] = self.state.get(own, self.names[own])
            else:
                inputs = tuple(self.moved[i] for i in node.inputs)
                moved = replace(node, inputs=inputs, name=part.name(node.name))
                self.moved[position] = self.append(moved, part.value(position))
            if position == after and then is not None:
                then()
        for name, label in part.recorded.state.items():
            self.state[name] = self.moved[part.graph.labels[label]]

    def add_batch(self, part: _Part, backend: Backend) -> int:
        """Append a batch's step, and in it Σ wᵢ·lᵢ, which its gradients are of; return where."""
        labels = part.graph.labels
        mean = labels.get(MEAN_COST, labels[LOSS])
        weight = _added(part.graph, labels[NEXT + TOTAL_WEIGHT])
        found: list[int] = []

        def add_cost() -> None:
            operands = (self.moved[mean], self.moved[weight])
            kind = part.graph.nodes[mean].type
            node = Node("mul", operands, kind.shape, kind.dtype, Attributes(), part.prefix + COST)
            numbers = [self.values[i][()] for i in operands]
            value = np.asarray(primitive(backend.name, "mul", numbers))
            found.append(self.append(node, value))

        self.add_body(part, after=max(mean, weight), then=add_cost)
        self.outputs[part.prefix + COST] = found[0]
        self.outputs[part.prefix + LOSS] = self.moved[labels[LOSS]]
        return found[0]

    def add_loss(self, costs: Sequence[int], loss: Loss, backend: Backend) -> None:
        """Append the update's loss: of the mean cost of all of its examples."""
        given = [*costs, self.state[TOTAL_WEIGHT]]
        graph = _closing(loss, [self.nodes[i].type for i in given])
        every = tuple(Output(f"%{i}", i) for i in range(len(graph.nodes)))
        whole = Graph(graph.name, graph.nodes, every)
        values = backend.run(whole, [self.values[i] for i in given])
        moved = dict(zip(graph.inputs, given, strict=True))
        for position, node in enumerate(graph.nodes):
            if node.op != "input":
                inputs = tuple(moved[i] for i in node.inputs)
                moved[position] = self.append(replace(node, inputs=inputs), values[position])
        self.outputs[LOSS] = moved[graph.labels[LOSS]]


def _added(graph: Graph, position: int) -> int:
    """What a batch adds to a sum so far."""
    (found,) = (i for i in graph.nodes[position].inputs if graph.nodes[i].name != TOTAL_WEIGHT)
    return found


def _closing(loss: Loss, types: Sequence[TensorType]) -> Graph:
    """The loss by the batches' costs and the weight of all examples."""
    with Tracing() as tracing:
        *costs, weight = (tracing.input(kind, f"x{i}") for i, kind in enumerate(types))
        total: Tensor = reduce(operator.add, costs)
        found = loss.finish(total / weight)
        tracing.builder.name(found.traced_value, LOSS)
        return tracing.build("close", {LOSS: found})
