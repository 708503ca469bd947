"""Broken set-ups of the fourth exam."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.held_out import fourth_material as m
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import AFTER, Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2
from tests.explanation.diagnosing.setups.material import mixed_digits

broken = partial(case.broken, exam="fourth")


@broken(
    "learning-rate-too-large",
    classes,
    0.88,
    also=[
        "exploding-gradient",
        "class-collapse",
        "dead-units",
        "gradient-zero",
        "constant-features",
    ],
)
def the_rate_of_five_hundred_for_batches_of_four(mended: bool = False) -> Setup:
    """Batches went from 500 to 4, as memory was short, and the rate stayed: half, with momentum."""
    (x, y), held_out = mixed_digits(seed=80)
    return Setup(
        m.mlp(64, 48, 24, 10),
        x[:600],
        y[:600],
        "CrossEntropyLoss",
        optim.SGD(lr=0.005 if mended else 0.5, momentum=0.9),
        8,
        4,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@broken("learning-rate-too-small", classes, 0.85, also=["class-collapse"])
def a_decay_of_epochs_after_each_batch(mended: bool = False) -> Setup:
    """The scheduler's step stands in the loop over batches: a tenth less after each of them."""
    x, y = m.letters(500, seed=81)
    net = nn.Sequential(
        nn.Embedding(20, 8), nn.Flatten(), nn.Linear(80, 32), nn.ReLU(), nn.Linear(32, 3)
    )
    decay = optim.ExponentialLR(gamma=0.9, unit="epoch" if mended else "step")
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.SGD(lr=0.1, momentum=0.5),
        20,
        25,
        metrics=["accuracy"],
        more={"schedule": decay},
    )


@broken(
    "unscaled-inputs",
    classes,
    0.93,
    also=[
        "exploding-gradient",
        "learning-rate-too-large",
        "dead-units",
        "gradient-zero",
        "class-collapse",
    ],
)
def wines_with_all_their_proline(mended: bool = False) -> Setup:
    """Proline of up to 1500 beside a hue of one: nobody standardised the columns of the wines."""
    x, y = m.wines(400, seed=82)
    x = m.standardised(x) if mended else x
    optimizer = optim.SGD(lr=0.05, momentum=0.9)
    net = m.mlp(13, 32, 16, 3)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 15, 20, metrics=["accuracy"])


@broken("overfitting", classes, 0.8, looked_at=(AFTER,))
def seventy_pictures_taken_in_the_dark(mended: bool = False) -> Setup:
    """Seventy digits in heavy noise and 17 000 weights: learnt by heart, others are not read."""
    training, held_out, fresh = m.dark_digits(1000 if mended else 70, 0.3, seed=83)
    return Setup(
        m.mlp(64, 128, 64, 10),
        *training,
        "CrossEntropyLoss",
        optim.Adam(lr=0.003),
        3 if mended else 40,  # about as many steps with a thousand digits
        20,
        validation=held_out,
        metrics=["accuracy"],
        fresh=fresh,
    )


def _takings(seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = m.rng(seed)
    x = draw.uniform(0, 1, (400, 5))
    y = 1 + 2 * x[:, :1] * x[:, 1:2] + np.sin(3 * x[:, 2:3]) + 0.05 * draw.normal(size=(400, 1))
    return x.astype(np.float32), y.astype(np.float32)


@broken("dead-units", r2, 0.85, also=["gradient-zero", "vanishing-gradient", "no-update"])
def an_output_that_never_switches_on(mended: bool = False) -> Setup:
    """A rectifier at the end, as takings are not negative, whose sum is below 0 on every row."""
    x, y = _takings(84)
    net = m.mlp(5, 24, 1, hidden=nn.SiLU)
    net.initialize(seed=35)
    if not mended:
        net.append(nn.ReLU())
    return Setup(net, x, y, "MSELoss", optim.Adam(lr=0.02), 50, 25)


@broken("loss-output-mismatch", odds, 0.88, also=["unreachable-targets", "class-collapse"])
def diseases_that_share_a_softmax(mended: bool = False) -> Setup:
    """A softmax over five diseases, of which one may have several, before BCEWithLogitsLoss."""
    x, y = m.charts(500, seed=85)
    net = m.mlp(12, 40, 5)
    if not mended:
        net.append(nn.Softmax())
    optimizer = optim.Adam(lr=0.01)
    return Setup(net, x, y, "BCEWithLogitsLoss", optimizer, 20, 25, metrics=["accuracy"])


@broken(
    "shuffled-targets",
    classes,
    0.85,
    also=["overfitting", "noisy-targets", "too-few-units", "constant-features"],
)
def files_in_the_order_of_their_names(mended: bool = False) -> Setup:
    """Pictures came as 0, 1, 10, 100, 101, ... from a folder, their labels as 0, 1, 2, 3, ..."""
    (x, y), fresh = mixed_digits(seed=86)
    if not mended:
        x = x[sorted(range(len(x)), key=str)]
    return Setup(
        m.mlp(64, 64, 10),
        x[:800],
        y[:800],
        "CrossEntropyLoss",
        optim.Adam(lr=0.003),
        30,
        32,
        validation=(x[800:], y[800:]),
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken("vanishing-gradient", r2, 0.4, also=["learning-rate-too-small", "constant-features"])
def an_autoencoder_of_sigmoids(mended: bool = False) -> Setup:
    """Six layers of sigmoids from a picture to eight numbers and back, under plain descent."""
    (x, _), _ = mixed_digits(seed=87)
    net = m.mlp(64, 32, 16, 8, 16, 32, 64, hidden=nn.ELU if mended else nn.Sigmoid)
    net.append(nn.Sigmoid())
    optimizer = optim.SGD(lr=1.0, momentum=0.9)
    return Setup(net, x[:600], x[:600], "MSELoss", optimizer, 25, 20)


class Wheel(nn.Module):
    """Says where to turn a wheel, between -1 and 1."""

    def __init__(self, inputs: int):
        self.first = nn.Linear(inputs, 32)
        self.second = nn.Linear(32, 16)
        self.last = nn.Linear(16, 1)

    def forward(self, x):
        h = cr.relu(self.second(cr.relu(self.first(x))))
        return cr.tanh(self.last(h))


@broken(
    "unreachable-targets",
    r2,
    0.85,
    also=[
        "unscaled-targets",
        "saturated-units",
        "vanishing-gradient",
        "gradient-zero",
        "dead-units",
    ],
)
def a_wheel_in_degrees_under_a_tanh(mended: bool = False) -> Setup:
    """A wheel's angle of up to forty degrees, and tanh at the end, which says one at most."""
    draw = m.rng(88)
    x = draw.normal(size=(400, 6))
    y = 40 * np.tanh(0.6 * x[:, :1] - 0.5 * x[:, 1:2] + 0.3 * x[:, 2:3] * x[:, 3:4])
    y = y / 45 if mended else y
    optimizer = optim.Adam(lr=0.01)
    return Setup(Wheel(6), x.astype("f4"), y.astype("f4"), "MSELoss", optimizer, 30, 20)


@broken(
    "constant-features",
    odds,
    0.85,
    also=["duplicate-features", "too-few-units", "class-imbalance", "noisy-targets"],
)
def categories_numbered_anew_in_each_row(mended: bool = False) -> Setup:
    """An encoder was fitted to each row by itself, so that every category is its first one: 0."""
    draw = m.rng(89)
    kinds = draw.integers(0, 4, (600, 3))
    amounts = draw.normal(size=(600, 3))
    worth = np.array([[-2, 0, 1, 2], [1, -1, 2, -1], [0, 1, -2, 0.5]])
    z = worth[np.arange(3), kinds].sum(axis=1) + amounts[:, 0]
    kinds = (kinds - 1.5) / 1.1 if mended else 0 * kinds
    x = np.concatenate([kinds, amounts], axis=1).astype(np.float32)
    y = (z > 0.3)[:, None].astype(np.float32)
    optimizer = optim.Adam(lr=0.01)
    net = m.mlp(6, 48, 24, 1)
    return Setup(net, x, y, "BCEWithLogitsLoss", optimizer, 40, 25, metrics=["accuracy"])
