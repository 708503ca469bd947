"""Mistakes with the slope of an activation: σ′ missing, or taken at the wrong place."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, everywhere_and_each, mistake
from chainrule.explanation.checking.roles import Activation, activations
from chainrule.ops import Elementwise, ElementwiseOp, Value, bind
from chainrule.ops.expression import Apply, Literal, Symbol, read
from chainrule.ops.formula import NodeReader, substitute
from chainrule.ops.functions import RELU, SIGMOID
from chainrule.ops.primitives import TANH

_BP2 = "δˡ = ((wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ)"


@mistake(
    "missing-derivative",
    title="σ′ is missing",
    sentence="The error is handed through the activation as if its slope were 1.",
    rule=_BP2,
    hints=(
        "Look at the error δ {where}: one factor of the chain rule is not there.",
        "The derivative of the activation is missing {where}.",
        "Multiply by σ′(z), element by element, where the error passes the activation {where}.",
    ),
)
def _missing_derivative(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from everywhere_and_each(
        activations(anatomy), lambda draft, at: draft.change(at.d_z, lambda _: draft.at(at.d_a))
    )


@mistake(
    "derivative-at-activation",
    title="σ′ is taken at a, not at z",
    sentence="The slope of the activation is computed from what comes out of it, as if that were "
    "what goes in.",
    rule=_BP2,
    hints=(
        "Look at σ′ {where}: at which number is it taken?",
        "The slope is taken at the activation a {where}; it belongs to the weighted sum z.",
        "Write σ′(z), or a·(1 - a) for a sigmoid: not σ(a)·(1 - σ(a)).",
    ),
)
def _derivative_at_activation(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Activation) -> None:
        a = draft.at(at.a)
        again = draft.apply(at.op.name, a, **anatomy.nodes[at.a].attributes)
        made = draft.pulled(at.a, 0, draft.at(at.d_a), x0=a, y=again)
        draft.change(at.d_z, lambda _: made)

    yield from everywhere_and_each(activations(anatomy), change)


@mistake(
    "derivative-formula-at-sum",
    title="the formula of σ′ in a is given z",
    sentence="a·(1 - a) is the slope of a sigmoid in terms of what comes out of it; here it is "
    "computed with what goes in, z·(1 - z).",
    rule=_BP2,
    hints=(
        "Look at σ′ {where}: which number is put into its formula?",
        "The formula of the slope wants the activation a {where}, and is given the sum z.",
        "Write a·(1 - a), not z·(1 - z); for tanh 1 - a², not 1 - z².",
    ),
)
def _derivative_formula_at_sum(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Activation) -> None:
        z = draft.at(at.z)
        draft.change(at.d_z, lambda _: draft.at(at.d_a) * _slope(draft, at, z, z))

    written_in_a = (at for at in _elementwise(anatomy) if _is_written_in_a(_operation(at)))
    yield from everywhere_and_each(written_in_a, change)


def _elementwise(anatomy: Anatomy) -> Iterator[Activation]:
    for at in activations(anatomy):
        if isinstance(at.op, ElementwiseOp):
            yield at


def _operation(at: Activation) -> ElementwiseOp:
    assert isinstance(at.op, ElementwiseOp)
    return at.op


def _is_written_in_a(op: ElementwiseOp) -> bool:
    """Whether the slope's formula has what comes out in it."""
    slope = op.partial(0)
    (x,) = op.symbols
    # As text: formulas are compared by identity.
    return repr(substitute(slope, {x.name: x, "y": Symbol("another")})) != repr(slope)


def _slope(draft: Draft, at: Activation, x: Value, y: Value) -> Value:
    """The slope's formula, with these numbers for what goes in and what comes out."""
    return _written(draft, _operation(at), x, y)


def _written(draft: Draft, op: ElementwiseOp, x: Value, y: Value) -> Value:
    symbols = dict.fromkeys(op.declaration.operands, x)
    reader = NodeReader(draft, {**symbols, "y": y}, x.dtype)
    return reader.value(read(op.partial(0), reader))


@mistake(
    "activation-for-derivative",
    title="σ itself is taken for σ′",
    sentence="The error is multiplied by what comes out of the activation, not by its slope there.",
    rule=_BP2,
    hints=(
        "Look at σ′ {where}: which number stands in its place?",
        "It is the activation a = σ(z) {where}, and not the slope.",
        "Write σ′(z): for a sigmoid a·(1 - a), for tanh 1 - a², for relu 1 where z > 0.",
    ),
)
def _activation_for_derivative(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from everywhere_and_each(
        _elementwise(anatomy),
        lambda draft, at: draft.change(at.d_z, lambda _: draft.at(at.d_a) * draft.at(at.a)),
    )


@mistake(
    "part-of-derivative",
    title="σ′ is 1 - a alone",
    sentence="The slope is a product, a·(1 - a) for a sigmoid and 1 - a² = (1 + a)·(1 - a) for "
    "tanh; only 1 - a is there.",
    rule=_BP2,
    hints=(
        "Look at σ′ {where}: what is it made of?",
        "Only 1 - a is there {where}: the other factor, or the square, is missing.",
        "Write a·(1 - a) for a sigmoid, and 1 - a² for tanh.",
    ),
)
def _part_of_derivative(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from everywhere_and_each(
        (at for at in _elementwise(anatomy) if _ends_in_rest(_operation(at))),
        lambda draft, at: draft.change(at.d_z, lambda _: draft.at(at.d_a) * (1.0 - draft.at(at.a))),
    )


def _ends_in_rest(op: ElementwiseOp) -> bool:
    """Whether the slope's formula is a product that ends in 1 - y."""
    match op.partial(0):
        case Apply("mul", (_, Apply("sub", (Literal(1), Symbol("y"))))):
            return True
    return False


@mistake(
    "derivative-of-other-activation",
    title="σ′ is that of another function",
    sentence="The slope is that of an activation which this layer does not have, as it is left "
    "where code for one network is used for another.",
    rule=_BP2,
    hints=(
        "Look at σ′ {where}: which function is it the slope of?",
        "It is not the slope of the activation that this layer has: {where}.",
        "Write the slope of this layer's own activation: a·(1 - a) for a sigmoid, 1 - a² for tanh.",
    ),
)
def _derivative_of_other_activation(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    kinds: dict[ElementwiseOp, list[Activation]] = {}
    for at in _elementwise(anatomy):
        kinds.setdefault(_operation(at), []).append(at)
    out = anatomy.names.get("out")
    for op, every in kinds.items():
        for other, is_of_sum in _OTHERS:
            # No output has relu for its activation; where all are negative, all would be 0.
            places = [at for at in every if other is not RELU or at.a != out]

            def change(
                draft: Draft,
                at: Activation,
                other: Elementwise = other,
                is_of_sum: bool = is_of_sum,
            ) -> None:
                a, z = draft.at(at.a), draft.at(at.z)
                y = draft.apply(other.name, z) if is_of_sum else a
                function = bind(other.name)
                assert isinstance(function, ElementwiseOp)
                made = _written(draft, function, z, y)
                draft.change(at.d_z, lambda _: draft.at(at.d_a) * made)

            if other is not op.declaration:
                number = "z" if is_of_sum else "a"
                of = f" of {op.name}" if len(kinds) > 1 else ""
                for where, each in everywhere_and_each(places, change):
                    kind = of if where.startswith("in every layer") else ""
                    yield f"{where}{kind}, as for {other.name} of {number}", each


# Written with a·(1 - a), or as a function of z; a slope of relu is of z alone.
_OTHERS = ((SIGMOID, False), (SIGMOID, True), (TANH, False), (TANH, True), (RELU, True))


@mistake(
    "derivative-twice",
    title="σ′ is there twice",
    sentence="The error is multiplied by the slope of the activation once too often.",
    rule=_BP2,
    hints=(
        "Look at the error δ {where}: one factor is too many.",
        "The derivative of the activation is multiplied in twice {where}.",
        "δ is the error of z: σ′(z) is in it once, and in nothing that is computed from it.",
    ),
)
def _derivative_twice(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Activation) -> None:
        draft.change(at.d_z, lambda was: draft.pulled(at.a, 0, was))

    yield from everywhere_and_each(activations(anatomy), change)


@mistake(
    "derivative-of-wrong-layer",
    title="σ′ is taken at another layer's weighted sum",
    sentence="The slope is that of another layer, which has as many units.",
    rule=_BP2,
    hints=(
        "Look at σ′ {where}: whose z is it taken at?",
        "The slope is taken at the weighted sum of another layer.",
        "The error of a layer takes σ′ at that layer's own z: σ′(zˡ).",
    ),
)
def _derivative_of_wrong_layer(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    smooth = [at for at in _elementwise(anatomy) if not _operation(at).declaration.kinks]
    yield from of_wrong_layer(anatomy, smooth)


def of_wrong_layer(anatomy: Anatomy, places: list[Activation]) -> Iterator[tuple[str, Change]]:
    """The slope taken at the weighted sum of another layer with this function and shape."""

    def change(draft: Draft, at: Activation, other: Activation) -> None:
        z, a = draft.at(other.z), draft.at(other.a)
        made = draft.pulled(at.a, 0, draft.at(at.d_a), x0=z, y=a)
        draft.change(at.d_z, lambda _: made)

    for at in places:
        for other in places:
            same = anatomy.nodes[at.z].type == anatomy.nodes[other.z].type
            if other.a != at.a and same and other.op == at.op:
                yield (
                    f"{at.where}, of {anatomy.nodes[other.a].name}",
                    lambda draft, at=at, other=other: change(draft, at, other),  # type: ignore[misc]
                )
