"""A network that is written as a class is checked as it stands."""

import functools
import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule.base.errors import ConfigurationError
from tests.explanation.checking.functions.learners_classes import RIGHT, OfColumns, OfThreeSizes
from tests.explanation.checking.functions.learners_common import gradients


@pytest.mark.parametrize(
    "kind",
    [
        kind if kind is OfThreeSizes else pytest.param(kind, marks=pytest.mark.slow)
        for kind in RIGHT
    ],
    ids=lambda kind: kind.__name__,
)
def test_a_class_whose_backward_pass_is_right_is_right(kind):
    found = cr.check_function(kind)
    assert found, found.text()


@pytest.mark.slow
def test_a_mistake_in_a_class_is_named():
    class WithoutSlope(OfThreeSizes):
        def slope(self, a):
            return np.ones_like(a) if a is self.a1 else super().slope(a)

    found = cr.check_function(WithoutSlope)
    assert "missing-derivative" in found.mistakes
    assert found.name == "WithoutSlope.backward"


@pytest.mark.slow
def test_a_method_of_a_network_is_given_other_networks():
    net = OfColumns([2, 3, 1])
    before = net.weights[0].copy()
    assert cr.check_function(net.backprop)
    assert (net.weights[0] == before).all()


class Callable:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, X, Y, W1, b1, W2, b2):
        return [self.factor * gradient for gradient in gradients(X, Y, W1, b1, W2, b2)]


def scaled(factor, X, Y, W1, b1, W2, b2):
    return Callable(factor)(X, Y, W1, b1, W2, b2)


@pytest.mark.slow
def test_whatever_can_be_called_is_called():
    assert cr.check_function(Callable(1.0))
    assert cr.check_function(functools.partial(scaled, 1.0))
    assert cr.check_function(functools.partial(scaled, -1.0)).mistakes == ("sign",)
    assert cr.check_function(
        lambda case: gradients(
            case.x, case.y, case.weights[0].T, case.biases[0], case.weights[1].T, case.biases[1]
        )
    )


class WithoutMethod:
    def __init__(self, sizes):
        self.weights = [np.zeros((n, m)) for m, n in itertools.pairwise(sizes)]


class WithoutWeights:
    def __init__(self, sizes):
        self.table = np.zeros(sizes)

    def backprop(self, x, y):
        return self.table


class OfFourThings:
    def __init__(self, a, b, c, d):
        pass

    def backprop(self, x, y):
        pass


def test_a_class_that_cannot_be_made_in_time_is_told():
    class Endless:
        def __init__(self, sizes):
            while True:
                pass

        def backprop(self, x, y):
            pass

    with pytest.raises(ConfigurationError, match=r"did not come to an end within 0\.3 s"):
        cr.check_function(Endless, seconds=0.3)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (WithoutMethod, "WithoutMethod has no method called backprop or backward"),
        (WithoutWeights, "keeps its weights where check_function does not find them; it has table"),
        (OfFourThings, r"does not know how to make a OfFourThings\(a, b, c, d\)"),
    ],
)
def test_a_class_that_cannot_be_read_is_refused_with_what_to_write(kind, words):
    with pytest.raises(ConfigurationError, match=words) as caught:
        cr.check_function(kind)
    assert "def backprop(x, y, weights, biases): net = Network(sizes)" in str(caught.value)
