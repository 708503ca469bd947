"""Which mistakes explain what a learner wrote: one, or two that were made together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.mistake import Fault, faults_of
from chainrule.explanation.trace import Array


@dataclass(frozen=True, eq=False)
class Suspicion:
    """A fault that was tried: what it makes of the values that the learner wrote down.

    Parameters
    ----------
    fault : Fault
    values : dict of int to array
    moved : frozenset of int
        Which entries it makes other than they truly are, by number.
    explained : frozenset of int
        Which entries are as it makes them.
    touched : frozenset of int
        The nodes that it changes.
    """

    fault: Fault
    values: dict[int, Array]
    moved: frozenset[int]
    explained: frozenset[int]
    touched: frozenset[int]


class Search:
    """The search for what explains a submission.

    Parameters
    ----------
    anatomy : Anatomy
    entries : sequence of Entry
    """

    def __init__(self, anatomy: Anatomy, entries: Sequence[Entry]) -> None:
        self.anatomy = anatomy
        self.entries = tuple(entries)
        self.positions = tuple(dict.fromkeys(entry.position for entry in entries))
        truth = anatomy.values
        self.wrong = frozenset(
            k for k, entry in enumerate(entries) if not entry.agrees(truth[entry.position])
        )

    @cached_property
    def suspicions(self) -> tuple[Suspicion, ...]:
        """Every fault that changes what the learner wrote down."""
        tried = (self._tried(fault) for fault in faults_of(self.anatomy))
        return tuple(suspicion for suspicion in tried if suspicion.moved)

    def single(self) -> list[Suspicion]:
        """The faults that explain all."""
        whole = frozenset(range(len(self.entries)))
        return [suspicion for suspicion in self.suspicions if suspicion.explained == whole]

    def pairs(self) -> list[tuple[Suspicion, Suspicion]]:
        """The pairs of faults that explain all together, each of them being needed."""
        return [pair for pair in self._candidates() if self._explains(pair)]

    def nearest(self) -> list[Suspicion]:
        """The faults that explain most of what is wrong, and spoil nothing that is right."""
        right = frozenset(range(len(self.entries))) - self.wrong
        gain = {
            id(suspicion): len(suspicion.explained & self.wrong)
            for suspicion in self.suspicions
            if right <= suspicion.explained
        }
        most = max(gain.values(), default=0)
        return [s for s in self.suspicions if most and gain.get(id(s)) == most]

    def _tried(self, fault: Fault) -> Suspicion:
        draft = Draft(self.anatomy)
        fault.change(draft)
        values = draft.values(self.positions)
        moved, explained = set(), set()
        for k, entry in enumerate(self.entries):
            value = values[entry.position]
            if entry.agrees(value):
                explained.add(k)
            if value is not self.anatomy.values[entry.position] and self._differs(entry, value):
                moved.add(k)
        touched = frozenset(draft.changed)
        return Suspicion(fault, values, frozenset(moved), frozenset(explained), touched)

    def _differs(self, entry: Entry, value: Array) -> bool:
        """Whether it would have been written down differently."""
        truth, found = (
            entry.expected(each) for each in (self.anatomy.values[entry.position], value)
        )
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(truth), np.abs(found))
            near = np.abs(truth - found) <= entry.unit + 1e-9 * size
        return bool((entry.given & ~(near | (truth == found))).any())

    def _candidates(self) -> Iterator[tuple[Suspicion, Suspicion]]:
        """Pairs that may explain all: what only one of them moves, that one explains."""
        found = self.suspicions
        for i, first in enumerate(found):
            if not first.moved <= self.wrong:
                continue
            for second in found[i + 1 :]:
                if first.moved | second.moved != self.wrong:
                    continue
                if not (first.moved - second.moved <= first.explained):
                    continue
                if second.moved - first.moved <= second.explained:
                    yield first, second

    def _explains(self, pair: tuple[Suspicion, Suspicion]) -> bool:
        first, second = pair
        both = first.moved & second.moved
        if not both:
            return True
        orders = [pair, pair[::-1]] if first.touched & second.touched else [pair]
        entries = [self.entries[k] for k in sorted(both)]
        for order in orders:
            draft = Draft(self.anatomy)
            for suspicion in order:
                suspicion.fault.change(draft)
            # One after the other: most pairs fail at the first.
            if all(
                entry.agrees(draft.values([entry.position])[entry.position]) for entry in entries
            ):
                return True
        return False
