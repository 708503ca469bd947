"""The part of a graph that one number moves, as a graph of its own.

A weight of a layer of 512 units moves one column of what the layer gives, and a rank-one part of
what the next layer makes of it. All else stays as it is, so that the loss for another value of
the weight takes few of the products of a forward pass. Nothing is approximated: a sum of which
some terms move is the sum of the others, which is known, and of these.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.backends import get_backend
from chainrule.explanation.trace import Array, Index
from chainrule.graph import DType, Graph, Node, TensorType
from chainrule.ops import Builder, ElementwiseOp, Value, bind
from chainrule.ops.contract import Contract
from chainrule.ops.reduce import Amax, Sum
from chainrule.ops.shape import Broadcast, Reshape, Transpose

Range = tuple[int, int]
Box = tuple[Range, ...]  # of each axis: from where, up to where


@dataclass(frozen=True)
class Axes:
    """Which axes of a node and of its operands run together: they have the same letter.

    Parameters
    ----------
    result : tuple of int
        A letter for each axis of the result; -1: an axis of size 1 of its own.
    operands : tuple of tuple of int
        The letters of each operand.
    adds : bool
        Whether what the result has no letter of is summed, so that a part of it may be.
    """

    result: tuple[int, ...]
    operands: tuple[tuple[int, ...], ...]
    adds: bool = False


@dataclass(frozen=True)
class Nearby:
    """A graph of one number, and what it reads beside it.

    Parameters
    ----------
    graph : Graph
        Its first input is the number, with as many axes of size 1 as its array has.
    inputs : list of array
        The number as it is, and the others.
    """

    graph: Graph
    inputs: list[Array]


def what_moves(
    graph: Graph,
    values: Sequence[Array],
    start: int,
    index: Index,
    outputs: Mapping[int, Box],
    held: Collection[int] = (),
) -> tuple[Builder, dict[int, Value], list[Array]]:
    """Build what a number reaches on the way to some outputs.

    Parameters
    ----------
    graph : Graph
    values : sequence of array
        Of each node, by position.
    start : int
        The node that holds the number; what it was computed from does not matter.
    index : tuple of int
        Where the number is in it.
    outputs : mapping of int to Box
        Which elements of which nodes are wanted.
    held : collection of int
        Nodes that stay as they are, whatever the number is.

    Returns
    -------
    Builder
        To which more may be added.
    dict of int to Value
        The outputs, by position; each is of its box.
    list of array
        The values of the inputs, the number's first.
    """
    moving = _moving(graph, start, index, max(outputs, default=start), held)
    wanted = _wanted(graph, moving, start, outputs)
    build = _Build(graph, values, moving, wanted, start)
    build.run(index)
    found = {i: build.value(i, box) for i, box in outputs.items()}
    return build.builder, found, build.arrays


def whole(shape: Sequence[int]) -> Box:
    """All elements."""
    return tuple((0, int(size)) for size in shape)


def at(index: Index) -> Box:
    """One element."""
    return tuple((i, i + 1) for i in index)


def axes_of(node: Node, operands: Sequence[TensorType]) -> Axes | None:
    """Which axes run together; None where a part of the result is not made of a part."""
    op = bind(node.op, node.attributes)
    rank = len(node.shape)
    match op:
        case ElementwiseOp() | Broadcast():
            letters = tuple(
                tuple(
                    -1 if size == 1 else rank - len(kind.shape) + axis
                    for axis, size in enumerate(kind.shape)
                )
                for kind in operands
            )
            return Axes(tuple(range(rank)), letters)
        case Transpose(axes):
            inverse = tuple(axes.index(axis) for axis in range(rank))
            return Axes(tuple(range(rank)), (inverse,))
        case Reshape():
            return _of_reshape(node.shape, operands[0].shape)
        case Sum(axes):
            every = tuple(range(len(operands[0].shape)))
            kept = tuple(axis for axis in every if axis not in axes)
            return Axes(kept, (every,), adds=node.dtype.is_float)
        case Amax(axis):
            every = tuple(range(len(operands[0].shape)))
            return Axes((*every[:axis], *every[axis + 1 :]), (every,))
        case Contract():
            return _of_contract(op, *(len(kind.shape) for kind in operands))
    return None


def _of_contract(op: Contract, a_rank: int, b_rank: int) -> Axes:
    a = list(range(a_rank))
    b = list(range(a_rank, a_rank + b_rank))
    for i, j in zip(op.a_over + op.a_batch, op.b_over + op.b_batch, strict=True):
        b[j] = a[i]
    result = [a[i] for i in (*op.a_batch, *op.a_free(a_rank))] + [b[j] for j in op.b_free(b_rank)]
    return Axes(tuple(result), (tuple(a), tuple(b)), adds=True)


def _of_reshape(new: Sequence[int], old: Sequence[int]) -> Axes | None:
    """Of one that only adds or drops axes of size 1."""
    if [int(size) for size in new if size != 1] != [int(size) for size in old if size != 1]:
        return None
    return Axes(_numbered(new), (_numbered(old),))


def _numbered(shape: Sequence[int]) -> tuple[int, ...]:
    letters, count = [], 0
    for size in shape:
        letters.append(-1 if size == 1 else count)
        count += size != 1
    return tuple(letters)


# --- which elements ---------------------------------------------------------------------------


def _moving(
    graph: Graph, start: int, index: Index, last: int, held: Collection[int]
) -> dict[int, Box]:
    """The elements that may move, of each node that the number reaches."""
    found = {start: at(index)}
    for i in range(start + 1, last + 1):
        node = graph.nodes[i]
        reached = [k for k, j in enumerate(node.inputs) if j in found]
        if not reached or i in held:
            continue
        full = whole(node.shape)
        axes = axes_of(node, [graph.nodes[j].type for j in node.inputs])
        if axes is None:
            found[i] = full
            continue
        boxes = []
        for k in reached:
            ranges = dict(zip(axes.operands[k], found[node.inputs[k]], strict=True))
            boxes.append(
                tuple(
                    all_ if letter < 0 else ranges.get(letter, all_)
                    for letter, all_ in zip(axes.result, full, strict=True)
                )
            )
        found[i] = _hull(boxes)
    return found


def _wanted(
    graph: Graph, moving: Mapping[int, Box], start: int, outputs: Mapping[int, Box]
) -> dict[int, Box]:
    """The elements that are computed, of each node that moves and that an output needs."""
    found = {i: box for i, box in outputs.items() if i in moving}
    for i in sorted(moving, reverse=True):
        if i not in found or i == start:
            continue
        node = graph.nodes[i]
        if axes_of(node, [graph.nodes[j].type for j in node.inputs]) is None:
            found[i] = whole(node.shape)
        for j, box in zip(node.inputs, _read(graph, moving, i, found[i])[0], strict=True):
            if j in moving:
                found[j] = _hull([found[j], box]) if j in found else box
    return found


def _read(
    graph: Graph, moving: Mapping[int, Box], position: int, box: Box
) -> tuple[list[Box], bool]:
    """What is read of each operand for a box of a node, and whether it is a part of a sum only."""
    node = graph.nodes[position]
    shapes = [graph.nodes[j].shape for j in node.inputs]
    axes = axes_of(node, [graph.nodes[j].type for j in node.inputs])
    if axes is None:
        return [whole(shape) for shape in shapes], False
    ranges = dict(zip(axes.result, box, strict=True))
    is_part = False
    folded = {
        letter: (0, int(size))
        for letters, shape in zip(axes.operands, shapes, strict=True)
        for letter, size in zip(letters, shape, strict=True)
        if letter not in ranges
    }
    for letter, full in folded.items():
        ranges[letter] = full
        if axes.adds:
            ranges[letter] = _hull(
                [
                    (dict(zip(letters, moving[j], strict=True)).get(letter, full),)
                    for letters, j in zip(axes.operands, node.inputs, strict=True)
                    if j in moving
                ]
            )[0]
            is_part = is_part or ranges[letter] != full
    boxes = [
        tuple(
            (0, int(size)) if letter < 0 else ranges[letter]
            for letter, size in zip(letters, shape, strict=True)
        )
        for letters, shape in zip(axes.operands, shapes, strict=True)
    ]
    return boxes, is_part


def _hull(boxes: Sequence[Box]) -> Box:
    return tuple(
        (min(low for low, _ in ranges), max(high for _, high in ranges))
        for ranges in zip(*boxes, strict=True)
    )


# --- the graph --------------------------------------------------------------------------------


class _Build:
    """Appends what is wanted, node by node."""

    def __init__(
        self,
        graph: Graph,
        values: Sequence[Array],
        moving: Mapping[int, Box],
        wanted: Mapping[int, Box],
        start: int,
    ) -> None:
        self.graph, self.values, self.start = graph, values, start
        self.moving, self.wanted = moving, wanted
        self.builder = Builder()
        self.arrays: list[Array] = []
        self.made: dict[int, Value] = {}
        self.held: dict[tuple[int, Box], Value] = {}

    def run(self, index: Index) -> None:
        number = self._input(_cut(self.values[self.start], at(index)))
        for i in sorted(self.wanted):
            node = self.graph.nodes[i]
            with self.builder.in_scope(node.scope, node.source):
                self.made[i] = self._start(number, index) if i == self.start else self._node(i)

    def value(self, position: int, box: Box) -> Value:
        """Some elements of a node, computed or held."""
        if position not in self.made:
            key = (position, box)
            if key not in self.held:
                self.held[key] = self._input(_cut(self.values[position], box))
            return self.held[key]
        outer = self.wanted[position]
        if box == outer:
            return self.made[position]
        inside = [(a - o, z - o) for (a, z), (o, _) in zip(box, outer, strict=True)]
        return self.builder.slice(
            self.made[position],
            starts=tuple(a for a, _ in inside),
            stops=tuple(z for _, z in inside),
            steps=(1,) * len(box),
        )

    def _start(self, number: Value, index: Index) -> Value:
        """The number among those beside it, which stay."""
        box = self.wanted[self.start]
        if box == at(index):
            return number
        around = _cut(self.values[self.start], box)
        here = np.zeros(around.shape, bool)
        here[tuple(i - low for i, (low, _) in zip(index, box, strict=True))] = True
        return self.builder.select(self._input(here), number, self._input(around))

    def _node(self, position: int) -> Value:
        node, box = self.graph.nodes[position], self.wanted[position]
        boxes, is_part = _read(self.graph, self.moving, position, box)
        operands = [self.value(j, part) for j, part in zip(node.inputs, boxes, strict=True)]
        attributes = dict(node.attributes)
        if "shape" in attributes and isinstance(bind(node.op, attributes), Broadcast | Reshape):
            attributes["shape"] = tuple(high - low for low, high in box)
        found = self.builder.apply(node.op, *operands, **attributes)
        if not is_part:
            return found
        now = [_cut(self.values[j], part) for j, part in zip(node.inputs, boxes, strict=True)]
        others = _cut(self.values[position], box) - _applied(node, now)
        return self.builder.add(self._input(others), found)

    def _input(self, array: Array) -> Value:
        self.arrays.append(array)
        return self.builder.input(_type(array), f"held{len(self.arrays) - 1}")


def _applied(node: Node, arrays: Sequence[Array]) -> Array:
    b = Builder()
    operands = [b.input(_type(array), f"x{k}") for k, array in enumerate(arrays)]
    built = b.build("part", {"y": b.apply(node.op, *operands, **dict(node.attributes))})
    with np.errstate(all="ignore"):
        return get_backend("numpy").run(built, list(arrays))[0]


def _cut(array: Array, box: Box) -> Array:
    return np.ascontiguousarray(array[tuple(slice(low, high) for low, high in box)]).reshape(
        [high - low for low, high in box]
    )


def _type(array: Array) -> TensorType:
    return TensorType(array.shape, DType.of(array.dtype))
