"""Mistakes with what is minimised besides the loss: a penalty on the weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, mistake

_RULE = "∂(C + λR)/∂w = ∂C/∂w + λ ∂R/∂w"


def _scaled(anatomy: Anatomy, factor: float) -> Iterator[tuple[str, Change]]:
    seed = anatomy.penalty_seed
    if seed is not None:
        yield "", lambda draft: draft.change(seed, lambda was: was * factor)


@mistake(
    "penalty-forgotten",
    title="the penalty is left out of the gradient",
    sentence="The gradient is that of the loss alone; the penalty on the weights is minimised with "
    "it.",
    rule=_RULE,
    hints=(
        "What is minimised besides the loss?",
        "The gradient of the penalty is missing.",
        "Add the gradient of the penalty, λ·w for L2, to that of each weight it is taken of.",
    ),
)
def _penalty_forgotten(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _scaled(anatomy, 0.0)


@mistake(
    "penalty-twice",
    title="the gradient of the penalty is twice as large as it has to be",
    sentence="½λ·w² has the derivative λ·w; the factor 2 of the square is there, the ½ is not.",
    rule=_RULE,
    hints=(
        "Look at the part of the gradient that comes from the penalty.",
        "It is twice as large as it has to be.",
        "Differentiate the penalty as it is written: ½λ·w² gives λ·w.",
    ),
)
def _penalty_twice(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _scaled(anatomy, 2.0)


@mistake(
    "penalty-by-examples",
    title="the penalty is divided by the number of examples",
    sentence="1/m stands in front of the loss alone; here the penalty is divided by m, too.",
    rule=_RULE,
    hints=(
        "Look at the part of the gradient that comes from the penalty.",
        "It is divided by the number of examples.",
        "The penalty is of the weights, not of the examples: leave it as it is.",
    ),
)
def _penalty_by_examples(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    if anatomy.examples > 1:
        yield from _scaled(anatomy, 1 / anatomy.examples)


@mistake(
    "penalty-sign",
    title="the penalty has the wrong sign",
    sentence="The gradient of the penalty is subtracted: large weights are rewarded.",
    rule=_RULE,
    hints=(
        "Look at the part of the gradient that comes from the penalty.",
        "It has the wrong sign.",
        "Add λ·w to the gradient, so that the step makes the weight smaller.",
    ),
)
def _penalty_sign(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _scaled(anatomy, -1.0)


@mistake(
    "penalty-on-bias",
    title="the penalty is taken of the biases, too",
    sentence="The penalty is of the weights; here the biases have a part in it.",
    rule=_RULE,
    hints=(
        "Of which parameters is the penalty taken?",
        "The gradient of {where} has a part that comes from the penalty.",
        "Leave the biases out of the penalty.",
    ),
)
def _penalty_on_bias(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    penalty = anatomy.names.get("penalty")
    if penalty is None or anatomy.penalty_seed is None:
        return
    names = anatomy.parameters
    spared = [n for n in names if not anatomy.below[anatomy.names[n]] >> penalty & 1]
    penalised = [n for n in names if n not in spared]
    if not spared or not penalised:
        return
    squares, signs = _strengths(anatomy, penalised[0])

    def change(draft: Draft, which: list[str]) -> None:
        for name in which:
            w = draft.at(anatomy.names[name])
            more = w * squares + draft.sign(w) * signs
            draft.change(anatomy.names[f"d_{name}"], lambda was, more=more: was + more)  # type: ignore[misc]

    if len(spared) > 1:
        yield "every bias", lambda draft: change(draft, spared)
    for name in spared:
        yield name, lambda draft, name=name: change(draft, [name])  # type: ignore[misc]


def _strengths(anatomy: Anatomy, name: str) -> tuple[float, float]:
    """By which numbers the penalty's gradient holds w, and the sign of w."""
    draft = Draft(anatomy)
    draft.change(anatomy.seed, lambda was: was * 0.0)
    position = anatomy.names[f"d_{name}"]
    part = draft.values([position])[position].reshape(-1)
    w = anatomy.values[anatomy.names[name]].reshape(-1)
    found = np.linalg.lstsq(np.stack([w, np.sign(w)], axis=1), part, rcond=None)[0]
    if not np.isfinite(found).all():
        return 0.0, 0.0
    return float(found[0]), float(found[1])
