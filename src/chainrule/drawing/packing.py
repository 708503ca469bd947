"""A whole sheet: what hangs together in layers, and what does not side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from chainrule.drawing.nesting import Item, Link, Sheet
from chainrule.drawing.sheet import BETWEEN_BOXES, BY_FRAME, Measures, Placed, lay_out_together


def lay_out_sheet(sheet: Sheet, measures: Measures) -> Placed:
    """Lay out a sheet: what hangs together in layers, the rest in rows beside it."""
    groups = _groups(sheet)
    done = [lay_out_together(items, links, measures) for items, links in groups]
    if len(done) == 1:
        return done[0]
    return _side_by_side(done, measures.label, has_ports=_has_ports(groups[0][0]))


def _has_ports(items: Sequence[Item]) -> bool:
    return any(item.kind == "port" for item in items)


def _groups(sheet: Sheet) -> list[tuple[list[Item], list[Link]]]:
    """What hangs together; first of all what hangs together with the frame."""
    group: dict[Item, Item] = {item: item for item in sheet.items}

    def of(item: Item) -> Item:
        while group[item] != item:
            group[item] = group[group[item]]
            item = group[item]
        return item

    for link in sheet.links:
        group[of(link.target)] = of(link.source)
    ports = [item for item in sheet.items if item.kind == "port"]
    for port in ports[1:]:
        group[of(port)] = of(ports[0])
    items: dict[Item, list[Item]] = {of(ports[0]): []} if ports else {}
    links: dict[Item, list[Link]] = defaultdict(list)
    for item in sheet.items:
        items.setdefault(of(item), []).append(item)
    for link in sheet.links:
        links[of(link.source)].append(link)
    return [(members, links[key]) for key, members in items.items()]


def _side_by_side(parts: Sequence[Placed], label: float, *, has_ports: bool) -> Placed:
    """Put drawings in rows, about as wide as high; one with ports reaches through all rows."""
    whole = Placed()
    gap = BETWEEN_BOXES * 1.5
    across, top, bottom = 0.0, 0.0, 0.0
    rest = list(parts)
    if has_ports:
        first = rest.pop(0)
        ends = {v for item, (_, v) in first.middles.items() if item.kind == "port"}
        _put(whole, first, 0.0, 0.0)
        across = first.size[0] + gap
        # What goes through the frame ends there; the others keep away from it.
        top = BY_FRAME + label if 0.0 in ends else 0.0
        bottom = BY_FRAME if first.size[1] in ends - {0.0} else 0.0
    area = sum((p.size[0] + gap) * (p.size[1] + gap) for p in rest)
    widest = max((p.size[0] for p in rest), default=0.0)
    limit = across + max(widest, (1.6 * area) ** 0.5)
    u, v, row = across, top, 0.0
    for part in rest:
        if u > across and u + part.size[0] > limit:
            u, v, row = across, v + row + gap, 0.0
        _put(whole, part, u, v)
        u += part.size[0] + gap
        row = max(row, part.size[1])
    whole.size = (whole.size[0], max(whole.size[1], v + row + bottom))
    if has_ports and whole.size[1] > parts[0].size[1]:
        _lengthen(whole, parts[0], parts[0].size[1])
    return whole


def _put(whole: Placed, part: Placed, u: float, v: float) -> None:
    for item, (x, y) in part.middles.items():
        whole.middles[item] = (x + u, y + v)
    for link, points in part.routes.items():
        whole.routes[link] = [(x + u, y + v) for x, y in points]
    for arrival, x in part.arrivals.items():
        whole.arrivals[arrival] = x + u
    whole.size = (
        max(whole.size[0], u + part.size[0]),
        max(whole.size[1], v + part.size[1]),
    )


def _lengthen(whole: Placed, ported: Placed, end: float) -> None:
    """Let what goes through the lower frame reach it, now that the frame is further down."""
    for item in ported.middles:
        x, y = whole.middles[item]
        if item.kind == "port" and y == end != 0.0:
            whole.middles[item] = (x, whole.size[1])
            for link, points in whole.routes.items():
                if item in (link.source, link.target):
                    points.append((points[-1][0], whole.size[1]))
