"""Which numbers of a step a page holds: all of a small one; of a large one, those that are opened.

A step of a network with 670,000 weights has 12 million numbers, 66 MB in a page, and nobody opens
more than some hundred of them. Small values are held whole. Of the others, a number that can be
opened is held with all that it is made of, so that what opens is complete; its largest terms open
in turn, as far as there is room. First come those that somebody asked for, then those that are
proved, those that stand in the picture of the network, and the largest of each value.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from chainrule.base.errors import NameNotFoundError
from chainrule.explanation.expansion import INLINED_AT_MOST, is_known, leaves, one_op
from chainrule.explanation.forms import Form, form_of
from chainrule.explanation.page.network import drawn_in
from chainrule.explanation.symbols import NEXT
from chainrule.explanation.trace import Array, Place, Trace
from chainrule.graph import Graph

EVERYTHING = 1_500_000
"""Bytes up to which all numbers are held."""
WHOLE = 500_000
"""Bytes of the values that are held whole otherwise, the smallest first."""
OPENED = 1_100_000
"""Bytes of the others' numbers; each is held with its place."""

FOLLOWED = 16  # of a sum, how many terms are opened in turn
OPENED_AT_MOST = 4_000
TRIES = 100  # numbers that do not fit, before the page is full
LARGEST = 6  # of each value, as the page lists them
FADING = 0.7  # a level further down is worth so much less
ASKED, PROVED, DRAWN, LARGE = 1e9, 1.0, 0.5, 0.03

_PLACE = 4  # bytes

Spot = tuple[int, int]  # a node, and the offset of one of its numbers


@dataclass(frozen=True)
class Asked:
    """What somebody wants to be in a page.

    Parameters
    ----------
    whole : frozenset of int
        Nodes.
    numbers : tuple of (node, offset)
    """

    whole: frozenset[int] = frozenset()
    numbers: tuple[Spot, ...] = ()


def asked_for(trace: Trace, include: str | Sequence[str]) -> Asked:
    """Read names of numbers and of values; ``*`` stands for anything.

    Raises
    ------
    NameNotFoundError, ShapeError
        If there is no such value, or no such number in it.
    """
    graph = trace.graph
    known = {**graph.positions, **graph.labels}
    whole: set[int] = set()
    numbers: dict[Spot, None] = {}
    for text in [include] if isinstance(include, str) else include:
        if text == "*":
            whole.update(range(len(graph.nodes)))
        elif "*" in text:
            found = {at for name, at in known.items() if fnmatchcase(name, text)}
            if not found:
                raise NameNotFoundError.among("value", text, list(known))
            whole |= found
        elif text in known and graph.nodes[known[text]].shape:
            whole.add(known[text])
        else:
            numbers[_spot(graph, trace.find(text))] = None
    return Asked(frozenset(whole), tuple(numbers))


def held_in_part(trace: Trace, asked: Asked, proved: Sequence[Spot]) -> dict[int, Array]:
    """The values that are not held whole, each with the offsets of the numbers that are.

    Parameters
    ----------
    trace : Trace
        With composites opened.
    asked : Asked
    proved : sequence of (node, offset)
        The numbers whose proofs the page holds.
    """
    step = _Step(trace, [_form(trace, i) for i in range(len(trace.graph.nodes))])
    sizes = {
        i: _bytes(trace, i) for i, form in enumerate(step.forms) if not (form and form.is_move)
    }
    if sum(sizes.values()) <= EVERYTHING:
        return {}
    room = WHOLE
    part = []
    for i in sorted(sizes, key=lambda i: (sizes[i], i)):
        room -= 0 if i in asked.whole else sizes[i]
        if room < 0 and i not in asked.whole:
            part.append(i)
    choice = _Choice(step, {i: np.zeros(trace.graph.nodes[i].type.size, bool) for i in part})
    for spot in asked.numbers:
        choice.suggest(ASKED, spot)
    for spot in proved:
        choice.suggest(PROVED, spot)
    for drawn, is_first in drawn_in(trace):
        choice.keep(drawn)
        if is_first:
            choice.suggest(DRAWN, drawn)
    for spot in _largest(trace, part):
        choice.keep(spot)
        choice.suggest(LARGE, spot)
    choice.follow()
    return {i: np.flatnonzero(mask).astype(np.uint32) for i, mask in choice.masks.items()}


@dataclass(frozen=True)
class _Step:
    """A trace with composites opened, and the form of each of its nodes."""

    trace: Trace
    forms: Sequence[Form | None]


@dataclass
class _Choice:
    """What is held by now, and what could be opened next, the weightiest first."""

    step: _Step
    masks: dict[int, Array]
    room: int = OPENED
    waiting: list[tuple[float, Spot]] = field(default_factory=list)
    known: set[Spot] = field(default_factory=set)

    def suggest(self, weight: float, spot: Spot) -> None:
        """Let a number be opened, and its gradient and what it becomes, where it has them."""
        for each in (spot, *_related(self.step.trace, spot)):
            self._push(weight, each)

    def keep(self, spot: Spot) -> None:
        """Hold a number, and its gradient and what it becomes, whether it opens or not."""
        for position, offset in (spot, *_related(self.step.trace, spot)):
            self._hold({position: np.array([offset])})

    def follow(self) -> None:
        """Open numbers as long as there is room."""
        tries = TRIES
        for _ in range(OPENED_AT_MOST):
            if not self.waiting or not tries:
                break
            weight, spot = heapq.heappop(self.waiting)
            needed = _needed(self.step, spot)
            if self._cost(needed) > self.room:
                tries -= 1  # a smaller one may fit
                continue
            self._hold(needed)
            for share, part in _parts(self.step, spot):
                self._push(-weight * share * FADING, part)

    def _push(self, weight: float, spot: Spot) -> None:
        if spot not in self.known:
            self.known.add(spot)
            heapq.heappush(self.waiting, (-weight, spot))

    def _cost(self, needed: dict[int, Array]) -> int:
        return sum(
            int(np.count_nonzero(~self.masks[i][offsets])) * _cost_of_one(self.step.trace, i)
            for i, offsets in needed.items()
            if i in self.masks
        )

    def _hold(self, needed: dict[int, Array]) -> None:
        self.room -= self._cost(needed)
        for i, offsets in needed.items():
            if i in self.masks:
                self.masks[i][offsets] = True


def _needed(step: _Step, spot: Spot) -> dict[int, Array]:
    """All that stands in the formula of a number, by node: its parts, and what is inside of them.

    A sum of many terms that has no name stands there as one number, and opens on its own.
    """
    found: dict[int, list[Array]] = {}
    stack = [(spot[0], np.array([spot[1]]))]
    while stack:
        position, offsets = stack.pop()
        found.setdefault(position, []).append(offsets)
        is_first = position == spot[0]
        node = step.trace.graph.nodes[position]
        if not node.inputs or (not is_first and is_known(step.trace, Place(position, ()))):
            continue
        form = step.forms[position]
        if not is_first and form is not None and math.prod(form.sizes) > INLINED_AT_MOST:
            continue
        stack += [(i, np.unique(o)) for i, o in _operands(step, position, offsets)]
    return {i: np.unique(np.concatenate(offsets)) for i, offsets in found.items()}


def _parts(step: _Step, spot: Spot) -> Iterator[tuple[float, Spot]]:
    """The operands of a number with their share in it; of a sum, those of the largest terms."""
    position, offset = spot
    if not step.trace.graph.nodes[position].inputs:
        return
    operands = _operands(step, position, np.array([offset]))
    form = step.forms[position]
    if form is None or not form.fold:
        for i, offsets in operands:
            for each in offsets.ravel()[:FOLLOWED]:
                yield 1.0, (i, int(each))
        return
    with np.errstate(all="ignore"):
        terms = np.prod([abs(_floats(step.trace, i)[o.ravel()]) for i, o in operands], axis=0)
        shares = np.nan_to_num(terms / terms.sum())
    for k in np.argsort(-shares, kind="stable")[:FOLLOWED]:
        for i, offsets in operands:
            yield float(shares[k]), (i, int(offsets.ravel()[k]))


def _operands(step: _Step, position: int, offsets: Array) -> list[tuple[int, Array]]:
    """Where the operands of some numbers are: a row for each number, a column for each term."""
    graph = step.trace.graph
    node = graph.nodes[position]
    shape = tuple(map(int, node.shape))
    form = step.forms[position]
    if form is None:
        return _listed(step, position, offsets)
    index = np.unravel_index(offsets, shape) if shape else ()
    grid = np.indices(form.sizes or (1,)).reshape(max(len(form.sizes), 1), -1)
    variables: list[Array] = [axis[:, None] for axis in index] + [axis[None, :] for axis in grid]
    found = []
    for operand in form.operands:
        i = node.inputs[operand.input]
        at = np.zeros((len(offsets), grid.shape[1]), np.int64)
        for size, axis in zip(graph.nodes[i].shape, operand.axes, strict=True):
            at = at * int(size) + axis.constant
            for coefficient, variable in zip(axis.coefficients, variables, strict=False):
                if coefficient:
                    at = at + coefficient * variable
        found.append((i, at))
    return found


def _listed(step: _Step, position: int, offsets: Array) -> list[tuple[int, Array]]:
    """The same of an op whose elements differ in more than where they are."""
    shape = tuple(map(int, step.trace.graph.nodes[position].shape))
    found: dict[int, list[int]] = {}
    for offset in offsets.ravel()[:OPENED_AT_MOST]:
        index = tuple(map(int, np.unravel_index(offset, shape))) if shape else ()
        for leaf in leaves(one_op(step.trace, Place(position, index))):
            i, at = _spot(step.trace.graph, leaf)
            found.setdefault(i, []).append(at)
    return [(i, np.array(at)[None, :]) for i, at in found.items()]


def _related(trace: Trace, spot: Spot) -> list[Spot]:
    """A parameter, its gradient, what it becomes: the others of these three."""
    graph = trace.graph
    name = graph.name_of(spot[0]).removeprefix(NEXT).removeprefix("d_")
    found = [
        graph.positions.get(other, graph.labels.get(other))
        for other in (name, f"d_{name}", f"{NEXT}{name}")
    ]
    shape = graph.nodes[spot[0]].shape
    return [
        (i, spot[1])
        for i in found
        if i is not None and i != spot[0] and graph.nodes[i].shape == shape
    ]


def _largest(trace: Trace, positions: Sequence[int]) -> Iterator[Spot]:
    """The largest numbers of each value that has a name."""
    for i in positions:
        if trace.graph.nodes[i].name is not None:
            sizes = np.nan_to_num(abs(_floats(trace, i)))
            for offset in np.argpartition(-sizes, LARGEST)[:LARGEST]:
                yield i, int(offset)


def _form(trace: Trace, position: int) -> Form | None:
    node = trace.graph.nodes[position]
    return form_of(node, [trace.graph.nodes[i].type for i in node.inputs])


def _bytes(trace: Trace, position: int) -> int:
    node = trace.graph.nodes[position]
    return int(node.type.size * node.dtype.numpy.itemsize)


def _cost_of_one(trace: Trace, position: int) -> int:
    return _PLACE + int(trace.graph.nodes[position].dtype.numpy.itemsize)


def _floats(trace: Trace, position: int) -> Array:
    return trace.values[position].reshape(-1).astype(np.float64, copy=False)


def _spot(graph: Graph, place: Place) -> Spot:
    shape = tuple(map(int, graph.nodes[place.node].shape))
    return place.node, int(np.ravel_multi_index(place.index, shape)) if shape else 0
