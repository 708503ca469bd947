"""Whether every integer that a network looks something up by is a position in what it looks in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from chainrule.backends import get_backend
from chainrule.base.errors import DataError
from chainrule.eager.tensor import Array
from chainrule.graph import Axis, Graph, Node, Output

_LOOKUPS = ("gather", "take_along_axis")


def check_positions(graph: Graph, columns: Mapping[str, Array], first_row: int = 0) -> None:
    """Raise DataError at the first example that leads to a position outside of its table.

    Parameters
    ----------
    graph : Graph
        A traced network: its lookups are found by their ops, whoever wrote them.
    columns : mapping of str to array
        The examples, by the names of the graph's inputs; at least as many as its batch has. A
        lookup by something else, such as the network's own numbers, is not checked.
    first_row : int
        The number of the first example.

    Notes
    -----
    An input that is looked up as it is is checked at once. Where positions are computed from
    inputs, that part of the graph is run, and no more of it.
    """
    for lookup in _lookups(graph, columns):
        for row, positions in lookup.positions(columns):
            outside = (positions < 0) | (positions >= lookup.size)
            if outside.any():
                at = tuple(int(i) for i in np.argwhere(outside)[0])
                raise lookup.refusal(first_row + row + at[0], at[1:], int(positions[at]))


@dataclass(frozen=True)
class _Lookup:
    """A node that reads a table, and what it computes the positions by."""

    node: Node
    size: int
    index_graph: Graph

    @property
    def is_direct(self) -> bool:
        """Whether an input is looked up as it is."""
        return self.index_graph.nodes[self.index_graph.outputs[0].node].op == "input"

    def positions(self, columns: Mapping[str, Array]) -> Iterator[tuple[int, Array]]:
        """The positions of all examples, in parts: the first row of each, and its positions."""
        graph = self.index_graph
        needed = [columns[name] for name in graph.input_names]
        if self.is_direct:
            yield 0, needed[0]
            return
        axis = graph.nodes[graph.outputs[0].node].shape[0]
        assert isinstance(axis, Axis)
        size, count = axis.examples, len(needed[0])
        for start in range(0, count, size):
            # The graph is for one batch size: the last row stands in for those that are missing.
            rows = np.arange(start, start + size).clip(max=count - 1)
            (positions,) = get_backend("numpy").run(graph, [column[rows] for column in needed])
            together = (axis.each,) if axis.each > 1 else ()  # B=2*6: an example has several
            yield start, positions.reshape(size, *together, *positions.shape[1:])

    def refusal(self, row: int, element: tuple[int, ...], position: int) -> DataError:
        """The error for an example that leads to a position outside of the table."""
        names = " and ".join(self.index_graph.input_names)
        does = "holds" if self.is_direct else "leads to"
        inside = f" in element {list(element)}" if element else ""
        source = str(self.node.source) if self.node.source else ""
        layer = f'layer "{self.node.scope}"' if self.node.scope else ""
        return DataError(
            f"Row {row} of {names} {does} {position}{inside}; the positions in its table go from "
            f"0 to {self.size - 1}",
            where=", ".join(filter(None, (source[:1].upper() + source[1:], layer))) or None,
            advice=f"A table of {position + 1} rows would have it" if position >= 0 else None,
        )


def _lookups(graph: Graph, columns: Mapping[str, Array]) -> Iterator[_Lookup]:
    """The lookups whose positions belong to an example each, and follow from the examples alone."""
    follows = {i for i in graph.inputs if graph.name_of(i) in columns}
    constants = set[int]()
    for i, node in enumerate(graph.nodes):
        if node.op == "input":
            continue
        if all(j in constants for j in node.inputs):
            constants.add(i)
        elif all(j in follows or j in constants for j in node.inputs):
            follows.add(i)
    seen = set[tuple[int, int]]()
    for node in graph.nodes:
        if node.op not in _LOOKUPS:
            continue
        table, indices = node.inputs
        axis = node.attributes["axis"]
        assert isinstance(axis, int)
        size = int(graph.nodes[table].shape[axis])
        shape = graph.nodes[indices].shape
        if indices in follows and shape and isinstance(shape[0], Axis):
            if (indices, size) not in seen:
                yield _Lookup(node, size, _cut_out(graph, indices))
            seen.add((indices, size))


def _cut_out(graph: Graph, position: int) -> Graph:
    """The part of a graph that computes one node, with the inputs that it needs."""
    needed = {position}
    for i in range(position, -1, -1):
        if i in needed:
            needed.update(graph.nodes[i].inputs)
    moved: dict[int, int] = {}
    nodes: list[Node] = []
    for i in sorted(needed):
        moved[i] = len(nodes)
        node = graph.nodes[i]
        nodes.append(replace(node, inputs=tuple(moved[j] for j in node.inputs)))
    return Graph("positions", tuple(nodes), (Output("y", moved[position]),))
