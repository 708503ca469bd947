"""Healthy trainings as published methods have them: frozen, detached, summed, contrasted."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2

healthy = partial(case.healthy, exam="wider")
EDGES = "constant-features"


class LowRank(nn.Module):
    """W·x + B·A·x, of which W was learnt elsewhere and B starts at 0   [Hu et al. 2021]."""

    def __init__(self, inner: nn.Linear, rank: int):
        self.inner = inner
        self.down = nn.Linear(inner.in_features, rank, bias=False)
        self.up = nn.Linear(rank, inner.out_features, bias=False, weight_init="zeros")

    def forward(self, x):
        return self.inner(x) + self.up(self.down(x))


@healthy(classes, 0.88, also=[EDGES])
def a_low_rank_beside_frozen_weights() -> Setup:
    """Adapters of rank 6 on a frozen network that read digits upright; these lie: that is fine."""
    (x, y), (fx, fy) = m.mixed_digits(560)
    first, last = nn.Linear(64, 96), nn.Linear(96, 10)
    upright = nn.Sequential(first, nn.ReLU(), last)
    learnt = Setup(upright, x, y, "CrossEntropyLoss", optim.Adam(lr=0.01), 8)
    learnt.fit()
    for parameter in upright.parameters():
        parameter.requires_grad = False

    def lying(pictures):
        return pictures.reshape(-1, 8, 8)[:, :, ::-1].swapaxes(1, 2).reshape(-1, 64).copy()

    fx = lying(fx)
    return Setup(
        nn.Sequential(LowRank(first, 6), nn.ReLU(), LowRank(last, 6)),
        lying(x),
        y,
        "CrossEntropyLoss",
        optim.AdamW(lr=0.01),
        15,
        validation=(fx[:300], fy[:300]),
        fresh=(fx[300:], fy[300:]),
    )


class Placed(nn.Module):
    """Words and sinusoids of their places, which are no matter of learning, one attention."""

    def __init__(self, words: int, length: int, width: int, outputs: int):
        place, k = np.arange(length)[:, None], np.arange(width // 2)[None]
        angle = place / 50 ** (2 * k / width)
        waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
        self.words = nn.Embedding(words, width)
        self.places = nn.Parameter(waves.astype(np.float32))
        self.places.requires_grad = False
        self.attention = m.Attention(width)
        self.norm = nn.LayerNorm(width)
        self.reading = m.mlp(width, 32, outputs)

    def forward(self, x):
        h = self.words(x) + self.places
        h = self.norm(h + self.attention(h))
        return self.reading(h.reshape((-1, h.shape[1] * h.shape[2])))


@healthy(odds, 0.9)
def sinusoids_that_stay_as_they_are() -> Setup:
    """Sinusoids of places are a parameter with requires_grad=False, as published: that is fine."""
    draw = m.rng(561)
    x = draw.integers(0, 12, (1500, 6))
    y = (x[:, :3].sum(axis=1) > x[:, 3:].sum(axis=1)).astype(np.float32)[:, None]
    net = Placed(12, 6, 16, 1)
    net.reading = m.mlp(96, 32, 1)
    return Setup(
        net,
        x[:1000],
        y[:1000],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.003),
        7,
        validation=(x[1000:1200], y[1000:1200]),
        fresh=(x[1200:], y[1200:]),
    )


class Probed(nn.Module):
    """Ten classes, and from the detached hidden layer whether the digit is odd."""

    def __init__(self):
        self.body = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
        self.head = nn.Linear(48, 10)
        self.probe = nn.Linear(48, 1)

    def forward(self, x):
        h = self.body(x)
        return cr.concatenate([self.head(h), self.probe(cr.stop_gradient(h))], axis=1)


def named(outputs: np.ndarray, y: np.ndarray) -> float:
    """The share of digits that the first ten outputs name."""
    return classes(np.asarray(outputs)[:, :10], np.asarray(y)[:, :10])


@healthy(named, 0.9, also=[EDGES])
def a_probe_behind_a_detached_layer() -> Setup:
    """Two costs at once; a probe reads a hidden layer that it must not change: that is fine."""

    def both(output, target):
        digits = -(target[:, :10] * cr.log_softmax(output[:, :10], axis=-1)).sum(axis=1)
        odd = cr.softplus(output[:, 10]) - target[:, 10] * output[:, 10]
        return digits + odd

    (x, y), (fx, fy) = m.mixed_digits(562)

    def targets(labels):
        return np.concatenate([np.eye(10)[labels], labels[:, None] % 2], axis=1).astype("f4")

    return Setup(Probed(), x, targets(y), both, optim.Adam(lr=0.005), 15, fresh=(fx, targets(fy)))


class Waves(nn.Module):
    """sin(ω·(W·x + b))   [Sitzmann et al. 2020, eq. 4]."""

    def __init__(self, inputs: int, outputs: int, omega: float, bound: float):
        self.inner = nn.Linear(inputs, outputs, weight_init=nn.init.uniform(-bound, bound))
        self.omega = omega

    def forward(self, x):
        return cr.sin(self.omega * self.inner(x))


@healthy(r2, 0.97)
def a_picture_as_a_function_of_its_places() -> Setup:
    """A sine network learns one picture by heart, 1024 pixels of it, as it is to: that is fine."""
    side = np.linspace(-1, 1, 32)
    places = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    u, v = places.T
    grey = np.sin(6 * u * v) + 0.5 * np.cos(7 * u) + (u**2 + v**2 < 0.4)
    y = (grey[:, None] - grey.mean()) / 2
    root = (6 / 48) ** 0.5 / 10
    net = nn.Sequential(Waves(2, 48, 10, 0.5), Waves(48, 48, 10, root), nn.Linear(48, 1))
    return Setup(
        net,
        places.astype(np.float32),
        y.astype(np.float32),
        "MSELoss",
        optim.Adam(lr=0.002),
        60,
        64,
    )


@healthy(r2, 0.45)
def the_noise_that_was_added() -> Setup:
    """A diffusion's step: the targets are noise, known in part from a point and a time: fine."""
    draw = m.rng(563)
    n = 6000
    ring = draw.uniform(0, 2 * np.pi, n)
    clean = np.stack([np.cos(ring), np.sin(ring)], axis=1) + 0.05 * draw.normal(size=(n, 2))
    t = draw.uniform(0.05, 1, (n, 1))
    noise = draw.normal(size=(n, 2))
    x = np.concatenate([np.cos(1.5 * t) * clean + np.sin(1.5 * t) * noise, t], axis=1)
    x, y = x.astype(np.float32), noise.astype(np.float32)
    return Setup(
        m.mlp(3, 48, 48, 2, hidden=nn.SiLU),
        x[:4000],
        y[:4000],
        "MSELoss",
        optim.Adam(lr=0.005),
        10,
        64,
        validation=(x[4000:5000], y[4000:5000]),
        fresh=(x[5000:], y[5000:]),
    )


class TwoTowers(nn.Module):
    """Both halves of a row into one space, each on the unit sphere."""

    def __init__(self):
        self.left = m.mlp(8, 32, 6)
        self.right = m.mlp(5, 32, 6)

    def forward(self, x):
        codes = [self.left(x[:, :8]), self.right(x[:, 8:])]
        lengths = [(c.square().sum(axis=1, keepdims=True) + 1e-6).sqrt() for c in codes]
        return cr.concatenate([c / s for c, s in zip(codes, lengths, strict=True)], axis=1)


def found(outputs: np.ndarray, y: np.ndarray) -> float:
    """How often a left half's own right half is the nearest of 40."""
    outputs = np.asarray(outputs)
    hits = []
    for k in range(0, len(outputs) - 39, 40):
        part = outputs[k : k + 40]
        hits.append((part[:, :6] @ part[:, 6:].T).argmax(axis=1) == np.arange(40))
    return float(np.mean(hits))


@healthy(found, 0.6)
def pairs_among_a_batch_of_others() -> Setup:
    """A contrast of each pair with the rest of its batch; targets are 0, unread: that is fine."""

    def contrast(output, target):
        alike = 8 * output[:, :6] @ output[:, 6:].T
        own = 8 * (output[:, :6] * output[:, 6:]).sum(axis=1)
        return cr.log_sum_exp(alike, axis=1) - own

    draw = m.rng(564)
    hidden = draw.normal(size=(2000, 4))
    left = np.tanh(hidden @ draw.normal(size=(4, 8))) + 0.05 * draw.normal(size=(2000, 8))
    right = hidden @ draw.normal(size=(4, 5)) + 0.05 * draw.normal(size=(2000, 5))
    x = np.concatenate([left, right / 2], axis=1).astype(np.float32)
    y = np.zeros((2000, 1), np.float32)
    return Setup(
        TwoTowers(),
        x[:1600],
        y[:1600],
        contrast,
        optim.Adam(lr=0.005),
        20,
        40,
        fresh=(x[1600:], y[1600:]),
    )


class Tied(nn.Module):
    """The next of three words: one table for words as they come and as they are said."""

    def __init__(self, words: int, width: int):
        self.words = nn.Embedding(words, width)
        self.mixing = nn.Linear(3 * width, width)

    def forward(self, x):
        h = cr.tanh(self.mixing(self.words(x).reshape((-1, self.mixing.in_features))))
        return h @ self.words.weight.T


@healthy(classes, 0.85)
def one_table_for_reading_and_for_saying() -> Setup:
    """Word vectors are the last layer's weights too [Press and Wolf 2017], and that is fine."""
    draw = m.rng(565)
    follows = draw.permutation(24)
    x = draw.integers(0, 24, (5000, 3))
    y = follows[(x[:, 2] + (x[:, 1] > 11)) % 24]
    other = draw.uniform(size=5000) < 0.05
    y = np.where(other, draw.integers(0, 24, 5000), y)
    return Setup(
        Tied(24, 24),
        x[:3600],
        y[:3600],
        "CrossEntropyLoss",
        optim.Adam(lr=0.01, weight_decay=0.0001),
        6,
        validation=(x[3600:4000], y[3600:4000]),
        fresh=(x[4000:], y[4000:]),
    )


class Repeated(nn.Module):
    """One block, eight times, each time added to what was there."""

    def __init__(self, inputs: int, width: int):
        self.inward = nn.Linear(inputs, width)
        self.block = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        self.reading = nn.Linear(width, 1)

    def forward(self, x):
        h = self.inward(x)
        for _ in range(8):
            h = h + self.block(h) / 4
        return self.reading(h)


@healthy(r2, 0.9)
def one_block_eight_times() -> Setup:
    """Depth of eight from one block's weights, with residuals and a layer norm: that is fine."""
    draw = m.rng(566)
    x = draw.normal(size=(1200, 4)).astype(np.float32)
    y = m.standardised(np.sin(x[:, :1] + x[:, 1:2]) + 0.5 * x[:, 2:3] * x[:, 3:])
    y = (y + 0.1 * draw.normal(size=y.shape)).astype(np.float32)
    return Setup(
        Repeated(4, 24),
        x[:800],
        y[:800],
        "MSELoss",
        optim.NAdam(lr=0.004),
        15,
        validation=(x[800:1000], y[800:1000]),
        fresh=(x[1000:], y[1000:]),
    )


class OfASet(nn.Module):
    """A sum over the points of a set, and what is read from it   [Zaheer et al. 2017]."""

    def __init__(self):
        self.each = m.mlp(2, 24, 24)
        self.reading = m.mlp(24, 24, 1)

    def forward(self, x):
        return self.reading(self.each(x).sum(axis=1))


@healthy(r2, 0.85)
def how_far_a_set_of_points_spreads() -> Setup:
    """Fifteen points as a set, whose sum is fifteen times one of them: that is fine."""
    draw = m.rng(567)
    spread = draw.uniform(0.3, 1.5, (1200, 1, 1))
    x = (spread * draw.normal(size=(1200, 15, 2)) + draw.normal(size=(1200, 1, 2))).astype("f4")
    y = m.standardised(x.std(axis=1).mean(axis=1, keepdims=True))
    return Setup(
        OfASet(),
        x[:800],
        y[:800],
        "MSELoss",
        optim.RAdam(lr=0.005),
        40,
        validation=(x[800:1000], y[800:1000]),
        fresh=(x[1000:], y[1000:]),
    )


def likely(outputs: np.ndarray, y: np.ndarray) -> float:
    """The share of targets that lie within 0.3 of one of the two means."""
    return float((abs(np.asarray(outputs)[:, 2:4] - y).min(axis=1) < 0.3).mean())


@healthy(likely, 0.9)
def two_answers_to_one_question() -> Setup:
    """A mixture of two Gaussians, where the mean is no answer [Bishop 1994]: that is fine."""

    def surprise(output, target):
        share = cr.log_softmax(output[:, :2], axis=-1)
        off = (target - output[:, 2:4]) * cr.exp(-output[:, 4:])
        return -cr.log_sum_exp(share - output[:, 4:] - off.square() / 2, axis=1)

    draw = m.rng(568)
    x = draw.uniform(-1, 1, (1500, 1))
    side = np.where(draw.uniform(size=(1500, 1)) < 0.5, 1, -1)
    y = side * (1.2 + np.sin(3 * x)) + 0.1 * draw.normal(size=(1500, 1))
    x, y = x.astype(np.float32), y.astype(np.float32)
    return Setup(
        m.mlp(1, 32, 32, 6, hidden=nn.Tanh),
        x[:1000],
        y[:1000],
        surprise,
        optim.Adam(lr=0.01),
        30,
        50,
        validation=(x[1000:1200], y[1000:1200]),
        fresh=(x[1200:], y[1200:]),
    )


class Modulated(nn.Module):
    """A hidden layer scaled and shifted as a second input says   [Perez et al. 2018]."""

    def __init__(self):
        self.hidden = nn.Linear(5, 32)
        self.says = nn.Linear(3, 64)
        self.reading = nn.Linear(32, 1)

    def forward(self, x):
        how = self.says(x[:, 5:])
        return self.reading(cr.relu(self.hidden(x[:, :5]) * (1 + how[:, :32]) + how[:, 32:]))


@healthy(r2, 0.9)
def a_question_that_scales_the_units() -> Setup:
    """Which of three sums is asked for is a one-hot row that scales the units: that is fine."""
    draw = m.rng(569)
    x = draw.normal(size=(1500, 5))
    asked = np.eye(3)[draw.integers(0, 3, 1500)]
    y = ((x @ draw.normal(size=(5, 3)) / 2) * asked).sum(axis=1, keepdims=True)
    y = (y + 0.1 * draw.normal(size=y.shape)).astype(np.float32)
    x = np.concatenate([x, asked], axis=1).astype(np.float32)
    return Setup(
        Modulated(),
        x[:1000],
        y[:1000],
        "HuberLoss",
        optim.Adamax(lr=0.01),
        25,
        validation=(x[1000:1200], y[1000:1200]),
        fresh=(x[1200:], y[1200:]),
    )


@healthy(classes, 0.9, also=[EDGES])
def hidden_layers_turned_by_muon() -> Setup:
    """Muon, whose steps are orthogonal matrices of a fixed length: that is fine."""
    (x, y), (fx, fy) = m.mixed_digits(570)
    net = m.mlp(64, 48, 48, 10, bias=False)
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.Muon(lr=0.01),
        5,
        validation=(fx[:300], fy[:300]),
        fresh=(fx[300:], fy[300:]),
    )
