"""What a function keeps from one call to the next is told apart from a wrong formula."""

import numpy as np
import pytest

import chainrule as cr
from tests.explanation.checking.functions.learners_common import gradients, said

CHANGES = "Its answer changes between calls with the same arguments"
velocity = {}
stored = {}


def momentum(X, Y, W1, b1, W2, b2):
    for i, gradient in enumerate(gradients(X, Y, W1, b1, W2, b2)):
        before = velocity.get(i, np.zeros(()))
        is_same = before.shape == gradient.shape
        velocity[i] = 0.9 * before + gradient if is_same else gradient
    return tuple(velocity.values())


def accumulates(X, Y, W1, b1, W2, b2, total={}):  # noqa: B006 - that is the mistake
    for i, gradient in enumerate(gradients(X, Y, W1, b1, W2, b2)):
        before = total.get(i)
        total[i] = (
            gradient if before is None or before.shape != gradient.shape else before + gradient
        )
    return [total[i] for i in range(4)]


def keeps_by_shape(X, Y, W1, b1, W2, b2):
    if X.shape not in stored:
        stored[X.shape] = gradients(X, Y, W1, b1, W2, b2)
    return stored[X.shape]


def buffers_of_the_first_network(X, Y, W1, b1, W2, b2):
    for name, gradient in zip("abcd", gradients(X, Y, W1, b1, W2, b2), strict=True):
        stored[name] = stored.get(name, 0) + gradient
    return [stored[name] for name in "abcd"]


@pytest.mark.parametrize(
    "function",
    [
        keeps_by_shape,
        pytest.param(accumulates, marks=pytest.mark.slow),
        pytest.param(momentum, marks=pytest.mark.slow),
        pytest.param(buffers_of_the_first_network, marks=pytest.mark.slow),
    ],
)
def test_what_is_kept_between_calls_is_told(function):
    found = cr.check_function(function)
    assert not found
    assert found.mistakes == ()
    assert f"{CHANGES}: it keeps something from one call to the next" in said(found)


@pytest.mark.slow
def test_random_numbers_are_told_apart_from_what_is_kept():
    def drops(X, Y, W1, b1, W2, b2):
        dW1, *others = gradients(X, Y, W1, b1, W2, b2)
        return dW1 * np.random.rand(), *others  # noqa: NPY002

    assert f"{CHANGES}: it draws random numbers." in said(cr.check_function(drops))


@pytest.mark.slow
def test_a_wrong_formula_is_named_beside_what_is_kept():
    def keeps_and_is_wrong(X, Y, W1, b1, W2, b2):
        if X.shape not in stored:
            stored[X.shape] = gradients(X, Y, W1, b1, W2, b2)
        dW1, db1, dW2, db2 = stored[X.shape]
        return -dW1, -db1, -dW2, -db2

    found = cr.check_function(keeps_and_is_wrong)
    assert found.mistakes == ("sign",)
    assert CHANGES in said(found)


def test_what_sets_the_seed_is_told_and_is_no_mistake():
    def seeds(X, Y, W1, b1, W2, b2):
        np.random.seed(0)  # noqa: NPY002
        return gradients(X, Y, W1, b1, W2, b2)

    found = cr.check_function(seeds)
    assert found
    assert "It sets the seed of random numbers" in said(found)
