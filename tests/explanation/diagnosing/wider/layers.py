"""Healthy networks of unusual layers, starts, updates and outputs."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.held_out.material import clouds
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2

healthy = partial(case.healthy, exam="wider")


@healthy(classes, 0.93)
def weights_of_which_most_begin_at_zero() -> Setup:
    """Sparse starts, three weights in four are 0 [Martens 2010], and that is fine."""
    x, y = clouds(900, 5, 12, spread=1.2, seed=160)
    held_out = (x[500:], y[500:])
    return Setup(
        m.mlp(12, 40, 40, 5, hidden=nn.Tanh, weight_init=nn.init.sparse(0.75, 0.5)),
        x[:500],
        y[:500],
        "CrossEntropyLoss",
        optim.Adam(lr=0.01),
        12,
        20,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.93)
def two_inputs_that_are_multiplied() -> Setup:
    """A bilinear layer of two halves of a row, and nothing else, for a bilinear target."""

    class Pair(nn.Module):
        def __init__(self):
            self.product = nn.Bilinear(4, 4, 1)

        def forward(self, x):
            return self.product(x[:, :4], x[:, 4:])

    draw = m.rng(161)
    x = draw.normal(size=(800, 8))
    form = draw.normal(size=(4, 4)) / 4
    y = np.einsum("bi,ij,bj->b", x[:, :4], form, x[:, 4:])[:, None]
    y = (y + 0.1 * draw.normal(size=y.shape)).astype(np.float32)
    x = x.astype(np.float32)
    held_out = (x[500:], y[500:])
    return Setup(
        Pair(),
        x[:500],
        y[:500],
        "MSELoss",
        optim.Adam(lr=0.02),
        20,
        25,
        validation=held_out,
        fresh=held_out,
    )


@healthy(classes, 0.93)
def one_row_at_a_time_under_an_rms_norm() -> Setup:
    """Batches of one, under a norm that looks at a row alone, and that is fine."""
    x, y = clouds(500, 4, 6, seed=162)
    net = nn.Sequential(nn.Linear(6, 24), nn.RMSNorm(24), nn.SiLU(), nn.Linear(24, 4))
    held_out = (x[300:], y[300:])
    return Setup(
        net,
        x[:300],
        y[:300],
        "CrossEntropyLoss",
        optim.SGD(lr=0.01),
        8,
        1,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


def _every(loss, targets):
    return lambda output, target: ((output > 0) == (target > 0.5)).all(axis=1)


@healthy(odds, 0.88)
def all_eight_labels_must_be_right() -> Setup:
    """A metric that counts rows of which no label is wrong: it is low, it is true: that is fine."""
    if "every_label" not in nn.METRICS:
        nn.METRICS.register("every_label", _every)
    draw = m.rng(163)
    x = draw.normal(size=(1200, 10))
    y = (x @ draw.normal(size=(10, 8)) + 1.0 * draw.normal(size=(1200, 8)) > 0).astype(np.float32)
    x = x.astype(np.float32)
    held_out = (x[800:], y[800:])
    return Setup(
        nn.Sequential(nn.Linear(10, 8)),
        x[:800],
        y[:800],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.03),
        15,
        25,
        validation=held_out,
        metrics=["every_label"],
        fresh=held_out,
    )


def both(outputs: np.ndarray, y: np.ndarray) -> float:
    """The lesser of the share of classes said rightly and R² of the number beside it."""
    outputs = np.asarray(outputs)
    return min(classes(outputs[:, :3], y[:, 0].astype(int)), r2(outputs[:, 3:], y[:, 1:]))


@healthy(both, 0.9)
def a_class_and_a_number_from_one_body() -> Setup:
    """Two heads in one output, a loss that adds both costs, targets side by side: that is fine."""

    def cost(output, target):
        logarithms = cr.log_softmax(output[:, :3], axis=1)
        picked = cr.where(target[:, :1] == np.arange(3, dtype=np.float32), logarithms, 0.0)
        return (output[:, 3] - target[:, 1]).square() - picked.sum(axis=1)

    x, kind = clouds(900, 3, 6, seed=165)
    number = m.standardised(np.sin(x[:, 0] / 2) + 0.5 * x[:, 1])
    y = np.stack([kind, number], axis=1).astype(np.float32)
    held_out = (x[500:], y[500:])
    return Setup(
        m.mlp(6, 32, 4, hidden=nn.SiLU),
        x[:500],
        y[:500],
        cost,
        optim.Adam(lr=0.01),
        25,
        25,
        validation=held_out,
        more={"schedule": optim.CosineAnnealingLR(T_max=25)},
        fresh=held_out,
    )


def apart(outputs: np.ndarray, y: np.ndarray) -> float:
    """The share of pairs whose distance is on its side of one half."""
    return float(((np.ravel(outputs) < 0.5) == (np.ravel(y) > 0.5)).mean())


@healthy(apart, 0.93)
def distances_of_pairs() -> Setup:
    """Output is a distance, never negative, small where the target is 1 [Hadsell 2006]: fine."""

    class Distance(nn.Module):
        def __init__(self):
            self.code = m.mlp(4, 24, 4, hidden=nn.Tanh)

        def forward(self, x):
            gap = self.code(x[:, :4]) - self.code(x[:, 4:])
            return (gap.square().sum(axis=1, keepdims=True) + 1e-6).sqrt()

    def contrast(output, target):
        near = target * output.square()
        return (near + (1 - target) * cr.relu(1 - output).square()).mean(axis=1)

    points, kind = clouds(1600, 4, 4, spread=0.8, seed=166)
    other = m.rng(167).permutation(800)
    # Every other pair is of one kind, so that there are as many of these.
    for k in range(0, 800, 2):
        other[k] = m.rng(168 + k).choice(np.flatnonzero(kind[800:] == kind[k]))
    x = np.concatenate([points[:800], points[800:][other]], axis=1)
    y = (kind[:800] == kind[800:][other])[:, None].astype(np.float32)
    held_out = (x[500:], y[500:])
    return Setup(
        Distance(),
        x[:500],
        y[:500],
        contrast,
        optim.Adam(lr=0.01),
        20,
        25,
        validation=held_out,
        fresh=held_out,
    )


@healthy(r2, 0.9)
def matrices_that_are_updated_whole() -> Setup:
    """Muon for a deep ELU network, whose steps are of one size, and that is fine."""
    draw = m.rng(169)
    x = draw.normal(size=(900, 5))
    y = np.sin(x[:, :1] + x[:, 1:2]) + 0.5 * x[:, 2:3] + 0.1 * draw.normal(size=(900, 1))
    x, y = x.astype(np.float32), m.standardised(y)
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(5, 24, 24, 24, 1, hidden=nn.ELU, bias=False),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Muon(lr=0.02),
        25,
        30,
        validation=held_out,
        more={"schedule": optim.CosineAnnealingLR(T_max=25)},
        fresh=held_out,
    )
