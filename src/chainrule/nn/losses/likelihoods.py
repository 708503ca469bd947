"""Losses that are likelihoods: distributions beside distributions, counts, and Gaussians."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.base.errors import ShapeError
from chainrule.eager import Tensor, elementwise, expand_dims, here, stop_gradient, where
from chainrule.eager.tensor import Array
from chainrule.graph import format_shape
from chainrule.nn.agreement import check_same_shape, several_outputs
from chainrule.nn.arguments import as_positive
from chainrule.nn.losses.classification import check_log_probabilities
from chainrule.nn.losses.loss import LOSSES, Loss, per_example
from chainrule.nn.losses.options import as_truth
from chainrule.nn.losses.targets import check_counts, check_distributions, check_outputs_within


@LOSSES.register("KLDivLoss")
class KLDivLoss(Loss):
    """lᵢ = Σ over outputs of t·(log t - x), the divergence of log-probabilities x from t.

    It is torch's ``reduction="batchmean"``, the mean over the batch of the divergence itself.
    torch's default divides by the number of outputs as well, and announces to become this.

    Parameters
    ----------
    log_target : bool
        Whether the targets are log t.

    Raises
    ------
    TargetError
        If a target is negative, or those of an example do not sum to 1.
    OutputError
        If an output that is known is above 0, the logarithm of 1.

    Notes
    -----
    Kullback and Leibler 1951. Where t = 0 the term is 0.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.KLDivLoss()([[-0.5, -1.0]], [[0.75, 0.25]]).numpy().round(4).tolist()
    [0.0627]
    """

    outputs = "log-probabilities"
    targets = "distributions"

    def __init__(self, log_target: bool = False) -> None:
        self.log_target = as_truth("KLDivLoss", "log_target", log_target)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        check_same_shape("KLDivLoss", output, target)
        t = target.astype(output.dtype)
        if self.log_target:
            return per_example(t.exp() * (t - output), Tensor.sum)
        return per_example(elementwise("kl_divergence", output, t), Tensor.sum)

    def check_target(self, target: Array, width: int | None) -> None:
        with np.errstate(over="ignore"):
            check_distributions("KLDivLoss", np.exp(target) if self.log_target else target)

    def check_output(self, output: Any) -> None:
        check_log_probabilities("KLDivLoss", output, "use CrossEntropyLoss, which takes logits")


@LOSSES.register("PoissonNLLLoss")
class PoissonNLLLoss(Loss):
    """lᵢ = mean over outputs of eˣ - t·x, of the logarithms x of expected counts.

    Parameters
    ----------
    log_input : bool
        Whether outputs are logarithms; otherwise the cost is x - t·log(x + eps).
    full : bool
        Whether to add log t! as Stirling has it, t·log t - t + ½·log(2πt), for t > 1. It changes
        no gradient.
    eps : float
        What keeps the logarithm of 0 away, without `log_input`; above 0.

    Raises
    ------
    TargetError
        If a count is negative.
    OutputError
        If an expected count that is known is negative. In training, where it is not, the logarithm
        is NaN, and the step that computed it is named.

    Notes
    -----
    The logarithm of the Poisson distribution e⁻ᵐ·mᵗ/t!, where m is the expected count.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.PoissonNLLLoss()([[0.5, 1.0]], [[2, 3]]).numpy().round(4).tolist()
    [0.1835]
    """

    def __init__(self, log_input: bool = True, full: bool = False, eps: float = 1e-8) -> None:
        self.log_input = as_truth("PoissonNLLLoss", "log_input", log_input)
        self.full = as_truth("PoissonNLLLoss", "full", full)
        self.eps = as_positive("PoissonNLLLoss", "eps", eps)
        self.outputs = "log-values" if self.log_input else "values"

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        check_same_shape("PoissonNLLLoss", output, target)
        t = target.astype(output.dtype)
        if self.log_input:
            costs = output.exp() - t * output
        else:
            costs = output - t * (output + self.eps).log()
        return per_example(costs + _log_factorial(t) if self.full else costs, Tensor.mean)

    def check_target(self, target: Array, width: int | None) -> None:
        check_counts("PoissonNLLLoss", target)

    def check_output(self, output: Any) -> None:
        if isinstance(output, Tensor) and not self.log_input:
            check_outputs_within(
                "PoissonNLLLoss",
                output,
                0.0,
                math.inf,
                meaning="expected counts, which are at least 0",
                advice="Pass log_input=True if they are logarithms, or end the network with "
                "Softplus",
            )


@LOSSES.register("GaussianNLLLoss")
class GaussianNLLLoss(Loss):
    """lᵢ = mean over outputs of ½·(log v + (x-t)²/v), of means x and variances v.

    The network returns a tuple of both, (mean, variance).

    Parameters
    ----------
    full : bool
        Whether to add ½·log 2π, which changes no gradient.
    eps : float
        A variance below it counts as this, and its gradient is that at this; above 0.

    Raises
    ------
    OutputError
        If a variance that is known is negative. In training, where it is not, its logarithm is
        NaN, and the step that computed it is named.

    Notes
    -----
    Nix and Weigend 1994. A variance may also be one for all of an example's outputs, of the
    mean's shape with 1 for the last axis, or without it.

    Examples
    --------
    >>> from chainrule import nn
    >>> mean, variance = [[0.5, -1.0]], [[1.0, 0.5]]
    >>> nn.GaussianNLLLoss()((mean, variance), [[1.0, -2.0]]).numpy().round(4).tolist()
    [0.3892]
    """

    outputs = "mean and variance"

    def __init__(self, *, full: bool = False, eps: float = 1e-6) -> None:
        self.full = as_truth("GaussianNLLLoss", "full", full)
        self.eps = as_positive("GaussianNLLLoss", "eps", eps)

    def forward(self, output: Any, target: Tensor) -> Tensor:
        """Costs [B] of (mean, variance)."""
        mean, variance = several_outputs("GaussianNLLLoss", output, ("mean", "variance"))
        check_same_shape("GaussianNLLLoss", mean, target)
        v = self._kept_off_zero(_beside(mean, variance.astype(mean.dtype)))
        error = mean - target.astype(mean.dtype)
        costs = 0.5 * (v.log() + error.square() / v)
        if self.full:
            costs = costs + 0.5 * math.log(2 * math.pi)
        return per_example(costs, Tensor.mean)

    def _kept_off_zero(self, variance: Tensor) -> Tensor:
        # The gradient flows as if nothing had happened; a negative one stays, for its logarithm
        # to say so.
        floor = self.eps + (variance - stop_gradient(variance))
        is_small = (variance >= 0) & (variance < self.eps)
        return where(is_small, floor, variance)

    def check_output(self, output: Any) -> None:
        _, variance = several_outputs("GaussianNLLLoss", output, ("mean", "variance"))
        check_outputs_within(
            "GaussianNLLLoss",
            variance,
            0.0,
            math.inf,
            meaning="variances, which are at least 0",
            advice="End that output with Softplus, or let it be the logarithm and take exp of it",
        )


def _log_factorial(t: Tensor) -> Tensor:
    """Stirling's approximation of log t! where t > 1, and 0 elsewhere."""
    large = t > 1
    safe = where(large, t, 1.0)
    stirling = safe * safe.log() - safe + 0.5 * (2 * math.pi * safe).log()
    return where(large, stirling, 0.0)


def _beside(mean: Tensor, variance: Tensor) -> Tensor:
    if variance.shape in (mean.shape, (*mean.shape[:-1], 1)):
        return variance
    if variance.shape == mean.shape[:-1]:
        return expand_dims(variance, -1)
    raise ShapeError(
        f"GaussianNLLLoss takes a variance for each mean, or one for each example; got means "
        f"{format_shape(mean.shape)} and variances {format_shape(variance.shape)}",
        where=here(),
    )
