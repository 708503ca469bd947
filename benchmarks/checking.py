"""How long `check` takes for a learner's gradients: right ones and wrong ones, small and large."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

import chainrule as cr
from benchmarks.race import Settings
from benchmarks.rows import Row, Spread
from benchmarks.targets import CHECK, CHECK_NONE, CHECK_PAIR
from benchmarks.task import Array
from chainrule import nn

Gradients = dict[str, Array]
Slope = Callable[[Array], Array]


@dataclass(frozen=True)
class Exam:
    """Sigmoid layers, and examples.

    Parameters
    ----------
    sizes : tuple of int
        Of the input and of each layer.
    examples : int
    targets : mapping of str to float
        Milliseconds, by what is handed in.
    """

    sizes: tuple[int, ...]
    examples: int
    targets: Mapping[str, float]

    def network(self, seed: int) -> nn.Sequential:
        """The network, with its weights drawn."""
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        layers = [layer for a, b in pairs for layer in (nn.Linear(a, b), nn.Sigmoid())]
        return nn.Sequential(*layers).initialize(seed=seed)

    @property
    def data(self) -> tuple[Array, Array]:
        """Inputs and targets."""
        rng = np.random.default_rng(0)
        x = rng.random((self.examples, self.sizes[0]))
        return x, np.eye(self.sizes[-1])[rng.integers(self.sizes[-1], size=self.examples)]


def _by_hand(exam: Exam, net: nn.Sequential, slope: Slope, last: Slope) -> Gradients:
    """Backpropagation of ½(a - y)² as a learner writes it, with these slopes."""
    parameters = [np.asarray(value, np.float64) for value in net.state_dict().values()]
    weights, biases = parameters[::2], parameters[1::2]
    x, y = exam.data
    a = [x]
    for w, b in zip(weights, biases, strict=True):
        a.append(1 / (1 + np.exp(-(a[-1] @ w.T + b))))
    d = (a[-1] - y) / len(x) * last(a[-1])
    found: Gradients = {}
    for k in reversed(range(len(weights))):
        found |= {f"{2 * k}.weight": d.T @ a[k], f"{2 * k}.bias": d.sum(0)}
        d = d @ weights[k] * slope(a[k])
    return found


def _slope(a: Array) -> Array:
    return np.asarray(a * (1 - a))


def _one(a: Array) -> Array:
    return np.ones_like(a)


def _twice(exam: Exam, net: nn.Sequential) -> Gradients:
    mine = _by_hand(exam, net, _one, _slope)
    last = f"{2 * len(exam.sizes) - 4}.bias"
    return {**mine, last: 2 * mine[last]}


def _twice_in_one(exam: Exam, net: nn.Sequential) -> Gradients:
    """Of which one value is handed in: nothing rules a pair out but the value itself."""
    return {"0.weight": 2 * _by_hand(exam, net, _one, _slope)["0.weight"]}


def _unknown(exam: Exam, net: nn.Sequential) -> Gradients:
    return {name: value + 0.1 for name, value in _by_hand(exam, net, _slope, _slope).items()}


def _unknown_in_one(exam: Exam, net: nn.Sequential) -> Gradients:
    right = _by_hand(exam, net, _slope, _slope)["0.weight"]
    return {"0.weight": right * (1 + 0.3 * np.random.default_rng(0).standard_normal(right.shape))}


SUBMISSIONS: dict[str, Callable[[Exam, nn.Sequential], Gradients]] = {
    "right": lambda exam, net: _by_hand(exam, net, _slope, _slope),
    "one mistake": lambda exam, net: _by_hand(exam, net, _slope, _one),
    "two mistakes": _twice,
    "two mistakes in one value": _twice_in_one,
    "no mistake that it knows": _unknown,
    "none that it knows in one value": _unknown_in_one,
}
_SMALL = {what: CHECK for what in SUBMISSIONS if "one value" not in what}
_LARGE = {"two mistakes in one value": CHECK_PAIR, "none that it knows in one value": CHECK_NONE}
EXAMS = (
    Exam((2, 3, 1), 1, _SMALL),
    Exam((784, 512, 512, 10), 128, _LARGE),
)


def checked_rows(settings: Settings) -> Iterator[Row]:
    """Milliseconds of processor time, each for a network of its own: the step is captured anew."""
    for exam in EXAMS:
        x, y = exam.data
        for what, submit in SUBMISSIONS.items():
            taken = []
            for seed in range(settings.rounds + 1):
                net = exam.network(seed)
                mine = submit(exam, net)
                began = time.process_time()
                cr.check(net, x, y, loss=nn.QuadraticLoss(), mine=mine)
                taken.append(1000 * (time.process_time() - began))
            # The first loads what is loaded on first use.
            figure, limit = Spread.of(taken[1:]), exam.targets.get(what)
            name = f"check {'-'.join(map(str, exam.sizes))}"
            yield Row(name, what, figure=figure, unit="ms", limit=limit)
