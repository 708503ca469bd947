"""Healthy set-ups of the sixth exam: five ordinary ones, and five near misses."""

from __future__ import annotations

from functools import partial

import numpy as np

from chainrule import nn, optim
from tests.explanation.diagnosing.held_out import material as m
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2
from tests.explanation.diagnosing.setups.material import LSTM, mixed_digits

healthy = partial(case.healthy, exam="sixth")


@healthy(odds, 0.83)
def who_leaves_a_telephone_company() -> Setup:
    """Seven standardised columns about customers, tanh and Adam, and a validation set."""
    draw = m.rng(620)
    x = draw.normal(size=(1200, 7)).astype(np.float32)
    z = 1.5 * x[:, :1] - 2 * x[:, 1:2] + x[:, 2:3] * x[:, 3:4] - 0.3
    y = (z + draw.logistic(0, 0.4, (1200, 1)) > 0).astype(np.float32)
    held_out = (x[900:], y[900:])
    return Setup(
        m.mlp(7, 24, 1, hidden=nn.Tanh),
        x[:900],
        y[:900],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.005),
        15,
        30,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(classes, 0.92, also=["constant-features", "duplicate-features"])
def digits_under_a_cosine() -> Setup:
    """Two hidden layers of SiLU, AdamW and a cosine down to zero, other digits held out."""
    (x, y), held_out = mixed_digits(seed=621)
    return Setup(
        m.mlp(64, 64, 32, 10, hidden=nn.SiLU),
        x,
        y,
        "CrossEntropyLoss",
        optim.AdamW(lr=0.01),
        12,
        32,
        validation=held_out,
        metrics=["accuracy"],
        more={"schedule": optim.CosineAnnealingLR(T_max=12)},
        fresh=held_out,
    )


def _waves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sixteen steps (n, 16, 1) of a sine, a square or a saw from anywhere, in noise; which."""
    draw = m.rng(seed)
    y = draw.integers(0, 3, n)
    turn = (np.arange(16) / 8 + draw.uniform(size=(n, 1))) % 1
    shapes = np.stack([1.4 * np.sin(2 * np.pi * turn), np.sign(turn - 0.5), 3.4 * (turn - 0.5)])
    x = shapes[y, np.arange(n)] + 0.1 * draw.normal(size=(n, 16))
    return x[:, :, None].astype(np.float32), y


@healthy(classes, 0.9)
def a_sine_a_square_or_a_saw() -> Setup:
    """Two periods of a wave through an LSTM of 16 units, three classes, Adam."""
    x, y = _waves(600, 622)
    held_out = _waves(300, 623)
    return Setup(
        LSTM(1, 16, 3),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.02),
        8,
        32,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.88)
def twelve_sensors_in_three_numbers() -> Setup:
    """An autoencoder of twelve standardised sensors behind which three causes are."""
    draw = m.rng(624)
    causes = draw.normal(size=(900, 3))
    x = np.tanh(causes @ draw.normal(size=(3, 12)) / 2) + 0.05 * draw.normal(size=(900, 12))
    x = m.standardised(x)
    held_out = (x[700:], x[700:].copy())
    return Setup(
        m.mlp(12, 24, 3, 24, 12, hidden=nn.ELU),
        x[:700],
        x[:700].copy(),
        "MSELoss",
        optim.Adam(lr=0.005),
        30,
        25,
        validation=held_out,
        fresh=held_out,
    )


@healthy(r2, 0.85)
def miles_to_a_gallon() -> Setup:
    """Cylinders, power, weight and year of cars, standardised, and their consumption, by SGD."""
    draw = m.rng(625)
    cylinders = draw.choice([4, 6, 8], 600, p=[0.5, 0.25, 0.25])
    weight = 1500 + 350 * (cylinders - 2) + draw.normal(0, 250, 600)
    power = 20 * cylinders * np.exp(0.15 * draw.normal(size=600))
    year = draw.integers(70, 83, 600)
    miles = 62_000 / (weight + 6 * power) + 0.7 * (year - 76) + 1.2 * draw.normal(size=600)
    x = m.standardised(np.stack([cylinders, weight, power, year], axis=1))
    y = m.standardised(miles[:, None])
    held_out = (x[450:], y[450:])
    return Setup(
        m.mlp(4, 32, 1),
        x[:450],
        y[:450],
        "MSELoss",
        optim.SGD(lr=0.02, momentum=0.9),
        25,
        25,
        validation=held_out,
        metrics=["mae"],
        fresh=held_out,
    )


@healthy(odds, 0.87)
def least_squares_of_two_signs() -> Setup:
    """Labels -1 and +1 under squared error of a linear output, which may go beyond them: fine."""
    draw = m.rng(626)
    y = np.where(draw.uniform(size=(900, 1)) < 0.5, 1.0, -1.0)
    x = (0.7 * y * np.array([1, -1, 1, 0, 0.5, 0]) + 0.8 * draw.normal(size=(900, 6))).astype("f4")
    y = y.astype(np.float32)
    return Setup(
        nn.Sequential(nn.Linear(6, 1)),
        x[:600],
        y[:600],
        "MSELoss",
        optim.SGD(lr=0.02),
        20,
        20,
        validation=(x[600:], y[600:]),
        fresh=(x[600:], y[600:]),
    )


def squares(outputs, y):
    return ((outputs - y) ** 2).sum(axis=1)


@healthy(r2, 0.9)
def a_sum_of_squares_at_a_rate_to_match() -> Setup:
    """A cost that is a sum over twelve months of a year, and a rate of 0.001 for SGD: fine."""
    draw = m.rng(627)
    x = draw.normal(size=(800, 5)).astype(np.float32)
    y = np.tanh(x @ draw.normal(size=(5, 12)) / 2) + 0.1 * draw.normal(size=(800, 12))
    y = m.standardised(y)
    return Setup(
        m.mlp(5, 48, 12, hidden=nn.Tanh),
        x[:600],
        y[:600],
        squares,
        optim.SGD(lr=0.001, momentum=0.9),
        50,
        25,
        validation=(x[600:], y[600:]),
        fresh=(x[600:], y[600:]),
    )


@healthy(classes, 0.88)
def a_last_batch_of_one() -> Setup:
    """641 rows in batches of 32 leave one row for the last, and no batch norm is there: fine."""
    x, y = m.clouds(1000, 5, 8, spread=1.6, seed=628)
    held_out = (x[641:], y[641:])
    return Setup(
        m.mlp(8, 32, 5),
        x[:641],
        y[:641],
        "CrossEntropyLoss",
        optim.Adam(lr=0.005),
        8,
        32,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.9)
def a_scaling_that_is_a_frozen_layer() -> Setup:
    """A first layer that is frozen holds columns' means and spreads, and standardises: fine."""
    draw = m.rng(629)
    means, spreads = np.array([20.0, 1013.0, 60.0, 4.0]), np.array([8.0, 9.0, 15.0, 2.0])
    z = draw.normal(size=(800, 4))
    x = (means + spreads * z).astype(np.float32)
    y = z[:, :1] - 0.6 * z[:, 1:2] + 0.5 * np.sin(2 * z[:, 2:3]) + 0.1 * draw.normal(size=(800, 1))
    y = m.standardised(y)
    scaling = nn.Linear(
        4,
        4,
        weight_init=lambda *_: np.diag(1 / spreads),
        bias_init=lambda *_: -means / spreads,
    )
    for parameter in scaling.parameters():
        parameter.requires_grad = False
    held_out = (x[600:], y[600:])
    return Setup(
        nn.Sequential(scaling, *m.mlp(4, 32, 1)),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.005),
        25,
        25,
        validation=held_out,
        fresh=held_out,
    )


@healthy(odds, 0.93)
def a_ring_by_two_layers_of_sigmoids() -> Setup:
    """Two hidden layers of sigmoids, whose gradients are small at first, under Adam: fine."""
    x, y = m.circles(500, noise=0.1, seed=630)
    held_out = m.circles(300, noise=0.1, seed=631)
    return Setup(
        m.mlp(2, 16, 16, 1, hidden=nn.Sigmoid),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.03),
        40,
        25,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )
