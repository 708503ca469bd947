"""Activations as layers: each names its op; formula, derivative and kinks are in the op table."""

from __future__ import annotations

import math
from typing import ClassVar

from chainrule.eager import Tensor, elementwise
from chainrule.nn.module import LAYERS, Module


class Activation(Module):
    """A layer that applies one elementwise op."""

    op: ClassVar[str]
    range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    """The closed interval in which the outputs lie: a target outside it cannot be reached."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the op to each element."""
        return elementwise(self.op, x)


@LAYERS.register("Sigmoid")
class Sigmoid(Activation):
    """σ(x) = 1/(1 + e⁻ˣ)."""

    op = "sigmoid"
    range = (0.0, 1.0)


@LAYERS.register("Tanh")
class Tanh(Activation):
    """tanh x."""

    op = "tanh"
    range = (-1.0, 1.0)


@LAYERS.register("ReLU")
class ReLU(Activation):
    """max(x, 0), with derivative 0 at 0."""

    op = "relu"
    range = (0.0, math.inf)


@LAYERS.register("LeakyReLU")
class LeakyReLU(Module):
    """x where it is positive, `negative_slope`·x elsewhere."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """Apply the op to each element."""
        return elementwise("leaky_relu", x, slope=float(self.negative_slope))


@LAYERS.register("Softplus")
class Softplus(Activation):
    """log(1 + eˣ)."""

    op = "softplus"
    range = (0.0, math.inf)


@LAYERS.register("Softmax")
class Softmax(Module):
    """eˣⁱ / Σ eˣʲ along `dim`."""

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Apply softmax along the axis."""
        return x.softmax(self.dim)
