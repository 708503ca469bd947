"""Items in layers: from what hangs together on a sheet to places and routes.

All is computed for a drawing that goes down: *across* is the direction along a layer, *along* the
one from layer to layer. `layout.py` turns it where a chart goes to the right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chainrule.drawing.coordinates import Spaced, place_along
from chainrule.drawing.layers import assign_layers
from chainrule.drawing.nesting import Item, Link, Net
from chainrule.drawing.order import Layered, order_layers

Point = tuple[float, float]
Slots = dict[tuple[int, int], float]
BETWEEN_BOXES, BETWEEN_LINES = 20.0, 12.0
BETWEEN_LAYERS, BY_FRAME, STEEP, STEEPEST = 30.0, 16.0, 0.07, 60.0
SLOT = 13.0
LANE = 9.0


@dataclass(frozen=True)
class Measures:
    """What a sheet has to know of what is laid out on it.

    Parameters
    ----------
    size : callable
        An item's size, across and along.
    port : callable
        How far from the middle of a cluster, across, a net goes through its frame.
    wish : callable
        Where across a port would rather be; None where nothing is known yet.
    band : callable
        Of two items in a layer the one with the smaller number is left.
    label : float
        Room along, behind the first layer, for the label of the frame.
    """

    size: Callable[[Item], Point]
    port: Callable[[Item, Net], float]
    wish: Callable[[Item], float | None]
    band: Callable[[Item], float]
    label: float = 0.0


@dataclass
class Placed:
    """A sheet that is laid out.

    Parameters
    ----------
    size : (float, float)
        Across and along.
    middles : dict
        The middle of each item.
    routes : dict
        For each link the points it goes through, from above to below; between every two of them
        at different places across, it swings over. What links of one net share is there once.
    arrivals : dict
        Where, across, a net comes to a cluster from: its place one layer away.
    """

    size: Point = (0.0, 0.0)
    middles: dict[Item, Point] = field(default_factory=dict)
    routes: dict[Link, list[Point]] = field(default_factory=dict)
    arrivals: dict[tuple[Item, Net], float] = field(default_factory=dict)


def lay_out_together(items: list[Item], links: list[Link], measures: Measures) -> Placed:
    """Lay out items that hang together."""
    return _Drawing(items, links, measures).placed()


Ends = list[list[tuple[int, float, float]]]


class _Drawing:
    """Items that hang together, on their way into layers.

    Nodes are numbers: the items', then those of dummies, where a long link passes a layer. Nets
    are numbers, too, and an arc from a layer to the next is (upper node, lower node, net).
    """

    def __init__(self, items: list[Item], links: list[Link], measures: Measures) -> None:
        self.items, self.links, self.measures = items, links, measures
        self.sizes = [measures.size(item) for item in items]
        number = {item: i for i, item in enumerate(items)}
        self.nets = {net: i for i, net in enumerate(dict.fromkeys(link.net for link in links))}
        self.ends = [
            (number[link.target], number[link.source], self.nets[link.net])
            if link.net.back
            else (number[link.source], number[link.target], self.nets[link.net])
            for link in links
        ]
        self.goes_up = [net.back for net in self.nets]
        self.first, self.last = self._ports()
        self.layer = assign_layers(
            len(items),
            list(dict.fromkeys((upper, lower) for upper, lower, _ in self.ends)),
            self.first,
            self.last,
        )
        self.arcs: dict[tuple[int, int, int], None] = {}
        self.chains: list[dict[int, int]] = [{} for _ in self.nets]  # layer -> dummy
        self.junctions: list[int | None] = [None] * len(links)
        self.by_lane = self._too_long()
        self._connect()

    def _ports(self) -> tuple[list[int], list[int]]:
        uppers = {upper for upper, _, _ in self.ends}
        ports = [i for i, item in enumerate(self.items) if item.kind == "port"]
        return [i for i in ports if i in uppers], [i for i in ports if i not in uppers]

    # --- long links ----------------------------------------------------------------------------

    def _too_long(self) -> set[int]:
        """Nets that would pass through too many layers: they go along the side instead."""
        spans = [0] * len(self.nets)
        for upper, lower, net in self.ends:
            spans[net] = max(spans[net], self.layer[lower] - self.layer[upper] - 1)
        room = _DUMMIES_FOR_EACH * len(self.items) + _DUMMIES_ANYWAY
        total = sum(spans)
        by_lane = set()
        for net in sorted(range(len(spans)), key=lambda net: -spans[net]):
            if total <= room:
                break
            by_lane.add(net)
            total -= spans[net]
        return by_lane

    def _connect(self) -> None:
        """Make arcs from layer to layer; the links of a net share its dummies."""
        for i, (upper, lower, net) in enumerate(self.ends):
            if net in self.by_lane:
                continue
            up = self.goes_up[net]
            hub, spoke = (lower, upper) if up else (upper, lower)
            step = -1 if up else 1
            chain = self.chains[net]
            level, before = self.layer[spoke] - step, spoke
            # From the spoke towards the hub, as far as the net has not been yet.
            while level != self.layer[hub]:
                is_known = level in chain
                if not is_known:
                    chain[level] = len(self.layer)
                    self.layer.append(level)
                self._arc(chain[level], before, net)
                if is_known:
                    self.junctions[i] = level
                    break
                before = chain[level]
                level -= step
            else:
                self._arc(hub, before, net)

    def _arc(self, nearer: int, farther: int, net: int) -> None:
        """Note an arc, given the end that is nearer to where the net begins."""
        pair = (farther, nearer) if self.goes_up[net] else (nearer, farther)
        self.arcs[(*pair, net)] = None

    # --- order and places ----------------------------------------------------------------------

    def placed(self) -> Placed:
        """Lay it out."""
        layers = self._ordered()
        below, above = self._slots(layers)
        across = self._across(layers, below, above)
        bands = self._bands(layers, across, below, above)
        return self._routed(across, bands, below, above)

    def _ordered(self) -> list[list[int]]:
        layers: list[list[int]] = [[] for _ in range(max(self.layer) + 1)]
        for node, level in enumerate(self.layer):
            layers[level].append(node)
        fixed = []
        for ports, level in ((self.first, 0), (self.last, len(layers) - 1)):
            wishes = {node: self.measures.wish(self.items[node]) for node in ports}
            known = {node: wish for node, wish in wishes.items() if wish is not None}
            if ports and len(known) == len(ports):
                layers[level].sort(key=known.__getitem__)
                fixed.append(level)
        up, down = self._neighbours(self._shares())
        return order_layers(Layered(layers, up, down, self._bands_across()), fixed)

    def _bands_across(self) -> list[float]:
        """The band of each node; a dummy is in that of what its net leads to in the end."""
        bands = [self.measures.band(item) for item in self.items]
        ends: dict[int, tuple[int, float]] = {}  # net -> how far it leads, and the band there
        for upper, lower, net in self.ends:
            spoke = upper if self.goes_up[net] else lower
            reach = (self.layer[lower] - self.layer[upper], bands[spoke])
            ends[net] = max(ends.get(net, reach), reach)
        bands += [0.0] * (len(self.layer) - len(bands))
        for net, chain in enumerate(self.chains):
            for dummy in chain.values():
                bands[dummy] = ends[net][1]
        return bands

    def _port(self, node: int, net: Net) -> float:
        """Where on a cluster a net goes through its frame."""
        return self.measures.port(self.items[node], net)

    def _is_cluster(self, node: int) -> bool:
        return node < len(self.items) and self.items[node].kind == "cluster"

    def _shares(self) -> dict[tuple[int, int], float]:
        """Where along a cluster its nets end, as shares of its width; elsewhere 0."""
        names = list(self.nets)
        return {
            (node, net): self._port(node, names[net]) / max(self.sizes[node][0], 1.0)
            for arc in self.arcs
            for node, net in ((arc[0], arc[2]), (arc[1], arc[2]))
            if self._is_cluster(node)
        }

    def _neighbours(self, shares: Mapping[tuple[int, int], float]) -> tuple[Ends, Ends]:
        up: Ends = [[] for _ in self.layer]
        down: Ends = [[] for _ in self.layer]
        for upper, lower, net in self.arcs:
            above, below = shares.get((upper, net), 0.0), shares.get((lower, net), 0.0)
            down[upper].append((lower, below, above))
            up[lower].append((upper, above, below))
        return up, down

    def _slots(self, layers: Sequence[Sequence[int]]) -> tuple[Slots, Slots]:
        """Where nets end on the lower and on the upper side of each node, from its middle."""
        place = [0.0] * len(self.layer)
        for layer in layers:
            for p, node in enumerate(layer):
                place[node] = p
        lower_side: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        upper_side: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for upper, lower, net in self.arcs:
            lower_side[upper][net].append(place[lower])
            upper_side[lower][net].append(place[upper])
        for upper, lower, net in self.ends:
            if net in self.by_lane:
                lower_side[upper][net] = upper_side[lower][net] = [len(self.layer)]
        return self._spread(lower_side), self._spread(upper_side)

    def _spread(self, sides: Mapping[int, Mapping[int, list[float]]]) -> Slots:
        names = list(self.nets)
        slots: Slots = {}
        for node, nets in sides.items():
            if self._is_cluster(node):
                for net in nets:
                    slots[node, net] = self._port(node, names[net])
                continue
            if len(nets) == 1:
                slots[node, next(iter(nets))] = 0.0
                continue
            in_order = sorted(nets, key=lambda net: sum(nets[net]) / len(nets[net]))
            room = self.sizes[node][0] - 16 if node < len(self.items) else 0.0
            step = max(0.0, min(SLOT, room / (len(nets) - 1)))
            for i, net in enumerate(in_order):
                slots[node, net] = step * (i - (len(nets) - 1) / 2)
        return slots

    def _across(self, layers: Sequence[Sequence[int]], below: Slots, above: Slots) -> list[float]:
        count = len(self.items)
        up: Ends = [[] for _ in self.layer]
        down: Ends = [[] for _ in self.layer]
        for upper, lower, net in self.arcs:
            start, end = below[upper, net], above[lower, net]
            down[upper].append((lower, end, start))
            up[lower].append((upper, start, end))
        is_dummy = [node >= count for node in range(len(self.layer))]
        widths = [self.sizes[n][0] if n < count else 0.0 for n in range(len(self.layer))]

        def gap(a: int, b: int) -> float:
            lines = widths[a] == 0 or widths[b] == 0
            return (widths[a] + widths[b]) / 2 + (BETWEEN_LINES if lines else BETWEEN_BOXES)

        middles = place_along(Spaced(layers, up, down, is_dummy, gap))
        left = min(x - w / 2 for x, w in zip(middles, widths, strict=True))
        return [x - left for x in middles]

    def _bands(
        self, layers: Sequence[Sequence[int]], across: Sequence[float], below: Slots, above: Slots
    ) -> list[tuple[float, float]]:
        """Where each layer begins and ends, along; the further links swing, the more is between."""
        swing = [0.0] * len(layers)
        for upper, lower, net in self.arcs:
            start, end = across[upper] + below[upper, net], across[lower] + above[lower, net]
            swing[self.layer[upper]] = max(swing[self.layer[upper]], abs(start - end))
        bands = []
        v = 0.0
        for level, layer in enumerate(layers):
            depth = max((self.sizes[n][1] for n in layer if n < len(self.items)), default=0.0)
            bands.append((v, v + depth))
            is_frame = (level == 0 and self.first) or (level == len(layers) - 2 and self.last)
            v += depth + min(
                STEEPEST, (BY_FRAME if is_frame else BETWEEN_LAYERS) + STEEP * swing[level]
            )
            if level == 0 and self.first:
                v += self.measures.label
        return bands

    def _routed(
        self,
        across: Sequence[float],
        bands: Sequence[tuple[float, float]],
        below: Slots,
        above: Slots,
    ) -> Placed:
        middles = {
            item: (across[i], sum(bands[self.layer[i]]) / 2) for i, item in enumerate(self.items)
        }
        right = max(max(across), *(across[i] + w / 2 for i, (w, _) in enumerate(self.sizes)))
        lanes = {net: right + LANE * (i + 2) for i, net in enumerate(sorted(self.by_lane))}
        placed = Placed((max([right, *lanes.values()]), bands[-1][1]), middles)
        names = list(self.nets)
        for upper, lower, net in self.arcs:
            for node, other in ((upper, lower), (lower, upper)):
                if self._is_cluster(node):
                    placed.arrivals[self.items[node], names[net]] = across[other]
        for i, link in enumerate(self.links):
            _, _, net = self.ends[i]
            placed.routes[link] = self._points(i, across, bands, below, above, lanes.get(net))
        return placed

    def _points(
        self,
        i: int,
        across: Sequence[float],
        bands: Sequence[tuple[float, float]],
        below: Slots,
        above: Slots,
        lane: float | None,
    ) -> list[Point]:
        """Where a link goes, from above to below, as far as no link of its net went before."""
        upper, lower, net = self.ends[i]
        first, last = self.layer[upper], self.layer[lower]
        start, end = across[upper] + below[upper, net], across[lower] + above[lower, net]
        out, into = bands[first], bands[last]
        leaves = [(start, sum(out) / 2 + self.sizes[upper][1] / 2), (start, out[1])]
        arrives = [(end, into[0]), (end, sum(into) / 2 - self.sizes[lower][1] / 2)]
        if lane is not None:
            turn = min(BETWEEN_LAYERS, into[0] - out[1]) / 2
            return [*leaves, (lane, out[1] + turn), (lane, into[0] - turn), *arrives]
        chain, junction = self.chains[net], self.junctions[i]
        if junction is not None and self.goes_up[net]:
            last, arrives = junction, [(across[chain[junction]], bands[junction][0])]
        elif junction is not None:
            first, leaves = junction, [(across[chain[junction]], bands[junction][1])]
        passes = [
            (across[chain[level]], edge)
            for level in range(first + 1, last)
            for edge in bands[level]
        ]
        return [*leaves, *passes, *arrives]


_DUMMIES_FOR_EACH, _DUMMIES_ANYWAY = 4, 2000
