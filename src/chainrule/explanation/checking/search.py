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

_SAME = 1e-9  # of a number: what adding up in another order makes of float64, with room


@dataclass(frozen=True, eq=False)
class Suspicion:
    """A fault that was tried: what it makes of the values that the learner wrote down.

    Parameters
    ----------
    fault : Fault
    moved : frozenset of int
        Which entries it makes other than they truly are, by number, be it in digits that nobody
        wrote down: beside another mistake they may count.
    explained : frozenset of int
        Which entries are as it makes them.
    reached : frozenset of int
        Which entries depend on what it changes, though they may come out the same.
    draft : Draft
        The step with the fault in it.
    """

    fault: Fault
    moved: frozenset[int]
    explained: frozenset[int]
    reached: frozenset[int]
    draft: Draft

    def reached_beside(self, other: Suspicion) -> frozenset[int]:
        """Which entries depend on what it changes, where the other fault has been made, too."""
        if other.draft.used & self.draft.reached:
            return self.reached | other.reached
        return self.reached


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
        # One mistake may bring out what another does: weight decay, which no gradient knows of,
        # has a part in one that goes through updated weights. Such pairs are looked for last,
        # since fewer can be ruled out by what each of them does alone.
        for each_moves in (True, False):
            pairs = self._candidates(each_moves)
            found = [(a, b) for a, b, both in pairs if self._explain_together(a, b, both)]
            if found:
                return found
        return []

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
        by = frozenset(k for k, entry in enumerate(self.entries) if reached >> entry.position & 1)
        return Suspicion(fault, frozenset(moved), frozenset(explained), by, draft)

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
        truth, found = (
            entry.expected(each) for each in (self.anatomy.values[entry.position], value)
        )
        with np.errstate(all="ignore"):
            near = np.abs(truth - found) <= _SAME * np.maximum(np.abs(truth), np.abs(found))
        return bool((entry.given & ~(near | (truth == found))).any())

    def _candidates(
        self, each_moves: bool
    ) -> Iterator[tuple[Suspicion, Suspicion, frozenset[int]]]:
        """Pairs that may explain all, and the entries that both of them have a part in.

        What only one of them has a part in, that one explains.
        """
        found = self.suspicions
        for i, first in enumerate(found):
            for second in found[i + 1 :]:
                if each_moves:
                    by_first, by_second = first.moved, second.moved
                else:
                    by_first = first.reached_beside(second)
                    by_second = second.reached_beside(first)
                if (
                    self.wrong <= by_first | by_second
                    and by_first - by_second <= first.explained
                    and by_second - by_first <= second.explained
                ):
                    yield first, second, by_first & by_second

    def _explain_together(self, first: Suspicion, second: Suspicion, both: frozenset[int]) -> bool:
        if not both:
            return True
        among = [k for k in self._order if k in both]
        faults = (first.fault, second.fault)
        # What was put in the place of a node first is a part of what is put there next.
        clash = first.draft.changed & second.draft.changed
        orders = [faults, faults[::-1]] if clash else [faults]
        return any(self._explains(_drafted(self.anatomy, order), among) for order in orders)


def _drafted(anatomy: Anatomy, faults: Sequence[Fault]) -> Draft:
    draft = Draft(anatomy)
    for fault in faults:
        fault.change(draft)
    return draft
