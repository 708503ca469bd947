"""Losses of margins: what is right by more than a margin costs nothing, or nearly so."""

from __future__ import annotations

from abc import ABC
from typing import Any

from chainrule.base.errors import ConfigurationError
from chainrule.eager import Tensor, apply, elementwise, expand_dims, one_hot, take, where
from chainrule.eager.tensor import Array
from chainrule.nn.agreement import check_same_shape
from chainrule.nn.arguments import as_number, as_positive
from chainrule.nn.losses.classes import ClassLoss
from chainrule.nn.losses.loss import LOSSES, Loss, Outputs, per_example
from chainrule.nn.losses.options import as_class_weights, class_weights
from chainrule.nn.losses.targets import check_signs


class SignLoss(Loss, ABC):
    """A loss of outputs beside targets -1 and +1."""

    outputs: Outputs = "signs"
    targets = "signs"

    def check_target(self, target: Array, width: int | None) -> None:
        check_signs(self.made_by, target)

    def signs_of(self, output: Tensor, target: Tensor) -> Tensor:
        """The targets in the outputs' dtype, if there is one for each."""
        check_same_shape(self.made_by, output, target)
        return target.astype(output.dtype)


@LOSSES.register("HingeLoss")
class HingeLoss(SignLoss):
    """lᵢ = mean over outputs of max(0, margin - t·x), of targets t = -1 and +1.

    At the kink t·x = margin the slope is 0.

    Parameters
    ----------
    margin : float
        By how much an output has to be right to cost nothing; above 0.

    Notes
    -----
    Cortes and Vapnik 1995, section 3, without the norm of the weights. For one class out of several
    there is MultiMarginLoss.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.HingeLoss()([[0.5, -2.0]], [[1, -1]]).numpy().tolist()
    [0.25]
    """

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = as_positive("HingeLoss", "margin", margin)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        missing = self.margin - self.signs_of(output, target) * output
        return per_example(elementwise("relu", missing), Tensor.mean)


@LOSSES.register("SquaredHingeLoss")
class SquaredHingeLoss(SignLoss):
    """lᵢ = mean over outputs of max(0, margin - t·x)², of targets t = -1 and +1.

    Parameters
    ----------
    margin : float
        By how much an output has to be right to cost nothing; above 0.

    Notes
    -----
    Lee and Mangasarian 2001, without the norm of the weights.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.SquaredHingeLoss()([[0.5, -2.0]], [[1, -1]]).numpy().tolist()
    [0.125]
    """

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = as_positive("SquaredHingeLoss", "margin", margin)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        missing = self.margin - self.signs_of(output, target) * output
        return per_example(elementwise("relu", missing).square(), Tensor.mean)


@LOSSES.register("SoftMarginLoss")
class SoftMarginLoss(SignLoss):
    """lᵢ = mean over outputs of log(1 + exp(-t·x)), of targets t = -1 and +1.

    It is BCEWithLogitsLoss for targets that are signs, and does not overflow.

    Notes
    -----
    Friedman, Hastie and Tibshirani 2000.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.SoftMarginLoss()([[0.5, -2.0]], [[1, -1]]).numpy().round(4).tolist()
    [0.3005]
    """

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        t = self.signs_of(output, target)
        return per_example(elementwise("softplus", -t * output), Tensor.mean)


@LOSSES.register("HingeEmbeddingLoss")
class HingeEmbeddingLoss(SignLoss):
    """lᵢ = mean over outputs of x where t = 1, and of max(0, margin - x) where t = -1.

    Outputs are distances: small where two things are alike, t = 1. At the kink x = margin the
    slope is -1, as in torch.

    Parameters
    ----------
    margin : float
        From which distance on things that are not alike cost nothing; above 0.

    Notes
    -----
    Hadsell, Chopra and LeCun 2006, with the distance in place of half its square.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.HingeEmbeddingLoss()([[0.5, 0.25]], [[1, -1]]).numpy().tolist()
    [0.625]
    """

    outputs = "distances"

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = as_positive("HingeEmbeddingLoss", "margin", margin)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        t = self.signs_of(output, target)
        return per_example(where(t == 1, output, (self.margin - output).clip(0)), Tensor.mean)


@LOSSES.register("MultiMarginLoss")
class MultiMarginLoss(ClassLoss):
    """lᵢ = Σ over classes j other than the target y of w_y·max(0, margin - x_y + xⱼ)ᵖ / C.

    Outputs are scores [B, C] beside integer classes [B]. At the kink the slope is 0.

    Parameters
    ----------
    p : int
        1 or 2.
    margin : float
        By how much the target's score has to be above the others.
    weight : array_like of shape (C,), optional
        A factor for each class. The mean is over examples, not over these weights, as in torch.

    Notes
    -----
    Weston and Watkins 1999, without the norm of the weights.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.MultiMarginLoss()([[0.5, 2.0, 1.25], [1.5, 0.25, 0.0]], [1, 0]).numpy().round(4).tolist()
    [0.0833, 0.0]
    """

    outputs = "scores"

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None) -> None:
        if p not in (1, 2) or isinstance(p, bool):
            raise ConfigurationError(f"MultiMarginLoss takes p = 1 or 2; got {p!r}")
        self.p = int(p)
        self.margin = as_number("MultiMarginLoss", "margin", margin)
        self.weight = as_class_weights("MultiMarginLoss", "weight", weight)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        return self.of_labels(output, target, self._costs)

    def _costs(self, scores: Tensor, labels: Tensor) -> Tensor:
        classes = int(scores.shape[-1])
        of_target = -apply("nll", scores, labels)
        missing = elementwise("relu", (self.margin - expand_dims(of_target, -1)) + scores)
        is_target = one_hot(labels, classes, "bool")
        others = where(is_target, 0.0, missing if self.p == 1 else missing.square())
        costs = others.sum(axis=-1) / classes
        if self.weight is None:
            return costs
        weights = class_weights("MultiMarginLoss", "weight", self.weight, classes, scores)
        return take(weights, labels) * costs
