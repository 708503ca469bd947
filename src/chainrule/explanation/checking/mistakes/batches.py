"""Mistakes from one batch to the next."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, mistake


@mistake(
    "accumulated",
    title="the gradients of the step before are still in there",
    sentence="Gradients are added to what the step before left, because they were not set to zero "
    "in between.",
    rule="wₜ₊₁ = wₜ - η ∂Cₜ/∂w",
    hints=(
        "What do the gradients hold before this step begins?",
        "The gradients of the step before are a part of them.",
        "Set all gradients to zero before each step.",
    ),
)
def _accumulated(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft) -> None:
        before = anatomy.previous
        for name in anatomy.parameters:
            position = anatomy.names[f"d_{name}"]
            if before is None:
                draft.change(position, lambda was: was * 2.0)
            elif name in before:
                left = draft.given(before[name])
                draft.change(position, lambda was, left=left: was + left)  # type: ignore[misc]

    # Without a step before, that of the same batch: what calling backward twice makes.
    yield "" if anatomy.ask_previous is not None else "(this batch's own, a second time)", change
