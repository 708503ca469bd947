"""MNIST with five planted diseases: each is named within the first epoch; a healthy one is not."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from chainrule.data.mnist import find_mnist

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_mnist() is None, reason="MNIST is not here; CHAINRULE_DATA names it"),
]


@pytest.fixture(scope="module")
def mnist():
    digits = cr.data.load("mnist")
    return np.array(digits.x), np.array(digits.y)


def network(activation=nn.Sigmoid):
    return nn.Sequential(nn.Linear(784, 30), activation(), nn.Linear(30, 10))


def watched(net, x, y, lr=0.5):
    """What the callback has found after one epoch, as it was told."""
    watching = cr.Doctor(verbose=False)
    cr.fit(
        net,
        x,
        y,
        loss="CrossEntropyLoss",
        optimizer=optim.SGD(lr=lr),
        batch_size=32,
        epochs=1,
        callbacks=[watching],
        progress=False,
    )
    return watching.diagnosis


def wrong(diagnosis):
    return [finding.name for finding in diagnosis if finding.severity != "note"]


def test_a_healthy_training_is_let_be(mnist):
    assert wrong(watched(network(), *mnist)) == []


def test_a_learning_rate_a_hundred_times_too_large(mnist):
    assert wrong(watched(network(), *mnist, lr=50.0)) == ["learning-rate-too-large"]


def test_one_dead_layer(mnist):
    net = network(nn.ReLU).initialize(seed=0)
    net[0].bias.replace(np.full(30, -100.0))
    found = watched(net, *mnist, lr=0.1)
    assert wrong(found) == ["dead-units"]
    assert "gradient-zero" in [each.name for each in found["dead-units"].follows]


def test_labels_permuted_in_a_tenth(mnist):
    x, y = mnist
    y = y.copy()
    rows = np.random.default_rng(0).permutation(len(y))[: len(y) // 10]
    y[rows] = y[np.roll(rows, 1)]
    found = watched(network(), x, y)
    assert wrong(found) == ["noisy-targets"]
    listed = found["noisy-targets"].where.removeprefix("rows ").split(", ")[:6]
    assert len({int(row) for row in listed} & set(rows.tolist())) >= 5  # of the six it names


def test_inputs_that_are_not_scaled(mnist):
    x, y = mnist
    assert wrong(watched(network(), 255 * x, y)) == ["unscaled-inputs"]


def test_nan_in_one_row(mnist):
    x, y = mnist
    x = x.copy()
    x[4321, 400] = np.nan
    with pytest.raises(NonFiniteError, match="NaN in row 4321, column 400"):
        watched(network(), x, y)  # fit does not begin
    found = cr.doctor(network(), x, y, loss="CrossEntropyLoss", optimizer=optim.SGD(lr=0.5))
    assert wrong(found) == ["not-finite-data"]
    assert found["not-finite-data"].where == "row 4321"
