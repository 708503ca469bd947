"""From a gradient to the change of its parameter: what the optimiser does, in numbers.

It is read off the graph between ``d_<name>`` and ``next.<name>``, in `stages`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.printing.digits import number
from chainrule.explanation.questions.answer import Answer
from chainrule.explanation.questions.places import Named, called, check_not_frozen, find_primal
from chainrule.explanation.questions.stages import Stage, Stages
from chainrule.explanation.symbols import NEXT
from chainrule.explanation.trace import Trace

LETTERS = {"exp_avg": "m", "exp_avg_sq": "v"}
"""How the papers call what torch names otherwise [Kingma and Ba 2015, algorithm 1]."""

ON_ONE_LINE = 50  # characters of a rule and its numbers


@dataclass(frozen=True)
class Update(Answer):
    """One number's update.

    Parameters
    ----------
    name : str
    optimizer : str
    before, gradient, after : float
    change : float
        After less before, in float64.
    slots : tuple of str
        What the optimiser keeps for it.
    stages : tuple of Stage
        In the order of computing; the last is the number after the update.
    """

    name: str
    optimizer: str
    before: float
    gradient: float
    after: float
    change: float
    slots: tuple[str, ...]
    stages: tuple[Stage, ...]

    right: ClassVar[Sequence[int]] = (1,)

    @property
    def headings(self) -> Sequence[str]:
        kept = [f"{LETTERS[slot]} is {slot}" for slot in self.slots if slot in LETTERS]
        return [
            f"{self.name}: {number(self.before)} → {number(self.after)}, by {self.optimizer}",
            f"Δ = {number(self.change)}" + "".join(f"; {each}" for each in kept),
        ]

    @property
    def table(self) -> Sequence[Sequence[str]]:
        rows = []
        for stage in self.stages:
            if not stage.rule:
                continue
            both = f"{stage.rule} = {stage.numbers}" if stage.numbers else stage.rule
            if len(both) <= ON_ONE_LINE or not stage.numbers:
                rows.append([stage.label, number(stage.value), both])
            else:
                rows.append([stage.label, number(stage.value), stage.rule])
                rows.append(["", "", f"= {stage.numbers}"])
        given = [[s.label, number(s.value), "given"] for s in self.stages if not s.rule]
        return [["", "value", "computed as"], *given, *rows]


def update(trace: Trace, named: Named) -> Update:
    """Take one update apart; see `Trace.optimizer`."""
    place = find_primal(trace, named)
    graph = trace.graph
    name = graph.name_of(place.node)
    after = graph.labels.get(NEXT + name)
    gradient = graph.positions.get(f"d_{name}")
    check_not_frozen(trace, place)
    if after is None or gradient is None or after == place.node:
        raise ConfigurationError(
            f"{called(trace, place)} is not updated by the optimiser in this step",
            advice=f"Ask for one of {', '.join(_updated(trace)) or 'the parameters'}",
        )
    slots = [s for s in graph.labels if s.startswith(f"{NEXT}{name}:")]
    letters: dict[int, str] = {}
    for slot in slots:
        short = slot.rpartition(":")[2]
        letter = LETTERS.get(short, short)
        letters[graph.positions.get(slot.removeprefix(NEXT), -1)] = letter
        letters[graph.labels[slot]] = f"{letter}⁺"
    before, new = (float(trace.values[i][place.index]) for i in (place.node, after))
    return Update(
        called(trace, place),
        trace.about.optimizer,
        before,
        float(trace.values[gradient][place.index]),
        new,
        new - before,
        tuple(slot.rpartition(":")[2] for slot in slots),
        tuple(Stages(trace, place, gradient, after, letters).read()),
    )


def _updated(trace: Trace) -> list[str]:
    graph = trace.graph
    return [name for name in graph.input_names if f"d_{name}" in graph.positions]
