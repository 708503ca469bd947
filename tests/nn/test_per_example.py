"""Gradients of examples through every layer and every loss: apart, or refused by name."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import NotDifferentiableError
from tests.eager.apart import assert_apart
from tests.nn.catalogue import CALLED
from tests.nn.loss_grid import make_grid
from tests.nn.test_every_layer import network

ROWS = np.array([3, 0, 2**33, 7])
TARGET = np.eye(2)[[0, 1, 0, 1]]
# In training a batch norm takes a mean over the batch; the catalogue's softmaxes run along it.
MIXING = {"BatchNorm1d", "Softmax", "LogSoftmax", "Softmin"}


def costs(net, x, target):
    inputs = x if isinstance(x, tuple) else (x,)
    return nn.MSELoss()(net(*inputs), target)


@pytest.mark.parametrize("name", sorted(set(CALLED) - MIXING))
def test_each_example_has_its_own_gradient_through_every_layer(name):
    net, x = network(name)
    net.astype("float64").initialize(0)
    assert_apart(costs, net, x, TARGET, rows=ROWS)


@pytest.mark.parametrize("name", sorted(MIXING))
def test_a_layer_that_mixes_examples_is_named(name):
    net, x = network(name)
    with nn.training(), pytest.raises(NotDifferentiableError) as caught:
        cr.per_example_grads(costs)(net, x, TARGET)
    assert "Per-example gradients need examples that stay apart" in caught.value.message
    assert caught.value.where.endswith('layer "0"')


def test_batch_norm_that_evaluates_does_not_mix_them():
    net, x = network("BatchNorm1d")
    assert_apart(costs, net.astype("float64").initialize(0), x, TARGET)


# Of the shapes of each loss, with each of its arguments, the last: that with the most axes.
LOSS_CASES = {(c.name, str(c.arguments), c.draw.__name__): c for c in make_grid()}.values()


def scaled_costs(case):
    """Costs of the case's outputs, each times one parameter that is 1: in any domain."""

    def f(w, outputs, target):
        moved = [output * w[i] for i, output in enumerate(outputs)]
        return case.loss(moved[0] if len(moved) == 1 else tuple(moved), target)

    return f


@pytest.mark.parametrize("case", LOSS_CASES, ids=str)
def test_each_example_has_its_own_gradient_through_every_loss(case):
    outputs, target = case.draw(case.shape)
    if target is None:
        target = np.zeros(case.shape[0])
    w = np.ones((len(outputs), *case.shape[1:]))
    assert_apart(scaled_costs(case), w, tuple(outputs), target)
