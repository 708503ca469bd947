"""The largest element along an axis, and where it is: the first of several, the first NaN.

The largest of numbers does not depend on their order, but of 0 and -0, which are equal, and of
NaNs it is the first that counts. Along a contiguous axis the largest is found on lanes, and then,
as well on lanes, the first element that is it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.backends.native.frame import NESTS, Frame, axes, dtype_of, over
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
from chainrule.backends.native.reductions import at_index, fold_axis, split_axes
from chainrule.backends.native.view import View
from chainrule.graph import DType
from chainrule.ops.reduce import Amax, Argmax

_LANES = 16
"""The longest vector of float32; shorter ones take turns."""
_CHAINS = 4
"""So many comparisons run side by side: each waits for the one before."""
_WHOLE = DType.I32
_PLACES = 2**29
"""Rows are shorter; places of NaNs are counted from 0, others from here, none is twice that."""
_WORTHWHILE = 2 * _LANES * _CHAINS


@NESTS.register("amax")
def _amax(op: Amax, frame: Frame) -> tuple[Statement, ...]:
    (x,), y = frame.inputs, frame.output
    kept, (axis,) = split_axes((op.axis,), len(x.shape))
    loops, at = axes([x.shape[a] for a in kept])
    rows = x.transposed([*kept, axis])
    if _is_on_lanes(rows):
        search = _first_largest(rows, at, frame)
        return nested(loops, [*search, Write(y.buffer, y.at(at), rows.read([*at, _PLACE]))])
    element = rows.read([*at, index("k")])
    folded = fold_axis("max", x.dtype, ("k", x.shape[axis]), element)
    return over(loops, [*folded, Write(y.buffer, y.at(at), Local("total", x.dtype))])


@NESTS.register("argmax")
def _argmax(op: Argmax, frame: Frame) -> tuple[Statement, ...]:
    (x,), y = frame.inputs, frame.output
    kept, (axis,) = split_axes((op.axis,), len(x.shape))
    loops, at = axes([x.shape[a] for a in kept])
    rows = x.transposed([*kept, axis])
    if _is_on_lanes(rows):
        found = _first_largest(rows, at, frame)
        return nested(loops, [*found, Write(y.buffer, y.at(at), Position(_PLACE))])
    best, element = Local("best", x.dtype), rows.read([*at, index("k") + 1])
    # Not "greater": a NaN is not ≤ anything, and after the first one nothing is larger.
    known = Apply("equal", (best, best), DType.BOOL)
    above = Apply("logical_not", (Apply("less_equal", (element, best), DType.BOOL),), DType.BOOL)
    larger = Local("larger", DType.BOOL)
    carried = (
        Carried(
            "best", rows.read([*at, Affine()]), Apply("select", (larger, element, best), x.dtype)
        ),
        Carried(
            "place",
            Number(0, DType.I64),
            Apply(
                "select",
                (larger, Position(index("k") + 1), Local("place", DType.I64)),
                DType.I64,
            ),
        ),
    )
    compared = Let("larger", Apply("logical_and", (known, above), DType.BOOL))
    search = Loop("k", x.shape[axis] - 1, (compared,), carried=carried)
    return over(loops, [search, Write(y.buffer, y.at(at), Local("place", DType.I64))])


_PLACE = index("place")


def _is_on_lanes(rows: View) -> bool:
    return rows.strides[-1] == 1 and _WORTHWHILE <= rows.shape[-1] < _PLACES


def _first_largest(rows: View, at: Sequence[Affine], frame: Frame) -> list[Statement]:
    """``place``: where in a row the first of the largest is."""
    dtype, count = rows.dtype, rows.shape[-1]
    blocks = count // _LANES
    turns, lane = blocks // _CHAINS, index("p")
    remaining = range(turns * _CHAINS, blocks)
    end = count - _LANES
    """Where the last lanes begin: some of theirs may be in a block, too."""
    own = Let("own", Apply("cast", (Position(lane),), _WHOLE))

    def element(begin: Affine | int) -> Value:
        return rows.read([*at, lane + begin])

    def block(number: Affine | int) -> Value:
        return element(number * _LANES)

    def backwards(name: str, is_wanted: Callable[[Value], Value]) -> tuple[Carried, Value]:
        """How many blocks there are since the first that is wanted; and its place in the row."""

        def since(before: Value, number: Affine | int) -> Value:
            more = Apply("add", (before, Number(1, _WHOLE)), _WHOLE)
            wanted = is_wanted(block(number))
            return Apply("select", (wanted, Number(0, _WHOLE), more), _WHOLE)

        start: Value = Number(2 * _PLACES // _LANES, _WHOLE)
        for number in reversed(remaining):
            start = since(start, number)
        following: Value = Local(name, _WHOLE)
        for chain in reversed(range(_CHAINS)):
            following = since(following, index("k") * -_CHAINS + (turns - 1) * _CHAINS + chain)
        scaled = Apply("mul", (Local(name, _WHOLE), Number(_LANES, _WHOLE)), _WHOLE)
        known = Apply("add", (scaled, Local("own", _WHOLE)), _WHOLE)
        last = Apply("add", (Number(end, _WHOLE), Local("own", _WHOLE)), _WHOLE)
        later = Apply(
            "select", (is_wanted(element(end)), last, Number(2 * _PLACES, _WHOLE)), _WHOLE
        )
        return Carried(name, start, following), Apply("min", (known, later), _WHOLE)

    # The largest of each lane, in several chains, if there is no NaN; and the first NaN.
    best = [Local(f"best{c}", dtype) for c in range(_CHAINS)]
    carried = [
        Carried(b.name, block(c), _larger(b, block(index("k") * _CHAINS + c)))
        for c, b in enumerate(best)
    ]
    largest: Value = best[0]
    for other in [*best[1:], *map(block, remaining), element(end)]:
        largest = _larger(largest, other)
    found = frame.temporary(dtype, (2 * _LANES,)).buffer
    nan, nan_place = backwards("nan", lambda x: Apply("not_equal", (x, x), DType.BOOL))
    nans = frame.temporary(_WHOLE, (_LANES,)).buffer
    first: list[Statement] = [
        Loop("k", turns, carried=(*carried, nan)),
        own,
        Write(found, lane, largest),
        Write(nans, lane, nan_place),
    ]
    # The first place of the largest in each lane; a NaN's is less than all of them.
    top = Local("top", dtype)
    equal, place = backwards("equal", lambda x: Apply("equal", (x, top), DType.BOOL))
    before = Apply("add", (place, Number(_PLACES, _WHOLE)), _WHOLE)
    places = frame.temporary(_WHOLE, (2 * _LANES,)).buffer
    least = Apply("min", (Read(nans, lane, _WHOLE), before), _WHOLE)
    second: list[Statement] = [Loop("k", turns, carried=(equal,)), own, Write(places, lane, least)]
    counted = Apply("bitwise_and", (Local("least", _WHOLE), Number(_PLACES - 1, _WHOLE)), _WHOLE)
    return [
        Loop("p", _LANES, tuple(first), parallel=True),
        *_halved(_larger, found, "top", dtype),
        Loop("p", _LANES, tuple(second), parallel=True),
        *_halved(_smaller, places, "least", _WHOLE),
        Let("place", Apply("cast", (counted,), DType.I64)),
    ]


def _larger(a: Value, b: Value) -> Value:
    """Not ``max``: one instruction, which may lose a NaN."""
    dtype = dtype_of(a)
    return Apply("select", (Apply("greater", (b, a), DType.BOOL), b, a), dtype)


def _smaller(a: Value, b: Value) -> Value:
    return Apply("min", (a, b), dtype_of(a))


def _halved(
    combine: Callable[[Value, Value], Value], buffer: str, name: str, dtype: DType
) -> list[Statement]:
    """Combine a vector's elements; each half goes to another place, from which it is read back."""
    lane, body, width, begin = index("p"), list[Statement](), _LANES // 2, 0
    while width:
        both = (Read(buffer, lane + begin, dtype), Read(buffer, lane + begin + width, dtype))
        begin += 2 * width
        if width == 1:
            body.append(Let(name, combine(*(at_index(b, "p", Affine()) for b in both))))
        else:
            halved = Write(buffer, lane + begin, combine(*both))
            body.append(Loop("p", width, (halved,), parallel=True))
        width //= 2
    return body
