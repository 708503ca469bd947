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
