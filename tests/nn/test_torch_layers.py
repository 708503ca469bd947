"""Layers give torch's values, gradients and second gradients."""

import numpy as np
import pytest

from chainrule import nn
from tests.nn.parity import DTYPES, assert_close, copy_to_torch, numbers, ours, theirs


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outer", [(7,), (2, 5)], ids=["2-D", "3-D"])
def test_linear(torch, dtype, bias, outer):
    # B examples (all outer axes together), I inputs, O outputs
    B, I, O = int(np.prod(outer)), 6, 4
    x, d_y, v = numbers(0, *outer, I), numbers(1, *outer, O), numbers(2, *outer, I)
    net = nn.Linear(I, O, bias=bias).initialize(seed=3)
    state = net.state_dict()
    module = copy_to_torch(torch, state, torch.nn.Linear(I, O, bias=bias))
    w = np.abs(state["weight"].astype(np.float64))
    b = np.abs(state["bias"].astype(np.float64)) if bias else 0.0
    y, gradient = ours(net, x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    assert_close(y, y_torch, scale=np.abs(x) @ w.T + b, roundings=I + 1)
    assert_close(gradient["x"], expected["x"], scale=np.abs(d_y) @ w, roundings=O)
    rows, columns = np.abs(d_y.reshape(B, O)), np.abs(x.reshape(B, I))
    assert_close(gradient["weight"], expected["weight"], scale=rows.T @ columns, roundings=B)
    if bias:
        assert_close(gradient["bias"], expected["bias"], scale=rows.sum(axis=0), roundings=B)
    _, second = ours(net, x, d_y, dtype, v)
    _, expected = theirs(torch, module, x, d_y, v)
    scale = rows.T @ np.abs(v.reshape(B, I))
    assert_close(second["weight"], expected["weight"], scale=scale, roundings=B)
    assert (second["x"] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dims", [(), (0,), (1, 2), (-2, -1)])
def test_flatten(torch, dtype, dims):
    x = numbers(0, 2, 3, 4, 5)
    module = torch.nn.Flatten(*dims)
    d_y = numbers(1, *module(torch.tensor(x)).shape)
    y, gradient = ours(nn.Flatten(*dims), x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    # Nothing is computed, but for the product with d_y whose gradient is d_y.
    np.testing.assert_array_equal(y, y_torch)
    np.testing.assert_array_equal(gradient["x"], expected["x"])


# For each activation: ours and torch's arguments, and how many roundings, of numbers up to 1 (or up
# to |x|), stand between the exact value and the computed one. exp, log1p and tanh count 2 each:
# they are within 1 ulp here and in torch.
ACTIVATIONS = [
    ("Sigmoid", {}, 6),
    ("Tanh", {}, 6),
    ("ReLU", {}, 0),
    ("LeakyReLU", {}, 1),
    ("LeakyReLU", {"negative_slope": 0.3}, 1),
    ("Softplus", {}, 7),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "arguments", "roundings"), ACTIVATIONS, ids=lambda value: str(value)
)
def test_elementwise_activations(torch, dtype, name, arguments, roundings):
    # 0 is ReLU's kink: torch's derivative there is 0, and so is ours. Softplus is x from 20 up in
    # torch, which is wrong by e⁻ˣ: what lies below can be compared.
    x = np.concatenate([numbers(0, 40) * 4, [0.0, -0.0, 19.0, -20.0, 2**-20, -80.0]])
    x = x.reshape(2, 23)
    d_y, v = numbers(1, 2, 23), numbers(2, 2, 23)
    net = getattr(nn, name)(**arguments)
    module = getattr(torch.nn, name)(**arguments)
    magnitude = np.maximum(np.abs(x), 1)
    y, gradient = ours(net, x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    assert_close(y, y_torch, scale=magnitude, roundings=roundings)
    # The derivatives are at most 1 and made of y in a few steps, then multiplied by d_y.
    assert_close(gradient["x"], expected["x"], scale=np.abs(d_y), roundings=roundings + 4)
    _, second = ours(net, x, d_y, dtype, v)
    _, expected = theirs(torch, module, x, d_y, v)
    scale = 2 * np.abs(d_y * v)
    assert_close(second["x"], expected["x"], scale=scale, roundings=2 * roundings + 8)


def test_every_activation_is_compared():
    elementwise = {
        name for name, layer in nn.LAYERS.items() if issubclass(layer, nn.Activation)
    } - {"Softmax"}
    assert elementwise == {name for name, _, _ in ACTIVATIONS}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax(torch, dtype, dim):
    x, d_y, v = numbers(0, 4, 5) * 3, numbers(1, 4, 5), numbers(2, 4, 5)
    n = x.shape[dim]
    y, gradient = ours(nn.Softmax(dim), x, d_y, dtype)
    y_torch, expected = theirs(torch, torch.nn.Softmax(dim), x, d_y)
    # e^(x-max): the rounding of x - max is an error of |x - max|·u in the exponent, so relative.
    spread = np.ptp(x, axis=dim, keepdims=True)
    assert_close(y, y_torch, scale=y_torch * (1 + spread), roundings=n + 4)
    # d_x = (d_y - Σ d_y·y)·y
    inner = np.abs(d_y) + (np.abs(d_y) * y_torch).sum(axis=dim, keepdims=True)
    scale = inner * y_torch * (1 + spread)
    assert_close(gradient["x"], expected["x"], scale=scale, roundings=3 * n + 8)
    _, second = ours(nn.Softmax(dim), x, d_y, dtype, v)
    _, expected = theirs(torch, torch.nn.Softmax(dim), x, d_y, v)
    # Two derivatives: products of y, d_y, v and of sums of such, at most 6 of them together.
    scale = 6 * np.abs(d_y).max() * np.abs(v).max() * (1 + spread)
    assert_close(second["x"], expected["x"], scale=scale, roundings=6 * n + 16)
