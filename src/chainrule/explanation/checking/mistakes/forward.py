"""Mistakes on the way forward: something of a layer is left out before anything goes back."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, everywhere_and_each, mistake
from chainrule.explanation.checking.roles import Activation, Shift, activations, shifts
from chainrule.ops.functions import SIGMOID

_SUM = "zˡ = wˡ aˡ⁻¹ + bˡ, aˡ = σ(zˡ)"


@mistake(
    "missing-bias",
    title="the bias is left out of the forward pass",
    sentence="The weighted sum is w·a alone; everything behind it is computed from a number that "
    "the bias is missing in.",
    rule=_SUM,
    hints=(
        "Look at the weighted sum {where}: what is added up?",
        "The bias is not added {where}.",
        "Compute z = w·a + b on the way forward.",
    ),
)
def _missing_bias(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Shift) -> None:
        alone = anatomy.nodes[at.sum].inputs[1 - at.operand]
        draft.change(at.sum, lambda _: draft.at(alone))

    yield from everywhere_and_each(shifts(anatomy), change)


@mistake(
    "missing-activation",
    title="the activation is left out of the forward pass",
    sentence="The layer hands on its weighted sum z as it is, as if it had no activation.",
    rule=_SUM,
    hints=(
        "Look at what the layer hands on {where}.",
        "It is the weighted sum z {where}: the activation was not applied.",
        "Compute a = σ(z) on the way forward, and hand on a.",
    ),
)
def _missing_activation(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def skip(draft: Draft, at: Activation) -> None:
        draft.change(at.a, lambda _: draft.at(at.z))

    def skip_both(draft: Draft, at: Activation) -> None:
        skip(draft, at)
        draft.change(at.d_z, lambda _: draft.at(at.d_a))

    places = list(activations(anatomy))
    for where, change in everywhere_and_each(places, skip_both):
        yield f"{where}, and its slope with it", change
    for where, change in everywhere_and_each(places, skip):
        yield f"{where}, and its slope is not", change


@mistake(
    "exponent-sign",
    title="the sigmoid is computed as 1/(1 + exp(z))",
    sentence="The minus in the exponent is missing, so that the sigmoid falls and has to rise.",
    rule="σ(z) = 1/(1 + e⁻ᶻ)",
    hints=(
        "Look at the sigmoid itself: does it rise?",
        "It falls: the exponent has the wrong sign.",
        "Write 1 / (1 + np.exp(-z)).",
    ),
)
def _exponent_sign(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    places = [at for at in activations(anatomy) if at.op.name == SIGMOID.name]

    def change(draft: Draft) -> None:
        for at in places:
            draft.change(at.a, lambda _, z=at.z: draft.sigmoid(-draft.at(z)))  # type: ignore[misc]

    if places:
        yield "", change
