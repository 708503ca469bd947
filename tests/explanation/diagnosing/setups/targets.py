"""Targets: out of reach, on the wrong scale, mixed up, leaked, rare. And such as only look so."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError, TargetError
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup, broken, healthy
from tests.explanation.diagnosing.setups.judges import balanced_odds, classes, halves, odds, r2


class Bounded(nn.Module):
    """A network that ends in a function which its `forward` applies."""

    def __init__(self, body: nn.Module, end: object):
        self.body = body
        self.end = end

    def forward(self, x):
        return self.end(self.body(x))


@broken("unreachable-targets", odds, 0.9, looked_at=(BEFORE,), refused=TargetError)
def signs_under_a_sigmoid(mended: bool = False) -> Setup:
    """Labels -1 and +1 and a sigmoid at the end: published teaching code does this."""
    x, y = m.moons()
    y = 2 * y - 1
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
    net.append(nn.Tanh() if mended else nn.Sigmoid())
    return Setup(net, x, y, "MSELoss", optim.Adam(lr=0.02), 60, 16)


@broken("unreachable-targets", r2, 0.7, also=["saturated-units"])
def signs_under_a_sigmoid_in_a_forward_of_ones_own(mended: bool = False) -> Setup:
    """The same where no layer shows it: the cost has a floor that no weights reach."""
    x, y = m.moons(noise=0.08)
    end = cr.tanh if mended else cr.sigmoid
    net = Bounded(m.mlp(2, 12, 1, hidden=nn.Tanh), end)
    return Setup(net, x, 2 * y - 1, "MSELoss", optim.Adam(lr=0.03), 60, 16)


@broken("unreachable-targets", r2, 0.8, also=["saturated-units", "unscaled-targets"])
def percentages_under_a_sigmoid(mended: bool = False) -> Setup:
    """Targets from 0 to 100 where the output lies between 0 and 1."""
    draw = m.rng(31)
    x = draw.normal(size=(400, 4)).astype(np.float32)
    y = 100 / (1 + np.exp(-2 * x[:, :1] + x[:, 1:2]))
    y = (y / 100 if mended else y).astype(np.float32)
    net = Bounded(m.mlp(4, 16, 1), cr.sigmoid)
    return Setup(net, x, y, "MSELoss", optim.Adam(lr=0.01), 60, 32)


@broken("unreachable-targets", r2, 0.9, also=["saturated-units"])
def standardised_prices_under_a_tanh(mended: bool = False) -> Setup:
    """Targets of mean 0 and spread 1 reach out to 3, and tanh ends at 1."""
    x, y = m.houses()
    body = m.mlp(4, 32, 1)
    net = body if mended else Bounded(body, cr.tanh)
    return Setup(net, m.standardised(x), m.standardised(y), "MSELoss", optim.Adam(lr=0.01), 50)


@broken("unreachable-targets", r2, 0.9, also=["dead-units", "gradient-zero"])
def a_rectifier_before_targets_below_zero(mended: bool = False) -> Setup:
    """ReLU on every layer, the last one too, with standardised targets (Humbatova et al. 2020)."""
    x, y = m.load_of_a_grid()
    body = m.mlp(24, 32, 1)
    net = body if mended else Bounded(body, cr.relu)
    return Setup(net, x, m.standardised(y), "MSELoss", optim.Adam(lr=0.005), 30)


@broken("unreachable-targets", classes, 0.9, looked_at=(BEFORE,), refused=TargetError)
def classes_counted_from_one(mended: bool = False) -> Setup:
    """Labels 1, 2, 3 for three outputs: there is no output 3."""
    x, y = m.iris()
    y = y if mended else y + 1
    return Setup(m.mlp(4, 10, 3), x, y, "CrossEntropyLoss", optim.Adam(lr=0.02), 30, 16)


@broken("unscaled-targets", r2, 0.9, also=["learning-rate-too-small"])
def prices_in_euros(mended: bool = False) -> Setup:
    """House prices of several hundred thousand: Adam walks there in steps of a thousandth."""
    x, y = m.houses()
    y = m.standardised(y) if mended else y
    return Setup(m.mlp(4, 32, 1), m.standardised(x), y, "MSELoss", optim.Adam(lr=0.003), 100)


@broken(
    "unscaled-targets",
    r2,
    0.9,
    looked_at=(BEFORE,),
    also=["exploding-gradient", "loss-not-finite", "learning-rate-too-large"],
    refused=NonFiniteError,
)
def seconds_since_midnight(mended: bool = False) -> Setup:
    """Targets up to 86,400 and plain SGD: the first gradients throw the weights out of range."""
    draw = m.rng(32)
    x = draw.normal(size=(300, 3)).astype(np.float32)
    y = 43_200 + 14_000 * np.tanh(x[:, :1] + 0.5 * x[:, 1:2])
    y = m.standardised(y) if mended else y.astype(np.float32)
    return Setup(m.mlp(3, 24, 1), x, y, "MSELoss", optim.SGD(lr=0.05), 60, 16)


@broken("shuffled-targets", classes, 0.8, also=["overfitting", "constant-features"])
def labels_shuffled_by_themselves(mended: bool = False) -> Setup:
    """x and y were shuffled by two calls: images and labels no longer belong together."""
    (x, y), fresh = m.mixed_digits(1)
    if not mended:
        m.rng(33).shuffle(y)
    held_out = (x[800:], y[800:])
    return Setup(
        m.mlp(64, 64, 10), x[:800], y[:800], "CrossEntropyLoss", optim.Adam(lr=0.003), 30,
        validation=held_out, metrics=["accuracy"], fresh=fresh,
    )  # fmt: skip


@broken("shuffled-targets", r2, 0.8, also=["overfitting"])
def prices_sorted_apart_from_the_houses(mended: bool = False) -> Setup:
    """The column of targets was sorted in a spreadsheet, the others were not."""
    x, y = m.houses(600)
    x, y = m.standardised(x), m.standardised(y)
    fresh = (x[400:], y[400:])
    x, y = x[:400], y[:400]
    y = y if mended else np.sort(y, axis=0)
    return Setup(
        m.mlp(4, 64, 1), x, y, "MSELoss", optim.Adam(lr=0.01), 60,
        fresh=fresh, more={"validation_split": 0.2},
    )  # fmt: skip


@broken("noisy-targets", classes, 0.9, also=["overfitting", "constant-features"])
def a_quarter_of_the_labels_are_drawn_at_random(mended: bool = False) -> Setup:
    """Labels by many hands of which one in four guesses (Humbatova et al. 2020: wrong labels)."""
    (x, y), fresh = m.mixed_digits(2)
    if not mended:
        wrong = m.rng(34).permutation(1000)[:250]
        y[wrong] = m.rng(35).integers(0, 10, 250)
    return Setup(
        m.mlp(64, 128, 10), x[:800], y[:800], "CrossEntropyLoss", optim.Adam(lr=0.003), 40,
        validation=(x[800:], y[800:]), metrics=["accuracy"], fresh=fresh,
    )  # fmt: skip


@broken("noisy-targets", odds, 0.97, also=["overfitting"])
def a_fifth_of_the_answers_are_flipped(mended: bool = False) -> Setup:
    """Yes and no mistaken for each other in every fifth row, learnt by heart."""
    x, y = m.moons(300, noise=0.15, seed=3)
    fresh = m.moons(400, noise=0.15, seed=4)
    if not mended:
        y[::5] = 1 - y[::5]
    return Setup(
        m.mlp(2, 64, 64, 1), x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.01), 150,
        metrics=["accuracy"], fresh=fresh, more={"validation_split": 0.2},
    )  # fmt: skip


@broken("leaking-split", odds, 0.75, also=["overfitting", "duplicate-rows", "class-imbalance"])
def oversampled_before_the_split(mended: bool = False) -> Setup:
    """Rare rows were repeated first and split off second: validation holds copies of training."""
    x, y = m.moons(260, noise=0.45, seed=5)
    fresh = m.moons(400, noise=0.45, seed=6)
    if mended:
        held_out = (x[200:], y[200:])
        net = m.mlp(2, 16, 1)
        return Setup(
            net,
            x[:200],
            y[:200],
            "BCEWithLogitsLoss",
            optim.AdamW(lr=0.01),
            60,
            validation=held_out,
            metrics=["accuracy"],
            fresh=fresh,
        )
    rows = np.concatenate([np.arange(60), np.arange(60), np.arange(60), np.arange(60)])
    net = m.mlp(2, 128, 128, 1)
    return Setup(
        net,
        x[rows],
        y[rows],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        200,
        metrics=["accuracy"],
        fresh=fresh,
        more={"validation_split": 0.25},
    )


@broken("leaking-split", classes, 0.9, also=["overfitting", "constant-features"], learns=True)
def validated_on_rows_of_training(mended: bool = False) -> Setup:
    """validation=(x[:200], y[:200]) of the very x that trains: what it says is no news."""
    (x, y), fresh = m.mixed_digits(3)
    held_out = (x[:200], y[:200])
    if mended:
        x, y = x[200:], y[200:]
    return Setup(
        m.mlp(64, 64, 10), x, y, "CrossEntropyLoss", optim.Adam(lr=0.003), 20,
        validation=held_out, metrics=["accuracy"], fresh=fresh,
    )  # fmt: skip


@broken("leaking-split", r2, 0.9, also=["duplicate-rows"], learns=True)
def some_houses_are_in_both_files(mended: bool = False) -> Setup:
    """train.csv and test.csv overlap in forty rows of a hundred, in another order."""
    x, y = m.houses()
    x, y = m.standardised(x), m.standardised(y)
    draw = m.rng(36)
    rows = np.arange(400, 500) if mended else draw.permutation(np.r_[0:40, 400:460])
    return Setup(
        m.mlp(4, 32, 1), x[:400], y[:400], "MSELoss", optim.Adam(lr=0.01), 40,
        validation=(x[rows], y[rows]),
    )  # fmt: skip


@broken("class-collapse", balanced_odds, 0.8, looked_at=(AFTER,), also=["class-imbalance"])
def every_payment_is_called_honest(mended: bool = False) -> Setup:
    """Three frauds in a hundred: the answer "no" is right in 97 % and that is all it learns."""
    x, y = m.payments(2000)
    more = {"class_weight": {0: 1.0, 1: 32.0}} if mended else {}
    return Setup(
        m.mlp(8, 16, 1),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.SGD(lr=0.01, momentum=0.5),
        8,
        64,
        metrics=["accuracy"],
        more=more,
    )


@broken("class-imbalance", balanced_odds, 0.8, looked_at=(BEFORE,), also=["class-collapse"])
def one_machine_in_fifty_fails(mended: bool = False) -> Setup:
    """49 rows of 50 say "works", and nothing in the training makes up for it."""
    x, y = m.payments(1500, share=0.02, seed=14)
    more = {"class_weight": {0: 1.0, 1: 49.0}} if mended else {}
    return Setup(
        m.mlp(8, 8, 1, hidden=nn.Tanh),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.003),
        6,
        64,
        metrics=["accuracy"],
        more=more,
    )


@broken(
    "class-collapse",
    classes,
    0.85,
    looked_at=(AFTER,),
    also=["learning-rate-too-large", "dead-units", "constant-features"],
)
def every_digit_is_called_the_same(mended: bool = False) -> Setup:
    """A rate of 3 in Adam kills the hidden layer at once, and one class is said of every image."""
    x, y = m.digits()
    rate = 0.003 if mended else 3.0
    return Setup(
        m.mlp(64, 32, 32, 10),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=rate),
        15,
        metrics=["accuracy"],
    )


@healthy(balanced_odds, 0.9, also=["class-imbalance"])
def rare_frauds_that_are_learnt() -> Setup:
    """One in ten is fraud and plainly seen: imbalanced, a remark at most, and that is fine."""
    x, y = m.payments(1200, share=0.1, seed=15)
    x[y[:, 0] > 0, :3] *= 1.8
    return Setup(
        m.mlp(8, 16, 1),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        30,
        metrics=["balanced_accuracy"],
    )


@healthy(odds, 0.95)
def signs_under_a_tanh() -> Setup:
    """Labels -1 and +1, tanh at the end, squared error: the textbook's way, and that is fine."""
    x, y = m.moons()
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1), nn.Tanh())
    return Setup(net, x, 2 * y - 1, "MSELoss", optim.SGD(lr=0.1, momentum=0.9), 60, 16)


@healthy(odds, 0.95)
def signs_and_a_margin() -> Setup:
    """Labels -1 and +1 and hinge loss on outputs without an activation: no mismatch."""
    x, y = m.moons(seed=1)
    return Setup(m.mlp(2, 24, 1), x, 2 * y - 1, "HingeLoss", optim.Adam(lr=0.02), 50, 16)


@healthy(halves, 0.9)
def labels_that_are_softened() -> Setup:
    """Targets of 0.05 and 0.95 under cross-entropy, whose least value is not 0: that is fine."""
    x, y = m.moons(seed=2)
    net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
    return Setup(net, x, 0.05 + 0.9 * y, "BCELoss", optim.Adam(lr=0.02), 40, 16)


@healthy(r2, 0.9)
def prices_that_were_standardised() -> Setup:
    """Prices in the hundred thousands, scaled before training, and that is fine."""
    x, y = m.houses(seed=16)
    return Setup(
        m.mlp(4, 32, 1),
        m.standardised(x),
        m.standardised(y),
        nn.MSELoss(),
        optim.AdamW(lr=0.01),
        50,
        more={"validation_split": 0.2},
    )


@healthy(r2, 0.9)
def temperatures_around_twenty() -> Setup:
    """Targets of 5 to 35 degrees, not standardised, which a last bias reaches: that is fine."""
    draw = m.rng(37)
    x = draw.normal(size=(400, 3)).astype(np.float32)
    y = 20 + 6 * np.tanh(x[:, :1]) + 3 * x[:, 1:2] + 0.3 * draw.normal(size=(400, 1))
    return Setup(m.mlp(3, 32, 1), x, y.astype(np.float32), "MSELoss", optim.Adam(lr=0.02), 80)


@healthy(r2, 0.75, also=["constant-features"])
def images_as_their_own_targets() -> Setup:
    """An autoencoder: the target is the input, which is its purpose and no leak."""
    x, _ = m.ink(500)
    net = nn.Sequential(
        nn.Linear(61, 48),
        nn.ReLU(),
        nn.Linear(48, 16),
        nn.ReLU(),
        nn.Linear(16, 48),
        nn.ReLU(),
        nn.Linear(48, 61),
        nn.Sigmoid(),
    )
    return Setup(net, x, x, "MSELoss", optim.Adam(lr=0.003), 50)


@healthy(odds, 0.9)
def several_labels_at_once() -> Setup:
    """Four labels that do not exclude each other, one of them in every tenth row only."""
    draw = m.rng(38)
    x = draw.normal(size=(500, 6)).astype(np.float32)
    z = x @ draw.normal(size=(6, 4)).astype(np.float32) - np.float32([0, 0, 0.5, 2.5])
    y = (z > 0).astype(np.float32)
    return Setup(m.mlp(6, 24, 4), x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.01), 30)


@healthy(r2, 0.9)
def the_last_fifth_of_a_series_held_out() -> Setup:
    """Windows in order of time, neighbours overlapping by all but one value, and that is fine."""
    x, y = m.load_of_a_grid()
    held_out = (x[424:], y[424:])
    return Setup(
        m.mlp(24, 24, 1),
        x[:400],
        y[:400],
        "MSELoss",
        optim.Adam(lr=0.005),
        40,
        validation=held_out,
        fresh=held_out,
    )


@healthy(odds, 0.85)
def labels_with_some_honest_doubt() -> Setup:
    """Classes that overlap where they meet, so that nobody is right every time: no noisy labels."""
    x, y = m.moons(400, noise=0.3, seed=7)
    fresh = m.moons(400, noise=0.3, seed=8)
    return Setup(
        m.mlp(2, 16, 1),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        40,
        metrics=["accuracy"],
        fresh=fresh,
        more={"validation_split": 0.2},
    )
