"""Elements by position: joined, padded, read and added where indices say, and put in order."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.backends.native.arena import Fault
from chainrule.backends.native.frame import NESTS, Frame, axes, copy, filled, over
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
from chainrule.ops.index import Gather, ScatterAdd
from chainrule.ops.order import AddAlongAxis, Argsort, TakeAlongAxis
from chainrule.ops.shape import Concat, Pad


@NESTS.register("concat")
def _concat(op: Concat, frame: Frame) -> tuple[Statement, ...]:
    y, begin = frame.output, 0
    statements: list[Statement] = []
    for part in frame.inputs:
        starts = [begin if axis == op.axis else 0 for axis in range(len(y.shape))]
        statements += copy(part, y.sliced(starts, part.shape, [1] * len(y.shape)))
        begin += part.shape[op.axis]
    return tuple(statements)


@NESTS.register("pad")
def _pad(op: Pad, frame: Frame) -> tuple[Statement, ...]:
    (x, filler), y = frame.inputs, frame.output
    inside = y.sliced(op.low, x.shape, [inner + 1 for inner in op.interior])
    return (*copy(filler.broadcast(y.shape), y), *(copy(x, inside) if x.size else ()))


FAULTS = "faults"
"""The buffer in which kernels note that an index has no place: two numbers for each of them."""


def _place(indices: View, at: Sequence[Affine], size: int) -> tuple[tuple[Let, ...], Affine]:
    """A position read from an array, as an index; 0 for one that is out of range."""
    wide, outside = Local("wide", DType.I64), Local("outside", DType.BOOL)
    place = Apply("select", (outside, Number(0, DType.I64), wide), DType.I64)
    read = Let("wide", Apply("cast", (indices.read(at),), DType.I64))
    return (read, Let("outside", _outside(wide, size)), Let("place", place)), index("place")


def _outside(wide: Value, size: int) -> Value:
    below = Apply("less", (wide, Number(0, DType.I64)), DType.BOOL)
    above = Apply("greater_equal", (wide, Number(size, DType.I64)), DType.BOOL)
    return Apply("logical_or", (below, above), DType.BOOL)


def _check(op: str, indices: View, size: int, frame: Frame) -> tuple[Statement, ...]:
    """Note the first index that is out of range: its place, counted from 1, and what it is."""
    frame.fault = Fault(f"{op} takes indices from 0 to {size - 1}", indices.shape)
    if not indices.size:
        return ()
    statements: list[Statement] = []
    flat = indices.reshaped((indices.size,))
    if flat is None:
        held = frame.temporary(indices.dtype, indices.shape)
        statements += copy(indices, held)
        flat = held.reshaped((indices.size,))
        assert flat is not None
    place, number = Local("place", DType.I64), Local("number", DType.I64)
    wide, first = Local("wide", DType.I64), Local("first", DType.BOOL)
    none_yet = Apply("equal", (place, Number(0, DType.I64)), DType.BOOL)
    body = (
        Let("wide", Apply("cast", (flat.read([index("f")]),), DType.I64)),
        Let("first", Apply("logical_and", (none_yet, _outside(wide, size)), DType.BOOL)),
    )
    here = Position(index("f") + 1)
    starts = [Read(FAULTS, Affine(2 * frame.slot + i), DType.I64) for i in range(2)]
    carried = (
        Carried("place", starts[0], Apply("select", (first, here, place), DType.I64)),
        Carried("number", starts[1], Apply("select", (first, wide, number), DType.I64)),
    )
    statements.append(Loop("f", indices.size, body, carried=carried))
    statements += [
        Write(FAULTS, Affine(2 * frame.slot + i), value) for i, value in enumerate((place, number))
    ]
    return tuple(statements)


@NESTS.register("gather")
def _gather(op: Gather, frame: Frame) -> tuple[Statement, ...]:
    (x, indices), y = frame.inputs, frame.output
    loops, at = axes(y.shape)
    inner = at[op.axis : op.axis + len(indices.shape)]
    size = x.shape[op.axis]
    lets, place = _place(indices, inner, size)
    source = x.read([*at[: op.axis], place, *at[op.axis + len(indices.shape) :]])
    checked = _check("gather", indices, size, frame)
    return (*checked, *over(loops, [*lets, Write(y.buffer, y.at(at), source)]))


@NESTS.register("scatter_add")
def _scatter_add(op: ScatterAdd, frame: Frame) -> tuple[Statement, ...]:
    (x, indices), y = frame.inputs, frame.output
    loops, at = axes(x.shape)
    rank = len(indices.shape)
    before, inner, after = at[: op.axis], at[op.axis : op.axis + rank], at[op.axis + rank :]
    lets, place = _place(indices, inner, op.size)
    to = y.at([*before, place, *after])
    added = Apply("add", (Read(y.buffer, to, y.dtype), x.read(at)), y.dtype)
    free = [loops[axis] for axis in range(len(loops)) if not op.axis <= axis < op.axis + rank]
    ordered = loops[op.axis : op.axis + rank]
    body = over(free, [*lets, Write(y.buffer, to, added)])
    checked = _check("scatter_add", indices, op.size, frame)
    return (*checked, *_zeros(frame), *nested(ordered, body))


def _zeros(frame: Frame) -> tuple[Statement, ...]:
    return filled(frame.output, 0)


@NESTS.register("take_along_axis")
def _take_along_axis(op: TakeAlongAxis, frame: Frame) -> tuple[Statement, ...]:
    (x, indices), y = frame.inputs, frame.output
    loops, at = axes(y.shape)
    size = x.shape[op.axis]
    lets, place = _place(indices, at, size)
    source = x.read([*at[: op.axis], place, *at[op.axis + 1 :]])
    checked = _check("take_along_axis", indices, size, frame)
    return (*checked, *over(loops, [*lets, Write(y.buffer, y.at(at), source)]))


@NESTS.register("add_along_axis")
def _add_along_axis(op: AddAlongAxis, frame: Frame) -> tuple[Statement, ...]:
    (x, indices), y = frame.inputs, frame.output
    loops, at = axes(x.shape)
    lets, place = _place(indices, at, op.size)
    to = y.at([*at[: op.axis], place, *at[op.axis + 1 :]])
    added = Apply("add", (Read(y.buffer, to, y.dtype), x.read(at)), y.dtype)
    checked = _check("add_along_axis", indices, op.size, frame)
    return (*checked, *_zeros(frame), *nested(loops, [*lets, Write(y.buffer, to, added)]))


@NESTS.register("argsort")
def _argsort(op: Argsort, frame: Frame) -> tuple[Statement, ...]:
    """Each element's place is how many come before it: n² comparisons, and stable."""
    (x,), y = frame.inputs, frame.output
    others = [axis for axis in range(len(x.shape)) if axis != op.axis]
    loops, at = axes([x.shape[axis] for axis in others])
    x, y = x.transposed([*others, op.axis]), y.transposed([*others, op.axis])
    size = x.shape[-1]
    here, other = x.read([*at, index("k")]), x.read([*at, index("j")])
    ahead, behind = _ahead(other, here, op.descending), _ahead(here, other, op.descending)
    earlier = Apply("less", (Position(index("j")), Position(index("k"))), DType.BOOL)
    tied = Apply("logical_not", (behind,), DType.BOOL)
    before = Apply("select", (earlier, tied, ahead), DType.BOOL)
    rank = Local("rank", DType.I64)
    counted = Apply("add", (rank, Apply("cast", (before,), DType.I64)), DType.I64)
    count = Loop("j", size, carried=(Carried("rank", Number(0, DType.I64), counted),))
    put = Write(y.buffer, y.at([*at, index("rank")]), Position(index("k")))
    return nested([*loops, ("k", size)], [count, put])


def _ahead(a: Value, b: Value, descending: bool) -> Value:
    """Whether a comes strictly before b; NaN counts as the largest."""
    nan_a, nan_b = (Apply("not_equal", (each, each), DType.BOOL) for each in (a, b))
    if descending:
        number_b = Apply("logical_not", (nan_b,), DType.BOOL)
        last = Apply("logical_and", (nan_a, number_b), DType.BOOL)
        return Apply("logical_or", (Apply("greater", (a, b), DType.BOOL), last), DType.BOOL)
    number_a = Apply("logical_not", (nan_a,), DType.BOOL)
    last = Apply("logical_and", (number_a, nan_b), DType.BOOL)
    return Apply("logical_or", (Apply("less", (a, b), DType.BOOL), last), DType.BOOL)
