"""Broken networks as people ask about them in forums: what is wrong lies in layers and costs."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import BEFORE, Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2

broken = partial(case.broken, exam="wider")
EDGES = "constant-features"


class Coded(nn.Module):
    """An autoencoder whose code is a grid of quarters, as it is to be stored in few bits."""

    def __init__(self, straight: bool):
        self.inward = nn.Linear(61, 16)
        self.outward = m.mlp(16, 48, 61)
        self.straight = straight

    def forward(self, x):
        code = cr.tanh(self.inward(x))
        grid = cr.floor(4 * code + 0.5) / 4
        if self.straight:
            grid = code + cr.stop_gradient(grid - code)
        return self.outward(grid)


@broken("gradient-zero", r2, 0.62)
def a_code_that_is_rounded_to_quarters(mended: bool = False) -> Setup:
    """An autoencoder's code is rounded, and nothing takes the gradient past the rounding."""
    x, _ = m.ink(1000)
    fresh, _ = m.ink(700, 1000)
    return Setup(Coded(mended), x, x, "MSELoss", optim.Adam(lr=0.005), 25, fresh=(fresh, fresh))


class Overwritten(nn.Module):
    """Sines and cosines of an angle that is learnt, and a hidden layer, each result named h."""

    def __init__(self, joined: bool):
        self.wide = nn.Linear(3, 32)
        self.narrow = nn.Linear(3, 32)
        self.reading = nn.Linear(32, 1)
        self.joined = joined

    def forward(self, x):
        h = cr.sin(3 * self.wide(x))
        h = self.narrow(x) + h if self.joined else self.narrow(x)
        return self.reading(h)


@broken("gradient-missing", r2, 0.85, also=["too-few-units"])
def a_result_that_the_next_line_overwrites(mended: bool = False) -> Setup:
    """h = sin(wide(x)), and then h = narrow(x) where h + narrow(x) was meant: a line is left."""
    draw = m.rng(500)
    x = draw.uniform(-1, 1, (900, 3)).astype(np.float32)
    y = m.standardised(np.sin(3 * x[:, :1]) * np.cos(2 * x[:, 1:2]) + x[:, 2:] ** 2)
    return Setup(
        Overwritten(mended),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        fresh=(x[600:], y[600:]),
    )


class Standardised(nn.Module):
    """Each word's vector less its mean, by its spread: not defined for the vector of zeros."""

    def __init__(self, inside: bool):
        self.words = nn.Embedding(60, 16)
        self.reading = nn.Linear(16, 1)
        self.inside = inside

    def forward(self, x):
        v = self.words(x) * cr.expand_dims((x > 0).astype("float32"), -1)
        off = v - v.mean(axis=-1, keepdims=True)
        square = off.square().mean(axis=-1, keepdims=True)
        spread = cr.sqrt(square + 1e-5) if self.inside else cr.sqrt(square) + 1e-5
        return self.reading((off / spread).mean(axis=1))


@broken("gradient-not-finite", odds, 0.9, looked_at=(BEFORE,), refused=NonFiniteError)
def an_epsilon_outside_the_root(mended: bool = False) -> Setup:
    """√v + ε of the padding's vector, which is all zeros: the value is there, its slope is not."""
    x, y = m.sentences(1400, 10, seed=501)
    draw = m.rng(501)
    x[draw.uniform(size=x.shape) < 0.05] = 0
    return Setup(
        Standardised(mended),
        x[:900],
        y[:900],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.02),
        25,
        fresh=(x[900:], y[900:]),
    )


@broken(
    "loss-not-finite",
    r2,
    0.75,
    looked_at=(BEFORE,),
    refused=NonFiniteError,
    also=["gradient-not-finite"],
)
def percentages_of_days_without_a_sale(mended: bool = False) -> Setup:
    """The mean percentage error |y - ŷ|/y, of sales that are 0 on some days."""

    def percentage(output, target):
        return (abs(output - target) / (target + 1 if mended else target)).mean(axis=1)

    draw = m.rng(502)
    x = draw.normal(size=(600, 4)).astype(np.float32)
    y = draw.poisson(np.exp(1.4 + 0.8 * x[:, :1] - 0.4 * x[:, 1:2])).astype(np.float32)
    mean = np.exp(1.4 + 0.8 * x[400:, :1] - 0.4 * x[400:, 1:2])
    return Setup(
        m.mlp(4, 24, 1, hidden=nn.SiLU),
        x[:400],
        y[:400],
        percentage,
        optim.Adam(lr=0.01),
        60,
        fresh=(x[400:], mean),
    )


def positive(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, weight_init=nn.init.uniform(0.0, 1.0), bias_init="zeros")


@broken(
    "exploding-gradient",
    classes,
    0.88,
    also=[EDGES, "learning-rate-too-large", "class-collapse", "dead-units", "duplicate-features"],
)
def weights_of_random_rand(mended: bool = False) -> Setup:
    """np.random.rand for the weights of five layers: all above 0, each sum tens of times larger."""
    (x, y), fresh = m.mixed_digits(503)
    layer = nn.Linear if mended else positive
    net = nn.Sequential()
    for inputs in (64, 64, 64, 64):
        net.append(layer(inputs, 64))
        net.append(nn.ReLU())
    net.append(layer(64, 10))
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.1), 15, 16, fresh=fresh)


@broken(
    "vanishing-gradient",
    classes,
    0.85,
    also=[EDGES, "class-collapse", "learning-rate-too-small", "loss-output-mismatch"],
)
def a_softmax_behind_every_layer(mended: bool = False) -> Setup:
    """Softmax as the hidden activation of three layers: 64 shares of a whole, all of them small."""
    (x, y), fresh = m.mixed_digits(504)
    net = nn.Sequential()
    for _ in range(3):
        net.append(nn.Linear(64, 64))
        net.append(nn.ReLU() if mended else nn.Softmax(dim=-1))
    net.append(nn.Linear(64, 10))
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.1), 15, 16, fresh=fresh)


@broken("dead-units", r2, 0.85, also=["gradient-zero"])
def a_threshold_of_twenty(mended: bool = False) -> Setup:
    """Threshold(20, 0), a number from Softplus's page: no unit's sum is ever above 20."""
    x, y = m.houses(700, seed=505)
    x, y = m.standardised(x), m.standardised(y)
    cut = 0.0 if mended else 20.0
    net = nn.Sequential(
        nn.Linear(4, 32), nn.Threshold(cut, 0), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1)
    )
    optimizer = optim.RMSprop(lr=0.005)
    return Setup(net, x[:500], y[:500], "MSELoss", optimizer, 25, fresh=(x[500:], y[500:]))


class Summed(nn.Module):
    """Word vectors times a factor, summed or averaged, through tanh."""

    def __init__(self, mended: bool):
        self.words = nn.Embedding(60, 64)
        self.hidden = nn.Linear(64, 32)
        self.reading = nn.Linear(32, 1)
        self.mended = mended

    def forward(self, x):
        v = self.words(x).mean(axis=1) if self.mended else (8 * self.words(x)).sum(axis=1)
        return self.reading(cr.tanh(self.hidden(v)))


@broken("saturated-units", odds, 0.9, also=["overfitting", "vanishing-gradient"])
def vectors_times_the_root_of_their_width(mended: bool = False) -> Setup:
    """Word vectors times √64, as a transformer has them, summed over ten words into a tanh."""
    x, y = m.sentences(1400, 10, seed=506)
    return Setup(
        Summed(mended),
        x[:900],
        y[:900],
        "BCEWithLogitsLoss",
        optim.SGD(lr=0.3, momentum=0.9),
        12,
        fresh=(x[900:], y[900:]),
    )


@broken("symmetric-initialization", classes, 0.85, also=[EDGES, "class-collapse", "too-few-units"])
def filters_that_are_all_alike(mended: bool = False) -> Setup:
    """A loop sets every parameter of a convolutional network to 0.01: eight filters are one."""
    (x, y), (fx, fy) = m.mixed_digits(507)
    start = None if mended else 0.01
    net = nn.Sequential(
        nn.Unflatten(1, (8, 8)),
        m.Convolution(1, 8),
        nn.ReLU(),
        m.Halved(),
        nn.Flatten(),
        nn.Linear(72, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )
    for path, parameter in net.named_parameters():
        if start is not None and path.endswith(("weight", "bias")):
            parameter.initializer = nn.init.constant(start)
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.01), 12, fresh=(fx, fy))


class Bounded(nn.Module):
    """An autoencoder whose pictures end in a bounded function."""

    def __init__(self, last):
        self.encode = m.mlp(61, 64, 16)
        self.decode = m.mlp(16, 64, 61)
        self.last = last

    def forward(self, x):
        return self.last(self.decode(cr.relu(self.encode(x))))


@broken("unreachable-targets", r2, 0.6, also=["saturated-units"])
def pictures_from_minus_one_to_one_under_a_sigmoid(mended: bool = False) -> Setup:
    """Normalize(0.5, 0.5) came into an autoencoder that ends in a sigmoid: paper is -1."""
    x = 2 * m.ink(1000)[0] - 1
    fresh = 2 * m.ink(700, 1000)[0] - 1
    optimizer = optim.Adam(lr=0.003)
    return Setup(
        Bounded(cr.tanh if mended else cr.sigmoid),
        x,
        x,
        "MSELoss",
        optimizer,
        25,
        fresh=(fresh, fresh),
    )


@broken("loss-output-mismatch", odds, 0.9, also=["unreachable-targets", "class-collapse"])
def a_hinge_for_zeros_and_ones(mended: bool = False) -> Setup:
    """max(0, 1 - y·z) wants y of -1 and +1: where y is 0 it is 1 whatever the network says."""

    def hinge(output, target):
        return cr.relu(1 - target * output).mean(axis=1)

    x, y = m.moons(700, 0.1, seed=508)
    if mended:
        y = 2 * y - 1
    return Setup(
        m.mlp(2, 24, 1), x[:400], y[:400], hinge, optim.Adam(lr=0.01), 30, fresh=(x[400:], y[400:])
    )


@broken(
    "loss-output-mismatch",
    odds,
    0.85,
    also=["gradient-zero", "class-collapse", "learning-rate-too-small"],
)
def categorical_cross_entropy_of_one_output(mended: bool = False) -> Setup:
    """-Σ y·log softmax(z) over a single output is 0 for all weights, as softmax is 1."""

    def categorical(output, target):
        if mended:
            output = cr.concatenate([0 * output, output], axis=1)
            target = cr.concatenate([1 - target, target], axis=1)
        return -(target * cr.log_softmax(output, axis=-1)).sum(axis=1)

    x, y = m.applicants(800, seed=509)
    x = m.standardised(np.log1p(x))
    net = m.mlp(4, 16, 1)
    return Setup(
        net, x[:500], y[:500], categorical, optim.Adam(lr=0.01), 20, fresh=(x[500:], y[500:])
    )


@broken("dropout-too-strong", r2, 0.85, also=["too-few-units"])
def dropout_behind_the_last_layer(mended: bool = False) -> Setup:
    """Dropout(0.8) by copy and paste behind the output too: four answers in five become 0."""
    draw = m.rng(510)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = m.standardised(np.tanh(x[:, :1]) + x[:, 1:2] * 0.7 + 0.2 * draw.normal(size=(900, 1)))
    net = m.mlp(5, 32, 1)
    if not mended:
        net.append(nn.Dropout(0.8))
    held_out = (x[600:], y[600:])
    return Setup(
        net,
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        validation=held_out,
        fresh=held_out,
    )


def normed(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU())


@broken("batch-norm-on-tiny-batch", r2, 0.8)
def three_pictures_fit_the_memory(mended: bool = False) -> Setup:
    """batch_size=3, because more did not fit, under three layers of batch norm."""
    draw = m.rng(511)
    x = draw.normal(size=(900, 6)).astype(np.float32)
    y = m.standardised(x[:, :1] + x[:, 1:2] * x[:, 2:3] + 0.1 * draw.normal(size=(900, 1)))
    net = nn.Sequential(normed(6, 32), normed(32, 32), normed(32, 32), nn.Linear(32, 1))
    held_out = (x[600:], y[600:])
    return Setup(
        net,
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.005),
        12,
        30 if mended else 3,
        validation=held_out,
        fresh=held_out,
    )


@broken("frozen-layer", classes, 0.85, also=[EDGES, "too-few-units"])
def filters_frozen_as_if_they_had_seen_pictures(mended: bool = False) -> Setup:
    """`for p in backbone.parameters(): p.requires_grad = False`, and the weights never loaded."""
    (x, y), fresh = m.mixed_digits(512)
    backbone = nn.Sequential(
        nn.Unflatten(1, (8, 8)), m.Convolution(1, 3), nn.ReLU(), m.Halved(), nn.Flatten()
    )
    narrow = nn.Sequential(nn.Linear(27, 12), nn.Tanh())
    for parameter in [*backbone.parameters(), *narrow.parameters()]:
        parameter.requires_grad = mended
    net = nn.Sequential(backbone, narrow, nn.Linear(12, 10))
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.01), 20, fresh=fresh)
