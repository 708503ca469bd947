"""Activations beside torch's: value, first and second derivative, at kinks too, over arguments."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.eager import elementwise
from chainrule.graph import TensorType
from chainrule.ops import bind
from chainrule.testing.exact import evaluate

# op, attributes -> torch's function of the same name and arguments
CASES = {
    "elu": ("elu", {}, {}),
    "elu 0.3": ("elu", {"alpha": 0.3}, {"alpha": 0.3}),
    "elu 2": ("elu", {"alpha": 2.0}, {"alpha": 2.0}),
    "celu": ("celu", {}, {}),
    # torch takes 1/alpha in float32, so alpha is a power of two here.
    "celu 0.5": ("celu", {"alpha": 0.5}, {"alpha": 0.5}),
    "celu 2": ("celu", {"alpha": 2.0}, {"alpha": 2.0}),
    "selu": ("selu", {}, {}),
    "gelu": ("gelu", {}, {}),
    "gelu_tanh": ("gelu", {}, {"approximate": "tanh"}),
    "silu": ("silu", {}, {}),
    "mish": ("mish", {}, {}),
    "softsign": ("softsign", {}, {}),
    "log_sigmoid": ("logsigmoid", {}, {}),
    "tanh_shrink": ("tanhshrink", {}, {}),
    "relu6": ("relu6", {}, {}),
    # Not torch's hardsigmoid, whose slope is 1/6 in float32 for any dtype, and has no derivative.
    "hard_sigmoid": (lambda torch, x: torch.nn.functional.relu6(x + 3) / 6, {}, {}),
    "hard_swish": ("hardswish", {}, {}),
    "hard_tanh": ("hardtanh", {}, {}),
    "hard_tanh -2 0.5": (
        "hardtanh",
        {"low": -2.0, "high": 0.5},
        {"min_val": -2.0, "max_val": 0.5},
    ),
    "hard_shrink": ("hardshrink", {}, {}),
    "hard_shrink 1": ("hardshrink", {"width": 1.0}, {"lambd": 1.0}),
    "soft_shrink": ("softshrink", {}, {}),
    "soft_shrink 1": ("softshrink", {"width": 1.0}, {"lambd": 1.0}),
    "threshold": (
        "threshold",
        {"threshold": 0.5, "below": -2.0},
        {"threshold": 0.5, "value": -2.0},
    ),
    "leaky_relu": ("leaky_relu", {"slope": 0.2}, {"negative_slope": 0.2}),
    "softplus": ("softplus", {}, {"threshold": 100.0}),  # torch's is a straight line from 20 on
    "sigmoid": ("sigmoid", {}, {}),
    "relu": ("relu", {}, {}),
}
KINKS = np.array([-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0])
POINTS = np.r_[np.linspace(-8, 8, 33) + 0.01, KINKS, -20.0, 25.0, 1e-6, -1e-6]

# torch takes 1 + erf and 1 + tanh, and a cubed sigmoid: it loses digits where the result is small.
TOLERANCE = {"float32": 2e-6, "float64": 4e-15}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_values_and_slopes_are_torchs(torch, case, dtype):
    op = case.split()[0]
    function, attributes, torchs = CASES[case]
    x = POINTS.astype(dtype)
    leaf = torch.tensor(x, requires_grad=True)
    if callable(function):
        y = function(torch, leaf)
    else:
        y = getattr(torch.nn.functional, function)(leaf, **torchs)
    (slope,) = torch.autograd.grad(y.sum(), leaf, create_graph=True)

    def f(t):
        return elementwise(op, t, **attributes)

    ours = cr.grad(lambda t: f(t).sum())
    close = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    np.testing.assert_allclose(f(cr.tensor(x)).numpy(), y.detach().numpy(), **close)
    assert ours(x).dtype == np.dtype(dtype)
    np.testing.assert_allclose(ours(x).numpy(), slope.detach().numpy(), **close)
    # At kinks second derivatives are nobody's promise.
    away = ~np.isin(x, KINKS.astype(dtype))
    second = cr.grad(lambda t: ours(t).sum())(x).numpy()
    if slope.requires_grad:
        (wanted,) = torch.autograd.grad(slope.sum(), leaf)
        wanted = wanted.numpy()
    else:
        wanted = np.zeros_like(x)
    loose = {"rtol": 20 * TOLERANCE[dtype], "atol": 20 * TOLERANCE[dtype]}
    np.testing.assert_allclose(second[away], wanted[away], **loose)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prelu_is_torchs_in_both_operands(torch, dtype):
    x = POINTS.astype(dtype)
    a = np.array([0.2], dtype)
    leaves = [torch.tensor(v, requires_grad=True) for v in (x, a)]
    y = torch.nn.functional.prelu(*leaves)
    wanted = torch.autograd.grad(y.sum(), leaves)
    ours = cr.grad(lambda x, a: elementwise("prelu", x, a).sum(), (0, 1))(x, a)
    assert np.array_equal(elementwise("prelu", x, a).numpy(), y.detach().numpy())
    for got, want in zip(ours, wanted, strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-6)


def test_clip_is_torchs_clamp_at_its_bounds_too(torch):
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    leaf = torch.tensor(x, requires_grad=True)
    leaf.clamp(0, 1).sum().backward()
    assert cr.grad(lambda t: elementwise("clip", t).sum())(x).numpy().tolist() == leaf.grad.tolist()


@pytest.mark.parametrize("op", [*(name.split()[0] for name in CASES if " " not in name), "clip"])
def test_far_out_nothing_overflows_and_nan_stays(op):
    # In f32: what overflows there at 1e30 would overflow in f64 at 1e300.
    x = np.array([-1e30, -200.0, 200.0, 1e30], np.float32)
    first = cr.grad(lambda t: elementwise(op, t).sum())
    second = cr.grad(lambda t: first(t).sum())
    for values in (elementwise(op, x), first(x), second(x)):
        assert np.isfinite(values.numpy()).all(), values
    assert np.isnan(elementwise(op, np.array([np.nan])).numpy()).all()


@pytest.mark.parametrize(
    ("op", "x", "value"),
    [
        # mpmath, 20 digits: 1 + erf and 1 + tanh would leave nothing here.
        ("gelu", -10.0, -7.6198530241605260660e-23),
        ("mish", -40.0, -1.6993417021166355e-16),
        ("silu", -40.0, -1.6993417021166355e-16),
        ("tanh_shrink", 1e-5, 3.3333333332e-16),
    ],
)
def test_small_results_keep_their_digits(op, x, value):
    assert elementwise(op, x).item() == pytest.approx(value, rel=1e-12)


def test_the_slope_of_gelu_keeps_its_digits_on_the_left():
    import mpmath as mp

    x = mp.mpf(-10)
    with mp.workdps(40):
        wanted = mp.ncdf(x) + x * mp.npdf(x)
    got = cr.grad(lambda t: elementwise("gelu", t))(-10.0).item()
    assert got == pytest.approx(float(wanted), rel=1e-13)


@pytest.mark.parametrize("x", [0.5, 0.999, -0.999, 1.0])
def test_the_fraction_for_small_tanh_shrinks_is_cut_where_nothing_is_lost(x):
    import mpmath as mp

    terms = bind("tanh_shrink").terms((TensorType.parse("f64[]"),), ())
    with mp.workdps(50):
        wanted = mp.mpf(x) - mp.tanh(mp.mpf(x))
        # Half a unit in the last place of float64 is 1e-16.
        assert abs(evaluate(terms, [np.array(x)]) / wanted - 1) < mp.mpf("1e-18")
