"""A chart laid out: each sheet inside of the next, and all in the coordinates of the picture."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from chainrule.drawing.chart import LABEL_SIZE, Box, Chart, Cluster, check_direction, collapse
from chainrule.drawing.nesting import ROOT, Item, Link, Nesting, Net, Sheet, divide, net_of
from chainrule.drawing.packing import lay_out_sheet
from chainrule.drawing.sheet import Measures, Placed, Point
from chainrule.drawing.text import ellipsise, printable, width_of

PADDING, HEADER, LABEL_ROOM = 14.0, 22.0, 260.0


@dataclass(frozen=True)
class Frame:
    """A rectangle: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Where it ends."""
        return self.y + self.height


@dataclass(frozen=True)
class Route:
    """A piece of an edge, inside of one cluster.

    Parameters
    ----------
    source : str
        The box where the edge begins.
    target : str or None
        The box where it ends, with an arrowhead; None where it ends at a frame.
    cluster : str
        The key of the cluster, or "".
    points : tuple of (float, float)
        From its beginning to its end, as the arrow points. Between two points it goes straight if
        they differ in one coordinate, and otherwise swings over in the direction of the chart.
    look : str
    """

    source: str
    target: str | None
    cluster: str
    points: tuple[Point, ...]
    look: str


@dataclass(frozen=True)
class Layout:
    """Where everything is.

    Parameters
    ----------
    width, height : float
    boxes : dict of str to (Box, Frame)
    clusters : dict of str to (Cluster, Frame)
        Outer ones first.
    routes : tuple of Route
    direction : str
        ``down`` or ``right``.
    parents : dict of str to (str or None)
        For each cluster, framed or not, the one around it.
    """

    width: float
    height: float
    boxes: dict[str, tuple[Box, Frame]]
    clusters: dict[str, tuple[Cluster, Frame]]
    routes: tuple[Route, ...]
    direction: str
    parents: dict[str, str | None]


def lay_out(chart: Chart, direction: str = "down") -> Layout:
    """Lay out a chart in layers.

    Parameters
    ----------
    chart : Chart
    direction : str
        ``down`` or ``right``: where edges lead that are not `back`.

    Raises
    ------
    ConfigurationError
        If there is no such direction.

    Notes
    -----
    The same chart gives the same layout. Boxes and clusters never overlap. Each sheet is laid out
    twice: the second time, what goes through a frame does so in the order in which it arrives.
    """
    check_direction(direction)
    chart = collapse(chart)
    if not chart.boxes:
        return Layout(0.0, 0.0, {}, {}, (), direction, {})
    nesting = divide(chart)
    builder = _Builder(chart, nesting, direction)
    layout = builder.build({})
    if len(nesting.sheets) > 1:
        layout = builder.build(builder.arrivals)
    return layout


class _Builder:
    """Sheets, from the innermost to the whole; then places, from the whole to the innermost."""

    def __init__(self, chart: Chart, nesting: Nesting, direction: str) -> None:
        self.chart, self.nesting = chart, nesting
        self.goes_down = direction == "down"
        self.direction = direction
        self.clusters = {cluster.key: cluster for cluster in chart.clusters}
        self.arrivals: dict[tuple[str, Net], float] = {}
        self.bands = self._bands()
        self.beyond = self._beyond()

    def _bands(self) -> dict[str, float]:
        """The band of each box, and of each cluster the mean of its lowest and highest."""
        found: dict[str, list[int]] = defaultdict(list)
        for box in self.chart.boxes:
            for key in self._around(box.key):
                found[f"{key}/"].append(box.band)
        bands = {key: (min(inside) + max(inside)) / 2 for key, inside in found.items()}
        return {**bands, **{box.key: float(box.band) for box in self.chart.boxes}}

    def _beyond(self) -> dict[tuple[str, Net], float]:
        """The lowest band of what a net leads to behind each frame that it goes through."""
        found: dict[tuple[str, Net], float] = {}
        for edge in self.chart.edges:
            net = net_of(edge, self.nesting.turned)
            frames = {*self._around(edge.source)} ^ {*self._around(edge.target)}
            for key in frames:
                band = self.bands[edge.target]
                found[key, net] = min(found.get((key, net), band), band)
        return found

    def _around(self, box: str) -> list[str]:
        around, key = [], self.nesting.homes[box]
        while key != ROOT:
            around.append(key)
            key = self.nesting.parents[key]
        return around

    def build(self, wishes: dict[tuple[str, Net], float]) -> Layout:
        """Lay out all sheets; ports go where `wishes` say, by cluster and net."""
        placed: dict[str, Placed] = {}
        for sheet in self.nesting.sheets:
            placed[sheet.key] = self._framed(sheet, lay_out_sheet(sheet, self._measures(
                sheet, placed, wishes
            )))  # fmt: skip
        return self._absolute(placed)

    def _measures(
        self, sheet: Sheet, placed: dict[str, Placed], wishes: dict[tuple[str, Net], float]
    ) -> Measures:
        def size(item: Item) -> Point:
            if item.kind == "port":
                return (0.0, 0.0)
            if item.kind == "cluster":
                return placed[item.key].size
            width, height = self.chart.box(item.key).size
            return (width, height) if self.goes_down else (height, width)

        def port(item: Item, net: Net) -> float:
            inside = placed[item.key]
            return inside.middles[Item("port", item.key, net)][0] - inside.size[0] / 2

        def wish(item: Item) -> float | None:
            return wishes.get((item.key, item.net)) if item.net is not None else None

        def band(item: Item) -> float:
            if item.net is not None:
                return self.beyond[item.key, item.net]
            return self.bands[item.key + "/" if item.kind == "cluster" else item.key]

        label = HEADER if self.goes_down and sheet.key != ROOT else 0.0
        return Measures(size, port, wish, band, label)

    def _framed(self, sheet: Sheet, inside: Placed) -> Placed:
        """A sheet with what its frame needs: padding, room for its label, ports in the frame."""
        ports = [item for item in inside.middles if item.kind == "port"]
        at_start = any(inside.middles[item][1] == 0.0 for item in ports)
        at_end = any(inside.middles[item][1] == inside.size[1] != 0.0 for item in ports)
        is_root = sheet.key == ROOT
        header = 0.0 if is_root else HEADER
        across = PADDING + (0.0 if self.goes_down else header)
        along = 0.0 if at_start else PADDING + (header if self.goes_down else 0.0)
        width = inside.size[0] + across + PADDING
        height = inside.size[1] + along + (0.0 if at_end else PADDING)
        if not is_root:
            room = self._label_width(sheet.key) + 2 * PADDING
            if self.goes_down and width < room:
                across, width = across + (room - width) / 2, room
            elif not self.goes_down and height < room:
                # What leaves the frame must still reach its end.
                for item in ports:
                    if at_end and inside.middles[item][1] == inside.size[1]:
                        _reach(inside, item, room - along)
                height = room
        framed = Placed((width, height))
        framed.arrivals = {key: u + across for key, u in inside.arrivals.items()}
        for item, (u, v) in inside.middles.items():
            framed.middles[item] = (u + across, v + along)
        for link, points in inside.routes.items():
            framed.routes[link] = [(u + across, v + along) for u, v in points]
        return framed

    def _label_width(self, key: str) -> float:
        return width_of(label_of(self.clusters[key]), LABEL_SIZE, mono=True)

    # --- places in the picture -----------------------------------------------------------------

    def _absolute(self, placed: dict[str, Placed]) -> Layout:
        corner: dict[str, Point] = {ROOT: (0.0, 0.0)}
        boxes: dict[str, tuple[Box, Frame]] = {}
        frames: dict[str, Frame] = {}
        routes: list[Route] = []
        for sheet in reversed(self.nesting.sheets):
            here, (left, top) = placed[sheet.key], corner[sheet.key]
            for item, (u, v) in here.middles.items():
                if item.kind == "box":
                    box = self.chart.box(item.key)
                    w, h = box.size
                    x, y = self._turned(left + u, top + v)
                    boxes[item.key] = (box, _frame(x - w / 2, y - h / 2, w, h))
                elif item.kind == "cluster":
                    across, along = placed[item.key].size
                    corner[item.key] = (left + u - across / 2, top + v - along / 2)
                    x, y = self._turned(*corner[item.key])
                    frames[item.key] = _frame(x, y, *self._turned(across, along))
            for (item, net), u in here.arrivals.items():
                self.arrivals[item.key, net] = left + u
            for link, points in here.routes.items():
                shifted = [(left + u, top + v) for u, v in points]
                routes.append(self._route(sheet.key, link, shifted))
        width, height = self._turned(*placed[ROOT].size)
        in_order = {box.key: boxes[box.key] for box in self.chart.boxes}
        clusters = {
            key: (cluster, frames[key]) for key, cluster in self.clusters.items() if key in frames
        }
        parents = {key: cluster.parent for key, cluster in self.clusters.items()}
        return Layout(
            round(width, 1),
            round(height, 1),
            in_order,
            clusters,
            tuple(routes),
            self.direction,
            parents,
        )

    def _turned(self, u: float, v: float) -> Point:
        return (u, v) if self.goes_down else (v, u)

    def _route(self, cluster: str, link: Link, points: list[Point]) -> Route:
        if link.net.back:
            points = points[::-1]
        return Route(
            link.net.source,
            link.target.key if link.target.kind == "box" else None,
            cluster,
            tuple(_simplified([self._turned(*point) for point in points])),
            link.look,
        )


def label_of(cluster: Cluster) -> str:
    """The label of a cluster as it is shown."""
    return ellipsise(printable(cluster.label), LABEL_ROOM, LABEL_SIZE, mono=True)


def _reach(inside: Placed, port: Item, end: float) -> None:
    """Let what ends at a port go on to where the frame is now."""
    x, _ = inside.middles[port]
    inside.middles[port] = (x, end)
    for link, points in inside.routes.items():
        if port in (link.source, link.target):
            points.append((points[-1][0], end))


def _simplified(points: list[Point]) -> list[Point]:
    """The points without repetitions, and without those in the middle of a straight piece."""
    kept: list[Point] = []
    for x, y in points:
        point = (round(x, 1), round(y, 1))
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and any(kept[-2][i] == kept[-1][i] == point[i] for i in (0, 1)):
            kept[-1] = point
        else:
            kept.append(point)
    return kept


def _frame(x: float, y: float, width: float, height: float) -> Frame:
    return Frame(round(x, 1), round(y, 1), round(width, 1), round(height, 1))
