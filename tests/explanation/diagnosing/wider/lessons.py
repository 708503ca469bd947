"""Healthy trainings of lessons and of daily work that look odd at first sight."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.held_out.material import clouds
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import balanced_odds, classes, halves, r2

healthy = partial(case.healthy, exam="wider")


@healthy(halves, 1.0)
def the_gate_and() -> Setup:
    """AND by one sigmoid unit: four rows, three of which say no, and 500 epochs: that is fine."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [0], [0], [1]], np.float32)
    net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
    return Setup(net, x, y, "BCELoss", optim.SGD(lr=0.5), 500, 4)


@healthy(r2, 0.99)
def fahrenheit_out_of_seven_celsius() -> Setup:
    """One weight, one bias, seven raw temperatures and Adam(0.1) for 800 epochs: that is fine."""
    x = np.array([-40, -10, 0, 8, 15, 22, 38], np.float32)[:, None]
    return Setup(
        nn.Sequential(nn.Linear(1, 1)), x, 1.8 * x + 32, "MSELoss", optim.Adam(lr=0.1), 800, 7
    )


class Saturating(nn.Module):
    """v·s / (k + s), with v and k as its two parameters   [Michaelis and Menten 1913]."""

    def __init__(self):
        self.v = nn.Parameter(np.array([1.0]))
        self.k = nn.Parameter(np.array([1.0]))

    def forward(self, s):
        return self.v * s / (self.k + s)


@healthy(r2, 0.97)
def two_constants_of_an_enzyme() -> Setup:
    """A law with two constants, fitted to 24 rows at a rate of 0.1, in float64: that is fine."""
    draw = m.rng(540)
    s = draw.uniform(0.2, 8, (24, 1))
    y = 3.2 * s / (1.7 + s) * (1 + 0.03 * draw.normal(size=s.shape))
    fresh = np.linspace(0.3, 8, 40)[:, None]
    return Setup(
        Saturating(),
        s,
        y,
        "MSELoss",
        optim.Adam(lr=0.1),
        300,
        24,
        more={"dtype": "float64"},
        fresh=(fresh, 3.2 * fresh / (1.7 + fresh)),
    )


@healthy(classes, 0.9)
def two_outputs_for_yes_and_no() -> Setup:
    """Two logits and labels one-hot as floats for a question of yes and no: that is fine."""
    x, y = m.moons(700, 0.15, seed=541)
    y = np.concatenate([1 - y, y], axis=1)
    held_out = (x[400:], y[400:])
    return Setup(
        m.mlp(2, 24, 2),
        x[:400],
        y[:400],
        "CrossEntropyLoss",
        optim.Adam(lr=0.01),
        30,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(balanced_odds, 0.78)
def a_weight_of_nine_for_one_in_ten() -> Setup:
    """pos_weight=9 where one row in ten says yes, so that most alarms are false: that is fine."""
    draw = m.rng(542)
    y = (draw.uniform(size=2400) < 0.1).astype(np.float32)
    x = draw.normal(size=(2400, 6))
    x[:, :3] += 1.1 * y[:, None]
    x, y = x.astype(np.float32), y[:, None]
    held_out = (x[1600:], y[1600:])
    return Setup(
        m.mlp(6, 8, 1),
        x[:1600],
        y[:1600],
        nn.BCEWithLogitsLoss(pos_weight=[9.0]),
        optim.Adam(lr=0.005),
        10,
        validation=held_out,
        fresh=held_out,
    )


@healthy(balanced_odds, 0.9, also=["class-imbalance"])
def a_last_bias_at_the_odds_of_the_rare() -> Setup:
    """The last bias starts at log(1/19), as one row in twenty says yes: that is fine."""
    draw = m.rng(543)
    y = (draw.uniform(size=2400) < 0.05).astype(np.float32)
    x = draw.normal(size=(2400, 5))
    x[:, :3] += 2.6 * y[:, None]
    x, y = x.astype(np.float32), y[:, None]
    net = nn.Sequential(
        nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 1, bias_init=nn.init.constant(-2.94))
    )
    held_out = (x[1400:], y[1400:])
    return Setup(
        net,
        x[:1400],
        y[:1400],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.005),
        20,
        validation=held_out,
        fresh=held_out,
    )


class OfAHundred(nn.Module):
    """100·σ(z)."""

    def __init__(self, body: nn.Module):
        self.body = body

    def forward(self, x):
        return 100 * cr.sigmoid(self.body(x))


@healthy(r2, 0.9)
def marks_of_a_hundred_under_a_sigmoid() -> Setup:
    """Marks from 3 to 97 and 100·σ(z) at the end, in the marks' own unit: that is fine."""
    draw = m.rng(544)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    z = x @ draw.normal(size=(5, 1)) * 0.8
    y = np.clip(100 / (1 + np.exp(-z)) + 4 * draw.normal(size=z.shape), 3, 97).astype(np.float32)
    held_out = (x[600:], y[600:])
    return Setup(
        OfAHundred(m.mlp(5, 16, 1)),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        25,
        validation=held_out,
        fresh=held_out,
    )


def rate(outputs: np.ndarray, y: np.ndarray) -> float:
    """R² of logarithms of rates."""
    return r2(outputs, np.log(y))


class WithExposure(nn.Module):
    """log of a rate, plus log of how long it was watched: the last column is not learnt from."""

    def __init__(self):
        self.body = m.mlp(4, 16, 1)

    def forward(self, x):
        return self.body(x[:, :4]) + x[:, 4:]


@healthy(rate, 0.85)
def claims_by_how_long_one_was_insured() -> Setup:
    """Poisson's cost with the logarithm of the years insured added to the output: that is fine."""
    draw = m.rng(545)
    x = draw.normal(size=(3000, 4))
    years = draw.uniform(0.1, 6, (3000, 1))
    mean = years * np.exp(0.2 + 0.6 * x[:, :1] - 0.5 * x[:, 1:2])
    y = draw.poisson(mean).astype(np.float32)
    x = np.concatenate([x, np.log(years)], axis=1).astype(np.float32)
    return Setup(
        WithExposure(),
        x[:2200],
        y[:2200],
        "PoissonNLLLoss",
        optim.Adam(lr=0.005),
        15,
        validation=(x[2200:2600], y[2200:2600]),
        fresh=(x[2600:], mean[2600:]),
    )


def order(outputs: np.ndarray, y: np.ndarray) -> float:
    """The share of pairs whose difference has the sign of the target."""
    return float((np.sign(np.ravel(outputs)) == np.ravel(y)).mean())


class Compared(nn.Module):
    """One network scores both halves of a row: the difference of the two."""

    def __init__(self):
        self.score = m.mlp(5, 16, 1)

    def forward(self, x):
        return self.score(x[:, :5]) - self.score(x[:, 5:])


@healthy(order, 0.88)
def which_of_two_is_preferred() -> Setup:
    """Pairs, -1 or +1, and log(1 + exp(-y·d)): a last bias that cancels out, which is fine."""

    def preference(output, target):
        return cr.softplus(-target * output).mean(axis=1)

    draw = m.rng(546)
    x = draw.normal(size=(1500, 10)).astype(np.float32)
    worth = x @ np.kron(np.eye(2), draw.normal(size=(5, 1)))
    y = np.sign(worth[:, :1] - worth[:, 1:] + 0.3 * draw.logistic(size=(1500, 1)))
    y = y.astype(np.float32)
    return Setup(
        Compared(),
        x[:1000],
        y[:1000],
        preference,
        optim.Adam(lr=0.01),
        15,
        validation=(x[1000:1200], y[1000:1200]),
        fresh=(x[1200:], y[1200:]),
    )


@healthy(r2, 0.6)
def grey_values_as_probabilities() -> Setup:
    """An autoencoder by BCELoss of grey values, whose cost cannot fall below 0.2: that is fine."""
    x, _ = m.ink(1100)
    fresh, _ = m.ink(600, 1100)
    net = nn.Sequential(m.mlp(61, 64, 16), nn.ReLU(), m.mlp(16, 64, 61), nn.Sigmoid())
    return Setup(
        net,
        x,
        x,
        "BCELoss",
        optim.Adam(lr=0.003),
        30,
        validation=(fresh[:300], fresh[:300]),
        fresh=(fresh[300:], fresh[300:]),
    )


@healthy(classes, 0.9)
def one_example_at_a_time_under_group_norm() -> Setup:
    """batch_size=1 and GroupNorm, which looks at no other example: that is fine."""
    x, y = clouds(700, 4, 6, spread=1.2, seed=547)
    net = nn.Sequential(
        nn.Linear(6, 32), nn.GroupNorm(4, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 4)
    )
    held_out = (x[400:], y[400:])
    return Setup(
        net,
        x[:400],
        y[:400],
        "CrossEntropyLoss",
        optim.SGD(lr=0.005, momentum=0.9),
        6,
        1,
        validation=held_out,
        fresh=held_out,
    )


class Factors(nn.Module):
    """w·x and the products of each two columns' vectors   [Rendle 2010, eq. 1]."""

    def __init__(self, inputs: int, width: int):
        self.line = nn.Linear(inputs, 1)
        self.vectors = nn.Linear(inputs, width, bias=False)

    def forward(self, x):
        sums, squares = self.vectors(x), x.square() @ self.vectors.weight.T.square()
        return self.line(x) + (sums.square() - squares).sum(axis=1, keepdims=True) / 2


@healthy(r2, 0.75)
def products_of_columns_that_are_seldom_set() -> Setup:
    """Who, what and where as one-hot columns, three ones among 46, and their products: fine."""
    draw = m.rng(548)
    cells = draw.permutation(np.stack(np.indices((20, 20, 6)), axis=-1).reshape(-1, 3))
    x = np.concatenate([np.eye(k)[c] for k, c in zip((20, 20, 6), cells.T, strict=True)], axis=1)
    tastes = draw.normal(size=(46, 2))
    sums = x @ tastes
    y = (sums**2 - x @ tastes**2).sum(axis=1, keepdims=True) / 2 + x @ draw.normal(size=(46, 1))
    y = (y + 0.3 * draw.normal(size=y.shape)).astype(np.float32)
    x = x.astype(np.float32)
    return Setup(
        Factors(46, 4),
        x[:1700],
        y[:1700],
        "MSELoss",
        optim.Adam(lr=0.01),
        25,
        validation=(x[1700:2000], y[1700:2000]),
        fresh=(x[2000:], y[2000:]),
    )
