"""Data sets that are made on demand, each a drawing in the plane or a curve.

Row i depends on the seed and on i alone, and its class is i modulo the number of classes. So the
first hundred points are the same whether a hundred or a thousand are made, every set is as balanced
as it can be, and any machine makes the same points up to the rounding of sine, cosine and
logarithm.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import ConfigurationError
from chainrule.base.random import normal, normal_words, random_bits, seed_words, uniform
from chainrule.data.catalogue import DATASETS, dataset
from chainrule.data.dataset import Dataset

_CORNERS = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))

Floats = NDArray[np.float64]


@dataset(
    "xor",
    kind="generated",
    shape="n x 2, 2 classes",
    description="Exclusive or: the corners of a square, one class on each diagonal",
)
def make_xor(n: int = 4, noise: float = 0.0, seed: int = 0) -> Dataset:
    """Make the corners (0, 0), (0, 1), (1, 0), (1, 1), in turn; class 1 where they differ.

    Parameters
    ----------
    n
        How many points; 4 make the truth table.
    noise
        Standard deviation of the normal noise on both coordinates.
    seed
        0 <= seed < 2**64.
    """
    _check(n, noise)
    corner = np.arange(n) % 4
    points = np.array(_CORNERS)[corner]
    classes = (corner == 1) | (corner == 2)
    return _plane("xor", points, classes, noise, seed, ("equal", "different"))


@dataset(
    "noisy_xor",
    kind="generated",
    shape="n x 2, 2 classes",
    description="Exclusive or of two signs, over a square, blurred at the borders",
)
def make_noisy_xor(n: int = 200, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Make points all over the square from -1 to 1; class 1 where their coordinates' signs differ.

    Parameters
    ----------
    n
        How many points.
    noise
        Standard deviation of the normal noise on both coordinates, which is added after the class
        is known: near the axes a point may look like the other class.
    seed
        0 <= seed < 2**64.
    """
    _check(n, noise)
    u = _uniforms("noisy_xor", n, seed, 3)
    # The class is given; the first coordinate and one of the two quadrants are drawn.
    classes = np.arange(n) % 2
    x = np.where(u[:, 2] < 0.5, u[:, 0], -u[:, 0])
    y = np.where((x < 0) ^ (classes == 1), -u[:, 1], u[:, 1])
    points = np.stack([x, y], axis=1)
    return _plane("noisy_xor", points, classes, noise, seed, ("same sign", "other sign"))


@dataset(
    "moons",
    kind="generated",
    shape="n x 2, 2 classes",
    description="Two half circles that reach into each other",
)
def make_moons(n: int = 200, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Make two half circles of radius 1, the lower one moved by (1, 0.5).

    Parameters
    ----------
    n
        How many points.
    noise
        Standard deviation of the normal noise on both coordinates.
    seed
        0 <= seed < 2**64.
    """
    _check(n, noise)
    classes = np.arange(n) % 2
    angle = math.pi * _uniforms("moons", n, seed, 1)[:, 0]
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    points = np.where(classes[:, None] == 0, upper, lower)
    return _plane("moons", points, classes, noise, seed, ("upper", "lower"))


@dataset(
    "circles",
    kind="generated",
    shape="n x 2, 2 classes",
    description="A circle inside another",
)
def make_circles(n: int = 200, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Make a circle of radius 1 and one of radius 0.5.

    Parameters
    ----------
    n
        How many points.
    noise
        Standard deviation of the normal noise on both coordinates.
    seed
        0 <= seed < 2**64.
    """
    _check(n, noise)
    classes = np.arange(n) % 2
    angle = 2 * math.pi * _uniforms("circles", n, seed, 1)[:, 0]
    radius = np.where(classes == 0, 1.0, 0.5)
    return _plane("circles", _polar(radius, angle), classes, noise, seed, ("outer", "inner"))


@dataset(
    "spirals",
    kind="generated",
    shape="n x 2, 2 classes",
    description="Two spirals wound around each other",
)
def make_spirals(n: int = 400, noise: float = 0.02, seed: int = 0) -> Dataset:
    """Make two spirals of one turn and three quarters, from the centre to radius 1.

    Parameters
    ----------
    n
        How many points.
    noise
        Standard deviation of the normal noise on both coordinates.
    seed
        0 <= seed < 2**64.
    """
    _check(n, noise)
    classes = np.arange(n) % 2
    # A root, because the arm is longer further out: so the points lie evenly along it.
    radius = np.sqrt(_uniforms("spirals", n, seed, 1)[:, 0])
    angle = 1.75 * 2 * math.pi * radius + math.pi * classes
    return _plane("spirals", _polar(radius, angle), classes, noise, seed, ("first", "second"))


@dataset(
    "sine",
    kind="generated",
    shape="n x 1, 1 output",
    description="One period of the sine, for regression",
)
def make_sine(n: int = 200, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Make y = sin x with x between -pi and pi: x float64 (n, 1), y float64 (n, 1).

    Parameters
    ----------
    n
        How many points.
    noise
        Standard deviation of the normal noise on y.
    seed
        0 <= seed < 2**64.
    """
    _check(n, noise)
    x = math.pi * (2 * _uniforms("sine", n, seed, 1) - 1)
    return Dataset(
        "sine",
        x,
        np.sin(x) + noise * _normals("sine", n, seed, 1),
        feature_names=("x",),
        description=DATASETS.get("sine").description,
        source=_source(n, noise, seed),
    )


def _plane(
    name: str,
    points: Floats,
    classes: NDArray[Any],
    noise: float,
    seed: int,
    class_names: tuple[str, ...],
) -> Dataset:
    n = len(points)
    return Dataset(
        name,
        points + noise * _normals(name, n, seed, 2) if noise else points,
        classes.astype(np.int64),
        feature_names=("x", "y"),
        class_names=class_names,
        description=DATASETS.get(name).description,
        source=_source(n, noise, seed),
    )


def _uniforms(name: str, n: int, seed: int, count: int) -> Floats:
    bits = random_bits(seed_words(seed), 0, f"{name} points", np.arange(n), 2 * count)
    return uniform(bits, np.float64)


def _normals(name: str, n: int, seed: int, count: int) -> Floats:
    words = count * normal_words(np.float64)
    return normal(random_bits(seed_words(seed), 0, f"{name} noise", np.arange(n), words))


def _polar(radius: Floats, angle: Floats) -> Floats:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _source(n: int, noise: float, seed: int) -> str:
    return f"made by chainrule with n={n}, noise={noise}, seed={seed}"


def _check(n: int, noise: float) -> None:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ConfigurationError(f"The number of points n is an integer from 1, not {n!r}")
    is_number = isinstance(noise, (int, float, np.integer, np.floating))
    if not is_number or not 0 <= noise < math.inf:
        raise ConfigurationError(
            f"The noise is a standard deviation, finite and from 0, not {noise!r}"
        )
