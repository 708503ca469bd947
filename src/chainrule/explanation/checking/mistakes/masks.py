"""Mistakes with activations that have a kink: which side of it the error is let through on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, everywhere_and_each, mistake
from chainrule.explanation.checking.mistakes.derivatives import of_wrong_layer
from chainrule.explanation.checking.roles import Activation, activations
from chainrule.ops import ElementwiseOp

_RELU = "relu′(z) = 1 where z > 0, and 0 elsewhere"


def _kinked(anatomy: Anatomy) -> list[Activation]:
    return [at for at in activations(anatomy) if _kinks(at)]


def _kinks(at: Activation) -> list[float]:
    if not isinstance(at.op, ElementwiseOp):
        return []
    return [kink.at[0] for kink in at.op.declaration.kinks]


@mistake(
    "mask-of-wrong-layer",
    title="the mask is that of another layer",
    sentence="The error is let through where another layer's weighted sum is positive.",
    rule=_RELU,
    hints=(
        "Look at where the error is let through {where}.",
        "The mask comes from the weighted sum of another layer.",
        "The error passes an activation where that activation's own z is positive: σ′(zˡ).",
    ),
)
def _mask_of_wrong_layer(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from of_wrong_layer(anatomy, _kinked(anatomy))


@mistake(
    "mask-at-kink",
    title="the slope at the kink is that of the other side",
    sentence="The error is let through where z >= 0, not where z > 0: at exactly 0 the slope is "
    "taken from the other side.",
    rule=_RELU,
    hints=(
        "Look at the numbers z that are exactly 0 {where}.",
        "At the kink itself the error is let through as on its other side {where}.",
        "Use z > 0, not z >= 0: the derivative at 0 is declared to be 0, as PyTorch has it.",
    ),
)
def _mask_at_kink(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def moved(at: Activation, side: int) -> Change:
        z = anatomy.values[at.z]
        nudge = side * 1e-9 * np.isin(z, _kinks(at))

        def change(draft: Draft) -> None:
            beside = draft.at(at.z) + draft.given(nudge)
            y = draft.apply(at.op.name, beside, **anatomy.nodes[at.a].attributes)
            made = draft.pulled(at.a, 0, draft.at(at.d_a), x0=beside, y=y)
            draft.change(at.d_z, lambda _: made)

        return change

    places = [at for at in _kinked(anatomy) if np.isin(anatomy.values[at.z], _kinks(at)).any()]
    for side, said in ((1, ""), (-1, " (the left one)")):
        if len(places) > 1:
            yield f"in every layer{said}", _all([moved(at, side) for at in places])
        for at in places:
            yield f"{at.where}{said}", moved(at, side)


def _all(changes: list[Change]) -> Change:
    def change(draft: Draft) -> None:
        for each in changes:
            each(draft)

    return change


@mistake(
    "mask-of-error",
    title="the error is masked by its own sign",
    sentence="The activation is applied to the error itself: what is let through is where the "
    "error is positive, not where z is.",
    rule=_RELU,
    hints=(
        "Look at where the error is let through {where}.",
        "It depends on the error's own sign {where}, and has to depend on z.",
        "Multiply the error by σ′(z); do not apply the activation to the error.",
    ),
)
def _mask_of_error(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Activation) -> None:
        made = draft.apply(at.op.name, draft.at(at.d_a), **anatomy.nodes[at.a].attributes)
        draft.change(at.d_z, lambda _: made)

    yield from everywhere_and_each(_kinked(anatomy), change)
