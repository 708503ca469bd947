"""Losses that measure how far outputs are from targets, element by element."""

from __future__ import annotations

from chainrule.eager import Tensor
from chainrule.nn.agreement import check_same_shape
from chainrule.nn.losses.loss import LOSSES, Loss, per_example


@LOSSES.register("MSELoss")
class MSELoss(Loss):
    """lᵢ = mean over outputs of (output - target)²."""

    measures_distance = True

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        return per_example(_error(self, output, target).square(), Tensor.mean)


@LOSSES.register("QuadraticLoss")
class QuadraticLoss(Loss):
    """lᵢ = ½·Σ over outputs of (output - target)²: the textbooks' quadratic cost."""

    measures_distance = True

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        return per_example(_error(self, output, target).square(), Tensor.sum) * 0.5


def _error(loss: Loss, output: Tensor, target: Tensor) -> Tensor:
    check_same_shape(type(loss).__name__, output, target)
    return output - target.astype(output.dtype)
