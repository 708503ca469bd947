"""Mistakes with the gradient of a bias: what is added up, and over what."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, everywhere_and_each, mistake
from chainrule.explanation.checking.roles import Shift, WeightedSum, shifts, weighted_sums

_RULE = "∂C/∂b_j = Σᵢ δᵢⱼ"


@mistake(
    "bias-summed-over-units",
    title="the gradient of the bias is one number for all units",
    sentence="The errors are added up over the units, too: np.sum(δ) without an axis is one "
    "number, and every unit has a bias of its own.",
    rule=_RULE,
    hints=(
        "How many different numbers are in the gradient of the bias {where}?",
        "The errors of all units are added up to one number {where}.",
        "Add up over the examples alone: δ.sum(axis=0).",
    ),
)
def _bias_summed_over_units(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Shift) -> None:
        every = tuple(range(len(anatomy.nodes[at.d_b].shape)))
        draft.change(at.d_b, lambda was: draft.sum(was, axes=every))

    yield from everywhere_and_each(_of_several_units(anatomy), change)


def _of_several_units(anatomy: Anatomy) -> list[Shift]:
    return [at for at in shifts(anatomy) if anatomy.nodes[at.d_b].type.size > 1]


@mistake(
    "bias-from-weights",
    title="the gradient of the bias is the sum of the weights' gradient",
    sentence="The gradient of the weights is added up over the inputs; its numbers are errors "
    "times activations, and the bias is multiplied with no activation.",
    rule=_RULE,
    hints=(
        "What is the gradient of the bias computed from {where}?",
        "It is the sum of a row of the weights' gradient {where}.",
        "Add up the errors over the examples: δ.sum(axis=0).",
    ),
)
def _bias_from_weights(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    products: dict[int, WeightedSum] = {at.d_z: at for at in weighted_sums(anatomy)}

    def change(draft: Draft, at: Shift) -> None:
        product = products[at.d_z]
        d_w = draft.pulled(product.product, product.operand, draft.at(at.d_z))
        draft.change(at.d_b, lambda _: draft.sum(d_w, axes=(1,)))

    places = [
        at
        for at in shifts(anatomy)
        if at.d_z in products
        and len(anatomy.nodes[products[at.d_z].d_w].shape) == 2
        and anatomy.nodes[products[at.d_z].d_w].shape[:1] == anatomy.nodes[at.d_b].shape
    ]
    yield from everywhere_and_each(places, change)
