"""Contractions: tiles of the result in registers, each of its sums in the declared order.

The vectors run along an axis of the result, never along the sum: a sum that is split over lanes
would be another sum. So one operand has to lie along the lanes, and is packed if it does not; the
other is read element by element and spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.backends.native.frame import NESTS, Frame, axes, copy, count_of, folded, over
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Carried,
    Let,
    Local,
    Loop,
    Number,
    Statement,
    Value,
    Write,
    index,
)
from chainrule.backends.native.target import Target
from chainrule.backends.native.view import View
from chainrule.ops.contract import Contract


@NESTS.register("contract")
def _contract(op: Contract, frame: Frame) -> tuple[Statement, ...]:
    (a, b), y = frame.inputs, frame.output
    a_free, b_free = op.a_free(len(a.shape)), op.b_free(len(b.shape))
    a = a.transposed([*op.a_batch, *a_free, *op.a_over])
    b = b.transposed([*op.b_batch, *op.b_over, *b_free])
    batch, rows, inner = len(op.batch) // 2, len(a_free), len(op.a_over)
    sizes = [count_of(a.shape[batch : batch + rows]), count_of(a.shape[batch + rows :])]
    sizes.append(count_of(b.shape[batch + inner :]))
    if not batch and all(sizes):
        m, k, n = sizes
        flat = a.reshaped((m, k)), b.reshaped((k, n)), y.reshaped((m, n))
        if all(flat):
            return matrix_product(*flat, frame)  # type: ignore[arg-type]
    return _one_by_one(a, b, (batch, rows, inner), frame)


def multiplied_and_added(target: Target, a: Value, b: Value, total: Value) -> Value:
    """Total + a·b: rounded once where the target does that, else twice."""
    dtype = total.dtype if isinstance(total, Local) else Local("", a.dtype).dtype  # type: ignore[union-attr]
    if target.fma:
        return Apply("fma", (a, b, total), dtype)
    return Apply("add", (total, Apply("mul", (a, b), dtype)), dtype)


# From -0: it changes no sum, and the sum of one product of -0 is -0.
_START = -0.0


def _one_by_one(
    a: View, b: View, ranks: tuple[int, int, int], frame: Frame
) -> tuple[Statement, ...]:
    """Each element of the result by itself: any number of axes."""
    batch, rows, inner = ranks
    y = frame.output
    loops_g, at_g = axes(a.shape[:batch], "g")
    loops_m, at_m = axes(a.shape[batch : batch + rows], "m")
    loops_k, at_k = axes(a.shape[batch + rows :], "k")
    loops_n, at_n = axes(b.shape[batch + inner :], "n")
    left, right = a.read([*at_g, *at_m, *at_k]), b.read([*at_g, *at_k, *at_n])
    place, dtype = y.at([*at_g, *at_m, *at_n]), y.dtype
    loops = [*loops_g, *loops_m, *loops_n]
    if not loops_k:
        return over(loops, [Write(y.buffer, place, Apply("mul", (left, right), dtype))])
    if not count_of(a.shape[batch + rows :]):
        return over(loops, [Write(y.buffer, place, Number(0.0, dtype))])
    total = Local("total", dtype)
    following = multiplied_and_added(frame.target, left, right, total)
    sums = folded(loops_k, "total", Number(_START, dtype), following)
    return over(loops, [*sums, Write(y.buffer, place, total)])


# --- matrices ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tile:
    """A block of the result that stays in registers while its sums run.

    Parameters
    ----------
    rows, vectors : int
        So many rows of so many vectors.
    """

    rows: int
    vectors: int


def tile_for(target: Target, vectors: int) -> Tile:
    """The largest tile: sums, vectors of the packed operand, and an element of the other."""
    wide = min(vectors, 2)
    return Tile((target.registers - wide - 2) // wide, wide)


def matrix_product(a: View, b: View, y: View, frame: Frame) -> tuple[Statement, ...]:
    """Y = a·b for a of (m, k), b of (k, n) and y of (m, n), with lanes along n or along m."""
    if _cost(b.transposed((1, 0)), y, frame.target) < _cost(a, y.transposed((1, 0)), frame.target):
        return _with_lanes(a, b, y, frame)
    return _with_lanes(b.transposed((1, 0)), a.transposed((1, 0)), y.transposed((1, 0)), frame)


def _cost(b: View, y: View, target: Target) -> float:
    """What lanes along the first axis of b, the second of y, cost: sums, packing, scattering."""
    (n, k), (m, _) = b.shape, y.shape
    lanes = target.lanes(b.dtype)
    sums = math.ceil(n / lanes) * m * k
    packing = 0 if b.strides[0] == 1 and n % lanes == 0 else 1.5 * n * k
    return sums + packing + (0 if y.strides[1] == 1 else 2 * n * m)


def _with_lanes(a: View, b: View, y: View, frame: Frame) -> tuple[Statement, ...]:
    """The product with lanes along n."""
    k, n, lanes = a.shape[1], b.shape[1], frame.target.lanes(b.dtype)
    statements: list[Statement] = []
    if b.strides[1] != 1 or n % lanes:
        width = math.ceil(n / lanes) * lanes
        packed = frame.temporary(b.dtype, (k, width))
        statements += copy(b, packed.sliced((0, 0), (k, n), (1, 1)))
        b = packed
    tile = tile_for(frame.target, math.ceil(n / lanes))
    panel = tile.vectors * lanes
    panels = n // panel
    if panels:
        body = _panel(a, b, y, index("p") * panel, tile, [lanes] * tile.vectors, frame)
        statements.append(Loop("p", panels, tuple(body)))
    rest = n - panels * panel
    if rest:
        widths = [lanes] * (rest // lanes) + ([rest % lanes] if rest % lanes else [])
        narrow = Tile(tile_for(frame.target, len(widths)).rows, len(widths))
        statements += _panel(a, b, y, Affine(panels * panel), narrow, widths, frame)
    return tuple(statements)


def _panel(
    a: View, b: View, y: View, column: Affine, tile: Tile, widths: Sequence[int], frame: Frame
) -> list[Statement]:
    """All rows of a few vectors of columns."""
    m = a.shape[0]
    tiles = math.ceil(m / tile.rows)
    size, larger = divmod(m, tiles)  # rows spread evenly: no tile of one row at the end
    statements: list[Statement] = []
    if larger:
        body = _tile(a, b, y, index("t") * (size + 1), column, size + 1, widths, frame)
        statements.append(Loop("t", larger, tuple(body)))
    if tiles > larger:
        start = index("t") * size + larger * (size + 1)
        body = _tile(a, b, y, start, column, size, widths, frame)
        statements.append(Loop("t", tiles - larger, tuple(body)))
    return statements


def _tile(
    a: View,
    b: View,
    y: View,
    row: Affine,
    column: Affine,
    rows: int,
    widths: Sequence[int],
    frame: Frame,
) -> list[Statement]:
    """One tile: its sums side by side, then their places."""
    lanes, dtype = frame.target.lanes(b.dtype), b.dtype
    k, lane = index("k"), index("l")
    body: list[Statement] = []
    for v in range(len(widths)):
        body.append(Let(f"b{v}", b.read([k, column + lane + v * lanes])))
    carried, writes = [], []
    for r in range(rows):
        body.append(Let(f"a{r}", a.read([row + r, k])))
        for v, width in enumerate(widths):
            total = Local(f"c{r}.{v}", dtype)
            following = multiplied_and_added(
                frame.target, Local(f"a{r}", dtype), Local(f"b{v}", dtype), total
            )
            carried.append(Carried(total.name, Number(_START, dtype), following))
            place = y.at([row + r, column + lane + v * lanes])
            writes.append(Write(y.buffer, place, total, None if width == lanes else width))
    sums = Loop("k", a.shape[1], tuple(body), carried=tuple(carried))
    return [Loop("l", lanes, (sums, *writes), parallel=True)]
