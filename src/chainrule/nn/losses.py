"""Losses: one cost per example; one reducer makes the batch's loss of them."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from chainrule.base.errors import ShapeError, TargetError
from chainrule.base.registry import Registry
from chainrule.eager import Tensor, apply, elementwise, here
from chainrule.eager.tensor import Array
from chainrule.graph import format_shape
from chainrule.nn.module import Module

LOSSES: Registry[type[Loss]] = Registry("loss")


class Loss(Module):
    """A function of (output, target) to one cost per example, of shape [B].

    Notes
    -----
    torch's losses return the batch's mean; here `weighted_mean` makes it, so that sample
    weights, class weights and short batches have one meaning for every loss.
    """

    outputs: ClassVar[str] = "values"
    """What the outputs are: ``values`` beside the target, ``logits`` of classes, or ``binary
    logits``; accuracy reads them accordingly."""

    def __call__(self, *inputs: Any) -> Any:
        """Return the cost of each example."""
        tensors = [x if isinstance(x, Tensor) else Tensor(x) for x in inputs]
        return self.forward(*tensors)

    @abstractmethod
    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B] of outputs [B, ...] beside targets."""

    def prepare_target(self, target: Array, dtype: np.dtype[Any]) -> Array:
        """Return the target in the dtype the loss computes with: by default the outputs'."""
        return np.asarray(target).astype(dtype)

    def check_target(self, target: Array, width: int | None) -> None:
        """Raise TargetError if these targets have no meaning for this loss.

        Parameters
        ----------
        target : array of shape (N, ...)
        width : int or None
            The outputs' last axis, where they have more than the batch axis.
        """


def weighted_mean(costs: Tensor, weights: Tensor | None = None) -> Tensor:
    """Σ wᵢ·lᵢ / Σ wᵢ: the batch's loss.

    Parameters
    ----------
    costs : Tensor of shape (B,)
    weights : Tensor of shape (B,), optional
        Sample weight times class weight; 1 by default.
    """
    if weights is None:
        return costs.mean()
    return (weights * costs).sum() / weights.sum()


def _same_shape(name: str, output: Tensor, target: Tensor) -> None:
    if output.shape == target.shape:
        return
    advice = None
    if output.shape == (*target.shape, 1):
        advice = "Reshape the target with y.reshape(-1, 1)"
    elif target.ndim == output.ndim - 1 and target.dtype.kind in "iu":
        advice = (
            "The target looks like class labels: use CrossEntropyLoss, or one-hot rows "
            "(np.eye(classes)[y])"
        )
    raise ShapeError(
        f"{name} compares element by element; got outputs {format_shape(output.shape)} and "
        f"targets {format_shape(target.shape)}",
        where=here(),
        advice=advice,
    )


def _per_example(values: Tensor, reduce: Callable[..., Tensor]) -> Tensor:
    axes = tuple(range(1, values.ndim))
    return reduce(values, axis=axes) if axes else values


@LOSSES.register("MSELoss")
class MSELoss(Loss):
    """lᵢ = mean over outputs of (output - target)²."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        _same_shape("MSELoss", output, target)
        return _per_example((output - target).square(), Tensor.mean)


@LOSSES.register("QuadraticLoss")
class QuadraticLoss(Loss):
    """lᵢ = ½·Σ over outputs of (output - target)²: the textbooks' quadratic cost."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        _same_shape("QuadraticLoss", output, target)
        return _per_example((output - target).square(), Tensor.sum) * 0.5


@LOSSES.register("CrossEntropyLoss")
class CrossEntropyLoss(Loss):
    """lᵢ = -log softmax(logits)[class], or -Σ t·log softmax(logits) for distributions t.

    Targets are integer classes [B], or one distribution per example [B, C] in floats.
    """

    outputs = "logits"

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        if output.ndim != 2:
            raise ShapeError(
                f"CrossEntropyLoss takes logits of shape [B, classes]; got "
                f"{format_shape(output.shape)}",
                where=here(),
            )
        if target.type.dtype.is_integer:
            return apply("cross_entropy", output, target)
        return apply("cross_entropy_soft", output, target.astype(output.dtype))

    def prepare_target(self, target: Array, dtype: np.dtype[Any]) -> Array:
        array = np.asarray(target)
        if array.ndim == 1 and array.dtype.kind == "f" and np.array_equal(array, np.rint(array)):
            return array.astype(np.int64)  # classes that a table or a file stored as 0.0, 1.0
        return array.astype(np.int64 if array.dtype.kind in "iub" else dtype)

    def check_target(self, target: Array, width: int | None) -> None:
        if target.dtype.kind not in "iu":
            if target.ndim != 2:
                raise TargetError(
                    f"CrossEntropyLoss takes integer classes [N], or distributions [N, classes]; "
                    f"got {target.dtype}{format_shape(target.shape)}",
                    advice="Number the classes from 0",
                )
            return
        if target.ndim != 1:
            raise TargetError(
                f"CrossEntropyLoss takes one integer class per example; got integers of shape "
                f"{format_shape(target.shape)}, which look one-hot",
                advice="Pass y.argmax(axis=1), or floats if the rows are distributions",
            )
        low, high = int(target.min(initial=0)), int(target.max(initial=0))
        if low < 0 or (width is not None and high >= width):
            row = int(np.flatnonzero((target < 0) | (target >= (width or math.inf)))[0])
            raise TargetError(
                f"CrossEntropyLoss with {width} outputs takes classes from 0 to "
                f"{(width or 1) - 1}; got {int(target[row])}",
                where=f"Row {row} of the targets",
                advice="Number the classes from 0, or give the last layer more outputs",
            )


@LOSSES.register("BCEWithLogitsLoss")
class BCEWithLogitsLoss(Loss):
    """lᵢ = mean over outputs of -t·log σ(x) - (1-t)·log(1-σ(x))."""

    outputs = "binary logits"

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        _same_shape("BCEWithLogitsLoss", output, target)
        return _per_example(elementwise("bce_with_logits", output, target), Tensor.mean)

    def check_target(self, target: Array, width: int | None) -> None:
        low, high = float(target.min(initial=0)), float(target.max(initial=0))
        if low < 0 or high > 1:
            advice = "Map the labels with (y + 1) / 2" if low == -1 and high == 1 else None
            raise TargetError(
                f"BCEWithLogitsLoss takes targets from 0 to 1; got {low:g} to {high:g}",
                advice=advice,
            )


class FunctionLoss(Loss):
    """A loss made of any function of (output, target) to [B]."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.function = function

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        costs = self.function(output, target)
        if not isinstance(costs, Tensor) or costs.ndim != 1:
            got = format_shape(costs.shape) if isinstance(costs, Tensor) else type(costs).__name__
            raise ShapeError(
                f"A loss returns one cost per example, of shape [B]; the function returned {got}",
                where=here(),
                advice="Leave the mean over the batch to chainrule",
            )
        return costs


def as_loss(loss: Any) -> Loss:
    """Return a Loss: itself, one by its registered name, or one made of a function."""
    if isinstance(loss, str):
        return LOSSES.get(loss)()
    if isinstance(loss, type) and issubclass(loss, Loss):
        return loss()
    return loss if isinstance(loss, Loss) else FunctionLoss(loss)
