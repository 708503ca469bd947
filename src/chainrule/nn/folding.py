"""A picture of many modules: as many as are seen with ease, and what stands for the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from chainrule.drawing import Box, Chart, Edge, Line

BESIDE_AT_MOST, FIRST, LAST = 30, 8, 3
BOXES_AT_MOST = 60


def folded(chart: Chart, lines_of: Callable[[Sequence[str]], tuple[Line, ...]]) -> Chart:
    """Return a chart of which a reader can see the whole.

    Of many boxes and clusters in one place the first and the last ones stay; one box stands for
    those between them. If there are still many, inner clusters become one box each.

    Parameters
    ----------
    chart : Chart
        Its boxes in the order of the computation.
    lines_of : callable
        What is written in the box that stands for the boxes with these keys.
    """
    return _collapsed(_without_the_middle(chart, lines_of))


def _without_the_middle(
    chart: Chart, lines_of: Callable[[Sequence[str]], tuple[Line, ...]]
) -> Chart:
    around = {cluster.key: cluster.parent for cluster in chart.clusters}
    scattered = _scattered(chart)
    chains = {
        box.key: [each for each in _chain(box, around) if each not in scattered]
        for box in chart.boxes
    }
    # In each place, by what stands directly in it, boxes or clusters: the boxes.
    places: dict[str | None, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for key, chain in chains.items():
        for inner, outer in pairwise(chain):
            places[outer][inner or ""].append(key)
    stands_for: dict[str, str] = {}
    rest: dict[str, Box] = {}
    depth = _depths(chart)
    for place, members in sorted(places.items(), key=lambda item: depth[item[0]]):
        if len(members) <= BESIDE_AT_MOST:
            continue
        between = [key for each in list(members.values())[FIRST:-LAST] for key in each]
        if between[0] in stands_for:  # what is around it is left out, too
            continue
        name = f"⋮{place or ''}"
        rest[between[0]] = Box(name, lines_of(between), "plain", place, name, "These are not drawn")
        stands_for |= dict.fromkeys(between, name)
    boxes = [
        rest.get(box.key, box)
        for box in chart.boxes
        if box.key in rest or box.key not in stands_for
    ]
    return _of(chart, boxes, stands_for)


def _chain(box: Box, around: dict[str, str | None]) -> list[str | None]:
    """The box, the clusters around it from the inside, and None."""
    chain: list[str | None] = [box.key, box.cluster]
    while chain[-1] is not None:
        chain.append(around[chain[-1]])
    return chain


def _scattered(chart: Chart) -> set[str | None]:
    """Clusters between whose boxes others are computed: one box for all would be in a loop."""
    around = {cluster.key: cluster.parent for cluster in chart.clusters}
    places: dict[str | None, list[int]] = defaultdict(list)
    for i, box in enumerate(chart.boxes):
        for cluster in _chain(box, around)[1:-1]:
            places[cluster].append(i)
    return {key for key, found in places.items() if found[-1] - found[0] >= len(found)}


def _depths(chart: Chart) -> dict[str | None, int]:
    """How many clusters there are around what is in a cluster, itself included."""
    depths: dict[str | None, int] = {None: 0}
    for cluster in chart.clusters:  # outer ones first
        depths[cluster.key] = depths[cluster.parent] + 1
    return depths


def _of(chart: Chart, boxes: Sequence[Box], stands_for: dict[str, str]) -> Chart:
    """The chart with these boxes; arrows end where what they ended at is shown."""
    around = {cluster.key: cluster.parent for cluster in chart.clusters}
    used = {key for box in boxes for key in _chain(box, around)[1:]}
    ends = (
        (stands_for.get(e.source, e.source), stands_for.get(e.target, e.target), e)
        for e in chart.edges
    )
    moved = (replace(e, source=source, target=target) for source, target, e in ends)
    edges: dict[Edge, None] = dict.fromkeys(e for e in moved if e.source != e.target)
    return Chart(tuple(boxes), tuple(edges), tuple(c for c in chart.clusters if c.key in used))


def _collapsed(chart: Chart) -> Chart:
    """The chart with its inner clusters closed, level by level, until few boxes are left."""
    around = {cluster.key: cluster.parent for cluster in chart.clusters}
    depth = _depths(chart)
    scattered = _scattered(chart)
    shown = {box.key: _chain(box, around) for box in chart.boxes}
    closed: set[str | None] = set()
    for level in range(max(depth.values()), 0, -1):
        if len({chain[0] for chain in shown.values()}) <= BOXES_AT_MOST:
            break
        closed |= {key for key, of in depth.items() if of == level and key not in scattered}
        shown = {
            key: next((chain[k:] for k in range(len(chain)) if chain[k] in closed), chain)
            for key, chain in shown.items()
        }
    clusters = (replace(c, collapsed=c.collapsed or c.key in closed) for c in chart.clusters)
    return Chart(chart.boxes, chart.edges, tuple(clusters))
