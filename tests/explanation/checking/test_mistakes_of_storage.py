"""Gradients that are kept as integers, as zeros, or as one number, are told for what they are."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

X = np.array([[12.0, -7.0], [3.0, 5.0], [-4.0, 9.0]])
Y = np.array([[1.0, -2.0, 0.0], [0.5, 4.0, 3.0], [-3.0, 1.0, 2.0]])


@pytest.fixture
def net():
    return nn.Sequential(nn.Linear(2, 3)).astype("float64").initialize(seed=0)


def gradients(net):
    w, b = (np.asarray(value, float) for value in net.state_dict().values())
    error = X @ w.T + b - Y
    d_w, d_b = np.zeros((3, 2)), np.zeros(3)
    for i in range(3):
        d_w += np.outer(error[i], X[i]) / 3
        d_b += error[i] / 3
    return d_w, d_b, error / 3


def check(net, **mine):
    return cr.check(net, X, Y, loss=nn.QuadraticLoss(), mine=mine)


def titles(found):
    assert not found
    assert found.is_whole
    return [cause.title for cause in found.causes]


@pytest.mark.parametrize("dtype", [int, float], ids=["kept as integers", "printed as floats"])
def test_gradients_written_to_arrays_of_integers(net, dtype):
    d_w, d_b, _ = gradients(net)
    kept = [np.zeros_like(np.array(d.tolist(), int)) for d in (d_w, d_b)]
    for array, d in zip(kept, (d_w, d_b), strict=True):
        array[...] = d
        assert array.any()
    found = check(net, W1=kept[0].astype(dtype), b1=kept[1].astype(dtype))
    assert titles(found) == ["the numbers are cut to integers in every gradient"]
    found = check(net, W1=d_w, b1=kept[1].astype(dtype))
    assert titles(found) == ["the numbers are cut to integers in the gradient of 0.bias"]


def test_zeros_are_told_for_zeros(net):
    d_w, d_b, _ = gradients(net)
    assert check(net, W1=d_w, b1=d_b)
    found = check(net, W1=np.zeros((3, 2)), b1=np.zeros(3))
    assert titles(found) == ["all is 0: nothing was written in every gradient"]
    assert "Make the array" not in found.hint(3)
    found = check(net, W1=np.zeros((3, 2)), b1=d_b)
    assert titles(found) == ["all is 0: nothing was written in the gradient of 0.weight"]


def test_a_bias_gradient_that_is_one_number(net):
    d_w, _, error = gradients(net)
    for d_b in (np.sum(error), float(np.sum(error)), np.full(3, np.sum(error))):
        found = check(net, W1=d_w, b1=d_b)
        assert titles(found) == ["the gradient of the bias is one number for all units in layer 0"]
    found = check(net, W1=d_w, b1=np.sum(error))
    assert "b1: one number was read as that of every unit." in found.text()
