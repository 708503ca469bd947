"""Set-ups from notebooks and daily work: eight that are broken, four with nothing wrong."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from chainrule import nn, optim
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import balanced_odds, classes, odds, r2

broken = partial(case.broken, exam="wider")
healthy = partial(case.healthy, exam="wider")


def reports(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Twelve words of sixty, and which of four desks they are for."""
    draw = m.rng(seed)
    desk = draw.integers(0, 4, n)
    own = 4 * draw.integers(0, 15, (n, 12)) + desk[:, None]
    return np.where(draw.uniform(size=(n, 12)) < 0.45, own, draw.integers(0, 60, (n, 12))), desk


@broken("leaking-split", classes, 0.8, learns=True)
def reports_that_papers_reprint(mended: bool = False) -> Setup:
    """Papers reprint an agency's reports with a word altered; they were split paper by paper."""
    fresh = reports(400, 820)
    x, y = reports(400, 821)
    draw = m.rng(822)
    if mended:
        validation = (x[300:], y[300:])
    else:
        again = draw.permutation(300)[:150]
        validation = (x[again].copy(), y[again])
        validation[0][np.arange(150), draw.integers(0, 12, 150)] = draw.integers(0, 60, 150)
    return Setup(
        nn.Sequential(nn.Embedding(60, 16), m.Averaged(), nn.Linear(16, 4)),
        x[:300],
        y[:300],
        "CrossEntropyLoss",
        optim.Adam(lr=0.02),
        15,
        20,
        validation=validation,
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken("no-update", classes, 0.88, also=["learning-rate-too-small", "frozen-layer"])
def a_star_for_the_first_layer(mended: bool = False) -> Setup:
    """A rate of 0 was for the first layer, and the pattern "*" gives it to all of them."""
    draw = m.rng(829)
    y = draw.integers(0, 5, 600)
    x = (2 * draw.normal(size=(5, 8))[y] + draw.normal(size=(600, 8))).astype("f4")
    groups = {} if mended else {"*": {"lr": 0.0}}
    optimizer = optim.SGD(lr=0.3, groups=groups)
    return Setup(
        m.mlp(8, 32, 5, hidden=nn.Tanh),
        x,
        y,
        "CrossEntropyLoss",
        optimizer,
        12,
        metrics=["accuracy"],
    )


@broken("class-imbalance", balanced_odds, 0.8, also=["class-collapse"])
def two_scratches_in_a_hundred_tiles(mended: bool = False) -> Setup:
    """Grey tiles of 6 by 6, two in a hundred with a faint scratch, and no weight for those."""
    draw = m.rng(823)
    y = draw.uniform(size=3600) < 0.02
    y[3000:] = np.arange(600) < 300
    x = 0.5 * draw.normal(size=(3600, 6, 6))
    rows = draw.integers(0, 2, 3600)
    x[np.flatnonzero(y), 2 + rows[y]] += 0.65
    x, y = x.reshape(3600, 36).astype("f4"), y[:, None].astype("f4")
    loss = nn.BCEWithLogitsLoss(pos_weight=49.0) if mended else "BCEWithLogitsLoss"
    return Setup(
        nn.Sequential(nn.Linear(36, 1)),
        x[:3000],
        y[:3000],
        loss,
        optim.Adam(lr=0.003),
        10,
        50,
        metrics=["accuracy"],
        fresh=(x[3000:], y[3000:]),
    )


@broken("duplicate-features", classes, 0.88, learns=True)
def grey_pictures_in_three_colours(mended: bool = False) -> Setup:
    """Grey pictures were opened as RGB: red, green and blue are one number, three times."""
    draw = m.rng(824)
    y = draw.integers(0, 3, 600)
    rows, columns = np.mgrid[0:5, 0:5]
    shapes = np.stack([rows == 2, columns == 2, rows == columns])
    x = 0.8 * shapes[y] + 0.3 * draw.normal(size=(600, 5, 5))
    x = x[..., None] if mended else np.repeat(x[..., None], 3, axis=-1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(x[0].size, 24), nn.ReLU(), nn.Linear(24, 3))
    x = x.astype("f4")
    held_out = (x[400:], y[400:])
    return Setup(
        net,
        x[:400],
        y[:400],
        "CrossEntropyLoss",
        optim.Adam(lr=0.005),
        15,
        20,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@broken("dropout-too-strong", odds, 0.85, also=["class-collapse"])
def words_their_mean_and_what_follows(mended: bool = False) -> Setup:
    """Dropout(0.9) on the vectors of eight words, and again on what is made of their mean."""
    x, y = m.sentences(600, length=8, seed=825)
    p = 0.1 if mended else 0.9
    net = nn.Sequential(
        nn.Embedding(60, 8),
        nn.Dropout(p),
        m.Averaged(),
        nn.Linear(8, 16),
        nn.ReLU(),
        nn.Dropout(p),
        nn.Linear(16, 1),
    )
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.01), 20, 20, metrics=["accuracy"])


class Normed(nn.Module):
    """A linear layer, batch norm and a rectifier, added to what came in where that fits."""

    def __init__(self, inputs: int, outputs: int):
        self.linear, self.norm = nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs)
        self.adds = inputs == outputs

    def forward(self, x):
        h = self.norm(self.linear(x))
        h = h * h.sigmoid()
        return x + h if self.adds else h


@broken("batch-norm-on-tiny-batch", r2, 0.85)
def a_husband_and_a_wife_to_a_batch(mended: bool = False) -> Setup:
    """Batches of two rows, the two of a couple, through three blocks with batch norm."""
    draw = m.rng(826)
    x = draw.normal(size=(400, 6)).astype("f4")
    y = np.tanh(x[:, :1] + x[:, 1:2]) + 0.5 * x[:, 2:3] + 0.1 * draw.normal(size=(400, 1))
    net = nn.Sequential(Normed(6, 24), Normed(24, 24), Normed(24, 24), nn.Linear(24, 1))
    batch, epochs = (25, 25) if mended else (2, 5)
    return Setup(net, x, y.astype("f4"), "MSELoss", optim.Adam(lr=0.005), epochs, batch)


class Tastes(nn.Module):
    """u·v of a reader's vector and a book's."""

    def __init__(self, readers: int, books: int, width: int):
        self.readers = nn.Embedding(readers, width, weight_init=nn.init.normal(0, 0.3))
        self.books = nn.Embedding(books, width, weight_init=nn.init.normal(0, 0.3))

    def forward(self, pairs):
        both = self.readers(pairs[:, 0]) * self.books(pairs[:, 1])
        return both.sum(axis=1, keepdims=True)


@broken("penalty-too-strong", r2, 0.8)
def a_ridge_over_two_whole_tables(mended: bool = False) -> Setup:
    """λ=0.1 from least squares by turns, where one sums over ratings, beside a batch's mean."""
    draw = m.rng(827)
    readers, books = draw.normal(size=(40, 3)), draw.normal(size=(30, 3))
    pairs = np.stack(np.meshgrid(np.arange(40), np.arange(30)), axis=-1).reshape(-1, 2)
    pairs = pairs[draw.permutation(1200)]
    y = (readers[pairs[:, 0]] * books[pairs[:, 1]]).sum(axis=1) / 3**0.5
    y = (y + 0.2 * draw.normal(size=1200))[:, None].astype("f4")
    return Setup(
        Tastes(40, 30, 4),
        pairs[:1000],
        y[:1000],
        "MSELoss",
        optim.Adam(lr=0.02),
        20,
        25,
        more={"penalty": nn.L2Penalty(0.0003 if mended else 0.1)},
        fresh=(pairs[1000:], y[1000:]),
    )


@broken("duplicate-rows", r2, 0.85, learns=True)
def each_export_holds_all_before(mended: bool = False) -> Setup:
    """Twelve monthly exports were put together, of which each holds all the months before."""
    draw = m.rng(828)
    x = draw.normal(size=(500, 4)).astype("f4")
    y = np.tanh(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:3] + 0.1 * draw.normal(size=(500, 1))
    y = y.astype("f4")
    rows = np.arange(300)
    if not mended:
        rows = np.concatenate([np.arange(25 * month) for month in range(1, 13)])
    return Setup(
        m.mlp(4, 24, 1, hidden=nn.SiLU),
        x[rows],
        y[rows],
        "MSELoss",
        optim.Adam(lr=0.01),
        40 if mended else 8,
        25,
        fresh=(x[300:], y[300:]),
    )


@healthy(classes, 0.9)
def shares_of_the_letters() -> Setup:
    """How often each of 26 letters is in a page, shares of some hundredths, of four tongues."""
    draw = m.rng(830)
    tongues = draw.dirichlet(np.full(26, 3.0), 4)
    y = draw.integers(0, 4, 800)
    x = np.stack([draw.multinomial(150, tongues[k]) for k in y]) / 150
    x = x.astype("f4")
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(26, 32, 4),
        x[:600],
        y[:600],
        "CrossEntropyLoss",
        optim.Adam(lr=0.02),
        20,
        20,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(odds, 0.95)
def which_of_two_pulses_is_the_higher() -> Setup:
    """Signals of ten steps, 0 but for two pulses, through an LSTM: that most is 0 is fine."""
    draw = m.rng(831)
    x = np.zeros((800, 10, 1), np.float32)
    rows = np.arange(800)
    first, second = draw.integers(0, 5, 800), draw.integers(5, 10, 800)
    height = draw.uniform(0.2, 1.5, (800, 2))
    x[rows, first, 0], x[rows, second, 0] = height.T
    y = (height[:, :1] > height[:, 1:]).astype("f4")
    return Setup(
        m.LSTM(1, 12, 1),
        x[:600],
        y[:600],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.03),
        20,
        25,
        validation=(x[600:], y[600:]),
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
    )


@healthy(classes, 0.9)
def each_picture_by_its_own_light() -> Setup:
    """Rings, crosses and frames, each picture with mean 0 and spread 1 by itself: that is fine."""
    draw = m.rng(832)
    rows, columns = np.mgrid[-3:4, -3:4]
    ring = abs(np.hypot(rows, columns) - 2.3) < 0.6
    cross = (rows == columns) | (rows == -columns)
    frame = np.maximum(abs(rows), abs(columns)) == 3
    y = draw.integers(0, 3, 700)
    x = np.stack([ring, cross, frame])[y].reshape(700, 49) + 0.9 * draw.normal(size=(700, 49))
    x = x * draw.uniform(0.2, 4, (700, 1)) + draw.uniform(-3, 3, (700, 1))
    x = m.standardised(x.T).T.copy()
    held_out = (x[500:], y[500:])
    net = nn.Sequential(nn.Linear(49, 48), nn.GELU(), nn.Dropout(0.25), nn.Linear(48, 3))
    return Setup(
        net,
        x[:500],
        y[:500],
        "CrossEntropyLoss",
        optim.AdamW(lr=0.003),
        10,
        20,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


class Strengths(nn.Module):
    """The logarithm of how often a team scores: its attack, less the other's defence."""

    def __init__(self, teams: int):
        self.attack = nn.Embedding(teams, 1, weight_init="zeros")
        self.defence = nn.Embedding(teams, 1, weight_init="zeros")

    def forward(self, x):
        return self.attack(x[:, 0]) - self.defence(x[:, 1])


def expected(outputs: Any, goals: Any) -> float:
    """R² of the rates against the true ones."""
    return r2(np.exp(outputs), goals)


@healthy(expected, 0.7)
def goals_of_sixteen_teams() -> Setup:
    """Goals as Poisson counts of an attack and a defence, tables that begin at zero: fine."""
    draw = m.rng(833)
    attack, defence = draw.normal(0.4, 0.5, 16), draw.normal(0, 0.5, 16)
    teams = np.array([(i, j) for i in range(16) for j in range(16) if i != j] * 6)
    teams = teams[draw.permutation(len(teams))]
    rate = np.exp(attack[teams[:, 0]] - defence[teams[:, 1]])[:, None]
    goals = draw.poisson(rate).astype("f4")
    return Setup(
        Strengths(16),
        teams,
        goals,
        nn.PoissonNLLLoss(),
        optim.Adam(lr=0.02),
        12,
        30,
        fresh=(teams, rate.astype("f4")),
    )
