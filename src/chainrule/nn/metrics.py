"""Metrics: what is read off outputs beside targets, averaged like the loss or of all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import ShapeError, TargetError
from chainrule.base.registry import Registry
from chainrule.eager import Tensor, here
from chainrule.eager.tensor import Array
from chainrule.graph import format_shape
from chainrule.nn.agreement import check_one_output, check_same_shape
from chainrule.nn.losses.loss import Loss

Statistics = Callable[[Any, Tensor], Tensor]
"""(output, target) to one number per example, [B], or several, [B, ...]."""


@dataclass(frozen=True)
class Mean:
    """A metric that is read off the weighted mean of something known of each example.

    Parameters
    ----------
    statistics : callable
        (output, target) to one number per example, [B], or several, [B, ...].
    value : callable
        From their weighted mean over the examples, a float64 array of shape (...), to a number.
    """

    statistics: Statistics
    value: Callable[[Array], float] = float


@dataclass(frozen=True)
class OfAll:
    """A metric of all examples together, such as an area under a curve: no mean gives it.

    It is evaluated on whole sets, and not while training goes over batches.

    Parameters
    ----------
    value : callable
        From the outputs [N, ...], targets [N, ...] and weights [N] > 0 of all examples, as arrays,
        to a number.
    """

    value: Callable[[Array, Array, Array], float]


Metric = Mean | OfAll

METRICS: Registry[Callable[[Loss, Array], Metric | Statistics]] = Registry("metric")
"""For each metric: from the loss and the whole target array to the metric, or to the statistics
of one that is their mean."""


def make_metric(name: str, loss: Loss, target: Array) -> Metric:
    """Return the metric of this name for outputs of this loss beside targets like these.

    Parameters
    ----------
    name : str
    loss : Loss
    target : array of shape (N, ...)
        As the loss prepares them: which values they take decides what counts as a class.

    Raises
    ------
    NameNotFoundError
        If no metric has this name.
    TargetError
        If it has no meaning for these targets.
    """
    made = METRICS.get(name)(loss, target)
    if isinstance(made, OfAll):
        return made
    metric = made if isinstance(made, Mean) else Mean(made)

    def measure(output: Any, target: Tensor) -> Tensor:
        check_one_output(f"The metric {name}", output)
        values = metric.statistics(output, target)
        if values.shape[:1] != output.shape[:1]:
            raise ShapeError(
                f"A metric gives numbers for each example, with the "
                f"{output.shape[0]} of the batch in front; {name} gave "
                f"{format_shape(values.shape)}",
                where=here(),
            )
        return values

    return Mean(measure, metric.value)


def measure(metric: Metric, outputs: Array, target: Array) -> float:
    """The metric of these outputs [N, ...] beside targets [N, ...], each example counting once."""
    if isinstance(metric, OfAll):
        return metric.value(outputs, target, np.ones(len(target)))
    statistics = metric.statistics(Tensor(outputs), Tensor(target)).numpy()
    return metric.value(np.asarray(np.mean(statistics, axis=0, dtype=np.float64)))


@METRICS.register("accuracy")
def accuracy(loss: Loss, target: Array) -> Metric:
    """Share of examples whose class is read right off the outputs.

    Logits: the largest is the class. Binary logits: positive means 1. Values beside one-hot
    targets: the largest of both; beside 0 and 1: above one half means 1; beside -1 and 1: the
    sign; several values beside one class: the largest.

    Raises
    ------
    TargetError
        If the targets are no classes.
    """
    if loss.outputs == "logits":
        return Mean(_same_class)
    if loss.outputs == "binary logits":
        return Mean(lambda output, target: _same_sides(output, target, 0, 0.5))
    values = np.unique(target)
    if target.ndim == 2 and target.shape[1] > 1 and _is_one_hot(target):
        return Mean(_same_class)
    if np.isin(values, (0, 1)).all():
        return Mean(lambda output, target: _same_sides(output, target, 0.5, 0.5))
    if np.isin(values, (-1, 1)).all():
        return Mean(lambda output, target: _same_sides(output, target, 0, 0))
    if target.ndim == 1 and np.array_equal(values, np.rint(values)):
        return Mean(_same_class)
    shown = ", ".join(f"{value:g}" for value in values[:4])
    raise TargetError(
        f"Accuracy counts classes, and these targets are no classes: they take {len(values)} "
        f"values, {shown}{', ...' if len(values) > 4 else ''}",
        advice='Use metrics=["mse"] or ["mae"] for a regression',
    )


@METRICS.register("mse")
def mse(loss: Loss, target: Array) -> Metric:
    """Mean squared error over the outputs."""
    return Mean(lambda o, t: _mean_of_outputs(_errors("mse", o, t).square()))


@METRICS.register("mae")
def mae(loss: Loss, target: Array) -> Metric:
    """Mean absolute error over the outputs."""
    return Mean(lambda o, t: _mean_of_outputs(abs(_errors("mae", o, t))))


def _is_one_hot(target: Array) -> bool:
    return bool(np.isin(target, (0, 1)).all() and (target.sum(axis=1) == 1).all())


def _same_class(output: Tensor, target: Tensor) -> Tensor:
    """Whether the largest output is the target's class, or the place of the target's largest."""
    if output.ndim == 2 and output.shape[1] > 1 and target.shape == output.shape[:1]:
        return output.argmax(axis=1) == target.astype("int64")
    check_same_shape("accuracy", output, target)
    if output.ndim < 2:
        raise TargetError(
            "Accuracy counts classes; beside one output a class is 0 or 1, or -1 or 1",
            where=here(),
            advice='Use metrics=["mse"] or ["mae"] for a regression',
        )
    return output.argmax(axis=1) == target.argmax(axis=1)


def _same_sides(
    output: Tensor, target: Tensor, output_border: float, target_border: float
) -> Tensor:
    """Whether every output of an example is on its target's side of the border."""
    if output.ndim == 2 and output.shape[1] > 1 and target.ndim == 1:
        return _same_class(output, target)
    check_same_shape("accuracy", output, target)
    right = (output > output_border) == (target > target_border)
    if right.ndim == 1:
        return right
    wrong = (~right).astype("int64").sum(axis=tuple(range(1, right.ndim)))
    return wrong == 0


def _errors(name: str, output: Tensor, target: Tensor) -> Tensor:
    check_same_shape(f"The metric {name}", output, target)
    return output - target.astype(output.dtype)


def _mean_of_outputs(values: Tensor) -> Tensor:
    return values.mean(axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values
