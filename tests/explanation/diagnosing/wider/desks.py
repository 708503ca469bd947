"""Broken set-ups from the desks of people who write layers and costs of their own."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup
from tests.explanation.diagnosing.setups.judges import classes, odds, r2

broken = partial(case.broken, exam="wider")
EDGES = "constant-features"


def in_order(outputs: np.ndarray, y: np.ndarray) -> float:
    """Spearman's correlation of outputs and targets."""
    ranks = [np.argsort(np.argsort(np.ravel(a))) for a in (outputs, y)]
    return 0.0 if np.ptp(outputs) == 0 else float(np.corrcoef(*ranks)[0, 1])


@broken("gradient-zero", in_order, 0.9, also=["gradient-missing", "no-update"])
def the_place_in_a_ranking_as_the_cost(mended: bool = False) -> Setup:
    """Squared differences of ranks in a batch, counted by signs, which have no slope."""
    draw = m.rng(900)
    x = draw.normal(size=(900, 6)).astype(np.float32)
    y = m.standardised(x[:, :1] - x[:, 1:2] * x[:, 2:3] + 0.1 * draw.normal(size=(900, 1)))

    def of_ranks(output, target):
        if mended:
            return (output - target).square().mean(axis=1)
        places = cr.sign(output - output.swapaxes(0, 1)).mean(axis=1)
        wanted = cr.sign(target - target.swapaxes(0, 1)).mean(axis=1)
        return (places - wanted).square()

    fresh = (x[600:], y[600:])
    return Setup(
        m.mlp(6, 32, 1, hidden=nn.Tanh),
        x[:600],
        y[:600],
        of_ranks,
        optim.Adam(lr=0.01),
        40,
        30,
        fresh=fresh,
    )


class TwoHeads(nn.Module):
    """A body, and a head for each of two questions."""

    def __init__(self):
        self.body = nn.Linear(6, 32)
        self.price = nn.Linear(32, 1)
        self.days = nn.Linear(32, 1)

    def forward(self, x):
        h = cr.tanh(self.body(x))
        return cr.concatenate([self.price(h), self.days(h)], axis=1)


@broken("gradient-missing", r2, 0.85, also=["gradient-zero", "frozen-layer", "no-update"])
def two_heads_and_the_cost_of_one(mended: bool = False) -> Setup:
    """A second head was added for the days to a sale, and the cost still reads the price alone."""
    draw = m.rng(901)
    x = draw.normal(size=(900, 6)).astype(np.float32)
    price = x[:, :1] + 0.5 * x[:, 1:2] * x[:, 2:3]
    days = 0.8 * x[:, 3:4] - 0.7 * x[:, 4:5]
    y = m.standardised(np.hstack([price, days]) + 0.1 * draw.normal(size=(900, 2)))

    def cost(output, target):
        error = (output - target).square()
        return error.mean(axis=1) if mended else error[:, 0]

    return Setup(
        TwoHeads(), x[:600], y[:600], cost, optim.Adam(lr=0.01), 50, 30, fresh=(x[600:], y[600:])
    )


class Both(nn.Module):
    """Geometric means of pairs of rectified sums: a pair counts where both are above 0."""

    def __init__(self, apart: float):
        self.one = nn.Linear(5, 32)
        self.other = nn.Linear(5, 32)
        self.reading = nn.Linear(32, 1)
        self.apart = apart

    def forward(self, x):
        pairs = cr.relu(self.one(x)) * cr.relu(self.other(x))
        return self.reading(cr.sqrt(pairs + self.apart))


@broken("gradient-not-finite", r2, 0.85, looked_at=(BEFORE,), refused=NonFiniteError)
def geometric_means_of_rectified_sums(mended: bool = False) -> Setup:
    """√(a·b) where a and b are both 0: infinite slope of the root, times b, which is 0."""
    draw = m.rng(902)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = m.standardised(abs(x[:, :1]) + x[:, 1:2] + 0.1 * draw.normal(size=(900, 1)))
    return Setup(
        Both(0.01 if mended else 0.0),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        40,
        20,
        fresh=(x[600:], y[600:]),
    )


@broken(
    "loss-not-finite",
    classes,
    0.88,
    looked_at=(BEFORE,),
    refused=NonFiniteError,
    also=[EDGES, "gradient-not-finite"],
)
def a_divergence_from_certain_labels(mended: bool = False) -> Setup:
    """Σ t·log(t/p), made for soft labels, of one-hot ones: 0·log 0 is NaN."""
    (x, y), fresh = m.mixed_digits(903)

    def divergence(output, target):
        logs = cr.log(target + 1e-9) if mended else cr.log(target)
        return (target * (logs - output.log_softmax(axis=1))).sum(axis=1)

    return Setup(
        m.mlp(64, 48, 10),
        x,
        np.eye(10, dtype=np.float32)[y],
        divergence,
        optim.Adam(lr=0.005),
        10,
        fresh=fresh,
    )


class Gated(nn.Module):
    """h + W·h · σ(V·h), five times."""

    def __init__(self, bounded: bool):
        spread = nn.init.kaiming_normal()
        self.inward = nn.Linear(64, 32, weight_init=spread)
        self.values = nn.ModuleList([nn.Linear(32, 32, weight_init=spread) for _ in range(5)])
        self.gates = nn.ModuleList([nn.Linear(32, 32, weight_init=spread) for _ in range(5)])
        self.reading = nn.Linear(32, 10)
        self.bounded = bounded

    def forward(self, x):
        h = self.inward(x)
        for value, gate in zip(self.values, self.gates, strict=True):
            z = gate(h)
            h = h + value(h) * (cr.sigmoid(z) if self.bounded else z)
        return self.reading(h)


@broken(
    "exploding-gradient",
    classes,
    0.85,
    also=[EDGES, "learning-rate-too-large", "loss-not-finite", "gradient-not-finite"],
    looked_at=(BEFORE,),
    refused=NonFiniteError,
)
def gates_without_their_sigmoid(mended: bool = False) -> Setup:
    """Gates that nothing bounds: each of five layers squares what it gets."""
    (x, y), fresh = m.mixed_digits(904)
    return Setup(
        Gated(mended),
        x,
        y,
        "CrossEntropyLoss",
        optim.SGD(lr=0.02),
        15,
        metrics=["accuracy"],
        fresh=fresh,
    )


class Blocks(nn.Module):
    """Six blocks whose results are made small, as they are to be added to what came in."""

    def __init__(self, added: bool):
        self.inward = nn.Linear(64, 32)
        self.blocks = nn.ModuleList([m.mlp(32, 32, 32) for _ in range(6)])
        self.reading = nn.Linear(32, 10)
        self.added = added

    def forward(self, x):
        h = cr.relu(self.inward(x))
        for block in self.blocks:
            h = h + 0.1 * block(h) if self.added else 0.1 * block(h)
        return self.reading(h)


@broken(
    "vanishing-gradient",
    classes,
    0.85,
    also=[EDGES, "class-collapse", "learning-rate-too-small", "gradient-zero"],
)
def small_blocks_that_are_not_added(mended: bool = False) -> Setup:
    """h = 0.1·f(h) where h + 0.1·f(h) was meant, six times."""
    (x, y), fresh = m.mixed_digits(905)
    return Setup(
        Blocks(mended),
        x,
        y,
        "CrossEntropyLoss",
        optim.SGD(lr=0.1, momentum=0.9),
        10,
        metrics=["accuracy"],
        fresh=fresh,
    )


class Centred(nn.Module):
    """A hidden layer that is centred before it is rectified."""

    def __init__(self, by_the_mean: bool):
        self.hidden = nn.Linear(5, 48)
        self.reading = nn.Linear(48, 1)
        self.by_the_mean = by_the_mean

    def forward(self, x):
        z = self.hidden(x)
        off = z.mean(axis=1, keepdims=True) if self.by_the_mean else z.max(axis=1, keepdims=True)
        return self.reading(cr.relu(z - off))


@broken("dead-units", r2, 0.85, also=["gradient-zero", "vanishing-gradient", "no-update"])
def the_largest_taken_off_before_a_rectifier(mended: bool = False) -> Setup:
    """z - max(z), which a softmax bears, before a ReLU: no sum is left above 0."""
    draw = m.rng(906)
    x = draw.normal(size=(900, 5)).astype(np.float32)
    y = m.standardised(abs(x[:, :1]) + x[:, 1:2] + 0.1 * draw.normal(size=(900, 1)))
    return Setup(
        Centred(mended),
        x[:600],
        y[:600],
        "MSELoss",
        optim.Adam(lr=0.01),
        40,
        30,
        fresh=(x[600:], y[600:]),
    )


class Highway(nn.Module):
    """h·t + x·(1 - t), the gate t = σ(V·x + c)   [Srivastava et al. 2015, eq. 3]."""

    def __init__(self, width: int, bias: float):
        start = nn.init.constant(bias)
        self.body = nn.Linear(width, width)
        self.gate = nn.Linear(width, width, bias_init=start)

    def forward(self, x):
        t = cr.sigmoid(self.gate(x))
        return t * cr.tanh(self.body(x)) + (1 - t) * x


@broken(
    "saturated-units",
    odds,
    0.93,
    also=["gradient-zero", "vanishing-gradient", "too-few-units", "frozen-layer"],
)
def gates_of_a_highway_begun_at_minus_twenty(mended: bool = False) -> Setup:
    """Gates begin at -20 where the paper has -2: they never open, and what is left is a line."""
    x, y = m.moons(900, 0.15, seed=907)
    bias = -2.0 if mended else -20.0
    net = nn.Sequential(nn.Linear(2, 16), Highway(16, bias), Highway(16, bias), nn.Linear(16, 1))
    return Setup(
        net,
        x[:600],
        y[:600],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        30,
        30,
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
    )


@broken("symmetric-initialization", classes, 0.8, also=["too-few-units", EDGES])
def a_seed_set_anew_for_each_unit(mended: bool = False) -> Setup:
    """A loop seeds the generator before it draws a unit's weights, in and out: all are one unit."""
    (x, y), fresh = m.mixed_digits(908)
    net = m.mlp(64, 24, 10, hidden=nn.Tanh)
    net.initialize(seed=0)
    state = {name: np.array(values) for name, values in net.state_dict().items()}
    for unit in range(24):
        draw = m.rng(unit if mended else 42)
        state["0.weight"][unit] = draw.normal(size=64) / 8
        state["2.weight"][:, unit] = draw.normal(size=10) / 5
    state["0.bias"][:] = 0
    net.load_state_dict(state)
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.SGD(lr=0.1),
        8,
        metrics=["accuracy"],
        fresh=fresh,
    )


class Budget(nn.Module):
    """What is spent on each of four things, as parts of the whole."""

    def __init__(self):
        self.body = m.mlp(6, 32, 4)

    def forward(self, x):
        return self.body(x).softmax(axis=1)


@broken(
    "unreachable-targets",
    r2,
    0.85,
    also=["unscaled-targets", "saturated-units", "vanishing-gradient", "gradient-zero"],
)
def a_household_s_budget_in_percent(mended: bool = False) -> Setup:
    """Shares of four expenses that sum to 100, and a softmax at the end, which sums to 1."""
    draw = m.rng(909)
    x = draw.normal(size=(900, 6)).astype(np.float32)
    z = 0.8 * x @ draw.normal(size=(6, 4))
    y = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    y = (y if mended else 100 * y).astype(np.float32)
    return Setup(
        Budget(), x[:600], y[:600], "MSELoss", optim.Adam(lr=0.01), 30, 30, fresh=(x[600:], y[600:])
    )


def of_probabilities(outputs: np.ndarray, y: np.ndarray) -> float:
    """How much of Brier's score of the base rate is explained by the logits' probabilities."""
    return r2(1 / (1 + np.exp(-np.asarray(outputs, np.float64))), y)


@broken(
    "loss-output-mismatch",
    of_probabilities,
    0.75,
    also=["unreachable-targets", "dead-units", "gradient-zero"],
)
def a_rectifier_before_bce_with_logits(mended: bool = False) -> Setup:
    """ReLU behind every layer, the last too, before BCEWithLogitsLoss: no chance is below half."""
    x, y = m.moons(900, 0.12, seed=910)
    net = m.mlp(2, 32, 16, 1)
    net.initialize(seed=2)
    if not mended:
        net.append(nn.ReLU())
    return Setup(
        net,
        x[:600],
        y[:600],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.01),
        25,
        30,
        metrics=["accuracy"],
        fresh=(x[600:], y[600:]),
    )


@broken(
    "learning-rate-too-large",
    classes,
    0.88,
    looked_at=(AFTER,),
    also=[EDGES, "dead-units", "class-collapse", "exploding-gradient", "gradient-zero"],
)
def a_warm_up_without_an_end(mended: bool = False) -> Setup:
    """The factor step/20 of a warm-up, whose min(1, ...) was left out: at the end it is 48."""
    (x, y), fresh = m.mixed_digits(911)
    warm_up = optim.LambdaLR(
        lambda step: min(1.0, (step + 1) / 20) if mended else (step + 1) / 20, unit="step"
    )
    return Setup(
        m.mlp(64, 48, 24, 10),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.005),
        30,
        metrics=["accuracy"],
        more={"schedule": warm_up},
        fresh=fresh,
    )
