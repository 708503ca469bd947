"""Mistakes with dropout: its mask belongs to both directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, everywhere_and_each, mistake
from chainrule.explanation.checking.roles import place_of

_RULE = "ã = a ⊙ m / (1 - p), so that ∂C/∂a = ∂C/∂ã ⊙ m / (1 - p)"


@dataclass(frozen=True)
class Mask:
    """A value multiplied with a random mask.

    Parameters
    ----------
    mask : int
    d_y : int
        What comes back to the product.
    d_a : int
        What is sent back to the value.
    where : str
    """

    mask: int
    d_y: int
    d_a: int
    where: str


def masks(anatomy: Anatomy) -> Iterator[Mask]:
    """The random masks of a network, from the front."""
    seed = anatomy.names.get("seed")
    if seed is None:
        return
    for pull in reversed(anatomy.pulls):
        node = anatomy.nodes[pull.node]
        if len(node.inputs) != 2 or node.op != "mul":
            continue
        for k, d_a in enumerate(pull.d_inputs):
            mask = node.inputs[1 - k]
            if d_a is None or pull.d_inputs[1 - k] is not None or not _is_mask(anatomy, mask):
                continue
            if anatomy.nodes[d_a].shape == node.shape and seed in anatomy.above(mask):
                yield Mask(mask, pull.d_y, d_a, place_of(node, node.scope))


def _is_mask(anatomy: Anatomy, position: int) -> bool:
    """Whether a value is 0 in some places, and one and the same number elsewhere."""
    value = anatomy.values[position]
    return bool(value.size) and bool(((value == 0) | (value == value.max())).all())


@mistake(
    "dropout-not-backward",
    title="the dropout mask is not applied to the error",
    sentence="Units were dropped on the way forward; the error is handed back to them all the "
    "same.",
    rule=_RULE,
    hints=(
        "Look at the error of the units that were dropped {where}.",
        "The mask is missing on the way back {where}.",
        "Multiply the error by the mask that was used on the way forward, 1/(1 - p) included.",
    ),
)
def _dropout_not_backward(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from everywhere_and_each(
        masks(anatomy), lambda draft, at: draft.change(at.d_a, lambda _: draft.at(at.d_y))
    )


@mistake(
    "dropout-scale-not-backward",
    title="1/(1 - p) is missing where the error passes dropout",
    sentence="The activations were divided by 1 - p on the way forward; the error is only masked.",
    rule=_RULE,
    hints=(
        "Look at the size of the error {where}.",
        "The mask is there, and its factor 1/(1 - p) is missing {where}.",
        "Multiply the error by the whole mask m/(1 - p), as on the way forward.",
    ),
)
def _dropout_scale_not_backward(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Mask) -> None:
        kept = draft.given(anatomy.values[at.mask] != 0)
        draft.change(at.d_a, lambda _: draft.at(at.d_y) * kept)

    yield from everywhere_and_each(masks(anatomy), change)


@mistake(
    "dropout-scale",
    title="1/(1 - p) is missing in dropout",
    sentence="Units are dropped, and those that stay are not made larger by 1/(1 - p), neither on "
    "the way forward nor back.",
    rule=_RULE,
    hints=(
        "Look at the size of the activations that were kept {where}.",
        "The factor 1/(1 - p) is missing {where}.",
        "Divide the mask by 1 - p, so that the mean of the activations stays what it was.",
    ),
)
def _dropout_scale(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Mask) -> None:
        kept = draft.given(anatomy.values[at.mask] != 0)
        draft.change(at.mask, lambda _: kept * 1.0)

    yield from everywhere_and_each(masks(anatomy), change)


@mistake(
    "dropout-left-out",
    title="dropout is left out",
    sentence="The step is computed as in evaluation: nothing is dropped.",
    rule=_RULE,
    hints=(
        "Look at the activations {where}: which of them are 0?",
        "Nothing is dropped {where}, though the step is one of training.",
        "Multiply by the mask m/(1 - p) in training; leave it out in evaluation.",
    ),
)
def _dropout_left_out(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Mask) -> None:
        ones = draft.given(np.ones(anatomy.nodes[at.mask].shape))
        draft.change(at.mask, lambda _: ones * 1.0)

    yield from everywhere_and_each(masks(anatomy), change)
