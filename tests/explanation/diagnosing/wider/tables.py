"""Healthy tables: columns that are rounded, cut off, rare, related or empty of news."""

from __future__ import annotations

from functools import partial

import numpy as np

from chainrule import nn, optim
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import balanced_odds, classes, odds, r2

healthy = partial(case.healthy, exam="wider")


@healthy(r2, 0.85)
def meters_that_are_read_in_tens() -> Setup:
    """Six readings rounded to tens, so that each column has few values: that is fine."""
    draw = m.rng(200)
    x = np.rint(draw.uniform(0, 100, (900, 6)) / 10) - 5
    y = np.abs(x[:, :1]) + 0.4 * x[:, 1:2] * (x[:, 2:3] > 0) + 0.4 * draw.normal(size=(900, 1))
    x, y = m.standardised(x), m.standardised(y)
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(6, 24, 1, hidden=nn.SiLU),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        validation=held_out,
        fresh=held_out,
    )


@healthy(r2, 0.9)
def gauges_that_end_at_a_stop() -> Setup:
    """Two gauges of which a third of the rows stand at one of the two ends: that is fine."""
    draw = m.rng(201)
    x = draw.normal(size=(800, 5))
    x[:, :2] = np.clip(x[:, :2], -0.9, 1.1)
    y = np.exp(0.6 * x[:, :1]) - x[:, 1:2] * x[:, 2:3] + 0.1 * draw.normal(size=(800, 1))
    x, y = m.standardised(x), m.standardised(y)
    held_out = (x[550:], y[550:])
    return Setup(
        m.mlp(5, 32, 1, hidden=nn.GELU),
        x[:550],
        y[:550],
        "MSELoss",
        optim.AdamW(lr=0.005),
        30,
        25,
        validation=held_out,
        fresh=held_out,
    )


@healthy(r2, 0.85)
def bicycles_by_weekday_and_hour() -> Setup:
    """All 7 and all 24 columns of two one-hot codes, which each sum to one: that is fine."""
    draw = m.rng(202)
    day, hour = draw.integers(0, 7, 3000), draw.integers(0, 24, 3000)
    warm = draw.normal(size=3000)
    rush = np.exp(-((hour - 8.0) ** 2) / 4) + np.exp(-((hour - 17.0) ** 2) / 6)
    y = 2 * rush * (day < 5) + np.sin(hour / 24 * np.pi) + 0.4 * warm
    y = m.standardised((y + 0.25 * draw.normal(size=3000))[:, None])
    x = np.concatenate([np.eye(7)[day], np.eye(24)[hour], warm[:, None]], axis=1).astype(np.float32)
    held_out = (x[2300:], y[2300:])
    return Setup(
        m.mlp(32, 16, 1),
        x[:2300],
        y[:2300],
        "MSELoss",
        optim.Adam(lr=0.005),
        8,
        validation=held_out,
        metrics=["r2"],
        fresh=held_out,
    )


@healthy(r2, 0.9)
def a_flag_that_is_seldom_up() -> Setup:
    """A column of 0 and 1 that is 1 in one row of thirty and then decides much: that is fine."""
    draw = m.rng(203)
    x = draw.normal(size=(1200, 4))
    x[:, 3] = draw.uniform(size=1200) < 0.033
    y = x[:, :1] - 0.5 * x[:, 1:2] + 4 * x[:, 3:] + 0.3 * draw.normal(size=(1200, 1))
    x, y = x.astype(np.float32), m.standardised(y)
    return Setup(
        m.mlp(4, 16, 1, hidden=nn.ELU),
        x[:800],
        y[:800],
        "HuberLoss",
        optim.NAdam(lr=0.01),
        20,
        20,
        fresh=(x[800:], y[800:]),
    )


@healthy(odds, 0.85)
def clicks_that_few_ever_made() -> Setup:
    """Logarithms of counts of clicks, nine of ten 0, under Adagrad, which is made for it: fine."""
    draw = m.rng(204)
    taste = 1.0 * draw.normal(size=60)
    x = np.log1p(draw.poisson(draw.gamma(0.1, 1.2, (3000, 60))))
    x = x[np.sort(np.unique(x, axis=0, return_index=True)[1])]
    z = x @ taste + 0.3 * draw.logistic(size=len(x))
    x = x.astype(np.float32)
    y = (z > np.median(z))[:, None].astype(np.float32)
    held_out = (x[2200:], y[2200:])
    return Setup(
        m.mlp(60, 1),
        x[:2200],
        y[:2200],
        "BCEWithLogitsLoss",
        optim.Adagrad(lr=0.5),
        12,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.9)
def the_hour_on_a_circle() -> Setup:
    """Hour and day of the year as sine and cosine, whose squares sum to 1: that is fine."""
    draw = m.rng(205)
    hour, day = 2 * np.pi * draw.uniform(size=(2, 900))
    x = np.stack([np.sin(hour), np.cos(hour), np.sin(day), np.cos(day)], axis=1)
    y = 8 * np.sin(day - 1.8) + 4 * np.sin(hour - 2) * (1.5 + np.sin(day)) + draw.normal(size=900)
    x, y = x.astype(np.float32), m.standardised(y[:, None])
    held_out = (x[650:], y[650:])
    return Setup(
        m.mlp(4, 24, 1, hidden=nn.Tanh),
        x[:650],
        y[:650],
        "MSELoss",
        optim.RMSprop(lr=0.005),
        40,
        validation=held_out,
        fresh=held_out,
    )


@healthy(r2, 0.85)
def powers_of_one_column() -> Setup:
    """x, x², x³ and x⁴, standardised, of which the odd and the even resemble each other: fine."""
    draw = m.rng(206)
    t = draw.uniform(-1, 1, (300, 1))
    x = m.standardised(t ** np.arange(1, 5))
    y = m.standardised(2 * t**3 - t + 0.5 * t**2 + 0.1 * draw.normal(size=(300, 1)))
    return Setup(
        nn.Sequential(nn.Linear(4, 1)),
        x[:200],
        y[:200],
        "MSELoss",
        optim.SGD(lr=0.02, momentum=0.9),
        60,
        20,
        fresh=(x[200:], y[200:]),
    )


@healthy(r2, 0.85)
def amounts_by_median_and_quartiles() -> Setup:
    """Scaled by median and quartiles, so that tails reach out to nearly nine: that is fine."""
    draw = m.rng(207)
    x = draw.standard_t(3.5, (1000, 4))
    quarters = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
    x = ((x - quarters[1]) / (quarters[2] - quarters[0])).astype(np.float32)
    y = m.standardised(np.tanh(x[:, :1]) + 0.5 * np.tanh(x[:, 1:2] - x[:, 2:3]))
    y = y + 0.2 * draw.normal(size=y.shape).astype(np.float32)
    held_out = (x[700:], y[700:])
    return Setup(
        m.mlp(4, 32, 1, hidden=nn.Tanh),
        x[:700],
        y[:700],
        "SmoothL1Loss",
        optim.Adam(lr=0.01),
        30,
        validation=held_out,
        fresh=held_out,
    )


@healthy(classes, 0.8)
def a_survey_of_yes_no_and_no_answer() -> Setup:
    """Answers as 1, -1 and 0 to eight questions, so that rows occur again: that is fine."""
    draw = m.rng(208)
    group = draw.integers(0, 3, 1500)
    lean = 0.9 * draw.choice([-1.0, 1.0], size=(3, 8))
    x = np.sign(np.rint(lean[group] + 0.9 * draw.normal(size=(1500, 8)))).astype(np.float32)
    # Nobody answers twice the same in both halves: what is held out is new in each row.
    _, first = np.unique(x, axis=0, return_index=True)
    alone = np.zeros(1500, bool)
    alone[first[::3]] = True
    codes = (x @ 3 ** np.arange(8)).astype(int)
    new = np.isin(codes, codes[alone])
    held_out = (x[new], group[new])
    return Setup(
        m.mlp(8, 16, 3),
        x[~new],
        group[~new],
        "CrossEntropyLoss",
        optim.AdamW(lr=0.005),
        10,
        20,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.85)
def columns_of_which_most_say_nothing() -> Setup:
    """Twenty columns of which three matter, and rows enough to learn which: that is fine."""
    draw = m.rng(209)
    x = draw.normal(size=(3000, 20))
    y = np.maximum(x[:, :1], 0) + 0.7 * x[:, 1:2] - 0.5 * np.abs(x[:, 2:3])
    x, y = x.astype(np.float32), m.standardised(y + 0.15 * draw.normal(size=y.shape))
    held_out = (x[2200:], y[2200:])
    return Setup(
        m.mlp(20, 16, 1, hidden=nn.LeakyReLU),
        x[:2200],
        y[:2200],
        "MSELoss",
        optim.Adam(lr=0.005),
        12,
        validation=held_out,
        metrics=["mae"],
        fresh=held_out,
    )


@healthy(r2, 0.85)
def a_penalty_that_picks_columns() -> Setup:
    """Sixty columns, four that matter, and an L1 penalty under which the others go to 0: fine."""
    draw = m.rng(210)
    x = draw.normal(size=(520, 60)).astype(np.float32)
    y = x[:, :4] @ np.float32([[1.0], [-0.8], [0.6], [0.5]])
    y = (y + 0.4 * draw.normal(size=y.shape)).astype(np.float32)
    held_out = (x[160:], y[160:])
    return Setup(
        nn.Sequential(nn.Linear(60, 1)),
        x[:160],
        y[:160],
        "MSELoss",
        optim.SGD(lr=0.02),
        40,
        16,
        validation=held_out,
        more={"penalty": nn.L1Penalty(0.1)},
        fresh=held_out,
    )


@healthy(classes, 0.85)
def which_of_thirty_shops() -> Setup:
    """Thirty classes with some seventy rows each, of which none is more than 5 %: that is fine."""
    draw = m.rng(211)
    place = 2.2 * draw.normal(size=(30, 6))
    y = draw.integers(0, 30, 3000)
    x = m.standardised(place[y] + draw.normal(size=(3000, 6)))
    held_out = (x[2200:], y[2200:])
    return Setup(
        m.mlp(6, 32, 30, hidden=nn.Mish),
        x[:2200],
        y[:2200],
        "CrossEntropyLoss",
        optim.Adam(lr=0.006),
        10,
        validation=held_out,
        metrics=["accuracy", "top_3_accuracy"],
        fresh=held_out,
    )


@healthy(balanced_odds, 0.9)
def a_little_of_the_inputs_dropped() -> Setup:
    """Dropout(0.1) before the first layer of a wide table in which columns say the same: fine."""
    draw = m.rng(212)
    ill = draw.uniform(size=(900, 1)) < 0.4
    hidden = draw.normal(size=(900, 3)) + 2.0 * ill * np.array([1.0, -1.0, 0.5])
    x = m.standardised(hidden @ draw.normal(size=(3, 30)) + 0.8 * draw.normal(size=(900, 30)))
    y = ill.astype(np.float32)
    held_out = (x[600:], y[600:])
    net = nn.Sequential(nn.Dropout(0.1), nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1))
    return Setup(
        net,
        x[:600],
        y[:600],
        "BCEWithLogitsLoss",
        optim.AdamW(lr=0.003, weight_decay=0.05),
        12,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )
