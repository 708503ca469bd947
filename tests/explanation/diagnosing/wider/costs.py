"""Healthy trainings under costs, rates and rules that are seldom seen, each used as it is meant."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2

healthy = partial(case.healthy, exam="wider")


class MeanAndVariance(nn.Module):
    """A shared layer, and two readings of it: a mean, and a variance above 0."""

    def __init__(self, inputs: int, hidden: int):
        self.shared = nn.Linear(inputs, hidden)
        self.mean = nn.Linear(hidden, 1)
        self.spread = nn.Linear(hidden, 1)

    def forward(self, x):
        h = cr.tanh(self.shared(x))
        return self.mean(h), cr.softplus(self.spread(h)) + 1e-3


def means(outputs: Any, y: Any) -> float:
    return r2(outputs[0], y)


@healthy(means, 0.9)
def noise_that_grows_with_the_price() -> Setup:
    """The noise grows with the mean; the network says both, under a Gaussian's likelihood: fine."""
    draw = m.rng(240)
    x = draw.uniform(-1.5, 1.5, (1500, 3)).astype(np.float32)
    mean = np.exp(0.6 * x[:, :1]) + 0.5 * x[:, 1:2] - 1
    y = mean + 0.25 * np.exp(0.6 * x[:, :1]) * draw.normal(size=mean.shape)
    return Setup(
        MeanAndVariance(3, 16),
        x[:1000],
        y[:1000].astype(np.float32),
        "GaussianNLLLoss",
        optim.Adam(lr=0.005),
        25,
        validation=(x[1000:], y[1000:].astype(np.float32)),
        fresh=(x[1000:], mean[1000:].astype(np.float32)),
    )


@healthy(r2, 0.85)
def nine_of_ten_deliveries_are_earlier() -> Setup:
    """A function as the loss that asks for the quantile 0.9: most outputs are too high: fine."""

    def pinball(output, target):
        late = target - output
        return cr.maximum(0.9 * late, -0.1 * late).sum(axis=1)

    draw = m.rng(241)
    x = draw.normal(size=(2500, 4)).astype(np.float32)
    level = 0.7 * x[:, :1] - 0.5 * np.abs(x[:, 1:2])
    y = level + 0.4 * draw.exponential(size=level.shape)
    tenth = level + 0.4 * np.log(10)
    return Setup(
        m.mlp(4, 16, 1),
        x[:2000],
        y[:2000].astype(np.float32),
        pinball,
        optim.Adam(lr=0.01),
        15,
        validation=(x[2000:], y[2000:].astype(np.float32)),
        fresh=(x[2000:], tenth[2000:].astype(np.float32)),
    )


@healthy(r2, 0.9)
def a_cost_of_log_cosh() -> Setup:
    """log cosh of the error, written from softplus so that it cannot overflow: that is fine."""

    def log_cosh(output, target):
        error = output - target
        return (error + cr.softplus(-2 * error) - np.log(2.0)).mean(axis=1)

    draw = m.rng(242)
    x = draw.uniform(-1, 1, (700, 4)).astype(np.float32)
    y = m.standardised(np.sin(3 * x[:, :1]) + x[:, 1:2] ** 2 + 0.1 * draw.normal(size=(700, 1)))
    return Setup(
        m.mlp(4, 32, 1, hidden=nn.Tanh),
        x[:500],
        y[:500],
        log_cosh,
        optim.Adamax(lr=0.02),
        30,
        20,
        fresh=(x[500:], y[500:]),
    )


@healthy(r2, 0.9)
def twenty_rows_and_a_line() -> Setup:
    """A line through twenty measurements, all in each step, in float64: that is fine."""
    draw = m.rng(243)
    x = draw.uniform(-2, 2, (60, 1))
    y = 0.9 * x - 0.2 + 0.2 * draw.normal(size=x.shape)
    return Setup(
        nn.Sequential(nn.Linear(1, 1)),
        x[:20],
        y[:20],
        "MSELoss",
        optim.SGD(lr=0.2),
        60,
        20,
        more={"dtype": "float64"},
        fresh=(x[20:], y[20:]),
    )


@healthy(r2, 0.9)
def a_rate_that_waits_for_a_plateau() -> Setup:
    """The rate falls by ten whenever validation stands still, and is tiny in the end: fine."""
    draw = m.rng(244)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = m.standardised(x[:, :1] + np.maximum(x[:, 1:2], 0) + 0.2 * draw.normal(size=(900, 1)))
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(5, 16, 1, hidden=nn.CELU),
        x[:600],
        y[:600],
        "MSELoss",
        optim.SGD(lr=0.1, momentum=0.5),
        40,
        validation=held_out,
        more={"schedule": optim.ReduceLROnPlateau(factor=0.1, patience=3)},
        fresh=held_out,
    )


@healthy(odds, 0.9)
def one_cycle_up_to_a_high_rate() -> Setup:
    """One cycle of the rate, up to 0.3 and down to nothing, with momentum: that is fine."""
    x, y = m.moons(900, noise=0.2, seed=245)
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(2, 32, 1),
        x[:600],
        y[:600],
        "BCEWithLogitsLoss",
        optim.SGD(lr=0.3, momentum=0.9),
        15,
        20,
        validation=held_out,
        metrics=["accuracy"],
        more={"schedule": optim.OneCycleLR(max_lr=0.3, total_steps=15 * 30)},
        fresh=held_out,
    )


@healthy(odds, 0.85)
def a_wide_margin_where_classes_meet() -> Setup:
    """Labels -1 and +1 that overlap under a squared hinge and weight decay, as an SVM: fine."""
    draw = m.rng(246)
    y = draw.choice([-1.0, 1.0], size=(1200, 1)).astype(np.float32)
    x = (draw.normal(size=(1200, 8)) + 0.45 * y * np.sign(draw.normal(size=8))).astype(np.float32)
    held_out = (x[800:], y[800:])
    return Setup(
        nn.Sequential(nn.Linear(8, 1)),
        x[:800],
        y[:800],
        "SquaredHingeLoss",
        optim.SGD(lr=0.02, weight_decay=0.01),
        15,
        validation=held_out,
        fresh=held_out,
    )


@healthy(r2, 0.85)
def rows_that_stand_for_many() -> Setup:
    """Rows are averages of 1 to 400 people and weigh as much, a few of them nothing: fine."""
    draw = m.rng(247)
    x = draw.normal(size=(1100, 4)).astype(np.float32)
    mean = (0.8 * x[:, :1] - 0.6 * np.tanh(x[:, 1:2])).astype(np.float32)
    people = np.rint(np.exp(draw.uniform(0, 6, 1100)))
    y = (mean + 1.5 * draw.normal(size=mean.shape) / np.sqrt(people)[:, None]).astype(np.float32)
    people[::50] = 0
    return Setup(
        m.mlp(4, 12, 1, hidden=nn.Softsign),
        x[:800],
        y[:800],
        "MSELoss",
        optim.Adam(lr=0.01),
        20,
        more={"sample_weight": (people[:800] / 100).astype(np.float32)},
        fresh=(x[800:], mean[800:]),
    )


@healthy(classes, 0.85)
def three_margins_to_a_class() -> Setup:
    """MultiMarginLoss over four qualities of wine, and updates of two batches: that is fine."""
    draw = m.rng(248)
    centres = 1.7 * draw.normal(size=(4, 7))
    y = draw.integers(0, 4, 1300)
    x = m.standardised(centres[y] + 1.3 * draw.normal(size=(1300, 7)))
    held_out = (x[900:], y[900:])
    return Setup(
        m.mlp(7, 24, 4, hidden=nn.PReLU),
        x[:900],
        y[:900],
        "MultiMarginLoss",
        optim.RAdam(lr=0.01),
        15,
        15,
        validation=held_out,
        metrics=["accuracy"],
        more={"accumulate": 2},
        fresh=held_out,
    )


@healthy(odds, 0.88)
def stopped_when_validation_had_enough() -> Setup:
    """A fifth of the rows is split off by a share, and training ends when they say so: fine."""
    draw = m.rng(249)
    x = draw.normal(size=(1500, 6)).astype(np.float32)
    z = x[:, :1] * x[:, 1:2] + x[:, 2:3] + 0.15 * draw.logistic(size=(1500, 1))
    y = (z > 0).astype(np.float32)
    return Setup(
        m.mlp(6, 32, 1, hidden=nn.Hardswish),
        x[:1000],
        y[:1000],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        60,
        validation=None,
        metrics=["accuracy"],
        more={"validation_split": 0.2, "callbacks": [cr.EarlyStopping(patience=5)]},
        fresh=(x[1000:], y[1000:]),
    )


@healthy(r2, 0.9)
def the_root_of_the_mean_square() -> Setup:
    """RMSELoss, whose gradient does not shrink near the goal, with a rate that does: fine."""
    draw = m.rng(250)
    x = draw.normal(size=(800, 6)).astype(np.float32)
    y = x @ draw.normal(size=(6, 2)) + 0.3 * draw.normal(size=(800, 2))
    y = m.standardised(y)
    held_out = (x[500:], y[500:])
    return Setup(
        nn.Sequential(nn.Linear(6, 2)),
        x[:500],
        y[:500],
        "RMSELoss",
        optim.Adam(lr=0.03),
        20,
        validation=held_out,
        more={"schedule": optim.ExponentialLR(gamma=0.85)},
        fresh=held_out,
    )
