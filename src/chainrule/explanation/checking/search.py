"""Which mistakes explain what a learner wrote: one, or two that were made together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import CircularError, Draft
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.mistake import Fault, faults_of
from chainrule.explanation.trace import Array


@dataclass(frozen=True, eq=False)
class Suspicion:
    """A fault that was tried: what it makes of the values that the learner wrote down.

    Parameters
    ----------
    fault : Fault
    moved : frozenset of int
        Which entries it makes other than they truly are, by number.
    explained : frozenset of int
        Which entries are as it makes them.
    touched : frozenset of int
        The nodes that it changes.
    """

    fault: Fault
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
        truth = anatomy.values
        self.wrong = frozenset(
            k for k, entry in enumerate(entries) if not entry.agrees(truth[entry.position])
        )
        # Wrong ones first: most faults fail there. Among them those first that are computed first,
        # for they depend on fewest nodes.
        self._order = sorted(
            range(len(self.entries)),
            key=lambda k: (k not in self.wrong, self.entries[k].position),
        )

    @cached_property
    def faults(self) -> tuple[tuple[Fault, Draft], ...]:
        """Every mistake at every place of the step, made."""
        return tuple((fault, _drafted(self.anatomy, (fault,))) for fault in faults_of(self.anatomy))

    @cached_property
    def suspicions(self) -> tuple[Suspicion, ...]:
        """Every fault that changes what the learner wrote down."""
        tried = (self._tried(fault, draft) for fault, draft in self.faults)
        return tuple(suspicion for suspicion in tried if suspicion and suspicion.moved)

    def single(self) -> list[Suspicion]:
        """The faults that explain all."""
        found = []
        for fault, draft in self.faults:
            if self._explains(draft, self._order):
                suspicion = self._tried(fault, draft)
                if suspicion is not None:
                    found.append(suspicion)
        return found

    def pairs(self) -> list[tuple[Suspicion, Suspicion]]:
        """The pairs of faults that explain all together, each of them being needed."""
        return [pair for pair in self._candidates() if self._explain_together(*pair)]

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

    def _tried(self, fault: Fault, draft: Draft) -> Suspicion | None:
        moved, explained = set(), set()
        reached = draft.reached
        for k, entry in enumerate(self.entries):
            if not reached >> entry.position & 1:
                if k not in self.wrong:
                    explained.add(k)
                continue
            try:
                value = draft.values([entry.position])[entry.position]
            except CircularError:
                return None
            if entry.agrees(value):
                explained.add(k)
            if self._differs(entry, value):
                moved.add(k)
        return Suspicion(fault, frozenset(moved), frozenset(explained), frozenset(draft.changed))

    def _explains(self, draft: Draft, among: Sequence[int]) -> bool:
        """Whether a draft has these entries as they were written."""
        reached = draft.reached
        wanted = [self.entries[k].position for k in among if k in self.wrong]
        if not all(reached >> position & 1 for position in wanted):
            return False
        try:
            for k in among:
                position = self.entries[k].position
                if not reached >> position & 1:
                    continue
                # One after the other: most fail at the first.
                if not self.entries[k].agrees(draft.values([position])[position]):
                    return False
        except CircularError:
            return False
        return True

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
            if not self.wrong:
                return
            for second in found[i + 1 :]:
                if not self.wrong <= first.moved | second.moved:
                    continue
                if not first.moved - second.moved <= first.explained:
                    continue
                if second.moved - first.moved <= second.explained:
                    yield first, second

    def _explain_together(self, first: Suspicion, second: Suspicion) -> bool:
        both = first.moved & second.moved
        if not both:
            return True
        among = [k for k in self._order if k in both]
        faults = (first.fault, second.fault)
        # What was put in the place of a node first is a part of what is put there next.
        orders = [faults, faults[::-1]] if first.touched & second.touched else [faults]
        return any(self._explains(_drafted(self.anatomy, order), among) for order in orders)


def _drafted(anatomy: Anatomy, faults: Sequence[Fault]) -> Draft:
    draft = Draft(anatomy)
    for fault in faults:
        fault.change(draft)
    return draft
