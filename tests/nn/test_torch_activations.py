"""Activations give torch's values, gradients and second gradients, over grids of arguments.

For each: its arguments, how many roundings stand between the exact value and the computed one, and
the largest factor (alpha, beta, 1/beta ...) that an error is multiplied by on its way. exp, expm1,
log1p, tanh and erfc count 2: they are within 1 ulp here and in torch. Arguments that float32 does
not hold count one more.
"""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from tests.nn.parity import DTYPES, assert_close, copy_to_torch, numbers, ours, theirs

# name, arguments, roundings, largest factor
GRID = [
    ("Sigmoid", {}, 6, 1),
    ("Tanh", {}, 6, 1),
    ("LogSigmoid", {}, 6, 1),
    ("Softsign", {}, 3, 1),
    ("Tanhshrink", {}, 6, 1),
    *[
        ("Softplus", {"beta": beta, "threshold": threshold}, 9, max(beta, 1 / beta))
        for beta in (0.5, 1.0, 4.0)
        for threshold in (20.0, 5.0, 0.0, -1.5)
    ],
    ("Softplus", {}, 7, 1),
    ("ReLU", {}, 0, 1),
    ("ReLU6", {}, 0, 1),
    *[("LeakyReLU", {"negative_slope": slope}, 2, 1) for slope in (0.01, 0.3, 0.0, 1.0, -0.5)],
    *[
        ("Threshold", {"threshold": threshold, "value": value}, 1, max(abs(value), 1))
        for threshold in (0.0, 1.0, -0.5)
        for value in (0.0, -2.0, 7.3)
    ],
    *[("ELU", {"alpha": alpha}, 4, max(alpha, 1)) for alpha in (1.0, 0.3, 2.0, 0.0)],
    ("SELU", {}, 5, 2),
    # torch takes 1/alpha in float32, so alpha is a power of two here.
    *[("CELU", {"alpha": alpha}, 6, max(alpha, 1 / alpha)) for alpha in (1.0, 0.5, 2.0)],
    ("SiLU", {}, 8, 1),
    ("Mish", {}, 12, 1),
    ("Hardswish", {}, 4, 1),
    ("GELU", {}, 10, 1),
    ("GELU", {"approximate": "tanh"}, 12, 1),
    ("Hardsigmoid", {}, 3, 1),
    *[
        ("Hardtanh", {"min_val": low, "max_val": high}, 1, 1)
        for low, high in [(-1.0, 1.0), (-2.0, 0.5), (0.0, 6.0), (-0.3, 0.1)]
    ],
    *[("Hardshrink", {"lambd": lambd}, 0, 1) for lambd in (0.5, 0.0, 1.0)],
    *[("Softshrink", {"lambd": lambd}, 2, 1) for lambd in (0.5, 0.0, 1.0, 0.3)],
    *[
        ("RReLU", {"lower": lower, "upper": upper}, 2, 1)
        for lower, upper in [(1 / 8, 1 / 3), (0.25, 0.25), (-0.5, 1.0)]
    ],
]
KINKS = [-3.0, -2.0, -1.5, -1.0, -0.5, -0.25, 0.0, -0.0, 0.25, 0.5, 1.0, 1.25, 3.0, 5.0, 6.0, 20.0]
POINTS = {
    "about 0": numbers(0, 40) * 4,
    "at kinks": np.array(KINKS),
    "far out": np.array(
        [-700.0, -80.0, -20.5, -9.0, -(2.0**-20), 2.0**-20, 9.0, 19.5, 21.0, 700.0]
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize(("name", "arguments", "roundings", "factor"), GRID, ids=str)
def test_elementwise_activations(torch, name, arguments, roundings, factor, points, dtype):
    x = POINTS[points].reshape(2, -1)
    d_y, v = numbers(1, *x.shape), numbers(2, *x.shape)
    net = getattr(nn, name)(**arguments)
    module = torchs(torch, name, arguments)
    y, gradient = ours(net, x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    scale = np.maximum(np.abs(x), 1) * factor
    assert_close(y, y_torch, scale=scale, roundings=roundings)
    # The derivatives are of the size of the factor and made of x and y in a few steps, then
    # multiplied by d_y.
    scale = np.abs(d_y) * factor
    assert_close(gradient["x"], expected["x"], scale=scale, roundings=roundings + 8)
    if points == "at kinks" and not is_straight(name):
        return  # second derivatives there are nobody's promise
    _, second = ours(net, x, d_y, dtype, v)
    _, expected = theirs(torch, module, x, d_y, v)
    scale = 2 * np.abs(d_y * v) * factor
    assert_close(second["x"], expected["x"], scale=scale, roundings=2 * roundings + 16)


def torchs(torch, name, arguments):
    if name == "Hardsigmoid":
        # torch's own has a slope of 1/6 rounded to float32 in any dtype, and no second derivative.
        class Hardsigmoid(torch.nn.Module):
            def forward(self, x):
                return torch.nn.functional.relu6(x + 3) / 6

        return Hardsigmoid()
    return getattr(torch.nn, name)(**arguments).eval()


def is_straight(name):
    """Whether it is made of straight lines: their second derivative is 0 everywhere."""
    return name in {"ReLU", "ReLU6", "LeakyReLU", "Threshold", "Hardtanh", "Hardsigmoid", "RReLU"}


def test_hardsigmoid_has_torchs_values(torch):
    x = np.concatenate(list(POINTS.values()))
    y = torch.nn.Hardsigmoid()(torch.tensor(x)).numpy()
    assert_close(nn.Hardsigmoid()(x).numpy(), y, scale=1, roundings=3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("init", [0.25, 0.0, -0.75, 1.5])
@pytest.mark.parametrize(
    ("shape", "count"),
    [((5,), 1), ((4, 3), 1), ((4, 3), 3), ((2, 3, 4), 1), ((2, 3, 4), 3), ((2, 3, 2, 2), 3)],
    ids=str,
)
def test_prelu(torch, shape, count, init, dtype):
    x, d_y, v = numbers(0, *shape), numbers(1, *shape), numbers(2, *shape)
    x.flat[0] = 0.0  # the kink
    net, module = nn.PReLU(count, init), torch.nn.PReLU(count, init)
    copy_to_torch(torch, net.state_dict(), module)
    y, gradient = ours(net, x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    assert_close(y, y_torch, scale=np.abs(x) * max(abs(init), 1), roundings=1)
    assert_close(gradient["x"], expected["x"], scale=np.abs(d_y) * 2, roundings=1)
    axes = tuple(i for i in range(x.ndim) if i != 1) if count > 1 else None
    total = np.abs(x * d_y).sum(axis=axes)
    n = x.size // count
    assert_close(gradient["weight"], expected["weight"], scale=total, roundings=n + 1)
    x.flat[0] = 0.5  # no kink: torch counts it to the other side when it differentiates twice
    _, second = ours(net, x, d_y, dtype, v)
    _, expected = theirs(torch, module, x, d_y, v)
    total = np.abs(v * d_y).sum(axis=axes)
    assert_close(second["weight"], expected["weight"], scale=total, roundings=n + 1)
    assert (second["x"] == 0).all()


SHARES = {"Softmax": 1, "LogSoftmax": 1, "Softmin": -1}
AXES = [((4, 5), d) for d in (0, 1, -1, -2)] + [((2, 3, 4), d) for d in (0, 1, 2, -1, -2, -3)]
AXES += [((6,), 0), ((3, 1), 1), ((2, 2, 3, 2), 1)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "dim"), AXES, ids=str)
@pytest.mark.parametrize("name", SHARES)
def test_shares_of_a_whole(torch, name, shape, dim, dtype):
    x, d_y, v = numbers(0, *shape) * 3, numbers(1, *shape), numbers(2, *shape)
    n = x.shape[dim]
    net, module = getattr(nn, name)(dim), getattr(torch.nn, name)(dim)
    y, gradient = ours(net, x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    p = np.exp(y_torch) if name == "LogSoftmax" else y_torch
    # e^(x-max): the rounding of x - max is an error of |x - max|·u in the exponent, so relative.
    # A logarithm makes it absolute.
    spread = 1 + np.ptp(x, axis=dim, keepdims=True)
    scale = spread * (1 if name == "LogSoftmax" else p)
    assert_close(y, y_torch, scale=scale, roundings=n + 4)
    # softmax: d_x = (d_y - Σ d_y·p)·p; its logarithm: d_x = d_y - p·Σ d_y.
    inner = np.abs(d_y) + (np.abs(d_y) * (p if name != "LogSoftmax" else 1)).sum(
        axis=dim, keepdims=True
    )
    scale = inner * spread * (1 if name == "LogSoftmax" else p)
    assert_close(gradient["x"], expected["x"], scale=scale, roundings=3 * n + 8)
    _, second = ours(net, x, d_y, dtype, v)
    _, expected = theirs(torch, module, x, d_y, v)
    # Two derivatives: products of p, d_y, v and of sums of such, at most 6 of them together.
    scale = 6 * n * np.abs(d_y).max() * np.abs(v).max() * spread
    assert_close(second["x"], expected["x"], scale=scale, roundings=6 * n + 16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "dim"), [((3, 4), -1), ((3, 4), 1), ((4, 3), 0), ((2, 6, 3), 1), ((2, 3, 2), -1)]
)
def test_glu(torch, shape, dim, dtype):
    x, v = numbers(0, *shape) * 2, numbers(2, *shape)
    module = torch.nn.GLU(dim)
    d_y = numbers(1, *module(torch.tensor(x)).shape)
    y, gradient = ours(nn.GLU(dim), x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    a = np.abs(np.split(x, 2, dim)[0])
    assert_close(y, y_torch, scale=a, roundings=8)
    # d_a = σ(b)·d_y, d_b = a·σ(b)(1 - σ(b))·d_y
    scale = np.concatenate([np.abs(d_y), a * np.abs(d_y)], dim)
    assert_close(gradient["x"], expected["x"], scale=scale, roundings=14)
    _, second = ours(nn.GLU(dim), x, d_y, dtype, v)
    _, expected = theirs(torch, module, x, d_y, v)
    # In each half a term of v_a and one of v_b, times derivatives of σ that are at most 1.
    half = np.abs(d_y) * (1 + a) * sum(np.abs(part) for part in np.split(v, 2, dim))
    scale = np.concatenate([half, half], dim)
    assert_close(second["x"], expected["x"], scale=scale, roundings=24)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("pieces", [1, 2, 5])
@pytest.mark.parametrize("outer", [(7,), (2, 3)], ids=str)
def test_maxout(torch, outer, pieces, bias, dtype):
    # B examples, I inputs, O units, k pieces
    B, I, O, k = int(np.prod(outer)), 4, 3, pieces
    x, d_y = numbers(0, *outer, I), numbers(1, *outer, O)
    net = nn.Maxout(I, O, pieces, bias).initialize(seed=3)

    class Maxout(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x).unflatten(-1, (O, k)).max(dim=-1).values

    module = copy_to_torch(torch, net.state_dict(), Maxout(I, O * k, bias))
    w = np.abs(net.state_dict()["weight"].astype(np.float64))
    b = np.abs(net.state_dict()["bias"].astype(np.float64)) if bias else 0.0
    y, gradient = ours(net, x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    largest = (np.abs(x) @ w.T + b).reshape(*outer, O, k).max(axis=-1)
    assert_close(y, y_torch, scale=largest, roundings=I + 1)
    # A product with the chosen rows: the others get 0, so the sum over all of them is the bound's.
    rows, columns = np.abs(np.repeat(d_y, k, axis=-1)).reshape(B, O * k), np.abs(x.reshape(B, I))
    scale = (rows @ w).reshape(*outer, I)
    assert_close(gradient["x"], expected["x"], scale=scale, roundings=O * k)
    assert_close(gradient["weight"], expected["weight"], scale=rows.T @ columns, roundings=B)
    if bias:
        assert_close(gradient["bias"], expected["bias"], scale=rows.sum(axis=0), roundings=B)


def test_maxout_computes_what_its_equation_says():
    # h_i(x) = max_j x·W_ij + b_ij   [Goodfellow et al. 2013, eq. 1], written as a loop
    net = nn.Maxout(3, 2, pieces=3).initialize(seed=1).astype("float64")
    W, b = (net.state_dict()[name].reshape(2, 3, -1) for name in ("weight", "bias"))
    x = numbers(0, 5, 3)
    expected = [[max(row @ W[i, j] + b[i, j, 0] for j in range(3)) for i in range(2)] for row in x]
    # Sums of three products, of numbers below 8.
    np.testing.assert_allclose(net(x).numpy(), expected, rtol=0, atol=4 * 8 * 2.0**-52)


def test_the_gradient_of_a_tie_goes_to_the_first_piece():
    net = nn.Maxout(1, 1, pieces=3, bias=False)
    net.weight.replace([[2.0], [3.0], [3.0]])
    gradient = cr.grad(lambda net: net(np.ones((1, 1))).sum())(net)
    assert gradient["weight"].numpy().tolist() == [[0], [1], [0]]
