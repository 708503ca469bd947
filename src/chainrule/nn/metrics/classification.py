"""Metrics of classes that are means over examples: how many are right, how likely they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import TargetError
from chainrule.eager import Tensor, apply, elementwise, expand_dims, here, one_hot, where
from chainrule.eager.tensor import Array
from chainrule.nn.agreement import check_same_shape
from chainrule.nn.arguments import as_count
from chainrule.nn.losses.loss import Loss
from chainrule.nn.metrics.answers import Answers, Decided, of_places, share_of_places
from chainrule.nn.metrics.metric import METRICS, Definition, Mean


@METRICS.register("accuracy")
@dataclass(frozen=True)
class Accuracy(Definition):
    """Share of examples whose class is right: Σ wᵢ·[pᵢ = tᵢ] / Σ wᵢ.

    The class is read off the outputs as the loss takes them (`nn.metrics.answers`). Of several
    labels all must be right; of several places, each counts.

    Raises
    ------
    TargetError
        If the targets are no classes.
    """

    is_share = True
    larger_is_better = True

    def __call__(self, loss: Loss, target: Array) -> Mean:
        answers = Answers.of(self.name, loss, target)

        def right(output: Any, target: Tensor) -> Tensor:
            decided = answers.decide(output, target)
            values = decided.predicted == decided.actual
            return values.all(axis=1) if decided.classes is None else of_places(values, decided)

        return Mean(right, share_of_places)


@METRICS.register("top_k_accuracy")
@dataclass(frozen=True)
class TopKAccuracy(Definition):
    """Share of examples whose class is among the k that the outputs put first.

    Of equal outputs that of the later class comes first, as scikit-learn sorts them.

    Parameters
    ----------
    k : int
        Less than there are classes: the right one is always among all of them.

    Raises
    ------
    TargetError
        If there are no more than k classes, or no output for each.
    """

    k: int
    is_share = True
    larger_is_better = True

    def __post_init__(self) -> None:
        as_count("TopKAccuracy", "k", self.k)

    @property
    def name(self) -> str:
        return super().name.replace("_k_", f"_{self.k}_")

    def __call__(self, loss: Loss, target: Array) -> Mean:
        answers = Answers.of(self.name, loss, target)
        answers.check_no_labels(target, 'Use metrics=["accuracy"]')

        def hit(output: Any, target: Tensor) -> Tensor:
            decided = answers.decide(output, target)
            count = int(decided.classes or 0)
            if decided.predicted.dtype == np.bool_ or self.k >= count:
                others = "" if count < 3 else f' or ["{TopKAccuracy(count - 1).name}"]'
                raise TargetError(
                    f"The metric {self.name} needs outputs for more than {self.k} classes, or the "
                    f"right one is always among them; there are {count}",
                    where=here(),
                    advice=f'Use metrics=["accuracy"]{others}',
                )
            scores = answers.scores_of_classes(output)
            return of_places(_places_before(scores, decided.actual) < self.k, decided)

        return Mean(hit, share_of_places)


def _places_before(scores: Tensor, classes: Tensor) -> Tensor:
    """How many classes come before the right one, in descending order of the scores."""
    count = int(scores.shape[-1])
    own = expand_dims(classes, -1)
    # Not read off by its number, which may be that of a class that is ignored.
    right = where(one_hot(classes, count, "bool"), scores, -np.inf).max(axis=-1, keepdims=True)
    is_later = own < apply("iota", shape=(count,), axis=0, dtype=own.type.dtype)
    before = (scores > right) | ((scores == right) & is_later)
    return before.astype("int64").sum(axis=-1)


@METRICS.register("log_loss")
@dataclass(frozen=True)
class LogLoss(Definition):
    """Mean of -log p of the class that is right; of a distribution t, of -Σ t·log p.

    p are the probabilities that the loss makes of the outputs: their softmax, their sigmoid, their
    exponential, or the outputs themselves, which are then kept 2⁻⁵² (in float32: 2⁻²³) from 0 and 1
    as scikit-learn keeps them. Nothing else is cut off, where scikit-learn, which sees p alone,
    ends at 36.

    Raises
    ------
    TargetError
        If the loss takes the outputs for no probabilities, or there are labels.
    """

    def __call__(self, loss: Loss, target: Array) -> Mean:
        if loss.outputs not in (*_LOG_PROBABILITIES, *_COSTS):
            raise TargetError(
                f"The metric {self.name} takes probabilities, and the outputs of {loss.made_by} "
                f"are {loss.outputs}",
                advice="Train with CrossEntropyLoss or BCEWithLogitsLoss for outputs that "
                "probabilities are made of",
            )
        answers = Answers.of(self.name, loss, target)
        answers.check_no_labels(target)

        def costs(output: Any, target: Tensor) -> Tensor:
            decided = answers.decide(output, target)
            if not answers.takes_largest:
                check_same_shape(f"The metric {self.name}", output, target)
                cost = _COSTS[loss.outputs](output, target.astype(output.dtype))
                return cost.reshape(-1)
            if getattr(loss, "log_target", False):
                target = target.exp()
            logs = _LOG_PROBABILITIES[loss.outputs](answers.scores_of_classes(output))
            return of_places(_cost_of_classes(logs, target, answers, decided), decided)

        return Mean(costs, share_of_places)


def _cost_of_classes(logs: Tensor, target: Tensor, answers: Answers, decided: Decided) -> Tensor:
    if target.ndim == decided.actual.ndim:
        weights = one_hot(decided.actual, int(logs.shape[-1]), logs.dtype)
    else:
        weights = answers.scores_of_classes(target).astype(logs.dtype)
    # Where the weight is 0, so is the product, also beside -infinity.
    return -where(weights == 0, 0.0, weights * logs).sum(axis=-1)


def _clipped_bce(output: Tensor, target: Tensor) -> Tensor:
    least = float(np.finfo(output.dtype).eps)
    return elementwise("bce", output.clip(least, 1 - least), target)


_LOG_PROBABILITIES = {"logits": Tensor.log_softmax, "log-probabilities": lambda logs: logs}
_COSTS = {
    "binary logits": lambda output, target: elementwise("bce_with_logits", output, target),
    "probabilities": _clipped_bce,
}
