"""Layers with parameters, and those that only rearrange."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.eager import Tensor, apply, here
from chainrule.eager.tensor import promote
from chainrule.eager.tracing import current_scope
from chainrule.graph import DType, format_shape
from chainrule.nn import initializers
from chainrule.nn.initializers import Initializer
from chainrule.nn.mode import training_mode
from chainrule.nn.module import LAYERS, Module
from chainrule.nn.parameter import Buffer, Parameter


@LAYERS.register("Sequential")
class Sequential(Module):
    """Modules one after the other; their paths are ``0``, ``1``, ...

    Parameters
    ----------
    *modules : Module
    """

    def __init__(self, *modules: Module) -> None:
        for i, module in enumerate(modules):
            if not isinstance(module, Module):
                raise ConfigurationError(
                    f"Sequential takes modules; argument {i} is {type(module).__name__}"
                )
            setattr(self, str(i), module)

    def forward(self, x: Any) -> Any:
        """Apply the modules in order."""
        for module in self:
            x = module(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self.named_children())

    def __len__(self) -> int:
        return len(list(self.named_children()))

    def __getitem__(self, position: int) -> Module:
        return list(self)[position]


@LAYERS.register("Linear")
class Linear(Module):
    """y = x·Wᵀ + b.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    weight_init, bias_init : Initializer, optional
        By default torch's: U(-1/√in, 1/√in) for both.

    Attributes
    ----------
    weight : Parameter of shape (out_features, in_features)
    bias : Parameter of shape (out_features,), or None
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
    ) -> None:
        for name, size in (("in_features", in_features), ("out_features", out_features)):
            if size < 1:
                raise ConfigurationError(f"Linear takes {name} ≥ 1; got {size}")
        self.in_features = in_features
        self.out_features = out_features
        bound = 1 / math.sqrt(in_features)
        default = initializers.uniform(-bound, bound)
        self.weight = Parameter(
            shape=(out_features, in_features), initializer=weight_init or default
        )
        self.bias = (
            Parameter(shape=(out_features,), initializer=bias_init or default) if bias else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        if not x.ndim or x.shape[-1] != self.in_features:
            last = f"its last axis is {int(x.shape[-1])}" if x.ndim else "it has no axes"
            raise ShapeError(
                f"Linear(in_features={self.in_features}) got x of shape "
                f"{format_shape(x.shape)}: {last}",
                where=here(),
                advice=f"Did you mean in_features={int(x.shape[-1])}?" if x.ndim else None,
            )
        dtype = promote((x, self.weight), needs_float=True)
        y = apply("contract", x.astype(dtype), self.weight.astype(dtype), over=(x.ndim - 1, 1))
        return y if self.bias is None else y + self.bias


@LAYERS.register("Flatten")
class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim` into one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Tensor) -> Tensor:
        """Flatten x."""
        start, end = self.start_dim % x.ndim, self.end_dim % x.ndim
        middle = math.prod(x.shape[start : end + 1])
        shape = (*x.shape[:start], middle, *x.shape[end + 1 :])
        return x if x.ndim == len(shape) else apply("reshape", x, shape=shape)


@LAYERS.register("Dropout")
class Dropout(Module):
    """In training, set elements to 0 with probability p and scale the others by 1/(1-p).

    Parameters
    ----------
    p : float
        In [0, 1].

    Notes
    -----
    The mask is drawn from (seed, this layer's path, step, the example's row in the data set), so
    it does not depend on the batch an example is in   [Srivastava et al. 2014].
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ConfigurationError(f"Dropout takes 0 ≤ p ≤ 1; got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of x."""
        mode = training_mode()
        if mode is None or self.p == 0:
            return x
        if not x.ndim:
            raise ShapeError("Dropout takes examples along the first axis; got a scalar")
        # float32 draws whatever x is: the masks of an f32 and an f64 run are the same.
        u = apply(
            "uniform",
            mode.seed,
            mode.step,
            mode.rows_of(int(x.shape[0])),
            shape=tuple(map(int, x.shape[1:])),
            stream=current_scope() or "dropout",
            dtype=DType.F32,
        )
        keep = (u >= self.p).astype(x.dtype)
        scale = 0.0 if self.p == 1 else 1 / (1 - self.p)
        return x * (keep * scale)


@LAYERS.register("BatchNorm1d")
class BatchNorm1d(Module):
    """y = (x - E[x]) / √(Var[x] + eps) · γ + β, for each feature over the batch.

    Parameters
    ----------
    num_features : int
    eps : float
    momentum : float
        The weight of the newest batch in the running statistics (torch's sense).
    affine : bool
        Whether there are γ (``weight``) and β (``bias``).
    track_running_stats : bool
        Whether evaluation uses running statistics; otherwise always the batch's.

    Notes
    -----
    The batch is normalised with the biased variance; the running variance is the unbiased one,
    as torch does   [Ioffe and Szegedy 2015, algorithm 1].
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        shape = (num_features,)
        self.weight = Parameter(shape=shape, initializer=initializers.ones()) if affine else None
        self.bias = Parameter(shape=shape, initializer=initializers.zeros()) if affine else None
        if track_running_stats:
            self.running_mean = Buffer(np.zeros(shape, np.float32))
            self.running_var = Buffer(np.ones(shape, np.float32))
            self.num_batches_tracked = Buffer(np.int64(0))
        self.track_running_stats = track_running_stats

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x of shape (B, features) or (B, features, length)."""
        if x.ndim not in (2, 3) or x.shape[1] != self.num_features:
            raise ShapeError(
                f"BatchNorm1d(num_features={self.num_features}) got x of shape "
                f"{format_shape(x.shape)}: its axis 1 must be {self.num_features}",
                where=here(),
            )
        axes = (0,) if x.ndim == 2 else (0, 2)
        mode = training_mode()
        mean: Tensor
        variance: Tensor
        if mode is None and self.track_running_stats:
            mean, variance = self.running_mean, self.running_var
        else:
            mean, variance = self._batch_statistics(x, axes, mode is not None)
        spread = (1, -1) if x.ndim == 2 else (1, -1, 1)
        y = (x - mean.reshape(*spread)) / (variance.reshape(*spread) + self.eps).sqrt()
        if self.weight is not None and self.bias is not None:
            y = y * self.weight.reshape(*spread) + self.bias.reshape(*spread)
        return y

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
            m = self.momentum
            unbiased = variance * (count / (count - 1))
            self.running_mean.assign(self.running_mean * (1 - m) + mean * m)
            self.running_var.assign(self.running_var * (1 - m) + unbiased * m)
            self.num_batches_tracked.assign(self.num_batches_tracked + 1)
        return mean, variance
