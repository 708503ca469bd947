"""Mistakes with where a gradient is kept: nothing was written there, or integers were."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, mistake
from chainrule.explanation.checking.roles import shifts, weighted_sums
from chainrule.ops import Value

_RULE = "w ← w - η ∂C/∂w"


@mistake(
    "never-written",
    title="all is 0: nothing was written",
    sentence="The gradient is still as it was made, all zeros: what was computed was not put "
    "there, or no error came that far.",
    rule=_RULE,
    hints=(
        "Look at where the gradient is written {where}.",
        "It is all 0 {where}: nothing was ever written.",
        "See that the loop runs over every layer, and writes to the array that is handed on.",
    ),
)
def _never_written(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _kept(anatomy, lambda draft, was: was * 0.0)


@mistake(
    "cut-to-integers",
    title="the numbers are cut to integers",
    sentence="The gradient is kept in an array of integers, which cuts off all decimals: "
    "np.zeros_like of integers is one, and so is np.array([[0, 0]]).",
    rule=_RULE,
    hints=(
        "Look at the decimals of the gradient {where}.",
        "There are none {where}: they are cut off where it is written.",
        "Make the array of floats: np.zeros(shape), or np.zeros_like(w, dtype=float).",
    ),
)
def _cut_to_integers(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _kept(anatomy, lambda draft, was: draft.sign(was) * draft.floor(draft.abs(was)))


def _kept(anatomy: Anatomy, make: Callable[[Draft, Value], Value]) -> Iterator[tuple[str, Change]]:
    """Something done to all gradients, to those of all weights or biases, or to one."""

    def on(draft: Draft, names: list[str]) -> None:
        for name in names:
            draft.change(anatomy.names[f"d_{name}"], lambda was: make(draft, was))

    every = list(anatomy.parameters)
    yield "in every gradient", lambda draft: on(draft, every)
    weights = list(dict.fromkeys(at.weight for at in weighted_sums(anatomy)))
    biases = list(dict.fromkeys(at.bias for at in shifts(anatomy)))
    for kind, names in (("weight", weights), ("bias", biases)):
        if 1 < len(names) < len(every):
            yield f"in every {kind}'s gradient", lambda draft, names=names: on(draft, names)  # type: ignore[misc]
    if len(every) > 1:
        for name in every:
            yield f"in the gradient of {name}", lambda draft, name=name: on(draft, [name])  # type: ignore[misc]
