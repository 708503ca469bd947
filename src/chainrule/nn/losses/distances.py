"""Losses that measure how far outputs are from targets, element by element."""

from __future__ import annotations

from chainrule.eager import Tensor, elementwise, where
from chainrule.nn.agreement import check_same_shape
from chainrule.nn.arguments import as_number, as_positive
from chainrule.nn.losses.loss import LOSSES, Loss, per_example


@LOSSES.register("MSELoss")
class MSELoss(Loss):
    """lᵢ = mean over outputs of (output - target)².

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.MSELoss()([[1.0, 2.0], [0.5, 0.0]], [[1.0, 4.0], [0.0, 0.0]]).numpy().tolist()
    [2.0, 0.125]
    """

    measures_distance = True

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        return per_example(_error(self, output, target).square(), Tensor.mean)


@LOSSES.register("QuadraticLoss")
class QuadraticLoss(Loss):
    """lᵢ = ½·Σ over outputs of (output - target)²: the textbooks' quadratic cost.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.QuadraticLoss()([[0.8, 0.1]], [[1.0, 0.0]]).numpy().round(4).tolist()
    [0.025]
    """

    measures_distance = True

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        return per_example(_error(self, output, target).square(), Tensor.sum) * 0.5


@LOSSES.register("RMSELoss")
class RMSELoss(Loss):
    """The root of the mean over the batch of lᵢ = mean over outputs of (output - target)².

    The root is taken of the batch's mean, not of each example's cost. Where all outputs are right
    its slope is 0, though √ has none there.

    Examples
    --------
    >>> from chainrule import nn
    >>> loss = nn.RMSELoss()
    >>> costs = loss([[3.0], [0.0]], [[0.0], [4.0]])
    >>> costs.numpy().tolist(), round(loss.finish(costs.mean()).item(), 4)
    ([9.0, 16.0], 3.5355)
    """

    measures_distance = True

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B], before the root."""
        return per_example(_error(self, output, target).square(), Tensor.mean)

    def finish(self, mean: Tensor) -> Tensor:
        # √'(0) is infinite, and times the 0 that follows it would be NaN.
        is_positive = mean > 0
        return where(is_positive, where(is_positive, mean, 1.0).sqrt(), mean)


@LOSSES.register("L1Loss")
class L1Loss(Loss):
    """lᵢ = mean over outputs of |output - target|; where they are equal, the slope is 0.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.L1Loss()([[1.5, 2.0]], [[1.0, 4.0]]).numpy().tolist()
    [1.25]
    """

    measures_distance = True

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        return per_example(abs(_error(self, output, target)), Tensor.mean)


@LOSSES.register("HuberLoss")
class HuberLoss(Loss):
    """lᵢ = mean over outputs of ½e² where |e| < delta, and of delta·(|e| - ½·delta) elsewhere.

    e is output - target.

    Parameters
    ----------
    delta : float
        Where the square becomes a straight line; above 0. It goes over without a jump in the
        slope; the second derivative jumps from 1 to 0, and at the joint it is 0.

    Notes
    -----
    Huber 1964.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.HuberLoss(delta=1.0)([[0.5, 4.0]], [[0.0, 1.0]]).numpy().tolist()
    [1.3125]
    """

    measures_distance = True

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = as_positive("HuberLoss", "delta", delta)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        error = _error(self, output, target)
        return per_example(elementwise("huber", error, delta=self.delta), Tensor.mean)


@LOSSES.register("SmoothL1Loss")
class SmoothL1Loss(Loss):
    """lᵢ = mean over outputs of ½e²/beta where |e| < beta, and of |e| - ½·beta elsewhere.

    e is output - target. It is HuberLoss(delta=beta) over beta.

    Parameters
    ----------
    beta : float
        Where the square becomes a straight line; 0 is L1Loss.

    Notes
    -----
    Girshick 2015, eq. 3.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.SmoothL1Loss(beta=0.5)([[0.25, 4.0]], [[0.0, 1.0]]).numpy().tolist()
    [1.40625]
    """

    measures_distance = True

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = as_number("SmoothL1Loss", "beta", beta, low=0)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        error = _error(self, output, target)
        costs = elementwise("smooth_l1", error, beta=self.beta) if self.beta else abs(error)
        return per_example(costs, Tensor.mean)


def _error(loss: Loss, output: Tensor, target: Tensor) -> Tensor:
    check_same_shape(type(loss).__name__, output, target)
    return output - target.astype(output.dtype)
