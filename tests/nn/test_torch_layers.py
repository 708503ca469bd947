"""Layers give torch's values, gradients and second gradients."""

import numpy as np
import pytest

from chainrule import nn
from chainrule.base.errors import ConfigurationError, ShapeError
from tests.nn.lines import place
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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outer", [(7,), (2, 5), ()], ids=str)
@pytest.mark.parametrize("sizes", [(3, 4, 2), (1, 5, 3), (4, 1, 1)], ids=str)
def test_bilinear(torch, sizes, outer, bias, dtype):
    # B examples, I and J inputs, O outputs
    I, J, O = sizes
    B = int(np.prod(outer))
    x1, x2, d_y = numbers(0, *outer, I), numbers(1, *outer, J), numbers(2, *outer, O)
    net = nn.Bilinear(I, J, O, bias=bias).initialize(seed=3)
    state = net.state_dict()
    module = copy_to_torch(torch, state, torch.nn.Bilinear(I, J, O, bias=bias))
    w = np.abs(state["weight"].astype(np.float64))
    b = np.abs(state["bias"].astype(np.float64)) if bias else 0.0
    first, second, slope = (np.abs(a) for a in (x1, x2, d_y))
    # Each input as a function of one alone, so that both gradients are compared.
    for x, other, axis in ((x1, x2, 0), (x2, x1, 1)):
        ordered = (lambda x, o: (x, o)) if axis == 0 else (lambda x, o: (o, x))
        given = OneOf(net, other.astype(dtype), ordered)
        y, gradient = ours(given, x, d_y, dtype)
        y_torch, expected = theirs(torch, torch_one_of(torch, module, other, ordered), x, d_y)
        scale = np.einsum("...i,oij,...j->...o", first, w, second) + b
        assert_close(y, y_torch, scale=scale, roundings=I + J + 1)
        terms = "...o,oij,...j->...i" if axis == 0 else "...o,oij,...i->...j"
        scale = np.einsum(terms, slope, w, np.abs(other))
        assert_close(gradient["x"], expected["x"], scale=scale, roundings=O + I + J)
        found = gradient["net.weight"]
        flat = [np.abs(a).reshape(B, -1) for a in (d_y, x1, x2)]
        scale = np.einsum("bo,bi,bj->oij", *flat)
        assert_close(found, expected["net.weight"], scale=scale, roundings=B + 2)
        if bias:
            scale = flat[0].sum(axis=0)
            assert_close(gradient["net.bias"], expected["net.bias"], scale=scale, roundings=B)
        # Linear in each: the second gradient by this input is 0, and by W a product again.
        v = numbers(4, *x.shape)
        _, twice = ours(given, x, d_y, dtype, v)
        _, expected = theirs(torch, torch_one_of(torch, module, other, ordered), x, d_y, v)
        assert (twice["x"] == 0).all()
        flat[1 + axis] = np.abs(v).reshape(B, -1)
        scale = np.einsum("bo,bi,bj->oij", *flat)
        weight = twice["net.weight"]
        assert_close(weight, expected["net.weight"], scale=scale, roundings=B + 2)


class OneOf(nn.Module):
    """A module of two inputs as a function of one of them."""

    def __init__(self, net, other, ordered):
        self.net, self.other, self.ordered = net, other, ordered

    def forward(self, x):
        return self.net(*self.ordered(x, self.other))


def torch_one_of(torch, module, other, ordered):
    class TorchOneOf(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = module

        def forward(self, x):
            return self.net(*ordered(x, torch.tensor(other)))

    return TorchOneOf()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "dim", "sizes"),
    [
        ((2, 6), 1, (2, 3)),
        ((2, 6), -1, (-1, 2)),
        ((2, 6), 1, (6,)),
        ((4, 6, 3), 1, (3, 1, 2)),
        ((4, 6, 3), 0, (2, -1)),
        ((4, 6, 3), -1, (-1,)),
    ],
    ids=str,
)
def test_unflatten(torch, shape, dim, sizes, dtype):
    x = numbers(0, *shape)
    module = torch.nn.Unflatten(dim, sizes)
    d_y = numbers(1, *module(torch.tensor(x)).shape)
    y, gradient = ours(nn.Unflatten(dim, sizes), x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    np.testing.assert_array_equal(y, y_torch)
    np.testing.assert_array_equal(gradient["x"], expected["x"])


@pytest.mark.parametrize("dtype", DTYPES)
def test_identity(torch, dtype):
    x, d_y = numbers(0, 3, 4), numbers(1, 3, 4)
    y, gradient = ours(nn.Identity(), x, d_y, dtype)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(gradient["x"], d_y)


def test_flatten_and_unflatten_undo_each_other():
    x = numbers(0, 2, 12)
    net = nn.Sequential(nn.Unflatten(1, (3, 4)), nn.Flatten())
    np.testing.assert_array_equal(net(x).numpy(), x)


def test_shapes_that_do_not_fit_are_refused_at_the_users_line():
    def bilinear(x):
        return nn.Bilinear(3, 4, 2)(*x)

    def unflatten(x):
        return nn.Unflatten(1, (2, 3))(x)

    ones = np.ones
    two = "Bilinear takes two inputs that differ in their last axis alone; got shapes [2,3] and"
    for f, text, x, message, advice in (
        (bilinear, "nn.Bilinear", (ones((2, 4)), ones((2, 4))),
         "Bilinear(in1_features=3) got x1 of shape [2,4]: its last axis is 4",
         "Did you mean in1_features=4?"),
        (bilinear, "nn.Bilinear", (ones((2, 3)), ones((2, 5))),
         "Bilinear(in2_features=4) got x2 of shape [2,5]: its last axis is 5",
         "Did you mean in2_features=5?"),
        (bilinear, "nn.Bilinear", (ones((2, 3)), ones((5, 4))), f"{two} [5,4]", None),
        (unflatten, "nn.Unflatten", ones((2, 5)),
         "Unflatten(dim=1, unflattened_size=(2, 3)) got x of shape [2,5]: its axis 1 is 5", None),
    ):  # fmt: skip
        with pytest.raises(ShapeError) as caught:
            f(x)
        error = caught.value
        assert (error.message, error.where, error.advice) == (message, place(f, text), advice)


REFUSED = {
    "no sizes": (lambda: nn.Unflatten(1, ()), "()"),
    "two open": (lambda: nn.Unflatten(1, (-1, -1)), "(-1, -1)"),
    "zero": (lambda: nn.Unflatten(1, (2, 0)), "(2, 0)"),
    "fraction": (lambda: nn.Unflatten(1, (2, 1.5)), "(2, 1.5)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_sizes_of_unflatten(case):
    make, shown = REFUSED[case]
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == (
        "Unflatten takes unflattened_size as whole numbers ≥ 1, one or several, of which one may "
        f"be -1; got {shown}."
    )


def test_sizes_of_bilinear():
    with pytest.raises(ConfigurationError, match=r"^Bilinear takes a whole number in2_features"):
        nn.Bilinear(3, 0, 2)
