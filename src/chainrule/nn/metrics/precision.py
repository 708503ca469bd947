"""Metrics of what is predicted and what is there: precision, recall and what is made of them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from chainrule.eager.tensor import Array
from chainrule.nn.arguments import as_choice
from chainrule.nn.losses.loss import Loss
from chainrule.nn.metrics.answers import Answers
from chainrule.nn.metrics.counts import Counts, count_classes, count_two_classes, ratio
from chainrule.nn.metrics.metric import METRICS, Definition, Mean

Average = Literal["binary", "macro", "micro", "weighted"]


@dataclass(frozen=True)
class Averaged(Definition):
    """A score of each class, averaged.

    Parameters
    ----------
    average : {"binary", "macro", "micro", "weighted"}
        ``binary``: that of class 1, of two. ``macro``: the mean over the classes that are
        predicted or there; of labels, over all. ``micro``: of the counts of all classes together.
        ``weighted``: the mean over classes, each weighing as often as it is there.

    Raises
    ------
    TargetError
        If the targets are no classes; for ``binary``, if there are not two.
    """

    average: Average = "binary"
    larger_is_better = True

    def __post_init__(self) -> None:
        as_choice(type(self).__name__, "average", self.average, get_args(Average))

    @property
    def name(self) -> str:
        return self._named(self.average)

    @abstractmethod
    def score(self, counts: Counts) -> Array:
        """The score of counts, element by element."""

    def __call__(self, loss: Loss, target: Array) -> Mean:
        answers = Answers.of(self.name, loss, target)
        are_labels = answers.are_labels(target)
        if self.average == "binary":
            others = [f'["{self._named(other)}"]' for other in get_args(Average)[1:]]
            advice = f"Use metrics={', '.join(others[:-1])} or {others[-1]}"
            statistics = count_two_classes(answers, advice)
        else:
            statistics = count_classes(answers)
        return Mean(statistics, lambda mean: self._value(Counts(*mean), are_labels))

    def _named(self, average: str) -> str:
        return super().name if average == "binary" else f"{super().name}_{average}"

    def _value(self, counts: Counts, are_labels: bool) -> float:
        if self.average == "binary":
            return float(self.score(counts.of_class(1)))
        if self.average == "micro":
            return float(self.score(counts.summed))
        scores = self.score(counts)
        if self.average == "weighted":
            return float(ratio((counts.actual * scores).sum(), counts.actual.sum()))
        return float((scores if are_labels else scores[counts.is_present]).mean())


@METRICS.register("precision")
@dataclass(frozen=True)
class Precision(Averaged):
    """Of what is predicted to be of a class, the share that is: right / predicted.

    0 where nothing is predicted, as scikit-learn has it.

    Parameters
    ----------
    average : {"binary", "macro", "micro", "weighted"}
        Of class 1, of two; the mean over classes; of the counts of all classes together; the mean
        over classes, each weighing as often as it is there.
    """

    is_share = True

    def score(self, counts: Counts) -> Array:
        return counts.precision


@METRICS.register("recall")
@dataclass(frozen=True)
class Recall(Averaged):
    """Of what is of a class, the share that is predicted to be: right / actual.

    0 where nothing is of the class, as scikit-learn has it.

    Parameters
    ----------
    average : {"binary", "macro", "micro", "weighted"}
        Of class 1, of two; the mean over classes; of the counts of all classes together; the mean
        over classes, each weighing as often as it is there.
    """

    is_share = True

    def score(self, counts: Counts) -> Array:
        return counts.recall


@METRICS.register("f1")
@dataclass(frozen=True)
class F1(Averaged):
    """The harmonic mean of precision and recall: 2·right / (predicted + actual).

    0 where a class is neither predicted nor there, as scikit-learn has it.

    Parameters
    ----------
    average : {"binary", "macro", "micro", "weighted"}
        Of class 1, of two; the mean over classes; of the counts of all classes together; the mean
        over classes, each weighing as often as it is there.
    """

    def score(self, counts: Counts) -> Array:
        return counts.f1


@METRICS.register("specificity")
@dataclass(frozen=True)
class Specificity(Definition):
    """The recall of class 0, of two: what share of the others is not taken for class 1.

    0 where nothing is of class 0.

    Raises
    ------
    TargetError
        If there are not two classes.
    """

    is_share = True
    larger_is_better = True

    def __call__(self, loss: Loss, target: Array) -> Mean:
        answers = Answers.of(self.name, loss, target)
        statistics = count_two_classes(answers, 'Use metrics=["recall_macro"]')
        return Mean(statistics, lambda mean: float(Counts(*mean).of_class(0).recall))


@METRICS.register("balanced_accuracy")
@dataclass(frozen=True)
class BalancedAccuracy(Definition):
    """The mean of each class's recall, however often it is there; one that is not does not count.

    Raises
    ------
    TargetError
        If the targets are no classes, or labels, of which an example can have several.
    """

    is_share = True
    larger_is_better = True

    def __call__(self, loss: Loss, target: Array) -> Mean:
        answers = Answers.of(self.name, loss, target)
        answers.check_no_labels(target, 'Use metrics=["recall_macro"]')

        def value(mean: Array) -> float:
            counts = Counts(*mean)
            return float(np.mean(counts.recall[counts.actual != 0]))

        return Mean(count_classes(answers), value)
