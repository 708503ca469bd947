"""A step with one fault in it, or with two: how each of its values is computed then."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chainrule.explanation.checking.ledger import Ledger, Step


class CircularError(Exception):
    """A value was made to depend on itself: the changes cannot be made in one step."""


@dataclass(frozen=True, eq=False)
class Edit:
    """What one draft has that the step has not.

    Parameters
    ----------
    changed : frozenset of int
        The nodes that something else was put in the place of.
    steps : mapping of int to Step
        What was put there, and the nodes that were appended for it; the latter have numbers that
        no other edit of this ledger uses.
    given : mapping of int to int
        Of those appended the ones that nothing computes: their numbers in the ledger.
    was : mapping of int to int
        Those appended that are what a changed node was before, with that node.
    redirected : bool
        Whether operands were exchanged for others.
    """

    changed: frozenset[int]
    steps: Mapping[int, Step]
    given: Mapping[int, int]
    was: Mapping[int, int]
    redirected: bool


class Version(ABC):
    """A step with faults in it.

    Parameters
    ----------
    ledger : Ledger
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._known: dict[int, int] = {}

    reached: int
    """The nodes of the step that a change may have moved: a bit for each."""

    def number(self, position: int) -> int:
        """The ledger's number of a value.

        Raises
        ------
        CircularError
            If the value depends on itself.
        """
        known = self._known
        opened = set[int]()
        stack = [position]
        while stack:
            i = stack[-1]
            if i in known:
                stack.pop()
                continue
            found = self._directly(i)
            if found is None:
                step = self._step(i)
                missing = [j for j in step.inputs if j not in known]
                if missing:
                    if i in opened:
                        raise CircularError
                    opened.add(i)
                    stack += missing
                    continue
                found = self.ledger.number(step, tuple([known[j] for j in step.inputs]))
            known[i] = found
            stack.pop()
        return known[position]

    @abstractmethod
    def _directly(self, i: int) -> int | None:
        """The number of a value that is there without being computed here."""

    @abstractmethod
    def _step(self, i: int) -> Step:
        """What computes a value here."""


class Single(Version):
    """A step with one draft's changes in it.

    Parameters
    ----------
    ledger : Ledger
    edit : Edit
    """

    def __init__(self, ledger: Ledger, edit: Edit) -> None:
        super().__init__(ledger)
        self.edit = edit
        self.reached = _below(ledger, edit.changed)
        self.used = self._used()

    def _used(self) -> int:
        """The nodes of the step that the changes have to do with: a bit for each."""
        found = 0
        for step in self.edit.steps.values():
            for i in step.inputs:
                if i < self.ledger.count:
                    found |= 1 << i
        return found

    def _directly(self, i: int) -> int | None:
        if i < self.ledger.count:
            return None if self.reached >> i & 1 else i
        return self.edit.given.get(i)

    def _step(self, i: int) -> Step:
        found = self.edit.steps.get(i)
        return self.ledger.steps[i] if found is None else found


class Double(Version):
    """A step with the changes of two drafts in it, made one after the other.

    What is put in the place of a node by the second sees what the first put there, so it is the
    same as if both had been written into one draft. Writing that draft is what takes the time:
    there are thousands of pairs, and a few hundred drafts.

    Parameters
    ----------
    first, second : Single

    Raises
    ------
    ValueError
        If the second exchanges operands of what the first has changed; see `can_follow`.
    """

    def __init__(self, first: Single, second: Single) -> None:
        super().__init__(first.ledger)
        self._first, self._second = first, second
        self.reached = first.reached | second.reached
        clash = bool(first.edit.changed & second.edit.changed)
        # What only one of them reaches is as it is with that one alone, unless it is computed from
        # what the other one changes.
        self._first_alone = not first.used & second.reached
        self._second_alone = not second.used & first.reached and not clash

    def _directly(self, i: int) -> int | None:
        first, second = self._first, self._second
        if i < self.ledger.count:
            if not self.reached >> i & 1:
                return i
            if self._first_alone and not second.reached >> i & 1:
                return first.number(i)
            if self._second_alone and not first.reached >> i & 1:
                return second.number(i)
            return None
        found = first.edit.given.get(i)
        if found is None and second.edit.was.get(i) not in first.edit.changed:
            found = second.edit.given.get(i)
        return found

    def _step(self, i: int) -> Step:
        first, second = self._first.edit, self._second.edit
        before = second.was.get(i)
        if before is not None and before in first.changed:
            return first.steps[before]
        found = second.steps.get(i)
        if found is None:
            found = first.steps.get(i)
        return self.ledger.steps[i] if found is None else found


def can_follow(first: Single, second: Single) -> bool:
    """Whether one edit can be made after another without being written anew."""
    return not (second.edit.redirected and first.edit.changed & second.edit.changed)


def _below(ledger: Ledger, positions: Iterable[int]) -> int:
    found = 0
    for position in positions:
        found |= ledger.anatomy.below[position]
    return found
