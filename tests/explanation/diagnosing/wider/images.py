"""Small images: convolutions, autoencoders, transfer. Most only look as if something were wrong."""

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
broken = partial(case.broken, exam="wider")


def pictures(n: int, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Digits in random order, x float32 (n, 8, 8) from 0 to 1."""
    x, y = m.digits(1797)
    order = m.rng(100).permutation(len(x))[start : start + n]
    return x[order].reshape(-1, 8, 8), y[order]


class Middle(nn.Module):
    """The mean over all pixels of each channel."""

    def forward(self, x):
        return x.mean(axis=(1, 2))


@healthy(classes, 0.88, also=["constant-features", "duplicate-features"])
def channels_under_a_layer_norm() -> Setup:
    """Two convolutions with a layer norm over channels and the mean over all pixels at the end."""
    x, y = pictures(600)
    held_out = pictures(300, 600)
    net = nn.Sequential(
        m.Convolution(1, 16),
        nn.LayerNorm(16),
        nn.GELU(),
        m.Convolution(16, 24),
        nn.LayerNorm(24),
        nn.GELU(),
        Middle(),
        nn.Linear(24, 10),
    )
    optimizer = optim.AdamW(lr=0.005)
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optimizer,
        12,
        25,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


class Tied(nn.Module):
    """An autoencoder whose decoder has the encoder's weights, transposed."""

    def __init__(self, inputs: int, code: int):
        self.inward = nn.Linear(inputs, code)
        self.back = nn.Parameter(np.zeros(inputs, np.float32))

    def forward(self, x):
        return self.inward(x) @ self.inward.weight + self.back


@healthy(r2, 0.75, also=["constant-features", "duplicate-features"])
def a_decoder_that_is_the_encoder_transposed() -> Setup:
    """Tied weights and no activation: what principal components do, and that is fine."""
    x, _ = m.ink(900)
    held_out = m.ink(400, 900)[0]
    return Setup(
        Tied(61, 16),
        x[:700],
        x[:700],
        "MSELoss",
        optim.Adam(lr=0.01),
        20,
        validation=(held_out, held_out),
        fresh=(held_out, held_out),
    )


@healthy(classes, 0.85, also=["constant-features", "duplicate-features"])
def each_picture_in_three_places() -> Setup:
    """Each digit, and the same a pixel to either side: training is harder than validation: fine."""
    x, y = pictures(300)
    x = np.concatenate([x, np.roll(x, 1, axis=2), np.roll(x, -1, axis=2)])
    net = nn.Sequential(
        m.Convolution(1, 12), nn.ReLU(), m.Halved(), nn.Flatten(), nn.Linear(108, 10)
    )
    held_out = pictures(400, 400)
    return Setup(
        net,
        x,
        np.concatenate([y, y, y]),
        "CrossEntropyLoss",
        optim.NAdam(lr=0.015),
        10,
        30,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(classes, 0.93, also=["constant-features", "duplicate-features"])
def trained_on_at_a_small_rate() -> Setup:
    """Fine-tuning: a trained network sees 500 new digits at a small rate, and that is fine."""
    x, y = pictures(900)
    first = Setup(
        m.mlp(64, 64, 10), x.reshape(-1, 64), y, "CrossEntropyLoss", optim.Adam(lr=0.003), 15
    )
    first.fit()
    x, y = pictures(500, 900)
    held_out = pictures(397, 1400)
    held_out = (held_out[0].reshape(-1, 64), held_out[1])
    return Setup(
        first.net,
        x.reshape(-1, 64),
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.0003),
        6,
        25,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


class Compared(nn.Module):
    """Cosines of a picture's code with one vector for each class, over a temperature."""

    def __init__(self, inputs: int, width: int, outputs: int, temperature: float):
        self.body = m.mlp(inputs, width, width)
        self.centres = nn.Linear(width, outputs, bias=False)
        self.temperature = temperature

    def forward(self, x):
        code, centre = self.body(x), self.centres.weight
        code = code / (code.square().sum(axis=1, keepdims=True) + 1e-6).sqrt()
        centre = centre / (centre.square().sum(axis=1, keepdims=True) + 1e-6).sqrt()
        return code @ centre.T / self.temperature


@healthy(classes, 0.92)
def cosines_over_a_temperature_of_a_tenth() -> Setup:
    """Logits are cosines over 0.1: never beyond ±10, whatever the weights, and that is fine."""
    x, y = m.ink(1797)
    order = m.rng(101).permutation(len(x))
    x, y = x[order], y[order]
    return Setup(
        Compared(61, 32, 10, 0.1),
        x[:900],
        y[:900],
        "CrossEntropyLoss",
        optim.Adam(lr=0.005),
        12,
        validation=(x[900:], y[900:]),
        metrics=["accuracy"],
        fresh=(x[900:], y[900:]),
    )


@healthy(classes, 0.93, also=["constant-features"])
def a_thousand_units_that_are_held_back() -> Setup:
    """71 000 weights for 1000 digits, with dropout and weight decay, and that is fine."""
    (x, y), held_out = m.mixed_digits(102)
    net = nn.Sequential(nn.Linear(64, 950), nn.ReLU(), nn.Dropout(0.4), nn.Linear(950, 10))
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.AdamW(lr=0.002, weight_decay=0.1),
        12,
        50,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


def bars(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of 6 by 6 with a slanted bar somewhere; y whether it leans to the right."""
    draw = m.rng(seed)
    y = draw.integers(0, 2, n)
    x = 0.2 * draw.normal(size=(n, 6, 6))
    top, left = draw.integers(0, 4, n), draw.integers(0, 4, n)
    for k in range(3):
        x[np.arange(n), top + k, np.where(y == 1, left + 2 - k, left + k)] += 1
    return x.astype(np.float32), y[:, None].astype(np.float32)


@broken("noisy-targets", odds, 0.93, also=["overfitting", "too-few-units"])
def mirrored_without_their_labels(mended: bool = False) -> Setup:
    """A third of the bars were mirrored to have more of them: they now lean the other way."""
    x, y = bars(900, seed=103)
    fresh = bars(500, seed=104)
    mirrored = m.rng(105).uniform(size=len(x)) < 0.33
    x[mirrored] = x[mirrored, :, ::-1]
    if mended:
        y[mirrored] = 1 - y[mirrored]
    net = nn.Sequential(m.Convolution(1, 24), nn.ReLU(), nn.Flatten(), nn.Linear(384, 1))
    return Setup(
        net,
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.003),
        25,
        30,
        metrics=["accuracy"],
        fresh=fresh,
    )


class Steep(nn.Module):
    """A sigmoid that is to look like a step."""

    def __init__(self, slope: float):
        self.slope = slope

    def forward(self, x):
        return cr.sigmoid(self.slope * x)


@broken(
    "saturated-units",
    classes,
    0.85,
    also=[
        "vanishing-gradient",
        "gradient-zero",
        "exploding-gradient",
        "learning-rate-too-large",
        "constant-features",
    ],
)
def sigmoids_as_steep_as_steps(mended: bool = False) -> Setup:
    """sigmoid(200·z), so that units are on or off: nearly all are at an end, with slope 0."""
    x, y = m.ink(800)
    slope = 1.0 if mended else 200.0
    net = nn.Sequential(
        nn.Linear(61, 32), Steep(slope), nn.Linear(32, 16), Steep(slope), nn.Linear(16, 10)
    )
    optimizer = optim.Adam(lr=0.01)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 20, metrics=["accuracy"])


@broken(
    "frozen-layer",
    classes,
    0.85,
    also=["constant-features", "duplicate-features", "too-few-units"],
)
def a_body_at_a_rate_of_zero(mended: bool = False) -> Setup:
    """groups={"body.*": lr=0} stayed from a network that was trained: this one is new."""

    class Net(nn.Module):
        def __init__(self):
            self.body = m.mlp(64, 24, 6)
            self.head = nn.Linear(6, 10)

        def forward(self, x):
            return self.head(cr.relu(self.body(x)))

    (x, y), held_out = m.mixed_digits(106)
    groups = {} if mended else {"body.*": {"lr": 0.0}}
    optimizer = optim.Adam(lr=0.007, groups=groups)
    return Setup(
        Net(),
        x,
        y,
        "CrossEntropyLoss",
        optimizer,
        15,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@broken(
    "batch-norm-on-tiny-batch",
    classes,
    0.9,
    also=["constant-features"],
)
def two_at_a_time_to_make_sixteen(mended: bool = False) -> Setup:
    """accumulate=8 to have batches of 16: the gradient has them, batch norm still sees two."""
    (x, y), held_out = m.mixed_digits(107)
    net = nn.Sequential(
        nn.Linear(64, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.003),
        6,
        16 if mended else 2,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
        more={} if mended else {"accumulate": 8},
    )


@broken("loss-output-mismatch", classes, 0.9)
def scores_into_a_negative_log_likelihood(mended: bool = False) -> Setup:
    """NLLLoss without the log_softmax that it wants: the loss falls below zero, without end."""
    x, y = m.ink(900)
    net = m.mlp(61, 32, 10)
    if mended:
        net.append(nn.LogSoftmax(dim=1))
    optimizer = optim.Adam(lr=0.003)
    return Setup(net, x, y, "NLLLoss", optimizer, 15, metrics=["accuracy"])
