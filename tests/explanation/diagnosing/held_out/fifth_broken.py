"""Broken set-ups of the fifth exam, from what is taught, compared and tried out."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.held_out import material as m
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import AFTER, Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2
from tests.explanation.diagnosing.setups.material import Attention, Averaged, sentences

broken = partial(case.broken, exam="fifth")


@broken(
    "loss-output-mismatch",
    odds,
    0.88,
    also=["unreachable-targets", "saturated-units", "class-collapse"],
)
def the_genres_of_a_film(mended: bool = False) -> Setup:
    """Sigmoids before MultiLabelSoftMarginLoss, which takes logits: no genre is ever denied."""
    draw = m.rng(500)
    x = draw.normal(size=(500, 12))
    y = x @ draw.normal(size=(12, 6)) + 0.5 * draw.normal(size=(500, 6)) > 1.5
    net = m.mlp(12, 32, 6, hidden=nn.GELU)
    if not mended:
        net.append(nn.Sigmoid())
    optimizer = optim.Adam(lr=0.01)
    return Setup(net, x.astype("f4"), y.astype("f4"), "MultiLabelSoftMarginLoss", optimizer, 20, 25)


class Flow(nn.Module):
    """x moves along f(x) by Euler's steps of one length, and is read linearly at the end."""

    def __init__(self, width: int, hidden: int, step: float):
        self.inward, self.onward = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.reading = nn.Linear(width, 1)
        self.step = step

    def forward(self, x):
        for _ in range(15):
            x = x + self.step * self.onward(cr.softplus(self.inward(x)))
        return self.reading(x)


@broken("exploding-gradient", r2, 0.9, also=["learning-rate-too-large"])
def steps_of_five_along_a_flow(mended: bool = False) -> Setup:
    """A neural differential equation by fifteen Euler steps of 5, where 0.1 would follow it."""
    draw = m.rng(501)
    x = draw.normal(size=(300, 4))
    y = np.tanh(x[:, :1] + x[:, 1:2]) + 0.5 * x[:, 2:3] + 0.05 * draw.normal(size=(300, 1))
    net = Flow(4, 16, 0.1 if mended else 5.0)
    return Setup(net, x.astype("f4"), y.astype("f4"), "MSELoss", optim.Adam(lr=0.01), 25, 30)


class Pairs(nn.Module):
    """u·v of two words' vectors from two tables, as GloVe has it   [Pennington et al. 2014]."""

    def __init__(self, words: int, width: int, start):
        self.words = nn.Embedding(words, width, weight_init=start)
        self.contexts = nn.Embedding(words, width, weight_init=start)

    def forward(self, pairs):
        return (self.words(pairs[:, 0]) * self.contexts(pairs[:, 1])).sum(axis=1, keepdims=True)


@broken("symmetric-initialization", r2, 0.85, also=["too-few-units"])
def word_vectors_of_equal_numbers(mended: bool = False) -> Setup:
    """Both tables of word vectors start at 0.3, so that eight dimensions stay one."""
    draw = m.rng(502)
    left, right = draw.normal(size=(2, 25, 3))
    pairs = np.stack(np.meshgrid(np.arange(25), np.arange(25)), axis=-1).reshape(-1, 2)
    pairs = pairs[draw.permutation(625)]
    y = (left[pairs[:, 0]] * right[pairs[:, 1]]).sum(axis=1) / 3**0.5
    start = nn.init.normal(0.0, 0.3) if mended else nn.init.constant(0.3)
    return Setup(
        Pairs(25, 8, start), pairs, y[:, None].astype("f4"), "MSELoss", optim.Adam(lr=0.02), 30, 25
    )


@broken(
    "unscaled-inputs",
    r2,
    0.9,
    also=["saturated-units", "learning-rate-too-small", "too-few-units", "vanishing-gradient"],
)
def a_pendulum_by_the_number_of_its_frame(mended: bool = False) -> Setup:
    """A damped swing over frames 0 to 599 of a film, the frame's number as it is into tanh."""
    frame = np.arange(600.0)[:, None]
    angle = np.exp(-frame / 400) * np.cos(2 * np.pi * frame / 300)
    angle = angle + 0.03 * m.rng(503).normal(size=angle.shape)
    x = m.standardised(frame) if mended else frame
    net = m.mlp(1, 24, 24, 1, hidden=nn.Tanh)
    return Setup(net, x.astype("f4"), m.standardised(angle), "MSELoss", optim.Adam(lr=0.01), 60, 30)


@broken(
    "learning-rate-too-large",
    classes,
    0.9,
    also=["exploding-gradient", "dead-units", "class-collapse", "saturated-units"],
)
def one_rate_for_each_optimiser_of_a_table(mended: bool = False) -> Setup:
    """Lion at the 0.3 that the comparison gave SGD: each weight moves by 0.3 in each step."""
    x, y = m.clouds(500, 6, 16, spread=1.5, seed=504)
    optimizer = optim.Lion(lr=0.001 if mended else 0.3)
    net = m.mlp(16, 32, 32, 6, hidden=nn.Tanh)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 20, 25, metrics=["accuracy"])


@broken("learning-rate-too-small", odds, 0.85, also=["class-collapse"])
def a_warm_up_of_four_thousand_steps(mended: bool = False) -> Setup:
    """The warm-up of "Attention is all you need" over 4000 steps, in a training of 190."""
    x, y = sentences(500, length=8, seed=505)
    net = nn.Sequential(
        nn.Embedding(60, 16),
        nn.Residual(Attention(16)),
        nn.LayerNorm(16),
        Averaged(),
        nn.Linear(16, 16),
        nn.ReLU(),
        nn.Linear(16, 1),
    )
    warm = 40 if mended else 4000
    schedule = optim.LambdaLR(
        lambda k: min((k + 1) ** -0.5, (k + 1) * warm**-1.5) * 16**-0.5, unit="step"
    )
    return Setup(
        net,
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.2, betas=(0.9, 0.98), eps=1e-9),
        10,
        22,
        metrics=["accuracy"],
        more={"schedule": schedule},
    )


@broken("leaking-split", classes, 0.85, also=["duplicate-rows", "overfitting"], learns=True)
def validated_on_another_bootstrap(mended: bool = False) -> Setup:
    """Bagging: validation is a second draw with replacement, and not the rows out of the bag."""
    x, y = m.clouds(700, 4, 5, spread=1.3, seed=506)
    fresh, x, y = (x[300:], y[300:]), x[:300], y[:300]
    draw = m.rng(507)
    bag = draw.integers(0, 300, 300)
    others = np.setdiff1d(np.arange(300), bag) if mended else draw.integers(0, 300, 110)
    return Setup(
        m.mlp(5, 32, 4, hidden=nn.SiLU),
        x[bag],
        y[bag],
        "CrossEntropyLoss",
        optim.Adam(lr=0.01),
        20,
        25,
        validation=(x[others], y[others]),
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken("too-few-units", odds, 0.95, looked_at=(AFTER,), also=["class-collapse"])
def exclusive_or_by_a_perceptron(mended: bool = False) -> Setup:
    """What Minsky and Papert 1969 say a perceptron cannot: four clouds, and a single line."""
    draw = m.rng(508)
    corner = draw.integers(0, 2, (400, 2))
    x = 2 * corner - 1 + 0.25 * draw.normal(size=(400, 2))
    y = (corner[:, :1] != corner[:, 1:]).astype(np.float32)
    net = m.mlp(2, 12, 1, hidden=nn.Tanh) if mended else nn.Sequential(nn.Linear(2, 1))
    optimizer = optim.SGD(lr=0.2, momentum=0.5)
    return Setup(
        net, x.astype("f4"), y, "BCEWithLogitsLoss", optimizer, 40, 20, metrics=["accuracy"]
    )


class Cosine(nn.Module):
    """The cosine between what one layer makes of the first half of a row and of the second."""

    def __init__(self, inputs: int, width: int):
        self.inputs = inputs
        self.hidden, self.reading = nn.Linear(inputs, 32), nn.Linear(32, width)

    def forward(self, x):
        one = self.reading(cr.tanh(self.hidden(x[:, : self.inputs])))
        other = self.reading(cr.tanh(self.hidden(x[:, self.inputs :])))
        product = (one * other).sum(axis=1, keepdims=True)
        squares = (one * one).sum(axis=1, keepdims=True) * (other * other).sum(
            axis=1, keepdims=True
        )
        return product / cr.sqrt(squares + 1e-6)


@broken(
    "unreachable-targets",
    r2,
    0.85,
    also=["saturated-units", "unscaled-targets", "loss-output-mismatch", "vanishing-gradient"],
)
def likeness_of_zero_to_five_by_a_cosine(mended: bool = False) -> Setup:
    """Sentences are alike from 0 to 5, as people rated them, and a cosine ends at 1."""
    draw = m.rng(509)
    meaning = draw.normal(size=(600, 2, 3))
    between = draw.uniform(0, 1, (600, 1)) ** 0.5
    meaning[:, 1] = between * meaning[:, 0] + (1 - between) * meaning[:, 1]
    length = np.linalg.norm(meaning, axis=2)
    y = 2.5 + 2.5 * (meaning[:, 0] * meaning[:, 1]).sum(axis=1) / length.prod(axis=1)
    x = (meaning @ draw.normal(size=(3, 10))).reshape(600, 20) / 3
    x = x + 0.05 * draw.normal(size=x.shape)
    y = y[:, None] / 2.5 - 1 if mended else y[:, None]
    return Setup(
        Cosine(10, 6), x.astype("f4"), y.astype("f4"), "MSELoss", optim.Adam(lr=0.005), 30, 30
    )


def _compared_with_zeros_and_ones(loss, targets):
    return lambda output, target: ((output > 0) == target).all(axis=1)


@broken("misreported-metric", odds, 0.93, looked_at=(AFTER,), learns=True)
def minus_ones_that_are_compared_with_zeros(mended: bool = False) -> Setup:
    """Labels of -1 and +1, counted as (output > 0) == y: 0 is not -1, so no "no" is right."""
    name = "right_of_signs"
    if name not in nn.METRICS:
        nn.METRICS.register(name, _compared_with_zeros_and_ones)
    x, y = m.circles(400, seed=510)
    return Setup(
        m.mlp(2, 24, 1, hidden=nn.Tanh),
        x,
        2 * y - 1,
        "HingeLoss",
        optim.Adam(lr=0.02),
        30,
        20,
        metrics=["accuracy" if mended else name],
    )
