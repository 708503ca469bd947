"""Broken trainings and data as they are handed in: rates, splits, tables, targets, metrics."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from tests.explanation.diagnosing.held_out.material import clouds
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup
from tests.explanation.diagnosing.setups.judges import balanced_odds, classes, odds, r2

broken = partial(case.broken, exam="wider")
EDGES = "constant-features"


def each_class(outputs: np.ndarray, y: np.ndarray) -> float:
    """The mean over the classes of the share of theirs that is said rightly."""
    said = np.asarray(outputs).argmax(axis=-1)
    return float(np.mean([(said[y == c] == c).mean() for c in np.unique(y)]))


@broken(
    "learning-rate-too-large",
    classes,
    0.9,
    looked_at=(AFTER,),
    also=["constant-features", "dead-units", "class-collapse", "exploding-gradient"],
)
def a_decay_that_grows(mended: bool = False) -> Setup:
    """ExponentialLR(gamma=1.3) where 1/1.3 was meant: a good rate becomes ninety times itself."""
    (x, y), fresh = m.mixed_digits(520)
    return Setup(
        m.mlp(64, 48, 10),
        x,
        y,
        "CrossEntropyLoss",
        optim.SGD(lr=0.3),
        18,
        more={"schedule": optim.ExponentialLR(gamma=1 / 1.3 if mended else 1.3)},
        validation=fresh,
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken("learning-rate-too-small", r2, 0.5)
def plain_descent_at_the_rate_of_adam(mended: bool = False) -> Setup:
    """SGD(lr=0.001), the number that was right for Adam, for the mean error of an autoencoder."""
    x, _ = m.ink(1000)
    fresh, _ = m.ink(700, 1000)
    net = m.mlp(61, 48, 12, 48, 61, hidden=nn.Tanh)
    optimizer = optim.SGD(lr=3.0 if mended else 0.001)
    return Setup(net, x, x, "MSELoss", optimizer, 30, fresh=(fresh, fresh))


def of_each_number(loss, targets):
    """Accuracy as a library counts it under binary cross-entropy: each of ten numbers by itself."""

    def agreement(output, target):
        return cr.equal(output > 0.5, target > 0.5).astype("float32").mean(axis=1)

    return agreement


def of_each_digit(loss, targets):
    """The share of digits whose largest output is theirs."""
    return lambda output, target: cr.equal(output.argmax(axis=1), target.argmax(axis=1))


def _registered(name: str, metric: Any) -> str:
    if name not in nn.METRICS:
        nn.METRICS.register(name, metric)
    return name


@broken("misreported-metric", classes, 0.6, looked_at=(AFTER,), learns=True, also=[EDGES])
def nine_in_ten_right_by_saying_no(mended: bool = False) -> Setup:
    """One-hot digits, each of the ten numbers counted: to say no to everything is 90 % right."""
    (x, y), (fx, fy) = m.mixed_digits(519)
    net = m.mlp(64, 24, 10, hidden=nn.Tanh)
    net.append(nn.Sigmoid())
    if mended:
        metric = _registered("accuracy_of_each_digit", of_each_digit)
    else:
        metric = _registered("accuracy_of_each_number", of_each_number)
    return Setup(
        net,
        x,
        np.eye(10, dtype=np.float32)[y],
        "BCELoss",
        optim.Adam(lr=0.002),
        25,
        metrics=[metric],
        fresh=(fx, fy),
    )


@broken("not-finite-data", r2, 0.85, looked_at=(BEFORE,), refused=NonFiniteError)
def a_gap_in_the_other_file(mended: bool = False) -> Setup:
    """The rows for validation have an empty cell, which is NaN."""
    x, y = m.houses(700, seed=518)
    x, y = m.standardised(x), m.standardised(y)
    vx = x[400:500].copy()
    if not mended:
        vx[17, 2] = np.nan
    return Setup(
        m.mlp(4, 24, 1),
        x[:400],
        y[:400],
        "MSELoss",
        optim.Adam(lr=0.01),
        25,
        validation=(vx, y[400:500]),
        fresh=(x[500:], y[500:]),
    )


@broken("learning-rate-too-small", classes, 0.9, looked_at=(AFTER,), also=["no-update", EDGES])
def a_polynomial_that_is_over_in_the_first_epoch(mended: bool = False) -> Setup:
    """PolynomialLR counts steps here, and its total of 8 was meant as epochs: the rate is 0."""
    (x, y), fresh = m.mixed_digits(521)
    unit = "epoch" if mended else "step"
    return Setup(
        m.mlp(64, 32, 10),
        x,
        y,
        "CrossEntropyLoss",
        optim.SGD(lr=0.1, momentum=0.9),
        8,
        more={"schedule": optim.PolynomialLR(total_iters=8, unit=unit)},
        fresh=fresh,
    )


@broken("unscaled-inputs", r2, 0.8, also=["saturated-units", "learning-rate-too-large"])
def sound_as_sixteen_bits(mended: bool = False) -> Setup:
    """Samples of a microphone between -32768 and 32767 into tanh, and how loud it is: all is ±1."""
    draw = m.rng(522)
    n, t = 900, np.arange(16)
    loud = draw.uniform(0.1, 0.9, (n, 1))
    wave = loud * np.sin(draw.uniform(0.3, 0.6, (n, 1)) * t + draw.uniform(0, 6.3, (n, 1)))
    x = np.rint(32_000 * (wave + 0.01 * draw.normal(size=(n, 16))))
    x = (x / 32_768 if mended else x).astype(np.float32)
    y = m.standardised(loud)
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(16, 48, 24, 1, hidden=nn.Tanh),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        40,
        validation=held_out,
        fresh=held_out,
    )


@broken(
    "unscaled-targets",
    r2,
    0.9,
    also=["unscaled-inputs", "learning-rate-too-small", "saturated-units"],
)
def a_fourth_power_of_up_to_a_hundred(mended: bool = False) -> Setup:
    """y = x⁴ for x from -100 to 100, so y up to 10⁸, from sigmoids under Adam."""
    x = np.linspace(-100, 100, 400)[m.rng(523).permutation(400), None]
    y = x**4
    if mended:
        x, y = m.standardised(x), m.standardised(y)
    x, y = x.astype(np.float32), y.astype(np.float32)
    net = nn.Sequential(
        nn.Linear(1, 32), nn.Sigmoid(), nn.Linear(32, 32), nn.ELU(), nn.Linear(32, 1)
    )
    return Setup(net, x, y, "MSELoss", optim.Adam(lr=0.01), 60)


@broken("shuffled-targets", r2, 0.5, also=["overfitting", "noisy-targets"])
def clean_pictures_of_other_noisy_ones(mended: bool = False) -> Setup:
    """Two generators with shuffle=True gave noisy and clean pictures, each in its own order."""
    draw = m.rng(524)
    clean, _ = m.ink(1600)
    clean = clean[draw.permutation(len(clean))]
    noisy = (clean + 0.2 * draw.normal(size=clean.shape)).astype(np.float32)
    fresh = (noisy[1000:], clean[1000:])
    x, y = noisy[:1000], clean[:1000]
    if not mended:
        y = y[draw.permutation(1000)]
    return Setup(m.mlp(61, 64, 61), x, y, "MSELoss", optim.Adam(lr=0.003), 25, fresh=fresh)


@broken("noisy-targets", r2, 0.8, also=["unscaled-targets"])
def a_comma_that_was_lost(mended: bool = False) -> Setup:
    """In one row of fifteen 12,5 was read as 125: targets ten times too large, here and there."""
    draw = m.rng(525)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = 12 + 2 * x[:, :1] - 1.5 * x[:, 1:2] + 0.5 * draw.normal(size=(900, 1))
    fresh = (x[600:], y[600:].astype(np.float32))
    x, y = x[:600], y[:600].astype(np.float32)
    if not mended:
        y[draw.uniform(size=600) < 1 / 15] *= 10
    return Setup(m.mlp(5, 24, 1), x, y, "MSELoss", optim.Adam(lr=0.01), 60, fresh=fresh)


@broken("noisy-targets", classes, 0.955, also=["overfitting", EDGES])
def fours_that_were_filed_under_nine(mended: bool = False) -> Setup:
    """Whoever sorted the digits put two fours of five to the nines."""
    (x, y), fresh = m.mixed_digits(526)
    fours = np.flatnonzero(y == 4)
    if not mended:
        y[fours[m.rng(526).uniform(size=len(fours)) < 0.4]] = 9
    return Setup(m.mlp(64, 64, 10), x, y, "CrossEntropyLoss", optim.Adam(lr=0.01), 20, fresh=fresh)


@broken("leaking-split", r2, 0.5, learns=True, also=["overfitting", "noisy-targets"])
def split_after_each_row_was_jittered(mended: bool = False) -> Setup:
    """Each of 60 rows was copied sixteen times with a little noise, and then split at random."""
    draw = m.rng(527)
    origin = draw.normal(size=(200, 6))
    y = origin @ [[1.0], [-0.7], [0.4], [0.0], [0.0], [0.0]] + 0.5 * draw.normal(size=(200, 1))
    x, target = np.repeat(origin[:60], 16, axis=0), np.repeat(y[:60], 16, axis=0)
    x = x + 0.01 * draw.normal(size=x.shape)
    order = np.arange(960) if mended else draw.permutation(960)
    x, target = x[order].astype(np.float32), target[order].astype(np.float32)
    return Setup(
        m.mlp(6, 48, 1),
        x[:720],
        target[:720],
        "MSELoss",
        optim.Adam(lr=0.005),
        30,
        validation=(x[720:], target[720:]),
        fresh=(origin[60:].astype(np.float32), y[60:].astype(np.float32)),
    )


@broken("class-collapse", balanced_odds, 0.8, looked_at=(AFTER,), also=["class-imbalance"])
def a_weight_of_two_hundred_for_yes(mended: bool = False) -> Setup:
    """pos_weight=200 where one row in five says yes: it now says yes of everyone."""
    draw = m.rng(528)
    y = (draw.uniform(size=900) < 0.2).astype(np.float32)
    x = draw.normal(size=(900, 6))
    x[:, :3] += 1.1 * y[:, None]
    x, y = x.astype(np.float32), y[:, None]
    loss = nn.BCEWithLogitsLoss(pos_weight=[4.0 if mended else 200.0])
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(6, 8, 1),
        x[:600],
        y[:600],
        loss,
        optim.Adam(lr=0.005),
        10,
        validation=held_out,
        fresh=held_out,
    )


@broken("class-imbalance", each_class, 0.8, also=["class-collapse"])
def a_species_that_was_seen_nine_times(mended: bool = False) -> Setup:
    """Three species with 300 rows and one with nine, near to another: it is never named."""
    draw = m.rng(529)
    centres = np.array([[0, 0, 3, 0], [0, 3, 0, 0], [3, 0, 0, 0], [2.2, 1.6, 0, 0]], float)
    counts = [300, 300, 300, 9]
    y = draw.permutation(np.repeat(np.arange(4), counts))
    x = (centres[y] + 0.9 * draw.normal(size=(len(y), 4))).astype(np.float32)
    fresh_y = np.repeat(np.arange(4), 200)
    fresh = ((centres[fresh_y] + 0.9 * draw.normal(size=(800, 4))).astype(np.float32), fresh_y)
    more = {"class_weight": [0.3, 0.3, 0.3, 10.0]} if mended else {}
    return Setup(
        m.mlp(4, 16, 4), x, y, "CrossEntropyLoss", optim.Adam(lr=0.005), 20, fresh=fresh, more=more
    )


@broken("constant-features", odds, 0.85, also=["class-collapse", "duplicate-rows", "noisy-targets"])
def what_is_kept_of_a_text_is_its_padding(mended: bool = False) -> Setup:
    """Texts were padded behind to 40 words and then cut to their last 15: zeros are left."""
    words, y = m.sentences(1400, 12, seed=530)
    x = np.zeros((len(words), 40), np.int64)
    x[:, :12] = words
    x = x[:, :15] if mended else x[:, -15:]
    net = nn.Sequential(nn.Embedding(60, 12), m.Averaged(), nn.Linear(12, 1))
    return Setup(
        net,
        x[:900],
        y[:900],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.02),
        15,
        fresh=(x[900:], y[900:]),
    )


@broken("duplicate-features", r2, 0.8, learns=True)
def age_and_year_of_birth(mended: bool = False) -> Setup:
    """The age and the year of birth, of people who were all asked in one year."""
    draw = m.rng(531)
    age = draw.integers(18, 80, 600)
    columns = [age, draw.normal(size=600), draw.gamma(2.0, 1.0, 600)]
    if not mended:
        columns.insert(1, 2021 - age)
    x = m.standardised(np.stack(columns, axis=1))
    y = 0.02 * (age - 45.0) ** 2 / 10 + x[:, -1] - 0.5 * x[:, -2]
    y = m.standardised(y[:, None] + 0.2 * draw.normal(size=(600, 1)))
    return Setup(
        m.mlp(x.shape[1], 24, 1),
        x[:400],
        y[:400],
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        fresh=(x[400:], y[400:]),
    )


@broken("overfitting", r2, 0.7, looked_at=(AFTER,))
def a_polynomial_through_eighteen_points(mended: bool = False) -> Setup:
    """Legendre's polynomials up to the fifteenth, least squares, 18 noisy points of a sine."""
    draw = m.rng(532)
    degree = 5 if mended else 15
    t = np.sort(draw.uniform(-1, 1, 18))
    u = draw.uniform(-0.95, 0.95, 100)
    x, fresh = (np.polynomial.legendre.legvander(s, degree)[:, 1:] for s in (t, u))
    y = np.sin(3 * t)[:, None] + 0.35 * draw.normal(size=(18, 1))
    clean = np.sin(3 * u)[:, None]
    noisy = clean + 0.1 * draw.normal(size=(100, 1))
    return Setup(
        nn.Sequential(nn.Linear(degree, 1)),
        x.astype(np.float32),
        y.astype(np.float32),
        "MSELoss",
        optim.Adam(lr=0.03),
        1500,
        18,
        validation=(fresh[:50].astype(np.float32), noisy[:50].astype(np.float32)),
        fresh=(fresh[50:].astype(np.float32), clean[50:]),
    )


@broken("too-few-units", r2, 0.9, looked_at=(AFTER,))
def a_sine_out_of_two_hinges(mended: bool = False) -> Setup:
    """Two rectifiers for three periods of a sine: a line with two kinks at most."""
    t = m.rng(533).permutation(np.linspace(-3, 3, 600))[:, None]
    x, y = t.astype(np.float32), np.sin(3 * t).astype(np.float32)
    return Setup(
        m.mlp(1, 64, 64, 1) if mended else m.mlp(1, 2, 1),
        x[:400],
        y[:400],
        "MSELoss",
        optim.Adam(lr=0.01),
        60,
        validation=(x[400:], y[400:]),
        fresh=(x[400:], y[400:]),
    )


@broken("penalty-too-strong", classes, 0.88, also=[EDGES, "class-collapse", "dead-units"])
def adam_with_the_decay_of_adamw(mended: bool = False) -> Setup:
    """Adam(weight_decay=0.3), copied from AdamW: here the decay passes through Adam's division."""
    (x, y), fresh = m.mixed_digits(534)
    return Setup(
        m.mlp(64, 48, 10),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.003, weight_decay=1e-4 if mended else 0.3),
        15,
        validation=fresh,
        fresh=fresh,
    )


@broken("duplicate-rows", classes, 0.88, also=["overfitting"])
def sixteen_flowers_tiled_to_six_hundred(mended: bool = False) -> Setup:
    """np.tile of 16 rows, because examples were few: 640 rows say no more than 16."""
    x, y = clouds(1040, 4, 6, spread=1.5, seed=535)
    fresh = (x[640:], y[640:])
    x, y = x[:640], y[:640]
    if not mended:
        x, y = np.tile(x[:16], (40, 1)), np.tile(y[:16], 40)
    return Setup(m.mlp(6, 48, 4), x, y, "CrossEntropyLoss", optim.Adam(lr=0.01), 12, fresh=fresh)
