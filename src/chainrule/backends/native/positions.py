"""Elements by position: joined, padded, read and added where indices say, and put in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """Runs are merged to runs of twice their length: n·log₂ n comparisons, and stable."""
    (x,), y = frame.inputs, frame.output
    others = [axis for axis in range(len(x.shape)) if axis != op.axis]
    loops, at = axes([x.shape[axis] for axis in others])
    x, y = x.transposed([*others, op.axis]), y.transposed([*others, op.axis])
    size, k = x.shape[-1], index("k")
    if size < 2:
        return nested([*loops, ("k", size)], [Write(y.buffer, y.at([*at, k]), Position(k))])
    # Keys and where they were, twice: a merge reads the one and writes the other. It also reads the
    # key behind its second run, and does not use it.
    key = _sort_key(x.read([*at, k]), op.descending)
    runs, merged = (_Runs.new(key.dtype, size + 1, frame) for _ in range(2))
    begin = runs.write(k, key, Position(k))
    body: list[Statement] = [Loop("k", size, begin, parallel=True)]
    length = 1
    while length < size:
        if 2 * length >= size:
            merged = _Runs(merged.keys, y, tuple(at))
        pairs, rest = divmod(size, 2 * length)
        if pairs:
            pair = _merged(runs, merged, index("p") * (2 * length), length, length)
            body.append(Loop("p", pairs, pair))
        if rest:
            first = min(length, rest)
            body += _merged(runs, merged, Affine(size - rest), first, rest - first)
        runs, merged, length = merged, runs, 2 * length
    return nested(loops, body)


def _sort_key(x: Read, descending: bool) -> Apply:
    """An integer that sorts as the element does, NaN as the largest."""
    if x.dtype.is_float:
        whole = DType.I32 if x.dtype is DType.F32 else DType.I64
        key = Apply("sort_key", (x,), whole)
    else:
        key = Apply("cast", (x,), DType.I64)
    return Apply("bitwise_not", (key,), key.dtype) if descending else key


@dataclass(frozen=True)
class _Runs:
    """Keys in runs that are sorted, and the places they come from.

    Parameters
    ----------
    keys, places : View
    at : tuple of Affine
        Where the places are, on the axes before the last.
    """

    keys: View
    places: View
    at: tuple[Affine, ...] = ()

    @classmethod
    def new(cls, dtype: DType, size: int, frame: Frame) -> _Runs:
        """Memory for them."""
        return cls(frame.temporary(dtype, (size,)), frame.temporary(DType.I64, (size,)))

    def read(self, here: Affine) -> tuple[Read, Read]:
        """A key and its place."""
        return self.keys.read([here]), self.places.read([*self.at, here])

    def write(self, here: Affine, key: Value, place: Value) -> tuple[Write, Write]:
        """Put a key and its place."""
        to = self.places.at([*self.at, here])
        return Write(self.keys.buffer, here, key), Write(self.places.buffer, to, place)


def _merged(
    runs: _Runs, to: _Runs, start: Affine, first: int, second: int
) -> tuple[Statement, ...]:
    """Merge two runs, one behind the other; where their keys are equal, the first goes on."""
    k = index("k")
    if not second:
        return (Loop("k", first, to.write(start + k, *runs.read(start + k)), parallel=True),)

    def truth(op: str, *arguments: Value) -> Value:
        return Apply(op, arguments, DType.BOOL)

    taken = Local("taken", DType.I64)  # of the first run
    i, j = start + index("taken"), start + first + k + index("taken") * -1
    a, b = runs.keys.read([i]), runs.keys.read([j])
    none_left = truth("greater_equal", taken, Number(first, DType.I64))
    some_right = truth("less", Position(k + index("taken") * -1), Number(second, DType.I64))
    is_second = truth(
        "logical_and", some_right, truth("logical_or", none_left, truth("less", b, a))
    )
    # From where: i + (j - i)·second. A choice would become a jump that no processor foresees.
    second_taken = Local("second", DType.I64)
    apart = Apply("mul", (Position(j + i * -1), second_taken), DType.I64)
    body = (
        Let("second", Apply("cast", (is_second,), DType.I64)),
        Let("from", Apply("add", (Position(i), apart), DType.I64)),
        *to.write(start + k, *runs.read(index("from"))),
    )
    one_more = Apply("sub", (Number(1, DType.I64), second_taken), DType.I64)
    following = Apply("add", (taken, one_more), DType.I64)
    carried = (Carried("taken", Number(0, DType.I64), following),)
    return (Loop("k", first + second, body, carried=carried),)
