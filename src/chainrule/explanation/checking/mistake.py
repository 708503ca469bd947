"""Mistakes: rules of backpropagation as they are often written wrongly.

A mistake is one function that yields its faults: each a place in a given step, and the change that
makes the step wrong there. It is declared once, with `mistake`; the search, the hints, the
documentation and the exercises read the registry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from chainrule.base.registry import Registry
from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft

Change = Callable[[Draft], None]
Faults = Callable[[Anatomy], Iterable[tuple[str, Change]]]


@dataclass(frozen=True)
class Mistake:
    """A rule as it is often written wrongly.

    Parameters
    ----------
    name : str
        In the registry: ``missing-derivative``.
    title : str
        What was done, in a few words.
    sentence : str
        The same in a sentence, with the reason why it is wrong.
    rule : str
        The equation that it breaks.
    hints : (str, str, str)
        For a learner, each telling more: where to look, what is wrong, how to mend it.
        ``{where}`` stands for the place, here and in the sentence and the rule ``{loss}`` for the
        loss that is minimised.
    faults : callable
        The places in a step at which it can be made, in words, with the change that makes it.
    """

    name: str
    title: str
    sentence: str
    rule: str
    hints: tuple[str, str, str]
    faults: Faults


@dataclass(frozen=True)
class Fault:
    """A mistake made at one place of a step.

    Parameters
    ----------
    mistake : Mistake
    where : str
        In words; empty where it is one thing for the whole step.
    change : callable
    loss : str
        What is minimised: ``MSELoss``.
    """

    mistake: Mistake
    where: str
    change: Change
    loss: str = "the loss"

    @property
    def title(self) -> str:
        """What was done, and where."""
        return f"{self.mistake.title} {self.where}".strip()

    @property
    def sentence(self) -> str:
        """What was done, and why it is wrong."""
        return self._told(self.mistake.sentence)

    @property
    def rule(self) -> str:
        """The equation that it breaks."""
        return self._told(self.mistake.rule)

    @property
    def hints(self) -> tuple[str, ...]:
        """The hints, at this place."""
        return tuple(map(self._told, self.mistake.hints))

    def _told(self, text: str) -> str:
        return text.replace("{where}", self.where or "in every layer").replace("{loss}", self.loss)


MISTAKES: Registry[Mistake] = Registry("mistake")


def mistake(
    name: str, *, title: str, sentence: str, rule: str, hints: tuple[str, str, str]
) -> Callable[[Faults], Faults]:
    """Declare a mistake; the function below it yields its faults."""

    def declare(faults: Faults) -> Faults:
        MISTAKES.register(name, Mistake(name, title, sentence, rule, hints, faults))
        return faults

    return declare


def faults_of(anatomy: Anatomy) -> Iterator[Fault]:
    """Every mistake at every place of a step, in the order of the registry."""
    said = anatomy.trace.about.loss.removesuffix("()")
    loss = said if said and "<" not in said else "the loss"  # of a function there is no name
    for declared in MISTAKES.values():
        for where, change in declared.faults(anatomy):
            yield Fault(declared, where, change, loss)


class _Placed(Protocol):
    @property
    def where(self) -> str: ...


Role = TypeVar("Role", bound=_Placed)


def everywhere_and_each(
    roles: Iterable[Role], change: Callable[[Draft, Role], None]
) -> Iterator[tuple[str, Change]]:
    """A mistake that is made at all places of a kind, or at one of them alone.

    Parameters
    ----------
    roles : iterable
        The places.
    change : callable
        What is done at one.
    """
    found = list(roles)
    if len(found) > 1:
        yield "in every layer", lambda draft: _at_all(draft, found, change)
    if len(found) > 2:  # the last has the loss behind it, and is often written by itself
        yield "in every layer but the last", lambda draft: _at_all(draft, found[:-1], change)
    met = Counter[str]()
    for role in found:
        met[role.where] += 1
        where = role.where if met[role.where] == 1 else f"{role.where}, number {met[role.where]}"
        yield where, lambda draft, role=role: change(draft, role)  # type: ignore[misc]


def _at_all(draft: Draft, roles: Sequence[Role], change: Callable[[Draft, Role], None]) -> None:
    for role in roles:
        change(draft, role)
