"""The data of the second exam: other tables, series and texts than the first exam's."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from tests.explanation.diagnosing.setups.material import mlp as mlp
from tests.explanation.diagnosing.setups.material import rng as rng
from tests.explanation.diagnosing.setups.material import standardised as standardised


def clouds(
    n: int, classes: int, inputs: int, spread: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Round clouds of points about centres drawn N(0, 2²): x float32 (n, inputs), y int64 (n,)."""
    draw = rng(seed)
    centres = 2 * draw.normal(size=(classes, inputs))
    y = draw.integers(0, classes, n)
    x = centres[y] + spread * draw.normal(size=(n, inputs))
    return x.astype(np.float32), y


def circles(n: int = 300, noise: float = 0.08, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A ring about a disc: x float32 (n, 2), y float32 (n, 1) of 0 and 1, in random order."""
    made = cr.data.load("circles", n=n, noise=noise, seed=seed)
    order = rng(seed).permutation(n)
    return made.x[order].astype(np.float32), made.y[order, None].astype(np.float32)


def patients(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Patients with heart failure, as a clinic writes them down; y (n, 1) whether they died.

    Age in years, ejection fraction in %, creatinine in mg/dl, platelets per µl, sodium in mmol/l.
    """
    draw = rng(seed)
    age = draw.uniform(40, 95, n)
    ejection = np.clip(draw.normal(38, 12, n), 14, 80)
    creatinine = np.exp(draw.normal(0.2, 0.4, n))
    platelets = np.clip(draw.normal(263_000, 98_000, n), 25_000, 850_000)
    sodium = draw.normal(136.6, 4.4, n)
    z = 0.06 * (age - 67) - 0.11 * (ejection - 38) + 2.5 * (creatinine - 1.3)
    y = z + draw.logistic(0, 0.3, n) > 0
    x = np.stack([age, ejection, creatinine, platelets, sodium], axis=1)
    return x.astype(np.float32), y[:, None].astype(np.float32)


def genes(n: int, count: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Standardised activities of genes, five of which say, not without doubt, who is ill."""
    draw = rng(seed)
    x = draw.normal(size=(n, count))
    y = x[:, :5].sum(axis=1) + draw.logistic(0, 0.6, n) > 0
    return x.astype(np.float32), y[:, None].astype(np.float32)


def lags(n: int = 400, count: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A series with its own values 1, 2, ... steps before as columns: the first of them are NaN."""
    draw = rng(seed)
    noise = 0.4 * draw.normal(size=n)
    series = np.zeros(n)
    for t in range(n):
        series[t] = 1.5 * series[t - 1] - 0.8 * series[t - 2] + noise[t]
    columns = [np.concatenate([np.full(k, np.nan), series[:-k]]) for k in range(1, count + 1)]
    return np.stack(columns, axis=1).astype(np.float32), series[:, None].astype(np.float32)


def topics(n: int = 600, words: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Texts of nine words, (n, 9) integers; y which of four topics most of the words belong to."""
    draw = rng(seed)
    y = draw.integers(0, 4, n)
    own = 4 * draw.integers(0, words // 4, (n, 9)) + y[:, None]
    other = draw.integers(0, words, (n, 9))
    return np.where(draw.uniform(size=(n, 9)) < 0.6, own, other), y


def events(n: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Eight sensors and three kinds of events that may come together: y (n, 3) of 0 and 1."""
    draw = rng(seed)
    x = draw.normal(size=(n, 8)).astype(np.float32)
    z = x @ draw.normal(size=(8, 3)) - 1.2
    return x, (z > 0).astype(np.float32)


def loads(n: int = 400, hours: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Weather of a day, (n, 10), and what each of its hours takes from a grid, (n, 24)."""
    draw = rng(seed)
    x = draw.normal(size=(n, 10))
    y = x @ draw.normal(size=(10, hours)) / 3 + 0.1 * draw.normal(size=(n, hours))
    return x.astype(np.float32), y.astype(np.float32)
