"""Broken set-ups of the sixth exam: what is common, from desks where one core trains."""

from __future__ import annotations

from functools import partial

import numpy as np

from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from tests.explanation.diagnosing.held_out import material as m
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2
from tests.explanation.diagnosing.setups.material import Convolution, ink, mixed_digits, spirals

broken = partial(case.broken, exam="sixth")


class Pooled(nn.Module):
    """Attention over the places of a sequence: Σ softmax(s(hₜ))·hₜ, or just their mean."""

    def __init__(self, inputs: int, width: int, weighed: bool):
        self.inward = nn.Linear(inputs, width)
        self.score = nn.Linear(width, 1)
        self.reading = nn.Linear(width, 1)
        self.weighed = weighed

    def forward(self, x):
        h = self.inward(x)
        weights = self.score(h).softmax(axis=1)
        return self.reading((weights * h).sum(axis=1) if self.weighed else h.mean(axis=1))


@broken("gradient-missing", r2, 0.9, also=["too-few-units", "frozen-layer"])
def attention_that_is_computed_and_not_applied(mended: bool = False) -> Setup:
    """Weights of the places are made, and then h.mean(1) is read: the marked place is lost."""
    draw = m.rng(600)
    x = draw.normal(size=(500, 10, 4))
    x[:, :, 0] = 0
    marked = draw.integers(0, 10, 500)
    x[np.arange(500), marked, 0] = 3
    y = x[np.arange(500), marked, 1:2] - 0.5 * x[np.arange(500), marked, 2:3]
    y = y + 0.1 * draw.normal(size=(500, 1))
    net = Pooled(4, 16, weighed=mended)
    return Setup(net, x.astype("f4"), y.astype("f4"), "MSELoss", optim.Adam(lr=0.01), 25, 25)


@broken(
    "saturated-units",
    odds,
    0.85,
    also=["vanishing-gradient", "exploding-gradient", "overfitting", "learning-rate-too-large"],
)
def a_spread_times_the_root_of_the_inputs(mended: bool = False) -> Setup:
    """Weights are drawn and multiplied by √n, where Xavier's rule divides by it, under tanh."""
    draw = m.rng(601)
    x = draw.normal(size=(1100, 20)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] - x[:, 2] + 0.5 * x[:, 3] * x[:, 4] > 0)[:, None].astype(np.float32)
    net = nn.Sequential()
    for inputs, outputs in ((20, 40), (40, 40)):
        spread = inputs**-0.5 if mended else inputs**0.5
        net.append(nn.Linear(inputs, outputs, weight_init=nn.init.normal(0.0, spread)))
        net.append(nn.Tanh())
    net.append(nn.Linear(40, 1))
    optimizer = optim.SGD(lr=0.05, momentum=0.9)
    return Setup(
        net,
        x[:600],
        y[:600],
        "BCEWithLogitsLoss",
        optimizer,
        12,
        25,
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
    )


@broken(
    "loss-output-mismatch",
    odds,
    0.88,
    also=["unreachable-targets", "saturated-units", "class-collapse", "vanishing-gradient"],
)
def a_probability_into_a_hinge(mended: bool = False) -> Setup:
    """A sigmoid before HingeLoss of -1 and +1, which takes scores: no answer is below zero."""
    draw = m.rng(602)
    x = draw.normal(size=(500, 8))
    z = x @ draw.normal(size=(8, 1)) + 0.8 * x[:, :1] * x[:, 1:2] + 0.2 * draw.normal(size=(500, 1))
    net = m.mlp(8, 32, 1)
    if not mended:
        net.append(nn.Sigmoid())
    optimizer = optim.Adam(lr=0.01)
    return Setup(net, x.astype("f4"), np.sign(z).astype("f4"), "HingeLoss", optimizer, 20, 25)


@broken("unscaled-targets", r2, 0.85, also=["learning-rate-too-small", "exploding-gradient"])
def rents_in_yen(mended: bool = False) -> Setup:
    """Rents of forty to two hundred thousand yen as they are, standardised columns and Adam."""
    draw = m.rng(603)
    area, walk = draw.uniform(15, 70, 500), draw.gamma(3.0, 3.0, 500)
    age, floor = draw.uniform(0, 40, 500), draw.integers(1, 12, 500)
    rent = 25_000 + 2600 * area * np.exp(-0.02 * walk) - 600 * age + 900 * floor
    rent = (rent + draw.normal(0, 5000, 500))[:, None]
    x = m.standardised(np.stack([area, walk, age, floor], axis=1))
    y = m.standardised(rent) if mended else rent.astype(np.float32)
    return Setup(m.mlp(4, 32, 16, 1), x, y, "MSELoss", optim.Adam(lr=0.003), 25, 25)


def _heartbeats(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sixty samples of a beat in noise; y whether its second wave is there."""
    draw = m.rng(seed)
    t = np.linspace(0, 1, 60)
    y = draw.integers(0, 2, n)
    beat = np.exp(-(((t - 0.3) / 0.03) ** 2))
    wave = np.exp(-(((t - 0.65) / 0.06) ** 2))
    x = beat + 0.9 * y[:, None] * wave + 0.8 * draw.normal(size=(n, 60))
    return x.astype(np.float32), y[:, None].astype(np.float32)


@broken("overfitting", odds, 0.8, looked_at=(AFTER,))
def the_hearts_of_forty_volunteers(mended: bool = False) -> Setup:
    """Forty noisy heartbeats and 12 000 weights, sixty epochs: others' hearts are not read."""
    x, y = _heartbeats(1600 if mended else 40, 604)
    held_out, fresh = _heartbeats(200, 605), _heartbeats(500, 606)
    return Setup(
        m.mlp(60, 128, 32, 1),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.002),
        2 if mended else 60,  # about as many steps with the many
        16,
        validation=held_out,
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken("frozen-layer", classes, 0.9, also=["too-few-units", "learning-rate-too-small"])
def layers_that_were_to_thaw_later(mended: bool = False) -> Setup:
    """A new network begins with all but its head frozen; the epoch to unfreeze them never came."""
    x, y = spirals(400, seed=607)
    net = m.mlp(2, 24, 24, int(y.max()) + 1, hidden=nn.LeakyReLU)
    for layer in (net[0], net[2]):
        for parameter in layer.parameters():
            parameter.requires_grad = mended
    optimizer = optim.Adam(lr=0.02)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 80, 25, metrics=["accuracy"])


@broken(
    "learning-rate-too-large",
    classes,
    0.85,
    also=[
        "exploding-gradient",
        "class-collapse",
        "loss-not-finite",
        "gradient-not-finite",
        "constant-features",
    ],
    refused=NonFiniteError,
)
def filters_at_a_rate_of_one(mended: bool = False) -> Setup:
    """SGD(lr=1, momentum=0.9), tried because training was slow, on filters over digits."""
    (x, y), fresh = mixed_digits(seed=608)
    net = nn.Sequential(
        nn.Unflatten(1, (8, 8)),
        Convolution(1, 8),
        nn.LeakyReLU(0.1),
        nn.Flatten(),
        nn.Linear(288, 10),
    )
    return Setup(
        net,
        x[:600],
        y[:600],
        "CrossEntropyLoss",
        optim.SGD(lr=0.02 if mended else 1.0, momentum=0.9),
        8,
        20,
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken(
    "penalty-too-strong",
    r2,
    0.5,
    also=["vanishing-gradient", "dead-units", "gradient-zero", "constant-features"],
)
def a_sparse_code_of_nothing(mended: bool = False) -> Setup:
    """An L1 penalty of 0.1 on all weights of an autoencoder whose error is a tenth at most."""
    x, _ = ink(800)
    net = nn.Sequential(nn.Linear(61, 24), nn.ReLU(), nn.Linear(24, 61))
    penalty = nn.L1Penalty(1e-6 if mended else 0.1)
    optimizer = optim.Adam(lr=0.005)
    return Setup(net, x, x.copy(), "MSELoss", optimizer, 20, 25, more={"penalty": penalty})


@broken("leaking-split", r2, 0.85, learns=True)
def validated_on_the_whole_table(mended: bool = False) -> Setup:
    """Training takes the first 300 rows, and validation=(x, y) takes all, those among them."""
    draw = m.rng(610)
    x = draw.normal(size=(500, 6)).astype(np.float32)
    y = np.sin(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:3] + x[:, 3:4]
    y = (y + 0.1 * draw.normal(size=(500, 1))).astype(np.float32)
    start = 300 if mended else 0
    return Setup(
        m.mlp(6, 32, 1, hidden=nn.SiLU),
        x[:300],
        y[:300],
        "MSELoss",
        optim.Adam(lr=0.01),
        40,
        20,
        validation=(x[start:], y[start:]),
    )


@broken(
    "not-finite-data",
    classes,
    0.85,
    looked_at=(BEFORE,),
    also=[
        "loss-not-finite",
        "gradient-not-finite",
        "class-collapse",
        "constant-features",
        "duplicate-features",
    ],
    refused=NonFiniteError,
)
def an_empty_picture_scaled_by_itself(mended: bool = False) -> Setup:
    """Each picture less its mean by its own spread; one scan is white all over, and 0/0 is NaN."""
    x, y = ink(600)
    x[217] = 0
    with np.errstate(invalid="ignore"):
        spread = x.std(axis=1, keepdims=True) + (1e-6 if mended else 0)
        x = (x - x.mean(axis=1, keepdims=True)) / spread
    optimizer = optim.SGD(lr=0.05, momentum=0.9)
    return Setup(
        m.mlp(61, 32, 10), x, y, "CrossEntropyLoss", optimizer, 8, 25, metrics=["accuracy"]
    )
