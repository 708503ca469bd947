"""The next batch's rows are asked for while this step computes.

Shuffled rows lie anywhere in a data set that is larger than the cache, and a step that gathers them
waits for memory. Asked for all at once, they would be waited for all the same: a processor keeps
few requests. So each tile of a step's largest product asks for a few lines of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from chainrule.backends.native.arena import LINE
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Kernel,
    Let,
    Local,
    Loop,
    Number,
    Position,
    Prefetch,
    Read,
    Statement,
    Value,
    buffers_of,
    index,
)
from chainrule.graph import DType

_MOST = 64
"""Lines that a tile asks for: more would wait for each other."""

_ROOM = 1 << 20
"""Bytes of rows for which there is room in the cache beside what a step works on."""


@dataclass(frozen=True)
class Batch:
    """Rows that each step gathers.

    Parameters
    ----------
    buffer : str
        The data set.
    dtype : DType
    rows, width : int
        How many a step gathers, and their elements.
    """

    buffer: str
    dtype: DType
    rows: int
    width: int

    @property
    def size(self) -> int:
        """Bytes of a step's rows."""
        return self.rows * self.width * self.dtype.numpy.itemsize


def ask_early(kernels: Sequence[Kernel], batches: Sequence[Batch], numbers: str) -> list[Kernel]:
    """Let the tiles of the largest products that have enough ask for the next step's rows.

    Parameters
    ----------
    kernels : sequence of Kernel
    batches : sequence of Batch
    numbers : str
        The buffer of the rows' numbers: those of this step, behind them those of the next.
    """
    made = list(kernels)
    if sum(batch.size for batch in batches) > _ROOM:
        return made
    tiled = [(place, path) for place, k in enumerate(kernels) for path in _tiles(k.body)]
    tiled.sort(key=lambda found: _work(found[1]), reverse=True)
    for batch in batches:
        for found in tiled:
            place, path = found
            requests = _requests(batch, path, numbers)
            if requests:
                made[place] = _asking(made[place], path, requests, batch, numbers)
                tiled = [each for each in tiled if each[0] != place]  # one kernel, one batch
                break
    return made


def _asking(
    kernel: Kernel, path: Sequence[Loop], requests: Sequence[Statement], batch: Batch, numbers: str
) -> Kernel:
    """A kernel each of whose tiles makes requests."""
    body = _with(kernel.body, path, requests)
    dtypes = {**kernel.buffers, batch.buffer: batch.dtype, numbers: DType.I64}
    return replace(kernel, body=body, buffers={n: dtypes[n] for n in sorted(buffers_of(body))})


def _tiles(body: Sequence[Statement]) -> list[tuple[Loop, ...]]:
    """The loops around tiles, each with those around it, the outermost first."""
    found: list[tuple[Loop, ...]] = []
    todo: list[tuple[Loop, ...]] = [(loop,) for loop in body if isinstance(loop, Loop)]
    while todo:
        path = todo.pop()
        if path[-1].parallel or path[-1].carried:
            continue
        if _length(path[-1]):
            found.append(path)
        todo += [(*path, inner) for inner in path[-1].body if isinstance(inner, Loop)]
    return found


def _length(loop: Loop) -> int:
    """How long the sums of a loop's tiles are; 0 if it has none."""
    tiles = [inner for inner in loop.body if isinstance(inner, Loop) and inner.parallel]
    sums = [s.count for tile in tiles for s in tile.body if isinstance(s, Loop) and s.carried]
    return max(sums, default=0)


def _work(path: Sequence[Loop]) -> int:
    return prod(loop.count for loop in path) * _length(path[-1])


def _requests(batch: Batch, path: Sequence[Loop], numbers: str) -> list[Statement]:
    """What one tile asks for: a piece of a row, the next piece by the next tile."""
    line = LINE // batch.dtype.numpy.itemsize
    lines, tiles = -(-batch.width // line), prod(loop.count for loop in path)
    piece = next(
        (n for n in range(1, min(lines, _MOST) + 1) if batch.rows * -(-lines // n) <= tiles), None
    )
    if piece is None or batch.size < LINE * batch.rows:
        return []
    pieces = -(-lines // piece)
    tile = Affine()
    for loop in path:
        tile = tile * loop.count + index(loop.index)
    row: Value = Apply("floor_divide", (Position(tile), Number(pieces, DType.I64)), DType.I64)
    last = Number(batch.rows - 1, DType.I64)
    is_row = Apply("less", (Local("ahead", DType.I64), last), DType.BOOL)
    here = Apply("select", (is_row, Local("ahead", DType.I64), last), DType.I64)
    number = Read(numbers, index("ahead") + batch.rows, DType.I64)
    first = index("number") * batch.width + (tile + index("ahead") * -pieces) * (piece * line)
    return [
        Let("ahead", row),
        Let("ahead", here),
        Let("number", number),
        *(Prefetch(batch.buffer, first + n * line, near=False) for n in range(piece)),
    ]


def _with(
    body: Sequence[Statement], path: Sequence[Loop], asking: Sequence[Statement]
) -> tuple[Statement, ...]:
    """The body with statements put in front of the innermost loop's."""
    made = list(body)
    for place, statement in enumerate(made):
        if statement is path[0]:
            rest = path[1:]
            inner = _with(path[0].body, rest, asking) if rest else (*asking, *path[0].body)
            made[place] = replace(path[0], body=inner)
    return tuple(made)
