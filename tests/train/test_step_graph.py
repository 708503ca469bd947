"""The training step as text: what an update computes, for people to read."""

import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.graph import parse_graph
from tests.train.nets import examples

X, Y = examples()


def small():
    return nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())


def test_step_of_a_small_network(golden):
    """2-3-1, SGD: forward, backward and update under the textbook's names."""
    run = cr.fit(
        small(), X[:, :2], (Y == 1).reshape(-1, 1), loss="QuadraticLoss", batch_size=4, epochs=1
    )
    graph = run.at(0).graph
    golden("train/step", f"{graph}\n")
    aliases = dict(graph.aliases)
    assert aliases["W1"] == "0.weight"
    assert aliases["b2"] == "2.bias"
    assert aliases["z1"] == "0.out"
    assert aliases["a2"] == "3.out" or graph.find("a2") == graph.find("3.out")
    assert aliases["δ1"] == "d_0.out"


def test_steps_that_accumulate(golden):
    run = cr.fit(
        nn.Sequential(nn.Linear(2, 1)),
        X[:, :2],
        X[:, 2:3],
        batch_size=4,
        accumulate=2,
        sample_weight=1.0 + Y,
        optimizer=optim.SGD(lr=0.1, momentum=0.9),
    )
    golden("train/accumulation", f"{run.engine.text()}\n")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_is_read_back_from_its_text(dtype):
    run = cr.fit(
        nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 3)),
        X,
        Y,
        loss="CrossEntropyLoss",
        optimizer=optim.Adam(clip_norm=1.0),
        metrics=["accuracy"],
        dtype=dtype,
    )
    graph = run.at(0).graph
    assert parse_graph(str(graph)) == graph
