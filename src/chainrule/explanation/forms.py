"""Where the numbers of a whole node come from, in one line of integers for each of its operands.

`Op.terms` says of one element what it is made of. For most ops that is the same for all elements
but for where they are, and where is an affine function of the indices: element (i, j) of a product
is a sum over k of (i, k) times (k, j). This is read off the terms at a few indices and checked at
others, so that no op has to say it a second time. A page that opens any of a million numbers, and
a rule with letters for indices, need no more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from chainrule.explanation.trace import Index
from chainrule.graph import DType, Node, TensorType
from chainrule.ops import CompositeOp, Custom, ElementwiseOp, Op, bind
from chainrule.ops.broadcasting import broadcast_index
from chainrule.ops.expression import Apply, Element, Expression, Fold

_CHECKS = 12
"""At how many further places an affine function is compared with the terms."""
_STRIDE = 7919  # a prime: modulo the size of an axis, its multiples fall everywhere


@dataclass(frozen=True)
class Affine:
    """constant + Σ coefficientᵥ·variableᵥ: where an operand's element is, along one axis."""

    constant: int
    coefficients: tuple[int, ...]

    def at(self, variables: Sequence[int]) -> int:
        """Its value where the variables have these."""
        return self.constant + sum(map(int.__mul__, self.coefficients, variables))


@dataclass(frozen=True)
class Operand:
    """Which element of an operand: one affine function for each of its axes."""

    input: int
    axes: tuple[Affine, ...]

    def at(self, variables: Sequence[int]) -> Index:
        """The index where the variables have these values."""
        return tuple(axis.at(variables) for axis in self.axes)


@dataclass(frozen=True)
class Form:
    """How each element of a node is made of its operands' elements.

    The variables are the indices of the result's axes, then those that a sum runs over, the last
    fastest.

    Parameters
    ----------
    op : str
        What joins the operands: the name of an elementwise op; empty where there is one operand.
    operands : tuple of Operand
    fold : str
        ``"add"`` or ``"max"`` where a sum, or a maximum, runs over further variables.
    sizes : tuple of int
        How far each of those goes.
    dtype : DType, optional
        Of the result, where `op` changes it.
    """

    op: str
    operands: tuple[Operand, ...]
    fold: str = ""
    sizes: tuple[int, ...] = ()
    dtype: DType | None = None

    @property
    def is_move(self) -> bool:
        """Whether elements are only put elsewhere."""
        return not self.op and not self.fold


def form_of(node: Node, operands: Sequence[TensorType]) -> Form | None:
    """The form of a node; None where an op has none, or its elements differ in more than place."""
    if not node.inputs:
        return None
    op = bind(node.op, node.attributes)
    if isinstance(op, CompositeOp | Custom):
        return None
    if isinstance(op, ElementwiseOp):
        return _of_elementwise(op, node, operands)
    return _measured(op, tuple(operands), tuple(map(int, node.shape)))


def _of_elementwise(op: ElementwiseOp, node: Node, operands: Sequence[TensorType]) -> Form:
    rank = len(node.shape)
    found = []
    for i, kind in enumerate(operands):
        sources = broadcast_index(tuple(range(1, rank + 1)), kind.shape)
        found.append(Operand(i, tuple(_axis(source - 1, rank) for source in sources)))
    return Form(op.name, tuple(found))


def _axis(source: int, rank: int) -> Affine:
    """The index of one axis itself; -1: always 0."""
    return Affine(0, tuple(int(axis == source) for axis in range(rank)))


@lru_cache(maxsize=4096)
def _measured(op: Op, operands: tuple[TensorType, ...], shape: Index) -> Form | None:
    if 0 in shape:
        return None
    terms = _Terms(op, operands)
    origin = tuple(0 for _ in shape)
    first = terms.shape(origin)
    if first is None:
        return None
    sizes = terms.sizes(origin, first.count) if first.fold else ()
    if sizes is None:
        return None
    extents = (*shape, *sizes)
    start = terms.elements(origin, 0)
    steps = []
    for variable, extent in enumerate(extents):
        if extent < 2:
            steps.append(start)
            continue
        at = tuple(int(v == variable) for v in range(len(extents)))
        index, position = _divide(at, len(shape), sizes)
        if terms.shape(index) != first:
            return None
        steps.append(terms.elements(index, position))
    found = []
    for k, (operand, place) in enumerate(start):
        if any(step[k][0] != operand for step in steps):
            return None
        axes = tuple(
            Affine(place[axis], tuple(step[k][1][axis] - place[axis] for step in steps))
            for axis in range(len(place))
        )
        found.append(Operand(operand, axes))
    form = Form(first.op, tuple(found), first.fold, sizes, first.dtype)
    return form if _holds(form, terms, first, extents, len(shape)) else None


def _holds(form: Form, terms: _Terms, first: _Shape, extents: Sequence[int], rank: int) -> bool:
    """Whether the form gives what the terms say, at the far corner and elsewhere."""
    places = [tuple(extent - 1 for extent in extents)]
    places += [
        tuple((_STRIDE * (k + 1) * (v + 1)) % extent for v, extent in enumerate(extents))
        for k in range(_CHECKS)
    ]
    for at in places:
        index, position = _divide(at, rank, form.sizes)
        if terms.shape(index) != first:
            return False
        if terms.elements(index, position) != [(o.input, o.at(at)) for o in form.operands]:
            return False
    return True


def _divide(at: Sequence[int], rank: int, sizes: Sequence[int]) -> tuple[Index, int]:
    """The index of the result, and the position in the sum, from all variables."""
    position = 0
    for value, size in zip(at[rank:], sizes, strict=True):
        position = position * size + value
    return tuple(at[:rank]), position


@dataclass(frozen=True)
class _Shape:
    """What the terms of all elements have in common."""

    op: str
    fold: str
    count: int
    dtype: DType | None = None


@dataclass(frozen=True)
class _Terms:
    """The terms of an op, taken apart."""

    op: Op
    operands: tuple[TensorType, ...]

    def shape(self, index: Index) -> _Shape | None:
        """How many elements are joined, and by what; None if it is not that simple."""
        expression = self.op.terms(self.operands, index)
        fold, count = "", 1
        if isinstance(expression, Fold):
            fold, count = expression.op, len(expression.items)
            if not count:
                return None
            expression = expression.items[0]
        match expression:
            case Element():
                return _Shape("", fold, count)
            case Apply(op, arguments, dtype) if all(isinstance(a, Element) for a in arguments):
                return _Shape(op, fold, count, dtype)
        return None

    def elements(self, index: Index, position: int) -> list[tuple[int, Index]]:
        """The operands' elements in one item of the sum."""
        expression = self.op.terms(self.operands, index)
        if isinstance(expression, Fold):
            expression = expression.items[position]
        return [(e.input, tuple(map(int, e.index))) for e in _elements(expression)]

    def sizes(self, index: Index, count: int) -> tuple[int, ...] | None:
        """How the positions of a sum fall apart into variables, the last fastest."""
        start = self.elements(index, 0)
        found: list[int] = []
        stride = 1
        while stride < count:
            turns = self._turns(index, start, stride, count)
            if turns is None or count % (stride * turns):
                return None
            found.insert(0, turns)
            stride *= turns
        return tuple(found) or (1,)

    def _turns(
        self, index: Index, start: list[tuple[int, Index]], stride: int, count: int
    ) -> int | None:
        """After how many steps what moves with them is back where it was."""
        moved = self.elements(index, stride)
        if len(moved) != len(start):
            return None
        axes = [
            (k, axis)
            for k, ((_, a), (_, b)) in enumerate(zip(start, moved, strict=True))
            for axis in range(len(a))
            if a[axis] != b[axis]
        ]
        if not axes:
            return None
        for turn in range(2, count // stride):
            here = self.elements(index, turn * stride)
            if all(here[k][1][axis] == start[k][1][axis] for k, axis in axes):
                return turn
        return math.ceil(count / stride)


def _elements(expression: Expression) -> list[Element]:
    match expression:
        case Element():
            return [expression]
        case Apply(_, arguments):
            return [argument for argument in arguments if isinstance(argument, Element)]
    return []
