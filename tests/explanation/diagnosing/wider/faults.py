"""Broken networks whose fault lies in how their parts are joined or begun."""

from __future__ import annotations

from functools import partial

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from tests.explanation.diagnosing.held_out.material import clouds
from tests.explanation.diagnosing.setups import case
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, Setup
from tests.explanation.diagnosing.setups.judges import classes, r2
from tests.explanation.diagnosing.wider.trainings import Experts, bent

broken = partial(case.broken, exam="wider")


class Gated(nn.Module):
    """h · σ(W·h + b): what a layer passes on of its input."""

    def __init__(self, width: int, bias: float):
        self.gate = nn.Linear(width, width, bias_init=nn.init.constant(bias))

    def forward(self, h):
        return h * cr.sigmoid(self.gate(h))


@broken("vanishing-gradient", classes, 0.9, also=["class-collapse"])
def sixteen_gates_that_are_half_open(mended: bool = False) -> Setup:
    """Each gate passes on one half at first, and sixteen follow one another: 1/65536 arrives."""
    x, y = clouds(400, 5, 8, seed=150)
    gates = [Gated(24, 4.0 if mended else 0.0) for _ in range(16)]
    net = nn.Sequential(nn.Linear(8, 24), *gates, nn.Linear(24, 5))
    optimizer = optim.SGD(lr=0.05, momentum=0.9)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 15, 25, metrics=["accuracy"])


class Neighbours(nn.Module):
    """What a node's neighbours and itself say, summed or averaged, eight times   [Kipf 2017]."""

    def __init__(self, averaged: bool):
        near = np.abs(np.arange(14)[:, None] - np.arange(14)) <= 3
        share = near / near.sum(axis=1, keepdims=True) if averaged else near
        self.near = nn.Buffer(share.astype(np.float32))
        self.first = nn.Linear(2, 16)
        self.layers = nn.ModuleList([nn.Linear(16, 16) for _ in range(8)])
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        h = self.first(x)
        for layer in self.layers:
            h = h + cr.relu(layer(self.near @ h))
        return self.head(h.mean(axis=1))


@broken(
    "exploding-gradient",
    classes,
    0.9,
    also=["loss-not-finite", "learning-rate-too-large", "dead-units", "class-collapse"],
    refused=NonFiniteError,
)
def neighbours_that_are_summed(mended: bool = False) -> Setup:
    """Messages on a graph are summed over seven neighbours in each of eight layers."""
    draw = m.rng(151)
    x = draw.normal(size=(300, 14, 2))
    y = (x[:, :, 0].mean(axis=1) > 0.5 * x[:, :, 1].mean(axis=1)).astype(np.int64)
    optimizer = optim.SGD(lr=0.02, momentum=0.9)
    return Setup(
        Neighbours(mended),
        x.astype(np.float32),
        y,
        "CrossEntropyLoss",
        optimizer,
        12,
        25,
        metrics=["accuracy"],
    )


class Kernels(nn.Module):
    """Compact kernels (1 - |x - c|²/r²)₊ about places, and a linear reading   [Wendland 1995]."""

    def __init__(self, places: np.ndarray, radius: float):
        self.places = nn.Parameter(places)
        self.radius = radius
        self.head = nn.Linear(len(places), 1)

    def forward(self, x):
        apart = (x[:, None, :] - self.places).square().sum(axis=2)
        return self.head(cr.relu(1 - apart / self.radius**2))


@broken("dead-units", r2, 0.85, also=["gradient-zero", "frozen-layer", "too-few-units"])
def kernels_that_nothing_lies_in(mended: bool = False) -> Setup:
    """Forty kernels of radius 0.05 in four dimensions: no row is within any of them."""
    draw = m.rng(152)
    x = draw.normal(size=(500, 4))
    y = m.standardised(np.sin(x[:, :1]) + 0.5 * x[:, 1:2] - 0.3 * x[:, 2:3] * x[:, 3:])
    places = draw.normal(size=(40, 4)).astype(np.float32)
    net = Kernels(places, 3.0 if mended else 0.05)
    return Setup(net, x.astype(np.float32), y, "MSELoss", optim.Adam(lr=0.02), 40, 25)


@broken("symmetric-initialization", r2, 0.9, also=["gradient-zero", "too-few-units"])
def experts_that_are_copies(mended: bool = False) -> Setup:
    """Four experts are copies of one, the gate starts at 0: they stay one, which is linear."""
    x, y = bent(600, seed=153)
    net = Experts(3, 4)
    net.initialize(seed=3)
    if not mended:
        net.gate.weight.replace(np.zeros((4, 3), np.float32))
        net.gate.bias.replace(np.zeros(4, np.float32))
        net.experts.weight.replace(np.tile(net.experts.weight.numpy()[:1], (4, 1)))
        net.experts.bias.replace(np.tile(net.experts.bias.numpy()[:1], 4))
    # In float32 rounding tells the experts apart: not so here.
    more = {"dtype": "float64"}
    return Setup(net, x, y, "MSELoss", optim.SGD(lr=0.1, momentum=0.5), 30, 30, more=more)


@broken("gradient-zero", r2, 0.93, also=["gradient-missing", "frozen-layer", "too-few-units"])
def an_expert_that_is_chosen_outright(mended: bool = False) -> Setup:
    """The gate picks the largest and drops its share: what is picked tells it nothing."""
    x, y = bent(600, seed=154)
    return Setup(Experts(3, 4, hard=not mended), x, y, "MSELoss", optim.Adam(lr=0.03), 30, 30)


@broken(
    "learning-rate-too-large",
    classes,
    0.85,
    looked_at=(AFTER,),
    also=["exploding-gradient", "dead-units", "class-collapse", "saturated-units"],
)
def a_cycle_up_to_one(mended: bool = False) -> Setup:
    """OneCycleLR(max_lr=1) over Adam(lr=0.003): the cycle's rate is the one that counts."""
    x, y = clouds(500, 6, 8, spread=1.2, seed=155)
    peak = 0.01 if mended else 1.0
    schedule = optim.OneCycleLR(max_lr=peak, epochs=12, steps_per_epoch=20, pct_start=0.9)
    return Setup(
        m.mlp(8, 32, 32, 6),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.003),
        12,
        25,
        metrics=["accuracy"],
        more={"schedule": schedule},
    )
