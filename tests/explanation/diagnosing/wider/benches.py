"""Rates, metrics and units that are wrong; and healthy parts of people's own that look odd."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2

broken = partial(case.broken, exam="wider")
healthy = partial(case.healthy, exam="wider")
EDGES = "constant-features"


@broken("learning-rate-too-small", r2, 0.85)
def a_cost_divided_by_all_the_rows(mended: bool = False) -> Setup:
    """Each batch's cost is divided by the number of all rows once more, and the rate stayed."""
    x, y = m.plane(800, 5, seed=912)
    rows = 1 if mended else 600

    def cost(output, target):
        return (output - target).square().mean(axis=1) / rows

    return Setup(
        m.mlp(5, 24, 1, hidden=nn.Tanh),
        x[:600],
        y[:600],
        cost,
        optim.SGD(lr=0.05),
        20,
        30,
        fresh=(x[600:], y[600:]),
    )


def _argmax_of_one(loss, targets):
    return lambda output, target: cr.equal(output.argmax(axis=1), target.argmax(axis=1))


@broken("misreported-metric", odds, 0.75, looked_at=(AFTER,), learns=True)
def the_largest_of_one_output(mended: bool = False) -> Setup:
    """Accuracy by argmax of a single output and a single label, 0 for both: always 100 %."""
    name = "agreement_of_argmax"
    if name not in nn.METRICS:
        nn.METRICS.register(name, _argmax_of_one)
    draw = m.rng(913)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = (x[:, :1] - x[:, 1:2] + draw.logistic(0, 0.5, (900, 1)) > 0).astype(np.float32)
    return Setup(
        m.mlp(5, 12, 1),
        x[:600],
        y[:600],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        10,
        30,
        metrics=["accuracy" if mended else name],
        fresh=(x[600:], y[600:]),
    )


@broken(
    "unscaled-inputs",
    odds,
    0.88,
    also=[
        "saturated-units",
        "learning-rate-too-large",
        "learning-rate-too-small",
        "class-collapse",
        "vanishing-gradient",
        "exploding-gradient",
        "gradient-zero",
    ],
)
def eastings_and_northings(mended: bool = False) -> Setup:
    """Places as metres of a map's grid, 500 000 east and 5 400 000 north, and which are wooded."""
    draw = m.rng(914)
    place = draw.uniform(-1, 1, (900, 2))
    y = ((place**2).sum(axis=1) < 0.6)[:, None].astype(np.float32)
    x = place if mended else np.array([500_000, 5_400_000]) + 5000 * place
    x = x.astype(np.float32)
    return Setup(
        m.mlp(2, 32, 16, 1, hidden=nn.Tanh),
        x[:600],
        y[:600],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        30,
        30,
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
    )


@broken(
    "unscaled-targets",
    r2,
    0.8,
    also=["learning-rate-too-small", "saturated-units", "exploding-gradient"],
)
def flowering_as_a_julian_day(mended: bool = False) -> Setup:
    """The day a cherry flowers as astronomers count days, some 2 460 000 of them, by Adam."""
    draw = m.rng(915)
    x = draw.normal(size=(900, 4))
    days = 10 * x[:, :1] - 6 * x[:, 1:2] * x[:, 2:3] + draw.normal(size=(900, 1))
    y = m.standardised(days) if mended else (2_460_060 + np.rint(days)).astype(np.float32)
    x = x.astype(np.float32)
    return Setup(
        m.mlp(4, 32, 1),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        30,
        fresh=(x[600:], y[600:]),
    )


class SoftlyCapped(nn.Module):
    """Logits that stay within ±15, and nearly as they are while they are small."""

    def forward(self, x):
        return 15 * cr.tanh(x / 15)


@healthy(classes, 0.9, also=[EDGES])
def logits_under_a_soft_cap() -> Setup:
    """15·tanh(z/15) before CrossEntropyLoss, as large language models have it: that is fine."""
    (x, y), fresh = m.mixed_digits(920)
    net = m.mlp(64, 48, 10)
    net.append(SoftlyCapped())
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.005),
        8,
        validation=fresh,
        metrics=["accuracy"],
        fresh=fresh,
    )


class Binary(nn.Module):
    """Hidden units of -1 and +1, past which the gradient goes as if they were tanh."""

    def __init__(self):
        self.inward = nn.Linear(64, 96)
        self.reading = nn.Linear(96, 10)

    def forward(self, x):
        soft = cr.tanh(self.inward(x))
        return self.reading(soft + cr.stop_gradient(cr.sign(soft) - soft))


@healthy(classes, 0.88, also=[EDGES])
def hidden_units_of_one_bit() -> Setup:
    """sign(tanh(z)) forward and the slope of tanh backward [Bengio et al. 2013]: that is fine."""
    (x, y), fresh = m.mixed_digits(921)
    return Setup(
        Binary(),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.005),
        10,
        validation=fresh,
        metrics=["accuracy"],
        fresh=fresh,
    )


class Loudest(nn.Module):
    """The largest of each unit over the words of a sentence."""

    def __init__(self):
        self.words = nn.Embedding(60, 24)
        self.reading = nn.Linear(24, 1)

    def forward(self, x):
        return self.reading(self.words(x).max(axis=1))


@healthy(odds, 0.9)
def a_word_that_must_not_be_there() -> Setup:
    """Whether one of four words occurs, by the largest over ten words: few get a gradient: fine."""
    draw = m.rng(922)
    x = draw.integers(0, 60, (1500, 10))
    y = (x < 4).any(axis=1)[:, None].astype(np.float32)
    return Setup(
        Loudest(),
        x[:1000],
        y[:1000],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.02),
        10,
        validation=(x[1000:], y[1000:]),
        metrics=["accuracy"],
        fresh=(x[1000:], y[1000:]),
    )


@healthy(r2, 0.9)
def tomorrow_s_temperature_in_degrees() -> Setup:
    """Degrees from about -10 to 30, as read, on both sides of a linear model: that is fine."""
    draw = m.rng(923)
    x = draw.normal(size=(900, 4)) * np.array([8, 3, 2, 1]) + np.array([10, 0, 0, 0])
    y = 0.9 * x[:, :1] + 0.5 * x[:, 1:2] - 0.7 * x[:, 2:3] + draw.normal(size=(900, 1)) + 1
    x, y = x.astype(np.float32), y.astype(np.float32)
    return Setup(
        nn.Linear(4, 1),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.02),
        20,
        20,
        validation=(x[600:], y[600:]),
        metrics=["mae"],
        fresh=(x[600:], y[600:]),
    )


@healthy(r2, 0.9)
def a_cauchy_cost_of_one_s_own() -> Setup:
    """log(1 + r²) as the cost, for a product and a sum of three inputs: that is fine."""
    draw = m.rng(924)
    x = draw.normal(size=(900, 3)).astype(np.float32)
    y = m.standardised(x[:, :1] * x[:, 1:2] + x[:, 2:] + 0.1 * draw.normal(size=(900, 1)))

    def cauchy(output, target):
        return cr.log1p((output - target).square()).mean(axis=1)

    return Setup(
        m.mlp(3, 32, 16, 1, hidden=nn.SiLU),
        x[:600],
        y[:600],
        cauchy,
        optim.Adam(lr=0.01),
        25,
        20,
        validation=(x[600:], y[600:]),
        metrics=["mae"],
        fresh=(x[600:], y[600:]),
    )


class SameOrNot(nn.Module):
    """One reader for two digits side by side, and how far apart its answers are, unit by unit."""

    def __init__(self):
        self.reader = m.mlp(64, 32, 16)
        self.reading = nn.Linear(16, 1)

    def forward(self, x):
        return self.reading(abs(self.reader(x[:, :64]) - self.reader(x[:, 64:])))


@healthy(odds, 0.85, also=[EDGES, "duplicate-features"])
def whether_two_digits_are_the_same() -> Setup:
    """Pairs of zeros to threes through one network and |a - b|, whose slope turns at 0: fine."""
    (x, y), (others, their) = m.mixed_digits(925)

    def pairs(x: np.ndarray, y: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = x[y < 4], y[y < 4]
        draw = m.rng(seed)
        one = draw.integers(0, len(x), 4 * n)
        two = draw.integers(0, len(x), 4 * n)
        same = y[one] == y[two]
        kept = np.concatenate([np.nonzero(same)[0][: n // 2], np.nonzero(~same)[0][: n // 2]])
        kept = draw.permutation(kept)
        one, two = one[kept], two[kept]
        return np.hstack([x[one], x[two]]), same[kept][:, None].astype(np.float32)

    train, held_out = pairs(x, y, 1000, 1), pairs(others, their, 400, 2)
    return Setup(
        SameOrNot(),
        *train,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.005),
        8,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.85)
def the_middle_of_seven_gauges() -> Setup:
    """Sorted readings are weighed, so that each gauge counts by its place: that is fine."""
    draw = m.rng(926)
    level = draw.normal(size=(900, 1))
    x = level + 0.2 * draw.normal(size=(900, 7))
    x = np.where(draw.uniform(size=x.shape) < 0.15, 3 * draw.normal(size=x.shape), x)
    x, y = x.astype(np.float32), level.astype(np.float32)

    class Sorted(nn.Module):
        def __init__(self):
            self.reading = nn.Linear(7, 1)

        def forward(self, x):
            return self.reading(cr.sort(x, axis=1))

    return Setup(
        Sorted(),
        x[:600],
        y[:600],
        "HuberLoss",
        optim.Adam(lr=0.01),
        25,
        20,
        validation=(x[600:], y[600:]),
        metrics=["mae"],
        fresh=(x[600:], y[600:]),
    )


@healthy(classes, 0.9)
def small_crosses_and_squares() -> Setup:
    """Two layers of filters, hard swish and NAdam, for three shapes in noise: that is fine."""
    draw = m.rng(927)
    shapes = np.zeros((3, 5, 5))
    shapes[0, 2, :] = shapes[0, :, 2] = 1
    shapes[2] = np.maximum(np.eye(5), np.eye(5)[::-1])
    shapes[1, 0, :] = shapes[1, -1, :] = shapes[1, :, 0] = shapes[1, :, -1] = 1
    y = draw.integers(0, 3, 800)
    x = 0.3 * draw.normal(size=(800, 9, 9))
    for picture, kind in zip(x, y, strict=True):
        row, column = draw.integers(0, 5, 2)
        picture[row : row + 5, column : column + 5] += shapes[kind]
    x = x.astype(np.float32)
    net = nn.Sequential(
        m.Convolution(1, 6),
        nn.Hardswish(),
        m.Convolution(6, 8),
        nn.Hardswish(),
        nn.Flatten(),
        nn.Linear(200, 3),
    )
    return Setup(
        net,
        x[:500],
        y[:500],
        "CrossEntropyLoss",
        optim.NAdam(lr=0.006),
        9,
        25,
        validation=(x[500:], y[500:]),
        metrics=["accuracy"],
        fresh=(x[500:], y[500:]),
    )
