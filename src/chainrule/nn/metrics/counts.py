"""How often each class was right, predicted, and there: what precision and recall are read off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import TargetError
from chainrule.eager import Tensor, here, stack
from chainrule.eager.tensor import Array
from chainrule.nn.metrics.answers import Answers
from chainrule.nn.metrics.metric import Statistics


@dataclass(frozen=True)
class Counts:
    """What was counted, each as a share of all examples, float64[C].

    Parameters
    ----------
    right : array
        Predicted, and there.
    predicted, actual : array
    """

    right: Array
    predicted: Array
    actual: Array

    @property
    def precision(self) -> Array:
        """The share of what is predicted that is there; 0 where nothing is predicted."""
        return ratio(self.right, self.predicted)

    @property
    def recall(self) -> Array:
        """The share of what is there that is predicted; 0 where nothing is there."""
        return ratio(self.right, self.actual)

    @property
    def f1(self) -> Array:
        """The harmonic mean of the two; 0 where nothing is predicted or there."""
        return ratio(2 * self.right, self.predicted + self.actual)

    @property
    def is_present(self) -> Array:
        """Which classes are predicted or there."""
        return np.asarray(self.predicted + self.actual != 0)

    @property
    def summed(self) -> Counts:
        """Those of all classes together."""
        return Counts(self.right.sum(), self.predicted.sum(), self.actual.sum())

    def of_class(self, number: int) -> Counts:
        """Those of one class."""
        return Counts(self.right[number], self.predicted[number], self.actual[number])


def ratio(part: Array, whole: Array) -> Array:
    """The quotient, element by element, where 0/0 is 0 and NaN stays NaN."""
    is_none = np.asarray(whole) == 0
    return np.asarray(np.where(is_none, 0.0, part / np.where(is_none, 1.0, whole)))


def count_classes(answers: Answers) -> Statistics:
    """The statistics [B, 3, C] of which `Counts` are the mean."""

    def statistics(output: Any, target: Tensor) -> Tensor:
        decided = answers.decide(output, target)
        predicted, actual = decided.indicators
        values = stack([predicted & actual, predicted, actual], axis=-2)
        if not decided.has_places:
            return values
        if decided.kept is not None:
            values = values & decided.kept.reshape(*decided.kept.shape, 1, 1)
        return values.astype("int64").sum(axis=tuple(range(1, values.ndim - 2)))

    return statistics


def count_two_classes(answers: Answers, advice: str) -> Statistics:
    """Those of two classes; others are refused, with advice what to do instead.

    Raises
    ------
    TargetError
        If there are not two classes.
    """
    count = count_classes(answers)

    def statistics(output: Any, target: Tensor) -> Tensor:
        classes = answers.decide(output, target).classes
        if classes == 2:
            return count(output, target)
        what = "several labels of each example" if classes is None else f"{classes} classes"
        raise TargetError(
            f"{answers.asking} is of two classes, and there are {what}",
            where=here(),
            advice=advice,
        )

    return statistics
