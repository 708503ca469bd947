"""Which mistakes explain what a learner wrote: one, or two that were made together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.glance import Glance
from chainrule.explanation.checking.ledger import Ledger
from chainrule.explanation.checking.mistake import Fault, faults_of
from chainrule.explanation.checking.parts import Parts
from chainrule.explanation.checking.version import (
    CircularError,
    Double,
    Single,
    Version,
    can_follow,
)

_Pair = tuple["Suspicion", "Suspicion"]


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
            draft = _drafted(self.anatomy, (fault,))
            found.append((fault, draft, draft.version(self.ledger)))
        return tuple(found)


class Suspicion:
    """A fault that was tried: what it makes of the values that the learner wrote down.

    Each value is computed when it is asked for: of a large network most are never needed.

    Parameters
    ----------
    search : Search
    fault : Fault
    draft : Draft
        The step with this fault alone.
    version : Single
        The same, computed.
    """

    def __init__(self, search: Search, fault: Fault, draft: Draft, version: Single) -> None:
        self.search, self.fault, self.draft, self.version = search, fault, draft, version
        self.reached = search.among(version.reached)
        """The entries that depend on what it changes, though they may come out the same."""

    @cached_property
    def moved(self) -> int:
        """The entries that it makes other than they truly are: a bit for each.

        Be it in digits that nobody wrote down: beside another mistake they may count.
        """
        return self.search.bits(k for k in self._every if self._differs(k))

    @cached_property
    def fitting(self) -> int:
        """The entries that are as it makes them: a bit for each."""
        return self.search.bits(k for k in self._every if self.explains(k))

    def reached_beside(self, other: Suspicion) -> int:
        """What it reaches where the other fault has been made, too.

        The other may use what this one changes.
        """
        uses = other.version.used & self.version.reached
        return self.reached | (other.reached if uses else 0)

    def explains(self, k: int) -> bool:
        """Whether an entry is as it makes it."""
        if not self.reached >> k & 1:
            return k not in self.search.wrong
        return self.search.agrees(k, self.version)

    @property
    def explained(self) -> frozenset[int]:
        """Which entries are as it makes them."""
        return frozenset(k for k in self._every if self.explains(k))

    @property
    def _every(self) -> range:
        return range(len(self.search.entries))

    def _differs(self, k: int) -> bool:
        return bool(self.reached >> k & 1) and self.search.differs(k, self.version)


class Search:
    """The search for what explains a submission.

    Parameters
    ----------
    anatomy : Anatomy
    entries : sequence of Entry
    suspects : Suspects, optional
        Those of the anatomy, where something was searched for among them before.
    """

    def __init__(
        self, anatomy: Anatomy, entries: Sequence[Entry], suspects: Suspects | None = None
    ) -> None:
        self.anatomy = anatomy
        self.entries = tuple(entries)
        self.suspects = Suspects(anatomy) if suspects is None else suspects
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
        # What was found out about a value holds wherever it comes from: by entry and number.
        self._agreeing: dict[tuple[int, int], bool] = {}
        self._differing: dict[tuple[int, int], bool] = {}

    @cached_property
    def suspicions(self) -> tuple[Suspicion, ...]:
        """Every mistake at every place of the step, made."""
        return tuple(Suspicion(self, *made) for made in self.suspects.made)

    def single(self) -> list[Suspicion]:
        """The faults that explain all."""
        wrong = self.bits(self.wrong)
        return [
            suspicion
            for suspicion in self.suspicions
            if not wrong & ~suspicion.reached and all(map(suspicion.explains, self._order))
        ]

    def pairs(self) -> list[_Pair]:
        """The pairs of faults that explain all together, each of them being needed."""
        # One mistake may bring out what another does: weight decay, which no gradient knows of,
        # has a part in one that goes through updated weights. Such pairs are looked for last,
        # since fewer can be ruled out by what each of them does alone.
        failed = set[_Pair]()
        return self._pairs_where_each_moves(failed) or self._pairs_where_each_reaches(failed)

    def _pairs_where_each_moves(self, failed: set[_Pair]) -> list[_Pair]:
        """The pairs of which each has a part in what it moves by itself.

        Parameters
        ----------
        failed : set of pairs
            Gets those which do not give what both of them move.
        """
        found = []
        for pair in combinations(self.suspicions, 2):
            both = self._left_to_both(pair, pair[0].moved, pair[1].moved)
            if both is None:
                continue
            if self._agree_together(pair, both):
                found.append(pair)
            else:
                failed.add(pair)
        return found

    def _pairs_where_each_reaches(self, failed: set[_Pair]) -> list[_Pair]:
        """The pairs of which each has a part in all that it reaches.

        Parameters
        ----------
        failed : set of pairs
            Pairs that do not give some of what both reach: they need no second look.
        """
        found = []
        for pair in combinations(self.suspicions, 2):
            if pair in failed:
                continue
            first, second = pair
            both = self._left_to_both(
                pair, first.reached_beside(second), second.reached_beside(first)
            )
            if both is not None and self._agree_together(pair, both):
                found.append(pair)
        return found

    def _left_to_both(self, pair: _Pair, by_first: int, by_second: int) -> int | None:
        """The entries that two faults have to explain together, a bit for each.

        None where what only one of them has a part in is not as that one makes it, or something is
        wrong that neither has a part in.
        """
        first, second = pair
        only_first, only_second = by_first & ~by_second, by_second & ~by_first
        if only_first & ~first.fitting or only_second & ~second.fitting:
            return None
        if self.bits(self.wrong) & ~(by_first | by_second):
            return None
        return by_first & by_second

    def nearest(self) -> list[Suspicion]:
        """The faults that explain most of what is wrong, and spoil nothing that is right."""
        wrong = self.bits(self.wrong)
        right = self.bits(self._order) & ~wrong
        gain = {
            suspicion: (suspicion.fitting & wrong).bit_count()
            for suspicion in self.suspicions
            if suspicion.reached & wrong and not right & ~suspicion.fitting
        }
        most = max(gain.values(), default=0)
        return [suspicion for suspicion, count in gain.items() if most and count == most]

    def bits(self, entries: Iterator[int] | Sequence[int] | frozenset[int]) -> int:
        """Entries as a number with a bit for each."""
        return sum(1 << k for k in entries)

    def among(self, positions: int) -> int:
        """The entries of nodes, a bit for each of either."""
        return self.bits(k for k, e in enumerate(self.entries) if positions >> e.position & 1)

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
            found, _ = self._seen(k, number)
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
            _, found = self._seen(k, number)
        return found

    def _seen(self, k: int, number: int) -> tuple[bool, bool]:
        """Whether an entry is as it was written, and whether it is other than it truly is."""
        entry, truth = self.entries[k], self.anatomy.values[self.entries[k].position]
        value = self.suspects.ledger.value(number)
        self._agreeing[k, number] = entry.agrees(value)
        self._differing[k, number] = entry.tells_apart(truth, value)
        return self._agreeing[k, number], self._differing[k, number]

    @cached_property
    def glances(self) -> Sequence[Glance]:
        """Where to look at each entry first."""
        return [Glance(self.anatomy, entry, self.suspects.parts) for entry in self.entries]

    def _agree_together(self, pair: _Pair, among: int) -> bool:
        """Whether two faults, made one after the other, give these entries."""
        if not among:
            return True
        # One entry after the other: most pairs fail at the first.
        asked = [k for k in self._order if among >> k & 1]
        return any(
            all(self.agrees(k, version) for k in asked) for version in self._versions_of(*pair)
        )

    def _versions_of(self, first: Suspicion, second: Suspicion) -> Iterator[Version]:
        yield self._joined(first, second)
        # What was put in the place of a node first is a part of what is put there next.
        if first.draft.changed & second.draft.changed:
            yield self._joined(second, first)

    def _joined(self, first: Suspicion, second: Suspicion) -> Version:
        if can_follow(first.version, second.version):
            return Double(first.version, second.version)
        both = _drafted(self.anatomy, (first.fault, second.fault))
        return both.version(self.suspects.ledger)


def _drafted(anatomy: Anatomy, faults: Sequence[Fault]) -> Draft:
    draft = Draft(anatomy)
    for fault in faults:
        fault.change(draft)
    return draft
