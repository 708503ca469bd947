"""Broken tables and targets: what goes wrong between the data as it was and as it is fed."""

from __future__ import annotations

from functools import partial

import numpy as np

from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup
from tests.explanation.diagnosing.setups.judges import balanced_odds, classes, odds, r2

broken = partial(case.broken, exam="wider")


@broken("unscaled-inputs", r2, 0.85, also=["learning-rate-too-small", "too-few-units"])
def lead_in_grams_per_gram(mended: bool = False) -> Setup:
    """Shares of a millionth as inputs, which are so small that no weight can make them count."""
    draw = m.rng(300)
    lead = draw.gamma(3.0, 1e-6, (600, 3))
    y = m.standardised(lead[:, :1] - 0.5 * lead[:, 1:2] + 1e-7 * draw.normal(size=(600, 1)))
    x = m.standardised(lead) if mended else lead.astype(np.float32)
    return Setup(
        m.mlp(3, 16, 1, hidden=nn.Tanh),
        x[:400],
        y[:400],
        "MSELoss",
        optim.Adam(lr=0.01),
        20,
        validation=(x[400:], y[400:]),
        fresh=(x[400:], y[400:]),
    )


@broken("unscaled-targets", r2, 0.8, also=["learning-rate-too-small"])
def turnover_in_cents(mended: bool = False) -> Setup:
    """Shops turn over tens of millions of cents, and the cost of Huber pulls by one at most."""
    draw = m.rng(301)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = 4e7 + 1.5e7 * np.tanh(x[:, :1] + 0.5 * x[:, 1:2]) + 2e6 * draw.normal(size=(900, 1))
    y = m.standardised(y) if mended else y.astype(np.float32)
    return Setup(
        m.mlp(5, 24, 1),
        x[:600],
        y[:600],
        "HuberLoss",
        optim.AdamW(lr=0.01),
        20,
        validation=(x[600:], y[600:]),
        fresh=(x[600:], y[600:]),
    )


@broken("shuffled-targets", r2, 0.8, also=["overfitting", "noisy-targets", "too-few-units"])
def joined_by_position_after_a_sort(mended: bool = False) -> Setup:
    """One table was sorted by customer before both were put side by side, the other was not."""
    draw = m.rng(302)
    x = draw.normal(size=(1000, 6)).astype(np.float32)
    y = m.standardised(x[:, :1] * x[:, 1:2] + x[:, 2:3] + 0.1 * draw.normal(size=(1000, 1)))
    fresh = (x[600:], y[600:])
    x, y = x[:600], y[:600]
    customer = draw.permutation(600)
    if not mended:
        x = x[customer]
    return Setup(
        m.mlp(6, 48, 1, hidden=nn.SiLU),
        x,
        y,
        "MSELoss",
        optim.Adam(lr=0.01),
        50,
        fresh=fresh,
    )


@broken("noisy-targets", classes, 0.95, also=["overfitting"])
def a_third_of_the_grades_from_memory(mended: bool = False) -> Setup:
    """Every third grade of fruit was written down from memory, which is to say guessed."""
    draw = m.rng(303)
    centres = 2.5 * draw.normal(size=(3, 5))
    y = draw.integers(0, 3, 1000)
    x = m.standardised(centres[y] + draw.normal(size=(1000, 5)))
    fresh = (x[500:], y[500:])
    x, y = x[:500], y[:500].copy()
    if not mended:
        y[::3] = draw.integers(0, 3, len(y[::3]))
    return Setup(
        m.mlp(5, 96, 96, 3),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.01),
        60,
        25,
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken("leaking-split", r2, 0.85, also=["duplicate-rows"], learns=True)
def events_that_were_sent_twice(mended: bool = False) -> Setup:
    """Each event was sent twice, and what came second is what validates."""
    draw = m.rng(304)
    x = draw.normal(size=(1000, 5)).astype(np.float32)
    y = m.standardised(np.tanh(x[:, :1] - x[:, 1:2]) + 0.3 * x[:, 2:3] ** 2)
    fresh = (x[700:], y[700:])
    if mended:
        validation = (x[450:700], y[450:700])
        x, y = x[:450], y[:450]
    else:
        rows = draw.permutation(np.repeat(np.arange(450), 2))
        validation = (x[rows[600:]], y[rows[600:]])
        x, y = x[rows[:600]], y[rows[:600]]
    return Setup(
        m.mlp(5, 24, 1, hidden=nn.SiLU),
        x,
        y,
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        validation=validation,
        fresh=fresh,
    )


@broken("constant-features", odds, 0.85, also=["too-few-units", "class-imbalance"])
def shares_that_were_read_as_whole_numbers(mended: bool = False) -> Setup:
    """astype(int) of a table of which four columns are shares below 1: they all become 0."""
    draw = m.rng(305)
    shares = draw.uniform(0, 1, (800, 4))
    numbers = draw.integers(0, 100, (800, 4))
    y = shares[:, 0] + shares[:, 1] * shares[:, 2] > 0.75
    x = np.concatenate([shares, numbers], axis=1)
    x = x if mended else x.astype(int).astype(np.float64)
    x[:, 4:] = x[:, 4:] / 30 - 1.65
    x, y = x.astype(np.float32), y[:, None].astype(np.float32)
    return Setup(
        m.mlp(8, 24, 1, hidden=nn.GELU),
        x[:600],
        y[:600],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.03),
        25,
        validation=(x[600:], y[600:]),
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
    )


@broken("duplicate-features", r2, 0.85, learns=True)
def net_and_gross_of_one_tax(mended: bool = False) -> Setup:
    """A price without and with 19 % of tax, both of them in the table."""
    draw = m.rng(306)
    net = np.exp(draw.normal(3, 0.6, 700))
    others = draw.normal(size=(700, 3))
    columns = [net, *others.T] if mended else [net, 1.19 * net, *others.T]
    x = m.standardised(np.stack(columns, axis=1))
    y = m.standardised((-np.log(net) + 0.4 * others[:, 0])[:, None])
    y = y + 0.2 * draw.normal(size=y.shape).astype(np.float32)
    return Setup(
        m.mlp(x.shape[1], 16, 1, hidden=nn.Softplus),
        x[:500],
        y[:500],
        "SmoothL1Loss",
        optim.RAdam(lr=0.02),
        30,
        validation=(x[500:], y[500:]),
        fresh=(x[500:], y[500:]),
    )


@broken("not-finite-data", r2, 0.8, looked_at=(BEFORE,), refused=NonFiniteError)
def claims_by_years_that_are_none(mended: bool = False) -> Setup:
    """Claims divided by years insured, which are 0 for whoever signed today: infinite, or 0/0."""
    draw = m.rng(307)
    years = np.rint(draw.uniform(0, 12, 600))
    claims = draw.poisson(0.4 * years) + (years == 0) * draw.integers(0, 2, 600)
    if mended:
        keep = years > 0
        years, claims = years[keep], claims[keep]
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = claims / years
    other = draw.normal(size=(len(years), 2))
    x = np.stack([rate, years / 6 - 1, *other.T], axis=1).astype(np.float32)
    y = np.where(np.isfinite(rate), np.sqrt(np.where(years > 0, rate, 0)), 1) + 0.3 * other[:, 0]
    return Setup(
        m.mlp(4, 16, 1),
        x,
        y[:, None].astype(np.float32),
        "MSELoss",
        optim.Adam(lr=0.03),
        20,
    )


@broken("overfitting", balanced_odds, 0.82, looked_at=(AFTER,))
def a_column_for_each_customer(mended: bool = False) -> Setup:
    """The customer's number as 300 one-hot columns: each row is known by its own weight."""
    draw = m.rng(308)
    n = 300
    traits = draw.normal(size=(2 * n, 4))
    z = 1.5 * traits[:, 0] - 1.2 * traits[:, 1] + 0.7 * draw.logistic(size=2 * n)
    y = (z > 0)[:, None].astype(np.float32)
    customer = np.concatenate([draw.permutation(n), draw.integers(0, n, n)])
    x = traits if mended else np.concatenate([traits, 3 * np.eye(n)[customer]], axis=1)
    x = x.astype(np.float32)
    return Setup(
        m.mlp(x.shape[1], 16, 1),
        x[:n],
        y[:n],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        20,
        validation=(x[n:], y[n:]),
        metrics=["accuracy"],
        fresh=(x[n:], y[n:]),
    )
