"""Where nodes stand along their layers: links as straight as they can be.

After Brandes and Köpf (2001): each node is aligned with the median of its neighbours, four times,
from above and from below, leaning left and leaning right; every alignment is made as narrow as it
can be; a node stands at the mean of the two middle places. Arcs end at places of their own along a
node, and what is aligned are these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Ends = Sequence[Sequence[tuple[int, float, float]]]
"""For each node its arcs to one side: (neighbour, offset from its middle, from the node's own)."""


@dataclass(frozen=True)
class Spaced:
    """Nodes in ordered layers, with what they need around them.

    Parameters
    ----------
    layers : sequence of sequence of int
    up, down : sequence of sequence of (int, float, float)
        Arcs to the layer before and to the one behind, with offsets in the unit of the drawing.
    is_dummy : sequence of bool
        Whether a node is only where a long link passes.
    gap : callable
        The least distance between the middles of two neighbours in a layer.
    """

    layers: Sequence[Sequence[int]]
    up: Ends
    down: Ends
    is_dummy: Sequence[bool]
    gap: Callable[[int, int], float]


def place_along(drawing: Spaced) -> list[float]:
    """Return the middle of each node along its layer; the order in layers is kept."""
    crossed = _crossed(drawing)
    layouts = []
    for from_above in (True, False):
        for from_left in (True, False):
            view = _View.of(drawing, from_above, from_left)
            xs = view.compact(*view.align(crossed))
            layouts.append(xs if from_left else [-x for x in xs])
    _align_layouts(layouts)
    return [sum(sorted(places)[1:3]) / 2 for places in zip(*layouts, strict=True)]


def _crossed(drawing: Spaced) -> set[tuple[int, int]]:
    """The arcs (upper, lower) that cross a piece of a long link: the long link goes straight."""
    crossed = set()
    for upper, lower in pairwise(drawing.layers):
        place = {node: p for p, node in enumerate(upper)}
        start, first = 0, -1
        for p, node in enumerate(lower):
            inner = next((u for u, _, _ in drawing.up[node] if drawing.is_dummy[u]), None)
            if not drawing.is_dummy[node]:
                inner = None
            if inner is None and p + 1 < len(lower):
                continue
            end = len(upper) if inner is None else place[inner]
            for each in lower[start : p + 1]:
                for u, _, _ in drawing.up[each]:
                    is_inner = drawing.is_dummy[u] and drawing.is_dummy[each]
                    if not is_inner and not first <= place[u] <= end:
                        crossed.add((u, each))
            start, first = p + 1, end
    return crossed


@dataclass(frozen=True)
class _View:
    """The drawing as seen from one of its four corners."""

    layers: list[list[int]]
    before: Ends
    sign: float
    from_above: bool
    gap: Callable[[int, int], float]

    @classmethod
    def of(cls, drawing: Spaced, from_above: bool, from_left: bool) -> _View:
        layers = [list(layer if from_left else reversed(layer)) for layer in drawing.layers]
        if not from_above:
            layers.reverse()
        before = drawing.up if from_above else drawing.down
        return cls(layers, before, 1.0 if from_left else -1.0, from_above, drawing.gap)

    def align(self, crossed: set[tuple[int, int]]) -> tuple[list[int], list[float]]:
        """Return the block of each node, named after its first one, and its offset in it."""
        count = len(self.before)
        block = list(range(count))
        shift = [0.0] * count
        for earlier, layer in pairwise(self.layers):
            place = {node: p for p, node in enumerate(earlier)}
            last = -1.0
            taken: set[int] = set()
            for node in layer:
                ends = sorted(
                    (place[other] + 1e-6 * self.sign * there, other, there, here)
                    for other, there, here in self.before[node]
                )
                for middle in dict.fromkeys(((len(ends) - 1) // 2, len(ends) // 2)):
                    if not ends:
                        break
                    where, other, there, here = ends[middle]
                    arc = (other, node) if self.from_above else (node, other)
                    if arc in crossed or other in taken or where <= last:
                        continue
                    taken.add(other)
                    last = where
                    block[node] = block[other]
                    shift[node] = shift[other] + self.sign * (there - here)
                    break
        return block, shift

    def compact(self, block: list[int], shift: list[float]) -> list[float]:
        """Return the places: blocks as far left as they can be, then close to what follows."""
        after: list[dict[int, float]] = [{} for _ in block]
        waits = [0] * len(block)
        for layer in self.layers:
            for a, b in pairwise(layer):
                need = self.gap(a, b) + shift[a] - shift[b]
                if block[b] not in after[block[a]]:
                    waits[block[b]] += 1
                    after[block[a]][block[b]] = need
                else:
                    after[block[a]][block[b]] = max(need, after[block[a]][block[b]])
        order = [node for node, owner in enumerate(block) if node == owner and not waits[node]]
        x = [0.0] * len(block)
        for node in order:  # it grows
            for other, need in after[node].items():
                x[other] = max(x[other], x[node] + need)
                waits[other] -= 1
                if not waits[other]:
                    order.append(other)
        for node in reversed(order):
            if after[node]:
                x[node] = min(x[other] - need for other, need in after[node].items())
        return [x[owner] + moved for owner, moved in zip(block, shift, strict=True)]


def _align_layouts(layouts: list[list[float]]) -> None:
    """Move layouts onto the narrowest: by their left ends, and those that lean right by theirs."""
    widths = [max(xs) - min(xs) for xs in layouts]
    narrowest = layouts[widths.index(min(widths))]
    left, right = min(narrowest), max(narrowest)
    for i, xs in enumerate(layouts):
        move = left - min(xs) if i % 2 == 0 else right - max(xs)
        layouts[i] = [x + move for x in xs]
