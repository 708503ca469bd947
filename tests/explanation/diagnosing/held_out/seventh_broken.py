"""Broken set-ups of the seventh exam: plain faults of tables, pictures and cost functions."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError, TargetError
from tests.explanation.diagnosing.held_out import material as m
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2
from tests.explanation.diagnosing.setups.material import mixed_digits

broken = partial(case.broken, exam="seventh")


@broken(
    "unscaled-inputs",
    odds,
    0.85,
    also=[
        "saturated-units",
        "vanishing-gradient",
        "gradient-zero",
        "class-collapse",
        "exploding-gradient",
        "learning-rate-too-large",
    ],
)
def pascals_beside_degrees(mended: bool = False) -> Setup:
    """Pressure in pascals, a hundred thousand, beside degrees and knots, under tanh: any rain?"""
    draw = m.rng(700)
    z = draw.normal(size=(900, 4))
    x = np.array([101_325, 14, 9, 70]) + z * np.array([900, 7, 4, 12])
    logit = -2 * z[:, :1] + z[:, 1:2] - 1.5 * z[:, 3:4] + z[:, 1:2] * z[:, 2:3]
    y = (logit + draw.logistic(0, 0.3, (900, 1)) > 0).astype(np.float32)
    x = m.standardised(x) if mended else x.astype(np.float32)
    return Setup(
        m.mlp(4, 24, 1, hidden=nn.Tanh),
        x[:600],
        y[:600],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        20,
        25,
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
    )


@broken("learning-rate-too-small", r2, 0.85)
def a_tenth_of_the_rate_after_each_epoch(mended: bool = False) -> Setup:
    """StepLR with step_size=1, taken from an example, where 20 was meant: it rests after two."""
    draw = m.rng(701)
    x = draw.normal(size=(500, 5)).astype(np.float32)
    y = x[:, :1] * x[:, 1:2] + np.sin(2 * x[:, 2:3]) + x[:, 3:4] + 0.1 * draw.normal(size=(500, 1))
    schedule = optim.StepLR(step_size=20 if mended else 1, gamma=0.1)
    return Setup(
        m.mlp(5, 48, 1),
        x,
        m.standardised(y),
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        25,
        more={"schedule": schedule},
    )


@broken(
    "dead-units",
    classes,
    0.85,
    also=[
        "gradient-zero",
        "vanishing-gradient",
        "class-collapse",
        "constant-features",
        "duplicate-features",
    ],
)
def rand_minus_one(mended: bool = False) -> Setup:
    """rand() - 1 where 2·rand() - 1 was meant: weights below 0, no pixel is, so all sums are."""
    (x, y), fresh = mixed_digits(seed=702)
    spread = 64**-0.5
    start = nn.init.uniform(-spread, spread if mended else 0.0)
    hidden = nn.Linear(64, 32, weight_init=start, bias_init=nn.init.zeros())
    net = nn.Sequential(hidden, nn.ReLU(), nn.Linear(32, 10))
    optimizer = optim.SGD(lr=0.1, momentum=0.9)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 8, 25, metrics=["accuracy"], fresh=fresh)


@broken("symmetric-initialization", r2, 0.9, also=["too-few-units"])
def a_tenth_for_each_weight(mended: bool = False) -> Setup:
    """Every weight of two layers starts at 0.1: twenty units of a regression are one unit."""
    draw = m.rng(703)
    x = draw.uniform(-2, 2, (500, 2)).astype(np.float32)
    y = np.sin(2 * x[:, :1]) + x[:, 1:2] ** 2 + 0.1 * draw.normal(size=(500, 1))
    start = {} if mended else {"weight_init": nn.init.constant(0.1), "bias_init": nn.init.zeros()}
    net = m.mlp(2, 20, 1, hidden=nn.Tanh, **start)
    return Setup(net, x, m.standardised(y), "MSELoss", optim.Adam(lr=0.02), 50, 25)


def _each_with_each(loss, targets):
    def agreement(output, target):
        return cr.where(cr.equal(output > 0, target.reshape(-1) > 0.5), 1.0, 0.0).mean(axis=1)

    return agreement


@broken("misreported-metric", odds, 0.9, looked_at=(AFTER,), learns=True)
def a_column_compared_with_a_row(mended: bool = False) -> Setup:
    """Accuracy compares outputs (B, 1) with labels (B,), so each row with each: about a half."""
    name = "accuracy_of_each_with_each"
    if name not in nn.METRICS:
        nn.METRICS.register(name, _each_with_each)
    draw = m.rng(704)
    x = draw.normal(size=(600, 6)).astype(np.float32)
    y = (x[:, :1] - 2 * x[:, 1:2] + x[:, 2:3] + 0.4 * draw.normal(size=(600, 1)) > 0).astype("f4")
    return Setup(
        m.mlp(6, 16, 1),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        15,
        30,
        metrics=["accuracy" if mended else name],
    )


@broken(
    "exploding-gradient",
    r2,
    0.85,
    also=["learning-rate-too-large", "loss-not-finite", "gradient-not-finite", "dead-units"],
    refused=NonFiniteError,
)
def four_layers_of_randn(mended: bool = False) -> Setup:
    """np.random.randn(n, m) as it is, in four rectified layers of 64, under plain descent."""
    draw = m.rng(705)
    x = draw.normal(size=(600, 8)).astype(np.float32)
    y = np.tanh(x[:, :1] + x[:, 1:2]) + 0.5 * x[:, 2:3] + 0.1 * draw.normal(size=(600, 1))
    net = nn.Sequential()
    sizes = (8, 64, 64, 64, 64, 1)
    for inputs, outputs in pairwise(sizes):
        spread = (2 / inputs) ** 0.5 if mended else 1.0
        net.append(nn.Linear(inputs, outputs, weight_init=nn.init.normal(0.0, spread)))
        net.append(nn.ReLU())
    net = nn.Sequential(*list(net)[:-1])
    return Setup(net, x, m.standardised(y), "MSELoss", optim.SGD(lr=0.01), 25, 25)


@broken("unreachable-targets", r2, 0.8, also=["saturated-units"], refused=TargetError)
def a_sigmoid_for_columns_that_were_standardised(mended: bool = False) -> Setup:
    """An autoencoder ends in a sigmoid, as for pixels, and the table has mean 0 and spread 1."""
    draw = m.rng(706)
    x = draw.normal(size=(700, 3)) @ draw.normal(size=(3, 10)) + 0.2 * draw.normal(size=(700, 10))
    x = m.standardised(x)
    net = m.mlp(10, 24, 4, 24, 10)
    if not mended:
        net.append(nn.Sigmoid())
    return Setup(net, x, x.copy(), "MSELoss", optim.Adam(lr=0.005), 30, 25)


@broken("shuffled-targets", r2, 0.8, also=["overfitting", "noisy-targets", "too-few-units"])
def a_file_that_begins_with_the_newest(mended: bool = False) -> Setup:
    """Weather is listed from the oldest day on and sales of ice from the newest: rows are apart."""
    draw = m.rng(710)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = 1.5 * x[:, :1] - x[:, 1:2] + 0.5 * np.abs(x[:, 2:3]) + 0.2 * draw.normal(size=(900, 1))
    y = m.standardised(y)
    fresh = (x[600:], y[600:])
    x, y = x[:600], y[:600]
    return Setup(
        m.mlp(5, 32, 1),
        x,
        y if mended else y[::-1].copy(),
        "MSELoss",
        optim.Adam(lr=0.01),
        25,
        25,
        fresh=fresh,
    )


@broken("too-few-units", r2, 0.85, looked_at=(AFTER,))
def a_straight_line_through_the_seasons(mended: bool = False) -> Setup:
    """A linear layer alone for the temperature by the day of the year, which rises and falls."""
    draw = m.rng(708)
    day = draw.uniform(-1, 1, (500, 1))
    y = np.cos(np.pi * day) + 0.4 * day + 0.2 * draw.normal(size=(500, 1))
    net = m.mlp(1, 24, 1, hidden=nn.Tanh) if mended else nn.Sequential(nn.Linear(1, 1))
    optimizer = optim.Adam(lr=0.02)
    return Setup(net, day.astype("f4"), m.standardised(y), "MSELoss", optimizer, 30, 25)


def log_of_cosh(outputs, y):
    d = outputs - y
    return cr.log((cr.exp(d) + cr.exp(-d)) / 2).mean(axis=1)


def log_of_cosh_kept_in_range(outputs, y):
    d = cr.abs(outputs - y)
    return (d + cr.log((1 + cr.exp(-2 * d)) / 2)).mean(axis=1)


@broken(
    "loss-not-finite",
    r2,
    0.85,
    looked_at=(BEFORE,),
    also=["gradient-not-finite", "unscaled-targets", "learning-rate-too-small"],
    refused=NonFiniteError,
)
def a_cosh_of_ninety_minutes(mended: bool = False) -> Setup:
    """log(cosh(y - ŷ)) as the formula has it: cosh of a journey of 90 minutes is beyond float32."""
    draw = m.rng(709)
    x = draw.normal(size=(600, 4)).astype(np.float32)
    y = 60 + 20 * x[:, :1] + 10 * x[:, 1:2] + 5 * np.abs(x[:, 2:3]) + 2 * draw.normal(size=(600, 1))
    cost = log_of_cosh_kept_in_range if mended else log_of_cosh
    return Setup(m.mlp(4, 32, 1), x, y.astype("f4"), cost, optim.Adam(lr=0.05), 30, 25)
