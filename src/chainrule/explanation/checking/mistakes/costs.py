"""Mistakes with the derivative of the cost: of another cost than the one that is minimised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.autodiff import append_gradients, pull_back
from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, mistake
from chainrule.explanation.checking.roles import activations
from chainrule.explanation.trace import Array
from chainrule.ops import Call, Value, bind

_BP1 = "δᴸ = ∇ₐC ⊙ σ′(zᴸ)"


@dataclass(frozen=True, eq=False)
class Cost:
    """What is minimised: a cost for each example, of the network's output and a target.

    Parameters
    ----------
    out : int
        The output.
    d_out : int
        What comes back to it.
    costs : int
        The examples' costs.
    d_costs : int
        What comes back to those: an example's share in the loss.
    y : array
        The target, in the shape of the output.
    """

    out: int
    d_out: int
    costs: int
    d_costs: int
    y: Array

    def difference(self, draft: Draft) -> Value:
        """A - y, each example with its share in the loss."""
        d_costs = draft.at(self.d_costs)
        rank = self.y.ndim - len(d_costs.shape)
        share = draft.reshape(d_costs, shape=(*d_costs.shape, *(1,) * rank))
        return share * (draft.at(self.out) - draft.given(self.y))


def cost_of(anatomy: Anatomy) -> Cost | None:
    """The cost of a step, if it compares one output with a target of its shape, or its labels."""
    out = anatomy.names.get("out")
    target = anatomy.names.get("target")
    if out is None or target is None or out not in anatomy.pull_of:
        return None
    costs = _costs(anatomy)
    y = _target(anatomy, out, target)
    if costs is None or y is None or costs <= out:
        return None
    return Cost(out, anatomy.pull_of[out].d_y, costs, anatomy.pull_of[costs].d_y, y)


def _costs(anatomy: Anatomy) -> int | None:
    """The costs of the examples: what is averaged, in front of the examples' weights."""
    return _costs_and_weights(anatomy)[0]


def weights_of(anatomy: Anatomy) -> int | None:
    """The weights that the examples' costs are multiplied with, if they are."""
    return _costs_and_weights(anatomy)[1]


def _costs_and_weights(anatomy: Anatomy) -> tuple[int | None, int | None]:
    position, found = anatomy.names["loss"], None
    while (pull := anatomy.pull_of.get(position)) is not None:
        node = anatomy.nodes[position]
        active = [i for i, d in zip(node.inputs, pull.d_inputs, strict=True) if d is not None]
        weights = [
            i for i in node.inputs if i not in active and anatomy.nodes[i].shape == node.shape
        ]
        is_weighted = node.op == "mul" and bool(weights)
        if node.shape and not is_weighted:
            return (position if len(node.shape) == 1 else None), found
        if len(active) != 1:
            return None, found
        if is_weighted and len(node.shape) == 1:
            found = weights[0] if found is None else found
        position = active[0]
    return None, found


def _target(anatomy: Anatomy, out: int, target: int) -> Array | None:
    shape, y = anatomy.nodes[out].shape, anatomy.values[target]
    if y.shape == shape:
        return np.asarray(y, np.float64)
    if y.shape == shape[:-1] and y.dtype.kind in "iu":
        return np.asarray(y[..., None] == np.arange(shape[-1]), np.float64)
    return None


Squashing = Callable[[Draft, Value], Value]


def squashing_of(anatomy: Anatomy, cost: Cost) -> tuple[Squashing, float] | None:
    """The function that a cost from logits has inside, for which δ is a multiple of p - y."""
    logits, d_out = anatomy.values[cost.out], anatomy.values[cost.d_out]
    last = logits.ndim - 1
    share = anatomy.values[cost.d_costs].reshape(-1, *(1,) * last)
    rest = np.exp(-np.abs(logits))
    sigmoid = np.where(logits < 0, rest, 1.0) / (1.0 + rest)
    if factor := multiple_of(d_out, share * (sigmoid - cost.y)):
        return lambda draft, z: draft.sigmoid(z), factor
    if not last or logits.shape[-1] < 2:
        return None
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    if factor := multiple_of(d_out, share * (powers / powers.sum(-1, keepdims=True) - cost.y)):
        return lambda draft, z: draft.softmax(z, axis=last), factor
    return None


def multiple_of(found: Array, expected: Array) -> float:
    """What numbers are others times, if that is one number above 0; else 0."""
    size = float(np.vdot(expected, expected))
    if not size or not np.isfinite(size):
        return 0.0
    factor = float(np.vdot(found, expected)) / size
    is_one = np.allclose(found, factor * expected, rtol=1e-9, atol=1e-12 * size**0.5)
    return factor if factor > 0 and is_one else 0.0


@mistake(
    "error-of-cross-entropy",
    title="the error is a - y, as for cross-entropy",
    sentence="The error of the output's weighted sum is a - y. With cross-entropy the slope of the "
    "activation cancels out; with this cost it does not, or there is a factor besides.",
    rule=_BP1,
    hints=(
        "Look at the error of the last layer.",
        "a - y is the error that belongs to cross-entropy with a sigmoid or softmax output.",
        "Differentiate the cost that you minimise: δ = ∇ₐC ⊙ σ′(z).",
    ),
)
def _error_of_cross_entropy(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    cost = cost_of(anatomy)
    if cost is not None:
        for d_z in (at.d_z for at in activations(anatomy) if at.a == cost.out):

            def change(draft: Draft, d_z: int = d_z) -> None:
                draft.change(d_z, lambda _: cost.difference(draft))

            yield "", change


@mistake(
    "error-of-quadratic",
    title="the derivative of the cost is a - y, as for ½(a - y)²",
    sentence="∂C/∂a = a - y is the derivative of the quadratic cost; another one is minimised.",
    rule=_BP1,
    hints=(
        "Look at the derivative of the cost by the output.",
        "a - y is what the quadratic cost ½(a - y)² has.",
        "Differentiate the cost that you minimise by the output.",
    ),
)
def _error_of_quadratic(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    if (cost := cost_of(anatomy)) is not None:
        yield "", lambda draft: draft.change(cost.d_out, lambda _: cost.difference(draft))


@mistake(
    "error-of-absolute",
    title="the derivative of the cost is the sign of a - y, as for |a - y|",
    sentence="∂C/∂a = ±1 is the derivative of the absolute difference; another cost is minimised.",
    rule=_BP1,
    hints=(
        "Look at the derivative of the cost by the output.",
        "±1 is what the absolute difference |a - y| has.",
        "Differentiate the cost that you minimise by the output.",
    ),
)
def _error_of_absolute(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, cost: Cost) -> None:
        share = draft.at(cost.d_costs)
        rank = cost.y.ndim - len(share.shape)
        sign = draft.sign(draft.at(cost.out) - draft.given(cost.y))
        made = draft.reshape(share, shape=(*share.shape, *(1,) * rank)) * sign
        draft.change(cost.d_out, lambda _: made)

    if (cost := cost_of(anatomy)) is not None:
        yield "", lambda draft: change(draft, cost)


@mistake(
    "extra-derivative",
    title="σ′ is multiplied in where the cost has cancelled it",
    sentence="A cost from logits has the sigmoid or softmax inside, so that the error of the "
    "logits is p - y; here it is multiplied by p·(1 - p) besides.",
    rule="∂C/∂z = p - y",
    hints=(
        "Look at the error of the last layer: one factor is too many.",
        "The derivative of the sigmoid or softmax is in p - y already.",
        "Leave out σ′ in the last layer: cross-entropy has cancelled it.",
    ),
)
def _extra_derivative(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, cost: Cost, squash: Squashing) -> None:
        p = squash(draft, draft.at(cost.out))
        draft.change(cost.d_out, lambda was: was * (p * (1.0 - p)))

    cost = cost_of(anatomy)
    if cost is not None and (found := squashing_of(anatomy, cost)) is not None:
        yield "", lambda draft: change(draft, cost, found[0])


@mistake(
    "double-softmax",
    title="softmax or sigmoid is applied twice",
    sentence="The cost takes logits and applies softmax (or the sigmoid) itself; it was given "
    "probabilities, so that it is applied a second time.",
    rule="C = -log softmax(z)_label",
    hints=(
        "Look at what the cost is given.",
        "The cost applies softmax or the sigmoid itself, and gets what has been through it.",
        "Hand the logits to the cost; use softmax on them only to read probabilities.",
    ),
)
def _double_softmax(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, cost: Cost, squash: Squashing) -> None:
        logits = draft.at(cost.out)
        p = squash(draft, logits)
        loss = anatomy.names["loss"]
        again = {cost.out: p}
        for i in range(cost.out + 1, loss + 1):
            node = anatomy.nodes[i]
            if anatomy.below[cost.out] >> i & 1:
                operands = [again.get(j, draft.at(j)) for j in node.inputs]
                again[i] = draft.apply(node.op, *operands, **node.attributes)
        (d_p,) = append_gradients(draft, {again[loss]: draft.at(anatomy.seed)}, [p])
        call = Call((logits,), p, (True,))
        node = draft.nodes[p.position]
        d_logits = pull_back(draft, bind(node.op, node.attributes), call, d_p)[0]
        assert d_logits is not None
        draft.change(cost.d_out, lambda _: d_logits)
        draft.change(loss, lambda _: again[loss])

    cost = cost_of(anatomy)
    if cost is not None and (found := squashing_of(anatomy, cost)) is not None:
        yield "", lambda draft: change(draft, cost, found[0])


@mistake(
    "missing-mean-over-outputs",
    title="the mean over the outputs is missing",
    sentence="The cost of an example is the mean over its k outputs; the gradient is that of the "
    "sum, k times as large.",
    rule="C = 1/k Σⱼ Cⱼ",
    hints=(
        "Compare the size of what you have with the true gradient.",
        "All of it is k times as large, k being the number of outputs of an example.",
        "Divide by the number of outputs, as the cost does.",
    ),
)
def _missing_mean_over_outputs(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _scaled_by_outputs(anatomy, 1)


@mistake(
    "extra-mean-over-outputs",
    title="there is a mean over the outputs",
    sentence="The cost of an example is the sum over its k outputs; the gradient is that of the "
    "mean, k times as small.",
    rule="C = Σⱼ Cⱼ",
    hints=(
        "Compare the size of what you have with the true gradient.",
        "All of it is divided by k, the number of outputs of an example.",
        "Add up over the outputs, as the cost does.",
    ),
)
def _extra_mean_over_outputs(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _scaled_by_outputs(anatomy, -1)


def _scaled_by_outputs(anatomy: Anatomy, power: int) -> Iterator[tuple[str, Change]]:
    out = anatomy.names.get("out")
    if out is None or not anatomy.nodes[out].shape:
        return
    outputs = anatomy.nodes[out].type.size // max(int(anatomy.nodes[out].shape[0]), 1)
    if outputs > 1 and _takes_mean(anatomy, out) == (power > 0):
        factor = float(outputs) ** power
        yield "", lambda draft: draft.change(anatomy.seed, lambda was: was * factor)


def _takes_mean(anatomy: Anatomy, out: int) -> bool:
    """Whether the cost of one example is a mean over its outputs, and not their sum."""
    last = anatomy.nodes[out]
    for i in range(out + 1, anatomy.forward):
        node = anatomy.nodes[i]
        if node.op != "mean" or not anatomy.below[out] >> i & 1:
            continue
        operand = anatomy.nodes[node.inputs[0]]
        if node.shape and operand.type.size == last.type.size:  # that of the examples is no shape
            return True
    return False
