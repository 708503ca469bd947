"""Broken set-ups of the second exam."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError, TrainingError
from tests.explanation.diagnosing.held_out import material as m
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2
from tests.explanation.diagnosing.setups.material import Averaged, ink

broken = partial(case.broken, exam="second")


@broken(
    "learning-rate-too-large",
    r2,
    0.9,
    refused=NonFiniteError,
    also=["loss-not-finite", "exploding-gradient"],
)
def a_sum_at_the_rate_of_a_mean(mended: bool = False) -> Setup:
    """The cost is a sum over 24 outputs and the rate is still the one that suited their mean."""

    def summed(output, target):
        return (output - target).square().sum(axis=1)

    x, y = m.loads()
    optimizer = optim.SGD(lr=0.005 if mended else 0.25, momentum=0.9)
    return Setup(m.mlp(10, 40, 24, hidden=nn.LeakyReLU), x, y, summed, optimizer, 40, 25)


@broken("learning-rate-too-small", odds, 0.95, also=["class-collapse"])
def adadelta_at_the_rate_of_another(mended: bool = False) -> Setup:
    """Adadelta(lr=0.001), which one library has as default: a thousandth of the paper's rate."""
    x, y = m.circles()
    optimizer = optim.Adadelta(lr=1.0 if mended else 0.001)
    net = m.mlp(2, 20, 20, 1, hidden=nn.ELU)
    return Setup(net, x, y, "BCEWithLogitsLoss", optimizer, 60, 20, metrics=["accuracy"])


@broken("loss-output-mismatch", odds, 0.9, also=["unreachable-targets", "class-collapse"])
def a_sigmoid_before_a_focal_loss(mended: bool = False) -> Setup:
    """A focal loss that takes logits, behind the sigmoid that the plain one had wanted."""
    x, y = m.circles(400, seed=1)
    net = m.mlp(2, 32, 1, hidden=nn.SiLU)
    if not mended:
        net.append(nn.Sigmoid())
    loss = nn.FocalLoss(alpha=None, gamma=2.0)
    return Setup(net, x, y, loss, optim.AdamW(lr=0.02), 50, 25, metrics=["accuracy"])


class Student(nn.Module):
    """A small classifier that says probabilities or their logarithms."""

    def __init__(self, inputs: int, outputs: int, logarithms: bool):
        self.body = m.mlp(inputs, 12, outputs, hidden=nn.Tanh)
        self.logarithms = logarithms

    def forward(self, x):
        z = self.body(x)
        return cr.log_softmax(z, axis=1) if self.logarithms else cr.softmax(z, axis=1)


@broken(
    "loss-output-mismatch",
    classes,
    0.9,
    also=["misreported-metric"],
    learns=True,
)
def probabilities_into_a_divergence(mended: bool = False) -> Setup:
    """KLDivLoss reads log-probabilities and is given a softmax: its value is below 0."""
    x, y = m.clouds(400, 5, 6, seed=2)
    softened = (0.9 * np.eye(5) + 0.02)[y].astype(np.float32)
    student = Student(6, 5, logarithms=mended)
    return Setup(student, x, softened, "KLDivLoss", optim.Adam(lr=0.02), 20, 40)


@broken(
    "unscaled-inputs",
    odds,
    0.8,
    also=[
        "exploding-gradient",
        "learning-rate-too-large",
        "class-collapse",
        "saturated-units",
        "dead-units",
    ],
)
def platelets_per_microlitre(mended: bool = False) -> Setup:
    """A quarter of a million platelets beside a creatinine of one: a clinic's table as it is."""
    x, y = m.patients()
    x = m.standardised(x) if mended else x
    net = m.mlp(5, 24, 12, 1, hidden=nn.LeakyReLU)
    optimizer = optim.RMSprop(lr=0.003)
    return Setup(net, x, y, "BCEWithLogitsLoss", optimizer, 40, 20, metrics=["accuracy"])


@broken("dead-units", odds, 0.9, also=["gradient-zero", "class-collapse", "frozen-layer"])
def a_prior_for_rare_events_in_every_layer(mended: bool = False) -> Setup:
    """The bias of -4.6 that Lin et al. 2017 give the last layer, given to all by a loop."""
    x, y = m.events()
    net = m.mlp(8, 32, 32, 3)
    for layer in [net[4]] if mended else [net[0], net[2], net[4]]:
        layer.bias.replace(np.full(layer.bias.shape, -4.6, np.float32))
    return Setup(net, x, y, nn.FocalLoss(alpha=0.5), optim.Adam(lr=0.005), 40, 25)


@broken("leaking-split", classes, 0.85, also=["overfitting"], learns=True)
def two_splits_of_two_seeds(mended: bool = False) -> Setup:
    """Training rows of one shuffle, validation rows of another: most of them are in both."""
    x, y = m.clouds(900, 6, 5, spread=1.3, seed=3)
    fresh = (x[400:], y[400:])
    x, y = x[:400], y[:400]
    training = m.rng(0).permutation(400)[:320]
    held_out = (m.rng(0) if mended else m.rng(42)).permutation(400)[320:]
    return Setup(
        m.mlp(5, 48, 6, hidden=nn.GELU),
        x[training],
        y[training],
        "CrossEntropyLoss",
        optim.NAdam(lr=0.005),
        25,
        validation=(x[held_out], y[held_out]),
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken("not-finite-data", r2, 0.8, looked_at=(BEFORE,), refused=NonFiniteError)
def the_first_rows_of_shifted_columns(mended: bool = False) -> Setup:
    """Lags made by shift(1) to shift(6): the first six rows lack values and stayed in."""
    x, y = m.lags()
    if mended:
        x, y = x[6:], y[6:]
    return Setup(m.mlp(6, 16, 1, hidden=nn.Tanh), x, y, "L1Loss", optim.Adam(lr=0.01), 40, 25)


@broken("frozen-layer", classes, 0.85, also=["too-few-units"])
def a_table_of_words_frozen_at_random(mended: bool = False) -> Setup:
    """freeze=True, the default for vectors that were learnt elsewhere, on vectors just drawn."""
    x, y = m.topics()
    net = nn.Sequential(nn.Embedding(200, 6), Averaged(), nn.Linear(6, 4))
    net[0].weight.requires_grad = mended
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.02), 30, 30, metrics=["accuracy"])


@broken("symmetric-initialization", classes, 0.9, also=["too-few-units"])
def every_weight_one_over_the_inputs(mended: bool = False) -> Setup:
    """Weights of 1/n, so that sums keep their size: two hidden layers of one unit, 20 times."""
    x, y = m.clouds(500, 6, 8, seed=4)
    net = m.mlp(8, 20, 20, 6, hidden=nn.GELU, bias_init="zeros")
    if not mended:
        for layer in (net[0], net[2], net[4]):
            inputs = layer.weight.shape[1]
            layer.weight.replace(np.full(layer.weight.shape, 1 / inputs, np.float32))
    # In float32 rounding tells units apart, which training then makes large: not so here.
    optimizer = optim.Adagrad(lr=0.05)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 30, 25, more={"dtype": "float64"})


@broken("class-collapse", classes, 0.88, looked_at=(AFTER,), also=["constant-features"])
def rows_in_the_order_of_their_classes(mended: bool = False) -> Setup:
    """A folder for each digit, read one after another and not shuffled: all become a nine."""
    x, y = ink(1200)
    order = np.argsort(y, kind="stable")
    return Setup(
        m.mlp(61, 16, 10, hidden=nn.LeakyReLU),
        x[order],
        y[order],
        "CrossEntropyLoss",
        optim.SGD(lr=0.1),
        4,
        5,
        metrics=["accuracy"],
        more={"shuffle": mended},
    )


@broken("shuffled-targets", classes, 0.85, also=["overfitting"])
def labels_that_are_one_row_off(mended: bool = False) -> Setup:
    """The header line of the labels was dropped twice: each row has its neighbour's label."""
    x, y = m.clouds(800, 5, 7, spread=1.2, seed=6)
    fresh = (x[500:], y[500:])
    x, y = x[:500], y[:500]
    y = y if mended else np.roll(y, -1)
    return Setup(
        m.mlp(7, 64, 5, hidden=nn.Mish),
        x,
        y,
        "CrossEntropyLoss",
        optim.RMSprop(lr=0.003),
        40,
        25,
        metrics=["accuracy"],
        fresh=fresh,
        more={"validation_split": 0.2},
    )


@broken("overfitting", odds, 0.78, looked_at=(AFTER,))
def forty_patients_and_their_genes(mended: bool = False) -> Setup:
    """150 activities of genes of forty patients, learnt by heart within a few epochs."""
    x, y = m.genes(900, seed=7)
    more = {"penalty": nn.L1Penalty(0.01)} if mended else {}
    net = nn.Sequential(nn.Linear(150, 1)) if mended else m.mlp(150, 80, 1)
    rows = 400 if mended else 40
    return Setup(
        net,
        x[:rows],
        y[:rows],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.005),
        60 if mended else 120,
        20,
        validation=(x[400:600], y[400:600]),
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
        more=more,
    )


@broken("no-update", r2, 0.9, looked_at=(BEFORE,), refused=TrainingError)
def more_batches_to_an_update_than_there_are(mended: bool = False) -> Setup:
    """accumulate=32 was copied from a large model: 300 rows have not so many batches."""
    x, y = m.loads(300, hours=2, seed=8)
    return Setup(
        nn.Sequential(nn.Linear(10, 2)),
        x,
        y,
        "SmoothL1Loss",
        optim.Adamax(lr=0.05),
        60,
        16,
        more={"accumulate": 2 if mended else 32, "drop_last": True},
    )
