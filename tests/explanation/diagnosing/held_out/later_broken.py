"""Broken set-ups of the third exam."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import TargetError
from chainrule.nn import init
from tests.explanation.diagnosing.held_out import material as m
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import AFTER, Setup
from tests.explanation.diagnosing.setups.judges import balanced_odds, classes, odds, r2
from tests.explanation.diagnosing.setups.material import Attention, Averaged, sentences

broken = partial(case.broken, exam="third")


@broken(
    "vanishing-gradient",
    classes,
    0.9,
    also=["class-collapse", "symmetric-initialization", "learning-rate-too-small"],
)
def a_root_that_was_forgotten(mended: bool = False) -> Setup:
    """Weights from -1/n to 1/n where 1/√n was meant: seven layers, a tenth is left in each."""
    x, y = m.clouds(400, 5, 30, seed=40)
    start = "xavier_uniform" if mended else init.uniform(-1 / 30, 1 / 30)
    net = m.mlp(30, *[30] * 6, 5, hidden=nn.Softsign, weight_init=start, bias_init="zeros")
    optimizer = optim.SGD(lr=0.1, momentum=0.5)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 15, 20, metrics=["accuracy"])


@broken(
    "unreachable-targets",
    r2,
    0.85,
    refused=TargetError,
    also=["dead-units", "saturated-units"],
)
def frost_through_a_softplus(mended: bool = False) -> Setup:
    """A Softplus at the end, as a rate of rain had it, and degrees of a winter: half are frost."""
    draw = m.rng(41)
    x = draw.normal(size=(400, 6))
    y = 4 * np.tanh(x[:, :1]) - 3 * x[:, 1:2] + 2 * x[:, 2:3] * x[:, 3:4] - 0.5
    y = y + 0.5 * draw.normal(size=y.shape)
    net = m.mlp(6, 40, 1, hidden=nn.SiLU)
    if not mended:
        net.append(nn.Softplus())
    optimizer = optim.Adam(lr=0.01)
    return Setup(net, x.astype("f4"), y.astype("f4"), "SmoothL1Loss", optimizer, 50, 25)


@broken("penalty-too-strong", classes, 0.9, also=["class-collapse"])
def the_alpha_of_ridge_regression(mended: bool = False) -> Setup:
    """A penalty of 1, which was right beside a sum over all rows and is not beside their mean."""
    x, y = m.clouds(500, 4, 8, spread=1.2, seed=42)
    penalty = nn.L2Penalty(0.001 if mended else 1.0)
    return Setup(
        m.mlp(8, 32, 16, 4, hidden=nn.ELU),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.005),
        20,
        25,
        metrics=["accuracy"],
        more={"penalty": penalty},
    )


@broken("dropout-too-strong", r2, 0.85)
def dropout_behind_each_narrow_layer(mended: bool = False) -> Setup:
    """Dropout(0.75) behind each of three layers of 16: four units are left of each, by chance."""
    x, y = m.loads(400, hours=3, seed=43)
    net = nn.Sequential()
    for inputs in (10, 16, 16):
        net.append(nn.Linear(inputs, 16))
        net.append(nn.LeakyReLU())
        if not mended:
            net.append(nn.Dropout(0.75))
    net.append(nn.Linear(16, 3))
    return Setup(net, x, y, "MSELoss", optim.Adam(lr=0.01), 30, 20)


@broken("constant-features", odds, 0.9, also=["too-few-units", "class-imbalance"])
def longitudes_clipped_at_zero(mended: bool = False) -> Setup:
    """np.clip(x, 0, 1) of scaled columns: all longitudes are west of Greenwich and become 0."""
    draw = m.rng(44)
    place = np.stack([draw.uniform(0.1, 0.9, 500), draw.uniform(-0.9, -0.1, 500)], axis=1)
    other = draw.uniform(0, 1, (500, 3))
    y = (place[:, 1] + 0.5) ** 2 + 0.3 * (place[:, 0] - 0.5) > 0.04
    x = np.concatenate([place, other], axis=1)
    x = x if mended else np.clip(x, 0, 1)
    return Setup(
        m.mlp(5, 32, 16, 1, hidden=nn.Mish),
        x.astype(np.float32),
        y[:, None].astype(np.float32),
        "BCEWithLogitsLoss",
        optim.NAdam(lr=0.02),
        40,
        25,
        metrics=["accuracy"],
    )


@broken(
    "exploding-gradient",
    classes,
    0.85,
    also=["learning-rate-too-large", "class-collapse", "dead-units"],
)
def residual_blocks_that_pile_up(mended: bool = False) -> Setup:
    """Twelve residual blocks drawn N(0, 0.5²), without a norm: each makes its input larger."""
    x, y = m.clouds(300, 4, 12, seed=45)
    start = init.normal(0.0, 0.05 if mended else 0.5)
    blocks = [
        nn.Residual(
            nn.Sequential(
                nn.Linear(16, 16, weight_init=start, bias_init="zeros"),
                nn.ReLU(),
                nn.Linear(16, 16, weight_init=start, bias_init="zeros"),
            )
        )
        for _ in range(12)
    ]
    net = nn.Sequential(nn.Linear(12, 16), *blocks, nn.Linear(16, 4))
    optimizer = optim.Adam(lr=0.002)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 10, 30, metrics=["accuracy"])


def _rounded(loss, targets):
    return lambda output, target: (cr.round(output) == target).all(axis=1)


@broken("misreported-metric", odds, 0.9, looked_at=(AFTER,), learns=True)
def logits_rounded_as_if_they_were_odds(mended: bool = False) -> Setup:
    """Accuracy as round(output) == y, of a network that says logits: 7 is no 1, and counts not."""
    name = "rounded_accuracy"
    if name not in nn.METRICS:
        nn.METRICS.register(name, _rounded)
    x, y = m.circles(400, seed=46)
    return Setup(
        m.mlp(2, 32, 1, hidden=nn.SiLU),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.AdamW(lr=0.03),
        40,
        20,
        metrics=["accuracy" if mended else name],
    )


@broken("noisy-targets", classes, 0.9, also=["overfitting", "too-few-units"])
def a_hand_that_grew_tired(mended: bool = False) -> Setup:
    """In the second half of the pile, three labels in four were ticked without a look."""
    x, y = m.clouds(1000, 4, 6, spread=1.1, seed=47)
    fresh = (x[400:], y[400:])
    x, y = x[:400], y[:400]
    if not mended:
        y[200::2] = m.rng(48).integers(0, 4, 100)
        y[201::4] = m.rng(49).integers(0, 4, 50)
    return Setup(
        m.mlp(6, 128, 4, hidden=nn.GELU),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.02),
        40,
        25,
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken(
    "learning-rate-too-large",
    balanced_odds,
    0.85,
    also=["exploding-gradient", "class-collapse", "dead-units", "saturated-units"],
)
def attention_at_a_rate_for_embeddings(mended: bool = False) -> Setup:
    """Adam(lr=0.5), which a lone table of words had borne, for the attention behind it too."""
    x, y = sentences(400, length=8, seed=50)
    net = nn.Sequential(
        nn.Embedding(60, 12),
        Attention(12),
        Averaged(),
        nn.Linear(12, 16),
        nn.ReLU(),
        nn.Linear(16, 1),
    )
    optimizer = optim.Adam(lr=0.01 if mended else 0.5)
    return Setup(net, x, y, "BCEWithLogitsLoss", optimizer, 15, 25, metrics=["accuracy"])


@broken("unscaled-targets", r2, 0.85, also=["learning-rate-too-large"])
def concentrations_in_moles(mended: bool = False) -> Setup:
    """Millionths of a mole: a loss of 1e-5 looks as if all were learnt, and nothing is."""
    draw = m.rng(51)
    x = draw.normal(size=(400, 5))
    y = np.exp(0.5 * x[:, :1] - 0.3 * x[:, 1:2]) + 0.05 * draw.normal(size=(400, 1))
    y = m.standardised(y) if mended else 1e-6 * y
    net = m.mlp(5, 24, 1, hidden=nn.Tanh)
    return Setup(
        net, x.astype(np.float32), y.astype(np.float32), "MSELoss", optim.Adam(lr=0.01), 30, 25
    )
