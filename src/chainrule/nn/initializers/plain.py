"""Initialisers that do not look at the shape: constants, and numbers from one distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule.backends.numpy.error_function import erfc
from chainrule.base.errors import ConfigurationError
from chainrule.base.random import normal as normal_numbers
from chainrule.base.random import normal_words, uniform_words
from chainrule.base.random import uniform as uniform_numbers
from chainrule.graph import Shape
from chainrule.nn.initializers.rule import INITIALIZERS, Initializer, bits

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
        draws = uniform_numbers(bits(shape, seed, path, uniform_words))
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
        draws = normal_numbers(bits(shape, seed, path, normal_words))
        return self.mean + self.std * draws.reshape(shape)


@INITIALIZERS.register("trunc_normal")
@dataclass(frozen=True)
class trunc_normal:
    """N(mean, std²) between `a` and `b`: what falls outside is never drawn.

    Parameters
    ----------
    mean, std : float
        Of the normal distribution before it is cut.
    a, b : float
        The ends, as numbers and not in units of `std`.

    Notes
    -----
    x = mean + std·Φ⁻¹(Φ(α) + u·(Φ(β) - Φ(α))), u from U[0, 1), α and β being the ends less the
    mean, over std: one uniform number each, none rejected.
    """

    mean: float = 0.0
    std: float = 1.0
    a: float = -2.0
    b: float = 2.0

    def __post_init__(self) -> None:
        if not (self.std > 0 and self.a < self.b):
            raise ConfigurationError(
                f"trunc_normal takes std > 0 and a < b; got std={self.std}, a={self.a}, b={self.b}"
            )
        low, high = self._ends()
        nearest = max(low, -high, 0.0)
        if _normal_cdf(np.array(-nearest)) == 0:
            raise ConfigurationError(
                f"trunc_normal draws from {self.a} to {self.b}, where N({self.mean}, {self.std}²) "
                "has no numbers"
            )

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        u = uniform_numbers(bits(shape, seed, path, uniform_words)).reshape(shape)
        low, high = self._ends()
        # Right of the mean by the mirror: there Φ is close to 1, and 1 - Φ would lose its digits.
        mirrored = low > 0
        if mirrored:
            low, high, u = -high, -low, 1 - u
        below, above = _normal_cdf(np.array([low, -high]))
        inside = 1 - below - above if high > 0 else _normal_cdf(np.array(high)) - below
        left, right = below + u * inside, above + (1 - u) * inside
        z = np.where(left <= 0.5, _left_quantile(left), -_left_quantile(right))
        x = self.mean + self.std * (-z if mirrored else z)
        return np.asarray(np.clip(x, self.a, self.b))

    def _ends(self) -> tuple[float, float]:
        return (self.a - self.mean) / self.std, (self.b - self.mean) / self.std


def _normal_cdf(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * erfc(-z / math.sqrt(2)))


def _left_quantile(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the normal distribution function is p, for p up to one half."""
    p = np.clip(p, np.finfo(np.float64).tiny, 0.5)
    # Within 4.5e-4 of it   [Abramowitz and Stegun 1964, eq. 26.2.23]
    t = np.sqrt(-2 * np.log(p))
    above = 2.515517 + t * (0.802853 + t * 0.010328)
    below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    z = above / below - t
    # Halley's step makes of an error e one of the order of e³, so the second is exact.
    for _ in range(2):
        density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        step = (_normal_cdf(z) - p) / density
        z = z - step / (1 + 0.5 * z * step)
    return np.asarray(z)
