"""Mistakes with functions of a whole row, such as softmax."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.autodiff import pull_back
from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, everywhere_and_each, mistake
from chainrule.explanation.checking.roles import Activation, activations
from chainrule.explanation.trace import Array
from chainrule.ops import Call, bind

_LARGEST = 32  # of an axis: the diagonal takes a walk back for each of its elements


def _of_rows(anatomy: Anatomy) -> list[Activation]:
    """The activations that are functions of the numbers along one axis."""
    return [at for at in activations(anatomy) if "axis" in anatomy.nodes[at.a].attributes]


def _axis(anatomy: Anatomy, at: Activation) -> int:
    axis = anatomy.nodes[at.a].attributes["axis"]
    assert isinstance(axis, int)
    return axis


@mistake(
    "softmax-elementwise",
    title="softmax is treated as if it were elementwise",
    sentence="Each output depends on every input of its row; only the diagonal of the Jacobian, "
    "a·(1 - a), is used.",
    rule="∂aᵢ/∂zⱼ = aᵢ·(1[i = j] - aⱼ)",
    hints=(
        "Look at the derivative of softmax {where}: what does one input change?",
        "The derivatives of an output by the other inputs of its row are missing {where}.",
        "δ = a ⊙ (d - Σⱼ dⱼ·aⱼ), where d is what comes back to a.",
    ),
)
def _softmax_elementwise(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Activation) -> None:
        axis, shape = _axis(anatomy, at), anatomy.nodes[at.a].shape
        count = int(shape[axis])
        total = None
        for j in range(count):
            one = draft.given(_one_hot(j, count, axis, len(shape)))
            part = draft.pulled(at.a, 0, draft.at(at.d_a) * one) * one
            total = part if total is None else total + part
        if total is not None:
            made = total
            draft.change(at.d_z, lambda _: made)

    places = [
        at for at in _of_rows(anatomy) if anatomy.nodes[at.a].shape[_axis(anatomy, at)] <= _LARGEST
    ]
    yield from everywhere_and_each(places, change)


def _one_hot(j: int, count: int, axis: int, rank: int) -> Array:
    shape = [count if k == axis else 1 for k in range(rank)]
    return np.asarray(np.arange(count) == j, np.float64).reshape(shape)


@mistake(
    "softmax-over-examples",
    title="softmax is taken over the examples",
    sentence="The sum in the denominator runs over the examples of the batch, not over the "
    "outputs of one example: the wrong axis.",
    rule="aᵢ = exp(zᵢ) / Σⱼ exp(zⱼ)",
    hints=(
        "Look at the sum in the denominator of softmax {where}.",
        "It runs along the wrong axis {where}: each example has to be normalised by itself.",
        "Sum over the last axis and keep it: exp(z).sum(axis=1, keepdims=True).",
    ),
)
def _softmax_over_examples(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Activation) -> None:
        attributes = {**anatomy.nodes[at.a].attributes, "axis": 0}
        z = draft.at(at.z)
        draft.change(at.a, lambda _: draft.apply(at.op.name, z, **attributes))
        call = Call((z,), draft.at(at.a), (True,))
        made = pull_back(draft, bind(at.op.name, attributes), call, draft.at(at.d_a))[0]
        assert made is not None
        draft.change(at.d_z, lambda _: made)

    places = [at for at in _of_rows(anatomy) if _axis(anatomy, at) != 0]
    if anatomy.examples > 1:
        yield from everywhere_and_each(places, change)
