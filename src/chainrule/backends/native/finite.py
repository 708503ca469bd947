"""Whether what a step computes is finite, at the cost of reading it once, or less."""

from __future__ import annotations

from chainrule.backends.native.frame import folded
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
"""How many vectors are checked in one iteration."""


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
    rows, step, count = _rows(view)
    vectors = min(_VECTORS, count // lanes) if rows == 1 else 1

    def plus(so_far: Value, at: Affine) -> Value:
        element = Read(view.buffer, index("r") * step + at, dtype)
        return Apply("add", (so_far, Apply("sub", (element, element), dtype)), dtype)

    k, lane = index("k"), index("l")
    whole = count // (vectors * lanes) if vectors else 0
    done = whole * vectors * lanes
    statements: list[Statement] = []
    begin: Value = zero
    if whole:
        following: Value = total
        for v in range(vectors):
            following = plus(following, k * (vectors * lanes) + lane + v * lanes)
        sides = folded([("r", rows), ("k", whole)], "total", zero, following)
        put = Write(sums.buffer, lane, total)
        summed = Apply("add", (total, Read(sums.buffer, lane, dtype)), dtype)
        statements.append(Loop("l", lanes, (*sides, put), parallel=True))
        statements.append(Loop("l", lanes, carried=(Carried("total", zero, summed),)))
        begin = total
    if count - done:
        rest = [("r", rows), ("k", count - done)]
        statements += folded(rest, "total", begin, plus(total, k + done))
    finite = Apply("equal", (total, zero), DType.BOOL)
    return (*statements, Write(FINITE, Affine(place), finite))


def _rows(view: View) -> tuple[int, int, int]:
    """How many rows there are, from one to the next, and how long they are."""
    if view.extent == view.size:
        return 1, 0, view.size
    along = view.strides.index(1)
    return view.shape[1 - along], view.strides[1 - along], view.shape[along]
