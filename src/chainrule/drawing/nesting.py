"""A chart as sheets: one for the whole and one for each open cluster, each without an inside.

An edge between boxes in different clusters is cut where it crosses a frame. On the sheet inside it
ends in a *port*, which is an item of no size at the top or the bottom; on the sheet outside the
whole cluster is one item, and the edge ends at the port's place on it. What leaves one box in one
direction is one *net*: it crosses a frame once, however many boxes it goes to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from chainrule.drawing.chart import Chart, Edge

K = TypeVar("K", bound=Hashable)
ROOT = ""
Turned = tuple[str, str, bool]


class Net(NamedTuple):
    """All that leaves one box in one direction.

    Parameters
    ----------
    source : str
        The box.
    back : bool
        Whether it goes up, against the direction of the chart.
    """

    source: str
    back: bool


class Item(NamedTuple):
    """What lies on a sheet: a box, a cluster or a port.

    Parameters
    ----------
    kind : str
        ``box``, ``cluster`` or ``port``.
    key : str
        Of the box or the cluster; of a port, the cluster whose frame it is in.
    net : Net, optional
        The net of a port.
    """

    kind: str
    key: str
    net: Net | None = None


class Link(NamedTuple):
    """A piece of an edge on one sheet, from `source` to `target` as the arrow points."""

    net: Net
    source: Item
    target: Item
    look: str


@dataclass(frozen=True)
class Sheet:
    """What is laid out together.

    Parameters
    ----------
    key : str
        The cluster, or `ROOT`.
    items : tuple of Item
    links : tuple of Link
    """

    key: str
    items: tuple[Item, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Nesting:
    """The sheets of a chart, inner ones first.

    Parameters
    ----------
    sheets : tuple of Sheet
    parents : mapping of str to str
        The cluster around each cluster; `ROOT` has none.
    homes : mapping of str to str
        The cluster around each box.
    turned : frozenset of (str, str, bool)
        Edges, as source, target and whether they are back, that go the other way than they say
        because they would close a circle.
    """

    sheets: tuple[Sheet, ...]
    parents: Mapping[str, str]
    homes: Mapping[str, str]
    turned: frozenset[Turned]


def divide(chart: Chart) -> Nesting:
    """Divide a chart without collapsed clusters into sheets.

    Clusters whose edges go round in a circle, such as two lists whose modules take turns, cannot
    be framed in a drawing where all goes down: their frames are left out, and what is in them
    stays. Edges that close a circle between boxes are turned.
    """
    parents = {cluster.key: cluster.parent or ROOT for cluster in chart.clusters}
    homes = {box.key: box.cluster or ROOT for box in chart.boxes}
    edges = [edge for edge in chart.edges if edge.source != edge.target]
    while True:
        tree = _Tree(parents, homes)
        circles = _circles(tree, edges)
        frames = {item.key for group in circles for item in group if item.kind == "cluster"}
        if not frames:
            break
        parents, homes = _without(frames, parents, homes)
    turned = frozenset(_closing(tree, edges, circles))
    return Nesting(tuple(_sheets(chart, tree, edges, turned)), parents, homes, turned)


class _Tree:
    """Which frames are around a box, from the outermost to the innermost."""

    def __init__(self, parents: Mapping[str, str], homes: Mapping[str, str]) -> None:
        self.parents, self.homes = parents, homes
        self._paths: dict[str, tuple[str, ...]] = {ROOT: (ROOT,)}
        for key, parent in parents.items():  # outer ones come first
            self._paths[key] = (*self._paths[parent], key)

    def path(self, box: str) -> tuple[str, ...]:
        """The clusters around a box, `ROOT` first."""
        return self._paths[self.homes[box]]

    def meeting(self, source: str, target: str) -> tuple[int, Item, Item]:
        """The depth of the sheet where two boxes meet, and the items on it that hold them."""
        a, b = self.path(source), self.path(target)
        depth = 0
        while depth + 1 < min(len(a), len(b)) and a[depth + 1] == b[depth + 1]:
            depth += 1
        return depth, _item_at(a, depth, source), _item_at(b, depth, target)


def _item_at(path: Sequence[str], depth: int, box: str) -> Item:
    return Item("cluster", path[depth + 1]) if depth + 1 < len(path) else Item("box", box)


def _circles(tree: _Tree, edges: Iterable[Edge]) -> list[set[Item]]:
    """Groups of items that can all be reached from each other, sheet by sheet."""
    after: dict[Item, list[Item]] = defaultdict(list)
    for edge in edges:
        _, source, target = tree.meeting(edge.source, edge.target)
        upper, lower = (target, source) if edge.back else (source, target)
        after[upper].append(lower)
    return [set(group) for group in strong_components(after) if len(group) > 1]


def _without(
    frames: set[str], parents: Mapping[str, str], homes: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    def kept(key: str) -> str:
        while key in frames:
            key = parents[key]
        return key

    return (
        {key: kept(parent) for key, parent in parents.items() if key not in frames},
        {box: kept(home) for box, home in homes.items()},
    )


def _closing(tree: _Tree, edges: Sequence[Edge], circles: Sequence[set[Item]]) -> Iterable[Turned]:
    """The edges in circles that lead back to what comes earlier in the chart."""
    group = {item.key: i for i, items in enumerate(circles) for item in items}
    order = {box: i for i, box in enumerate(tree.homes)}
    for edge in edges:
        a, b = edge.source, edge.target
        if a in group and group[a] == group.get(b) and (order[a] > order[b]) is not edge.back:
            yield a, b, edge.back


def _sheets(
    chart: Chart, tree: _Tree, edges: Sequence[Edge], turned: frozenset[Turned]
) -> Iterable[Sheet]:
    items: dict[str, dict[Item, None]] = {ROOT: {}, **{key: {} for key in tree.parents}}
    links: dict[str, dict[tuple[Net, Item, Item], str]] = defaultdict(dict)
    for box in chart.boxes:
        path = tree.path(box.key)
        for depth, key in enumerate(path):
            items[key].setdefault(_item_at(path, depth, box.key))
    for edge in edges:
        net = net_of(edge, turned)
        depth, source, target = tree.meeting(edge.source, edge.target)
        a, b = tree.path(edge.source), tree.path(edge.target)
        # Where edges of one net are one line, it looks like the first of them.
        links[a[depth]].setdefault((net, source, target), edge.look)
        for inner in range(depth + 1, len(a)):
            out = Item("port", a[inner], net)
            items[a[inner]].setdefault(out)
            links[a[inner]].setdefault((net, _item_at(a, inner, edge.source), out), edge.look)
        for inner in range(depth + 1, len(b)):
            entry = Item("port", b[inner], net)
            items[b[inner]].setdefault(entry)
            links[b[inner]].setdefault((net, entry, _item_at(b, inner, edge.target)), edge.look)
    inner_first = sorted(items, key=lambda key: -_depth(tree, key))
    for key in inner_first:
        if items[key]:
            pieces = (Link(*ends, look) for ends, look in links[key].items())
            yield Sheet(key, tuple(items[key]), tuple(pieces))


def net_of(edge: Edge, turned: frozenset[Turned]) -> Net:
    """The net of an edge."""
    return Net(edge.source, edge.back is not ((edge.source, edge.target, edge.back) in turned))


def _depth(tree: _Tree, key: str) -> int:
    depth = 0
    while key != ROOT:
        key, depth = tree.parents[key], depth + 1
    return depth


def strong_components(after: Mapping[K, Sequence[K]]) -> list[list[K]]:
    """Groups of things that reach each other along edges   [Tarjan 1972], without recursion.

    Parameters
    ----------
    after : mapping
        Where edges lead.

    Examples
    --------
    >>> sorted(map(sorted, strong_components({1: [2], 2: [3], 3: [2], 4: [1]})))
    [[1], [2, 3], [4]]
    """
    found: list[list[K]] = []
    number: dict[K, int] = {}
    low: dict[K, int] = {}
    open_: list[K] = []
    is_open: set[K] = set()
    for start in after:
        if start in number:
            continue
        number[start] = low[start] = len(number)
        open_.append(start)
        is_open.add(start)
        path = [(start, iter(after.get(start, ())))]
        while path:
            here, rest = path[-1]
            for there in rest:
                if there not in number:
                    number[there] = low[there] = len(number)
                    open_.append(there)
                    is_open.add(there)
                    path.append((there, iter(after.get(there, ()))))
                    break
                if there in is_open:
                    low[here] = min(low[here], number[there])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[here])
                if low[here] == number[here]:
                    group: list[K] = []
                    while not group or group[-1] != here:
                        group.append(open_.pop())
                        is_open.discard(group[-1])
                    found.append(group)
    return found
