"""Healthy trainings that look worse than they are: costs askew, counts, a later year, choices."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import balanced_odds, r2
from tests.explanation.diagnosing.wider.values import rates

healthy = partial(case.healthy, exam="wider")


def shares(outputs: Any, y: Any) -> float:
    """How well a softmax of logits says the chances of classes: R² over all of them."""
    p = np.exp(np.asarray(outputs, np.float64))
    return r2(p / p.sum(axis=1, keepdims=True), y)


@healthy(rates, 0.85)
def passengers_by_the_hundred() -> Setup:
    """Counts of about 200 as they are, with a first bias of their logarithm: that is fine."""
    draw = m.rng(430)
    x = draw.normal(size=(1600, 5)).astype(np.float32)
    rate = np.exp(5.2 + 0.25 * x[:, :1] - 0.2 * np.tanh(2 * x[:, 1:2]))
    y = draw.poisson(rate).astype(np.float32)
    net = m.mlp(5, 16, 1, hidden=nn.Tanh)
    net[2].bias.replace(np.log(y[:1200].mean(axis=0)))
    return Setup(
        net,
        x[:1200],
        y[:1200],
        "PoissonNLLLoss",
        optim.Adam(lr=0.005),
        15,
        validation=(x[1200:], y[1200:]),
        fresh=(x[1200:], rate[1200:]),
    )


@healthy(balanced_odds, 0.68, also=["class-imbalance"])
def an_alarm_that_would_rather_be_wrong() -> Setup:
    """To miss one costs nine times as much, so that most alarms are false, as is meant: fine."""
    draw = m.rng(431)
    x = draw.normal(size=(4000, 5)).astype(np.float32)
    p = 1 / (1 + np.exp(2.8 - 1.0 * x[:, :1] + 0.8 * x[:, 1:2]))
    y = (draw.uniform(size=p.shape) < p).astype(np.float32)
    held_out = (x[3000:], y[3000:])
    return Setup(
        m.mlp(5, 1),
        x[:3000],
        y[:3000],
        nn.BCEWithLogitsLoss(pos_weight=9.0),
        optim.Adam(lr=0.01),
        8,
        validation=held_out,
        metrics=["recall", "auc"],
        fresh=held_out,
    )


@healthy(r2, 0.8)
def a_later_year_that_was_noisier() -> Setup:
    """The year held out has twice the noise, and its cost stays above training's: that is fine."""
    draw = m.rng(432)
    x = draw.normal(size=(2000, 5)).astype(np.float32)
    signal = np.maximum(x[:, :1], 0) - 0.7 * x[:, 1:2]
    noise = np.where(np.arange(2000) < 1500, 0.2, 0.45)[:, None]
    y = (signal + noise * draw.normal(size=signal.shape)).astype(np.float32)
    return Setup(
        m.mlp(5, 16, 1, hidden=nn.ELU),
        x[:1500],
        y[:1500],
        "MSELoss",
        optim.Adam(lr=0.01),
        15,
        validation=(x[1500:], y[1500:]),
        fresh=(x[1500:], signal[1500:].astype(np.float32)),
    )


@healthy(shares, 0.9, also=["class-imbalance"])
def most_of_them_take_the_train() -> Setup:
    """Chances of three choices, of which one is the likeliest for everybody: that is fine."""
    draw = m.rng(433)
    x = draw.normal(size=(4000, 4)).astype(np.float32)
    z = np.array([2.4, 0.0, 0.3]) + x @ np.array(
        [[0.0, 0.5, -0.4], [0.0, -0.3, 0.4], [0.2, 0.0, 0.0], [0.0, 0.0, 0.0]]
    )
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    y = (draw.uniform(size=(4000, 1)) > p.cumsum(axis=1)[:, :2]).sum(axis=1)
    return Setup(
        m.mlp(4, 3),
        x[:3000],
        y[:3000],
        "CrossEntropyLoss",
        optim.Adam(lr=0.005),
        8,
        validation=(x[3000:], y[3000:]),
        metrics=["log_loss"],
        fresh=(x[3000:], p[3000:]),
    )


@healthy(r2, 0.9)
def a_rate_that_goes_up_and_down() -> Setup:
    """A triangle of rates from 0.01 to 0.1, five times over, and the cost waves a bit: fine."""
    draw = m.rng(434)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = m.standardised(np.tanh(x[:, :1]) + 0.5 * x[:, 1:2] + 0.2 * draw.normal(size=(900, 1)))
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(5, 16, 1, hidden=nn.Tanh),
        x[:600],
        y[:600],
        "MSELoss",
        optim.SGD(lr=0.1),
        40,
        20,
        validation=held_out,
        more={"schedule": optim.CyclicLR(base_lr=0.01, max_lr=0.1, step_size_up=120)},
        fresh=held_out,
    )


@healthy(r2, 0.85)
def too_little_bread_costs_nine_times_more() -> Setup:
    """Squares that weigh nine times below as above, so that outputs are mostly too high: fine."""

    def askew(output, target):
        error = target - output
        return (cr.where(error > 0, 0.9, 0.1) * error.square()).sum(axis=1)

    draw = m.rng(435)
    x = draw.normal(size=(2600, 4)).astype(np.float32)
    centre = 0.7 * x[:, :1] - 0.5 * np.abs(x[:, 1:2])
    noise = 0.8 * draw.normal(size=centre.shape)
    # The e with 0.9·E max(noise - e, 0) = 0.1·E max(e - noise, 0), by bisection.
    low, high = 0.0, 3.0
    for _ in range(50):
        e = (low + high) / 2
        if 0.9 * np.maximum(noise - e, 0).mean() > 0.1 * np.maximum(e - noise, 0).mean():
            low = e
        else:
            high = e
    y = (centre + noise).astype(np.float32)
    return Setup(
        m.mlp(4, 16, 1, hidden=nn.SiLU),
        x[:2000],
        y[:2000],
        askew,
        optim.Adam(lr=0.005),
        12,
        validation=(x[2000:], y[2000:]),
        fresh=(x[2000:], (centre[2000:] + e).astype(np.float32)),
    )
