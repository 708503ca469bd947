"""Each mistake at each place of a step, made: what it makes of the values that were written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.comparison import Comparison, bits_of
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.ledger import Ledger
from chainrule.explanation.checking.mistake import Fault, faults_of
from chainrule.explanation.checking.parts import Parts
from chainrule.explanation.checking.version import Single


class Suspects:
    """Every mistake at every place of a step, made; for all that is searched for on it.

    Parameters
    ----------
    anatomy : Anatomy
    """

    def __init__(self, anatomy: Anatomy) -> None:
        self.anatomy = anatomy
        self.ledger = Ledger(anatomy)
        self.parts = Parts(self.ledger)

    @cached_property
    def made(self) -> tuple[tuple[Fault, Draft, Single], ...]:
        """Each fault, the draft that has it alone, and what that computes."""
        found = []
        for fault in faults_of(self.anatomy):
            draft = drafted(self.anatomy, (fault,))
            found.append((fault, draft, draft.version(self.ledger)))
        return tuple(found)


class Suspicion:
    """A fault that was tried: what it makes of the values that the learner wrote down.

    Each value is computed when it is asked for: of a large network most are never needed.

    Parameters
    ----------
    comparison : Comparison
    fault : Fault
    draft : Draft
        The step with this fault alone.
    version : Single
        The same, computed.
    """

    def __init__(self, comparison: Comparison, fault: Fault, draft: Draft, version: Single) -> None:
        self.comparison, self.fault, self.draft, self.version = comparison, fault, draft, version
        self.reached = comparison.among(version.reached)
        """The entries that depend on what it changes, though they may come out the same."""

    @cached_property
    def moved(self) -> int:
        """The entries that it makes other than they truly are: a bit for each.

        Be it in digits that nobody wrote down: beside another mistake they may count.
        """
        return bits_of(k for k in self._every if self._differs(k))

    @cached_property
    def fitting(self) -> int:
        """The entries that are as it makes them: a bit for each."""
        return bits_of(k for k in self._every if self.explains(k))

    def compare(self) -> None:
        """Find out what it moves, and what it explains."""
        _ = self.moved, self.fitting

    def reached_beside(self, other: Suspicion) -> int:
        """What it reaches where the other fault has been made, too.

        The other may use what this one changes.
        """
        uses = other.version.used & self.version.reached
        return self.reached | (other.reached if uses else 0)

    def explains(self, k: int) -> bool:
        """Whether an entry is as it makes it."""
        if not self.reached >> k & 1:
            return k not in self.comparison.wrong
        return self.comparison.agrees(k, self.version)

    @property
    def explained(self) -> frozenset[int]:
        """Which entries are as it makes them."""
        return frozenset(k for k in self._every if self.explains(k))

    @property
    def _every(self) -> range:
        return range(len(self.comparison.entries))

    def _differs(self, k: int) -> bool:
        return bool(self.reached >> k & 1) and self.comparison.differs(k, self.version)


def drafted(anatomy: Anatomy, faults: Sequence[Fault]) -> Draft:
    """The step with faults made in it, one after the other."""
    draft = Draft(anatomy)
    for fault in faults:
        fault.change(draft)
    return draft
