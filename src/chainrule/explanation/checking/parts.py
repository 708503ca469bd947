"""A few numbers of a value, computed without the others.

A mistake that a learner has not made is wrong in almost every number of a large matrix, so that a
few of them rule it out. For those it takes a few rows of what the matrix is the product of, for
these a few rows of what those are, and so on: up to a value that is summed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from chainrule.explanation.checking.ledger import Ledger
from chainrule.explanation.trace import Array
from chainrule.graph import Node
from chainrule.ops import ElementwiseOp, bind
from chainrule.ops.contract import Contract
from chainrule.ops.reduce import Sum
from chainrule.ops.shape import Transpose

Places: TypeAlias = tuple[tuple[int, ...] | None, ...]
"""For each axis which places of it; None for all of them."""

_ROOM = 1 << 26  # bytes of parts that are kept


def part_of(array: Array, places: Places) -> Array:
    """The numbers of an array at these places."""
    for axis, chosen in enumerate(places):
        if chosen is not None:
            array = np.take(array, chosen, axis=axis)
    return array


@dataclass(eq=False)
class Parts:
    """Parts of the values of a ledger.

    Parameters
    ----------
    ledger : Ledger
    """

    ledger: Ledger
    _found: dict[tuple[int, Places], Array] = field(default_factory=dict)
    _held: int = 0
    _nodes: dict[tuple[int, Places], tuple[Node, Node]] = field(default_factory=dict)

    def of(self, number: int, places: Places) -> Array:
        """The numbers of a value at these places.

        They are those of the whole value but for the order in which sums are added up.
        """
        if not any(places):
            return self.ledger.value(number)
        while self._held > _ROOM:
            self._held -= self._found.pop(next(iter(self._found))).nbytes
        with np.errstate(all="ignore"):
            return self._computed((number, places))

    def _computed(self, wanted: tuple[int, Places]) -> Array:
        found = self._found
        stack = [wanted]
        while stack:
            number, places = stack[-1]
            if (number, places) in found:
                stack.pop()
                continue
            needed = self._needed(number, places)
            if needed is None:
                part = part_of(self.ledger.value(number), places)
            else:
                # What is needed whole is the ledger's: kept here as well, nothing would let it go.
                missing = [each for each in needed if any(each[1]) and each not in found]
                if missing:
                    stack += missing
                    continue
                part = self._made(number, places, needed)
            found[stack.pop()] = part
            self._held += part.nbytes
        return found[wanted]

    def _made(self, number: int, places: Places, needed: Sequence[tuple[int, Places]]) -> Array:
        way = self.ledger.way(number)
        assert way is not None
        operands = [self._narrowed(self.ledger.node(i), where) for i, where in needed]
        arrays = [
            self._found[i, where] if any(where) else self.ledger.value(i) for i, where in needed
        ]
        return self.ledger.compute(self._narrowed(way.step.node, places), operands, arrays)

    def _narrowed(self, node: Node, places: Places) -> Node:
        """A node with the type of a part of it; the same one each time."""
        found = self._nodes.get((id(node), places))
        if found is None:
            shape = tuple(
                int(n) if chosen is None else len(chosen)
                for n, chosen in zip(node.shape, places, strict=True)
            )
            found = (replace(node, shape=shape, name=None), node)  # node is kept: so is its id
            self._nodes[id(node), places] = found
        return found[0]

    def _needed(self, number: int, places: Places) -> list[tuple[int, Places]] | None:
        """Of which parts of its operands a part is computed; None where it takes all of them."""
        way = self.ledger.way(number)
        if way is None or self.ledger.known(number) is not None:
            return None
        nodes = [self.ledger.node(i) for i in way.operands]
        found = places_of_operands(way.step.node, nodes, places)
        return None if found is None else list(zip(way.operands, found, strict=True))


def places_of_operands(node: Node, operands: Sequence[Node], places: Places) -> list[Places] | None:
    """Which places of the operands those of the result are made of.

    None for an op that is not asked for by part: it is computed whole, and its part is taken.
    """
    match bind(node.op, node.attributes):
        case ElementwiseOp():
            return [_aligned(operand, places) for operand in operands]
        case Contract() as op:
            left, right = (len(operand.shape) for operand in operands)
            batch, a_free = len(op.a_batch), len(op.a_free(left))
            in_a = {**_at(op.a_batch, places), **_at(op.a_free(left), places[batch:])}
            in_b = {**_at(op.b_batch, places), **_at(op.b_free(right), places[batch + a_free :])}
            return [_spread(in_a, left), _spread(in_b, right)]
        case Sum() as op:
            rank = len(operands[0].shape)
            kept = [axis for axis in range(rank) if axis not in op.axes]
            return [_spread(_at(kept, places), rank)]
        case Transpose() as op:
            return [_spread(_at(op.axes, places), len(places))]
    return None


def _aligned(operand: Node, places: Places) -> Places:
    """The places of an operand that is repeated along axes that it has one place of, or none."""
    behind = places[len(places) - len(operand.shape) :]
    return tuple(
        None if int(n) == 1 else chosen for n, chosen in zip(operand.shape, behind, strict=True)
    )


def _at(axes: Sequence[int], places: Places) -> dict[int, tuple[int, ...] | None]:
    return dict(zip(axes, places, strict=False))


def _spread(chosen: dict[int, tuple[int, ...] | None], rank: int) -> Places:
    return tuple(chosen.get(axis) for axis in range(rank))


_FEW = 4
"""So many places of an axis are chosen for being large, and as many for being spread."""


def telling_places(true: Array, worst: tuple[int, ...] | None) -> Places:
    """Places of a value at which a mistake shows: large numbers, some others, the worst one.

    Parameters
    ----------
    true : array
        A gradient of an image's border is 0 whatever was done: its largest numbers say more.
    worst : tuple of int, optional
        Where a learner is furthest off.
    """
    return tuple(
        None if n <= 3 * _FEW else tuple(sorted({*_chosen(true, axis), *_some(worst, axis)}))
        for axis, n in enumerate(true.shape)
    )


def _chosen(true: Array, axis: int) -> Iterator[int]:
    others = tuple(k for k in range(true.ndim) if k != axis)
    size = np.abs(np.where(np.isfinite(true), true, 0.0)).max(axis=others, initial=0.0)
    yield from map(int, np.argsort(-size, kind="stable")[:_FEW])
    yield from (k * len(size) // _FEW for k in range(_FEW))


def _some(worst: tuple[int, ...] | None, axis: int) -> tuple[int, ...]:
    return () if worst is None else worst[axis : axis + 1]
