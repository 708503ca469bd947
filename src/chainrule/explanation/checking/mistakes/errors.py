"""Mistakes with the error a - y itself: with what it is squared, averaged, or compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, mistake
from chainrule.explanation.checking.mistakes.costs import Cost, cost_of, multiple_of, squashing_of
from chainrule.explanation.checking.roles import activations
from chainrule.explanation.trace import Array
from chainrule.ops import Value

_BP1 = "δᴸ = ∇ₐC ⊙ σ′(zᴸ)"
_MEAN = "C = 1/m Σᵢ C(aᵢ, yᵢ)"


@dataclass(frozen=True, eq=False)
class Error:
    """Where what comes back is a multiple of a - y, of each output of each example.

    Parameters
    ----------
    position : int
    cost : Cost
    factor : float
        What it is a - y times, besides an example's share in the loss.
    output : callable
        a, of a draft: of logits their sigmoid or softmax.
    has_logarithm : bool
        Whether the cost is a cross-entropy, of which a - y is the error in front of a sigmoid.
    """

    position: int
    cost: Cost
    factor: float
    output: Callable[[Draft], Value]
    has_logarithm: bool

    def put(self, draft: Draft, make: Callable[[Value], Value]) -> None:
        """Let something else come back, made from what does."""
        draft.change(self.position, make)


def error_of(anatomy: Anatomy) -> Error | None:
    """The error a - y of a step, if what comes back is one anywhere."""
    cost = cost_of(anatomy)
    if cost is None:
        return None
    out = anatomy.values[cost.out]
    share = anatomy.values[cost.d_costs].reshape(-1, *(1,) * (out.ndim - 1))
    a_minus_y = share * (out - cost.y)
    if factor := multiple_of(anatomy.values[cost.d_out], a_minus_y):
        return Error(cost.d_out, cost, factor, lambda draft: draft.at(cost.out), False)
    if found := squashing_of(anatomy, cost):
        squash, factor = found
        return Error(
            cost.d_out, cost, factor, lambda draft: squash(draft, draft.at(cost.out)), True
        )
    for at in activations(anatomy):
        if at.a == cost.out and (factor := multiple_of(anatomy.values[at.d_z], a_minus_y)):
            return Error(at.d_z, cost, factor, lambda draft: draft.at(cost.out), True)
    return None


@mistake(
    "squared-error",
    title="the error is (a - y)², and not a - y",
    sentence="The square is the cost; what goes back is its derivative, in which a - y stands "
    "once, with its sign.",
    rule=_BP1,
    hints=(
        "Look at the error of the last layer: can it be negative?",
        "It is squared: (a - y)² stands where a - y belongs.",
        "Differentiate the square: of (a - y)² what goes back is 2·(a - y).",
    ),
)
def _squared_error(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Error) -> None:
        away = at.output(draft) - draft.given(at.cost.y)
        at.put(draft, lambda was: was * away)

    if (found := error_of(anatomy)) is not None:
        yield "", lambda draft: change(draft, found)


@mistake(
    "error-without-sign",
    title="the error is |a - y|, and not a - y",
    sentence="The error is taken without its sign, so that an output that is too small is made "
    "smaller still.",
    rule=_BP1,
    hints=(
        "Look at the error of the last layer: can it be negative?",
        "It is taken without its sign: |a - y| stands where a - y belongs.",
        "Leave out the abs(): where the output is too small the error is negative.",
    ),
)
def _error_without_sign(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    if (found := error_of(anatomy)) is not None:
        yield "", lambda draft: found.put(draft, draft.abs)


@mistake(
    "loss-as-error",
    title="the loss itself is taken for the error",
    sentence="One number, the loss of the batch, goes back from every output of every example; "
    "what goes back is the loss's derivative, which each output has its own of.",
    rule=_BP1,
    hints=(
        "Look at the error of the last layer: how many different numbers are there?",
        "It is the loss, the same number for every output of every example.",
        "Differentiate the loss by each output: for (a - y)² that is 2·(a - y).",
    ),
)
def _loss_as_error(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Error, factor: float) -> None:
        at.put(draft, lambda was: was * 0.0 + draft.at(anatomy.names["loss"]) * factor)

    if (found := error_of(anatomy)) is not None:
        yield "", lambda draft: change(draft, found, 1.0)
        if anatomy.examples > 1:
            yield "divided by m", lambda draft: change(draft, found, 1.0 / anatomy.examples)


@mistake(
    "error-averaged",
    title="the error is averaged over the examples before it goes back",
    sentence="Every example gets the mean of all errors; each has an error of its own, and the "
    "mean is taken of the gradients.",
    rule="∂C/∂w = 1/m Σᵢ ∂Cᵢ/∂w",
    hints=(
        "Look at the error of the last layer: does it differ between examples?",
        "It is averaged over the examples before it goes back.",
        "Let each example's error go back, and average the gradients.",
    ),
)
def _error_averaged(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Error) -> None:
        m = float(anatomy.examples)

        def mean(was: Value) -> Value:
            row = draft.reshape(draft.sum(was, axes=(0,)) / m, shape=(1, *was.shape[1:]))
            return draft.broadcast(row, shape=was.shape)

        at.put(draft, mean)

    if anatomy.examples > 1 and (found := error_of(anatomy)) is not None:
        yield "", lambda draft: change(draft, found)


@mistake(
    "target-forgotten",
    title="the target is not subtracted",
    sentence="The output a goes back in the place of the error a - y.",
    rule=_BP1,
    hints=(
        "Look at the error of the last layer: what is it the difference of?",
        "It is the output: the target was not subtracted.",
        "Subtract y: for softmax and labels, 1 at the label of each row.",
    ),
)
def _target_forgotten(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Error) -> None:
        share = draft.at(at.cost.d_costs)
        rank = at.cost.y.ndim - len(share.shape)
        shaped = draft.reshape(share, shape=(*share.shape, *(1,) * rank))
        made = at.output(draft) * shaped * at.factor
        at.put(draft, lambda _: made)

    if (found := error_of(anatomy)) is not None:
        yield "", lambda draft: change(draft, found)


@mistake(
    "error-of-right-class",
    title="only where the target is 1 there is an error",
    sentence="The outputs whose target is 0 have no error, as if -y·log a were all of the cost: "
    "(1 - y)·log(1 - a) has a derivative, too, and softmax has one for every output.",
    rule="∂C/∂z = a - y",
    hints=(
        "Look at the outputs whose target is 0.",
        "Their error is 0, and has to be a - y = a.",
        "Take a - y for every output: binary cross-entropy has two terms, softmax a whole row.",
    ),
)
def _error_of_right_class(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    found = error_of(anatomy)
    if found is not None and found.has_logarithm and np.isin(found.cost.y, (0.0, 1.0)).all():
        y = found.cost.y
        yield "", lambda draft: found.put(draft, lambda was: was * draft.given(y))


@mistake(
    "other-logarithm",
    title="the logarithm has another base",
    sentence="Cross-entropy takes the natural logarithm; in another base all is divided by that "
    "base's own.",
    rule="C = -Σ y ln a",
    hints=(
        "Look at the logarithm in the loss.",
        "Its base is not e.",
        "Take the natural logarithm: np.log, not np.log2 or np.log10.",
    ),
)
def _other_logarithm(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    found = error_of(anatomy)
    if found is None or not found.has_logarithm:
        return
    loss = anatomy.names["loss"]

    def change(draft: Draft, base: float, *, is_back: bool) -> None:
        factor = 1.0 / math.log(base)
        for position in (loss, *((anatomy.seed,) if is_back else ())):
            draft.change(position, lambda was: was * factor)

    for base, said in ((2.0, "log₂"), (10.0, "log₁₀")):
        yield f"({said})", lambda draft, base=base: change(draft, base, is_back=True)  # type: ignore[misc]
        yield (
            f"({said}), in the loss alone",
            lambda draft, base=base: change(draft, base, is_back=False),  # type: ignore[misc]
        )


@mistake(
    "targets-of-others",
    title="the targets are those of other examples",
    sentence="Inputs and targets are in different orders: each output is compared with the "
    "target of another example.",
    rule=_MEAN,
    hints=(
        "Which target is each output compared with?",
        "The targets are in another order than the inputs.",
        "Whatever sorts or shuffles the inputs has to do the same to the targets.",
    ),
)
def _targets_of_others(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    y = _targets(anatomy)
    if y is None or len(y) < 2:
        return
    orders = {"(in reverse)": y[::-1], "(of the one before)": np.roll(y, 1, axis=0)}
    if len(y) > 2:
        orders["(of the one behind)"] = np.roll(y, -1, axis=0)
    else:
        del orders["(in reverse)"]
    for where, others in orders.items():
        yield where, lambda draft, y=others: _compare(draft, y)  # type: ignore[misc]


@mistake(
    "labels-off-by-one",
    title="the labels are off by one class",
    sentence="Classes are counted from 1 where they are to be counted from 0, or the other way "
    "round: each example has the label of the class beside its own.",
    rule="∂C/∂z_j = a_j - 1[j = y]",
    hints=(
        "Which output is the label of each example compared with?",
        "It is the output of the class beside it.",
        "Count classes from 0: label k is column k of the outputs.",
    ),
)
def _labels_off_by_one(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    y, out = _targets(anatomy), anatomy.names.get("out")
    if y is None or out is None or len(anatomy.nodes[out].shape) != 2:
        return
    classes = int(anatomy.nodes[out].shape[1])
    for step, said in ((-1, "(one too low)"), (1, "(one too high)")):
        if y.dtype.kind in "iu" and y.ndim == 1 and classes > 1 and (y >= 0).all():
            moved = (y + step) % classes
        elif y.ndim == 2 and y.shape[1] == classes > 1 and (y.sum(axis=1) == 1).all():
            moved = np.roll(y, step, axis=1)
        else:
            return
        if step == 1 and classes == 2:
            return  # both are the same
        yield said, lambda draft, y=moved: _compare(draft, y)  # type: ignore[misc]


def _targets(anatomy: Anatomy) -> Array | None:
    """The targets, a row for each example."""
    target = anatomy.names.get("target")
    if target is None or anatomy.nodes[target].op != "input":
        return None
    y = anatomy.values[target]
    return y if y.ndim and len(y) == anatomy.examples else None


def _compare(draft: Draft, y: Array) -> None:
    """Let the outputs be compared with other targets."""
    target = draft.anatomy.names["target"]
    kind = draft.anatomy.nodes[target].dtype
    others = draft.given(y)
    made = others if others.dtype is kind else draft.cast(others, dtype=kind)
    draft.change(target, lambda _: made)
