"""Kernels that go over the same rows become one, which does all for a row while it is near.

Before:

    for i0: m[i0] = the largest of x[i0, ...]
    for i0: for i1: e[i0, i1] = exp(x[i0, i1] - m[i0])
    for i0: s[i0] = the sum of e[i0, ...]
    for i0: for i1: y[i0, i1] = e[i0, i1] / s[i0]

After: one loop over i0 with the four bodies in it. What a body writes for a row, another reads for
that row only: so nothing is computed from anything else than before, and no bit changes. Of what
nobody else reads, such as e, there is one row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Kernel,
    Let,
    Loop,
    Prefetch,
    Read,
    Statement,
    Turn,
    Value,
    Write,
    reads_of,
    written,
)

_LONG = 64
"""Elements of a row from which on it is worth it: shorter ones are better off side by side."""


@dataclass(frozen=True)
class _Row:
    """A part of a buffer that one iteration has for itself: elements stride·(i + number) on."""

    stride: int
    number: int


_Parts = dict[str, set[_Row | None]]
"""Of each buffer, what an iteration touches; None for what may be anywhere."""


def fuse_rows(
    kernels: Sequence[Kernel], wanted: Collection[str]
) -> tuple[list[Kernel], dict[str, int]]:
    """Fuse neighbours among kernels, where rows are long and are reduced to something.

    Parameters
    ----------
    kernels : sequence of Kernel
        In the order in which they run.
    wanted : collection of str
        Buffers that are read when all have run.

    Returns
    -------
    list of Kernel
    dict of str to int
        The new sizes of buffers that are one row now.
    """
    made = _fused(kernels)
    sizes: dict[str, int] = {}
    for i, kernel in enumerate(made):
        others = [each for j, each in enumerate(made) if j != i]
        outside = {*wanted}.union(*(each.buffers for each in others))
        loop = _rows(kernel)
        if kernel not in kernels and loop is not None:
            own = {
                buffer: places
                for buffer, places in _parts(loop).items()
                if buffer in written(kernel.body) - outside and _is_own(places)
            }
            rows = {b: (r.number + 1) * r.stride for b, (r,) in own.items() if r is not None}
            sizes |= rows
            made[i] = replace(kernel, body=_one_row(kernel.body, rows, loop.index))
    return made, sizes


def _fused(kernels: Sequence[Kernel]) -> list[Kernel]:
    made: list[Kernel] = []
    group: list[Kernel] = []
    parts: _Parts = {}
    for kernel in kernels:
        loop = _rows(kernel)
        found = {} if loop is None else _parts(loop)
        if not group or not _may_join(group, parts, kernel, found):
            made += _joined(group)
            group, parts = [], {}
        group.append(kernel)
        for buffer, places in found.items():
            parts.setdefault(buffer, set()).update(places)
    return made + _joined(group)


def _rows(kernel: Kernel) -> Loop | None:
    """The loop that a kernel is, if it is one over rows."""
    match kernel.body:
        case (Loop(count=1, body=(Loop() as found,), carried=()) as outer,):
            body: tuple[Statement, ...] = (replace(outer, body=found.body),)
        case (Loop() as found,):
            body = found.body
        case _:
            return None
    # Lanes that reduce a row each are not given up for rows one after the other.
    beside = found.parallel and any(isinstance(s, Loop) for s in found.body)
    # Threads would meet in what is one row now.
    if beside or found.carried or found.shared or found.count == 1:
        return None
    return Loop(found.index, found.count, body)


def _may_join(group: Sequence[Kernel], parts: _Parts, kernel: Kernel, found: _Parts) -> bool:
    """Whether a kernel goes over the group's rows, and neither meets the other's elsewhere."""
    first, loop = _rows(group[0]), _rows(kernel)
    if first is None or loop is None or (first.index, first.count) != (loop.index, loop.count):
        return False
    shared = parts.keys() & found.keys()
    changed = written(kernel.body).union(*(written(each.body) for each in group))
    return bool(shared) and all(_is_own(parts[b] | found[b]) for b in shared & changed)


def _is_own(places: set[_Row | None]) -> bool:
    return len(places) == 1 and None not in places


def _joined(group: Sequence[Kernel]) -> list[Kernel]:
    loops = [loop for loop in map(_rows, group) if loop is not None]
    inner = [s for loop in loops for s in loop.body if isinstance(s, Loop)]
    if len(loops) < 2 or not any(map(_reduces, inner)) or max(map(_length, inner)) < _LONG:
        return list(group)
    body = tuple(statement for loop in loops for statement in loop.body)
    buffers = {name: dtype for kernel in group for name, dtype in kernel.buffers.items()}
    name = f"rows_{group[-1].name.rpartition('_')[2]}"
    rows = Loop(loops[0].index, loops[0].count, body)
    return [Kernel(name, (rows,), dict(sorted(buffers.items())))]


def _reduces(loop: Loop) -> bool:
    return bool(loop.carried) or any(isinstance(s, Loop) and _reduces(s) for s in loop.body)


def _length(loop: Loop) -> int:
    """How many iterations there are, of all loops within."""
    return loop.count * max([1, *(_length(s) for s in loop.body if isinstance(s, Loop))])


def _parts(loop: Loop) -> _Parts:
    """What an iteration touches."""
    found: _Parts = {}
    todo: list[tuple[Sequence[Statement], Mapping[str, int]]] = [(loop.body, {})]
    while todo:
        body, counts = todo.pop()
        for statement in body:
            values: list[Value] = []
            match statement:
                case Let(_, value):
                    values = [value]
                case Write(buffer, at, value, limit):
                    place = _row(at, loop.index, counts) if limit is None else None
                    found.setdefault(buffer, set()).add(place)
                    values = [value]
                case Loop(name, count, inner, carried=carried):
                    within = {**counts, name: count}
                    todo.append((inner, within))
                    _read([c.start for c in carried], loop.index, counts, found)
                    _read([c.next for c in carried], loop.index, within, found)
                case Turn(source, output=output):
                    found.setdefault(source, set()).add(None)
                    found.setdefault(output, set()).add(None)
                case Prefetch():
                    pass
            _read(values, loop.index, counts, found)
    return found


def _read(values: Sequence[Value], row: str, counts: Mapping[str, int], found: _Parts) -> None:
    for value in values:
        for read in reads_of(value):
            place = _row(read.at, row, counts) if read.limit is None else None
            found.setdefault(read.buffer, set()).add(place)


def _row(at: Affine, index: str, counts: Mapping[str, int]) -> _Row | None:
    """The row that an element is in, whatever the inner indices are."""
    stride, low, high = at.factor(index), at.constant, at.constant
    for name, factor in at.terms:
        if name == index:
            continue
        if name not in counts:  # a place that is computed
            return None
        reach = factor * (counts[name] - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
    if stride <= 0 or low // stride != high // stride:
        return None
    return _Row(stride, low // stride)


def _one_row(body: Sequence[Statement], rows: Collection[str], index: str) -> tuple[Statement, ...]:
    """The statements with some buffers' elements where those of row 0 are."""

    def moved(at: Affine) -> Affine:
        return at + Affine(0, ((index, -at.factor(index)),))

    def value(each: Value) -> Value:
        match each:
            case Read(buffer) if buffer in rows:
                return replace(each, at=moved(each.at))
            case Apply(_, arguments):
                return replace(each, arguments=tuple(map(value, arguments)))
        return each

    made: list[Statement] = []
    for statement in body:
        match statement:
            case Let():
                made.append(replace(statement, value=value(statement.value)))
            case Write(buffer, at):
                place = moved(at) if buffer in rows else at
                made.append(replace(statement, at=place, value=value(statement.value)))
            case Loop():
                carried = tuple(
                    replace(c, start=value(c.start), next=value(c.next)) for c in statement.carried
                )
                inner = _one_row(statement.body, rows, index)
                made.append(replace(statement, body=inner, carried=carried))
            case _:
                made.append(statement)
    return tuple(made)
