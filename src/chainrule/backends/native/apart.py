"""Whether iterations of loops keep apart: none touches what another one writes.

Seen from the places alone, so that what threads share is proven and not promised. A place is a
constant plus multiples of indices. Iterations keep apart if each has a window of its own, as long
as the step from one to the next, which all other indices do not leave. Those with larger factors
may, if all these are multiples of one number, a row's length: then windows are kept within rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd

from chainrule.backends.native.nest import (
    Affine,
    Let,
    Loop,
    Prefetch,
    Statement,
    Turn,
    Value,
    Write,
    index,
    reads_of,
)


@dataclass(frozen=True)
class Access:
    """A place that is read or written.

    Parameters
    ----------
    buffer : str
    at : Affine
    counts : mapping of str to int
        The loops around it.
    writes : bool
    """

    buffer: str
    at: Affine
    counts: Mapping[str, int]
    writes: bool


def accesses(
    body: Sequence[Statement], counts: Mapping[str, int] | None = None, lanes: str = ""
) -> Iterator[Access]:
    """All of them, in the order of the statements.

    Parameters
    ----------
    body : sequence of Statement
    counts : mapping of str to int
        The loops around it.
    lanes : str
        The parallel one of them, if any.
    """
    counts = counts or {}
    for statement in body:
        match statement:
            case Let(_, value):
                yield from _reads([value], counts)
            case Write(buffer, at, value, limit):
                yield from _reads([value], counts)
                there = counts
                if limit is not None and lanes:
                    there = {**counts, lanes: min(limit, counts[lanes])}
                yield Access(buffer, at, there, writes=True)
            case Turn(source, at, stride, output, to, output_stride, size):
                square = {**counts, "row": size, "lane": size}
                row, lane = index("row"), index("lane")
                yield Access(source, at + row * stride + lane, square, writes=False)
                yield Access(output, to + row * output_stride + lane, square, writes=True)
            case Loop(name, count, inner, parallel, carried):
                yield from _reads([c.start for c in carried], counts)
                around = {**counts, name: count}
                yield from accesses(inner, around, name if parallel and not lanes else lanes)
                yield from _reads([c.next for c in carried], around)
            case Prefetch():
                pass


def _reads(values: Sequence[Value], counts: Mapping[str, int]) -> Iterator[Access]:
    for value in values:
        for read in reads_of(value):
            yield Access(read.buffer, read.at, counts, writes=False)


@dataclass(frozen=True)
class Units:
    """The iterations of a loop, and where in one buffer they read and write.

    Parameters
    ----------
    index : str
    count : int
    found : sequence of Access
    outer : str
        An index that is the same in all of them.
    """

    index: str
    count: int
    found: Sequence[Access]
    outer: str = ""


def keep_apart(loops: Sequence[Units]) -> bool:
    """Whether no two iterations, of one loop or of two, touch one place of the buffer."""
    loops = [units for units in loops if units.found]
    factors = []
    for units in loops:
        of_unit = {access.at.factor(units.index) for access in units.found}
        if units.count > 1 and (len(of_unit) != 1 or min(of_unit) <= 0):
            return False
        factors.append(max(0, *of_unit))
    return any(_in_rows(loops, factors, row) for row in _row_lengths(loops, factors))


def _row_lengths(loops: Sequence[Units], factors: Sequence[int]) -> list[int]:
    """What may be the length of a row, the likeliest first; 0 for no rows."""
    least = sum(f * units.count for f, units in zip(factors, loops, strict=True))
    all_found = [access for units in loops for access in units.found]
    begin = all_found[0].at.constant
    steps = {abs(access.at.constant - begin) for access in all_found}
    own = {(units.index, units.outer) for units in loops}
    indices = {name for pair in own for name in pair}
    factors_of_others = {
        abs(f) for access in all_found for name, f in access.at.terms if name not in indices
    }
    large = [f for f in factors_of_others if f >= least]
    common = {gcd(*large)} if large else set()
    candidates = sorted(f for f in steps | {*large} | common if f >= least)
    return [0, *candidates[:_TRIED], *common]


_TRIED = 6


def _in_rows(loops: Sequence[Units], factors: Sequence[int], row: int) -> bool:
    """Whether each iteration has a window of its own within rows of this length."""
    spans = []
    for units, factor in zip(loops, factors, strict=True):
        reaches = []
        for access in units.found:
            reach = _reach(access, units, row)
            if reach is None:
                return False
            reaches.append(reach)
        low, high = min(low for low, _ in reaches), max(high for _, high in reaches)
        if units.count > 1 and high - low >= factor:
            return False
        spans.append((low, high + factor * (units.count - 1)))
    spans.sort()
    if any(second[0] <= first[1] for first, second in pairwise(spans)):
        return False
    return not row or spans[-1][1] - spans[0][0] < row


def _reach(access: Access, units: Units, row: int) -> tuple[int, int] | None:
    """The first and the last place in a row that one iteration touches, counted from its own."""
    low = high = access.at.constant % row if row else access.at.constant
    for name, factor in access.at.terms:
        if name in (units.index, units.outer) or (row and factor % row == 0):
            continue
        if name not in access.counts:  # read from memory: it may be any number
            return None
        span = factor * (access.counts[name] - 1)
        low, high = low + min(span, 0), high + max(span, 0)
    return low, high
