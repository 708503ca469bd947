"""Drawing a chart: frames, then edges, then boxes over them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from chainrule.drawing.chart import LABEL_SIZE, LINE_HEIGHT, Box, Chart
from chainrule.drawing.diagram import Diagram
from chainrule.drawing.layout import HEADER, PADDING, Frame, Layout, Route, label_of, lay_out
from chainrule.drawing.looks import LOOKS
from chainrule.drawing.svg import Picture, arrowhead, number, swinging

CORNER, CUT, BEHIND = 6.0, 7.0, 3.5


def draw_chart(
    chart: Chart,
    *,
    title: str,
    description: str,
    prefix: str,
    direction: str = "down",
    rows: Sequence[Mapping[str, str]] = (),
) -> Diagram:
    """Lay out a chart and draw it.

    Parameters
    ----------
    chart : Chart
    title, description : str
        For screen readers.
    prefix : str
        What ids begin with.
    direction : str
        ``down`` or ``right``.
    rows : sequence of mapping
        The chart as a table.

    Notes
    -----
    Each cluster is a group with the class ``cluster``: its frame and label, and a group ``inside``
    of what it holds, so that a page can hide that. What crosses a frame is cut there.
    """
    layout = lay_out(chart, direction)
    picture = Picture(layout.width, layout.height, title, description, prefix)
    inside = _frames(picture, layout)
    pieces: dict[str, list[Route]] = defaultdict(list)
    for route in layout.routes:
        pieces[route.cluster].append(route)
    for key, routes in pieces.items():
        for route in routes:
            _edge(picture, inside[key], route, goes_down=direction == "down")
    # Boxes and inner frames are over the edges of the sheet that they are on.
    for key, (cluster, _) in layout.clusters.items():
        inside[_outer(layout, cluster.parent)].append(inside[f"frame {key}"])
    for box, frame in layout.boxes.values():
        _box(picture, inside[_outer(layout, box.cluster)], box, frame)
    return Diagram(picture.written(), picture.width, picture.height, tuple(rows))


def _outer(layout: Layout, cluster: str | None) -> str:
    """The innermost cluster with a frame, "" for none."""
    while cluster is not None and cluster not in layout.clusters:
        cluster = layout.parents[cluster]
    return cluster or ""


def _frames(picture: Picture, layout: Layout) -> dict[str, ET.Element]:
    """The group of what is inside of each cluster, and, as ``frame <key>``, that of the frame."""
    inside = {"": picture.body}
    for key, (cluster, frame) in layout.clusters.items():
        group = ET.Element("g", {"class": "cluster", "id": picture.id_of(f"{key}/")})
        group.set("data-name", picture.id_of(key).partition(":")[2])
        picture.add(
            group, "rect", "cluster", x=frame.x, y=frame.y, width=frame.width,
            height=frame.height, rx=8.0,
        )  # fmt: skip
        inside[key] = picture.add(group, "g", class_="inside")
        label = label_of(cluster)
        x, y = frame.x + PADDING, frame.y + HEADER / 2 + LABEL_SIZE / 2 + 1
        picture.text(group, label, "label", x, y, "start")
        inside[f"frame {key}"] = group
    return inside


def _edge(picture: Picture, parent: ET.Element, route: Route, *, goes_down: bool) -> None:
    attributes = {"data_from": route.source}
    if route.target is not None:
        attributes["data_to"] = route.target
    path = swinging(route.points, goes_down=goes_down)
    picture.add(parent, "path", f"edge-{route.look}", d=path, **attributes)
    if route.target is not None:
        head = arrowhead(route.points, goes_down=goes_down)
        picture.add(parent, "path", f"head-{route.look}", d=head)


def _box(picture: Picture, parent: ET.Element, box: Box, frame: Frame) -> None:
    group = picture.add(
        parent, "g", class_="box", id=picture.id_of(box.key), data_name=box.stands_for
    )
    picture.say(group, box.about)
    _shape(picture, group, box.look, frame)
    height = sum(line.size * LINE_HEIGHT for line in box.lines)
    y = frame.y + (frame.height - height) / 2
    for line in box.lines:
        # Capital letters are 0.7 of their size high: their middle is that of the line.
        baseline = y + line.size * (LINE_HEIGHT / 2 + 0.35)
        picture.text(group, line.shown, line.look, frame.x + frame.width / 2, baseline)
        y += line.size * LINE_HEIGHT


def _shape(picture: Picture, group: ET.Element, name: str, frame: Frame) -> None:
    look, x, y, w, h = LOOKS[name], frame.x, frame.y, frame.width, frame.height
    style = f"box-{name}"
    if look.shape == "cut":
        c = min(CUT, h / 3)
        corners = [
            (x + c, y), (x + w - c, y), (x + w, y + c), (x + w, y + h - c),
            (x + w - c, y + h), (x + c, y + h), (x, y + h - c), (x, y + c),
        ]  # fmt: skip
        points = " ".join(number(*corner) for corner in corners)
        picture.add(group, "polygon", style, points=points)
        return
    if look.shape == "stack":
        for step in (2 * BEHIND, BEHIND):
            picture.add(
                group, "rect", style, x=x + step, y=y - step, width=w - step, height=h, rx=CORNER
            )
    corner = {"rounded": CORNER, "pill": h / 2, "stack": CORNER}.get(look.shape, 0.0)
    picture.add(group, "rect", style, x=x, y=y, width=w, height=h, rx=corner)
