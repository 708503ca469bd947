"""Tables whose rows or costs look contradictory, and are honest; and two that are not."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import Setup
from tests.explanation.diagnosing.setups.judges import balanced_odds, classes, odds, r2
from tests.explanation.diagnosing.wider.values import chances, rates

healthy = partial(case.healthy, exam="wider")
broken = partial(case.broken, exam="wider")


@healthy(chances, 0.85)
def eight_doses_of_sixty_animals() -> Setup:
    """Eight doses and one weight: equal rows have both answers, as chance has it: that is fine."""
    draw = m.rng(400)
    dose = np.repeat(np.linspace(-1.75, 1.75, 8), 60)[:, None]
    p = 1 / (1 + np.exp(-1.5 * dose - 0.2))
    y = (draw.uniform(size=p.shape) < p).astype(np.float32)
    doses = np.linspace(-1.6, 1.6, 50)[:, None]
    return Setup(
        nn.Sequential(nn.Linear(1, 1)),
        dose.astype(np.float32),
        y,
        "BCEWithLogitsLoss",
        optim.SGD(lr=0.3),
        20,
        20,
        fresh=(doses.astype(np.float32), 1 / (1 + np.exp(-1.5 * doses - 0.2))),
    )


@healthy(chances, 0.85)
def cells_of_a_contingency_table() -> Setup:
    """Each cell is there as a yes and as a no, and weighs as many people as said so: fine."""
    draw = m.rng(401)
    cells = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 5), axis=-1).reshape(-1, 5)
    p = 1 / (1 + np.exp(-cells @ [[0.9], [-0.7], [0.4], [0.0], [0.0]] + 0.3))
    yes = draw.binomial(200, p)
    return Setup(
        nn.Sequential(nn.Linear(5, 1)),
        np.concatenate([cells, cells]).astype(np.float32),
        np.repeat([1, 0], 32)[:, None].astype(np.float32),
        "BCEWithLogitsLoss",
        optim.SGD(lr=0.5, momentum=0.5),
        40,
        64,
        more={"sample_weight": np.concatenate([yes, 200 - yes])[:, 0] / np.float32(100)},
        fresh=(cells.astype(np.float32), p),
    )


@healthy(r2, 0.9)
def sixty_columns_that_all_count_a_little() -> Setup:
    """A line in sixty columns, where no two rows are near each other: that is fine."""
    draw = m.rng(402)
    x = draw.normal(size=(2500, 60)).astype(np.float32)
    y = m.standardised(x @ draw.normal(size=(60, 1)) + 1.0 * draw.normal(size=(2500, 1)))
    held_out = (x[2000:], y[2000:])
    return Setup(
        nn.Sequential(nn.Linear(60, 1)),
        x[:2000],
        y[:2000],
        "MSELoss",
        optim.Adam(lr=0.004),
        10,
        validation=held_out,
        metrics=["r2"],
        fresh=held_out,
    )


@healthy(odds, 0.93)
def switches_that_undo_each_other() -> Setup:
    """Yes where two switches of fourteen agree, so that no column alone says a thing: fine."""
    draw = m.rng(403)
    x = draw.choice([-1.0, 1.0], size=(1600, 14)).astype(np.float32)
    x = x[np.sort(np.unique(x, axis=0, return_index=True)[1])]
    y = (x[:, :1] * x[:, 1:2] > 0).astype(np.float32)
    held_out = (x[1100:], y[1100:])
    return Setup(
        m.mlp(14, 24, 1),
        x[:1100],
        y[:1100],
        "BCEWithLogitsLoss",
        optim.AdamW(lr=0.02, weight_decay=0.1),
        20,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(rates, 0.85)
def amounts_under_a_gamma_s_likelihood() -> Setup:
    """Amounts above 0 and outputs that are logarithms of means, under y/μ + log μ: that is fine."""

    def gamma(output, target):
        return (target * cr.exp(-output) + output).sum(axis=1)

    draw = m.rng(404)
    x = draw.normal(size=(2600, 4)).astype(np.float32)
    mean = np.exp(0.5 + 0.6 * x[:, :1] - 0.4 * x[:, 1:2])
    y = (mean * draw.gamma(1.5, 1 / 1.5, mean.shape)).astype(np.float32)
    return Setup(
        m.mlp(4, 12, 1, hidden=nn.Tanh),
        x[:2000],
        y[:2000],
        gamma,
        optim.Adam(lr=0.005),
        12,
        validation=(x[2000:], y[2000:]),
        fresh=(x[2000:], mean[2000:]),
    )


@healthy(rates, 0.85)
def survivors_with_a_flag_for_who_left() -> Setup:
    """Targets are a time and whether it ended there, the output is a hazard's logarithm: fine."""

    def exponential(output, target):
        log_hazard = output[:, 0]
        return cr.exp(log_hazard) * target[:, 0] - target[:, 1] * log_hazard

    draw = m.rng(405)
    x = draw.normal(size=(2600, 5)).astype(np.float32)
    hazard = np.exp(0.7 * x[:, :1] - 0.5 * x[:, 1:2] - 0.2)
    time = draw.exponential(1 / hazard)
    left = draw.uniform(0.3, 2.5, time.shape)
    y = np.concatenate([np.minimum(time, left), time <= left], axis=1).astype(np.float32)
    return Setup(
        m.mlp(5, 1),
        x[:2000],
        y[:2000],
        exponential,
        optim.Adam(lr=0.005),
        6,
        validation=(x[2000:], y[2000:]),
        fresh=(x[2000:], hazard[2000:]),
    )


def middle(outputs: Any, y: Any) -> float:
    return r2(np.asarray(outputs)[:, 1], np.ravel(y))


@healthy(middle, 0.85)
def three_quantiles_of_one_target() -> Setup:
    """Three outputs less one column of targets, which is meant: a band and its middle: fine."""
    levels = np.float32([0.1, 0.5, 0.9])

    def pinball(output, target):
        error = target - output
        return cr.maximum(levels * error, (levels - 1) * error).mean(axis=1)

    draw = m.rng(406)
    x = draw.uniform(-1.5, 1.5, (2600, 3)).astype(np.float32)
    centre = np.sin(1.5 * x[:, :1]) + 0.5 * x[:, 1:2]
    y = (centre + 0.3 * draw.normal(size=centre.shape)).astype(np.float32)
    return Setup(
        m.mlp(3, 24, 3, hidden=nn.SiLU),
        x[:2000],
        y[:2000],
        pinball,
        optim.Adam(lr=0.01),
        15,
        validation=(x[2000:], y[2000:]),
        fresh=(x[2000:], centre[2000:].astype(np.float32)),
    )


@healthy(classes, 0.85)
def rows_that_nobody_has_labelled_yet() -> Setup:
    """A third of the rows are class -1, which the loss is told to ignore: that is fine."""
    draw = m.rng(407)
    centres = 1.8 * draw.normal(size=(4, 6))
    y = draw.integers(0, 4, 1500)
    x = m.standardised(centres[y] + draw.normal(size=(1500, 6)))
    held_out = (x[1100:], y[1100:])
    x, y = x[:1100], y[:1100].copy()
    y[::3] = -1
    return Setup(
        m.mlp(6, 16, 4),
        x,
        y,
        nn.CrossEntropyLoss(ignore_index=-1),
        optim.Adam(lr=0.01),
        12,
        validation=held_out,
        fresh=held_out,
    )


@healthy(r2, 0.8)
def what_a_tour_usually_takes() -> Setup:
    """Times with a long tail to one side, of which L1 learns the median and not the mean: fine."""
    draw = m.rng(408)
    x = draw.normal(size=(2600, 4)).astype(np.float32)
    median = np.tanh(x[:, :1]) - 0.5 * x[:, 1:2]
    y = median + 0.8 * (np.exp(draw.normal(size=median.shape)) - 1)
    return Setup(
        m.mlp(4, 12, 1, hidden=nn.Tanh),
        x[:2000],
        y[:2000].astype(np.float32),
        "L1Loss",
        optim.Adam(lr=0.01),
        12,
        validation=(x[2000:], y[2000:].astype(np.float32)),
        metrics=["mae"],
        fresh=(x[2000:], median[2000:].astype(np.float32)),
    )


@healthy(r2, 0.9)
def outputs_of_which_a_third_were_not_measured() -> Setup:
    """Four values and four flags as targets; what was not measured is 0 and costs nothing: fine."""

    def measured(output, target):
        return (target[:, 4:] * (output - target[:, :4]).square()).sum(axis=1)

    draw = m.rng(409)
    x = draw.normal(size=(1400, 6)).astype(np.float32)
    y = m.standardised(x @ draw.normal(size=(6, 4)) + 0.3 * draw.normal(size=(1400, 4)))
    known = draw.uniform(size=y.shape) < 0.67
    packed = np.concatenate([y * known, known], axis=1).astype(np.float32)
    return Setup(
        nn.Sequential(nn.Linear(6, 4)),
        x[:1000],
        packed[:1000],
        measured,
        optim.Adam(lr=0.01),
        12,
        validation=(x[1000:], packed[1000:]),
        fresh=(x[1000:], y[1000:]),
    )


@healthy(classes, 0.85)
def a_tenth_of_each_label_given_away() -> Setup:
    """label_smoothing=0.1, under which the cost never gets near 0: that is fine."""
    draw = m.rng(410)
    centres = 1.7 * draw.normal(size=(6, 8))
    y = draw.integers(0, 6, 1600)
    x = m.standardised(centres[y] + draw.normal(size=(1600, 8)))
    held_out = (x[1200:], y[1200:])
    return Setup(
        m.mlp(8, 24, 6, hidden=nn.GELU),
        x[:1200],
        y[:1200],
        nn.CrossEntropyLoss(label_smoothing=0.1),
        optim.SGD(lr=0.1, momentum=0.9),
        10,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@broken("class-collapse", balanced_odds, 0.8, looked_at=(case.AFTER,), also=["class-imbalance"])
def weights_of_the_classes_turned_round(mended: bool = False) -> Setup:
    """Weights of 0.05 and 0.95 for a frequent class and a rare one: the rare one got the 0.05."""
    draw = m.rng(411)
    x = draw.normal(size=(2200, 5)).astype(np.float32)
    z = x[:, :1] - x[:, 1:2] + 0.4 * draw.logistic(size=(2200, 1))
    y = (z > np.quantile(z, 0.95)).astype(np.float32)
    held_out = (x[1600:], y[1600:])
    return Setup(
        m.mlp(5, 8, 1, hidden=nn.Tanh),
        x[:1600],
        y[:1600],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        6,
        validation=held_out,
        metrics=["accuracy"],
        more={"class_weight": [0.05, 0.95] if mended else [0.95, 0.05]},
        fresh=held_out,
    )


@broken("gradient-zero", odds, 0.85)
def the_number_of_errors_as_the_cost(mended: bool = False) -> Setup:
    """What counts is the number of errors, so it is minimised: |sign(z) - y|, flat everywhere."""

    def errors(output, target):
        said = cr.tanh(output) if mended else cr.sign(output)
        return abs(said - target).mean(axis=1)

    draw = m.rng(412)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = np.sign(x[:, :1] - 0.8 * x[:, 1:2] + 0.1 * draw.normal(size=(900, 1))).astype(np.float32)
    held_out = (x[600:], y[600:])
    return Setup(
        m.mlp(5, 12, 1, hidden=nn.Tanh),
        x[:600],
        y[:600],
        errors,
        optim.Adam(lr=0.01),
        15,
        validation=held_out,
        fresh=held_out,
    )
