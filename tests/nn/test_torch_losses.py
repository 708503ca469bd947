"""Losses give torch's values and gradients; weights mean what they mean in torch."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from tests.nn.parity import DTYPES, assert_close, numbers


def ours(loss, output, target, dtype, weights=None):
    """The batch's loss and its gradient with respect to the outputs."""

    def batch_loss(output):
        return nn.weighted_mean(loss(output, target), weights)

    value, gradient = cr.value_and_grad(batch_loss)(output.astype(dtype))
    assert value.dtype == gradient.dtype == np.dtype(dtype)
    return value.numpy(), gradient.numpy()


def theirs(torch, loss, output, target):
    x = torch.tensor(output, requires_grad=True)
    value = loss(x, torch.tensor(target))
    value.backward()
    return value.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 3, 2)], ids=str)
def test_mse(torch, dtype, shape):
    output, target = numbers(0, *shape), numbers(1, *shape)
    value, gradient = ours(nn.MSELoss(), output, target, dtype)
    value_torch, expected = theirs(torch, torch.nn.MSELoss(), output, target)
    # (o - t)²: two roundings; a sum of all; two divisions.
    squares = (np.abs(output) + np.abs(target)) ** 2
    assert_close(value, value_torch, scale=squares.mean(), roundings=output.size + 5)
    scale = 2 * (np.abs(output) + np.abs(target)) / output.size
    assert_close(gradient, expected, scale=scale, roundings=6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_quadratic(torch, dtype):
    output, target = numbers(0, 5, 3), numbers(1, 5, 3)
    value, gradient = ours(nn.QuadraticLoss(), output, target, dtype)
    value_torch, expected = theirs(
        torch, lambda o, t: 0.5 * ((o - t) ** 2).sum(dim=1).mean(), output, target
    )
    size = np.abs(output) + np.abs(target)
    assert_close(value, value_torch, scale=(size**2).sum() / 5, roundings=20)
    assert_close(gradient, expected, scale=size / 5, roundings=6)


LOGITS = numbers(0, 6, 4) * 5
CLASSES = np.array([0, 3, 1, 1, 2, 3])


def cross_entropy_scale(logits):
    """Sizes of what is added up to a cost: the largest logit's distance, the logarithm."""
    return np.ptp(logits, axis=1).max() + np.log(logits.shape[1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_of_classes(torch, dtype):
    value, gradient = ours(nn.CrossEntropyLoss(), LOGITS, CLASSES, dtype)
    value_torch, expected = theirs(torch, torch.nn.CrossEntropyLoss(), LOGITS, CLASSES)
    scale = cross_entropy_scale(LOGITS)
    # x - max, exp, a sum of 4, log, a difference; then the mean of 6.
    assert_close(value, value_torch, scale=scale, roundings=4 + 6 + 8)
    # softmax - one-hot: the exponent's error x - max is relative to the probability.
    assert_close(gradient, expected, scale=(1 + scale) / 6, roundings=4 + 8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_of_distributions(torch, dtype):
    target = np.abs(numbers(1, 6, 4))
    target = (target / target.sum(axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    value, gradient = ours(nn.CrossEntropyLoss(), LOGITS, target, dtype)
    value_torch, expected = theirs(torch, torch.nn.CrossEntropyLoss(), LOGITS, target)
    scale = cross_entropy_scale(LOGITS)
    assert_close(value, value_torch, scale=scale, roundings=4 + 4 + 6 + 8)
    # The gradient passes through log_softmax: d - softmax·Σ d.
    assert_close(gradient, expected, scale=2 * (1 + scale) / 6, roundings=4 + 4 + 10)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_hot_distributions_cost_what_classes_cost(dtype):
    loss = nn.CrossEntropyLoss()
    by_class, d_class = ours(loss, LOGITS, CLASSES, dtype)
    by_row, d_row = ours(loss, LOGITS, np.eye(4)[CLASSES], dtype)
    scale = cross_entropy_scale(LOGITS)
    assert_close(by_row, by_class.astype(np.float64), scale=2 * scale, roundings=18)
    assert_close(d_row, d_class.astype(np.float64), scale=(1 + scale) / 3, roundings=20)


@pytest.mark.parametrize("dtype", DTYPES)
def test_class_weights_are_torchs_weighted_cross_entropy(torch, dtype):
    class_weight = np.array([0.5, 2.0, 1.0, 4.0])
    weights = class_weight[CLASSES]
    value, gradient = ours(nn.CrossEntropyLoss(), LOGITS, CLASSES, dtype, weights)
    criterion = torch.nn.CrossEntropyLoss(weight=torch.tensor(class_weight))
    value_torch, expected = theirs(torch, criterion, LOGITS, CLASSES)
    scale = cross_entropy_scale(LOGITS)
    assert_close(value, value_torch, scale=scale, roundings=4 + 6 + 6 + 10)
    scale = (1 + scale) * weights[:, None] / weights.sum()
    assert_close(gradient, expected, scale=scale, roundings=4 + 6 + 10)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7,), (7, 2)], ids=str)
def test_binary_cross_entropy(torch, dtype, shape):
    logits = numbers(0, *shape) * 10
    target = np.abs(np.sin(numbers(1, *shape))).astype(np.float32).astype(np.float64)
    target.flat[:2] = 0, 1
    value, gradient = ours(nn.BCEWithLogitsLoss(), logits, target, dtype)
    value_torch, expected = theirs(torch, torch.nn.BCEWithLogitsLoss(), logits, target)
    scale = 2 * np.abs(logits).max() + 1
    assert_close(value, value_torch, scale=scale, roundings=logits.size + 8)
    assert_close(gradient, expected, scale=2 / logits.size, roundings=10)


def test_every_loss_is_compared():
    assert set(nn.LOSSES) == {"MSELoss", "QuadraticLoss", "CrossEntropyLoss", "BCEWithLogitsLoss"}


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss()], ids=repr)
def test_huge_logits_have_finite_costs_and_gradients(loss):
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    target = np.array([1, 0]) if isinstance(loss, nn.CrossEntropyLoss) else np.eye(2)[[1, 0]]
    value, gradient = ours(loss, logits, target, "float32")
    assert value == (2e4 if isinstance(loss, nn.CrossEntropyLoss) else 1e4)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", list(nn.LOSSES))
def test_second_derivatives(torch, name):
    """The Hessian of one example's cost, element by element, in float64."""
    classes = name == "CrossEntropyLoss"
    output = numbers(0, 1, 3)
    target = np.array([2]) if classes else np.array([[0.25, 1.0, 0.0]])
    loss = nn.LOSSES.get(name)()
    found = cr.hessian(lambda o: loss(o, target).sum())(output).numpy()

    def cost(x):
        t = torch.tensor(target)
        if name == "QuadraticLoss":
            return 0.5 * ((x - t) ** 2).sum()
        return getattr(torch.nn, name)()(x, t)

    expected = torch.autograd.functional.hessian(cost, torch.tensor(output)).numpy()
    # Second derivatives of these are at most 1, made in some 20 operations.
    assert_close(found, expected, scale=1 + np.ptp(output), roundings=20)


def test_costs_are_per_example():
    output, target = numbers(0, 5, 3), numbers(1, 5, 3)
    whole = nn.MSELoss()(output, target).numpy()
    assert whole.shape == (5,)
    for i in range(5):
        one = nn.MSELoss()(output[i : i + 1], target[i : i + 1]).numpy()
        np.testing.assert_array_equal(one, whole[i : i + 1])


def test_zero_weights_leave_examples_out():
    output, target = numbers(0, 5, 3), numbers(1, 5, 3)
    weights = np.array([1.0, 0, 1, 0, 1])
    value, gradient = ours(nn.MSELoss(), output, target, "float64", weights)
    kept, _ = ours(nn.MSELoss(), output[::2], target[::2], "float64")
    np.testing.assert_allclose(value, kept, rtol=1e-15)
    assert (gradient[1::2] == 0).all()
