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
    # An array of a kind, or one that was forgotten.
    places = dict(_of_kind(anatomy)) | dict(_of_each(anatomy))
    yield from _kept(anatomy, list(places.items()), lambda draft, was: was * 0.0)


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
    # A bias is begun with integers by who begins every bias with them.
    places = _of_kind(anatomy)
    yield from _kept(anatomy, places, lambda b, was: b.sign(was) * b.floor(b.abs(was)))


@mistake(
    "layers-reversed",
    title="the gradients stand in the reverse order of the layers",
    sentence="The backward pass meets the last layer first; its gradients were collected in that "
    "order and handed on as if they began with the first layer.",
    rule=_RULE,
    hints=(
        "To which layer does each gradient belong?",
        "The first layer has the gradient of the last, and so on.",
        "Turn the list round at the end, or write by number: grads[l] = ..., not append.",
    ),
)
def _layers_reversed(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    weights = [(at.d_w, at.product, at.operand, at.d_z) for at in weighted_sums(anatomy)]
    biases = [(at.d_b, at.sum, at.operand, at.d_z) for at in shifts(anatomy)]

    def change(draft: Draft, kinds: list[list[tuple[int, int, int, int]]]) -> None:
        for places in kinds:
            for (d, *_), (_, op, operand, d_z) in zip(places, places[::-1], strict=True):
                made = draft.pulled(op, operand, draft.at(d_z))
                draft.change(d, lambda _, made=made: made)  # type: ignore[misc]

    kinds = {"of the weights": weights, "of the biases": biases}
    turned = {where: places for where, places in kinds.items() if _is_symmetric(anatomy, places)}
    if len(turned) > 1:
        yield "", lambda draft: change(draft, list(turned.values()))
    for where, places in turned.items():
        yield where, lambda draft, places=places: change(draft, [places])  # type: ignore[misc]


def _is_symmetric(anatomy: Anatomy, places: list[tuple[int, int, int, int]]) -> bool:
    """Whether several gradients have shapes that read the same from the end."""
    types = [anatomy.nodes[d].type for d, *_ in places]
    return len(types) > 1 and types == types[::-1]


Kept = list[tuple[str, list[str]]]


def _kept(
    anatomy: Anatomy, places: Kept, make: Callable[[Draft, Value], Value]
) -> Iterator[tuple[str, Change]]:
    """Something done to the gradients of some parameters, by what they are called together."""

    def on(draft: Draft, names: list[str]) -> None:
        for name in names:
            draft.change(anatomy.names[f"d_{name}"], lambda was: make(draft, was))

    for where, names in places:
        yield where, lambda draft, names=names: on(draft, names)  # type: ignore[misc]


def _of_kind(anatomy: Anatomy) -> Kept:
    """All gradients, those of the weights, and those of the biases."""
    every = list(anatomy.parameters)
    found: Kept = [("in every gradient", every)]
    weights = list(dict.fromkeys(at.weight for at in weighted_sums(anatomy)))
    biases = list(dict.fromkeys(at.bias for at in shifts(anatomy)))
    for kind, names in (("weight", weights), ("bias", biases)):
        if 0 < len(names) < len(every):
            is_one = len(names) == 1
            found.append((_of_one(names[0]) if is_one else f"in every {kind}'s gradient", names))
    return found


def _of_each(anatomy: Anatomy) -> Kept:
    every = anatomy.parameters
    return [(_of_one(name), [name]) for name in every] if len(every) > 1 else []


def _of_one(name: str) -> str:
    return f"in the gradient of {name}"
