"""Mistakes with a number that everything is multiplied by: 1/m, 2, a sign."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, mistake
from chainrule.explanation.checking.roles import shifts, weighted_sums

_OF_SQUARE = "∂C/∂a of C = {loss}; d ½u² = u du, and d u² = 2u du"


@mistake(
    "missing-mean",
    title="1/m is missing",
    sentence="The gradients of the examples are added up; the loss is their mean, so that the sum "
    "is to be divided by the number m of examples.",
    rule="∂C/∂w = 1/m Σᵢ ∂Cᵢ/∂w",
    hints=(
        "Compare the size of what you have with the true gradient {where}.",
        "All of it is m times as large, m being the number of examples {where}.",
        "Divide by the number of examples {where}.",
    ),
)
def _missing_mean(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    if anatomy.examples > 1:
        yield from _scaled(anatomy, float(anatomy.examples))


@mistake(
    "extra-mean",
    title="1/m is there twice",
    sentence="The gradient is divided by the number m of examples once too often: the mean is in "
    "the error already.",
    rule="∂C/∂w = 1/m Σᵢ ∂Cᵢ/∂w",
    hints=(
        "Compare the size of what you have with the true gradient {where}.",
        "All of it is divided by m once too often, m being the number of examples {where}.",
        "Take the mean in one place: in the error, or in the gradient {where}.",
    ),
)
def _extra_mean(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    if anatomy.examples > 1:
        yield from _scaled(anatomy, 1 / anatomy.examples)


@mistake(
    "sign",
    title="the sign is wrong",
    sentence="The gradient has the other sign: (y - a) in the place of (a - y), or a minus that "
    "is there twice.",
    rule="w ← w - η ∂C/∂w",
    hints=(
        "Look at the direction of the step {where}.",
        "Each number has the right size and the wrong sign {where}.",
        "The error is output minus target; subtract the gradient from the weight once.",
    ),
)
def _sign(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _scaled(anatomy, -1.0)


@mistake(
    "factor-two",
    title="a factor 2 is missing",
    sentence="Each number is half of what {loss} gives: its 2 was forgotten, or it was "
    "differentiated as if there were a ½ in front of it.",
    rule=_OF_SQUARE,
    hints=(
        "Compare the size of what you have with the true gradient {where}.",
        "Each number is half as large as it has to be {where}.",
        "Differentiate {loss} as it is written, with its 2 or ½.",
    ),
)
def _factor_two(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _scaled(anatomy, 0.5)


@mistake(
    "factor-half",
    title="a factor ½ is missing",
    sentence="Each number is twice what {loss} gives: its ½ was forgotten, or it was "
    "differentiated with the 2 of a square that it does not have.",
    rule=_OF_SQUARE,
    hints=(
        "Compare the size of what you have with the true gradient {where}.",
        "Each number is twice as large as it has to be {where}.",
        "Differentiate {loss} as it is written, with its 2 or ½.",
    ),
)
def _factor_half(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _scaled(anatomy, 2.0)


def _scaled(anatomy: Anatomy, factor: float) -> Iterator[tuple[str, Change]]:
    """A factor on everything, all weights, all biases, one layer, or one parameter's gradient."""

    def on(draft: Draft, positions: list[int]) -> None:
        for position in positions:
            draft.change(position, lambda was: was * factor)

    yield "", lambda draft: on(draft, [anatomy.seed])
    layers: dict[str, list[int]] = {}
    for name in anatomy.parameters:
        layers.setdefault(name.rpartition(".")[0], []).append(anatomy.names[f"d_{name}"])
    if len(layers) > 1:
        for layer, positions in layers.items():
            if len(positions) > 1:
                yield f"in layer {layer}", lambda draft, at=positions: on(draft, at)  # type: ignore[misc]
    weights = {at.weight: anatomy.names[f"d_{at.weight}"] for at in weighted_sums(anatomy)}
    biases = {at.bias: anatomy.names[f"d_{at.bias}"] for at in shifts(anatomy)}
    for kind, of_kind in (("weight", weights), ("bias", biases)):
        if len(of_kind) > 1:
            every = list(of_kind.values())
            yield f"in every {kind}'s gradient", lambda draft, every=every: on(draft, every)  # type: ignore[misc]
        for name, position in of_kind.items():
            yield f"in the gradient of {name}", lambda draft, at=position: on(draft, [at])  # type: ignore[misc]
