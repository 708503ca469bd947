"""Losses whose targets are classes: which labels there are, which are left out, what each weighs.

Classes are the outputs' axis behind that of the batch, as in torch: logits [B, C] beside classes
[B], or [B, C, d1, ...] beside [B, d1, ...], where each example has several places.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.base.constant import as_kept
from chainrule.base.errors import ShapeError, TargetError
from chainrule.eager import Tensor, expand_dims, here, moveaxis, take, where
from chainrule.eager.tensor import Array
from chainrule.graph import DType, format_shape
from chainrule.nn.agreement import check_one_output
from chainrule.nn.losses.loss import Loss, per_example
from chainrule.nn.losses.options import Weights, constant_weights
from chainrule.nn.losses.targets import check_distributions


class ClassLoss(Loss, ABC):
    """A loss of classes, of which one label may be left out and each may have a weight."""

    targets = "classes"

    takes_distributions = False
    """Whether the targets may be a distribution for each example instead."""

    ignore_index: int | None = None
    """The label of examples, or of places, that have no cost and do not count."""

    label_weights: Weights | None = None
    """What an example of each class counts in the mean; None: all alike."""

    def prepare_target(self, target: Array, dtype: np.dtype[Any]) -> Array:
        array = np.asarray(target)
        if array.ndim == 1 and array.dtype.kind == "f" and np.array_equal(array, np.rint(array)):
            return array.astype(np.int64)  # classes that a table or a file stored as 0.0, 1.0
        return as_kept(array, np.dtype(np.int64) if array.dtype.kind in "iub" else dtype)

    def check_target(self, target: Array, width: int | None) -> None:
        if target.dtype.kind in "iu":
            self._check_labels(target, width)
        elif self.takes_distributions and target.ndim > 1 and target.shape[1] > 1:
            check_distributions(self.made_by, target)

    def _check_labels(self, labels: Array, width: int | None) -> None:
        outside = labels < 0 if width is None else (labels < 0) | (labels >= width)
        if self.ignore_index is not None:
            outside &= labels != self.ignore_index
        if not outside.any():
            return
        index = tuple(np.argwhere(outside)[0])
        label = int(labels[index])
        takes = "classes from 0" if width is None else f"classes from 0 to {width - 1}"
        if labels.min() == 1 and labels.max() == width:
            advice = "These count from 1: pass y - 1"
        elif label < 0:
            advice = f"Number the classes from 0, or leave these out with ignore_index={label}"
        else:
            advice = "Number the classes from 0, or give the last layer more outputs"
        raise TargetError(
            f"{self.made_by}{f' with {width} outputs' if width else ''} takes {takes}; got {label}",
            where=f"Row {index[0]} of the targets",
            advice=advice,
        )

    def example_weights(self, target: Tensor) -> Tensor | None:
        if not target.type.dtype.is_integer or (target.ndim == 1 and self.label_weights is None):
            return None
        weights = self._weights_of_places(target, DType.F64)
        return None if weights is None else per_example(weights, Tensor.sum)

    def counted(self, target: Tensor) -> Tensor | None:
        ignored = self._ignored(target) if target.type.dtype.is_integer else None
        if ignored is None or ignored.ndim == 1:
            return None if ignored is None else ~ignored
        return per_example((~ignored).astype(DType.I64), Tensor.sum) > 0

    def of_labels(
        self, output: Tensor, target: Tensor, cost: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """Costs [B]: of an example's places the weighted mean, 0 where all are left out.

        Parameters
        ----------
        output : Tensor of shape (B, C, ...)
        target : Tensor of shape (B, ...)
        cost : callable
            From scores [B, ..., C] and labels [B, ...] to costs [B, ...].
        """
        scores = self.scores_of(output)
        self._check_places(output, target)
        ignored, labels = self._ignored(target), self._kept_labels(target)
        if ignored is not None:
            # The scores too, not the cost alone: what flows back to NaN is 0 times NaN.
            scores = where(expand_dims(ignored, -1), 0.0, scores)
        costs = cost(scores, labels)
        if ignored is not None:
            costs = where(ignored, 0.0, costs)
        weights = self._weights_of_places(target, costs.type.dtype) if costs.ndim > 1 else None
        if weights is None:
            return per_example(costs, Tensor.mean)
        total = per_example(weights, Tensor.sum)
        return per_example(weights * costs, Tensor.sum) / where(total == 0, 1.0, total)

    def scores_of(self, output: Tensor) -> Tensor:
        """The outputs with the classes as the last axis."""
        check_one_output(self.made_by, output)
        if output.ndim < 2:
            raise ShapeError(
                f"{self.made_by} takes {self.outputs} of shape [B, classes]; got "
                f"{format_shape(output.shape)}",
                where=here(),
            )
        return output if output.ndim == 2 else moveaxis(output, 1, -1)

    def _ignored(self, target: Tensor) -> Tensor | None:
        return None if self.ignore_index is None else target == self.ignore_index

    def _kept_labels(self, target: Tensor) -> Tensor:
        """The labels, and 0 for those that are left out: a place to look at for what is not."""
        ignored = self._ignored(target)
        return target if ignored is None else where(ignored, 0, target)

    def _weights_of_places(self, target: Tensor, dtype: DType) -> Tensor | None:
        """What each place counts, of the target's shape; None: all alike."""
        ignored = self._ignored(target)
        if self.label_weights is None:
            return None if ignored is None else (~ignored).astype(dtype)
        table = constant_weights(self.label_weights, dtype, "weight")
        weights = take(table, self._kept_labels(target))
        return weights if ignored is None else where(ignored, 0.0, weights)

    def _check_places(self, output: Tensor, target: Tensor) -> None:
        if target.type.dtype.is_integer and target.shape == (*output.shape[:1], *output.shape[2:]):
            return
        name, also = self.made_by, self.takes_distributions
        shown = f"{target.dtype} of shape {format_shape(target.shape)}"
        if target.shape == (*output.shape[:1], 1) and output.ndim == 2:
            raise TargetError(
                f"{name} takes classes of shape [N]; got {shown}", advice="Pass y.reshape(-1)"
            )
        if not target.type.dtype.is_integer:
            raise TargetError(
                f"{name} takes integer classes [N]"
                f"{', or distributions [N, classes]' if also else ''}; got {shown}",
                advice="Number the classes from 0",
            )
        if target.shape == output.shape:
            raise TargetError(
                f"{name} takes one integer class per example; got {shown}, which looks one-hot",
                advice="Pass y.argmax(axis=1)"
                f"{', or floats if the rows are distributions' if also else ''}",
            )
        raise ShapeError(
            f"{name} takes one class for each example, or for each place behind the classes; got "
            f"outputs {format_shape(output.shape)} and targets {format_shape(target.shape)}",
            where=here(),
        )
