"""A derivation as a tree: a number, the numbers it is made of, those they are made of, and so on.

Each number is opened once, where it comes first. What would be too much is left closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.explanation.explanation import Explanation, Term
from chainrule.explanation.printing.formulas import is_large
from chainrule.explanation.trace import Place

READ_WITH_EASE = 20
"""How many numbers are opened where nothing is said about the depth."""
_OF_A_TABLE = 4  # numbers that take as much room as one with a table of its terms
_NEVER_MORE = 2000  # where a depth is asked for: nobody reads further
_WIDEST = 4  # of more numbers than that, those of the largest term are opened, or the first


@dataclass(frozen=True, eq=False)
class Branch:
    """One number of a derivation.

    Parameters
    ----------
    explanation : Explanation
    branches : tuple of Branch
        What it is made of, as far as that is opened.
    closed : tuple of Explanation
        What else it is made of, not opened here; data and weights are not among them.
    is_repeated : bool
        Whether it is opened further above.
    """

    explanation: Explanation
    branches: tuple[Branch, ...] = ()
    closed: tuple[Explanation, ...] = ()
    is_repeated: bool = False

    def walk(self) -> Iterator[tuple[int, Branch]]:
        """Every branch from here on, from the top, each with its depth."""
        stack = [(0, self)]
        while stack:
            depth, branch = stack.pop()
            yield depth, branch
            stack.extend((depth + 1, below) for below in reversed(branch.branches))

    @property
    def explanations(self) -> list[Explanation]:
        """Every number that is opened, each once."""
        return [branch.explanation for _, branch in self.walk() if not branch.is_repeated]

    @property
    def is_whole(self) -> bool:
        """Whether it goes down to data and weights everywhere."""
        return not any(branch.closed for _, branch in self.walk())


def grow(
    explanation: Explanation, depth: int | None = None, above: frozenset[Place] = frozenset()
) -> Branch:
    """Return what a number is made of, as a tree.

    Parameters
    ----------
    explanation : Explanation
    depth : int, optional
        How many levels below it are opened; by default as many as are read with ease.
    above : frozenset of Place
        What is opened elsewhere already.
    """
    parts = _Parts({explanation.place: explanation})
    opened = _choose(parts, explanation, depth, above)
    taken: set[Place] = set(above)
    # From the top down, each number is opened at its first place; then put together from below.
    stack: list[tuple[Explanation, list[Explanation] | None, tuple[Explanation, ...]]]
    stack = [(explanation, None, ())]
    results: list[Branch] = []
    while stack:
        here, below, closed = stack.pop()
        if below is not None:
            branches = tuple(results[len(results) - len(below) :]) if below else ()
            del results[len(results) - len(below) :]
            results.append(Branch(here, branches, closed))
            continue
        if here.place in taken and here is not explanation:
            results.append(Branch(here, is_repeated=True))
            continue
        taken.add(here.place)
        known = opened | taken
        inside = [part for part in parts.below(here) if part.place in known]
        shut = tuple(part for part in parts.of(here, here.terms) if part.place not in known)
        stack.append((here, inside, shut))
        stack.extend((part, None, ()) for part in reversed(inside))
    return results[0]


def _choose(
    parts: _Parts, explanation: Explanation, depth: int | None, above: frozenset[Place]
) -> set[Place]:
    """The numbers that are opened: those nearest to the one that is asked for."""
    room = READ_WITH_EASE if depth is None else _NEVER_MORE
    chosen = {explanation.place}
    waiting = deque([(explanation, 0)])
    while waiting:
        here, level = waiting.popleft()
        if depth is not None and level >= depth:
            continue
        for part in parts.below(here):
            if part.place in chosen or part.place in above:
                continue
            room -= _OF_A_TABLE if is_large(part.terms) else 1
            if room < 0:
                return chosen
            chosen.add(part.place)
            waiting.append((part, level + 1))
    return chosen


@dataclass(frozen=True)
class _Parts:
    """The computed numbers that others are made of, each opened once however often it is met."""

    known: dict[Place, Explanation]

    def below(self, explanation: Explanation) -> list[Explanation]:
        """What is opened of a number, in the order of reading; of much, what is in the largest."""
        terms = explanation.terms
        if is_large(terms) or len(self.of(explanation, terms)) > _WIDEST:
            terms = [max(terms, key=lambda term: abs(term.value))]
        parts = self.of(explanation, terms)
        return parts if len(parts) <= _WIDEST else parts[:1]

    def of(self, explanation: Explanation, terms: list[Term]) -> list[Explanation]:
        """Everything that stands in terms of a number and was computed."""
        trace = explanation.trace
        places = dict.fromkeys(place for term in terms for place in term.places)
        every = (self.known.setdefault(place, Explanation(trace, place)) for place in places)
        return [each for each in every if not each.is_given]
