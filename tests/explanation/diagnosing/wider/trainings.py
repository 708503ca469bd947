"""Losses of one's own, schedules, regularised and converged trainings, odd layers."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.held_out.material import circles, clouds
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2

healthy = partial(case.healthy, exam="wider")


def nearer(outputs: np.ndarray, y: np.ndarray) -> float:
    """The share of triplets whose first is nearer to the second than to the third."""
    a, p, n = np.split(np.asarray(outputs), 3, axis=1)
    return float((((a - p) ** 2).sum(axis=1) < ((a - n) ** 2).sum(axis=1)).mean())


def triplets(n: int, seed: int, flowers: slice) -> tuple[np.ndarray, np.ndarray]:
    """Two flowers of a kind and one of another, (n, 12); targets that nobody reads, zeros."""
    x, y = m.iris(seed=130)
    x, y = x[flowers], y[flowers]
    draw = m.rng(seed)
    anchor, same, other = draw.integers(0, len(x), (3, 8 * n))
    fit = (y[anchor] == y[same]) & (y[anchor] != y[other]) & (anchor != same)
    rows = [which[fit][:n] for which in (anchor, same, other)]
    return np.concatenate([x[which] for which in rows], axis=1), np.zeros((n, 1), np.float32)


@healthy(nearer, 0.96)
def triplets_of_flowers() -> Setup:
    """A triplet loss, whose targets are all 0 and not read, and which ends near 0: that is fine."""

    class Thrice(nn.Module):
        def __init__(self):
            self.code = m.mlp(4, 16, 3)

        def forward(self, x):
            parts = [self.code(x[:, 4 * k : 4 * k + 4]) for k in range(3)]
            return cr.concatenate(parts, axis=1)

    def triplet(output, target):
        a, p, n = output[:, :3], output[:, 3:6], output[:, 6:]
        near, far = (a - p).square().sum(axis=1), (a - n).square().sum(axis=1)
        return cr.relu(near - far + 1)

    x, y = triplets(400, seed=131, flowers=slice(0, 100))
    fresh = triplets(400, seed=132, flowers=slice(100, 150))
    return Setup(Thrice(), x, y, triplet, optim.Adam(lr=0.01), 15, 25, fresh=fresh)


@healthy(r2, 0.99)
def a_pendulum_known_by_its_equation() -> Setup:
    """Physics-informed: u'' + u = 0 by differences, targets that are all 0, and that is fine."""

    class Swing(nn.Module):
        def __init__(self):
            self.body = m.mlp(1, 24, 24, 1, hidden=nn.Tanh)

        def at(self, t):
            return t + t * t * self.body(t)  # u(0) = 0 and u'(0) = 1, whatever the weights

        def forward(self, t):
            return self.at(t)

    net = Swing()
    step = 0.02

    class Residue(nn.Module):
        def __init__(self):
            self.u = net

        def forward(self, t):
            before, now, after = self.u(t - step), self.u(t), self.u(t + step)
            return cr.concatenate([now, (before - 2 * now + after) / step**2 + now], axis=1)

    def residue(output, target):
        return output[:, 1].square()

    t = np.linspace(0, 3, 150)[:, None]
    exact = np.concatenate([np.sin(t), 0 * t], axis=1)
    return Setup(
        Residue(),
        t,
        np.zeros((150, 1)),
        residue,
        optim.Adam(lr=0.01),
        150,
        30,
        more={"dtype": "float64", "schedule": optim.CosineAnnealingLR(T_max=150)},
        fresh=(t, exact),
    )


def means(outputs: np.ndarray, y: np.ndarray) -> float:
    """R² of the first of two outputs."""
    return r2(np.asarray(outputs)[:, :1], y)


@healthy(means, 0.8)
def a_spread_that_is_said_too() -> Setup:
    """A mean and the logarithm of a variance, by likelihood: a loss below zero, which is fine."""

    def surprise(output, target):
        mean, log_variance = output[:, :1], output[:, 1:]
        cost = log_variance + (target - mean).square() * cr.exp(-log_variance)
        return cost.mean(axis=1) / 2

    draw = m.rng(133)
    x = draw.uniform(-1, 1, (1200, 3))
    y = np.sin(2 * x[:, :1]) + x[:, 1:2] ** 2
    y = (y + np.exp(-2.5 + 1.3 * x[:, 2:]) * draw.normal(size=(1200, 1))).astype(np.float32)
    x = x.astype(np.float32)
    held_out = (x[800:], y[800:])
    return Setup(
        m.mlp(3, 32, 2, hidden=nn.SiLU),
        x[:800],
        y[:800],
        surprise,
        optim.Adam(lr=0.01),
        30,
        25,
        validation=held_out,
        fresh=held_out,
        more={"schedule": optim.CosineAnnealingLR(T_max=30)},
    )


@healthy(classes, 0.92, also=["constant-features"])
def one_cycle_that_begins_and_ends_at_little() -> Setup:
    """OneCycleLR: a 25th of the rate at first and nearly 0 at last, and that is fine."""
    (x, y), held_out = m.mixed_digits(134)
    schedule = optim.OneCycleLR(max_lr=0.1, epochs=12, steps_per_epoch=32)
    return Setup(
        m.mlp(64, 48, 10, hidden=nn.LeakyReLU),
        x,
        y,
        "CrossEntropyLoss",
        optim.SGD(lr=0.004, momentum=0.9, weight_decay=0.002, nesterov=True),
        12,
        validation=held_out,
        metrics=["accuracy"],
        more={"schedule": schedule},
        fresh=held_out,
    )


@healthy(r2, 0.9)
def a_rate_halved_at_each_plateau() -> Setup:
    """ReduceLROnPlateau takes the rate down when validation rests at the noise: that is fine."""
    draw = m.rng(135)
    x = draw.normal(size=(900, 6))
    y = x[:, :1] + 0.8 * np.tanh(x[:, 1:2] - x[:, 2:3]) + 0.25 * draw.normal(size=(900, 1))
    x, y = x.astype(np.float32), y.astype(np.float32)
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(6, 16, 1, hidden=nn.Softplus),
        x[:600],
        y[:600],
        "MSELoss",
        optim.RMSprop(lr=0.002),
        40,
        30,
        validation=held_out,
        more={"schedule": optim.ReduceLROnPlateau(factor=0.5, patience=2)},
        fresh=held_out,
    )


@healthy(r2, 0.995)
def at_rest_for_two_hundred_epochs() -> Setup:
    """A linear fit, whose gradient is 0 to rounding for most of the training: that is fine."""
    draw = m.rng(136)
    x = draw.normal(size=(200, 3))
    y = x @ np.array([[1.0], [-2.0], [0.5]]) + 0.7 + 0.05 * draw.normal(size=(200, 1))
    return Setup(
        nn.Sequential(nn.Linear(3, 1)),
        x,
        y,
        "MSELoss",
        optim.SGD(lr=0.3),
        250,
        200,
        more={"dtype": "float64"},
    )


@healthy(classes, 0.93)
def two_units_for_three_kinds_of_flowers() -> Setup:
    """A hidden layer of two units, which is all that iris needs, and that is fine."""
    x, y = m.iris(seed=137)
    return Setup(
        m.mlp(4, 2, 3, hidden=nn.Tanh),
        x[:110],
        y[:110],
        "CrossEntropyLoss",
        optim.Adam(lr=0.03),
        40,
        10,
        validation=(x[110:], y[110:]),
        metrics=["accuracy"],
        fresh=(x[110:], y[110:]),
    )


@healthy(odds, 0.95)
def three_rows_left_over_each_time() -> Setup:
    """drop_last leaves three rows of 203 out, others in each epoch, and that is fine."""
    x, y = circles(203, seed=138)
    fresh = circles(300, seed=139)
    return Setup(
        m.mlp(2, 32, 1, hidden=nn.CELU),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.02),
        30,
        20,
        metrics=["accuracy"],
        more={"drop_last": True},
        fresh=fresh,
    )


class Bumps(nn.Module):
    """A Kolmogorov–Arnold layer: a sum of learnt functions of each input   [Liu et al. 2024]."""

    def __init__(self, inputs: int, outputs: int, count: int = 8):
        self.places = np.linspace(-2, 2, count).astype(np.float32)
        self.shapes = nn.Linear(inputs * count, outputs, weight_init=nn.init.normal(0.0, 0.1))
        self.straight = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x):
        bumps = cr.exp(-((x[:, :, None] - self.places).square()) * 3)
        return self.shapes(bumps.reshape((x.shape[0], -1))) + self.straight(cr.silu(x))


@healthy(r2, 0.95)
def learnt_functions_on_the_edges() -> Setup:
    """A Kolmogorov–Arnold network of two layers for exp(sin πa + b²)."""
    draw = m.rng(140)
    x = draw.uniform(-1, 1, (900, 2)).astype(np.float32)
    y = m.standardised(np.exp(np.sin(np.pi * x[:, :1]) + x[:, 1:] ** 2))
    held_out = (x[600:], y[600:])
    return Setup(
        nn.Sequential(Bumps(2, 4), Bumps(4, 1)),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        30,
        validation=held_out,
        fresh=held_out,
    )


class Experts(nn.Module):
    """Linear experts, mixed by a gate's softmax   [Jacobs et al. 1991]."""

    def __init__(self, inputs: int, count: int, hard: bool = False):
        self.gate = nn.Linear(inputs, count)
        self.experts = nn.Linear(inputs, count)
        self.hard = hard

    def forward(self, x):
        share = self.gate(x).softmax(axis=1)
        if self.hard:
            share = cr.where(share == share.max(axis=1, keepdims=True), 1.0, 0.0)
        return (share * self.experts(x)).sum(axis=1, keepdims=True)


def bent(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """x (n, 3); y = |x₀ + x₁| + x₂, standardised."""
    x = m.rng(seed).normal(size=(n, 3)).astype(np.float32)
    return x, m.standardised(np.abs(x[:, :1] + x[:, 1:2]) + x[:, 2:])


@healthy(r2, 0.93)
def experts_and_a_gate() -> Setup:
    """Four linear experts under a soft gate, of which some are little used, and that is fine."""
    x, y = bent(900, seed=141)
    held_out = (x[600:], y[600:])
    return Setup(
        Experts(3, 4),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.03),
        30,
        30,
        validation=held_out,
        fresh=held_out,
    )


@healthy(classes, 0.9)
def waves_drawn_once_and_kept() -> Setup:
    """Random Fourier features, which are no parameters, under a linear head: that is fine."""

    class Waves(nn.Module):
        def __init__(self):
            draw = m.rng(142)
            self.slopes = nn.Buffer(draw.normal(0, 2, (2, 150)).astype(np.float32))
            self.phases = nn.Buffer(draw.uniform(0, 6.28, 150).astype(np.float32))
            self.head = nn.Linear(150, 2)

        def forward(self, x):
            return self.head(cr.cos(x @ self.slopes + self.phases))

    x, y = m.spirals(500, seed=143)
    fresh = m.spirals(300, seed=144)
    fresh = (2 * fresh[0], fresh[1])
    return Setup(Waves(), 2 * x, y, "CrossEntropyLoss", optim.Adam(lr=0.02), 40, 25, fresh=fresh)


@healthy(classes, 0.9)
def all_rows_in_two_batches() -> Setup:
    """Batches of 500, few steps, and a rate as large as such batches bear: that is fine."""
    x, y = clouds(1400, 6, 8, spread=1.2, seed=145)
    held_out = (x[1000:], y[1000:])
    return Setup(
        m.mlp(8, 64, 6, hidden=nn.Hardswish),
        x[:1000],
        y[:1000],
        "CrossEntropyLoss",
        optim.AdamW(lr=0.01),
        20,
        500,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.9)
def rows_of_weight_zero() -> Setup:
    """A third of the rows lack their target, which reads 0 and weighs nothing: that is fine."""
    draw = m.rng(146)
    x = draw.normal(size=(900, 4)).astype(np.float32)
    y = (np.abs(x[:, :1]) + x[:, 1:2] * x[:, 2:3] + 0.1 * draw.normal(size=(900, 1))).astype("f4")
    lacks = draw.uniform(size=600) < 0.33
    given = np.where(lacks[:, None], 0, y[:600]).astype(np.float32)
    return Setup(
        m.mlp(4, 32, 1, hidden=nn.SiLU),
        x[:600],
        given,
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        20,
        validation=(x[600:], y[600:]),
        more={"sample_weight": (~lacks).astype(np.float32)},
        fresh=(x[600:], y[600:]),
    )


@healthy(odds, 0.93)
def clipped_for_half_of_the_training() -> Setup:
    """clip_norm=0.05 binds in nearly all steps of ten epochs, at a rate to match: that is fine."""
    x, y = circles(300, seed=147)
    fresh = circles(300, seed=148)
    optimizer = optim.SGD(lr=1.0, momentum=0.9, clip_norm=0.05)
    return Setup(
        m.mlp(2, 24, 1, hidden=nn.Tanh), x, y, "BCEWithLogitsLoss", optimizer, 20, 25, fresh=fresh
    )
