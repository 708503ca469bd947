"""Inputs: not finite, on the wrong scale, constant, twice there. And such as only look odd."""

from __future__ import annotations

import numpy as np

from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import BEFORE, Setup, broken, healthy
from tests.explanation.diagnosing.setups.judges import classes, halves, odds, r2


@broken("not-finite-data", classes, 0.9, looked_at=(BEFORE,), refused=NonFiniteError)
def one_flower_was_not_measured(mended: bool = False) -> Setup:
    """An empty cell of a table was read as NaN (Humbatova et al. 2020: training data quality)."""
    x, y = m.iris()
    if not mended:
        x[97, 2] = np.nan
    net = m.mlp(4, 10, 3, hidden=nn.Tanh)
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.02), 30, 16, metrics=["accuracy"])


@broken("not-finite-data", odds, 0.8, looked_at=(BEFORE,), refused=NonFiniteError)
def logarithm_of_debts_that_are_zero(mended: bool = False) -> Setup:
    """log instead of log1p of an amount of which some are 0: minus infinity in those rows."""
    x, y = m.applicants()
    x[::40, 2] = 0
    with np.errstate(divide="ignore"):
        x[:, 1:3] = np.log1p(x[:, 1:3]) if mended else np.log(x[:, 1:3])
    spread = m.standardised(x) if mended else x / np.float32((50, 10, 10, 10))
    net = m.mlp(4, 16, 1)
    return Setup(net, spread, y, "BCEWithLogitsLoss", optim.Adam(lr=0.01), 30, 32)


@broken("not-finite-data", r2, 0.9, looked_at=(BEFORE,), refused=NonFiniteError)
def prices_that_are_missing(mended: bool = False) -> Setup:
    """Two targets are NaN: houses that were never sold."""
    x, y = m.houses()
    x, y = m.standardised(x), m.standardised(y)
    y[[41, 300]] = np.nan
    if mended:
        sold = np.isfinite(y[:, 0])
        x, y = x[sold], y[sold]
    return Setup(m.mlp(4, 32, 1), x, y, "MSELoss", optim.Adam(lr=0.01), 30)


@broken(
    "not-finite-data",
    classes,
    0.9,
    looked_at=(BEFORE,),
    also=["constant-features", "duplicate-features"],
    refused=NonFiniteError,
)
def standardised_by_a_spread_of_zero(mended: bool = False) -> Setup:
    """Pixels that are 0 in every image have spread 0, and 0/0 is NaN: whole columns of it."""
    x, y = m.digits(600)
    with np.errstate(invalid="ignore"):
        x = (x - x.mean(axis=0)) / (x.std(axis=0) + (1e-2 if mended else 0))
    return Setup(m.mlp(64, 32, 10), x, y, "CrossEntropyLoss", optim.Adam(lr=0.003), 15)


@broken("unscaled-inputs", classes, 0.85, also=["saturated-units", "constant-features"])
def grey_values_up_to_255_under_a_sigmoid(mended: bool = False) -> Setup:
    """Bytes of images as they come, into a sigmoid network trained by plain SGD.

    The first thing UMLAUT (Schoop et al. 2021) looks for: inputs that are not within [-1, 1].
    """
    x, y = m.digits()
    x = x if mended else np.round(255 * x)
    net = m.mlp(64, 30, 10, hidden=nn.Sigmoid)
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=1.0), 40, 20, metrics=["accuracy"])


@broken("unscaled-inputs", odds, 0.85, also=["saturated-units", "learning-rate-too-large"])
def income_beside_age(mended: bool = False) -> Setup:
    """A column in tens of thousands beside one in tens: the large one alone decides every unit."""
    x, y = m.applicants()
    x = m.standardised(x) if mended else x
    net = m.mlp(4, 12, 1, hidden=nn.Tanh)
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.SGD(lr=0.1), 40, 32, metrics=["accuracy"])


@broken("unscaled-inputs", r2, 0.9, also=["learning-rate-too-large", "unscaled-targets"])
def the_year_as_it_is_written(mended: bool = False) -> Setup:
    """Years from 1990 to 2025: an offset of two hundred spreads hides the differences."""
    draw = m.rng(21)
    year = draw.uniform(1990, 2025, (400, 1))
    y = np.sin((year - 1990) / 4) + 0.1 * draw.normal(size=year.shape)
    x = m.standardised(year) if mended else year.astype(np.float32)
    net = m.mlp(1, 32, 32, 1, hidden=nn.Tanh)
    return Setup(net, x, y.astype(np.float32), "MSELoss", optim.Adam(lr=0.01), 60, 32)


@broken(
    "unscaled-inputs",
    r2,
    0.9,
    also=["exploding-gradient", "learning-rate-too-large", "dead-units", "gradient-zero"],
)
def square_metres_into_a_linear_model(mended: bool = False) -> Setup:
    """Features around 100, least squares and SGD: the first step kills all units."""
    x, y = m.houses()
    x = m.standardised(x) if mended else x
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
    return Setup(net, x, m.standardised(y), "MSELoss", optim.SGD(lr=0.05), 30, 20)


@broken("constant-features", classes, 0.85, also=["class-collapse"])
def bytes_divided_as_whole_numbers(mended: bool = False) -> Setup:
    """pixels // 255 of whole numbers instead of pixels / 255: black everywhere but nowhere grey.

    Zhang et al. 2018: wrong preprocessing is a frequent reason of low accuracy.
    """
    x, y = m.digits()
    pixels = np.round(254 * x).astype(np.uint8)
    x = (pixels / 255 if mended else pixels // 255).astype(np.float32)
    net = m.mlp(64, 32, 10)
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.003), 15, metrics=["accuracy"])


@broken("constant-features", odds, 0.88, learns=True)
def a_country_that_is_always_the_same(mended: bool = False) -> Setup:
    """A table with two columns that never change: a code, and a sensor that hangs at 3.7."""
    x, y = m.applicants()
    x = m.standardised(np.log1p(x))
    if not mended:
        dull = np.tile(np.float32([1, 3.7]), (len(x), 1))
        x = np.concatenate([x, dull], axis=1)
    net = m.mlp(x.shape[1], 16, 1)
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.01), 30, metrics=["accuracy"])


@broken("duplicate-features", classes, 0.9, learns=True)
def petals_in_centimetres_and_in_inches(mended: bool = False) -> Setup:
    """The same measurements twice, in two units: two columns say what one says."""
    x, y = m.iris_in_centimetres()
    x = m.standardised(x if mended else np.concatenate([x, x[:, 2:] / np.float32(2.54)], axis=1))
    net = m.mlp(x.shape[1], 8, 3)
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.02), 30, 16, metrics=["accuracy"])


@broken("duplicate-features", r2, 0.9, learns=True)
def a_column_joined_twice(mended: bool = False) -> Setup:
    """A join of two tables that both have the area: the column is there again, to the digit."""
    x, y = m.houses()
    x = m.standardised(x if mended else np.concatenate([x, x[:, :1]], axis=1))
    net = m.mlp(x.shape[1], 24, 1)
    return Setup(net, x, m.standardised(y), "HuberLoss", optim.Adam(lr=0.01), 40)


@broken(
    "duplicate-rows",
    odds,
    0.88,
    also=["class-imbalance", "class-collapse"],
)
def a_row_logged_a_thousand_times(mended: bool = False) -> Setup:
    """A form that hung was stored over and over: most rows are one applicant."""
    x, y = m.applicants()
    x = m.standardised(np.log1p(x))
    fresh = (x[300:], y[300:])
    x, y = x[:300], y[:300]
    if not mended:
        x = np.concatenate([x, np.repeat(x[7:8], 2700, axis=0)])
        y = np.concatenate([y, np.repeat(1 - y[7:8], 2700, axis=0)])
    net = m.mlp(4, 16, 1)
    optimizer = optim.SGD(lr=0.05)
    epochs = 60 if mended else 6
    return Setup(net, x, y, "BCEWithLogitsLoss", optimizer, epochs, 32, fresh=fresh)


@healthy(odds, 0.85)
def words_that_most_reviews_lack() -> Setup:
    """A bag of words, nearly all of it zeros and many words rare, and that is fine."""
    x, y = m.reviews(800)
    net = m.mlp(x.shape[1], 16, 1)
    return Setup(
        net,
        x[:600],
        y[:600],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        6,
        32,
        validation=(x[600:], y[600:]),
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
    )


@healthy(odds, 0.88)
def professions_as_one_hot_columns() -> Setup:
    """Forty columns of zeros with a single one, some of them set in five rows, and that is fine."""
    draw = m.rng(22)
    shares = 1 / np.arange(2, 42)
    profession = draw.choice(40, size=800, p=shares / shares.sum())
    hours = draw.normal(size=(800, 2))
    score = draw.normal(size=40)[profession] * 2 + hours[:, 0] - hours[:, 1]
    x = np.concatenate([np.eye(40)[profession], hours], axis=1).astype(np.float32)
    x = x[:, x.std(axis=0) > 0]
    y = (score > 0)[:, None].astype(np.float32)
    net = m.mlp(x.shape[1], 24, 1)
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.AdamW(lr=0.01), 30, metrics=["accuracy"])


@healthy(classes, 0.93)
def flowers_in_centimetres() -> Setup:
    """Columns between 0.1 and 8 that nobody standardised, and that is fine at such sizes."""
    x, y = m.iris_in_centimetres()
    net = m.mlp(4, 16, 3)
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.02), 40, 16, metrics=["accuracy"])


@healthy(classes, 0.9, also=["constant-features"])
def pixels_at_the_edge_that_are_always_white() -> Setup:
    """Digits with all 64 pixels: three are 0 in every image, which is a fact and no harm."""
    (x, y), held_out = m.mixed_digits()
    net = m.mlp(64, 32, 10)
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.003),
        15,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.95)
def a_bootstrap_sample() -> Setup:
    """Training rows drawn with replacement, so that a third are there twice, and that is fine."""
    x, y = m.houses(600)
    x, y = m.standardised(x), m.standardised(y)
    held_out = (x[480:], y[480:])
    rows = m.rng(23).integers(0, 480, 480)
    net = m.mlp(4, 32, 1)
    return Setup(
        net,
        x[rows],
        y[rows],
        "MSELoss",
        optim.Adam(lr=0.01),
        60,
        validation=held_out,
        fresh=held_out,
    )


@healthy(odds, 0.9)
def answers_of_yes_and_no() -> Setup:
    """Rows of 0 and 1 over six questions: most are equal to another row, and that is fine."""
    draw = m.rng(24)
    x = draw.integers(0, 2, (400, 6)).astype(np.float32)
    y = (x[:, :1] + x[:, 1:2] + x[:, 2:3] >= 2).astype(np.float32)
    return Setup(m.mlp(6, 12, 1), x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.02), 20, 16)


@healthy(r2, 0.95)
def heights_that_go_with_weights() -> Setup:
    """Two columns that are strongly correlated (0.95) and not the same, and that is fine."""
    draw = m.rng(25)
    size = draw.normal(size=(400, 1))
    x = np.concatenate([size, 0.95 * size + 0.31 * draw.normal(size=(400, 1))], axis=1)
    y = np.tanh(2 * x[:, :1] - 1.5 * x[:, 1:])
    net = m.mlp(2, 16, 1, hidden=nn.Tanh)
    return Setup(net, m.standardised(x), m.standardised(y), "MSELoss", optim.Adam(lr=0.01), 60)


@healthy(halves, 1.0)
def the_four_corners_of_exclusive_or() -> Setup:
    """Four rows, all of them seen one by one, no validation: a worked example, and that is fine."""
    x, y = m.xor()
    net = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1), nn.Sigmoid())
    return Setup(
        net,
        x,
        y,
        "BCELoss",
        optim.SGD(lr=0.5),
        500,
        1,
        metrics=["accuracy"],
        more={"dtype": "float64"},
    )


@healthy(r2, 0.9)
def earnings_with_a_long_tail() -> Setup:
    """Standardised logarithms with values out to four spreads, and that is fine."""
    draw = m.rng(26)
    x = m.standardised(draw.standard_t(5, (500, 3)))
    y = m.standardised(x @ np.float32([[1], [-0.5], [0.3]]) + 0.1 * draw.normal(size=(500, 1)))
    return Setup(m.mlp(3, 16, 1), x, y, "SmoothL1Loss", optim.RMSprop(lr=0.003), 40)
