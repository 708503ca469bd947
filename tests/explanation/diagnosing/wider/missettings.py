"""Broken trainings of sound tables: a rate, a cost, a penalty or an output that does not suit."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, Setup
from tests.explanation.diagnosing.setups.judges import balanced_odds, odds, r2
from tests.explanation.diagnosing.wider.values import rates

broken = partial(case.broken, exam="wider")


@broken("learning-rate-too-small", r2, 0.85, also=["too-few-units"])
def the_rate_of_fine_tuning(mended: bool = False) -> Setup:
    """AdamW(lr=2e-5), as language models are fine-tuned, for a table and weights just drawn."""
    draw = m.rng(320)
    x = draw.normal(size=(900, 6)).astype(np.float32)
    y = m.standardised(x[:, :1] * x[:, 1:2] + x[:, 2:3] + 0.2 * draw.normal(size=(900, 1)))
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(6, 32, 1, hidden=nn.GELU),
        x[:600],
        y[:600],
        "MSELoss",
        optim.AdamW(lr=0.01 if mended else 2e-5),
        30,
        validation=held_out,
        fresh=held_out,
    )


@broken(
    "learning-rate-too-large",
    r2,
    0.85,
    also=["exploding-gradient", "dead-units", "saturated-units", "too-few-units"],
)
def rmsprop_at_one(mended: bool = False) -> Setup:
    """RMSprop(lr=1), whose steps are as long as the rate however small the gradient is."""
    draw = m.rng(321)
    x = draw.uniform(-1, 1, (900, 5)).astype(np.float32)
    y = m.standardised(np.sin(2 * x[:, :1]) - x[:, 1:2] ** 2 + 0.1 * draw.normal(size=(900, 1)))
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(5, 32, 1, hidden=nn.SiLU),
        x[:600],
        y[:600],
        "MSELoss",
        optim.RMSprop(lr=0.005 if mended else 1.0),
        25,
        validation=held_out,
        fresh=held_out,
    )


@broken("class-imbalance", balanced_odds, 0.8, also=["class-collapse"])
def one_machine_of_forty_returned(mended: bool = False) -> Setup:
    """One in forty comes back, and nothing says that to miss it costs more than to be wary."""
    draw = m.rng(322)
    x = draw.normal(size=(4000, 6)).astype(np.float32)
    z = 1.6 * x[:, :1] - 1.3 * x[:, 1:2] + x[:, 2:3] + 0.5 * draw.logistic(size=(4000, 1))
    y = (z > np.quantile(z, 0.975)).astype(np.float32)
    loss = nn.BCEWithLogitsLoss(pos_weight=39.0) if mended else "BCEWithLogitsLoss"
    held_out = (x[2500:], y[2500:])
    return Setup(
        m.mlp(6, 1),
        x[:2500],
        y[:2500],
        loss,
        optim.Adam(lr=0.05),
        10,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@broken("loss-output-mismatch", rates, 0.75, also=["unreachable-targets"])
def a_rate_where_its_logarithm_is_read(mended: bool = False) -> Setup:
    """A Softplus makes a rate, and the Poisson cost reads the rate's logarithm: none below 1."""
    draw = m.rng(323)
    x = draw.normal(size=(3000, 4)).astype(np.float32)
    rate = np.exp(-1.2 + 0.7 * x[:, :1] - 0.5 * x[:, 1:2]).astype(np.float32)
    y = draw.poisson(rate).astype(np.float32)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1), nn.Softplus())
    # What is judged are logarithms of rates, as the plain cost reads them.
    net = nn.Sequential(*list(net)[:-1]) if mended else net
    return Setup(
        net,
        x[:2200],
        y[:2200],
        "PoissonNLLLoss",
        optim.Adam(lr=0.01),
        10,
        validation=(x[2200:], y[2200:]),
        fresh=(x[2200:], rate[2200:]),
    )


class WithinABound(nn.Module):
    """bound·σ(z): what another network says, between 0 and a bound."""

    def __init__(self, body: nn.Module, bound: float):
        self.body = body
        self.bound = bound

    def forward(self, x):
        return self.bound * cr.sigmoid(self.body(x))


@broken("unreachable-targets", r2, 0.85, also=["saturated-units"])
def visits_between_zero_and_ten(mended: bool = False) -> Setup:
    """Ten times a sigmoid, made for marks from 0 to 10, and visits a month go up to twenty."""
    draw = m.rng(324)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = np.clip(8 + 4 * x[:, :1] - 3 * np.tanh(x[:, 1:2]) + draw.normal(size=(900, 1)), 0, 20)
    y = np.rint(y).astype(np.float32)
    held_out = (x[600:], y[600:])
    return Setup(
        WithinABound(m.mlp(5, 24, 1), 20.5 if mended else 10.0),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        validation=held_out,
        fresh=held_out,
    )


@broken("too-few-units", r2, 0.8, looked_at=(AFTER,))
def a_line_through_a_valley(mended: bool = False) -> Setup:
    """Heating and cooling cost most at the ends of the scale, and the model is linear."""
    draw = m.rng(325)
    x = draw.uniform(-1.7, 1.7, (900, 3)).astype(np.float32)
    y = x[:, :1] ** 2 + 0.3 * x[:, 1:2] + 0.2 * draw.normal(size=(900, 1))
    y = m.standardised(y)
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(3, 24, 1) if mended else m.mlp(3, 1),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        validation=held_out,
        fresh=held_out,
    )


@broken("penalty-too-strong", r2, 0.85, also=["too-few-units"])
def a_decay_that_suited_another_rate(mended: bool = False) -> Setup:
    """AdamW(weight_decay=50) at lr=0.01: each step takes half of every weight away."""
    draw = m.rng(326)
    x = draw.normal(size=(900, 6)).astype(np.float32)
    y = m.standardised(x @ draw.normal(size=(6, 1)) + 0.3 * draw.normal(size=(900, 1)))
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(6, 16, 1, hidden=nn.SiLU),
        x[:600],
        y[:600],
        "SmoothL1Loss",
        optim.AdamW(lr=0.01, weight_decay=0.5 if mended else 50.0),
        20,
        validation=held_out,
        fresh=held_out,
    )


@broken("loss-not-finite", r2, 0.8, refused=NonFiniteError, also=["gradient-not-finite"])
def a_logarithm_of_forecasts_below_minus_one(mended: bool = False) -> Setup:
    """Squared error of log1p, of outputs that nothing keeps above -1: NaN as soon as one is not."""

    def squared_logarithms(output, target):
        return (cr.log1p(output) - cr.log1p(target)).square().mean(axis=1)

    draw = m.rng(327)
    x = draw.normal(size=(600, 5)).astype(np.float32)
    y = np.log1p(np.exp(1.5 + 1.2 * x[:, :1] - 0.8 * x[:, 1:2]))
    y = (y * np.exp(0.1 * draw.normal(size=(600, 1)))).astype(np.float32)
    net = nn.Sequential(nn.Linear(5, 1))
    if mended:
        net.append(nn.Softplus())
    return Setup(net, x, y, squared_logarithms, optim.Adam(lr=0.05), 25)


@broken("dropout-too-strong", odds, 0.85, also=["too-few-units"])
def nine_tenths_of_a_table_dropped(mended: bool = False) -> Setup:
    """Dropout(0.9) on twelve columns of which three only decide together."""
    draw = m.rng(328)
    x = draw.normal(size=(2600, 12)).astype(np.float32)
    y = (x[:, :1] * x[:, 1:2] + 0.8 * x[:, 2:3] > 0).astype(np.float32)
    held_out = (x[2000:], y[2000:])
    body = m.mlp(12, 32, 1)
    net = body if mended else nn.Sequential(nn.Dropout(0.9), *body)
    return Setup(
        net,
        x[:2000],
        y[:2000],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        12,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )
