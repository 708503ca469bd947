"""Healthy set-ups of the fourth exam: five ordinary ones, and five near misses."""

from __future__ import annotations

from functools import partial

import numpy as np

from chainrule import nn, optim
from tests.explanation.diagnosing.held_out import fourth_material as m
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2
from tests.explanation.diagnosing.setups.material import (
    LSTM,
    Averaged,
    Convolution,
    Halved,
    mixed_digits,
)

healthy = partial(case.healthy, exam="fourth")


@healthy(classes, 0.93)
def three_grapes_by_thirteen_columns() -> Setup:
    """Standardised wines, a small rectified network, SGD with momentum, a validation set."""
    x, y = m.wines(900, seed=90)
    x = m.standardised(x)
    return Setup(
        m.mlp(13, 24, 3),
        x[:600],
        y[:600],
        "CrossEntropyLoss",
        optim.SGD(lr=0.01, momentum=0.9),
        8,
        20,
        validation=(x[600:], y[600:]),
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
    )


@healthy(r2, 0.93)
def the_strength_of_concrete() -> Setup:
    """Standardised columns and strengths, Huber's loss and Adam, a validation set."""
    x, y = m.concrete(700, seed=91)
    x, y = m.standardised(x), m.standardised(y)
    return Setup(
        m.mlp(5, 48, 24, 1),
        x[:500],
        y[:500],
        "HuberLoss",
        optim.Adam(lr=0.005),
        30,
        25,
        validation=(x[500:], y[500:]),
        metrics=["mae"],
        fresh=(x[500:], y[500:]),
    )


@healthy(r2, 0.7, also=["constant-features", "duplicate-features"])
def digits_in_sixteen_numbers() -> Setup:
    """An autoencoder of digits with a code of sixteen numbers, GELU and squared error."""
    (x, _), (others, _) = mixed_digits(seed=92)
    net = nn.Sequential(
        nn.Linear(64, 48),
        nn.GELU(),
        nn.Linear(48, 16),
        nn.Linear(16, 48),
        nn.GELU(),
        nn.Linear(48, 64),
    )
    held_out = (others[:300], others[:300])
    optimizer = optim.Adam(lr=0.003)
    return Setup(
        net, x, x, "MSELoss", optimizer, 20, 25, validation=held_out, fresh=(others, others)
    )


@healthy(classes, 0.85)
def which_tongue_a_word_is_of() -> Setup:
    """Words of ten letters through an embedding and an LSTM, with three classes."""
    x, y = m.letters(1300, 12, seed=93)
    net = nn.Sequential(nn.Embedding(20, 10), LSTM(10, 16, 3))
    return Setup(
        net,
        x[:1000],
        y[:1000],
        "CrossEntropyLoss",
        optim.Adam(lr=0.01),
        5,
        25,
        validation=(x[1000:], y[1000:]),
        metrics=["accuracy"],
        fresh=(x[1000:], y[1000:]),
    )


@healthy(classes, 0.9)
def which_way_the_stripes_lie() -> Setup:
    """Two layers of filters, pooled between, over pictures of 10 by 10, trained by RMSprop."""
    x, y = m.stripes(600, seed=94)
    net = nn.Sequential(
        Convolution(1, 8),
        nn.ReLU(),
        Halved(),
        Convolution(8, 12),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(48, 4),
    )
    return Setup(
        net,
        x[:400],
        y[:400],
        "CrossEntropyLoss",
        optim.RMSprop(lr=0.003),
        10,
        20,
        validation=(x[400:], y[400:]),
        metrics=["accuracy"],
        fresh=(x[400:], y[400:]),
    )


@healthy(odds, 0.85, also=["duplicate-features"])
def a_column_for_her_and_one_for_him() -> Setup:
    """All columns of one-hot codes were kept, two of them for a sex of two values: that is fine."""
    draw = m.rng(95)
    sex = np.eye(2)[draw.integers(0, 2, 700)]
    cabin = np.eye(3)[draw.choice(3, 700, p=[0.25, 0.25, 0.5])]
    rest = draw.normal(size=(700, 2))
    z = 3 * sex[:, 0] - 1.5 + cabin @ np.array([1.5, 0, -1.2]) - 0.8 * rest[:, 0]
    y = z + draw.logistic(0, 0.25, 700) > 0
    x = np.concatenate([sex, cabin, rest], axis=1).astype(np.float32)
    y = y[:, None].astype(np.float32)
    return Setup(
        m.mlp(7, 16, 1),
        x[:500],
        y[:500],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        10,
        25,
        validation=(x[500:], y[500:]),
        metrics=["accuracy"],
        fresh=(x[500:], y[500:]),
    )


@healthy(odds, 0.88)
def a_rate_of_two_for_the_mean_of_words() -> Setup:
    """SGD(lr=2) for vectors averaged over twelve words, whose gradients are small: that is fine."""
    draw = m.rng(96)
    moods = draw.normal(size=80)
    x = draw.integers(0, 80, (1600, 12))
    y = (moods[x].sum(axis=1) > 0)[:, None].astype(np.float32)
    net = nn.Sequential(nn.Embedding(80, 8), Averaged(), nn.Linear(8, 1))
    return Setup(
        net,
        x[:1200],
        y[:1200],
        "BCEWithLogitsLoss",
        optim.SGD(lr=2.0),
        12,
        20,
        validation=(x[1200:], y[1200:]),
        metrics=["accuracy"],
        fresh=(x[1200:], y[1200:]),
    )


@healthy(classes, 0.88, also=["constant-features", "duplicate-features"])
def digits_on_a_larger_page() -> Setup:
    """Each digit lies in the middle of an empty page of 14 by 14 pixels, and that is fine."""

    def page(x: np.ndarray) -> np.ndarray:
        return np.pad(x.reshape(-1, 8, 8), ((0, 0), (3, 3), (3, 3))).reshape(-1, 196)

    (x, y), (others, their) = mixed_digits(seed=97)
    held_out = page(others), their
    return Setup(
        m.mlp(196, 48, 10),
        page(x),
        y,
        "CrossEntropyLoss",
        optim.AdamW(lr=0.003),
        12,
        32,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.94)
def tomorrow_is_nearly_today() -> Setup:
    """The next day's level of a lake is nearly the last column, which is no leak, and is fine."""
    draw = m.rng(98)
    rain = draw.gamma(0.5, 1.0, 1200) * (draw.uniform(size=1200) < 0.4)
    level = np.zeros(1200)
    for t in range(1, 1200):
        level[t] = 0.97 * level[t - 1] + 0.3 * rain[t - 1] + 0.05 * draw.normal()
    level, rain = (level - level.mean()) / level.std(), rain / rain.std()
    columns = [level[:-3], level[1:-2], level[2:-1], rain[1:-2], rain[2:-1]]
    x, y = np.stack(columns, axis=1).astype(np.float32), level[3:, None].astype(np.float32)
    return Setup(
        m.mlp(5, 24, 1, hidden=nn.Tanh),
        x[:900],
        y[:900],
        "MSELoss",
        optim.Adam(lr=0.003),
        20,
        20,
        validation=(x[900:], y[900:]),
        fresh=(x[900:], y[900:]),
    )


@healthy(classes, 0.93)
def brier_s_score_of_three_grapes() -> Setup:
    """Softmax at the end and squared error on one-hot classes, which is Brier's score: fine."""
    x, y = m.wines(900, seed=99)
    x, y = m.standardised(x), np.eye(3, dtype=np.float32)[y]
    net = m.mlp(13, 20, 3, hidden=nn.SiLU)
    net.append(nn.Softmax())
    return Setup(
        net,
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        6,
        20,
        validation=(x[600:], y[600:]),
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
    )
