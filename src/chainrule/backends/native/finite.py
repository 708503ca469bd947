"""Whether what a step computes is finite, at the cost of reading it once, or less."""

from __future__ import annotations

from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Carried,
    Local,
    Loop,
    Number,
    Read,
    Statement,
    Value,
    Write,
    index,
)
from chainrule.backends.native.view import View
from chainrule.graph import DType

FINITE = "finite"
"""The buffer of truths: one for each value that is checked."""

_VECTORS = 4
"""How many vectors are checked at once."""


def check_finite(view: View, place: int, sums: View) -> tuple[Statement, ...]:
    """Note whether all elements are finite: x - x is 0 for those that are, and NaN for others.

    The zeros are added in lanes, several vectors at once: any order gives the same.

    Parameters
    ----------
    view : View
        A whole buffer.
    place : int
        Where in `FINITE` the truth is put.
    sums : View
        A vector of memory.
    """
    dtype, lanes = view.dtype, sums.size
    zero, total = Number(0.0, dtype), Local("total", dtype)

    def plus(so_far: Local, at: Affine) -> Value:
        element = Read(view.buffer, at, dtype)
        return Apply("add", (so_far, Apply("sub", (element, element), dtype)), dtype)

    k, lane = index("k"), index("l")
    whole = view.size // (_VECTORS * lanes)
    carried = []
    for v in range(_VECTORS):
        name = Local(f"t{v}", dtype)
        at = k * (_VECTORS * lanes) + lane + v * lanes
        carried.append(Carried(name.name, zero, plus(name, at)))
    together: Value = Local("t0", dtype)
    for v in range(1, _VECTORS):
        together = Apply("add", (together, Local(f"t{v}", dtype)), dtype)
    vectors = Loop("k", whole, carried=tuple(carried))
    side_by_side = Loop("l", lanes, (vectors, Write(sums.buffer, lane, together)), parallel=True)
    done = whole * _VECTORS * lanes
    begin: Value = zero
    statements: list[Statement] = []
    if whole:
        summed = Apply("add", (total, Read(sums.buffer, lane, dtype)), dtype)
        statements += [side_by_side, Loop("l", lanes, carried=(Carried("total", zero, summed),))]
        begin = total
    rest = Loop("k", view.size - done, carried=(Carried("total", begin, plus(total, k + done)),))
    finite = Apply("equal", (total, zero), DType.BOOL)
    return (*statements, rest, Write(FINITE, Affine(place), finite))
