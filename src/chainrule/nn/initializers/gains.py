"""Gains: how much wider a weight is drawn for the nonlinearity behind it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from chainrule.base.errors import ConfigurationError, NameNotFoundError

# The square of the gain of each nonlinearity, as torch has them; `a` is leaky ReLU's slope.
_SQUARED_GAINS: dict[str, Callable[[float], float]] = {
    "linear": lambda a: 1.0,
    "sigmoid": lambda a: 1.0,
    "tanh": lambda a: 25 / 9,
    "relu": lambda a: 2.0,
    "leaky_relu": lambda a: 2 / (1 + a**2),
    "selu": lambda a: 9 / 16,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a weight's deviation makes up for what a nonlinearity takes away.

    Parameters
    ----------
    nonlinearity : str
        ``"linear"``, ``"sigmoid"``, ``"tanh"``, ``"relu"``, ``"leaky_relu"`` or ``"selu"``.
    param : float, optional
        The slope of ``"leaky_relu"``, by default 0.01.

    Examples
    --------
    >>> calculate_gain("tanh")
    1.6666666666666667
    """
    return math.sqrt(squared_gain(nonlinearity, 0.01 if param is None else param))


def as_gain(gain: float | str) -> float:
    """Return a gain: the number, or that of a nonlinearity."""
    if isinstance(gain, str):
        return calculate_gain(gain)
    if isinstance(gain, bool) or not isinstance(gain, int | float | np.number):
        raise ConfigurationError(f"A gain is a number, or the name of a nonlinearity; got {gain!r}")
    return float(gain)


def squared_gain(nonlinearity: str, a: float) -> float:
    """The square of a nonlinearity's gain, `a` being leaky ReLU's slope."""
    if nonlinearity not in _SQUARED_GAINS:
        raise NameNotFoundError.among("nonlinearity with a gain", nonlinearity, _SQUARED_GAINS)
    return _SQUARED_GAINS[nonlinearity](a)
