"""Sums and running sums, each in the declared order."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.backends.native.frame import NESTS, Frame, axes, copy, count_of, folded, over
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Carried,
    Let,
    Local,
    Loop,
    Number,
    Position,
    Read,
    Statement,
    Value,
    Write,
    index,
    nested,
)
from chainrule.backends.native.view import View
from chainrule.graph import DType
from chainrule.ops.order import Cumsum
from chainrule.ops.reduce import Sum

PARTIAL_SUMS = 16
"""Of a sum over contiguous elements: see `Fold` in `ops.expression`."""


def split_axes(axes: Sequence[int], rank: int) -> tuple[list[int], list[int]]:
    """The axes that are kept, and those that leave."""
    return [axis for axis in range(rank) if axis not in axes], list(axes)


@NESTS.register("sum")
def _sum(op: Sum, frame: Frame) -> tuple[Statement, ...]:
    (x,), y = frame.inputs, frame.output
    kept, summed = split_axes(op.axes, len(x.shape))
    loops, at = axes([x.shape[axis] for axis in kept])
    zero = Number(0, x.dtype)
    count = 1
    for axis in summed:
        count *= x.shape[axis]
    if not count:
        return over(loops, [Write(y.buffer, y.at(at), zero)])
    if not summed:
        return copy(x, y)
    rows = x.transposed([*kept, *summed])
    if summed == list(range(len(x.shape) - len(summed), len(x.shape))) and summed:
        return _sixteen(rows, len(kept), loops, at, frame)
    inner = [(f"k{axis}", x.shape[axis]) for axis in summed]
    element = rows.read([*at, *(index(name) for name, _ in inner)])
    sums = _fold("add", x.dtype, inner, element)
    return over(loops, [*sums, Write(y.buffer, y.at(at), Local("total", x.dtype))])


def _fold(
    op: str, dtype: DType, loops: Sequence[tuple[str, int]], element: Value
) -> list[Statement]:
    """``total``: the elements combined front to back, beginning with the first of them.

    Not with 0: 0 + -0 is 0, and the sum of one -0 is -0.
    """
    if len(loops) == 1:
        return fold_axis(op, dtype, loops[0], element)
    # Over several axes the first element cannot be told apart without a branch, so the sum starts
    # from -0, which changes no other number.
    start = Number(-0.0 if dtype.is_float else 0, dtype)
    following = Apply(op, (Local("total", dtype), element), dtype)
    return folded(loops, "total", start, following)


def fold_axis(op: str, dtype: DType, loop: tuple[str, int], element: Value) -> list[Statement]:
    """``total``: elements combined front to back along one axis."""
    name, count = loop
    start = at_index(element, name, Affine())
    after = at_index(element, name, index(name) + 1)
    step = Apply(op, (Local("total", dtype), after), dtype)
    return [Loop(name, count - 1, carried=(Carried("total", start, step),))]


def at_index(value: Value, name: str, place: Affine) -> Value:
    """A value with an index replaced by another."""

    def moved(at: Affine) -> Affine:
        factor = at.factor(name)
        rest = Affine(at.constant, tuple(term for term in at.terms if term[0] != name))
        return rest + place * factor

    match value:
        case Read(buffer, at, dtype):
            return Read(buffer, moved(at), dtype)
        case Position(at):
            return Position(moved(at))
        case Apply(op, arguments, dtype):
            return Apply(op, tuple(at_index(a, name, place) for a in arguments), dtype)
    return value


def _sixteen(
    rows: View, kept: int, loops: list[tuple[str, int]], at: list[Affine], frame: Frame
) -> tuple[Statement, ...]:
    """16 interleaved partial sums, the lanes of one loop, then their tree."""
    y, dtype = frame.output, rows.dtype
    shape = (*rows.shape[:kept], count_of(rows.shape[kept:]))
    flat = rows.reshaped(shape)
    statements: list[Statement] = []
    if flat is None:  # not contiguous where it is: the order of the sum is that of its elements
        held = frame.temporary(dtype, rows.shape)
        statements += copy(rows, held)
        flat = held.reshaped(shape)
        assert flat is not None
    count = shape[-1]
    used = min(PARTIAL_SUMS, count)
    partial = frame.temporary(dtype, (PARTIAL_SUMS,))
    lane, whole, rest = index("p"), count // PARTIAL_SUMS, count % PARTIAL_SUMS
    element = flat.read([*at, index("k") * PARTIAL_SUMS + lane])
    first = flat.read([*at, lane])
    body: list[Statement] = []
    if whole:
        sums = fold_axis("add", dtype, ("k", whole), element)
        body.append(
            Loop("p", used, (*sums, Write(partial.buffer, lane, Local("total", dtype))), True)
        )
    else:
        body.append(Loop("p", used, (Write(partial.buffer, lane, first),), True))
    if whole and rest:
        tail = flat.read([*at, lane + whole * PARTIAL_SUMS])
        added = Apply("add", (Read(partial.buffer, lane, dtype), tail), dtype)
        body.append(Loop("p", rest, (Write(partial.buffer, lane, added),), True))
    width = PARTIAL_SUMS // 2
    while width:
        pairs = min(width, used - width)
        if pairs > 0:
            both = (Read(partial.buffer, lane, dtype), Read(partial.buffer, lane + width, dtype))
            halved = Write(partial.buffer, lane, Apply("add", both, dtype))
            body.append(Loop("p", pairs, (halved,), True))
        width //= 2
    body.append(Write(y.buffer, y.at(at), Read(partial.buffer, Affine(), dtype)))
    return (*statements, *nested(loops, body))


@NESTS.register("cumsum")
def _cumsum(op: Cumsum, frame: Frame) -> tuple[Statement, ...]:
    (x,), y = frame.inputs, frame.output
    if op.reverse:
        x, y = x.flipped([op.axis]), y.flipped([op.axis])
    others = [axis for axis in range(len(x.shape)) if axis != op.axis]
    if not x.size:
        return ()
    loops, at = axes([x.shape[axis] for axis in others])
    x, y = x.transposed([*others, op.axis]), y.transposed([*others, op.axis])
    total = Local("total", x.dtype)
    here = index("k") + 1
    following = Let("next", Apply("add", (total, x.read([*at, here])), x.dtype))
    put = Write(y.buffer, y.at([*at, here]), Local("next", x.dtype))
    carried = (Carried("total", x.read([*at, Affine()]), Local("next", x.dtype)),)
    first = Write(y.buffer, y.at([*at, Affine()]), x.read([*at, Affine()]))
    return over(loops, [first, Loop("k", x.shape[-1] - 1, (following, put), carried=carried)])
