"""Which layer each item of a sheet is in: every link goes from a layer to a later one."""

from __future__ import annotations

from collections.abc import Sequence

Links = Sequence[tuple[int, int]]


def assign_layers(count: int, links: Links, first: Sequence[int], last: Sequence[int]) -> list[int]:
    """Assign layers, with links about as short as they can be.

    Parameters
    ----------
    count : int
        Of items.
    links : sequence of (int, int)
        Upper item, lower item; without circles.
    first, last : sequence of int
        Items that form the first and the last layer by themselves.

    Returns
    -------
    list of int
        The layer of each item, from 0.

    Notes
    -----
    The longest path from a source gives the fewest layers. Then each item that has more links on
    one side moves that way, as far as its links allow: every such step shortens what is drawn.
    An input thus comes to stand just above what reads it.
    """
    below: list[list[int]] = [[] for _ in range(count)]
    above: list[list[int]] = [[] for _ in range(count)]
    for upper, lower in links:
        below[upper].append(lower)
        above[lower].append(upper)
    order = _topological(below, above)
    layer = [0] * count
    is_first, is_last = set(first), set(last)
    for item in order:
        if item not in is_first:
            start = 1 if is_first else 0
            layer[item] = max([start, *(layer[u] + 1 for u in above[item])])
    if is_last:
        end = 1 + max((layer[i] for i in range(count) if i not in is_last), default=0)
        for item in is_last:
            layer[item] = end
    for _ in range(_SWEEPS):
        if not _shorten(order, below, above, layer, is_first | is_last):
            break
    used = {found: i for i, found in enumerate(sorted(set(layer)))}
    return [used[found] for found in layer]


_SWEEPS = 8


def _topological(below: Sequence[Sequence[int]], above: Sequence[Sequence[int]]) -> list[int]:
    waits = [len(items) for items in above]
    ready = [item for item, count in enumerate(waits) if not count]
    for item in ready:  # it grows
        for lower in below[item]:
            waits[lower] -= 1
            if not waits[lower]:
                ready.append(lower)
    return ready


def _shorten(
    order: Sequence[int],
    below: Sequence[Sequence[int]],
    above: Sequence[Sequence[int]],
    layer: list[int],
    fixed: set[int],
) -> bool:
    """Move items towards the side where they have more links; return whether any moved."""
    before = list(layer)
    for item in reversed(order):
        if item not in fixed and len(below[item]) > len(above[item]):
            layer[item] = min(layer[lower] for lower in below[item]) - 1
    for item in order:
        if item not in fixed and len(above[item]) > len(below[item]):
            layer[item] = max(layer[upper] for upper in above[item]) + 1
    return layer != before
