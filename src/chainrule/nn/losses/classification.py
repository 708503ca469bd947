"""Losses of classifiers: what the outputs say of the target's class."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.base.errors import ShapeError, TargetError
from chainrule.eager import Tensor, apply, elementwise, here
from chainrule.eager.tensor import Array
from chainrule.graph import format_shape
from chainrule.nn.agreement import check_one_output, check_same_shape
from chainrule.nn.losses.loss import LOSSES, Loss, per_example


@LOSSES.register("CrossEntropyLoss")
class CrossEntropyLoss(Loss):
    """lᵢ = -log softmax(logits)[class], or -Σ t·log softmax(logits) for distributions t.

    Targets are integer classes [B], or one distribution per example [B, C] in floats.
    """

    outputs = "logits"
    targets = "classes"

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        check_one_output("CrossEntropyLoss", output)
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
        shown = f"{target.dtype} of shape {format_shape(target.shape)}"
        if target.ndim == 2 and target.shape[1] == 1 and width != 1:
            raise TargetError(
                f"CrossEntropyLoss takes classes of shape [N]; got {shown}",
                advice="Pass y.reshape(-1)",
            )
        if target.dtype.kind not in "iu":
            if target.ndim != 2:
                raise TargetError(
                    f"CrossEntropyLoss takes integer classes [N], or distributions [N, classes]; "
                    f"got {shown}",
                    advice="Number the classes from 0",
                )
        elif target.ndim != 1:
            raise TargetError(
                f"CrossEntropyLoss takes one integer class per example; got {shown}, which "
                "looks one-hot",
                advice="Pass y.argmax(axis=1), or floats if the rows are distributions",
            )
        elif target.size:
            self._check_classes(target, width)

    def _check_classes(self, classes: Array, width: int | None) -> None:
        outside = classes < 0 if width is None else (classes < 0) | (classes >= width)
        if not outside.any():
            return
        row = int(np.flatnonzero(outside)[0])
        takes = "classes from 0" if width is None else f"classes from 0 to {width - 1}"
        from_one = classes.min() == 1 and classes.max() == width
        raise TargetError(
            f"CrossEntropyLoss{f' with {width} outputs' if width else ''} takes {takes}; got "
            f"{int(classes[row])}",
            where=f"Row {row} of the targets",
            advice="These count from 1: pass y - 1"
            if from_one
            else "Number the classes from 0, or give the last layer more outputs",
        )


@LOSSES.register("BCEWithLogitsLoss")
class BCEWithLogitsLoss(Loss):
    """lᵢ = mean over outputs of -t·log σ(x) - (1-t)·log(1-σ(x))."""

    outputs = "binary logits"
    targets = "zeros and ones"

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        check_same_shape("BCEWithLogitsLoss", output, target)
        costs = elementwise("bce_with_logits", output, target.astype(output.dtype))
        return per_example(costs, Tensor.mean)

    def check_target(self, target: Array, width: int | None) -> None:
        if not target.size:
            return
        low, high = float(target.min()), float(target.max())
        if low < 0 or high > 1:
            advice = "Map the labels with (y + 1) / 2" if low == -1 and high == 1 else None
            raise TargetError(
                f"BCEWithLogitsLoss takes targets from 0 to 1; got {low:g} to {high:g}",
                advice=advice,
            )
