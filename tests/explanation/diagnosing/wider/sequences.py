"""Sequences, words and ratings: recurrence, attention, embeddings."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.held_out.material import topics
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2

healthy = partial(case.healthy, exam="wider")
broken = partial(case.broken, exam="wider")


class GRU(nn.Module):
    """Gated recurrent units and a linear reading of the last   [Cho et al. 2014]."""

    def __init__(self, inputs: int, hidden: int, outputs: int):
        self.inward = nn.Linear(inputs, 3 * hidden)
        self.onward = nn.Linear(hidden, 3 * hidden)
        self.reading = nn.Linear(hidden, outputs)
        self.hidden = hidden

    def forward(self, x):
        n = self.hidden
        h = cr.tanh(self.inward(x[:, 0])[:, :n])
        for t in range(1, x.shape[1]):
            a, b = self.inward(x[:, t]), self.onward(h)
            z = cr.sigmoid(a[:, n : 2 * n] + b[:, n : 2 * n])
            r = cr.sigmoid(a[:, 2 * n :] + b[:, 2 * n :])
            h = z * h + (1 - z) * cr.tanh(a[:, :n] + r * b[:, :n])
        return self.reading(h)


def marked(n: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of which two are marked, (n, length, 2); y the sum of these two, (n, 1)."""
    draw = m.rng(seed)
    values = draw.uniform(-1, 1, (n, length))
    marks = np.zeros((n, length))
    first = draw.integers(0, length // 2, n)
    second = draw.integers(length // 2, length, n)
    rows = np.arange(n)
    marks[rows, first] = marks[rows, second] = 1
    y = values[rows, first] + values[rows, second]
    return np.stack([values, marks], axis=2).astype(np.float32), y[:, None].astype(np.float32)


@healthy(r2, 0.9)
def a_gru_that_adds_what_is_marked() -> Setup:
    """The adding problem over eight steps: nothing is learnt at first, then all: that is fine."""
    x, y = marked(600, 8, seed=110)
    fresh = marked(300, 8, seed=111)
    return Setup(
        GRU(2, 12, 1), x, y, "MSELoss", optim.Adam(lr=0.02), 12, 30, validation=fresh, fresh=fresh
    )


@healthy(r2, 0.9)
def a_recurrence_that_begins_as_the_identity() -> Setup:
    """A rectified recurrence whose matrix starts as I [Le et al. 2015], and that is fine."""
    x, y = marked(500, 8, seed=112)
    net = m.Recurrent(2, 16, 1, activation=cr.relu, start="eye")
    fresh = marked(300, 8, seed=113)
    optimizer = optim.Adam(lr=0.01, clip_norm=1.0)
    return Setup(net, x, y, "MSELoss", optimizer, 25, 25, validation=fresh, fresh=fresh)


class Masked(nn.Module):
    """One head of attention over words, padded with 0, and the mean over those that are there."""

    def __init__(self, words: int, width: int, outputs: int):
        self.table = nn.Embedding(words, width, padding_idx=0)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.head = nn.Linear(width, outputs)
        self.width = width

    def forward(self, x):
        h, there = self.table(x), x > 0
        scores = self.query(h) @ self.key(h).swapaxes(1, 2) / self.width**0.5
        scores = cr.where(there[:, None, :], scores, -1e9)
        h = h + scores.softmax(axis=-1) @ self.value(h)
        weight = cr.where(there, 1.0, 0.0)[:, :, None]
        return self.head((h * weight).sum(axis=1) / weight.sum(axis=1))


@healthy(odds, 0.9)
def attention_that_looks_past_the_padding() -> Setup:
    """Sentences of 3 to 10 words, padded; scores of -1e9 hide the padding, and that is fine."""
    x, _ = m.sentences(1500, seed=114)
    lengths = m.rng(115).integers(3, 11, len(x))
    x = np.where(np.arange(10) < lengths[:, None], x, 0)
    good = ((x > 0) & (x < 15)).sum(axis=1) - ((x >= 15) & (x < 29)).sum(axis=1)
    x, y = x[good != 0], (good[good != 0, None] > 0).astype(np.float32)
    held_out = (x[900:], y[900:])
    return Setup(
        Masked(60, 12, 1),
        x[:900],
        y[:900],
        "BCEWithLogitsLoss",
        optim.AdamW(lr=0.01),
        10,
        25,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


def syllables(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three letters of a text of six letters, (n, 3), and the next: the likeliest is so in 6/10."""
    draw = m.rng(seed)
    text = [0, 1]
    for chance in draw.uniform(size=n + 1):
        likely = (text[-1] + 2 * text[-2] + 1) % 6
        text.append(likely if chance < 0.6 else int(draw.integers(0, 6)))
    windows = np.lib.stride_tricks.sliding_window_view(np.array(text), 4)
    return windows[:, :3].copy(), windows[:, 3].copy()


@healthy(classes, 0.63)
def a_text_of_which_a_third_is_chance() -> Setup:
    """The next letter can be known in two of three cases: the loss stays near 1, and is fine."""
    x, y = syllables(3000, seed=116)
    held_out = syllables(1000, seed=117)
    net = nn.Sequential(nn.Embedding(6, 8), nn.Flatten(), *m.mlp(24, 48, 6))
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.003),
        6,
        50,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(classes, 0.85)
def vectors_of_words_from_other_texts() -> Setup:
    """Word vectors learnt on other texts, frozen under a head for few texts, and that is fine."""
    x, y = topics(2400, seed=118)
    other = Setup(
        nn.Sequential(nn.Embedding(200, 8), m.Averaged(), nn.Linear(8, 4)),
        x[:1500],
        y[:1500],
        "CrossEntropyLoss",
        optim.Adam(lr=0.02),
        8,
        50,
    )
    other.fit()
    net = nn.Sequential(nn.Embedding(200, 8), m.Averaged(), nn.Linear(8, 4))
    net[0].load_state_dict(other.net[0].state_dict())
    net[0].weight.requires_grad = False
    held_out = (x[1700:], y[1700:])
    return Setup(
        net,
        x[1500:1700],
        y[1500:1700],
        "CrossEntropyLoss",
        optim.Adam(lr=0.05),
        30,
        20,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


class Tastes(nn.Module):
    """A rating: the mean of all, what a person and a film add, and how they go together."""

    def __init__(self, people: int, films: int, rank: int, spread: float = 0.1):
        start = nn.init.normal(0.0, spread)
        self.person = nn.Embedding(people, rank, weight_init=start)
        self.film = nn.Embedding(films, rank, weight_init=start)
        self.kindness = nn.Embedding(people, 1, weight_init="zeros")
        self.fame = nn.Embedding(films, 1, weight_init="zeros")
        self.mean = nn.Parameter(np.array([3.2], np.float32))

    def forward(self, x):
        who, what = x[:, 0], x[:, 1]
        together = (self.person(who) * self.film(what)).sum(axis=1, keepdims=True)
        return together + self.kindness(who) + self.fame(what) + self.mean


def ratings(n: int, rank: int = 3, seed: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Who rates what, (n, 2) integers, and the rating, about 1 to 5, (n, 1): none occurs twice."""
    draw = m.rng(seed)
    people, films = draw.normal(size=(40, rank)), draw.normal(size=(50, rank))
    pairs = draw.permutation(2000)[:n]
    who, what = pairs // 50, pairs % 50
    kind, fame = 0.4 * draw.normal(size=40), 0.4 * draw.normal(size=50)
    together = 0.9 / rank**0.5 * (people @ films.T)[who, what]
    y = 3.2 + together + kind[who] + fame[what] + 0.15 * draw.normal(size=n)
    return np.stack([who, what], axis=1), y[:, None].astype(np.float32)


@healthy(r2, 0.8)
def people_and_films() -> Setup:
    """Ratings as products of two tables, the mean of all as a start, and that is fine."""
    x, y = ratings(1900)
    held_out = (x[1500:], y[1500:])
    return Setup(
        Tastes(40, 50, 3),
        x[:1500],
        y[:1500],
        "MSELoss",
        optim.AdamW(lr=0.02, weight_decay=0.2),
        25,
        50,
        validation=held_out,
        metrics=["mae"],
        fresh=held_out,
    )


class Steps(nn.Module):
    """Two convolutions over time, each under batch norm, and the largest of each channel."""

    def __init__(self, outputs: int):
        self.first, self.second = nn.Linear(3, 12), nn.Linear(36, 12)
        self.norms = nn.ModuleList([nn.BatchNorm1d(12), nn.BatchNorm1d(12)])
        self.head = nn.Linear(12, outputs)

    def forward(self, x):
        h = cr.stack([x[:, k : x.shape[1] - 2 + k] for k in range(3)], axis=2)
        h = cr.relu(self.norms[0](self.first(h).swapaxes(1, 2))).swapaxes(1, 2)
        h = cr.concatenate([h[:, k : h.shape[1] - 2 + k] for k in range(3)], axis=2)
        h = cr.relu(self.norms[1](self.second(h).swapaxes(1, 2)))
        return self.head(h.mean(axis=2))


@healthy(classes, 0.9)
def four_signals_of_forty_steps_to_a_batch() -> Setup:
    """Batches of four under batch norm, of which each has 40 steps: 160 numbers, which is fine."""
    draw = m.rng(121)
    y = draw.integers(0, 3, 400)
    t, phase = np.arange(40), draw.uniform(0, 6.28, (400, 1))
    wave = np.sin(np.array([0.5, 0.9, 1.4])[y, None] * t + phase)
    x = (wave + 0.4 * draw.normal(size=(400, 40))).astype(np.float32)
    held_out = (x[200:], y[200:])
    return Setup(
        Steps(3),
        x[:200],
        y[:200],
        "CrossEntropyLoss",
        optim.SGD(lr=0.15),
        8,
        4,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@broken("overfitting", odds, 0.85, looked_at=(AFTER,))
def forty_sentences_by_heart(mended: bool = False) -> Setup:
    """A table of 60 words learnt from 40 sentences, 100 times over: validation gets worse."""
    x, y = m.sentences(1200, seed=122)
    rows = 500 if mended else 40
    net = nn.Sequential(nn.Embedding(60, 16), m.Averaged(), *m.mlp(16, 32, 1))
    return Setup(
        net,
        x[:rows],
        y[:rows],
        "BCEWithLogitsLoss",
        optim.AdamW(lr=0.005, weight_decay=0.01),
        10 if mended else 100,
        10,
        validation=(x[500:800], y[500:800]),
        metrics=["accuracy"],
        fresh=(x[800:], y[800:]),
    )


@broken("too-few-units", r2, 0.9, looked_at=(AFTER,))
def one_number_for_a_taste(mended: bool = False) -> Setup:
    """People and films have one number each, and tastes have four."""
    x, y = ratings(1900, rank=4, seed=123)
    optimizer = optim.Adam(lr=0.02)
    return Setup(Tastes(40, 50, 6 if mended else 1, 0.3), x, y, "MSELoss", optimizer, 40, 50)


@broken("learning-rate-too-small", r2, 0.85)
def a_rate_for_language_models(mended: bool = False) -> Setup:
    """AdamW(lr=2e-5), right for a large network that was trained before, for a small new one."""
    x, y = m.load_of_a_grid(300, seed=124)
    optimizer = optim.AdamW(lr=0.01 if mended else 2e-5)
    return Setup(GRU(1, 12, 1), x[:, ::3, None], y, "MSELoss", optimizer, 20, 25)
