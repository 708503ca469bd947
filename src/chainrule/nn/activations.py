"""Activations as layers: each names its op; formula, derivative and kinks are in the op table."""

from __future__ import annotations

import math
from typing import ClassVar

from chainrule.eager import Tensor, as_tensor, elementwise
from chainrule.nn.arguments import as_number, as_position
from chainrule.nn.module import LAYERS, Module


class Activation(Module):
    """A layer without parameters that keeps the shape."""

    range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    """The closed interval in which the outputs lie: a target outside it cannot be reached."""


class ElementwiseActivation(Activation):
    """An activation that is one elementwise op without attributes."""

    op: ClassVar[str]

    def forward(self, x: Tensor) -> Tensor:
        """Apply the op to each element."""
        return elementwise(self.op, x)


@LAYERS.register("Sigmoid")
class Sigmoid(ElementwiseActivation):
    """σ(x) = 1/(1 + e⁻ˣ)."""

    op = "sigmoid"
    range = (0.0, 1.0)


@LAYERS.register("Tanh")
class Tanh(ElementwiseActivation):
    """tanh x."""

    op = "tanh"
    range = (-1.0, 1.0)


@LAYERS.register("ReLU")
class ReLU(ElementwiseActivation):
    """max(x, 0), with derivative 0 at 0."""

    op = "relu"
    range = (0.0, math.inf)


@LAYERS.register("LeakyReLU")
class LeakyReLU(Activation):
    """x where it is positive, `negative_slope`·x elsewhere.

    Parameters
    ----------
    negative_slope : float
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = as_number("LeakyReLU", "negative_slope", negative_slope)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the op to each element."""
        return elementwise("leaky_relu", x, slope=self.negative_slope)


@LAYERS.register("Softplus")
class Softplus(ElementwiseActivation):
    """log(1 + eˣ)."""

    op = "softplus"
    range = (0.0, math.inf)


@LAYERS.register("Softmax")
class Softmax(Activation):
    """eˣⁱ / Σ eˣʲ along `dim`.

    Parameters
    ----------
    dim : int
    """

    range = (0.0, 1.0)

    def __init__(self, dim: int = -1) -> None:
        self.dim = as_position("Softmax", "dim", dim)

    def forward(self, x: Tensor) -> Tensor:
        """Apply softmax along the axis."""
        return as_tensor(x).softmax(self.dim)
