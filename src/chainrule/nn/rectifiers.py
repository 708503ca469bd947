"""Activations that pass what is positive, and differ in what they make of the rest."""

from __future__ import annotations

import math

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.eager import Tensor, as_tensor, elementwise, here
from chainrule.graph import AttributeValue, format_shape
from chainrule.nn.activations import Activation, ElementwiseActivation
from chainrule.nn.arguments import as_count, as_number, as_positive
from chainrule.nn.initializers import constant
from chainrule.nn.module import LAYERS
from chainrule.nn.parameter import Parameter, meet
from chainrule.nn.randomness import uniform_like
from chainrule.ops.activations import SELU_SLOPE


@LAYERS.register("ReLU")
class ReLU(ElementwiseActivation):
    """y = max(x, 0).

    Notes
    -----
    The derivative at 0 is 0   [Nair and Hinton 2010].
    """

    op = "relu"
    range = (0.0, math.inf)


@LAYERS.register("ReLU6")
class ReLU6(ElementwiseActivation):
    """y = min(max(x, 0), 6).

    Notes
    -----
    The derivative at 0 and at 6 is 0   [Krizhevsky 2010].
    """

    op = "relu6"
    range = (0.0, 6.0)


@LAYERS.register("LeakyReLU")
class LeakyReLU(ElementwiseActivation):
    """y = x if x > 0 else negative_slope·x.

    Parameters
    ----------
    negative_slope : float
        Also the derivative at 0   [Maas, Hannun and Ng 2013].
    """

    op = "leaky_relu"

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = as_number("LeakyReLU", "negative_slope", negative_slope)

    def attributes(self) -> dict[str, AttributeValue]:
        return {"slope": self.negative_slope}


@LAYERS.register("Threshold")
class Threshold(ElementwiseActivation):
    """y = x if x > threshold else value.

    Parameters
    ----------
    threshold, value : float
        The derivative at the threshold is 0.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.Threshold(0.5, -1.0)([[0.25, 2.0]]).numpy().tolist()
    [[-1.0, 2.0]]
    """

    op = "threshold"

    def __init__(self, threshold: float, value: float) -> None:
        self.threshold = as_number("Threshold", "threshold", threshold)
        self.value = as_number("Threshold", "value", value)

    @property
    def range(self) -> tuple[float, float]:
        return (min(self.threshold, self.value), math.inf)

    def attributes(self) -> dict[str, AttributeValue]:
        return {"threshold": self.threshold, "below": self.value}


# --- exponential on the left ------------------------------------------------------------------


@LAYERS.register("ELU")
class ELU(ElementwiseActivation):
    """y = x if x > 0 else alpha·(exp(x) - 1).

    Parameters
    ----------
    alpha : float
        Not negative. Also the derivative at 0   [Clevert, Unterthiner and Hochreiter 2016, eq. 15].
    """

    op = "elu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = as_number("ELU", "alpha", alpha, 0)

    @property
    def range(self) -> tuple[float, float]:
        return (-self.alpha, math.inf)

    def attributes(self) -> dict[str, AttributeValue]:
        return {"alpha": self.alpha}


@LAYERS.register("SELU")
class SELU(ElementwiseActivation):
    """y = 1.0507009873554805·(x if x > 0 else 1.6732632423543772·(exp(x) - 1)).

    Notes
    -----
    The two numbers keep mean 0 and variance 1 from layer to layer, of units drawn by
    `init.lecun_normal`; `AlphaDropout` belongs to it   [Klambauer et al. 2017, eqs. 2 and 14].
    """

    op = "selu"
    range = (-SELU_SLOPE, math.inf)


@LAYERS.register("CELU")
class CELU(ElementwiseActivation):
    """y = x if x > 0 else alpha·(exp(x/alpha) - 1).

    Parameters
    ----------
    alpha : float
        Above 0. The derivative at 0 is 1 whatever it is   [Barron 2017, eq. 2].
    """

    op = "celu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = as_positive("CELU", "alpha", alpha)

    @property
    def range(self) -> tuple[float, float]:
        return (-self.alpha, math.inf)

    def attributes(self) -> dict[str, AttributeValue]:
        return {"alpha": self.alpha}


# --- slopes that are learned, or drawn --------------------------------------------------------


@LAYERS.register("PReLU")
class PReLU(Activation):
    """y = x if x > 0 else a·x, where a is learned.

    Parameters
    ----------
    num_parameters : int
        1, or one slope for each feature: the size of axis 1 of x.
    init : float
        What the slopes start from   [He, Zhang, Ren and Sun 2015, eq. 1].

    Attributes
    ----------
    weight : Parameter of shape (num_parameters,)
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        self.num_parameters = as_count("PReLU", "num_parameters", num_parameters)
        self.init = as_number("PReLU", "init", init)
        shape = (self.num_parameters,)
        self.weight = Parameter(shape=shape, initializer=constant(self.init))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the op to each element, with its feature's slope."""
        x, slope = meet(as_tensor(x), self.weight)
        if self.num_parameters > 1:
            if x.ndim < 2 or x.shape[1] != self.num_parameters:
                raise ShapeError(
                    f"PReLU(num_parameters={self.num_parameters}) got x of shape "
                    f"{format_shape(x.shape)}: its axis 1 must be {self.num_parameters}",
                    where=here(),
                )
            slope = slope.reshape(-1, *[1] * (x.ndim - 2))
        return elementwise("prelu", x, slope if x.ndim else slope.reshape(()))


@LAYERS.register("RReLU")
class RReLU(Activation):
    """y = x if x > 0 else a·x, where a is drawn for each element in training.

    Parameters
    ----------
    lower, upper : float
        a is from U[lower, upper) in training, and (lower + upper)/2 in evaluation.

    Notes
    -----
    Drawn from (seed, this layer's path, step, the example's row in the data set), as `Dropout`
    does   [Xu, Wang, Chen and Li 2015, section 2.4].

    Examples
    --------
    >>> from chainrule import nn
    >>> layer = nn.RReLU()
    >>> layer([[2.0, -2.0]]).numpy().round(4).tolist()
    [[2.0, -0.4583]]
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3) -> None:
        self.lower = as_number("RReLU", "lower", lower)
        self.upper = as_number("RReLU", "upper", upper)
        if not self.lower <= self.upper:
            raise ConfigurationError(f"RReLU takes lower ≤ upper; got {lower!r} and {upper!r}")

    def forward(self, x: Tensor) -> Tensor:
        """Apply the op to each element of x, of shape (B, ...)."""
        x = as_tensor(x)
        u = uniform_like("RReLU", x)
        if u is None:
            return elementwise("leaky_relu", x, slope=(self.lower + self.upper) / 2)
        slope = u * (self.upper - self.lower) + self.lower
        return elementwise("prelu", x, slope.astype(x.dtype) if x.type.dtype.is_float else slope)
