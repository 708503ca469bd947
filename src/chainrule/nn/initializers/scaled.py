"""Initialisers that keep the size of signals, or of gradients, from layer to layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.graph import Shape, format_shape
from chainrule.nn.initializers.gains import as_gain, squared_gain
from chainrule.nn.initializers.plain import normal, uniform
from chainrule.nn.initializers.rule import INITIALIZERS


def fans(shape: Shape) -> tuple[int, int]:
    """Fan-in and fan-out of a weight (out, in, ...): inputs of a unit, units an input reaches."""
    if len(shape) < 2:
        raise ShapeError(
            f"A fan-in belongs to a weight of two or more axes; got shape {format_shape(shape)}"
        )
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


@INITIALIZERS.register("xavier_uniform")
@dataclass(frozen=True)
class xavier_uniform:
    """U[-a, a), a = gain·√(6/(fan_in + fan_out))   [Glorot and Bengio 2010, eq. 16].

    Parameters
    ----------
    gain : float or str
        A factor, or the nonlinearity that it is calculated from.
    """

    gain: float | str = 1.0

    def __post_init__(self) -> None:
        as_gain(self.gain)

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        a = as_gain(self.gain) * math.sqrt(6 / sum(fans(shape)))
        return uniform(-a, a)(shape, seed, path)


@INITIALIZERS.register("xavier_normal")
@dataclass(frozen=True)
class xavier_normal:
    """N(0, s²), s = gain·√(2/(fan_in + fan_out))   [Glorot and Bengio 2010, eq. 12].

    Parameters
    ----------
    gain : float or str
        A factor, or the nonlinearity that it is calculated from.
    """

    gain: float | str = 1.0

    def __post_init__(self) -> None:
        as_gain(self.gain)

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        s = as_gain(self.gain) * math.sqrt(2 / sum(fans(shape)))
        return normal(0.0, s)(shape, seed, path)


@INITIALIZERS.register("kaiming_uniform")
@dataclass(frozen=True)
class kaiming_uniform:
    """U[-b, b), b = gain·√(3/fan)   [He, Zhang, Ren and Sun 2015, eq. 14].

    Parameters
    ----------
    a : float
        The slope of a leaky ReLU; 0 is ReLU's.
    mode : str
        ``"fan_in"`` keeps the size of signals, ``"fan_out"`` that of gradients.
    nonlinearity : str
        What the gain is calculated from.
    """

    a: float = 0.0
    mode: str = "fan_in"
    nonlinearity: str = "leaky_relu"

    def __post_init__(self) -> None:
        _check_mode("kaiming_uniform", self.mode)
        squared_gain(self.nonlinearity, self.a)

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        b = math.sqrt(3 * squared_gain(self.nonlinearity, self.a) / _fan(shape, self.mode))
        return uniform(-b, b)(shape, seed, path)


@INITIALIZERS.register("kaiming_normal")
@dataclass(frozen=True)
class kaiming_normal:
    """N(0, s²), s = gain/√fan   [He, Zhang, Ren and Sun 2015, eq. 14].

    Parameters
    ----------
    a : float
        The slope of a leaky ReLU; 0 is ReLU's.
    mode : str
        ``"fan_in"`` keeps the size of signals, ``"fan_out"`` that of gradients.
    nonlinearity : str
        What the gain is calculated from.
    """

    a: float = 0.0
    mode: str = "fan_in"
    nonlinearity: str = "leaky_relu"

    def __post_init__(self) -> None:
        _check_mode("kaiming_normal", self.mode)
        squared_gain(self.nonlinearity, self.a)

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        s = math.sqrt(squared_gain(self.nonlinearity, self.a) / _fan(shape, self.mode))
        return normal(0.0, s)(shape, seed, path)


@INITIALIZERS.register("lecun_uniform")
@dataclass(frozen=True)
class lecun_uniform:
    """U[-b, b), b = √(3/fan_in)   [LeCun, Bottou, Orr and Müller 1998, eq. 16]."""

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        b = math.sqrt(3 / fans(shape)[0])
        return uniform(-b, b)(shape, seed, path)


@INITIALIZERS.register("lecun_normal")
@dataclass(frozen=True)
class lecun_normal:
    """N(0, s²), s = √(1/fan_in)   [LeCun, Bottou, Orr and Müller 1998, eq. 16].

    Notes
    -----
    What `SELU` asks for. Keras draws its rule of this name from a truncated normal distribution.
    """

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        return normal(0.0, math.sqrt(1 / fans(shape)[0]))(shape, seed, path)


def _check_mode(rule: str, mode: str) -> None:
    if mode not in ("fan_in", "fan_out"):
        raise ConfigurationError(f'{rule} takes mode="fan_in" or "fan_out"; got {mode!r}')


def _fan(shape: Shape, mode: str) -> int:
    return fans(shape)[0 if mode == "fan_in" else 1]
