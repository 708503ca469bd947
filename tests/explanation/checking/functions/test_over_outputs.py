"""What a function adds up or averages is found out and told; it is a convention, not a mistake."""

import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError
from tests.explanation.checking.functions.learners_common import (
    gradients,
    of_cross_entropy,
    said,
    sigmoid,
)


def averaged(X, Y, W1, b1, W2, b2):
    return [gradient / Y.shape[1] for gradient in of_cross_entropy(X, Y, W1, b1, W2, b2)]


@pytest.mark.parametrize(
    ("function", "loss", "words"),
    [
        (averaged, "BCELoss", "of BCELoss: the mean over the outputs, the mean over the examples"),
        (
            of_cross_entropy,
            "BCELoss",
            "It adds up the costs of an example's outputs, which BCELoss",
        ),
        (gradients, "QuadraticLoss", "the sum over the outputs, the mean over the examples."),
    ],
)
def test_either_convention_over_outputs_is_right_and_is_told(function, loss, words):
    found = cr.check_function(function, loss=loss)
    assert found, found.text()
    assert words in said(found)


@pytest.mark.slow
def test_a_convention_that_is_asked_for_is_the_only_one():
    found = cr.check_function(of_cross_entropy, loss="BCELoss", over_outputs="mean")
    assert not found
    assert "missing-mean-over-outputs" in found.mistakes
    assert cr.check_function(of_cross_entropy, loss="BCELoss", over_outputs="sum")


@pytest.mark.slow
def test_a_mistake_is_named_beside_the_other_convention():
    def without_slope(X, Y, W1, b1, W2, b2):
        a1 = sigmoid(X @ W1 + b1)
        d2 = (sigmoid(a1 @ W2 + b2) - Y) / len(X)
        d1 = d2 @ W2.T
        return X.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0)

    found = cr.check_function(without_slope, loss="BCELoss")
    assert found.mistakes == ("missing-derivative",)
    assert "the sum over the outputs" in said(found)


@pytest.mark.slow
def test_a_mistake_in_the_last_layer_leaves_the_losss_own_convention():
    found = cr.check_function(gradients, loss="BCELoss")
    assert found.mistakes == ("error-of-quadratic",)


@pytest.mark.slow
def test_the_sum_over_the_examples_may_be_asked_for():
    def summed(X, Y, W1, b1, W2, b2):
        return [len(X) * gradient for gradient in gradients(X, Y, W1, b1, W2, b2)]

    assert cr.check_function(summed).mistakes == ("missing-mean",)
    found = cr.check_function(summed, over_examples="sum")
    assert found, found.text()
    assert "the sum over the examples" in said(found)


@pytest.mark.slow
def test_losses_whose_targets_are_signs_get_signs():
    def hinge(X, Y, W, b):
        z = X @ W + b
        d = -Y * (Y * z < 1) / len(X)
        return X.T @ d, d.sum(0)

    found = cr.check_function(hinge, loss="HingeLoss", output=nn.Identity)
    assert found, found.text()


def test_a_convention_without_meaning_is_refused():
    options = {"loss": "CrossEntropyLoss", "output": nn.Identity}
    with pytest.raises(ConfigurationError, match="CrossEntropyLoss has no sum over the outputs"):
        cr.check_function(gradients, over_outputs="sum", **options)
    with pytest.raises(ConfigurationError, match='over_examples="mean" or "sum"; got \'all\''):
        cr.check_function(gradients, over_examples="all")
