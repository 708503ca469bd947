"""How a gradient flows: which part of it goes through which number.

The backward pass is linear in each cotangent. So if all of a gradient G goes through a value u, it
is the sum over u's elements of ∂G/∂(d_u)ₖ·(d_u)ₖ: what is left of G when every other element of d_u
is zero. All these shares come from one more backward pass, of G by d_u, in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from chainrule.autodiff import append_gradients
from chainrule.backends import get_backend
from chainrule.explanation.captions import is_weighted_sum
from chainrule.explanation.capturing.batches import handed_on
from chainrule.explanation.double import is_draw
from chainrule.explanation.trace import Array, Index, Place, Trace
from chainrule.graph import Graph, Output
from chainrule.ops import Builder, Value
from chainrule.testing.widen import in_float64

SEED = "seed of the backward pass"


def depends(trace: Trace, start: int, end: int) -> bool:
    """Whether a value is computed from another, what a batch leaves to the next one being held."""
    return start != end and start in reached_from(trace, end, start)


def reached_from(trace: Trace, start: int, last: int) -> set[int]:
    """The values up to `last` that depend on `start`, and that itself."""
    held = handed_on(trace.graph) - {last}
    reached = {start}
    for i in range(start + 1, last + 1):
        if i not in held and not reached.isdisjoint(trace.graph.nodes[i].inputs):
            reached.add(i)
    return reached


class Flow:
    """The gradient of one number by another value, as a graph in float64.

    Parameters
    ----------
    trace : Trace
        Its inputs and random numbers are held.
    source : Place
        What is differentiated: the loss, or any other number.
    target : int
        The node by which.
    marked : int, optional
        A node whose own cotangent is to be found.
    """

    def __init__(self, trace: Trace, source: Place, target: int, marked: int | None = None) -> None:
        self.trace, self.source, self.target = trace, source, target
        graph = trace.graph
        self._state = handed_on(graph)
        b = Builder()
        needed = {source.node, target}
        for i in range(source.node, -1, -1):
            if i in needed and not self._is_held(i):
                needed.update(graph.nodes[i].inputs)
        self.made: dict[int, Value] = {}
        self._held = []
        for i in sorted(needed):
            node = graph.nodes[i]
            if self._is_held(i):
                self.made[i] = b.input(node.type, node.name or f"held{i}")
                self._held.append(trace.values[i])
                continue
            operands = (self.made[j] for j in node.inputs)
            self.made[i] = b.apply(node.op, *operands, **node.attributes)
            if node.name is not None:
                b.name(self.made[i], node.name)
            if i == marked:
                self.made[i] = self._set_apart(b, self.made[i], graph.name_of(i))
        value = self.made[source.node]
        seed = b.input(value.type, SEED)
        (found,) = append_gradients(b, {value: seed}, [self.made[target]])
        built = b.build("flow", {"gradient": found})
        self.graph = in_float64(built)
        self.of_target = self.graph.labels["gradient"]

    def _is_held(self, position: int) -> bool:
        graph = self.trace.graph
        if position in self._state and position != self.source.node:
            return True
        return graph.nodes[position].op == "input" or is_draw(graph, position)

    @staticmethod
    def _set_apart(b: Builder, value: Value, name: str) -> Value:
        """What stands for a value in all that uses it: so its cotangent is its alone.

        A sum hands its own cotangent to each of its terms: one node would be that of all of them.
        """
        if b.nodes[value.position].name is None:
            b.name(value, name)
        if not value.dtype.is_float:
            return value
        return b.apply("mul", value, b.constant(1.0, value.dtype))

    def gradient(self, index: Index = ()) -> float:
        """The source's gradient by one element of the target."""
        return float(self.values[self.of_target][index])

    @cached_property
    def values(self) -> list[Array]:
        """The value of every node of the flow's graph."""
        graph = self.graph
        every = tuple(Output(f"%{i}", i) for i in range(len(graph.nodes)))
        seed = np.zeros(self.trace.values[self.source.node].shape)
        seed[self.source.index] = 1.0
        arrays = [
            np.asarray(array, graph.nodes[i].dtype.numpy)
            for i, array in zip(graph.inputs, [*self._held, seed], strict=True)
        ]
        with np.errstate(all="ignore"):
            return get_backend("numpy").run(Graph(graph.name, graph.nodes, every), arrays)

    def cotangent_of(self, position: int) -> int | None:
        """The flow's node that is the cotangent of a node of the trace; None: nothing flows."""
        return self.graph.positions.get(f"d_{self.trace.graph.name_of(position)}")

    def shares(self, of: int, index: Index, through: int) -> Array:
        """What of one element of the flow's node `of` goes through each element of `through`."""
        rate = self._rates(of, through)(index)
        # Where nothing flows nothing arrives, however steep the way from there would be.
        with np.errstate(invalid="ignore"):
            return np.where(self.values[through] == 0, 0.0, rate * self.values[through])

    def _rates(self, of: int, through: int) -> Callable[[Index], Array]:
        key = (of, through)
        if key not in self._known:
            self._known[key] = self._build_rates(of, through)
        graph, held = self._known[key]
        size = self.values[of].shape

        def at(index: Index) -> Array:
            seed = np.zeros(size)
            seed[index] = 1.0
            with np.errstate(all="ignore"):
                return get_backend("numpy").run(graph, [*held, seed])[0]

        return at

    @cached_property
    def _known(self) -> dict[tuple[int, int], tuple[Graph, list[Array]]]:
        return {}

    def _build_rates(self, of: int, through: int) -> tuple[Graph, list[Array]]:
        """The graph of ∂(one element of `of`)/∂`through`, and what is held in it."""
        nodes = self.graph.nodes
        reached = {through}
        for i in range(through + 1, of + 1):
            if not reached.isdisjoint(nodes[i].inputs):
                reached.add(i)
        needed = {of}
        for i in range(of, through, -1):
            if i in needed and i in reached:
                needed.update(nodes[i].inputs)
        b = Builder()
        made: dict[int, Value] = {}
        held = []
        for i in sorted(needed | {through}):
            if i in reached and i != through:
                operands = (made[j] for j in nodes[i].inputs)
                made[i] = b.apply(nodes[i].op, *operands, **nodes[i].attributes)
            else:
                made[i] = b.input(nodes[i].type, f"held{i}")
                held.append(self.values[i])
        seed = b.input(nodes[of].type, SEED)
        (found,) = append_gradients(b, {made[of]: seed}, [made[through]])
        return b.build("rates", {"rate": found}), held

    def all_flows_through(self, position: int) -> bool:
        """Whether nothing gets from the source to the target but through this node of the flow."""
        start = self.graph.positions[SEED]
        reached = {start}
        for i in range(len(self.graph.nodes)):
            if i != position and not reached.isdisjoint(self.graph.nodes[i].inputs):
                reached.add(i)
        return self.of_target not in reached

    def layers(self) -> list[int]:
        """The cotangents of weighted sums that all goes through, the nearest to the target first.

        Where there is no weighted sum: of the layers' outputs.
        """
        trace = self.trace
        names = [
            (i, node)
            for i, node in enumerate(trace.graph.nodes)
            if node.name and i in self.made and i not in (self.target, self.source.node)
        ]
        sums = [i for i, node in names if is_weighted_sum(trace, node)]
        outputs = [i for i, node in names if ".out" in str(node.name) or node.name == "out"]
        for candidates in (sums, outputs):
            found = [self.cotangent_of(i) for i in candidates]
            kept = [i for i in found if i is not None and self.all_flows_through(i)]
            if kept:
                return sorted(kept, reverse=True)
        return []
