"""Which mistakes explain what a learner wrote: one, or two that were made together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import combinations

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import CircularError, Draft
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.mistake import Fault, faults_of
from chainrule.explanation.trace import Array

_SAME = 1e-9  # of a number: what adding up in another order makes of float64, with room


class Suspicion:
    """A fault that was tried: what it makes of the values that the learner wrote down.

    Each value is computed when it is asked for: of a large network most are never needed.

    Parameters
    ----------
    search : Search
    fault : Fault
    """

    def __init__(self, search: Search, fault: Fault) -> None:
        self.search, self.fault = search, fault
        self.draft = _drafted(search.anatomy, (fault,))
        self._reached = self.draft.reached
        self._found: dict[int, tuple[bool, bool]] = {}

    def reaches(self, k: int) -> bool:
        """Whether an entry depends on what it changes, though it may come out the same."""
        return bool(self._reached >> self.search.entries[k].position & 1)

    def reaches_beside(self, k: int, other: Suspicion) -> bool:
        """The same, where the other fault has been made, too: it may use what this one changes."""
        return self.reaches(k) or (other.reaches(k) and bool(other.draft.used & self._reached))

    def moves(self, k: int) -> bool:
        """Whether it makes an entry other than it truly is.

        Be it in digits that nobody wrote down: beside another mistake they may count.
        """
        return self.reaches(k) and self._tried(k)[0]

    def explains(self, k: int) -> bool:
        """Whether an entry is as it makes it."""
        return self._tried(k)[1] if self.reaches(k) else k not in self.search.wrong

    @property
    def explained(self) -> frozenset[int]:
        """Which entries are as it makes them."""
        return frozenset(k for k in range(len(self.search.entries)) if self.explains(k))

    def _tried(self, k: int) -> tuple[bool, bool]:
        if k not in self._found:
            self._found[k] = self.search.compared(k, self.draft)
        return self._found[k]


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
    def suspicions(self) -> tuple[Suspicion, ...]:
        """Every mistake at every place of the step, made."""
        return tuple(Suspicion(self, fault) for fault in faults_of(self.anatomy))

    def single(self) -> list[Suspicion]:
        """The faults that explain all."""
        found = []
        for suspicion in self.suspicions:
            if all(suspicion.reaches(k) for k in self.wrong) and all(
                suspicion.explains(k) for k in self._order
            ):
                found.append(suspicion)
            suspicion.draft.forget()
        return found

    def pairs(self) -> list[tuple[Suspicion, Suspicion]]:
        """The pairs of faults that explain all together, each of them being needed."""
        self._try_all()
        # One mistake may bring out what another does: weight decay, which no gradient knows of,
        # has a part in one that goes through updated weights. Such pairs are looked for last,
        # since fewer can be ruled out by what each of them does alone.
        for each_moves in (True, False):
            found = [
                pair
                for pair in combinations(self.suspicions, 2)
                if self._explain_together(*pair, each_moves)
            ]
            if found:
                return found
        return []

    def nearest(self) -> list[Suspicion]:
        """The faults that explain most of what is wrong, and spoil nothing that is right."""
        self._try_all()
        right = [k for k in self._order if k not in self.wrong]
        gain = {
            suspicion: sum(suspicion.explains(k) for k in self.wrong)
            for suspicion in self.suspicions
            if any(suspicion.reaches(k) for k in self.wrong)
            and all(suspicion.explains(k) for k in right)
        }
        most = max(gain.values(), default=0)
        return [suspicion for suspicion, count in gain.items() if most and count == most]

    def _try_all(self) -> None:
        for suspicion in self.suspicions:
            for k in self._order:
                suspicion.moves(k)
            suspicion.draft.forget()

    def compared(self, k: int, draft: Draft) -> tuple[bool, bool]:
        """Whether a draft has an entry other than it truly is, and whether as it was written."""
        entry = self.entries[k]
        try:
            value = draft.values([entry.position])[entry.position]
        except CircularError:
            return True, False
        return self._differs(entry, value), entry.agrees(value)

    def _agrees(self, k: int, draft: Draft) -> bool:
        position = self.entries[k].position
        try:
            return self.entries[k].agrees(draft.values([position])[position])
        except CircularError:
            return False

    def _differs(self, entry: Entry, value: Array) -> bool:
        truth, found = (
            entry.expected(each) for each in (self.anatomy.values[entry.position], value)
        )
        with np.errstate(all="ignore"):
            near = np.abs(truth - found) <= _SAME * np.maximum(np.abs(truth), np.abs(found))
        return bool((entry.given & ~(near | (truth == found))).any())

    def _explain_together(self, first: Suspicion, second: Suspicion, each_moves: bool) -> bool:
        """Whether two faults explain all; what only one of them has a part in, that one does.

        A fault has a part in what it moves, or in all that it reaches.
        """
        both = []
        for k in self._order:
            if each_moves:
                by_first, by_second = first.moves(k), second.moves(k)
            else:
                by_first = first.reaches_beside(k, second)
                by_second = second.reaches_beside(k, first)
            if by_first and by_second:
                both.append(k)
            elif by_first or by_second:
                if not (first if by_first else second).explains(k):
                    return False
            elif k in self.wrong:
                return False
        return self._drafts_agree(first, second, both)

    def _drafts_agree(self, first: Suspicion, second: Suspicion, among: Sequence[int]) -> bool:
        """Whether the faults, made one after the other, give these entries."""
        if not among:
            return True
        # One entry after the other: most pairs fail at the first.
        return any(
            all(self._agrees(k, draft) for k in among) for draft in self._drafts_of(first, second)
        )

    def _drafts_of(self, first: Suspicion, second: Suspicion) -> tuple[Draft, ...]:
        faults = (first.fault, second.fault)
        # What was put in the place of a node first is a part of what is put there next.
        clash = first.draft.changed & second.draft.changed
        orders = [faults, faults[::-1]] if clash else [faults]
        return tuple(_drafted(self.anatomy, order) for order in orders)


def _drafted(anatomy: Anatomy, faults: Sequence[Fault]) -> Draft:
    draft = Draft(anatomy)
    for fault in faults:
        fault.change(draft)
    return draft
