"""How long `check` takes for a learner's gradients: a network 2-3-1, right ones and wrong ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

import chainrule as cr
from benchmarks.race import Settings
from benchmarks.rows import Row, Spread
from benchmarks.targets import CHECK
from benchmarks.task import Array
from chainrule import nn

X, Y = np.array([[1.0, 2.0]]), np.array([[1.0]])

Gradients = dict[str, Array]


def _by_hand(
    net: nn.Sequential, slope: Callable[[Array], Array], last: Callable[[Array], Array]
) -> Gradients:
    """Backpropagation of ½(a - y)² as a learner writes it, with these slopes."""
    w1, b1, w2, b2 = (np.asarray(value, np.float64) for value in net.state_dict().values())
    a1 = 1 / (1 + np.exp(-(X @ w1.T + b1)))
    a2 = 1 / (1 + np.exp(-(a1 @ w2.T + b2)))
    d2 = (a2 - Y) * last(a2)
    d1 = d2 @ w2 * slope(a1)
    return {"0.weight": d1.T @ X, "0.bias": d1[0], "2.weight": d2.T @ a1, "2.bias": d2[0]}


def _slope(a: Array) -> Array:
    return np.asarray(a * (1 - a))


def _one(a: Array) -> Array:
    return np.ones_like(a)


def _twice(net: nn.Sequential) -> Gradients:
    mine = _by_hand(net, _one, _slope)
    return {**mine, "2.bias": 2 * mine["2.bias"]}


def _unknown(net: nn.Sequential) -> Gradients:
    return {name: value + 0.1 for name, value in _by_hand(net, _slope, _slope).items()}


SUBMISSIONS: dict[str, Callable[[nn.Sequential], Gradients]] = {
    "right": lambda net: _by_hand(net, _slope, _slope),
    "one mistake": lambda net: _by_hand(net, _slope, _one),
    "two mistakes": _twice,
    "no mistake that it knows": _unknown,
}


def checked_rows(settings: Settings) -> Iterator[Row]:
    """Milliseconds of processor time, each for a network of its own: the step is captured anew."""
    for what, submit in SUBMISSIONS.items():
        taken = []
        for seed in range(settings.rounds + 1):
            net = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
            mine = submit(net.initialize(seed=seed))
            began = time.process_time()
            cr.check(net, X, Y, loss=nn.QuadraticLoss(), mine=mine)
            taken.append(1000 * (time.process_time() - began))
        # The first loads what is loaded on first use.
        limit = CHECK if what in ("right", "one mistake") else None
        yield Row("check 2-3-1", what, figure=Spread.of(taken[1:]), unit="ms", limit=limit)
