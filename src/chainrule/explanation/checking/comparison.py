"""What a learner wrote beside what versions of the step have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.glance import Glance
from chainrule.explanation.checking.parts import Parts
from chainrule.explanation.checking.version import CircularError, Version


class Comparison:
    """Entries beside versions of a step.

    Parameters
    ----------
    anatomy : Anatomy
    entries : sequence of Entry
    parts : Parts
    """

    def __init__(self, anatomy: Anatomy, entries: Sequence[Entry], parts: Parts) -> None:
        self.anatomy, self.entries, self.parts = anatomy, tuple(entries), parts
        truth = anatomy.values
        self.wrong = frozenset(
            k for k, entry in enumerate(entries) if not entry.agrees(truth[entry.position])
        )
        # What was found out about a value holds wherever it comes from: by entry and number.
        self._agreeing: dict[tuple[int, int], bool] = {}
        self._differing: dict[tuple[int, int], bool] = {}

    def among(self, positions: int) -> int:
        """The entries of nodes, a bit for each of either."""
        return bits_of(k for k, e in enumerate(self.entries) if positions >> e.position & 1)

    def agrees(self, k: int, version: Version) -> bool:
        """Whether an entry is as it was written, in a version of the step."""
        try:
            number = version.number(self.entries[k].position)
        except CircularError:
            return False
        found = self._agreeing.get((k, number))
        if found is None and self.glances[k].refutes(number):
            found = self._agreeing[k, number] = False
        if found is None:
            found = self.entries[k].agrees(self.parts.ledger.value(number))
            self._agreeing[k, number] = found
        return found

    def differs(self, k: int, version: Version) -> bool:
        """Whether an entry is other than it truly is, in a version of the step."""
        try:
            number = version.number(self.entries[k].position)
        except CircularError:
            return True
        found = self._differing.get((k, number))
        if found is None and self.glances[k].tells_from_truth(number):
            found = self._differing[k, number] = True
        if found is None:
            entry, value = self.entries[k], self.parts.ledger.value(number)
            found = entry.tells_apart(self.anatomy.values[entry.position], value)
            self._differing[k, number] = found
        return found

    @cached_property
    def glances(self) -> Sequence[Glance]:
        """Where to look at each entry first."""
        return [Glance(self.anatomy, entry, self.parts) for entry in self.entries]


def bits_of(entries: Iterable[int]) -> int:
    """Entries as a number with a bit for each."""
    return sum(1 << k for k in entries)
