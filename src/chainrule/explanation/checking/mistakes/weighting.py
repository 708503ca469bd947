"""Mistakes with weights: of examples, of classes, and what their sum is divided by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, mistake
from chainrule.explanation.checking.mistakes.costs import weights_of
from chainrule.explanation.trace import Array

_RULE = "C = Σᵢ wᵢ Cᵢ / Σᵢ wᵢ"


@dataclass(frozen=True, eq=False)
class Weighting:
    """Weights that the examples' costs are multiplied with.

    Parameters
    ----------
    position : int
        Where they are in the step.
    instead : array
        What is there without them.
    is_of_classes : bool
        Whether all examples of a class have the same.
    where : str
    """

    position: int
    instead: Array
    is_of_classes: bool
    where: str = ""


def weightings(anatomy: Anatomy) -> Iterator[Weighting]:
    """The weights of a step: given with the examples, with their classes, or both."""
    weights = weights_of(anatomy)
    if weights is None:
        return
    node = anatomy.nodes[weights]
    given = anatomy.names.get("sample_weight")
    for position in node.inputs if node.op == "mul" else (weights,):
        w = anatomy.values[position]
        if np.ptp(w) == 0 and w[0] == 1:
            continue
        ones = np.ones(w.shape)
        if position != given:  # the loss's own
            yield Weighting(position, ones, is_of_classes=True)
            continue
        of_class = anatomy.class_weight
        if of_class is None:
            yield Weighting(position, ones, _is_of_classes(anatomy, w))
        elif np.allclose(of_class, w):
            yield Weighting(position, ones, is_of_classes=True)
        else:
            yield Weighting(position, of_class, is_of_classes=False)
            yield Weighting(position, ones, False, "and those of the classes with them")
            if (of_class != 0).all():
                yield Weighting(position, w / of_class, is_of_classes=True)


def _is_of_classes(anatomy: Anatomy, w: Array) -> bool:
    """Whether weights look like those of classes: one for each, of which one has two examples."""
    target = anatomy.names.get("target")
    y = None if target is None else anatomy.values[target]
    if y is None or len(y) != len(w) or np.ptp(w) == 0:
        return False
    classes = [tuple(np.ravel(row)) for row in y]
    pairs = {(label, float(weight)) for label, weight in zip(classes, w, strict=True)}
    return len(pairs) == len(set(classes)) < len(classes)


def _left_out(draft: Draft, at: Weighting) -> None:
    made = draft.cast(draft.given(at.instead), dtype=draft.anatomy.nodes[at.position].dtype)
    draft.change(at.position, lambda _: made)


@mistake(
    "sample-weights-forgotten",
    title="the weights of the examples are left out",
    sentence="All examples count the same, as in a plain mean; the loss counts each by its weight.",
    rule=_RULE,
    hints=(
        "How much does each example count?",
        "All count the same: the weights of the examples are not there.",
        "Multiply each example's cost, and so its error, by its weight, and divide by Σw.",
    ),
)
def _sample_weights_forgotten(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    for at in weightings(anatomy):
        if not at.is_of_classes:
            yield at.where, lambda draft, at=at: _left_out(draft, at)  # type: ignore[misc]


@mistake(
    "class-weights-forgotten",
    title="the weights of the classes are left out",
    sentence="All classes count the same, as in a plain mean; the loss counts each example by the "
    "weight of its class.",
    rule=_RULE,
    hints=(
        "How much does an example of each class count?",
        "All count the same: the weights of the classes are not there.",
        "Multiply each example's cost by the weight of its class, and divide by Σw.",
    ),
)
def _class_weights_forgotten(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    for at in weightings(anatomy):
        if at.is_of_classes:
            yield at.where, lambda draft, at=at: _left_out(draft, at)  # type: ignore[misc]


@mistake(
    "weights-divided-by-examples",
    title="the weighted sum is divided by the number of examples, not by Σw",
    sentence="A weighted mean is divided by the sum of its weights; divided by the number of "
    "examples it grows with the weights.",
    rule=_RULE,
    hints=(
        "Compare the size of what you have with the true gradient.",
        "The sum over the weighted examples is divided by their number.",
        "Divide by the sum of the weights: np.average(costs, weights=w).",
    ),
)
def _weights_divided_by_examples(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _divided_by(anatomy, float(anatomy.examples))


@mistake(
    "weights-not-divided",
    title="1/Σw is missing",
    sentence="The weighted costs are added up; the loss is their mean, divided by the sum of the "
    "weights.",
    rule=_RULE,
    hints=(
        "Compare the size of what you have with the true gradient.",
        "The weighted examples are added up, and not divided by the sum of their weights.",
        "Divide by Σw.",
    ),
)
def _weights_not_divided(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _divided_by(anatomy, 1.0)


def _divided_by(anatomy: Anatomy, number: float) -> Iterator[tuple[str, Change]]:
    weights = weights_of(anatomy)
    totals = [
        i
        for i in anatomy.users.get(-1 if weights is None else weights, ())
        if i < anatomy.forward and anatomy.nodes[i].op == "sum" and not anatomy.nodes[i].shape
    ]

    def change(draft: Draft) -> None:
        kind = anatomy.nodes[totals[0]].dtype
        draft.change(totals[0], lambda _: draft.cast(draft.given(number), dtype=kind))

    if totals:
        yield "", change


@mistake(
    "positive-weight-forgotten",
    title="the weight of the positive examples is left out",
    sentence="Targets of 1 count as much as those of 0; the loss multiplies the term of the ones "
    "by pos_weight.",
    rule="C = -(p·y·log a + (1 - y)·log(1 - a))",
    hints=(
        "How much does an output with the target 1 count?",
        "As much as one with the target 0: pos_weight is not there.",
        "Multiply the term y·log a, and so its error, by pos_weight.",
    ),
)
def _positive_weight_forgotten(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    target = anatomy.names.get("target")
    if target is None:
        return
    for i in anatomy.users.get(target, ()):
        node = anatomy.nodes[i]
        others = [j for j in node.inputs if j != target]
        if i >= anatomy.forward or node.op != "mul" or len(others) != 1:
            continue
        made_of = [anatomy.nodes[j].op for j in anatomy.above(others[0])]
        is_given = all(op == "input" or op == "constant" for op in made_of)
        if is_given and node.shape == anatomy.nodes[target].shape:
            yield "", lambda draft, i=i: draft.change(i, lambda _: draft.at(target))  # type: ignore[misc]
            return
