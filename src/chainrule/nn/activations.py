"""Activations as layers: each names its op; formula, derivative and kinks are in the op table.

Here are the base classes, curves, straight lines and shares of a whole; `rectifiers` and `gates`
hold the other families. The formula that a docstring begins with is run against the op by the
tests. torch's `inplace` is not there: no array changes.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from chainrule.base.errors import ConfigurationError
from chainrule.eager import Tensor, as_tensor, elementwise
from chainrule.graph import AttributeValue
from chainrule.nn.arguments import as_number, as_position, as_positive
from chainrule.nn.module import LAYERS, Module


class Activation(Module):
    """A layer that keeps the shape."""

    @property
    def range(self) -> tuple[float, float]:
        """The closed interval in which the outputs lie: a target outside it cannot be reached."""
        return (-math.inf, math.inf)


class ElementwiseActivation(Activation):
    """An activation that is one elementwise op."""

    op: ClassVar[str]
    """The op's name in the op table."""

    def attributes(self) -> dict[str, AttributeValue]:
        """The op's attributes, from the layer's arguments."""
        return {}

    def forward(self, x: Tensor) -> Tensor:
        """Apply the op to each element."""
        return elementwise(self.op, x, **self.attributes())


# --- curves -----------------------------------------------------------------------------------


@LAYERS.register("Sigmoid")
class Sigmoid(ElementwiseActivation):
    """y = 1/(1 + exp(-x))."""

    op = "sigmoid"
    range = (0.0, 1.0)


@LAYERS.register("Tanh")
class Tanh(ElementwiseActivation):
    """y = tanh(x)."""

    op = "tanh"
    range = (-1.0, 1.0)


@LAYERS.register("LogSigmoid")
class LogSigmoid(ElementwiseActivation):
    """y = log(σ(x)).

    Notes
    -----
    Computed without the logarithm of a probability that rounded to 0.
    """

    op = "log_sigmoid"
    range = (-math.inf, 0.0)


@LAYERS.register("Softplus")
class Softplus(ElementwiseActivation):
    """y = log(1 + exp(beta·x))/beta if beta·x ≤ threshold else x.

    Parameters
    ----------
    beta : float
        Above 0.
    threshold : float
        From here on the curve is replaced by the straight line that it approaches, as torch does.
        That is too small by at most exp(-threshold)/beta, 2e-9 by default; ``math.inf`` keeps the
        curve, which does not overflow here   [Dugas et al. 2001, eq. 3].
    """

    op = "softplus"

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = as_positive("Softplus", "beta", beta)
        self.threshold = as_threshold(threshold)

    @property
    def range(self) -> tuple[float, float]:
        return (min(self.threshold / self.beta, 0.0), math.inf)

    def attributes(self) -> dict[str, AttributeValue]:
        return {"beta": self.beta, "threshold": self.threshold}


def as_threshold(value: Any) -> float:
    """Return softplus's threshold, which may be infinite, as a float."""
    if isinstance(value, float) and value == math.inf:
        return value
    return as_number("Softplus", "threshold", value)


@LAYERS.register("Softsign")
class Softsign(ElementwiseActivation):
    """y = x/(1 + |x|)."""

    op = "softsign"
    range = (-1.0, 1.0)


@LAYERS.register("Tanhshrink")
class Tanhshrink(ElementwiseActivation):
    """y = x - tanh(x)."""

    op = "tanh_shrink"


# --- pieces of straight lines -----------------------------------------------------------------


@LAYERS.register("Hardsigmoid")
class Hardsigmoid(ElementwiseActivation):
    """y = min(max(x + 3, 0), 6)/6.

    Notes
    -----
    The derivative at the kinks, -3 and 3, is 0   [Courbariaux, Bengio and David 2015, eq. 2].
    """

    op = "hard_sigmoid"
    range = (0.0, 1.0)


@LAYERS.register("Hardtanh")
class Hardtanh(ElementwiseActivation):
    """y = min(max(x, min_val), max_val).

    Parameters
    ----------
    min_val, max_val : float
        The first is the smaller one. The derivative there is 0   [Collobert 2004].
    """

    op = "hard_tanh"

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        self.min_val = as_number("Hardtanh", "min_val", min_val)
        self.max_val = as_number("Hardtanh", "max_val", max_val)
        if not self.min_val < self.max_val:
            raise ConfigurationError(
                f"Hardtanh takes min_val < max_val; got {min_val!r} and {max_val!r}"
            )

    @property
    def range(self) -> tuple[float, float]:
        return (self.min_val, self.max_val)

    def attributes(self) -> dict[str, AttributeValue]:
        return {"low": self.min_val, "high": self.max_val}


@LAYERS.register("Hardshrink")
class Hardshrink(ElementwiseActivation):
    """y = x if |x| > lambd else 0.

    Parameters
    ----------
    lambd : float
        Not negative. The derivative at ±lambd is 0.
    """

    op = "hard_shrink"

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = as_number("Hardshrink", "lambd", lambd, 0)

    def attributes(self) -> dict[str, AttributeValue]:
        return {"width": self.lambd}


@LAYERS.register("Softshrink")
class Softshrink(ElementwiseActivation):
    """y = x - lambd·sign(x) if |x| > lambd else 0.

    Parameters
    ----------
    lambd : float
        Not negative. The derivative at ±lambd is 0   [Donoho 1995, eq. 5].
    """

    op = "soft_shrink"

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = as_number("Softshrink", "lambd", lambd, 0)

    def attributes(self) -> dict[str, AttributeValue]:
        return {"width": self.lambd}


# --- shares of a whole ------------------------------------------------------------------------


@LAYERS.register("Softmax")
class Softmax(Activation):
    """yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ).

    Parameters
    ----------
    dim : int
        The axis along which the outputs add up to 1   [Bridle 1990].
    """

    range = (0.0, 1.0)

    def __init__(self, dim: int = -1) -> None:
        self.dim = as_position("Softmax", "dim", dim)

    def forward(self, x: Tensor) -> Tensor:
        """Apply softmax along the axis."""
        return as_tensor(x).softmax(self.dim)


@LAYERS.register("LogSoftmax")
class LogSoftmax(Activation):
    """yᵢ = xᵢ - log Σⱼ exp(xⱼ).

    Parameters
    ----------
    dim : int
        The axis along which exp(y) adds up to 1.
    """

    range = (-math.inf, 0.0)

    def __init__(self, dim: int = -1) -> None:
        self.dim = as_position("LogSoftmax", "dim", dim)

    def forward(self, x: Tensor) -> Tensor:
        """Apply log-softmax along the axis."""
        return as_tensor(x).log_softmax(self.dim)


@LAYERS.register("Softmin")
class Softmin(Activation):
    """yᵢ = exp(-xᵢ) / Σⱼ exp(-xⱼ).

    Parameters
    ----------
    dim : int
        The axis along which the outputs add up to 1.
    """

    range = (0.0, 1.0)

    def __init__(self, dim: int = -1) -> None:
        self.dim = as_position("Softmin", "dim", dim)

    def forward(self, x: Tensor) -> Tensor:
        """Apply softmax to -x along the axis."""
        return (-as_tensor(x)).softmax(self.dim)
