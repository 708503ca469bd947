"""Set-ups from seminars and theses: eight that are broken, four with nothing wrong."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup
from tests.explanation.diagnosing.setups.judges import balanced_odds, classes, odds, r2

broken = partial(case.broken, exam="wider")
healthy = partial(case.healthy, exam="wider")


@broken("not-finite-data", r2, 0.85, looked_at=(BEFORE,), refused=NonFiniteError)
def the_root_of_a_rounded_difference(mended: bool = False) -> Setup:
    """Reactive power as √(S² - P²), and where both were rounded P is at times above S: NaN."""
    draw = m.rng(800)
    apparent = draw.uniform(1, 3, 500)
    active = apparent * np.cos(draw.uniform(0, 0.9, 500))
    loss = np.sqrt(apparent**2 - active**2) + 0.3 * active + 0.05 * draw.normal(size=500)
    one, other = np.round(apparent, 2), np.round(active + 0.004 * draw.normal(size=500), 2)
    difference = one**2 - other**2
    with np.errstate(invalid="ignore"):
        reactive = np.sqrt(np.maximum(difference, 0) if mended else difference)
    x = np.stack([other - 1.5, reactive - 0.8, draw.normal(size=500)], axis=1)
    y = m.standardised(loss[:, None])
    return Setup(m.mlp(3, 16, 1), x.astype("f4"), y, "MSELoss", optim.Adam(lr=0.02), 25)


@broken("shuffled-targets", classes, 0.8, also=["overfitting", "noisy-targets"])
def sorted_by_length_for_the_padding(mended: bool = False) -> Setup:
    """Texts were sorted by their lengths, so that batches pad little; their topics were not."""
    draw = m.rng(801)
    topic = draw.integers(0, 3, 1000)
    own = 1 + 3 * draw.integers(0, 12, (1000, 12)) + topic[:, None]
    words = np.where(draw.uniform(size=(1000, 12)) < 0.7, own, draw.integers(1, 37, (1000, 12)))
    length = draw.integers(5, 13, 1000)
    words[np.arange(12) >= length[:, None]] = 0
    fresh = (words[600:], topic[600:])
    words, topic = words[:600], topic[:600]
    if not mended:
        words = words[np.argsort(length[:600], kind="stable")]
    net = nn.Sequential(
        nn.Embedding(37, 16), nn.Flatten(), nn.Linear(192, 32), nn.ReLU(), nn.Linear(32, 3)
    )
    return Setup(
        net,
        words,
        topic,
        "CrossEntropyLoss",
        optim.Adam(lr=0.005),
        15,
        validation=fresh,
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken("noisy-targets", r2, 0.9, also=["overfitting"])
def a_minus_that_was_a_dash(mended: bool = False) -> Setup:
    """A dash before a number was not read as a minus: two of five losses became gains."""
    draw = m.rng(802)
    x = draw.normal(size=(1000, 4)).astype(np.float32)
    y = 1.5 * np.tanh(x[:, :1]) + x[:, 1:2] - 0.7 * x[:, 2:3] + 0.1 * draw.normal(size=(1000, 1))
    fresh = (x[500:], y[500:].astype("f4"))
    x, y = x[:500], y[:500]
    dashes = draw.uniform(size=y.shape) < 0.4
    y = y if mended else np.where(dashes, abs(y), y)
    return Setup(
        m.mlp(4, 48, 48, 1, hidden=nn.SiLU),
        x,
        y.astype("f4"),
        "MSELoss",
        optim.Adam(lr=0.005),
        40,
        25,
        fresh=fresh,
    )


@broken("class-collapse", odds, 0.74, looked_at=(AFTER,))
def a_focal_loss_from_a_detector(mended: bool = False) -> Setup:
    """alpha=0.999 of a focal loss, set where one box in a thousand counts; here half are a yes."""
    draw = m.rng(803)
    x = draw.normal(size=(500, 6)).astype(np.float32)
    y = (x[:, :1] - x[:, 1:2] + 0.8 * draw.logistic(size=(500, 1)) > 0).astype("f4")
    loss = nn.FocalLoss(alpha=0.5 if mended else 0.999, gamma=1.0)
    return Setup(
        m.mlp(6, 8, 1, hidden=nn.Tanh),
        x,
        y,
        loss,
        optim.Adam(lr=0.01),
        10,
        25,
        metrics=["accuracy"],
    )


@broken("frozen-layer", r2, 0.9, also=["too-few-units"])
def only_the_biases_of_a_new_network(mended: bool = False) -> Setup:
    """BitFit [Ben Zaken et al. 2022] trains biases alone, of a network that was never trained."""
    draw = m.rng(804)
    x = draw.normal(size=(500, 8)).astype(np.float32)
    y = x @ draw.normal(size=(8, 4)) / 3 + 0.5 * np.tanh(2 * x[:, :4] * x[:, 4:])
    net = m.mlp(8, 32, 32, 4, hidden=nn.GELU)
    for layer in (net[0], net[2], net[4]):
        layer.weight.requires_grad = mended
    return Setup(net, x, y.astype("f4"), "MSELoss", optim.Adam(lr=0.01), 60, 25)


@broken("constant-features", r2, 0.85, also=["too-few-units"])
def a_date_without_its_time(mended: bool = False) -> Setup:
    """Times were cut to dates before the hour was taken: its sine is 0 and its cosine 1."""
    draw = m.rng(805)
    hour, day = draw.integers(0, 24, 700), draw.integers(0, 365, 700)
    warmth = draw.normal(size=700)
    y = np.sin(2 * np.pi * (hour - 6) / 24) + 0.4 * np.cos(2 * np.pi * day / 365) - 0.3 * warmth
    y = y + 0.1 * draw.normal(size=700)
    turn = 2 * np.pi * (hour if mended else 0 * hour) / 24
    year = 2 * np.pi * day / 365
    x = np.stack([np.sin(turn), np.cos(turn), np.sin(year), np.cos(year), warmth], axis=1)
    x, y = x.astype("f4"), y[:, None].astype("f4")
    held_out = (x[500:], y[500:])
    return Setup(
        m.mlp(5, 24, 1, hidden=nn.Tanh),
        x[:500],
        y[:500],
        "MSELoss",
        optim.Adam(lr=0.01),
        30,
        validation=held_out,
        fresh=held_out,
    )


@broken("overfitting", r2, 0.75, looked_at=(AFTER,))
def spectra_of_thirty_apples(mended: bool = False) -> Setup:
    """A wide network for sugar by 120 wavelengths of thirty apples, where 600 would have done."""
    draw = m.rng(806)
    parts = draw.normal(size=(800, 6))
    bands = np.exp(-(((np.arange(120) - 20 * np.arange(6)[:, None] - 10) / 12) ** 2))
    x = (parts @ bands + 1.2 * draw.normal(size=(800, 120))).astype(np.float32)
    y = parts[:, :1] + 0.6 * parts[:, 2:3] - 0.6 * parts[:, 4:5] + 0.3 * draw.normal(size=(800, 1))
    y = y.astype(np.float32)
    n = 600 if mended else 30
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(120, 64, 1),
        x[:n],
        y[:n],
        "MSELoss",
        optim.Adam(lr=0.002),
        10 if mended else 120,
        20,
        validation=held_out,
        fresh=held_out,
    )


@broken("too-few-units", r2, 0.85, looked_at=(AFTER,))
def five_causes_in_a_code_of_two(mended: bool = False) -> Setup:
    """An autoencoder of twelve sensors with a code of two numbers, where five things go on."""
    draw = m.rng(807)
    x = draw.normal(size=(600, 5)) @ draw.normal(size=(5, 12)) / 5**0.5
    x = m.standardised(x + 0.1 * draw.normal(size=x.shape))
    net = m.mlp(12, 24, 5 if mended else 2, 24, 12, hidden=nn.SiLU)
    return Setup(net, x, x.copy(), "MSELoss", optim.Adam(lr=0.01), 50)


class Reservoir(nn.Module):
    """An echo state network: a recurrence drawn once, and a linear reading   [Jaeger 2001]."""

    def __init__(self, hidden: int):
        self.inward = nn.Linear(1, hidden, weight_init=nn.init.uniform(-1, 1))
        self.onward = nn.Linear(hidden, hidden, bias=False, weight_init=nn.init.normal(0, 0.08))
        self.reading = nn.Linear(hidden, 1)
        for parameter in (self.inward.weight, self.inward.bias, self.onward.weight):
            parameter.requires_grad = False

    def forward(self, x):
        h = cr.tanh(self.inward(x[:, 0:1]))
        for t in range(1, x.shape[1]):
            h = cr.tanh(self.inward(x[:, t : t + 1]) + self.onward(h))
        return self.reading(h)


@healthy(r2, 0.9)
def echoes_in_a_reservoir() -> Setup:
    """A frozen random recurrence of sixty units, only its reading learns, as is meant: fine."""
    draw = m.rng(810)
    x = draw.uniform(-1, 1, (700, 6)).astype(np.float32)
    y = m.standardised(x[:, 5:] - 0.8 * x[:, 4:5] + 0.5 * x[:, 3:4] * x[:, 5:])
    held_out = (x[500:], y[500:])
    return Setup(
        Reservoir(60),
        x[:500],
        y[:500],
        "MSELoss",
        optim.Adam(lr=0.02),
        15,
        25,
        validation=held_out,
        fresh=held_out,
    )


@healthy(balanced_odds, 0.9, also=["class-imbalance", "constant-features"])
def is_it_a_seven() -> Setup:
    """One digit against the nine others, a tenth of the rows, as an exercise has it: fine."""
    (x, y), (others, labels) = m.mixed_digits(811)
    seven, held_out = (y == 7)[:, None].astype("f4"), (labels == 7)[:, None].astype("f4")
    return Setup(
        m.mlp(64, 24, 1),
        x,
        seven,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.005),
        20,
        validation=(others, held_out),
        metrics=["accuracy"],
        fresh=(others, held_out),
    )


@healthy(classes, 0.9)
def batches_of_ten_flowers_under_a_norm() -> Setup:
    """Batch norm with batches of ten, small but enough, and fifty flowers held out: fine."""
    x, y = m.iris(seed=812)
    held_out = (x[100:], y[100:])
    net = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    return Setup(
        net,
        x[:100],
        y[:100],
        "CrossEntropyLoss",
        optim.SGD(lr=0.05, momentum=0.9),
        20,
        10,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.93)
def what_a_turbine_gives_in_a_wind() -> Setup:
    """Power as a share of the most: 0 in a lull, 1 in a gale, often exactly; a sigmoid: fine."""
    draw = m.rng(813)
    wind, turned = draw.gamma(4, 2, 800), draw.uniform(0, 0.5, 800)
    x = np.stack([wind / 4 - 2, 4 * turned - 1, draw.normal(size=800)], axis=1).astype("f4")
    y = np.clip(((wind * np.cos(turned) - 3) / 9), 0, 1) + 0.02 * draw.normal(size=800)
    y = np.clip(y, 0, 1)[:, None].astype("f4")
    net = nn.Sequential(nn.Linear(3, 24), nn.SiLU(), nn.Linear(24, 1), nn.Sigmoid())
    return Setup(
        net,
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.02),
        30,
        validation=(x[600:], y[600:]),
        fresh=(x[600:], y[600:]),
    )
