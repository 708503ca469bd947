"""A function that updates the weights it is given is read as that, and not as careless."""

import numpy as np
import pytest

import chainrule as cr
from tests.explanation.checking.functions.learners_common import gradients, said

eta = 0.25


def in_place(X, Y, W1, b1, W2, b2, lr=0.1):
    for parameter, gradient in zip((W1, b1, W2, b2), gradients(X, Y, W1, b1, W2, b2), strict=True):
        parameter -= lr * gradient


def in_a_dict(params, X, Y):
    names = ("W1", "b1", "W2", "b2")
    found = gradients(X, Y, *(params[name] for name in names))
    for name, gradient in zip(names, found, strict=True):
        params[name] = params[name] - 0.3 * gradient


def by_a_global_rate(X, Y, W1, b1, W2, b2):
    for parameter, gradient in zip((W1, b1, W2, b2), gradients(X, Y, W1, b1, W2, b2), strict=True):
        parameter -= eta * gradient


def test_an_update_in_place_is_right_and_is_told():
    found = cr.check_function(in_place)
    assert found, found.text()
    assert "It updates the weights that it is given" in said(found)


@pytest.mark.slow
def test_the_rate_of_an_update_is_found_where_nobody_passes_it():
    assert "The learning rate is eta = 0.25." in said(cr.check_function(by_a_global_rate))
    found = cr.check_function(in_a_dict)
    assert found, found.text()
    assert "The learning rate is taken to be 0.3" in said(found)


@pytest.mark.slow
def test_an_update_of_the_weights_alone_leaves_the_biases_as_they_were():
    def forgets_biases(X, Y, W1, b1, W2, b2, lr):
        dW1, _, dW2, _ = gradients(X, Y, W1, b1, W2, b2)
        W1 -= lr * dW1
        W2 -= lr * dW2

    found = cr.check_function(forgets_biases)
    assert not found
    assert {"no-update", "never-written"} & set(found.mistakes)
    assert "new b2[0]: yours 0.5, true" in said(found)


@pytest.mark.slow
def test_an_update_upwards_is_named():
    def ascends(X, Y, W1, b1, W2, b2, lr):
        for parameter, gradient in zip(
            (W1, b1, W2, b2), gradients(X, Y, W1, b1, W2, b2), strict=True
        ):
            parameter += lr * gradient

    assert "ascent" in cr.check_function(ascends).mistakes


def test_an_update_that_nobody_sees_is_told_with_what_to_do():
    def lost(X, Y, W1, b1, W2, b2, lr):
        dW1, *_ = gradients(X, Y, W1, b1, W2, b2)
        W1 = W1 - lr * dW1

    text = said(cr.check_function(lost))
    assert "It returned None, and writes into none of its arguments" in text
    assert "W = W - lr * dW makes a new array, which nobody outside sees" in text


@pytest.mark.slow
def test_a_step_may_return_its_gradients_as_well():
    def step(X, Y, W1, b1, W2, b2, lr):
        found = gradients(X, Y, W1, b1, W2, b2)
        for parameter, gradient in zip((W1, b1, W2, b2), found, strict=True):
            parameter -= lr * gradient
        return found

    assert cr.check_function(step)


@pytest.mark.slow
def test_what_is_written_into_the_data_is_no_update():
    def scales(X, Y, W1, b1, W2, b2, lr):
        found = gradients(X, Y, W1, b1, W2, b2)
        X *= 0.5
        W1 -= lr * found[0]
        return found

    found = cr.check_function(scales)
    assert not found
    assert "It writes into its argument X" in said(found)
    assert np.isfinite(found.smallest.case.x).all()
