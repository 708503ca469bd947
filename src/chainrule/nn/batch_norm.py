"""Batch normalisation: the layer with state that is not a parameter."""

from __future__ import annotations

import math
from typing import Any

from chainrule.base.errors import ShapeError
from chainrule.eager import Tensor, as_tensor, here
from chainrule.graph import DType, format_shape
from chainrule.nn import initializers
from chainrule.nn.arguments import as_count, as_number
from chainrule.nn.mode import training_mode
from chainrule.nn.module import LAYERS, Module
from chainrule.nn.parameter import Buffer, Parameter


@LAYERS.register("BatchNorm1d")
class BatchNorm1d(Module):
    """y = (x - E[x]) / √(Var[x] + eps) · γ + β, for each feature over the batch.

    Parameters
    ----------
    num_features : int
    eps : float
    momentum : float or None
        The weight of the newest batch in the running statistics (torch's sense). None: all
        batches count alike.
    affine : bool
        Whether there are γ (``weight``) and, if `bias` says so, β (``bias``).
    track_running_stats : bool
        Whether evaluation uses running statistics; otherwise always the batch's.
    bias : bool

    Notes
    -----
    The batch is normalised with the biased variance; the running variance is the unbiased one,
    as torch does   [Ioffe and Szegedy 2015, algorithm 1].

    Examples
    --------
    >>> from chainrule import nn
    >>> layer = nn.BatchNorm1d(2)
    >>> with nn.training():
    ...     y = layer([[1.0, 10.0], [3.0, 30.0]])
    >>> y.numpy().round(3).tolist(), layer.running_mean.numpy().round(3).tolist()
    ([[-1.0, -1.0], [1.0, 1.0]], [0.2, 2.0])
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        self.num_features = as_count("BatchNorm1d", "num_features", num_features)
        self.eps = as_number("BatchNorm1d", "eps", eps, 0)
        is_mean = momentum is None
        self.momentum = None if is_mean else as_number("BatchNorm1d", "momentum", momentum, 0, 1)
        self.track_running_stats = track_running_stats
        shape = (self.num_features,)
        zeros, ones = initializers.zeros(), initializers.ones()
        self.weight = Parameter(shape=shape, initializer=ones) if affine else None
        self.bias = Parameter(shape=shape, initializer=zeros) if affine and bias else None
        if track_running_stats:
            self.running_mean = Buffer(shape=shape, initializer=zeros)
            self.running_var = Buffer(shape=shape, initializer=ones)
            self.num_batches_tracked = Buffer(initializer=zeros, dtype=DType.I64)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x of shape (B, features) or (B, features, length)."""
        x = as_tensor(x)
        if x.ndim not in (2, 3) or x.shape[1] != self.num_features:
            raise ShapeError(
                f"BatchNorm1d(num_features={self.num_features}) got x of shape "
                f"{format_shape(x.shape)}: its axis 1 must be {self.num_features}",
                where=here(),
            )
        axes = (0,) if x.ndim == 2 else (0, 2)
        training = training_mode() is not None
        mean: Tensor
        variance: Tensor
        if self.track_running_stats and not training:
            mean, variance = self.running_mean, self.running_var
        else:
            mean, variance = self._batch_statistics(x, axes, training)
        spread = (1, -1) if x.ndim == 2 else (1, -1, 1)
        y = (x - mean.reshape(*spread)) / (variance.reshape(*spread) + self.eps).sqrt()
        if self.weight is not None:
            y = y * self.weight.reshape(*spread)
        return y if self.bias is None else y + self.bias.reshape(*spread)

    def _batch_statistics(
        self, x: Tensor, axes: tuple[int, ...], training: bool
    ) -> tuple[Tensor, Tensor]:
        count = math.prod(int(x.shape[axis]) for axis in axes)
        if training and count < 2:
            raise ShapeError(
                "BatchNorm1d got a batch of one example: its variance is zero and its output "
                "does not depend on x",
                where=here(),
                advice="Use larger batches, or drop_last=True if only the last one is this short",
            )
        mean = x.mean(axis=axes)
        variance = (x - x.mean(axis=axes, keepdims=True)).square().mean(axis=axes)
        if training and self.track_running_stats:
            m: Any = self.momentum
            if m is None:  # the mean over all batches so far, this one included
                m = 1 / (self.num_batches_tracked + 1).astype(mean.dtype)
            unbiased = variance * (count / (count - 1))
            self.running_mean.assign(self.running_mean * (1 - m) + mean * m)
            self.running_var.assign(self.running_var * (1 - m) + unbiased * m)
            self.num_batches_tracked.assign(self.num_batches_tracked + 1)
        return mean, variance
