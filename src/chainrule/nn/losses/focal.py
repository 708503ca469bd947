"""Focal losses: cross-entropy in which what is nearly right counts for less."""

from __future__ import annotations

from typing import Any

from chainrule.eager import Tensor, apply, elementwise, take
from chainrule.eager.tensor import Array
from chainrule.nn.agreement import check_same_shape
from chainrule.nn.arguments import as_number
from chainrule.nn.losses.classes import ClassLoss
from chainrule.nn.losses.loss import LOSSES, Loss, per_example
from chainrule.nn.losses.options import as_class_weights, as_label, class_weights
from chainrule.nn.losses.targets import check_zeros_and_ones


@LOSSES.register("FocalLoss")
class FocalLoss(Loss):
    """lᵢ = mean over outputs of -α_t·(1-p_t)^γ·log p_t, of logits x beside targets 0 and 1.

    p_t is σ(x) where the target is 1, and 1-σ(x) where it is 0; α_t is alpha and 1-alpha. For one
    class out of several there is MulticlassFocalLoss.

    Parameters
    ----------
    alpha : float or None
        From 0 to 1: what ones count beside zeros. None: both count 1.
    gamma : float
        At least 0: how fast the cost vanishes where the answer is right; 0 is cross-entropy.

    Notes
    -----
    Lin et al. 2017, eq. 5. torch has it as `torchvision.ops.sigmoid_focal_loss`. With the
    cross-entropy c = -log p_t, (1-p_t)^γ is computed as (1-e⁻ᶜ)^γ, so nothing cancels.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.FocalLoss()([[2.0, -1.0]], [[1, 1]]).numpy().round(4).tolist()
    [0.088]
    """

    outputs = "binary logits"
    targets = "zeros and ones"

    def __init__(self, alpha: float | None = 0.25, gamma: float = 2.0) -> None:
        given = alpha is not None
        self.alpha = as_number("FocalLoss", "alpha", alpha, low=0, high=1) if given else None
        self.gamma = as_number("FocalLoss", "gamma", gamma, low=0)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        check_same_shape("FocalLoss", output, target)
        t = target.astype(output.dtype)
        costs = elementwise("focal", elementwise("bce_with_logits", output, t), gamma=self.gamma)
        if self.alpha is not None:
            costs = (self.alpha * t + (1 - self.alpha) * (1 - t)) * costs
        return per_example(costs, Tensor.mean)

    def check_target(self, target: Array, width: int | None) -> None:
        check_zeros_and_ones("FocalLoss", target)


@LOSSES.register("MulticlassFocalLoss")
class MulticlassFocalLoss(ClassLoss):
    """lᵢ = -α·(1-p)^γ·log p with p = softmax(logits)[class].

    Outputs are logits [B, C] beside integer classes [B], or [B, C, d1, ...] beside [B, d1, ...],
    and then lᵢ is the mean over the places of an example.

    Parameters
    ----------
    alpha : array_like of shape (C,), optional
        A factor for each class. The mean is over examples, not over these factors.
    gamma : float
        At least 0: how fast the cost vanishes where the answer is right; 0 is cross-entropy.
    ignore_index : int, optional
        Examples or places with this label have no cost and do not count.

    Notes
    -----
    Lin et al. 2017, eq. 5, with softmax in place of the sigmoid.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.MulticlassFocalLoss()([[2.0, 0.5, -1.0], [0.5, 0.0, -0.5]], [0, 2]).numpy().round(
    ...     4
    ... ).tolist()
    [0.0111, 1.1125]
    """

    outputs = "logits"

    def __init__(
        self, alpha: Any = None, gamma: float = 2.0, ignore_index: int | None = None
    ) -> None:
        self.alpha = as_class_weights("MulticlassFocalLoss", "alpha", alpha)
        self.gamma = as_number("MulticlassFocalLoss", "gamma", gamma, low=0)
        self.ignore_index = as_label("MulticlassFocalLoss", "ignore_index", ignore_index)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        return self.of_labels(output, target, self._costs)

    def _costs(self, scores: Tensor, labels: Tensor) -> Tensor:
        costs = elementwise("focal", apply("cross_entropy", scores, labels), gamma=self.gamma)
        if self.alpha is None:
            return costs
        classes = int(scores.shape[-1])
        alpha = class_weights("MulticlassFocalLoss", "alpha", self.alpha, classes, scores)
        return take(alpha, labels) * costs
