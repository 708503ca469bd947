"""From a gradient to the change of its parameter: what the optimiser does, in numbers.

It is read off the graph between ``d_<name>`` and ``next.<name>``: no list of optimisers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from chainrule.base.errors import ConfigurationError
from chainrule.base.harmless import plain
from chainrule.explanation.expansion import Number, one_op
from chainrule.explanation.printing.digits import literal, number
from chainrule.explanation.questions.answer import Answer
from chainrule.explanation.questions.places import Named, called, check_not_frozen, find_primal
from chainrule.explanation.symbols import NEXT
from chainrule.explanation.trace import Index, Place, Trace
from chainrule.ops import format_expression
from chainrule.ops.expression import Expression, Fold, Literal

SUMMED = 6  # terms that are written out; of more, their number


@dataclass(frozen=True)
class Stage:
    """One number on the way.

    Parameters
    ----------
    label : str
        What it is called here: ``g``, ``t1``, ``exp_avg⁺``, ``w⁺``.
    rule : str
        What it is made of, in these labels.
    numbers : str
        The same with numbers.
    value : float
    """

    label: str
    rule: str
    numbers: str
    value: float


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
        return [
            f"{self.name}: {number(self.before)} → {number(self.after)}, by {self.optimizer}",
            f"Δ = {number(self.change)}",
        ]

    @property
    def table(self) -> Sequence[Sequence[str]]:
        rows = [
            [stage.label, number(stage.value), f"{stage.rule} = {stage.numbers}"]
            for stage in self.stages
            if stage.rule
        ]
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
    index = place.index
    slots = [s for s in graph.labels if s.startswith(f"{NEXT}{name}:")]
    ends = [after, *(graph.labels[slot] for slot in slots)]
    between = _between(trace, gradient, ends)
    labels = {place.node: "w", gradient: "g", after: "w⁺"}
    for slot in slots:
        short = slot.rpartition(":")[2]
        labels[graph.positions.get(slot.removeprefix(NEXT), -1)] = short
        labels[graph.labels[slot]] = f"{short}⁺"
    return _told(trace, place, index, between, labels, gradient, after, slots)


def _told(
    trace: Trace,
    place: Place,
    index: Index,
    between: list[int],
    labels: dict[int, str],
    gradient: int,
    after: int,
    slots: Sequence[str],
) -> Update:
    names: dict[Place, str] = {}
    stages: list[Stage] = []

    def at(node: int) -> Place:
        return Place(node, index if trace.graph.nodes[node].shape else ())

    def given(node: int) -> None:
        here = at(node)
        names[here] = labels[node]
        stages.append(Stage(labels[node], "", "", float(trace.value(here))))

    for node in (place.node, gradient, *(n for n in labels if n not in (place.node, gradient))):
        if node >= 0 and node not in between and node != after:
            given(node)
    for node in between:
        if trace.graph.nodes[node].shape not in (trace.node(place).shape, ()):
            continue  # inside of a norm of all gradients
        here = at(node)
        expression = one_op(trace, here)
        if node not in labels and isinstance(expression, Number):  # a move
            names[here] = _name(trace, names, expression.place)
            continue
        label = labels.get(node, f"t{sum(s.label.startswith('t') for s in stages) + 1}")
        rule = _written(trace, expression, names, with_numbers=False)
        numbers = _written(trace, expression, names, with_numbers=True)
        names[here] = label
        stages.append(Stage(label, rule, numbers, float(trace.value(here))))
    stages.sort(key=lambda stage: stage.label == labels[after])  # last, as it is what is asked for
    before, new = (float(trace.values[i][index]) for i in (place.node, after))
    return Update(
        called(trace, place),
        trace.about.optimizer,
        before,
        float(trace.values[gradient][index]),
        new,
        new - before,
        tuple(slot.rpartition(":")[2] for slot in slots),
        tuple(stages),
    )


def _updated(trace: Trace) -> list[str]:
    graph = trace.graph
    return [name for name in graph.input_names if f"d_{name}" in graph.positions]


def _between(trace: Trace, gradient: int, ends: Sequence[int]) -> list[int]:
    """The nodes that follow from the gradient, or from the state, and lead to the update."""
    nodes = trace.graph.nodes
    leading = set(ends)
    for i in range(max(ends), -1, -1):
        if i in leading and i != gradient:
            leading.update(nodes[i].inputs)
    following = {gradient}
    shape = nodes[gradient].shape
    for i in range(gradient + 1, len(nodes)):
        # What decays without the gradient, such as m·0.9, is of the parameter's shape.
        is_own = nodes[i].shape == shape and i in leading
        if nodes[i].inputs and (is_own or not following.isdisjoint(nodes[i].inputs)):
            following.add(i)
    return sorted((following & leading) - {gradient})


def _name(trace: Trace, names: dict[Place, str], place: Place) -> str:
    return names.get(place) or called(trace, place)


def _written(
    trace: Trace, expression: Expression, names: dict[Place, str], *, with_numbers: bool
) -> str:
    if isinstance(expression, Fold) and len(expression.items) > SUMMED:
        return f"a sum of {len(expression.items)} terms"

    def leaf(part: Expression) -> str:
        match part:
            case Number(place) if with_numbers or place not in names:
                return number(trace.value(place))
            case Number(place):
                return names[place]
            case Literal(value):
                return literal(value)
        raise TypeError(f"{type(part).__name__} is no part of an explanation")

    return plain(format_expression(expression, leaf))
