"""Which mistakes explain what a learner wrote: one, or two that were made together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.comparison import Comparison, bits_of
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.suspicion import Suspects, Suspicion, drafted
from chainrule.explanation.checking.version import Double, Version, can_follow

_Pair = tuple[Suspicion, Suspicion]
_Shares = Callable[[_Pair], tuple[int, int]]

MOST_WORK = 1 << 32
"""So much is computed in one search, as `Ledger.work` counts it: about five seconds."""


@dataclass(frozen=True)
class Untried:
    """What was left out of a search, since it had been searched for long enough.

    Parameters
    ----------
    mistakes, of_mistakes : int
        Single mistakes that were not tried, of so many.
    pairs, of_pairs : int
        The same of pairs.
    """

    mistakes: int
    of_mistakes: int
    pairs: int
    of_pairs: int

    def __str__(self) -> str:
        counts = ((self.mistakes, self.of_mistakes, ""), (self.pairs, self.of_pairs, "pairs of "))
        told = [f"{n:,} of {every:,} {what}mistakes" for n, every, what in counts if n]
        return f"The step is large, and the search was cut: {' and '.join(told)} were not tried."


class Search:
    """The search for what explains a submission.

    Parameters
    ----------
    anatomy : Anatomy
    entries : sequence of Entry
    suspects : Suspects, optional
        Those of the anatomy, where something was searched for among them before.
    most_work : int
        After so much of it no more is tried, and `untried` has what is left.
    """

    def __init__(
        self,
        anatomy: Anatomy,
        entries: Sequence[Entry],
        suspects: Suspects | None = None,
        most_work: int = MOST_WORK,
    ) -> None:
        self.anatomy = anatomy
        self.entries = tuple(entries)
        self.suspects = Suspects(anatomy) if suspects is None else suspects
        self.comparison = Comparison(anatomy, self.entries, self.suspects.parts)
        self.wrong = self.comparison.wrong
        self._wrong = bits_of(self.wrong)
        # Wrong ones first: most faults fail there. Among them those first that are computed first,
        # for they depend on fewest nodes.
        self._order = sorted(
            range(len(self.entries)),
            key=lambda k: (k not in self.wrong, self.entries[k].position),
        )
        self._end = self.suspects.ledger.work + most_work
        self._single_left = self._pairs_left = 0

    @cached_property
    def suspicions(self) -> tuple[Suspicion, ...]:
        """Every mistake at every place of the step, made."""
        return tuple(Suspicion(self.comparison, *made) for made in self.suspects.made)

    @property
    def untried(self) -> Untried | None:
        """What was left out; None where all was tried that was asked for."""
        if not self._single_left and not self._pairs_left:
            return None
        count = len(self.suspicions)
        return Untried(self._single_left, count, self._pairs_left, math.comb(count, 2))

    @property
    def _is_over(self) -> bool:
        return self.suspects.ledger.work > self._end

    def single(self) -> list[Suspicion]:
        """The faults that explain all."""
        found, self._single_left = [], 0
        for suspicion in self.suspicions:
            if self._wrong & ~suspicion.reached:
                continue
            if self._is_over:
                self._single_left += 1
            elif all(map(suspicion.explains, self._order)):
                found.append(suspicion)
        return found

    @cached_property
    def _compared(self) -> tuple[Suspicion, ...]:
        """The suspicions of which it is known what each of them does by itself."""
        found = []
        for suspicion in self.suspicions:
            if self._is_over:
                break
            suspicion.compare()
            found.append(suspicion)
        return tuple(found)

    def pairs(self) -> list[_Pair]:
        """The pairs of faults that explain all together, each of them being needed."""
        # One mistake may bring out what another does: weight decay, which no gradient knows of,
        # has a part in one that goes through updated weights. Such pairs are looked for last,
        # since fewer can be ruled out by what each of them does alone.
        failed = set[_Pair]()
        found = self._tried(_by_moving, failed)
        return found if found or self._pairs_left else self._tried(_by_reaching, failed)

    def _tried(self, shares: _Shares, failed: set[_Pair]) -> list[_Pair]:
        """The pairs that explain all.

        Parameters
        ----------
        shares : callable
            What each of a pair has a part in, a bit for each entry.
        failed : set of pairs
            Those that do not give some of what both of them have a part in. They need no second
            look where it is more that they have a part in.
        """
        every = math.comb(len(self.suspicions), 2)
        found, self._pairs_left = [], every - math.comb(len(self._compared), 2)
        for pair in combinations(self._compared, 2):
            if pair in failed:
                continue
            both = self._left_to_both(pair, *shares(pair))
            if both is None:
                continue
            if both and self._is_over:
                self._pairs_left += 1
            elif self._agree_together(pair, both):
                found.append(pair)
            else:
                failed.add(pair)
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
        if self._wrong & ~(by_first | by_second):
            return None
        return by_first & by_second

    def nearest(self) -> list[Suspicion]:
        """The faults that explain most of what is wrong, and spoil nothing that is right."""
        wrong = self._wrong
        right = bits_of(self._order) & ~wrong
        gain = {
            suspicion: (suspicion.fitting & wrong).bit_count()
            for suspicion in self._compared
            if suspicion.reached & wrong and not right & ~suspicion.fitting
        }
        most = max(gain.values(), default=0)
        return [suspicion for suspicion, count in gain.items() if most and count == most]

    def _agree_together(self, pair: _Pair, among: int) -> bool:
        """Whether two faults, made one after the other, give these entries."""
        if not among:
            return True
        # One entry after the other: most pairs fail at the first.
        asked = [k for k in self._order if among >> k & 1]
        return any(
            all(self.comparison.agrees(k, version) for k in asked)
            for version in self._versions_of(*pair)
        )

    def _versions_of(self, first: Suspicion, second: Suspicion) -> Iterator[Version]:
        yield self._joined(first, second)
        # What was put in the place of a node first is a part of what is put there next.
        if first.draft.changed & second.draft.changed:
            yield self._joined(second, first)

    def _joined(self, first: Suspicion, second: Suspicion) -> Version:
        if can_follow(first.version, second.version):
            return Double(first.version, second.version)
        both = drafted(self.anatomy, (first.fault, second.fault))
        return both.version(self.suspects.ledger)


def _by_moving(pair: _Pair) -> tuple[int, int]:
    """Each has a part in what it moves by itself."""
    return pair[0].moved, pair[1].moved


def _by_reaching(pair: _Pair) -> tuple[int, int]:
    """Each has a part in all that it reaches."""
    first, second = pair
    return first.reached_beside(second), second.reached_beside(first)
