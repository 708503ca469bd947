"""No false alarm: what a right backpropagation gives is right, however it is rounded."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

ACTIVATIONS = [nn.Sigmoid, nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus]
LOSSES = [
    (nn.QuadraticLoss, "numbers"),
    (nn.MSELoss, "numbers"),
    (nn.L1Loss, "numbers"),
    (nn.HuberLoss, "numbers"),
    (nn.BCEWithLogitsLoss, "bits"),
    (nn.CrossEntropyLoss, "classes"),
]


def step(rng, seed):
    """The step of a random network on random examples."""
    loss, kind = LOSSES[rng.integers(len(LOSSES))]
    sizes = [int(n) for n in rng.integers(1, 5, rng.integers(2, 5))]
    sizes[-1] += kind == "classes"
    layers = []
    for k, (before, after) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(before, after))
        if k < len(sizes) - 2:
            layers.append(ACTIVATIONS[rng.integers(len(ACTIVATIONS))]())
    net = nn.Sequential(*layers).initialize(seed)
    count = int(rng.integers(1, 7))
    x = np.round(rng.normal(size=(count, sizes[0])), 2)
    y = {
        "numbers": rng.normal(size=(count, sizes[-1])),
        "bits": rng.integers(0, 2, (count, sizes[-1])).astype(float),
        "classes": rng.integers(0, sizes[-1], count),
    }[kind]
    return cr.explain(net, x, y, loss=loss(), backend="numpy")


def rounded(rng, trace):
    """Some of a step's values as one writes them: to digits or decimals, as text or as floats."""
    digits, letter = int(rng.choice([3, 3, 4, 6])), str(rng.choice(["g", "f"]))
    is_text = rng.random() < 0.5
    written = {}
    for name, node in trace.graph.positions.items():
        ends = name.endswith((".weight", ".bias", ".out")) and (name[:2] == "d_" or ".out" in name)
        if not (ends or name.startswith("next.0")) or rng.random() < 0.3:
            continue
        values = np.asarray(trace.values[node], float)
        texts = np.vectorize(lambda number: f"{number:.{digits}{letter}}", otypes=[object])(values)
        written[name] = texts if is_text else texts.astype(float)
    return written


def alarms(seed, count):
    rng = np.random.default_rng(seed)
    found, checked = [], 0
    for k in range(count):
        trace = step(rng, k)
        mine = rounded(rng, trace)
        if mine:
            checked += 1
            check = cr.check(trace, mine=mine)
            if not check.is_right:
                found.append((k, check.text()))
    assert checked > 0.9 * count
    return found


def test_right_submissions_are_right():
    assert not alarms(0, 60)


@pytest.mark.slow
def test_a_thousand_right_submissions_are_right():
    assert not alarms(1, 1000)
