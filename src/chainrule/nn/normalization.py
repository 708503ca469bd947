"""Normalisation within each example: the same in training and in evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.eager import Tensor, apply, as_tensor, here
from chainrule.graph import Axis, DType, format_shape
from chainrule.nn import initializers
from chainrule.nn.arguments import as_count, as_number, as_sizes
from chainrule.nn.module import LAYERS, Module
from chainrule.nn.parameter import Parameter


@LAYERS.register("LayerNorm")
class LayerNorm(Module):
    """y = (x - E[x]) / √(Var[x] + eps) · γ + β, over the last axes of each example.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The last axes of x, over which mean and variance are taken.
    eps : float
    elementwise_affine : bool
        Whether there are γ (``weight``) and, if `bias` says so, β (``bias``).
    bias : bool

    Attributes
    ----------
    weight, bias : Parameter of shape normalized_shape, or None

    Notes
    -----
    The variance is the biased one. An example's output depends on no other example, and is the
    same in training and in evaluation   [Ba, Kiros and Hinton 2016, eq. 4].

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.LayerNorm(3)([[1.0, 2.0, 6.0]]).numpy().round(3)
    array([[-0.926, -0.463,  1.389]], dtype=float32)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        self.normalized_shape = as_sizes("LayerNorm", "normalized_shape", normalized_shape)
        self.eps = as_number("LayerNorm", "eps", eps, 0)
        shape = self.normalized_shape
        ones, zeros = initializers.ones(), initializers.zeros()
        self.weight = Parameter(shape=shape, initializer=ones) if elementwise_affine else None
        has_bias = elementwise_affine and bias
        self.bias = Parameter(shape=shape, initializer=zeros) if has_bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x of shape (..., *normalized_shape)."""
        x = as_tensor(x)
        axes = last_axes("LayerNorm", self.normalized_shape, x)
        y = apply("layer_norm", floating(x, self.weight), axes=axes, eps=self.eps)
        y = y if self.weight is None else y * self.weight
        return y if self.bias is None else y + self.bias


@LAYERS.register("RMSNorm")
class RMSNorm(Module):
    """y = x / √(E[x²] + eps) · γ, over the last axes of each example.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The last axes of x, over which the mean is taken.
    eps : float, optional
        By default the spacing of numbers at 1 in x's dtype, as torch's.
    elementwise_affine : bool
        Whether there is γ (``weight``).

    Attributes
    ----------
    weight : Parameter of shape normalized_shape, or None

    Notes
    -----
    `LayerNorm` without the mean   [Zhang and Sennrich 2019, eq. 4].

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.RMSNorm(2)([[1.0, 7.0]]).numpy().round(3)
    array([[0.2, 1.4]], dtype=float32)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
    ) -> None:
        self.normalized_shape = as_sizes("RMSNorm", "normalized_shape", normalized_shape)
        self.eps = None if eps is None else as_number("RMSNorm", "eps", eps, 0)
        shape = self.normalized_shape
        ones = initializers.ones()
        self.weight = Parameter(shape=shape, initializer=ones) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x of shape (..., *normalized_shape)."""
        x = floating(as_tensor(x), self.weight)
        axes = last_axes("RMSNorm", self.normalized_shape, x)
        eps = float(np.finfo(x.dtype).eps) if self.eps is None else self.eps
        y = apply("rms_norm", x, axes=axes, eps=eps)
        return y if self.weight is None else y * self.weight


@LAYERS.register("GroupNorm")
class GroupNorm(Module):
    """y = (x - E[x]) / √(Var[x] + eps) · γ + β, over groups of an example's channels.

    Parameters
    ----------
    num_groups, num_channels : int
        The second is a multiple of the first.
    eps : float
    affine : bool
        Whether there are γ (``weight``) and, if `bias` says so, β (``bias``), one for each channel.
    bias : bool

    Attributes
    ----------
    weight, bias : Parameter of shape (num_channels,), or None

    Notes
    -----
    The variance is the biased one   [Wu and He 2018, eqs. 1 and 7].

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.GroupNorm(2, 4)([[1.0, 3.0, 10.0, 30.0]]).numpy().round(3)
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        self.num_groups = as_count("GroupNorm", "num_groups", num_groups)
        self.num_channels = as_count("GroupNorm", "num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise ConfigurationError(
                f"GroupNorm takes num_channels that num_groups divides; got {self.num_channels} "
                f"and {self.num_groups}"
            )
        self.eps = as_number("GroupNorm", "eps", eps, 0)
        shape = (self.num_channels,)
        zeros, ones = initializers.zeros(), initializers.ones()
        self.weight = Parameter(shape=shape, initializer=ones) if affine else None
        self.bias = Parameter(shape=shape, initializer=zeros) if affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x of shape (B, num_channels, ...)."""
        x = as_tensor(x)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ShapeError(
                f"GroupNorm(num_channels={self.num_channels}) got x of shape "
                f"{format_shape(x.shape)}: its axis 1 must be {self.num_channels}",
                where=here(),
            )
        x = floating(x, self.weight)
        inside = math.prod(x.shape[1:]) // self.num_groups
        groups = x.reshape(x.shape[0], self.num_groups, inside)
        y = apply("layer_norm", groups, axes=(2,), eps=self.eps).reshape(x.shape)
        spread = (-1, *[1] * (x.ndim - 2))
        y = y if self.weight is None else y * self.weight.reshape(*spread)
        return y if self.bias is None else y + self.bias.reshape(*spread)


def floating(x: Tensor, parameter: Tensor | None) -> Tensor:
    """Return x as floats: integers take the parameter's dtype, or float32 where there is none."""
    if x.type.dtype.is_float:
        return x
    return x.astype(DType.F32 if parameter is None else parameter.type.dtype)


def last_axes(layer: str, shape: tuple[int, ...], x: Tensor) -> tuple[int, ...]:
    """The axes of x that a `normalized_shape` stands for, or ShapeError."""
    first = x.ndim - len(shape)
    is_the_batch = first == 0 and isinstance(x.shape[0], Axis)
    if first < 0 or is_the_batch or x.shape[first:] != shape:
        wanted = f"{'axis' if len(shape) == 1 else 'axes'} must be {', '.join(map(str, shape))}"
        raise ShapeError(
            f"{layer}(normalized_shape={shape}) got x of shape {format_shape(x.shape)}: its last "
            f"{wanted}{', behind the examples' if is_the_batch else ''}",
            where=here(),
        )
    return tuple(range(first, x.ndim))
