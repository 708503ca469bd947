"""Where outputs can lie, by the ops that make them."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.explanation.diagnosing.intervals import EVERYWHERE, interval_of
from chainrule.explanation.diagnosing.units import output_of
from tests.explanation.diagnosing.asking import ask, network


class Last(nn.Module):
    def __init__(self, last):
        self.body = nn.Linear(2, 3)
        self.last = last

    def forward(self, x):
        return self.last(self.body(x))


LASTS = {
    "sigmoid": (lambda z: z.sigmoid(), (0, 1)),
    "ten times a sigmoid": (lambda z: 10 * z.sigmoid(), (0, 10)),
    "a sigmoid from -3 to 5": (lambda z: 8 * z.sigmoid() - 3, (-3, 5)),
    "what is left of a tanh": (lambda z: 1 - z.tanh(), (0, 2)),
    "relu": (lambda z: cr.relu(z), (0, math.inf)),
    "less a relu": (lambda z: 2 - cr.relu(z), (-math.inf, 2)),
    "a square": (lambda z: z * z, EVERYWHERE),  # what operands have in common is not seen
    "softmax": (lambda z: cr.softmax(z, axis=1), (0, 1)),
    "a gate": (lambda z: z.sigmoid() * (0.5 * z).tanh(), (-1, 1)),
    "a clip": (lambda z: z.clip(-2, 4), (-2, 4)),
    "all": (lambda z: z + 1, EVERYWHERE),
    "another shape": (lambda z: z.tanh().reshape(-1, 3, 1), (-1, 1)),
}


@pytest.mark.parametrize("kind", LASTS)
def test_outputs_lie_where_the_last_ops_put_them(kind):
    last, ends = LASTS[kind]
    x = np.random.default_rng(0).normal(size=(8, 2))
    shape = (8, 3, 1) if kind == "another shape" else (8, 3)
    net = Last(last).astype("float64")
    trace = cr.explain(net, x, np.zeros(shape), loss="MSELoss")
    found = interval_of(trace, output_of(trace.graph))
    # Ends are those of a grid that goes out to a million: σ and tanh are at theirs there.
    assert found == pytest.approx(ends, abs=1e-9)
    value = np.asarray(trace.values[output_of(trace.graph)])
    assert (found[0] <= value).all()
    assert (value <= found[1]).all()


class Cosine(nn.Module):
    def __init__(self, scale):
        self.body = nn.Linear(2, 3)
        self.scale = scale

    def forward(self, x):
        z = self.body(x)
        return self.scale * z[:, :1] / (z * z).sum(axis=1, keepdims=True).sqrt()


@pytest.mark.parametrize(("scale", "found"), [(1, 1), (5, 0)])
def test_a_cosine_ends_at_one_however_large_the_weights_are(scale, found):
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(60, 2)), draw.uniform(-5, 5, (60, 1))
    assert len(ask("unreachable-targets", Cosine(scale), x, y)) == found


def test_a_linear_output_has_no_end():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(60, 2)), 1e4 * draw.normal(size=(60, 1))
    assert not ask("unreachable-targets", network(2), x, y)
