"""Healthy set-ups of the third exam, most of them near misses."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from chainrule import nn, optim
from tests.explanation.diagnosing.held_out import material as m
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import balanced_odds, classes, odds, r2

healthy = partial(case.healthy, exam="third")


def majority(outputs: Any, y: Any) -> float:
    """The share of rows in which logits are on the side on which most people were."""
    return float(((np.ravel(outputs) > 0) == (np.ravel(y) > 0.5)).mean())


@healthy(majority, 0.85)
def what_share_of_seven_said_yes() -> Setup:
    """Soft labels, shares of seven people, under BCE, whose least is not 0: that is fine."""
    draw = m.rng(60)
    x = draw.normal(size=(500, 6))
    p = 1 / (1 + np.exp(-2.5 * x[:, :1] + 2 * x[:, 1:2] * x[:, 2:3]))
    y = draw.binomial(7, p) / 7
    return Setup(
        m.mlp(6, 32, 1, hidden=nn.GELU),
        x.astype(np.float32),
        y.astype(np.float32),
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        25,
        25,
    )


@healthy(r2, 0.9)
def steering_that_goes_to_the_stop() -> Setup:
    """A wheel from -1 to 1, often at its stop, and tanh at the end, which gets near: fine."""
    draw = m.rng(61)
    x = draw.normal(size=(500, 4))
    y = np.clip(1.2 * x[:, :1] - 0.8 * x[:, 1:2] + 0.3 * x[:, 2:3], -1, 1)
    net = m.mlp(4, 24, 1, hidden=nn.ELU)
    net.append(nn.Tanh())
    optimizer = optim.Adam(lr=0.01)
    return Setup(net, x.astype("f4"), y.astype("f4"), "SmoothL1Loss", optimizer, 30, 25)


@healthy(classes, 0.9)
def weight_decay_of_one_half() -> Setup:
    """weight_decay=0.5 in AdamW, where the rate of 0.004 makes it mild: that is fine."""
    x, y = m.clouds(600, 5, 8, spread=1.2, seed=62)
    return Setup(
        m.mlp(8, 48, 5, hidden=nn.SiLU),
        x[:400],
        y[:400],
        "CrossEntropyLoss",
        optim.AdamW(lr=0.004, weight_decay=0.5),
        25,
        20,
        validation=(x[400:], y[400:]),
        metrics=["accuracy"],
        fresh=(x[400:], y[400:]),
    )


@healthy(odds, 0.93)
def pairs_of_examples_under_a_layer_norm() -> Setup:
    """Batches of two, where batch norm would fail and layer norm looks at rows: that is fine."""
    x, y = m.circles(240, seed=63)
    net = nn.Sequential(
        nn.Linear(2, 24),
        nn.LayerNorm(24),
        nn.SiLU(),
        nn.Linear(24, 12),
        nn.SiLU(),
        nn.Linear(12, 1),
    )
    optimizer = optim.SGD(lr=0.03, momentum=0.5)
    return Setup(net, x, y, "BCEWithLogitsLoss", optimizer, 25, 2, metrics=["accuracy"])


@healthy(r2, 0.9)
def thresholds_drawn_at_random() -> Setup:
    """200 rectifiers with biases drawn N(0, 2²): some are off on all rows, which is fine."""
    draw = m.rng(64)
    x = draw.uniform(-1, 1, (500, 3))
    y = np.sin(3 * x[:, :1]) + x[:, 1:2] * x[:, 2:3] + 0.05 * draw.normal(size=(500, 1))
    net = m.mlp(3, 200, 1)
    net[0].bias.replace(draw.normal(0, 2, 200).astype(np.float32))
    optimizer = optim.RMSprop(lr=0.002, centered=True)
    return Setup(net, x.astype("f4"), m.standardised(y), "MSELoss", optimizer, 40, 25)


@healthy(classes, 0.75)
def the_first_two_epochs() -> Setup:
    """Two epochs of a training that has just begun, and the loss still falls: that is fine."""
    x, y = m.clouds(900, 8, 10, seed=65)
    return Setup(
        m.mlp(10, 40, 8, hidden=nn.LeakyReLU),
        x[:700],
        y[:700],
        "CrossEntropyLoss",
        optim.SGD(lr=0.05),
        2,
        10,
        validation=(x[700:], y[700:]),
        metrics=["accuracy"],
        fresh=(x[700:], y[700:]),
    )


@healthy(balanced_odds, 0.9, also=["class-imbalance"])
def one_leak_in_thirty_pipes() -> Setup:
    """Three rows in a hundred, far from the others, which it finds without weights: fine."""
    draw = m.rng(66)
    y = draw.uniform(size=(1200, 1)) < 0.035
    x = draw.normal(size=(1200, 6)) + y * np.array([2.5, -2.5, 0, 2, 0, 0])
    return Setup(
        m.mlp(6, 16, 1, hidden=nn.Mish),
        x.astype(np.float32),
        y.astype(np.float32),
        "BCEWithLogitsLoss",
        optim.NAdam(lr=0.01),
        20,
        40,
        metrics=["balanced_accuracy"],
    )


@healthy(r2, 0.8)
def noise_taken_off_a_signal() -> Setup:
    """A denoising autoencoder, through four numbers: the target is the input without its noise."""
    draw = m.rng(67)
    t = np.linspace(0, 1, 20)
    size, phase = draw.uniform(0.5, 1.5, (500, 2)), draw.uniform(0, 2 * np.pi, (500, 2))
    waves = [size[:, [k]] * np.sin(2 * np.pi * (k + 1) * t[None] + phase[:, [k]]) for k in range(2)]
    clean = np.sum(waves, axis=0)
    x = clean + 0.2 * draw.normal(size=clean.shape)
    net = nn.Sequential(
        *m.mlp(20, 48, 4, hidden=nn.Tanh), nn.Linear(4, 48), nn.Tanh(), nn.Linear(48, 20)
    )
    optimizer = optim.Adam(lr=0.01)
    return Setup(net, x.astype(np.float32), clean.astype(np.float32), "MSELoss", optimizer, 40, 25)


@healthy(r2, 0.97)
def a_physicist_s_fit() -> Setup:
    """float64, all rows in each step, Rprop, 200 steps: a small fit to measurements: fine."""
    draw = m.rng(68)
    x = draw.uniform(-2, 2, (120, 1))
    y = x * np.exp(-(x**2)) + 0.01 * draw.normal(size=x.shape)
    return Setup(
        m.mlp(1, 12, 1, hidden=nn.Tanh),
        x,
        y,
        "MSELoss",
        optim.Rprop(lr=0.01),
        200,
        120,
        more={"dtype": "float64", "shuffle": False},
    )


@healthy(classes, 0.9)
def blocks_that_begin_as_nothing() -> Setup:
    """The last layer of each residual block is 0 at first, so that depth grows in: that is fine."""
    x, y = m.clouds(400, 6, 10, seed=69)
    blocks = [
        nn.Residual(
            nn.Sequential(
                nn.Linear(24, 24),
                nn.ReLU(),
                nn.Linear(24, 24, weight_init="zeros", bias_init="zeros"),
            )
        )
        for _ in range(4)
    ]
    net = nn.Sequential(nn.Linear(10, 24), *blocks, nn.Linear(24, 6))
    optimizer = optim.AdamW(lr=0.005)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 15, 25, metrics=["accuracy"])
