"""Healthy targets: cut off, mostly zero, rounded, in order, in doubt or seldom there."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from chainrule import nn, optim
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import odds, r2

healthy = partial(case.healthy, exam="wider")


def rates(outputs: Any, y: Any) -> float:
    """How well logarithms of rates say the rates: R² of the logarithms."""
    return r2(outputs, np.log(y))


def chances(outputs: Any, y: Any) -> float:
    """How well logits say the chances: R² of the probabilities."""
    return r2(1 / (1 + np.exp(-np.asarray(outputs, np.float64))), y)


def sides(outputs: Any, y: Any) -> float:
    """The share of labels, of several to a row, that logits say."""
    return float(((np.asarray(outputs) > 0) == (np.asarray(y) > 0.5)).mean())


def likeliest(outputs: Any, y: Any) -> float:
    """The share of rows whose largest output is that of the largest chance."""
    return float((np.asarray(outputs).argmax(axis=1) == np.asarray(y).argmax(axis=1)).mean())


def columns(outputs: Any, y: Any) -> float:
    """The worst of the R² of the columns."""
    return min(r2(np.asarray(outputs)[:, k], y[:, k]) for k in range(y.shape[1]))


@healthy(r2, 0.85)
def incomes_that_are_cut_at_the_top() -> Setup:
    """A census writes "100,000 or more" in a quarter of the rows, which are all 1: that is fine."""
    draw = m.rng(220)
    x = draw.normal(size=(1200, 6)).astype(np.float32)
    y = 0.6 + 0.4 * x[:, :1] + 0.3 * x[:, 1:2] * x[:, 2:3] + 0.08 * draw.normal(size=(1200, 1))
    y = np.minimum(y, 0.9).astype(np.float32)
    held_out = (x[800:], y[800:])
    return Setup(
        m.mlp(6, 32, 1),
        x[:800],
        y[:800],
        "MSELoss",
        optim.Adam(lr=0.01),
        25,
        validation=held_out,
        fresh=held_out,
    )


@healthy(rates, 0.8)
def claims_of_which_most_are_none() -> Setup:
    """Six policies of seven without a claim, and a Poisson rate learnt from the rest: fine."""
    draw = m.rng(221)
    x = draw.normal(size=(3500, 4)).astype(np.float32)
    rate = np.exp(-2.3 + 0.8 * x[:, :1] - 0.6 * x[:, 1:2]).astype(np.float32)
    y = draw.poisson(rate).astype(np.float32)
    return Setup(
        m.mlp(4, 1),
        x[:3000],
        y[:3000],
        "PoissonNLLLoss",
        optim.Adam(lr=0.01),
        15,
        validation=(x[3000:], y[3000:]),
        fresh=(x[3000:], rate[3000:]),
    )


@healthy(r2, 0.8)
def stars_by_halves() -> Setup:
    """Ratings from 1 to 5 in steps of a half, less three, under squared error: that is fine."""
    draw = m.rng(222)
    x = draw.normal(size=(1000, 5)).astype(np.float32)
    y = 3.4 + 0.8 * np.tanh(x[:, :1] + x[:, 1:2]) - 0.6 * np.abs(x[:, 2:3])
    y = np.clip(np.rint(2 * (y + 0.25 * draw.normal(size=y.shape))) / 2, 1, 5)
    y = (y - 3.0).astype(np.float32)
    held_out = (x[700:], y[700:])
    return Setup(
        m.mlp(5, 24, 1, hidden=nn.Mish),
        x[:700],
        y[:700],
        "MSELoss",
        optim.Adam(lr=0.01),
        20,
        validation=held_out,
        metrics=["mae"],
        fresh=held_out,
    )


@healthy(sides, 0.88)
def degrees_of_pain_as_steps() -> Setup:
    """Five ordered degrees as four labels "more than k", each implied by the next: that is fine."""
    draw = m.rng(223)
    x = draw.normal(size=(1200, 6)).astype(np.float32)
    z = x[:, :1] + 0.8 * x[:, 1:2] - 0.6 * x[:, 2:3] + 0.3 * draw.logistic(size=(1200, 1))
    y = (z > np.array([-1.2, -0.4, 0.4, 1.2])).astype(np.float32)
    held_out = (x[800:], y[800:])
    return Setup(
        m.mlp(6, 16, 4, hidden=nn.SiLU),
        x[:800],
        y[:800],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        10,
        validation=held_out,
        fresh=held_out,
    )


@healthy(r2, 0.6)
def a_small_signal_in_many_rows() -> Setup:
    """A tenth of the variance can be known, and three thousand rows let it be learnt: fine."""
    draw = m.rng(224)
    x = draw.normal(size=(4000, 5)).astype(np.float32)
    signal = np.float32(0.3) * (x[:, :1] - 0.7 * x[:, 1:2])
    y = (signal + draw.normal(size=signal.shape)).astype(np.float32)
    return Setup(
        m.mlp(5, 1),
        x[:3000],
        y[:3000],
        "MSELoss",
        optim.SGD(lr=0.01),
        8,
        50,
        validation=(x[3000:], y[3000:]),
        fresh=(x[3000:], signal[3000:]),
    )


@healthy(odds, 0.88)
def a_game_that_the_better_often_loses() -> Setup:
    """The better side wins in two games of three, and no table could say more: that is fine."""
    draw = m.rng(225)
    x = draw.normal(size=(3200, 6)).astype(np.float32)
    z = (0.6 * x[:, :1] + 0.5 * x[:, 1:2] - 0.4 * x[:, 2:3]).astype(np.float32)
    y = (z + draw.logistic(size=z.shape) > 0).astype(np.float32)
    return Setup(
        m.mlp(6, 1),
        x[:2400],
        y[:2400],
        "BCEWithLogitsLoss",
        optim.SGD(lr=0.1),
        8,
        validation=(x[2400:], y[2400:]),
        metrics=["accuracy", "auc"],
        fresh=(x[2400:], z[2400:]),
    )


@healthy(columns, 0.85)
def three_yields_of_three_sizes() -> Setup:
    """Three outputs of which one spreads five times as far as another: that is fine."""
    draw = m.rng(226)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = np.concatenate(
        [
            0.4 * x[:, :1] + 0.2 * np.abs(x[:, 1:2]),
            np.tanh(x[:, 1:2] - x[:, 2:3]),
            2 * x[:, 3:4] + x[:, 4:],
        ],
        axis=1,
    )
    y = (y + 0.05 * draw.normal(size=y.shape)).astype(np.float32)
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(5, 32, 3, hidden=nn.SiLU),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        validation=held_out,
        fresh=held_out,
    )


@healthy(r2, 0.85)
def returns_with_heavy_tails() -> Setup:
    """Noise of Student's t with 2 degrees, some rows ten and more off, under L1: that is fine."""
    draw = m.rng(227)
    x = draw.normal(size=(2500, 4)).astype(np.float32)
    centre = (np.tanh(x[:, :1]) + 0.6 * x[:, 1:2]).astype(np.float32)
    y = (centre + 0.5 * draw.standard_t(2, size=centre.shape)).astype(np.float32)
    return Setup(
        m.mlp(4, 12, 1, hidden=nn.Tanh),
        x[:2000],
        y[:2000],
        "L1Loss",
        optim.Adam(lr=0.01),
        12,
        validation=(x[2000:], y[2000:]),
        fresh=(x[2000:], centre[2000:]),
    )


@healthy(sides, 0.9)
def tags_that_most_articles_lack() -> Setup:
    """Eight tags, each on a fifth of the articles, and some articles with none: that is fine."""
    draw = m.rng(228)
    x = draw.normal(size=(1500, 10)).astype(np.float32)
    z = x @ draw.normal(size=(10, 8)) + 0.5 * draw.normal(size=(1500, 8))
    y = (z > np.quantile(z, 0.8, axis=0)).astype(np.float32)
    held_out = (x[1000:], y[1000:])
    return Setup(
        m.mlp(10, 24, 8),
        x[:1000],
        y[:1000],
        "MultiLabelSoftMarginLoss",
        optim.Adam(lr=0.01),
        15,
        validation=held_out,
        fresh=held_out,
    )


@healthy(likeliest, 0.85)
def votes_of_ten_for_four() -> Setup:
    """Shares of ten votes over four candidates as soft classes, with no cost of 0: that is fine."""
    draw = m.rng(229)
    x = draw.normal(size=(1300, 5)).astype(np.float32)
    z = 1.5 * x @ draw.normal(size=(5, 4))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    y = np.stack([draw.multinomial(10, row) / 10 for row in p]).astype(np.float32)
    return Setup(
        m.mlp(5, 16, 4, hidden=nn.Tanh),
        x[:900],
        y[:900],
        "CrossEntropyLoss",
        optim.Adam(lr=0.01),
        12,
        validation=(x[900:], y[900:]),
        fresh=(x[900:], p[900:]),
    )


@healthy(chances, 0.8, also=["class-imbalance"])
def defaults_that_are_never_likely() -> Setup:
    """Chances between 1 and 40 % are asked for, so that "no" is right in each row: that is fine."""
    draw = m.rng(230)
    x = draw.normal(size=(4500, 5)).astype(np.float32)
    p = 0.01 + 0.39 / (1 + np.exp(2.2 - 1.4 * x[:, :1] + 1.0 * x[:, 1:2]))
    y = (draw.uniform(size=p.shape) < p).astype(np.float32)
    return Setup(
        m.mlp(5, 1),
        x[:3000],
        y[:3000],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        8,
        validation=(x[3000:], y[3000:]),
        metrics=["log_loss", "auc"],
        fresh=(x[3000:], p[3000:]),
    )
