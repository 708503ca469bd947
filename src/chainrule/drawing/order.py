"""In which order items stand in their layers, so that few links cross.

Layers are swept down and up: each item goes to the mean place of its neighbours in the layer
before, and the order with the fewest crossings is kept   [Sugiyama, Tagawa and Toda 1981]. Then
neighbours that cross less the other way round are exchanged.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

Arcs = Sequence[Sequence[tuple[int, float, float]]]
"""For each node its neighbours on one side: (neighbour, share along it, share along the node).

A share says where an arc ends: from -0.5, the left end of a node, to 0.5.
"""


@dataclass(frozen=True)
class Layered:
    """Nodes in layers; each arc goes from a layer to the next.

    Parameters
    ----------
    layers : list of list of int
    up, down : sequence of sequence of (int, float, float)
        Arcs of each node to the layer before and to the one behind.
    band : sequence of float
        Of two nodes in a layer the one with the smaller number stays left.
    """

    layers: list[list[int]]
    up: Arcs
    down: Arcs
    band: Sequence[float]

    @property
    def size(self) -> int:
        """The number of nodes."""
        return sum(map(len, self.layers))


def order_layers(drawing: Layered, fixed: Collection[int] = ()) -> list[list[int]]:
    """Return the layers in an order with few crossings; those at the positions `fixed` as they are.

    Parameters
    ----------
    drawing : Layered
    fixed : collection of int
        Positions of layers whose order is given.
    """
    layers = _as_found(drawing, fixed)
    best, least = layers, count_crossings(drawing, layers)
    rounds = _ROUNDS if drawing.size < _LARGE else _FEW_ROUNDS
    since_best = 0
    for turn in range(rounds):
        if not least or since_best > _PATIENCE:
            break
        layers = _sweep(drawing, layers, fixed, downward=turn % 2 == 0, from_right=turn % 4 > 1)
        crossings = count_crossings(drawing, layers)
        since_best += 1
        if crossings < least:
            best, least, since_best = layers, crossings, 0
    if least and drawing.size < _LARGE:
        best = _exchange(drawing, best, fixed)
    return best


_ROUNDS, _FEW_ROUNDS, _PATIENCE, _LARGE = 24, 6, 6, 3000


def _as_found(drawing: Layered, fixed: Collection[int]) -> list[list[int]]:
    """An order to start from: as a walk that goes down first meets the nodes."""
    layer_of = {node: i for i, layer in enumerate(drawing.layers) for node in layer}
    met: set[int] = set()
    layers: list[list[int]] = [[] for _ in drawing.layers]
    for layer in drawing.layers:
        for start in layer:
            stack = [start]
            while stack:
                node = stack.pop()
                if node in met:
                    continue
                met.add(node)
                layers[layer_of[node]].append(node)
                stack += [lower for lower, _, _ in reversed(drawing.down[node]) if lower not in met]
    for i, layer in enumerate(layers):
        layer.sort(key=drawing.band.__getitem__)
        if i in fixed:
            layers[i] = drawing.layers[i]
    return layers


def _sweep(
    drawing: Layered,
    layers: list[list[int]],
    fixed: Collection[int],
    *,
    downward: bool,
    from_right: bool,
) -> list[list[int]]:
    new = list(layers)
    order = range(1, len(layers)) if downward else range(len(layers) - 2, -1, -1)
    arcs = drawing.up if downward else drawing.down
    for i in order:
        if i in fixed:
            continue
        before = new[i - 1 if downward else i + 1]
        place = {node: p for p, node in enumerate(before)}
        wish: dict[int, float] = {}
        for node in new[i]:
            if ends := arcs[node]:
                wish[node] = sum(place[other] + there for other, there, _ in ends) / len(ends)
        # Nodes that have no neighbours there keep their places, and bands stay apart.
        movable = [node for node in new[i] if node in wish]
        if from_right:
            movable.reverse()
        moved = {
            band: iter(sorted(nodes, key=wish.__getitem__))
            for band, nodes in _by_band(drawing, movable).items()
        }
        new[i] = [next(moved[drawing.band[n]]) if n in wish else n for n in new[i]]
    return new


def _by_band(drawing: Layered, nodes: Sequence[int]) -> dict[float, list[int]]:
    found: dict[float, list[int]] = {}
    for node in nodes:
        found.setdefault(drawing.band[node], []).append(node)
    return found


def count_crossings(drawing: Layered, layers: Sequence[Sequence[int]]) -> int:
    """Count the pairs of arcs that cross.

    Examples
    --------
    >>> arcs = [[(3, 0.0, 0.0)], [(2, 0.0, 0.0)], [], []]
    >>> count_crossings(
    ...     Layered([[0, 1], [2, 3]], [[], [], [], []], arcs, [0] * 4), [[0, 1], [2, 3]]
    ... )
    1
    """
    return sum(_crossings_between(drawing, upper, lower) for upper, lower in pairwise(layers))


def _crossings_between(drawing: Layered, upper: Sequence[int], lower: Sequence[int]) -> int:
    place = {node: p for p, node in enumerate(lower)}
    arcs = [
        (p + here, place[other] + there)
        for p, node in enumerate(upper)
        for other, there, here in drawing.down[node]
    ]
    arcs.sort()
    ends: list[float] = []
    crossings = 0
    for _, end in arcs:
        crossings += len(ends) - bisect_right(ends, end)
        insort(ends, end)
    return crossings


def _exchange(drawing: Layered, layers: list[list[int]], fixed: Collection[int]) -> list[list[int]]:
    """Exchange neighbours as long as that takes crossings away."""
    layers = [list(layer) for layer in layers]
    place = {node: p for layer in layers for p, node in enumerate(layer)}
    for _ in range(_PATIENCE):
        changed = False
        for i, layer in enumerate(layers):
            if i in fixed:
                continue
            for p in range(len(layer) - 1):
                a, b = layer[p], layer[p + 1]
                if drawing.band[a] != drawing.band[b]:
                    continue
                gain = 0
                for arcs in (drawing.up, drawing.down):
                    ends_a = [place[other] + there for other, there, _ in arcs[a]]
                    ends_b = [place[other] + there for other, there, _ in arcs[b]]
                    gain += sum((x > y) - (x < y) for x in ends_a for y in ends_b)
                if gain > 0:
                    layer[p], layer[p + 1] = b, a
                    place[a], place[b] = p + 1, p
                    changed = True
        if not changed:
            break
    return layers
