"""Healthy set-ups of the second exam, most of them near misses."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.held_out import material as m
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2

healthy = partial(case.healthy, exam="second")


@healthy(classes, 0.9)
def logarithms_before_cross_entropy() -> Setup:
    """LogSoftmax before CrossEntropyLoss: the logarithms of their softmax are themselves: fine."""
    x, y = m.clouds(500, 5, 6, seed=20)
    net = m.mlp(6, 24, 5, hidden=nn.Tanh)
    net.append(nn.LogSoftmax(dim=1))
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.1), 25, 20, metrics=["accuracy"])


@healthy(odds, 0.85)
def gaps_filled_and_flagged() -> Setup:
    """Gaps hold the mean and a flag of 0 and 1, rarely set, says which: that is fine."""
    draw = m.rng(21)
    x = draw.normal(size=(600, 6))
    y = x @ np.array([1.5, -1, 1, 0.5, 0, 0]) > 0
    gaps = draw.uniform(size=x.shape) < np.array([0.02, 0.03, 0.05, 0.1, 0.2, 0.4])
    x = np.concatenate([np.where(gaps, 0, x), gaps], axis=1)
    return Setup(
        m.mlp(12, 24, 1, hidden=nn.PReLU),
        x.astype(np.float32),
        y[:, None].astype(np.float32),
        "BCEWithLogitsLoss",
        optim.AdamW(lr=0.005, weight_decay=0.05),
        20,
        30,
        metrics=["accuracy"],
    )


def each_class(outputs, y):
    """The mean over the classes of the share of their rows that is said rightly."""
    said = np.asarray(outputs).argmax(axis=1)
    return float(np.mean([(said[y == c] == c).mean() for c in np.unique(y)]))


@healthy(each_class, 0.88, also=["class-imbalance"])
def rare_faults_that_weigh_more() -> Setup:
    """Four states of a machine, 85, 7, 5 and 3 in a hundred, and weights that make up for it."""
    draw = m.rng(22)
    centres = 2 * draw.normal(size=(4, 6))
    shares = np.array([0.85, 0.07, 0.05, 0.03])
    y = draw.choice(4, size=800, p=shares)
    x = (centres[y] + draw.normal(size=(800, 6))).astype(np.float32)
    return Setup(
        m.mlp(6, 24, 4),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.005),
        25,
        40,
        metrics=["balanced_accuracy"],
        more={"class_weight": (0.25 / shares).tolist()},
    )


@healthy(odds, 0.8)
def columns_that_the_first_layer_scales() -> Setup:
    """A clinic's table as it is, with batch norm in front, which standardises it: that is fine."""
    x, y = m.patients(500, seed=23)
    net = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.01), 25, 50, metrics=["accuracy"])


@healthy(odds, 0.95)
def adadelta_at_one() -> Setup:
    """A rate of 1, which is Adadelta's own and would be far too large for others: that is fine."""
    x, y = m.circles(seed=24)
    net = m.mlp(2, 20, 20, 1, hidden=nn.Softsign)
    return Setup(
        net, x, y, "BCEWithLogitsLoss", optim.Adadelta(lr=1.0), 60, 20, metrics=["accuracy"]
    )


@healthy(odds, 0.76)
def the_best_weights_were_taken_back() -> Setup:
    """Validation got worse for five epochs, and EarlyStopping took back the best: that is fine."""
    x, y = m.genes(900, count=60, seed=25)
    return Setup(
        m.mlp(60, 16, 1),
        x[:400],
        y[:400],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.005),
        80,
        25,
        validation=(x[400:600], y[400:600]),
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
        more={"callbacks": [cr.EarlyStopping(patience=5, restore_best_weights=True)]},
    )


@healthy(r2, 0.25)
def a_target_that_is_mostly_chance() -> Setup:
    """Two thirds of the spread is chance that no network can know; it learns the rest: fine."""
    draw = m.rng(26)
    x = draw.normal(size=(1200, 4)).astype(np.float32)
    y = x[:, :1] - 0.5 * x[:, 1:2] + 1.5 * draw.normal(size=(1200, 1))
    y = m.standardised(y)
    return Setup(
        m.mlp(4, 8, 1, hidden=nn.Tanh),
        x[:600],
        y[:600],
        "MSELoss",
        optim.SGD(lr=0.02, momentum=0.5),
        15,
        20,
        validation=(x[600:900], y[600:900]),
        fresh=(x[900:], y[900:]),
    )


@healthy(classes, 0.9)
def half_of_the_units_dropped() -> Setup:
    """Dropout(0.5) on 128 units, as Srivastava et al. 2014 have it, and that is fine."""
    x, y = m.clouds(900, 8, 16, spread=1.5, seed=27)
    net = nn.Sequential(nn.Linear(16, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 8))
    return Setup(
        net,
        x[:600],
        y[:600],
        "CrossEntropyLoss",
        optim.Adam(lr=0.003),
        20,
        30,
        validation=(x[600:], y[600:]),
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
    )


@healthy(r2, 0.9)
def rain_that_is_never_negative() -> Setup:
    """A rectifier at the end, for millimetres of which many are 0 and none less: that is fine."""
    draw = m.rng(28)
    x = draw.normal(size=(500, 5)).astype(np.float32)
    y = np.maximum(x @ np.float32([[1.5], [-1], [0.5], [0], [0.5]]) + 1, 0)
    net = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1, bias_init="ones"), nn.ReLU())
    return Setup(net, x, y.astype(np.float32), "MSELoss", optim.Adam(lr=0.01), 50, 25)


@healthy(r2, 0.9)
def a_rate_that_starts_again() -> Setup:
    """The rate falls to 0 and jumps up every ten epochs, and the loss with it: that is fine."""
    draw = m.rng(29)
    x = draw.uniform(-1, 1, (300, 2)).astype(np.float32)
    y = np.sin(3 * x[:, :1]) * np.cos(2 * x[:, 1:]) + 0.05 * draw.normal(size=(300, 1))
    return Setup(
        m.mlp(2, 32, 32, 1, hidden=nn.SiLU),
        x,
        y.astype(np.float32),
        "HuberLoss",
        optim.Adam(lr=0.02),
        40,
        25,
        more={"schedule": optim.CosineAnnealingWarmRestarts(T_0=10)},
    )


@healthy(classes, 1.0)
def margins_that_are_all_kept() -> Setup:
    """Clouds so far apart that no margin is missed: the loss ends at exactly 0, which is fine."""
    x, y = m.clouds(200, 3, 4, spread=0.3, seed=35)
    net = nn.Sequential(nn.Linear(4, 3))
    return Setup(net, x, y, "MultiMarginLoss", optim.SGD(lr=0.5), 40, 20, metrics=["accuracy"])


@healthy(odds, 0.8)
def hours_of_study() -> Setup:
    """Sixty students, one column, one weight: logistic regression by hand at a rate of 1: fine."""
    draw = m.rng(31)
    hours = draw.uniform(0, 6, (60, 1))
    passed = hours - 2.8 + draw.logistic(0, 0.5, (60, 1)) > 0
    return Setup(
        nn.Sequential(nn.Linear(1, 1, weight_init="zeros", bias_init="zeros")),
        m.standardised(hours),
        passed.astype(np.float32),
        "BCEWithLogitsLoss",
        optim.SGD(lr=1.0),
        100,
        60,
        metrics=["accuracy"],
    )


class Softened(nn.Module):
    """The logarithms of a softmax, which a divergence reads."""

    def __init__(self, body: nn.Module):
        self.body = body

    def forward(self, x):
        return cr.log_softmax(self.body(x), axis=1)


@healthy(classes, 0.9)
def a_student_of_a_teacher() -> Setup:
    """Targets are a teacher's probabilities, read by KLDivLoss from logarithms, as it must be."""
    x, y = m.clouds(500, 4, 6, seed=32)
    teacher = m.rng(33).dirichlet(np.ones(4), 500) * 0.3 + 0.7 * np.eye(4)[y]
    student = Softened(m.mlp(6, 16, 4, hidden=nn.Tanh))
    return Setup(student, x, teacher.astype(np.float32), "KLDivLoss", optim.Adam(lr=0.01), 25, 25)


@healthy(r2, 0.8)
def a_series_in_its_order() -> Setup:
    """Rows in order of time, not shuffled, the end of the series for validation: that is fine."""
    x, y = m.lags(600, seed=34)
    x, y = x[6:], y[6:]
    return Setup(
        m.mlp(6, 16, 1, hidden=nn.Tanh),
        x[:450],
        y[:450],
        "MSELoss",
        optim.NAdam(lr=0.005),
        25,
        25,
        validation=(x[450:], y[450:]),
        fresh=(x[450:], y[450:]),
        more={"shuffle": False},
    )
