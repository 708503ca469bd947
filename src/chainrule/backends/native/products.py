"""Contractions: tiles of the result in registers, each of its sums in the declared order.

The vectors run along an axis of the result, never along the sum: a sum that is split over lanes
would be another sum. So one operand has to lie along the lanes, and is packed if it does not; the
other is read element by element and spread.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.backends.native.frame import NESTS, Frame, axes, count_of, folded, over
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Carried,
    Let,
    Local,
    Loop,
    Number,
    Prefetch,
    Statement,
    Value,
    Write,
    index,
    reads_of,
)
from chainrule.backends.native.target import Target
from chainrule.backends.native.turning import arranged
from chainrule.backends.native.view import View
from chainrule.ops.contract import Contract


@NESTS.register("contract")
def _contract(op: Contract, frame: Frame) -> tuple[Statement, ...]:
    (a, b), y = frame.inputs, frame.output
    found = matrices(op, a, b)
    if found is not None:
        flat = y.reshaped((found[0].shape[0], found[1].shape[1]))
        if flat is not None:
            return matrix_product(*found, flat, frame, Put(flat))
    a_free, b_free = op.a_free(len(a.shape)), op.b_free(len(b.shape))
    a = a.transposed([*op.a_batch, *a_free, *op.a_over])
    b = b.transposed([*op.b_batch, *op.b_over, *b_free])
    return _one_by_one(a, b, (len(op.batch) // 2, len(a_free), len(op.a_over)), frame)


def matrices(op: Contract, a: View, b: View) -> tuple[View, View] | None:
    """The operands as matrices of (m, k) and (k, n), of which the contraction is the product.

    None where it is no product of two matrices, a side of one is 0, or strides do not say it.
    """
    if op.batch:
        return None
    a_free, b_free = op.a_free(len(a.shape)), op.b_free(len(b.shape))
    m = count_of([a.shape[axis] for axis in a_free])
    k = count_of([a.shape[axis] for axis in op.a_over])
    n = count_of([b.shape[axis] for axis in b_free])
    if not m * k * n:
        return None
    left = a.transposed([*a_free, *op.a_over]).reshaped((m, k))
    right = b.transposed([*op.b_over, *b_free]).reshaped((k, n))
    return None if left is None or right is None else (left, right)


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


class Epilogue(ABC):
    """What becomes of the sums of a product while they are in registers.

    Attributes
    ----------
    reads_far : bool
        Whether what it reads is more than what the nearest caches hold.
    """

    reads_far = False

    @abstractmethod
    def take(
        self, row: Affine, column: Affine, total: Local, limit: int | None
    ) -> Sequence[Statement]:
        """Go on with one vector of sums, of which `limit` lanes have a place."""

    def end(self) -> Sequence[Statement]:
        """Finish a tile."""
        return ()


@dataclass(frozen=True)
class Put(Epilogue):
    """Each sum is put to its place.

    Parameters
    ----------
    y : View
    """

    y: View

    def take(
        self, row: Affine, column: Affine, total: Local, limit: int | None
    ) -> Sequence[Statement]:
        return [Write(self.y.buffer, self.y.at([row, column]), total, limit)]


@dataclass(frozen=True)
class _Turned(Epilogue):
    """Another epilogue, for the product of the transposes."""

    of: Epilogue

    def take(
        self, row: Affine, column: Affine, total: Local, limit: int | None
    ) -> Sequence[Statement]:
        return self.of.take(column, row, total, limit)

    def end(self) -> Sequence[Statement]:
        return self.of.end()


def matrix_product(
    a: View, b: View, y: View, frame: Frame, finish: Epilogue
) -> tuple[Statement, ...]:
    """The product of a, (m, k), and b, (k, n), with lanes along n or along m.

    Parameters
    ----------
    a, b : View
    y : View
        How the result lies, (m, n).
    frame : Frame
    finish : Epilogue
    """
    if _along_columns(a, b, y, frame.target) <= _along_rows(a, b, y, frame.target):
        return _with_lanes(a, b, finish, frame)
    return _with_lanes(b.transposed((1, 0)), a.transposed((1, 0)), _Turned(finish), frame)


def cost_of_product(a: View, b: View, y: View, target: Target) -> float:
    """What the product costs with the better choice of lanes, in vector instructions."""
    return min(_along_columns(a, b, y, target), _along_rows(a, b, y, target))


def _along_columns(a: View, b: View, y: View, target: Target) -> float:
    """With lanes along the columns of y: sums, turning b, scattering y."""
    (k, n), m = b.shape, a.shape[0]
    lanes = target.lanes(b.dtype)
    sums = math.ceil(n / lanes) * m * k
    turning = 0 if b.strides[1] == 1 else _TURNING * n * k
    return sums + turning + (0 if y.strides[1] == 1 else _SCATTERING * n * m)


def _along_rows(a: View, b: View, y: View, target: Target) -> float:
    a, b, y = (view.transposed((1, 0)) for view in (b, a, y))
    return _along_columns(a, b, y, target)


_TURNING, _SCATTERING = 1.0, 4.0
"""Vector instructions for an element."""


def _with_lanes(a: View, b: View, finish: Epilogue, frame: Frame) -> tuple[Statement, ...]:
    """The product with lanes along n."""
    n, lanes = b.shape[1], frame.target.lanes(b.dtype)
    tile = tile_for(frame.target, math.ceil(n / lanes))
    panel = tile.vectors * lanes
    panels = n // panel
    statements: list[Statement] = []
    if panels:
        body = _panel(a, b, finish, index("p") * panel, tile, [lanes] * tile.vectors, frame)
        statements.append(Loop("p", panels, tuple(body)))
    rest = n - panels * panel
    if rest:
        widths = [lanes] * (rest // lanes) + ([rest % lanes] if rest % lanes else [])
        narrow = Tile(tile_for(frame.target, len(widths)).rows, len(widths))
        statements += _panel(a, b, finish, Affine(panels * panel), narrow, widths, frame)
    return tuple(statements)


def _panel(
    a: View,
    b: View,
    finish: Epilogue,
    column: Affine,
    tile: Tile,
    widths: Sequence[int],
    frame: Frame,
) -> list[Statement]:
    """All rows of a few vectors of columns."""
    (m, k), lanes = a.shape, frame.target.lanes(b.dtype)
    tiles = math.ceil(m / tile.rows)
    size, larger = divmod(m, tiles)  # rows spread evenly: no tile of one row at the end
    statements: list[Statement] = []
    panel = b, column
    if _is_packed(b, tiles, widths, lanes):
        packed = frame.temporary(b.dtype, (k, len(widths) * lanes))
        part = b.sliced((0, 0), (k, sum(widths)), (1, 1))
        place = packed.sliced((0, 0), part.shape, (1, 1))
        statements += arranged(part, place, frame.target, column * b.strides[1])
        panel = packed, Affine()
    if larger:
        body = _tile(a, panel, finish, index("t") * (size + 1), column, size + 1, widths, frame)
        statements.append(Loop("t", larger, tuple(body)))
    if tiles > larger:
        start = index("t") * size + larger * (size + 1)
        body = _tile(a, panel, finish, start, column, size, widths, frame)
        statements.append(Loop("t", tiles - larger, tuple(body)))
    return statements


def _is_packed(b: View, tiles: int, widths: Sequence[int], lanes: int) -> bool:
    """Whether a panel is copied before it is used: so that it lies along lanes, or close together.

    A last vector that is not whole is read whole, which needs no copy: the arena ends later.
    """
    if b.strides[1] != 1:
        return True
    far = b.strides[0] > 2 * len(widths) * lanes
    return far and tiles > 4 and b.shape[0] > 64


def _tile(
    a: View,
    panel: tuple[View, Affine],
    finish: Epilogue,
    row: Affine,
    column: Affine,
    rows: int,
    widths: Sequence[int],
    frame: Frame,
) -> list[Statement]:
    """One tile: its sums side by side, then what becomes of each."""
    (b, first), lane = panel, index("l")
    lanes, dtype, k = frame.target.lanes(b.dtype), b.dtype, index("k")
    body: list[Statement] = []
    for v in range(len(widths)):
        body.append(Let(f"b{v}", b.read([k, first + lane + v * lanes])))
    carried: list[Carried] = []
    ends: list[Statement] = []
    for r in range(rows):
        body.append(Let(f"a{r}", a.read([row + r, k])))
        for v, width in enumerate(widths):
            total = Local(f"c{r}.{v}", dtype)
            following = multiplied_and_added(
                frame.target, Local(f"a{r}", dtype), Local(f"b{v}", dtype), total
            )
            carried.append(Carried(total.name, Number(_START, dtype), following))
            limit = None if width == lanes else width
            ends += finish.take(row + r, column + lane + v * lanes, total, limit)
    early = _asked_for(ends) if finish.reads_far and a.shape[1] >= _LONG else []
    ends += finish.end()
    sums = Loop("k", a.shape[1], tuple(body), carried=tuple(carried))
    return [Loop("l", lanes, (*early, sums, *ends), parallel=True)]


_LONG = 64
"""Products of a sum that takes as long as memory does to answer."""


def _asked_for(statements: Sequence[Statement]) -> list[Prefetch]:
    """Requests for what statements will read: an update reads its state while sums are running."""
    places = {
        (read.buffer, read.at): None
        for statement in statements
        if isinstance(statement, Let | Write)
        for read in reads_of(statement.value)
        if read.at.factor("l") == 1
    }
    return [Prefetch(buffer, at) for buffer, at in places]
