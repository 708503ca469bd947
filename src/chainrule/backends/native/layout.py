"""Layouts: which matrices lie column by column, so that products find them along their lanes.

A product takes vectors of one operand along an axis of the result. Where that operand lies along
the other axis it is turned first, at each step anew. So matrices that are computed from each other
element by element share a layout, and each such family takes the one in which the products that
read and write it cost least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chainrule.backends.native.products import cost_of_product, matrices
from chainrule.backends.native.target import Target
from chainrule.backends.native.view import View
from chainrule.graph import Graph, Node
from chainrule.ops import ElementwiseOp, bind
from chainrule.ops.contract import Contract
from chainrule.ops.index import Cast
from chainrule.ops.shape import Transpose

Pair = tuple[int, int]
"""Positions of a state's input and of its next value."""


Strides = tuple[int, ...]


def choose_layouts(
    graph: Graph, target: Target, pairs: Sequence[Pair] = ()
) -> Mapping[int, Strides]:
    """The strides of matrices that lie otherwise than row by row and close together.

    Parameters
    ----------
    graph : Graph
    target : Target
    pairs : sequence of (int, int)
        Inputs and outputs that take one place.
    """
    families = _families(graph, pairs)
    chosen = _Choice(graph, target, families, {before for before, _ in pairs})
    turned = dict.fromkeys({family for family, _ in families.values()}, False)
    for _ in range(_SWEEPS):
        for family in turned:
            before = chosen.cost(family, turned)
            turned[family] = not turned[family]
            if chosen.cost(family, turned) >= before:
                turned[family] = not turned[family]
    close = {families[i][0] for i in _reshaped(graph) if i in families}
    return {
        i: _strides(graph.nodes[i], turned[family] ^ flipped, family not in close, target)
        for i, (family, flipped) in families.items()
    }


_SWEEPS = 3


def _reshaped(graph: Graph) -> set[int]:
    """Values that are read under another shape: their rows have to follow each other closely."""
    return {i for node in graph.nodes if node.op == "reshape" for i in node.inputs}


def _strides(node: Node, turned: bool, padded: bool, target: Target) -> Strides:
    """Of a matrix: by rows or columns, each beginning where a vector may.

    A last vector that is not whole is then stored whole: what it holds more is never read as a
    number. Rows that are much shorter than vectors would take too much memory. Rows that begin in
    the same place of the cache would push each other out of it.
    """
    outer, inner = node.shape[::-1] if turned else node.shape
    lanes = target.lanes(node.dtype)
    wide = -(-inner // lanes) * lanes
    if not padded or (wide > 1.25 * inner and outer * wide > _SMALL):
        wide = inner
    elif wide * node.dtype.numpy.itemsize % _ALIKE == 0:
        wide += lanes
    return (1, wide) if turned else (wide, 1)


_SMALL = 1 << 14
"""Elements."""

_ALIKE = 4096
"""Bytes after which addresses fall into the same few places of the nearest cache."""


def _families(graph: Graph, pairs: Sequence[Pair]) -> dict[int, tuple[int, bool]]:
    """For each matrix its family, and whether it is the other way round than its family."""
    parent: dict[int, tuple[int, bool]] = {}

    def find(i: int) -> tuple[int, bool]:
        flipped = False
        while parent[i][0] != i:
            i, step = parent[i]
            flipped ^= step
        return i, flipped

    def join(i: int, j: int, flipped: bool) -> None:
        if i in parent and j in parent:
            (root, a), (other, b) = find(i), find(j)
            if root != other:
                parent[other] = root, a ^ b ^ flipped

    for position, node in enumerate(graph.nodes):
        if len(node.shape) != 2 or 1 in node.shape or 0 in node.shape:
            continue
        op = None if node.op == "input" else bind(node.op, node.attributes)
        if op is not None and not isinstance(op, ElementwiseOp | Cast | Contract | Transpose):
            continue
        parent[position] = position, False
        if isinstance(op, ElementwiseOp | Cast):
            for i in node.inputs:
                if graph.nodes[i].shape == node.shape:
                    join(i, position, False)
        elif isinstance(op, Transpose):
            join(node.inputs[0], position, op.axes == (1, 0))
    for before, after in pairs:
        join(before, after, False)
    return {i: find(i) for i in parent}


@dataclass
class _Choice:
    """What layouts cost, in vector instructions."""

    graph: Graph
    target: Target
    families: dict[int, tuple[int, bool]]
    free: set[int]
    products: dict[int, list[tuple[int, Contract]]] = field(default_factory=dict)
    fixed: dict[int, list[tuple[int, bool]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for position, node in enumerate(self.graph.nodes):
            op = None if node.op == "input" else bind(node.op, node.attributes)
            if isinstance(op, Contract) and len(node.shape) == 2 and not op.batch:
                for family in {
                    self.families[i][0] for i in (*node.inputs, position) if i in self.families
                }:
                    self.products.setdefault(family, []).append((position, op))
            elif isinstance(op, ElementwiseOp | Cast):
                if any(
                    self.graph.nodes[i].shape == node.shape and i not in self.families
                    for i in node.inputs
                ):
                    self._fix(position)
            elif position not in self.free and not isinstance(op, Transpose):
                for i in (position, *node.inputs):
                    self._fix(i)

    def _fix(self, position: int) -> None:
        """Something reads or writes this matrix row by row."""
        if position in self.families:
            family, flipped = self.families[position]
            self.fixed.setdefault(family, []).append((position, flipped))

    def cost(self, family: int, turned: dict[int, bool]) -> float:
        """Of all that touches the matrices of a family."""
        nodes = self.graph.nodes
        total = 0.0
        for position, flipped in self.fixed.get(family, []):
            if turned[family] ^ flipped:
                total += _BY_ELEMENT * nodes[position].shape[0] * nodes[position].shape[1]
        for position, op in self.products.get(family, []):
            a, b, y = (self._view(i, turned) for i in (*nodes[position].inputs, position))
            found = matrices(op, a, b)
            if found is not None:
                total += cost_of_product(*found, y, self.target)
        return total

    def _view(self, position: int, turned: dict[int, bool]) -> View:
        if position not in self.families:
            return View.whole(
                "", self.graph.nodes[position].dtype, self.graph.nodes[position].shape
            )
        family, flipped = self.families[position]
        node = self.graph.nodes[position]
        strides = _strides(node, turned[family] ^ flipped, False, self.target)
        return View("", node.dtype, node.shape, strides)


_BY_ELEMENT = 2.0
"""Vector instructions for an element that is read or written by itself."""
