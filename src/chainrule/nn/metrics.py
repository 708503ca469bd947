"""Metrics: one number per example, averaged like the loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.base.errors import TargetError
from chainrule.base.registry import Registry
from chainrule.eager import Tensor
from chainrule.eager.tensor import Array
from chainrule.nn.losses import Loss

Metric = Callable[[Tensor, Tensor], Tensor]
"""(output, target) to one number per example, [B]."""

METRICS: Registry[Callable[[Loss, Array], Metric]] = Registry("metric")
"""For each metric: from the loss and the whole target array to the function of a batch."""


def make_metric(name: str, loss: Loss, target: Array) -> Metric:
    """Return the metric of this name for outputs of this loss beside targets like these."""
    return METRICS.get(name)(loss, target)


@METRICS.register("accuracy")
def accuracy(loss: Loss, target: Array) -> Metric:
    """Share of examples whose class is read right off the outputs.

    Logits: the largest is the class. Binary logits: positive means 1. Values beside one-hot
    targets: the largest of both; beside 0 and 1: above one half means 1; beside -1 and 1: the
    sign.

    Raises
    ------
    TargetError
        If the targets are no classes.
    """
    if loss.outputs == "logits":
        if target.ndim == 1:
            return lambda output, labels: output.argmax(axis=1) == labels
        return lambda output, target: output.argmax(axis=1) == target.argmax(axis=1)
    several = target.ndim == 2 and target.shape[1] > 1
    values = set(np.unique(target).tolist())
    if loss.outputs == "binary logits":
        return lambda output, target: _all_right((output > 0), (target > 0.5))
    if several and values <= {0.0, 1.0} and (target.sum(axis=1) == 1).all():
        return lambda output, target: output.argmax(axis=1) == target.argmax(axis=1)
    if values <= {0.0, 1.0}:
        return lambda output, target: _all_right((output > 0.5), (target > 0.5))
    if values <= {-1.0, 1.0}:
        return lambda output, target: _all_right((output > 0), (target > 0))
    shown = ", ".join(f"{value:g}" for value in sorted(values)[:4])
    raise TargetError(
        f"Accuracy counts classes, and these targets are no classes: they take {len(values)} "
        f"values, {shown}{', ...' if len(values) > 4 else ''}",
        advice='Use metrics=["mse"] or ["mae"] for a regression',
    )


@METRICS.register("mse")
def mse(loss: Loss, target: Array) -> Metric:
    """Mean squared error over the outputs."""
    return lambda output, target: _mean_of_outputs((output - target).square())


@METRICS.register("mae")
def mae(loss: Loss, target: Array) -> Metric:
    """Mean absolute error over the outputs."""
    return lambda output, target: _mean_of_outputs(abs(output - target))


def _mean_of_outputs(values: Tensor) -> Tensor:
    return values.mean(axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values


def _all_right(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Whether every output of an example is right."""
    right = predicted == wanted
    if right.ndim == 1:
        return right
    wrong = (~right).astype("int64").sum(axis=tuple(range(1, right.ndim)))
    return wrong == 0
