"""Mistakes with sums: of all that is to be added up, only a part is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, everywhere_and_each, mistake
from chainrule.explanation.checking.mistakes.costs import cost_of
from chainrule.explanation.checking.mistakes.normalization import normalizations
from chainrule.explanation.checking.roles import Shift, WeightedSum, shifts, weighted_sums
from chainrule.explanation.trace import Array

_ENDS = (("last", -1), ("first", 0))
_SUM = "∂C/∂w = 1/m Σᵢ ∂Cᵢ/∂w"
_TOTAL = "∂C/∂a = Σ over all that use a of ∂C/∂z · ∂z/∂a"


def _one_of(shape: Sequence[int], axis: int, number: int) -> Array:
    """1 at one place of an axis, 0 elsewhere: a mask that broadcasts."""
    mask = np.zeros([int(n) if k == axis else 1 for k, n in enumerate(shape)])
    mask[tuple(number if k == axis else 0 for k in range(len(shape)))] = 1.0
    return mask


def _examples_in_front(anatomy: Anatomy, position: int) -> bool:
    shape = anatomy.nodes[position].shape
    return bool(shape) and int(shape[0]) == anatomy.examples > 1


def _is_summed(anatomy: Anatomy, d_z: int, d_b: int) -> bool:
    return anatomy.nodes[d_b].type.size < anatomy.nodes[d_z].type.size


@mistake(
    "one-sample",
    title="only one example is used",
    sentence="The gradient is that of one example; in a loop it was overwritten by each example "
    "in turn, not added to.",
    rule=_SUM,
    hints=(
        "How many examples have a part in the gradient?",
        "Only one of the examples has: the others were overwritten, or never reached.",
        "Add up the gradients of all examples: += in the loop, or a matrix product over the batch.",
    ),
)
def _one_sample(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    if anatomy.examples < 2 or (cost := cost_of(anatomy)) is None:
        return
    d_costs, costs = cost.d_costs, cost.costs
    share = anatomy.values[d_costs]
    loss = anatomy.names["loss"]
    for end, number in _ENDS:
        mask = _one_of(share.shape, 0, number)
        alone = mask / np.where(share[number], share[number], 1.0)

        def change(draft: Draft, factor: Array) -> None:
            draft.change(d_costs, lambda was: was * draft.given(factor))

        def change_all(draft: Draft, factor: Array, mask: Array) -> None:
            change(draft, factor)
            every = draft.at(costs) * draft.given(mask)
            draft.change(loss, lambda _: draft.sum(every, axes=(0,)))

        yield f"(the {end})", lambda draft, f=alone: change(draft, f)  # type: ignore[misc]
        yield (
            f"(the {end}), in the loss, too",
            lambda draft, f=alone, mask=mask: change_all(draft, f, mask),  # type: ignore[misc]
        )
        yield (
            f"(the {end}), divided by m",
            lambda draft, f=mask: change(draft, f),  # type: ignore[misc]
        )


@mistake(
    "loss-of-one-sample",
    title="the loss is that of one example",
    sentence="The loss reported for the batch is that of one of its examples.",
    rule="C = 1/m Σᵢ Cᵢ",
    hints=(
        "How many examples have a part in the loss?",
        "The loss is that of one example of the batch.",
        "Add up the losses of all examples, and divide by their number.",
    ),
)
def _loss_of_one_sample(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    if anatomy.examples < 2 or (cost := cost_of(anatomy)) is None:
        return
    costs, loss = cost.costs, anatomy.names["loss"]
    for end, number in _ENDS:
        mask = _one_of(anatomy.nodes[costs].shape, 0, number)

        def change(draft: Draft, mask: Array) -> None:
            every = draft.at(costs) * draft.given(mask)
            draft.change(loss, lambda _: draft.sum(every, axes=(0,)))

        yield f"(the {end})", lambda draft, mask=mask: change(draft, mask)  # type: ignore[misc]


@mistake(
    "weights-of-one-sample",
    title="the gradient of the weights is taken from one example",
    sentence="The product of error and activation is that of one example, not the sum over all.",
    rule=_SUM,
    hints=(
        "How many examples have a part in the gradient of the weights {where}?",
        "Only one has {where}.",
        "Add up the products of all examples: δᵀ a over the batch.",
    ),
)
def _weights_of_one_sample(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    places = [at for at in weighted_sums(anatomy) if _examples_in_front(anatomy, at.d_z)]
    for end, number in _ENDS:

        def change(draft: Draft, at: WeightedSum, number: int = number) -> None:
            mask = draft.given(_one_of(anatomy.nodes[at.d_z].shape, 0, number))
            made = draft.pulled(at.product, at.operand, draft.at(at.d_z) * mask)
            draft.change(at.d_w, lambda _: made)

        for where, each in everywhere_and_each(places, change):
            yield f"{where} (the {end})", each


@mistake(
    "bias-of-one-sample",
    title="the gradient of the bias is not summed over the batch",
    sentence="The bias belongs to all examples, so that its gradient is the sum of their errors; "
    "here it is the error of one of them.",
    rule="∂C/∂b = Σᵢ δᵢ",
    hints=(
        "How many examples have a part in the gradient of the bias {where}?",
        "It is the error of one example {where}.",
        "Add up the errors over the batch: δ.sum(axis=0).",
    ),
)
def _bias_of_one_sample(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    places = [
        at
        for at in shifts(anatomy)
        if _examples_in_front(anatomy, at.d_z) and _is_summed(anatomy, at.d_z, at.d_b)
    ]
    for scale, said in ((1.0, ""), (float(anatomy.examples), ", without 1/m")):
        for end, number in _ENDS:

            def change(draft: Draft, at: Shift, number: int = number, scale: float = scale) -> None:
                mask = draft.given(scale * _one_of(anatomy.nodes[at.d_z].shape, 0, number))
                made = draft.pulled(at.sum, at.operand, draft.at(at.d_z) * mask)
                draft.change(at.d_b, lambda _: made)

            for where, each in everywhere_and_each(places, change):
                yield f"{where} (the {end} example{said})", each


@mistake(
    "bias-of-one-position",
    title="the gradient of a shared bias is not summed over the places that share it",
    sentence="The bias is added at several places of each example, and its gradient is the sum "
    "over all of them; here it is taken from one.",
    rule="∂C/∂b = Σᵢ Σₜ δᵢₜ",
    hints=(
        "At how many places is the bias added {where}?",
        "Its gradient is taken from one of them {where}.",
        "Add up the errors over all axes that the bias is the same for.",
    ),
)
def _bias_of_one_position(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    for at in shifts(anatomy):
        shape = anatomy.nodes[at.d_z].shape
        own = anatomy.nodes[anatomy.nodes[at.sum].inputs[at.operand]].shape
        kept = (1,) * (len(shape) - len(own)) + tuple(map(int, own))
        for axis in range(1, len(shape)):
            if int(shape[axis]) == 1 or kept[axis] != 1:
                continue
            for end, number in _ENDS:

                def change(
                    draft: Draft, at: Shift = at, axis: int = axis, number: int = number
                ) -> None:
                    mask = draft.given(_one_of(anatomy.nodes[at.d_z].shape, axis, number))
                    made = draft.pulled(at.sum, at.operand, draft.at(at.d_z) * mask)
                    draft.change(at.d_b, lambda _: made)

                yield f"{at.where} (the {end} along axis {axis})", change


@mistake(
    "error-of-one-unit",
    title="the error comes from one unit of the next layer",
    sentence="A unit has an effect on every unit of the next layer, and its error is the sum over "
    "all of them; each overwrote the one before, so that only one is left.",
    rule=_TOTAL,
    hints=(
        "From how many units of the next layer does an error come back {where}?",
        "Only from one {where}: the others were overwritten.",
        "Add up what comes back from all units: +=, not =.",
    ),
)
def _error_of_one_unit(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    places = [
        at
        for at in weighted_sums(anatomy)
        if at.d_a is not None and len(anatomy.nodes[at.d_z].shape) > 1
    ]
    for end, number in _ENDS:

        def change(draft: Draft, at: WeightedSum, number: int = number) -> None:
            shape = anatomy.nodes[at.d_z].shape
            mask = draft.given(_one_of(shape, len(shape) - 1, number))
            made = draft.pulled(at.product, 1 - at.operand, draft.at(at.d_z) * mask)
            assert at.d_a is not None
            draft.change(at.d_a, lambda _: made)

        for where, each in everywhere_and_each(places, change):
            yield f"{where} (the {end})", each


@mistake(
    "one-use",
    title="only one use of a value has a part in its gradient",
    sentence="The value is used several times (a weight that is shared, a step in time, a branch "
    "around layers), and its gradient is the sum over its uses; only one of them is there.",
    rule=_TOTAL,
    hints=(
        "How often is the value used {where}?",
        "Only one of its uses has a part in its gradient {where}.",
        "Add up what comes back from every use: +=, not =.",
    ),
)
def _one_use(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    penalty = anatomy.names.get("penalty")
    regularising = anatomy.above(penalty) if penalty is not None else set[int]()
    # What a normalisation makes of a value is one use; its paths have mistakes of their own.
    normalising = {at.scope for at in normalizations(anatomy)}
    uses: dict[int, list[int]] = {}
    for pull in reversed(anatomy.pulls):
        for operand, d in zip(anatomy.nodes[pull.node].inputs, pull.d_inputs, strict=True):
            is_own = anatomy.nodes[pull.node].scope not in normalising
            if d is not None and is_own and pull.node not in regularising:
                uses.setdefault(operand, []).append(d)
    owned = {anatomy.names[name]: anatomy.names[f"d_{name}"] for name in anatomy.parameters}
    shared: dict[tuple[str, int], list[tuple[int, list[int]]]] = {}

    def keep(draft: Draft, number: int, places: Sequence[tuple[int, Sequence[int]]]) -> None:
        for whole, parts in places:
            for other in (each for each in parts if each != parts[number]):
                draft.change(whole, lambda was, other=other: was - draft.at(other))  # type: ignore[misc]

    found: list[tuple[str, list[tuple[int, list[int]]]]] = []
    for value, parts in uses.items():
        name = anatomy.nodes[value].name
        whole = owned.get(value)
        if whole is None and value in anatomy.pull_of:
            whole = anatomy.pull_of[value].d_y
        if len(parts) < 2 or name is None or whole is None or whole in parts:
            continue
        found.append((name, [(whole, parts)]))
        if value in owned:
            shared.setdefault((name.rpartition(".")[0], len(parts)), []).append((whole, parts))
    # A layer is called as a whole: a call that is forgotten is forgotten for all its parameters.
    layers = [
        (f"layer {layer}" if layer else "every parameter", places)
        for (layer, _), places in shared.items()
        if len(places) > 1
    ]
    for said, places in [*layers, *found]:
        count = len(places[0][1])
        for number in range(count):
            yield (
                f"of {said} (number {number + 1} of {count})",
                lambda draft, number=number, places=places: keep(draft, number, places),  # type: ignore[misc]
            )


@mistake(
    "rows-overwritten",
    title="rows that are read several times keep one of their gradients",
    sentence="A row of the table is read by several examples, and its gradient is the sum over "
    "them; written by index, each overwrites the one before.",
    rule="∂C/∂E_k = Σ over all i with index k of δᵢ",
    hints=(
        "Which rows of the table are read more than once {where}?",
        "Their gradients are not added up {where}: d[index] += δ keeps one of them.",
        "Use np.add.at(d, index, δ), which adds at every index.",
    ),
)
def _rows_overwritten(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: WeightedSum) -> None:
        index = anatomy.values[at.a].reshape(-1)
        last = {int(row): i for i, row in enumerate(index)}
        mask = np.isin(np.arange(len(index)), list(last.values())).astype(float)
        rank = len(anatomy.nodes[at.d_z].shape) - anatomy.values[at.a].ndim
        shaped = mask.reshape(*anatomy.values[at.a].shape, *(1,) * rank)
        made = draft.pulled(at.product, at.operand, draft.at(at.d_z) * draft.given(shaped))
        draft.change(at.d_w, lambda _: made)

    places = [
        at
        for at in weighted_sums(anatomy)
        if anatomy.nodes[at.a].dtype.is_integer
        and anatomy.nodes[at.product].attributes.get("axis") == 0
    ]
    yield from everywhere_and_each(places, change)
