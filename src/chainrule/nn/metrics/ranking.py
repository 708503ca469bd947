"""Metrics of the order in which outputs put examples: they need all of them at once."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import TargetError
from chainrule.eager import Tensor, concatenate
from chainrule.eager.tensor import Array
from chainrule.nn.losses.loss import Loss
from chainrule.nn.metrics.answers import Answers, Decided
from chainrule.nn.metrics.metric import METRICS, Definition, OfAll


class Ranking(Definition):
    """A number of how well the scores of a class put its examples before the others.

    Of more than two classes, and of labels, it is the mean over them, each against the rest. The
    score of a class is what its probability grows with: of two logits their difference, of more the
    logarithm of their softmax.
    """

    larger_is_better = True

    @abstractmethod
    def of_class(self, right: Array, wrong: Array) -> float:
        """The number of one class.

        Parameters
        ----------
        right, wrong : float64 array of shape (T,)
            For each score that comes up, from the highest to the lowest: the weight of the
            examples with that score which are of the class, and of those which are not.
        """

    def __call__(self, loss: Loss, target: Array) -> OfAll:
        answers = Answers.of(self.name, loss, target, ranked=True)
        are_labels = answers.are_labels(target)

        def value(read: Array, target: Array, weights: Array) -> float:
            scores, actual, weights = _counted(read, weights, are_labels)
            self._check_present(actual)
            pairs = zip(scores.T, actual.T, strict=True)
            return float(np.mean([self.of_class(*_by_score(*pair, weights)) for pair in pairs]))

        def check(target: Array, width: int | None) -> None:
            self._check_present(answers.all_indicators(target, width))

        return OfAll(value, lambda o, t: _read(answers, o, t), check)

    def _check_present(self, actual: Array) -> None:
        """Raise TargetError unless some examples, and not all, are of each class, [M, C]."""
        count = actual.sum(axis=0)
        alone = (count == 0) | (count == len(actual))
        if not alone.any():
            return
        number = int(np.flatnonzero(alone)[0])
        of_it = f"none of {len(actual)} targets is" if not count[number] else "all targets are"
        raise TargetError(
            f"The metric {self.name} compares examples of a class with the others, and {of_it} of "
            f"class {number if actual.shape[1] > 1 else 1}",
            advice="Evaluate it on a set that holds examples of each class, or leave it out",
        )


@METRICS.register("auc")
@dataclass(frozen=True)
class AUC(Ranking):
    """Area under the receiver operating characteristic.

    The probability that an example of the class has a higher score than one of another; of equal
    scores, one half. Of more than two classes, the mean over them of each against the rest
    (scikit-learn: ``multi_class="ovr"``, ``average="macro"``).

    Raises
    ------
    TargetError
        If a class has no examples, or all of them. (scikit-learn warns, and gives NaN.)
    """

    def of_class(self, right: Array, wrong: Array) -> float:
        """Σ right·(wrong below + ½·wrong beside) / (Σ right · Σ wrong)."""
        total = wrong.sum()
        below = total - np.cumsum(wrong)
        return float((right * (below + 0.5 * wrong)).sum() / (right.sum() * total))


@METRICS.register("average_precision")
@dataclass(frozen=True)
class AveragePrecision(Ranking):
    """Σ over scores, from the highest, of precision times what recall grows there.

    Of more than two classes, the mean over them of each against the rest.

    Raises
    ------
    TargetError
        If a class has no examples, or all of them. (scikit-learn gives 0 and 1.)
    """

    def of_class(self, right: Array, wrong: Array) -> float:
        """Σ right·precision / Σ right."""
        found = np.cumsum(right)
        precision = found / (found + np.cumsum(wrong))
        return float((right * precision).sum() / right.sum())


def _read(answers: Answers, output: Any, target: Tensor) -> Tensor:
    """Scores [B, ..., S], then the class, or of labels which are there, then whether it counts."""
    decided = answers.decide(output, target)
    scores = _scores(answers, output, decided)
    actual, kept = decided.actual, decided.kept
    if decided.classes is not None:
        actual = actual.reshape(*actual.shape, 1)
    kept = actual[..., :1] == actual[..., :1] if kept is None else kept.reshape(*kept.shape, 1)
    columns = [scores, actual.astype(scores.dtype), kept.astype(scores.dtype)]
    return concatenate(columns, axis=-1)


def _counted(read: Array, weights: Array, are_labels: bool) -> tuple[Array, Array, Array]:
    """Of what was read and counts: scores [M, S], whether it is of each class [M, S], weights."""
    places = read.reshape(len(read), -1, read.shape[-1])
    kept = places[..., -1] > 0
    columns = places[kept]
    count = (columns.shape[1] - 1) // 2 if are_labels else columns.shape[1] - 2
    scores, actual = columns[:, :count], columns[:, count:-1]
    classes = [1] if count == 1 else np.arange(count)
    found = actual > 0 if are_labels else actual == classes
    return scores, found, np.broadcast_to(weights[:, None], kept.shape)[kept]


def _scores(answers: Answers, output: Tensor, decided: Decided) -> Tensor:
    """A score for each class or label as the last axis; of two classes, that of class 1 alone."""
    if decided.predicted.dtype == np.bool_:
        scores = output.reshape(output.shape[0], -1)
        return -scores if answers.kind == "distances" else scores
    scores = answers.scores_of_classes(output)
    if answers.kind in ("values", "log-values"):
        return scores
    if decided.classes == 2:
        return scores[..., 1:] - scores[..., :1]
    return scores.log_softmax(axis=-1) if answers.kind == "logits" else scores


def _by_score(scores: Array, actual: Array, weights: Array) -> tuple[Array, Array]:
    """For each score, from the highest: the weights of examples of the class, and of others."""
    _, group = np.unique(-scores, return_inverse=True)
    right = np.bincount(group, weights * actual)
    return right, np.bincount(group, weights * ~actual)
