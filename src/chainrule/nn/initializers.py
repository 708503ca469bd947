"""How parameters start: functions of (shape, seed, path), the same numbers on every machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.base.errors import ShapeError
from chainrule.base.random import normal as normal_numbers
from chainrule.base.random import normal_words, random_bits, seed_words, uniform_words
from chainrule.base.random import uniform as uniform_numbers
from chainrule.base.registry import Registry
from chainrule.graph import Shape, format_shape

Initializer = Callable[[Shape, int, str], NDArray[np.float64]]
"""``(shape, seed, path)`` to float64 numbers."""

INITIALIZERS: Registry[Callable[..., Initializer]] = Registry("initializer")


def fans(shape: Shape) -> tuple[int, int]:
    """Fan-in and fan-out of a weight (out, in, ...): inputs of a unit, units an input reaches."""
    if len(shape) < 2:
        raise ShapeError(
            f"A fan-in belongs to a weight of two or more axes; got shape {format_shape(shape)}"
        )
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


@INITIALIZERS.register("zeros")
def zeros() -> Initializer:
    """All 0."""
    return constant(0.0)


@INITIALIZERS.register("ones")
def ones() -> Initializer:
    """All 1."""
    return constant(1.0)


@INITIALIZERS.register("constant")
def constant(value: float) -> Initializer:
    """All `value`."""
    return lambda shape, seed, path: np.full(shape, value, np.float64)


def from_array(values: ArrayLike) -> Initializer:
    """The numbers given, such as a textbook's."""
    array = np.asarray(values, np.float64)

    def initialize(shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        if array.shape != shape:
            raise ShapeError(
                f"{path} has shape {format_shape(shape)}; "
                f"got numbers of {format_shape(array.shape)}"
            )
        return array.copy()

    return initialize


@INITIALIZERS.register("uniform")
def uniform(low: float = 0.0, high: float = 1.0) -> Initializer:
    """U[low, high)."""

    def initialize(shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        draws = uniform_numbers(_bits(shape, seed, path, uniform_words))
        return low + (high - low) * draws.reshape(shape)

    return initialize


@INITIALIZERS.register("normal")
def normal(mean: float = 0.0, std: float = 1.0) -> Initializer:
    """N(mean, std²)."""

    def initialize(shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        return mean + std * normal_numbers(_bits(shape, seed, path, normal_words)).reshape(shape)

    return initialize


@INITIALIZERS.register("xavier_uniform")
def xavier_uniform(gain: float = 1.0) -> Initializer:
    """U[-a, a), a = gain·√(6/(fan_in + fan_out))   [Glorot and Bengio 2010, eq. 16]."""
    return _scaled(uniform, lambda i, o: gain * math.sqrt(6.0 / (i + o)))


@INITIALIZERS.register("xavier_normal")
def xavier_normal(gain: float = 1.0) -> Initializer:
    """N(0, s²), s = gain·√(2/(fan_in + fan_out))   [Glorot and Bengio 2010, eq. 12]."""
    return _scaled(normal, lambda i, o: gain * math.sqrt(2.0 / (i + o)))


@INITIALIZERS.register("kaiming_uniform")
def kaiming_uniform(a: float = 0.0) -> Initializer:
    """U[-b, b), b = √(6/((1 + a²)·fan_in)), for a ReLU of slope `a`   [He et al. 2015, eq. 14]."""
    return _scaled(uniform, lambda i, o: math.sqrt(6.0 / ((1 + a * a) * i)))


@INITIALIZERS.register("kaiming_normal")
def kaiming_normal(a: float = 0.0) -> Initializer:
    """N(0, s²), s = √(2/((1 + a²)·fan_in)), for a ReLU of slope `a`   [He et al. 2015, eq. 14]."""
    return _scaled(normal, lambda i, o: math.sqrt(2.0 / ((1 + a * a) * i)))


def _scaled(
    family: Callable[[float, float], Initializer], scale: Callable[[int, int], float]
) -> Initializer:
    def initialize(shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        size = scale(*fans(shape))
        low = -size if family is uniform else 0.0
        return family(low, size)(shape, seed, path)

    return initialize


def _bits(shape: Shape, seed: int, path: str, words: Callable[[Any], int]) -> NDArray[np.uint32]:
    count = math.prod(shape) * words(np.float64)
    return random_bits(seed_words(seed), 0, f"init/{path}", 0, count)
