"""Healthy set-ups of the seventh exam: five ordinary ones, and five near misses."""

from __future__ import annotations

from functools import partial

import numpy as np

from chainrule import nn, optim
from tests.explanation.diagnosing.held_out import material as m
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2
from tests.explanation.diagnosing.setups.material import (
    Averaged,
    Recurrent,
    mixed_digits,
    moons,
)

healthy = partial(case.healthy, exam="seventh")


@healthy(r2, 0.88)
def what_a_used_car_costs() -> Setup:
    """Age, kilometres, power and owners of cars, standardised, and the logarithm of the price."""
    draw = m.rng(720)
    age = draw.uniform(0, 18, 900)
    distance = 14_000 * age * np.exp(0.3 * draw.normal(size=900))
    power = np.exp(draw.normal(4.6, 0.35, 900))
    owners = 1 + draw.poisson(age / 6)
    price = 6 + 0.85 * np.log(power) - 0.11 * age - distance / 400_000 - 0.03 * owners
    price = price + 0.12 * draw.normal(size=900)
    x = m.standardised(np.stack([age, distance, power, owners], axis=1))
    y = m.standardised(price[:, None])
    held_out = (x[650:], y[650:])
    return Setup(
        m.mlp(4, 32, 16, 1),
        x[:650],
        y[:650],
        "MSELoss",
        optim.Adam(lr=0.003),
        25,
        32,
        validation=held_out,
        metrics=["mae"],
        fresh=held_out,
    )


@healthy(odds, 0.93, also=["constant-features", "duplicate-features"])
def odd_or_even_digits() -> Setup:
    """Whether a written digit is odd, one logit, Nesterov's momentum, other digits held out."""
    (x, y), (others, theirs) = mixed_digits(seed=721)
    held_out = (others, (theirs % 2)[:, None].astype(np.float32))
    return Setup(
        m.mlp(64, 48, 1),
        x,
        (y % 2)[:, None].astype(np.float32),
        "BCEWithLogitsLoss",
        optim.SGD(lr=0.05, momentum=0.9, nesterov=True),
        15,
        32,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


def _melodies(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Eight steps (n, 8, 1) that go up, go down, or go up and down again; which of the three."""
    draw = m.rng(seed)
    t = np.linspace(-1, 1, 8)
    y = draw.integers(0, 3, n)
    shapes = np.stack([t, -t, 1 - 2 * np.abs(t)])
    x = shapes[y] + 0.3 * draw.normal(size=(n, 1)) + 0.3 * draw.normal(size=(n, 8))
    return x[:, :, None].astype(np.float32), y


@healthy(classes, 0.93)
def melodies_that_rise_or_fall() -> Setup:
    """Eight notes through a recurrence of sixteen units, three shapes, Adam."""
    x, y = _melodies(600, 722)
    held_out = _melodies(300, 723)
    return Setup(
        Recurrent(1, 16, 3),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.01),
        12,
        32,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(odds, 0.88)
def subjects_of_letters() -> Setup:
    """Subjects of eight words, wanted or not, by the mean of learnt vectors and a hidden layer."""
    draw = m.rng(724)
    y = draw.integers(0, 2, (1500, 1))
    own = 2 * draw.integers(0, 40, (1500, 8)) + y
    x = np.where(draw.uniform(size=(1500, 8)) < 0.5, own, draw.integers(0, 80, (1500, 8)))
    y = y.astype(np.float32)
    held_out = (x[1000:], y[1000:])
    return Setup(
        nn.Sequential(nn.Embedding(80, 12), Averaged(), *m.mlp(12, 16, 1)),
        x[:1000],
        y[:1000],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.005),
        8,
        32,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.85)
def breaths_in_four_numbers() -> Setup:
    """An autoencoder of thirty samples of a breath: a swing of any height, phase and offset."""
    draw = m.rng(725)
    t = np.linspace(0, 1, 30)
    height, phase = draw.uniform(0.5, 1.5, (900, 1)), draw.uniform(0, 2 * np.pi, (900, 1))
    x = height * np.sin(2 * np.pi * t + phase) + 0.5 * draw.normal(size=(900, 1))
    x = (x + 0.1 * draw.normal(size=x.shape)).astype(np.float32)
    held_out = (x[700:], x[700:].copy())
    return Setup(
        m.mlp(30, 32, 4, 32, 30, hidden=nn.Tanh),
        x[:700],
        x[:700].copy(),
        "MSELoss",
        optim.Adam(lr=0.005),
        25,
        25,
        validation=held_out,
        fresh=held_out,
    )


@healthy(r2, 0.92)
def adam_at_a_tenth_for_a_line() -> Setup:
    """Adam(lr=0.1), large for a network, for a linear regression of six columns: that is fine."""
    draw = m.rng(726)
    x = draw.normal(size=(700, 6)).astype(np.float32)
    y = x @ draw.normal(size=(6, 1)) + 3 + 0.3 * draw.normal(size=(700, 1))
    y = y.astype(np.float32)
    held_out = (x[500:], y[500:])
    return Setup(
        nn.Sequential(nn.Linear(6, 1)),
        x[:500],
        y[:500],
        "MSELoss",
        optim.Adam(lr=0.1),
        15,
        50,
        validation=held_out,
        fresh=held_out,
    )


@healthy(classes, 0.9, also=["class-imbalance"])
def seven_in_ten_are_of_one_kind() -> Setup:
    """Three kinds of shells, 70, 20 and 10 in a hundred, each of them found: that is fine."""
    draw = m.rng(727)
    y = draw.choice(3, 900, p=[0.7, 0.2, 0.1])
    centres = 1.8 * draw.normal(size=(3, 5))
    x = (centres[y] + draw.normal(size=(900, 5))).astype(np.float32)
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(5, 24, 3),
        x[:600],
        y[:600],
        "CrossEntropyLoss",
        optim.Adam(lr=0.005),
        15,
        25,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(odds, 0.85)
def answers_from_one_to_seven() -> Setup:
    """Ten answers of a questionnaire as they are ticked, 1 to 7, not standardised: that is fine."""
    draw = m.rng(728)
    mood = draw.normal(size=(1000, 1))
    x = np.clip(np.rint(4 + mood * draw.uniform(0.5, 1.2, 10) + draw.normal(size=(1000, 10))), 1, 7)
    y = (x[:, :5].mean(axis=1) + 0.3 * draw.normal(size=1000) > 4)[:, None].astype(np.float32)
    x = x.astype(np.float32)
    held_out = (x[700:], y[700:])
    return Setup(
        m.mlp(10, 24, 1),
        x[:700],
        y[:700],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.005),
        20,
        25,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.85)
def pulses_from_a_bias_of_seventy() -> Setup:
    """Pulses around 70 as they are, and the last bias starts there, which leaves ±8: fine."""
    draw = m.rng(729)
    x = draw.normal(size=(800, 4)).astype(np.float32)
    y = 70 + 6 * x[:, :1] - 4 * x[:, 1:2] + 3 * np.sin(2 * x[:, 2:3]) + draw.normal(size=(800, 1))
    y = y.astype(np.float32)
    held_out = (x[600:], y[600:])
    net = nn.Sequential(
        nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1, bias_init=nn.init.constant(70.0))
    )
    return Setup(
        net,
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        25,
        validation=held_out,
        metrics=["mae"],
        fresh=held_out,
    )


@healthy(odds, 0.95)
def ten_thousand_weights_for_two_hundred_rows() -> Setup:
    """Two hidden layers of a hundred units for 200 points of two moons; others fit too: fine."""
    x, y = moons(200, noise=0.1, seed=730)
    held_out = moons(300, noise=0.1, seed=731)
    return Setup(
        m.mlp(2, 100, 100, 1),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.003),
        30,
        20,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )
