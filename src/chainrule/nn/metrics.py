"""Metrics: one number per example, averaged like the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.base.errors import ShapeError, TargetError
from chainrule.base.registry import Registry
from chainrule.eager import Tensor, here
from chainrule.eager.tensor import Array
from chainrule.graph import format_shape
from chainrule.nn.agreement import check_one_output, check_same_shape
from chainrule.nn.losses import Loss

Metric = Callable[[Any, Tensor], Tensor]
"""(output, target) to one number per example, [B]."""

METRICS: Registry[Callable[[Loss, Array], Metric]] = Registry("metric")
"""For each metric: from the loss and the whole target array to the function of a batch."""


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
    metric = METRICS.get(name)(loss, target)

    def measure(output: Any, target: Tensor) -> Tensor:
        check_one_output(f"The metric {name}", output)
        values = metric(output, target)
        if values.shape != output.shape[:1]:
            raise ShapeError(
                f"A metric gives one number per example, of shape {format_shape(output.shape[:1])};"
                f" {name} gave {format_shape(values.shape)}",
                where=here(),
            )
        return values

    return measure


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
        return _same_class
    if loss.outputs == "binary logits":
        return lambda output, target: _same_sides(output, target, 0, 0.5)
    values = np.unique(target)
    if target.ndim == 2 and target.shape[1] > 1 and _is_one_hot(target):
        return _same_class
    if np.isin(values, (0, 1)).all():
        return lambda output, target: _same_sides(output, target, 0.5, 0.5)
    if np.isin(values, (-1, 1)).all():
        return lambda output, target: _same_sides(output, target, 0, 0)
    if target.ndim == 1 and np.array_equal(values, np.rint(values)):
        return _same_class
    shown = ", ".join(f"{value:g}" for value in values[:4])
    raise TargetError(
        f"Accuracy counts classes, and these targets are no classes: they take {len(values)} "
        f"values, {shown}{', ...' if len(values) > 4 else ''}",
        advice='Use metrics=["mse"] or ["mae"] for a regression',
    )


@METRICS.register("mse")
def mse(loss: Loss, target: Array) -> Metric:
    """Mean squared error over the outputs."""
    return lambda output, target: _mean_of_outputs(_errors("mse", output, target).square())


@METRICS.register("mae")
def mae(loss: Loss, target: Array) -> Metric:
    """Mean absolute error over the outputs."""
    return lambda output, target: _mean_of_outputs(abs(_errors("mae", output, target)))


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
