"""How parameters start: functions of (shape, seed, path), the same numbers on every machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.base.random import normal as normal_numbers
from chainrule.base.random import normal_words, random_bits, seed_words, uniform_words
from chainrule.base.random import uniform as uniform_numbers
from chainrule.base.registry import Registry
from chainrule.graph import Shape, format_shape

Initializer = Callable[[Shape, int, str], NDArray[np.float64]]
"""``(shape, seed, path)`` to float64 numbers: one of these, or any such function."""

INITIALIZERS: Registry[Callable[..., Initializer]] = Registry("initializer")


def as_initializer(rule: Any) -> Initializer:
    """Return an initializer: itself, or a registered one by its name or uncalled.

    Examples
    --------
    >>> as_initializer("xavier_uniform")
    xavier_uniform(gain=1.0)
    """
    if isinstance(rule, str):
        return INITIALIZERS.get(rule)()
    if not callable(rule):
        raise ConfigurationError(
            f"An initializer is a function of (shape, seed, path); got {type(rule).__name__}",
            advice="For given numbers use nn.init.from_array(numbers)",
        )
    made: Initializer = rule() if rule in INITIALIZERS.values() else rule
    return made


def fans(shape: Shape) -> tuple[int, int]:
    """Fan-in and fan-out of a weight (out, in, ...): inputs of a unit, units an input reaches."""
    if len(shape) < 2:
        raise ShapeError(
            f"A fan-in belongs to a weight of two or more axes; got shape {format_shape(shape)}"
        )
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


# Lower case, because they are torch's functions, and classes, because they print and compare.


@INITIALIZERS.register("constant")
@dataclass(frozen=True)
class constant:
    """All `value`."""

    value: float

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        return np.full(shape, self.value, np.float64)


@INITIALIZERS.register("zeros")
def zeros() -> Initializer:
    """All 0."""
    return constant(0.0)


@INITIALIZERS.register("ones")
def ones() -> Initializer:
    """All 1."""
    return constant(1.0)


@dataclass(frozen=True, eq=False)
class from_array:
    """The numbers given, such as a textbook's."""

    values: ArrayLike

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        return np.array(self.values, np.float64)


@INITIALIZERS.register("uniform")
@dataclass(frozen=True)
class uniform:
    """U[low, high)."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ConfigurationError(f"uniform takes low ≤ high; got {self.low} and {self.high}")

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        draws = uniform_numbers(_bits(shape, seed, path, uniform_words))
        return self.low + (self.high - self.low) * draws.reshape(shape)


@INITIALIZERS.register("normal")
@dataclass(frozen=True)
class normal:
    """N(mean, std²)."""

    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        if not self.std >= 0:
            raise ConfigurationError(f"normal takes std ≥ 0; got {self.std}")

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        draws = normal_numbers(_bits(shape, seed, path, normal_words))
        return self.mean + self.std * draws.reshape(shape)


@INITIALIZERS.register("xavier_uniform")
@dataclass(frozen=True)
class xavier_uniform:
    """U[-a, a), a = gain·√(6/(fan_in + fan_out))   [Glorot and Bengio 2010, eq. 16]."""

    gain: float = 1.0

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        a = self.gain * math.sqrt(6 / sum(fans(shape)))
        return uniform(-a, a)(shape, seed, path)


@INITIALIZERS.register("xavier_normal")
@dataclass(frozen=True)
class xavier_normal:
    """N(0, s²), s = gain·√(2/(fan_in + fan_out))   [Glorot and Bengio 2010, eq. 12]."""

    gain: float = 1.0

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        return normal(0.0, self.gain * math.sqrt(2 / sum(fans(shape))))(shape, seed, path)


@INITIALIZERS.register("kaiming_uniform")
@dataclass(frozen=True)
class kaiming_uniform:
    """U[-b, b), b = √(6/((1 + a²)·fan_in)), for a ReLU of slope `a`   [He et al. 2015, eq. 14]."""

    a: float = 0.0

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        b = math.sqrt(6 / ((1 + self.a**2) * fans(shape)[0]))
        return uniform(-b, b)(shape, seed, path)


@INITIALIZERS.register("kaiming_normal")
@dataclass(frozen=True)
class kaiming_normal:
    """N(0, s²), s = √(2/((1 + a²)·fan_in)), for a ReLU of slope `a`   [He et al. 2015, eq. 14]."""

    a: float = 0.0

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        s = math.sqrt(2 / ((1 + self.a**2) * fans(shape)[0]))
        return normal(0.0, s)(shape, seed, path)


def _bits(shape: Shape, seed: int, path: str, words: Callable[[Any], int]) -> NDArray[np.uint32]:
    count = math.prod(shape) * words(np.float64)
    return random_bits(seed_words(seed), 0, f"init/{path}", 0, count)
