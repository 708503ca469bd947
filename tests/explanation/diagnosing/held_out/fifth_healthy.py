"""Healthy set-ups of the fifth exam, from what is taught, compared and tried out."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from chainrule import nn, optim
from tests.explanation.diagnosing.held_out import material as m
from tests.explanation.diagnosing.held_out.fifth_broken import Pairs
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2
from tests.explanation.diagnosing.setups.material import ink, iris

healthy = partial(case.healthy, exam="fifth")


def chances(outputs: Any, p: Any) -> float:
    """R² of the chances that logits say against the true ones."""
    return r2(1 / (1 + np.exp(-np.asarray(outputs, np.float64))), p)


def text(length: int, seed: int) -> np.ndarray:
    """Letters 0 to 11, of which the next is known by the last two, but for one in ten."""
    draw = m.rng(seed)
    follows = m.rng(520).integers(0, 12, (12, 12))
    letters = list(draw.integers(0, 12, 2))
    for _ in range(length):
        usual = follows[letters[-2], letters[-1]]
        letters.append(usual if draw.uniform() < 0.9 else draw.integers(0, 12))
    return np.array(letters)


def contexts(length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    letters = text(length, seed)
    windows = np.lib.stride_tricks.sliding_window_view(letters, 4)
    return windows[:, :3].copy(), windows[:, 3].copy()


@healthy(classes, 0.85)
def a_neural_probabilistic_language_model() -> Setup:
    """Vectors of the last three letters side by side into a tanh, after Bengio et al. 2003."""
    x, y = contexts(5000, seed=521)
    held_out = contexts(500, seed=522)
    net = nn.Sequential(
        nn.Embedding(12, 8), nn.Flatten(), nn.Linear(24, 64), nn.Tanh(), nn.Linear(64, 12)
    )
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.01),
        8,
        50,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.98)
def the_next_value_of_the_henon_map() -> Setup:
    """Two values of a chaotic map and the next one, the end of the series held out."""
    a = [0.1, 0.1]
    for _ in range(700):
        a.append(1 - 1.4 * a[-1] ** 2 + 0.3 * a[-2])
    series = np.array(a[100:])
    x = np.stack([series[:-2], series[1:-1]], axis=1).astype(np.float32)
    y = series[2:, None].astype(np.float32)
    held_out = (x[480:], y[480:])
    return Setup(
        m.mlp(2, 32, 1, hidden=nn.SiLU),
        x[:480],
        y[:480],
        "MSELoss",
        optim.Adam(lr=0.01),
        40,
        20,
        validation=held_out,
        fresh=held_out,
    )


@healthy(r2, 0.97)
def how_far_a_ball_is_thrown() -> Setup:
    """Speed, angle and height of a throw, standardised, and the distance, standardised too."""
    draw = m.rng(523)
    speed, angle = draw.uniform(5, 25, 600), draw.uniform(0.2, 1.3, 600)
    height = draw.uniform(0, 10, 600)
    up = speed * np.sin(angle)
    distance = speed * np.cos(angle) * (up + np.sqrt(up**2 + 2 * 9.81 * height)) / 9.81
    distance = distance + 0.3 * draw.normal(size=600)
    x, y = m.standardised(np.stack([speed, angle, height], axis=1)), m.standardised(distance)
    held_out = (x[450:], y[450:, None])
    return Setup(
        m.mlp(3, 32, 32, 1, hidden=nn.ELU),
        x[:450],
        y[:450, None],
        "MSELoss",
        optim.RMSprop(lr=0.003),
        30,
        25,
        validation=held_out,
        metrics=["mae"],
        fresh=held_out,
    )


@healthy(classes, 0.9)
def a_little_of_each_regulariser() -> Setup:
    """Dropout(0.2), an L2 penalty of 1e-4 and decay under Nesterov's momentum, on digits."""
    x, y = ink(1000)
    held_out = ink(500, start=1000)
    net = nn.Sequential(
        nn.Linear(61, 64),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.SGD(lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-4),
        15,
        25,
        validation=held_out,
        metrics=["accuracy"],
        more={"penalty": nn.L2Penalty(1e-4)},
        fresh=held_out,
    )


@healthy(classes, 0.9)
def flowers_by_a_learnt_slope() -> Setup:
    """PReLU and Adamax on a hundred flowers, fifty of them held out, as an exercise has it."""
    x, y = iris(seed=529)
    held_out = (x[100:], y[100:])
    return Setup(
        m.mlp(4, 16, 3, hidden=nn.PReLU),
        x[:100],
        y[:100],
        "CrossEntropyLoss",
        optim.Adamax(lr=0.02),
        30,
        10,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(odds, 0.8)
def contexts_that_begin_at_zero() -> Setup:
    """Skip-gram with negative samples; the table of contexts starts at 0, as in word2vec: fine."""
    draw = m.rng(525)
    words = draw.integers(0, 40, 6000)
    near = words % 5 + 5 * draw.integers(0, 8, 6000)
    yes = draw.uniform(size=6000) < 0.4
    others = np.where(yes, near, draw.integers(0, 40, 6000))
    pairs, y = np.stack([words, others], axis=1), yes[:, None].astype(np.float32)
    net = Pairs(40, 8, nn.init.uniform(-1, 1))
    net.contexts = nn.Embedding(40, 8, weight_init="zeros")
    held_out = (pairs[5000:], y[5000:])
    return Setup(
        net,
        pairs[:5000],
        y[:5000],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.02),
        6,
        50,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.98)
def a_heavy_ball_in_a_long_valley() -> Setup:
    """Momentum of 0.97 on a line in columns of sizes 1 to 1/10: the cost swings and falls: fine."""
    draw = m.rng(526)
    x = draw.normal(size=(200, 4)) * np.array([1.0, 0.5, 0.2, 0.1])
    y = x @ np.array([[1.0], [-2.0], [5.0], [10.0]]) + 0.1 * draw.normal(size=(200, 1))
    net = nn.Sequential(nn.Linear(4, 1))
    optimizer = optim.SGD(lr=0.3, momentum=0.97)
    return Setup(net, x.astype("f4"), y.astype("f4"), "MSELoss", optimizer, 300, 200)


@healthy(classes, 0.88)
def a_warm_up_that_begins_at_zero() -> Setup:
    """The rate rises from 0 over sixty steps, so that the first step moves nothing: fine."""
    x, y = m.clouds(700, 6, 10, spread=1.5, seed=527)
    held_out = (x[500:], y[500:])
    return Setup(
        m.mlp(10, 40, 6, hidden=nn.Mish),
        x[:500],
        y[:500],
        "CrossEntropyLoss",
        optim.AdamW(lr=0.004),
        10,
        25,
        validation=held_out,
        metrics=["accuracy"],
        more={"schedule": optim.LambdaLR(lambda step: min(1.0, step / 60), unit="step")},
        fresh=held_out,
    )


@healthy(chances, 0.85)
def spins_that_are_measured_once() -> Setup:
    """Up or down by chance cos²(θ/2), each spin measured once; the chance is learnt: fine."""
    draw = m.rng(528)

    def prepared(n: int) -> tuple[np.ndarray, np.ndarray]:
        spin = draw.normal(size=(n, 3))
        spin /= np.linalg.norm(spin, axis=1, keepdims=True)
        return spin.astype(np.float32), ((1 + spin[:, 2:]) / 2).astype(np.float32)

    x, p = prepared(1500)
    y = (draw.uniform(size=p.shape) < p).astype(np.float32)
    return Setup(
        m.mlp(3, 8, 1, hidden=nn.Tanh),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.005),
        15,
        30,
        metrics=["accuracy"],
        fresh=prepared(400),
    )


@healthy(classes, 1.0)
def eight_bits_through_three() -> Setup:
    """The encoder of Rumelhart et al. 1986: eight rows, their own targets, three units: fine."""
    x = np.eye(8, dtype=np.float32)
    net = nn.Sequential(nn.Linear(8, 3), nn.Sigmoid(), nn.Linear(3, 8), nn.Sigmoid())
    return Setup(net, x, x.copy(), "BCELoss", optim.Adam(lr=0.05), 400, 8)
