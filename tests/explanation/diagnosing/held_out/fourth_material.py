"""The data of the fourth exam: wines, mixtures of concrete, words of letters, charts, stripes."""

from __future__ import annotations

import numpy as np

from tests.explanation.diagnosing.setups.material import mixed_digits
from tests.explanation.diagnosing.setups.material import mlp as mlp
from tests.explanation.diagnosing.setups.material import rng as rng
from tests.explanation.diagnosing.setups.material import standardised as standardised

_MEANS = np.array(
    [
        [13.74, 2.01, 2.46, 17.0, 106, 2.84, 2.98, 0.29, 1.90, 5.53, 1.06, 3.16, 1116],
        [12.28, 1.93, 2.24, 20.2, 94.5, 2.26, 2.08, 0.36, 1.63, 3.09, 1.06, 2.79, 520],
        [13.15, 3.33, 2.44, 21.4, 99.3, 1.68, 0.78, 0.45, 1.15, 7.40, 0.68, 1.68, 630],
    ]
)
_SPREADS = np.array([0.5, 0.9, 0.25, 2.9, 13, 0.4, 0.5, 0.1, 0.5, 1.5, 0.14, 0.4, 165])


def wines(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Thirteen measurements of a wine, of which proline goes up to 1500; y which of three grapes.

    Drawn about the means that the well-known table of 178 wines has.
    """
    draw = rng(seed)
    y = draw.integers(0, 3, n)
    x = _MEANS[y] + _SPREADS * draw.normal(size=(n, 13))
    return x.astype(np.float32), y


def concrete(n: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Cement, slag, water, sand (kg/m³) and age in days; y the strength in MPa, (n, 1)."""
    draw = rng(seed)
    cement = draw.uniform(120, 520, n)
    slag = np.clip(draw.normal(60, 70, n), 0, 300)
    water = draw.uniform(130, 230, n)
    sand = draw.uniform(600, 950, n)
    age = draw.choice([3.0, 7.0, 14.0, 28.0, 56.0, 90.0], n)
    strength = 14 * (cement + 0.6 * slag) / water * np.log1p(age) / 3 - 0.01 * (sand - 750)
    x = np.stack([cement, slag, water, sand, age], axis=1)
    y = strength + draw.normal(0, 2.0, n)
    return x.astype(np.float32), y[:, None].astype(np.float32)


def letters(n: int = 500, length: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Words of made-up tongues: twenty letters, (n, length); y which of three, each of which
    has its own habits of what follows what."""
    tongues = rng(7).dirichlet(np.full(20, 0.12), (3, 20))
    draw = rng(seed)
    y = draw.integers(0, 3, n)
    x = np.empty((n, length), np.int64)
    x[:, 0] = draw.integers(0, 20, n)
    for t in range(1, length):
        chances = tongues[y, x[:, t - 1]].cumsum(axis=1)
        x[:, t] = np.minimum((draw.uniform(size=(n, 1)) > chances).sum(axis=1), 19)
    return x, y


def charts(n: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Twelve numbers about a patient and which of five diseases there are: several, or none."""
    draw = rng(seed)
    x = draw.normal(size=(n, 12))
    z = x @ rng(8).normal(size=(12, 5)) - 0.5
    return x.astype(np.float32), (z > 0).astype(np.float32)


def stripes(n: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, 10, 10) of waves from anywhere, in noise; y which of four ways they lie."""
    draw = rng(seed)
    y = draw.integers(0, 4, n)
    angle = (np.pi / 4 * y)[:, None, None]
    row, column = np.mgrid[:10, :10]
    phase = draw.uniform(0, 2 * np.pi, (n, 1, 1))
    waves = np.sin(1.6 * (np.cos(angle) * row + np.sin(angle) * column) + phase)
    return (waves + 0.5 * draw.normal(size=waves.shape)).astype(np.float32), y


def dark_digits(
    n: int, noise: float = 0.5, seed: int = 0
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Up to 1000 digits in heavy noise, 400 others and 397 more, of the same writers."""
    (x, y), (others, their) = mixed_digits(seed)
    draw = rng(seed)
    x = x + noise * draw.normal(size=x.shape)
    others = others + noise * draw.normal(size=others.shape)
    x, others = x.astype(np.float32), others.astype(np.float32)
    return (x[:n], y[:n]), (others[:400], their[:400]), (others[400:], their[400:])
