"""Mistakes with products: the wrong weights, the wrong operand, a transpose."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, everywhere_and_each, mistake
from chainrule.explanation.checking.roles import (
    Activation,
    WeightedSum,
    activations,
    shifts,
    weighted_sums,
)
from chainrule.explanation.symbols import NEXT
from chainrule.ops import Value

_BP2 = "δˡ = ((wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ)"
_BP4 = "∂C/∂w_jk = a_kˡ⁻¹ δ_jˡ"


def _handing_back(anatomy: Anatomy) -> list[WeightedSum]:
    """The products that hand an error on to a layer before them."""
    return [at for at in weighted_sums(anatomy) if at.d_a is not None]


def _hand_back(draft: Draft, at: WeightedSum, w: Value) -> None:
    """Let the error go back through other weights."""
    assert at.d_a is not None
    made = draft.pulled(at.product, 1 - at.operand, draft.at(at.d_z), **{f"x{at.operand}": w})
    draft.change(at.d_a, lambda _: made)


def _multiply(draft: Draft, at: WeightedSum, d_z: Value, a: Value) -> None:
    """Let the gradient of the weights be the product of something else."""
    made = draft.pulled(at.product, at.operand, d_z, **{f"x{1 - at.operand}": a})
    draft.change(at.d_w, lambda _: made)


@mistake(
    "updated-weights",
    title="the weights are updated before the errors are computed",
    sentence="The error is handed back through weights that have been updated in this step; the "
    "derivative is that of the weights that the output was computed with.",
    rule=_BP2,
    hints=(
        "Look at the error that is handed back {where}: which weights is it multiplied with?",
        "The weights have been updated already when the error goes through them {where}.",
        "Compute all gradients first, and update the weights after that.",
    ),
)
def _updated_weights(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: WeightedSum) -> None:
        _hand_back(draft, at, draft.at(anatomy.names[NEXT + at.weight]))

    places = [at for at in _handing_back(anatomy) if NEXT + at.weight in anatomy.names]
    yield from everywhere_and_each(places, change)


@mistake(
    "transposed-weights",
    title="the weights are transposed",
    sentence="The error is multiplied by w in the place of wᵀ (or the other way round); as the "
    "matrix is square, no shape tells.",
    rule=_BP2,
    hints=(
        "Look at the product that hands the error back {where}.",
        "The matrix of the weights stands the other way round {where}.",
        "An output's error goes back along the weights that its sum was computed with: wᵀ δ.",
    ),
)
def _transposed_weights(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: WeightedSum) -> None:
        _hand_back(draft, at, draft.transpose(draft.at(at.w), axes=(1, 0)))

    places = [at for at in _handing_back(anatomy) if _is_square(anatomy, at.w)]
    yield from everywhere_and_each(places, change)


@mistake(
    "transposed-gradient",
    title="the gradient is transposed",
    sentence="The gradient of a weight stands where that of its mirror image belongs; as the "
    "matrix is square, no shape tells.",
    rule=_BP4,
    hints=(
        "Look at the order of the two factors {where}.",
        "Rows and columns of the gradient are exchanged {where}.",
        "Row j of the gradient belongs to output j, column k to input k: δ aᵀ, not a δᵀ.",
    ),
)
def _transposed_gradient(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: WeightedSum) -> None:
        draft.change(at.d_w, lambda was: draft.transpose(was, axes=(1, 0)))

    places = [at for at in weighted_sums(anatomy) if _is_square(anatomy, at.d_w)]
    yield from everywhere_and_each(places, change)


def _is_square(anatomy: Anatomy, position: int) -> bool:
    shape = anatomy.nodes[position].shape
    return len(shape) == 2 and shape[0] == shape[1]


@mistake(
    "wrong-layer-weights",
    title="the weights are those of another layer",
    sentence="The error is handed back through the weights of another layer, which have the same "
    "shape.",
    rule=_BP2,
    hints=(
        "Look at the product that hands the error back {where}.",
        "The weights in it are those of another layer.",
        "The error goes back through the weights of the layer that it comes from: wˡ⁺¹, not wˡ.",
    ),
)
def _wrong_layer_weights(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    every = list(weighted_sums(anatomy))
    for at in _handing_back(anatomy):
        for other in _others(anatomy, [each.w for each in every], at.w):
            name = anatomy.nodes[other].name
            yield (
                f"{at.where} ({name})",
                lambda draft, at=at, w=other: _hand_back(draft, at, draft.at(w)),  # type: ignore[misc]
            )


@mistake(
    "wrong-layer-input",
    title="the gradient is computed with the activation of another layer",
    sentence="The error is multiplied with the activation of another layer, which has the same "
    "shape.",
    rule=_BP4,
    hints=(
        "Look at the factor that the error is multiplied with {where}.",
        "The activation in it is that of another layer.",
        "The gradient of a weight takes what went into its layer: aˡ⁻¹, not aˡ.",
    ),
)
def _wrong_layer_input(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    every = list(weighted_sums(anatomy))
    outputs = [at.a for at in activations(anatomy)]
    for at in every:
        for other in _others(anatomy, [*(each.a for each in every), *outputs], at.a):
            name = anatomy.nodes[other].name or f"the input of {at.weight}"
            yield (
                f"{at.where} ({name})",
                lambda draft, at=at, a=other: _multiply(  # type: ignore[misc]
                    draft, at, draft.at(at.d_z), draft.at(a)
                ),
            )


def _others(anatomy: Anatomy, positions: list[int], own: int) -> list[int]:
    kind = anatomy.nodes[own].type
    return [i for i in dict.fromkeys(positions) if i != own and anatomy.nodes[i].type == kind]


@mistake(
    "sum-for-activation",
    title="the gradient is computed with z, not with a",
    sentence="The error is multiplied with the weighted sum z of the layer before, not with its "
    "activation a = σ(z), which is what went into this layer.",
    rule=_BP4,
    hints=(
        "Look at the factor that the error is multiplied with {where}.",
        "It is the weighted sum of the layer before {where}.",
        "Take the activation a = σ(z): that is what the weight was multiplied with.",
    ),
)
def _sum_for_activation(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    sums = {at.a: at.z for at in activations(anatomy)}

    def change(draft: Draft, at: WeightedSum) -> None:
        _multiply(draft, at, draft.at(at.d_z), draft.at(sums[at.a]))

    yield from everywhere_and_each([at for at in weighted_sums(anatomy) if at.a in sums], change)


@mistake(
    "missing-input",
    title="the gradient of the weights is not multiplied with the input",
    sentence="The gradient of a weight is the error alone, as if it were a bias; the activation "
    "that the weight is multiplied with is missing.",
    rule=_BP4,
    hints=(
        "Look at the gradient of the weights {where}: it has two factors.",
        "The activation that goes into the layer is missing {where}.",
        "Multiply the error of each output with each input: δ aᵀ.",
    ),
)
def _missing_input(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from everywhere_and_each(_of_numbers(anatomy), _without_input)


def _of_numbers(anatomy: Anatomy) -> list[WeightedSum]:
    """The products with an input that has values, and no indices."""
    return [at for at in weighted_sums(anatomy) if anatomy.nodes[at.a].dtype.is_float]


def _without_input(draft: Draft, at: WeightedSum) -> None:
    kind = draft.anatomy.nodes[at.a].type
    ones = draft.broadcast(draft.constant(1.0, kind.dtype), shape=kind.shape)
    _multiply(draft, at, draft.at(at.d_z), ones)


@mistake(
    "error-before-activation",
    title="the gradients are computed with the error in front of σ′",
    sentence="The gradients of a layer are computed from what comes back to its activation, not "
    "from what comes back to its weighted sum; the layers before it get the right error.",
    rule=_BP4,
    hints=(
        "Look at the error that the gradients are computed with {where}.",
        "It has not been multiplied by σ′ yet {where}.",
        "Multiply by σ′(z) first; the result is the δ of both gradients.",
    ),
)
def _error_before_activation(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    products: dict[int, list[WeightedSum]] = {}
    for product in weighted_sums(anatomy):
        products.setdefault(product.d_z, []).append(product)
    biases = list(shifts(anatomy))

    def change(draft: Draft, at: Activation) -> None:
        for product in products[at.d_z]:
            _multiply(draft, product, draft.at(at.d_a), draft.at(product.a))
        for bias in biases:
            if bias.d_z == at.d_z:
                made = draft.pulled(bias.sum, bias.operand, draft.at(at.d_a))
                draft.change(bias.d_b, lambda _, made=made: made)  # type: ignore[misc]

    # Where nothing is handed on, this is the same as σ′ missing.
    places = [
        at
        for at in activations(anatomy)
        if any(product.d_a is not None for product in products.get(at.d_z, ()))
    ]
    yield from everywhere_and_each(places, change)


@mistake(
    "missing-weights",
    title="the weights are left out where the error is handed back",
    sentence="The errors of the next layer are added up as they are; each is to be multiplied with "
    "the weight that leads to it.",
    rule=_BP2,
    hints=(
        "Look at the product that hands the error back {where}: it has two factors.",
        "The weights are not in it {where}.",
        "Multiply the errors of the next layer with the weights that lead to them: wᵀ δ.",
    ),
)
def _missing_weights(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def add_up(draft: Draft, at: WeightedSum) -> None:
        w = draft.at(at.w)
        _hand_back(draft, at, draft.broadcast(draft.constant(1.0, w.dtype), shape=w.shape))

    def pass_on(draft: Draft, at: WeightedSum) -> None:
        assert at.d_a is not None
        draft.change(at.d_a, lambda _: draft.at(at.d_z))

    places = _handing_back(anatomy)
    yield from everywhere_and_each(places, add_up)
    for at in places:
        assert at.d_a is not None
        kind = anatomy.nodes[at.d_z].type
        if kind == anatomy.nodes[at.d_a].type and int(kind.shape[-1]) > 1:
            yield (
                f"{at.where} (each unit the error of one)",
                lambda draft, at=at: pass_on(draft, at),  # type: ignore[misc]
            )


@mistake(
    "weights-for-input",
    title="the gradient is computed with the weights, not with their input",
    sentence="The error is multiplied with the weight itself; the derivative of w·a by w is a, and "
    "w is that by a.",
    rule=_BP4,
    hints=(
        "Look at the factor that the error is multiplied with {where}.",
        "It is the weight whose gradient is computed {where}.",
        "The gradient of a weight takes what went into its layer, δ aᵀ; w is for handing back.",
    ),
)
def _weights_for_input(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: WeightedSum) -> None:
        _without_input(draft, at)
        draft.change(at.d_w, lambda was: was * draft.at(at.w))

    yield from everywhere_and_each(_of_numbers(anatomy), change)


@mistake(
    "wrong-layer-error",
    title="the gradient is computed with the error of another layer",
    sentence="The activation that goes into the layer is multiplied with the error δ of another "
    "layer, which has the same shape.",
    rule=_BP4,
    hints=(
        "Look at the error that the gradient is computed with {where}.",
        "It is the error of another layer.",
        "The gradient of a weight takes the error of the sum that the weight is in: δˡ.",
    ),
)
def _wrong_layer_error(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    every = list(weighted_sums(anatomy))
    for at in every:
        for other in _others(anatomy, [each.d_z for each in every], at.d_z):
            name = anatomy.nodes[other].name or "another"
            yield (
                f"{at.where} ({name.removeprefix('d_')})",
                lambda draft, at=at, d=other: _multiply(  # type: ignore[misc]
                    draft, at, draft.at(d), draft.at(at.a)
                ),
            )


@mistake(
    "product-of-means",
    title="the gradient is the product of two means",
    sentence="Error and activation are each averaged over the examples and then multiplied; the "
    "gradient is the mean of the products, and not the product of the means.",
    rule="∂C/∂w = 1/m Σᵢ δᵢ aᵢᵀ",
    hints=(
        "What is averaged first {where}, and what is multiplied first?",
        "Error and activation are averaged before they are multiplied {where}.",
        "Multiply for each example, and average after that: δᵀ a over the batch.",
    ),
)
def _product_of_means(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: WeightedSum) -> None:
        a = draft.at(at.a)
        mean = draft.sum(a, axes=(0,)) / float(anatomy.examples)
        row = draft.reshape(mean, shape=(1, *a.shape[1:]))
        _multiply(draft, at, draft.at(at.d_z), draft.broadcast(row, shape=a.shape))

    places = [
        at
        for at in _of_numbers(anatomy)
        if anatomy.nodes[at.a].shape[:1] == (anatomy.examples,) and anatomy.examples > 1
    ]
    yield from everywhere_and_each(places, change)
