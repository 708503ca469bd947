"""BP1 to BP4: which gradients are called so, and which are not."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.explanation.captions import ADDED_UP, is_state, is_weighted_sum


def explain(net, x, y=None, **options):
    y = np.ones((len(x), 1)) if y is None else y
    return cr.explain(net.astype("float64").initialize(0), x, y, loss=nn.MSELoss(), **options)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


class Products(nn.Module):
    """A product of data with data, which is no weighted sum, and one with a weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(np.ones((2, 2)))
        self.end = nn.Linear(2, 1)

    def forward(self, x):
        mixed = x @ x.T @ x
        return self.end(mixed @ self.weight)


def test_data_of_two_axes_are_no_weights():
    trace = explain(Products(), numbers(2, 2))
    products = [node for node in trace.graph.nodes if node.op == "contract"]
    of_data = [node for node in products if trace.graph.find("x") in node.inputs]
    assert of_data
    assert not any(is_weighted_sum(trace, node) for node in of_data)
    assert is_weighted_sum(trace, trace.graph["end.out"])
    assert is_state(trace, trace.graph.find("weight"))
    assert not is_state(trace, trace.graph.find("x"))


def test_a_frozen_weight_is_a_weight_all_the_same():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    net[2].weight.requires_grad = False
    trace = explain(net, numbers(1, 2))
    assert trace["d_0.out", 0, 0].caption.name == "BP2"
    assert trace["d_2.out", 0, 0].caption.name == "BP1"
    assert trace["0.weight", 0, 0].gradient.caption.name == "BP4"


def test_a_vector_of_weights_makes_a_weighted_sum():
    class Neuron(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(np.ones(2))

        def forward(self, x):
            return (x @ self.weight).tanh()

    trace = explain(Neuron(), numbers(3, 2), np.ones(3))
    (product,) = (n for n in trace.graph.nodes if n.op == "contract" and n.dtype.is_float
                  and trace.graph.find("weight") in n.inputs)  # fmt: skip
    assert is_weighted_sum(trace, product)


def test_what_an_optimiser_keeps_is_no_weight():
    trace = explain(nn.Linear(2, 1), numbers(1, 2), optimizer=cr.optim.Adam(lr=0.1))
    assert not is_state(trace, trace.graph.find("weight:exp_avg"))


def test_data_of_one_batch_of_several_are_no_weights():
    net = nn.Sequential(nn.Linear(2, 1))
    run = cr.fit(net, numbers(4, 2), np.ones((4, 1)), batch_size=2, accumulate=2, epochs=1,
                 progress=False)  # fmt: skip
    trace = cr.explain(run.at(step=0))
    assert not is_state(trace, trace.graph.find("batch1.x"))
    assert is_state(trace, trace.graph.find("0.weight"))


@pytest.mark.parametrize("count", [1, 4])
def test_of_a_batch_the_equations_are_added_up_over_its_examples(count):
    """Of a mean of costs δ has its 1/n: Σ a·δ over the examples is the whole gradient."""
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    trace = explain(net, numbers(count, 2))
    values = {name: trace.values[trace.graph.find(name)] for name in ("x", "d_0.out")}
    for name, expected in (
        (
            "weight",
            sum(np.outer(d, x) for d, x in zip(values["d_0.out"], values["x"], strict=True)),
        ),
        ("bias", sum(values["d_0.out"])),
    ):
        stored = trace.values[trace.graph.find(f"d_0.{name}")]
        np.testing.assert_allclose(stored, expected, rtol=1e-14)
        caption = trace[f"0.{name}", *(0,) * stored.ndim].gradient.caption
        assert caption.name == ("BP4" if name == "weight" else "BP3")
        assert caption.words.endswith(ADDED_UP) == (count > 1)
