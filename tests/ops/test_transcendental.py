"""Functions of numbers, also at their ends: beside torch and NumPy."""

import numpy as np
import pytest

from chainrule.backends import get_backend
from chainrule.graph import DType, TensorType
from chainrule.ops import OPS, Builder
from tests.ops.test_functions import derivatives

GRIDS = {
    "expm1": np.r_[-800.0, np.linspace(-3, 3, 13), 1e-12, 700.0],
    "tan": np.linspace(-4, 4, 17),
    "sinh": np.r_[np.linspace(-30, 30, 21), 1e-10, -88.0],
    "cosh": np.r_[np.linspace(-30, 30, 21), 0.0, -88.0],
    "asinh": np.r_[np.linspace(-30, 30, 21), 1e-10, 60.0, 1e3, 1e6, 1e10, -3e30],
    "acosh": np.r_[np.linspace(1.01, 30, 21), 60.0, 1e3, 1e6, 1e10, 3e30],
    "atanh": np.r_[np.linspace(-0.98, 0.98, 21), 1e-10],
    "asin": np.r_[np.linspace(-0.98, 0.98, 21), 1e-10],
    "acos": np.r_[np.linspace(-0.98, 0.98, 21), 1e-10],
    "atan": np.r_[np.linspace(-30, 30, 21), 1e-10],
    "erf": np.r_[np.linspace(-5, 5, 21), 1e-10],
    "erfc": np.r_[np.linspace(-5, 12, 21), 1e-10],
    "floor": np.linspace(-3, 3, 25),
    "ceil": np.linspace(-3, 3, 25),
    "round": np.linspace(-3, 3, 25),
}


# A handful of roundings of functions that are right to four units in the last place, carried
# through two derivatives.
TOLERANCE = {"float32": 1e-5, "float64": 2e-14}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", GRIDS)
def test_values_and_two_derivatives_are_torchs(torch, op, dtype):
    import chainrule as cr

    x = GRIDS[op].astype(dtype)
    if dtype == "float32":
        x = x[np.abs(x) < 80]  # torch's second derivatives overflow above
    leaf = torch.tensor(x, requires_grad=True)
    y = getattr(torch, op)(leaf)
    wanted = [y]
    if y.grad_fn is not None:
        wanted += torch.autograd.grad(y.sum(), leaf, create_graph=True)
        if wanted[1].requires_grad:
            wanted += torch.autograd.grad(wanted[1].sum(), leaf)

    def f(t):
        return getattr(t, op)()

    first = cr.grad(lambda t: f(t).sum())
    ours = [f(cr.tensor(x)), first(x), cr.grad(lambda t: first(t).sum())(x)]
    for got, want in zip(ours, wanted, strict=False):
        assert got.dtype == np.dtype(dtype)
        np.testing.assert_allclose(
            got.numpy(), want.detach().numpy(), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype]
        )


POINTS = np.array([-np.inf, -1e300, -2.0, -0.0, 0.0, 0.5, 3.0, 1e300, np.inf, np.nan])


@pytest.mark.parametrize(("op", "function"), [
    ("expm1", np.expm1), ("sinh", np.sinh), ("cosh", np.cosh), ("asinh", np.arcsinh),
    ("atan", np.arctan), ("floor", np.floor), ("ceil", np.ceil), ("round", np.rint),
    ("tan", np.tan),
])  # fmt: skip
def test_the_ends_are_numpys(op, function):
    with np.errstate(all="ignore"):
        wanted = function(POINTS)
        np.testing.assert_allclose(run(op, POINTS), wanted, rtol=1e-15)


@pytest.mark.parametrize(("op", "function"), [
    ("acosh", np.arccosh), ("atanh", np.arctanh), ("asin", np.arcsin), ("acos", np.arccos),
])  # fmt: skip
def test_what_lies_outside_of_the_domain_is_no_number(op, function):
    points = np.array([-3.0, -1.0, 0.0, 1.0, 3.0, np.nan])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(run(op, points), function(points), rtol=1e-15)


def test_the_error_functions_ends():
    assert run("erf", POINTS).tolist()[:2] == [-1.0, -1.0]
    assert run("erf", POINTS).tolist()[-3:-1] == [1.0, 1.0]
    assert run("erfc", POINTS).tolist()[:2] == [2.0, 2.0]
    assert run("erfc", POINTS).tolist()[-3:-1] == [0.0, 0.0]
    assert np.isnan(run("erf", POINTS)[-1])
    assert np.isnan(run("erfc", POINTS)[-1])
    # mpmath: erfc(27) with 50 digits; the smallest numbers have few.
    assert run("erfc", np.array([27.0]))[0] == pytest.approx(5.237048923789e-319, rel=1e-4)


@pytest.mark.parametrize(
    ("op", "point", "expected"),
    [
        # Written with |x|, which has a kink where these are smooth.
        ("sinh", (0.0,), [0.0, 1.0, 0.0]),
        ("cosh", (0.0,), [1.0, 0.0, 1.0]),
        ("asinh", (0.0,), [0.0, 1.0, 0.0]),
        ("atanh", (0.0,), [0.0, 1.0, 0.0]),
        ("tan", (0.0,), [0.0, 1.0, 0.0]),
        # The angle of nothing, and its slopes, are declared to be 0.
        ("atan2", (0.0, 0.0), [0.0, 0.0, 0.0]),
    ],
)
def test_smooth_functions_are_smooth_at_zero(op, point, expected):
    assert derivatives(op, *point) == expected


@pytest.mark.parametrize("b", [-2.0, -0.0, 0.0, 3.0])
@pytest.mark.parametrize("a", [-1.5, 0.0, 1e200, -1e-200])
def test_angles_in_all_quarters_are_numpys(a, b):
    wanted = np.arctan2(a, b)
    if a == 0 and b == 0:
        wanted = 0.0  # zeros have no sign here
    assert run("atan2", np.array([a]), np.array([b]))[0] == pytest.approx(wanted, rel=4e-16)
    assert run("hypot", np.array([a]), np.array([b]))[0] == pytest.approx(np.hypot(a, b), rel=4e-16)


@pytest.mark.parametrize("op", ["atan2", "hypot"])
def test_slopes_of_angles_and_lengths_do_not_overflow(torch, op):
    import chainrule as cr

    ours = cr.grad(lambda a, b: getattr(a, op)(b), (0, 1))(3e200, 4e200)
    slopes = {"atan2": (4 / 25e200, -3 / 25e200), "hypot": (0.6, 0.8)}
    assert [d.item() for d in ours] == pytest.approx(slopes[op], rel=1e-15)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32", "float32", "float64"])
def test_division_with_remainder_is_numpys(dtype):
    a = np.array([7, 7, 9, 0, 2**31 - 1, 5]).astype(dtype)
    b = np.array([2, 3, 4, 5, 7, 8]).astype(dtype)
    if dtype != "uint32":
        a, b = np.r_[a, -a, a], np.r_[b, b, -b]
    assert run("floor_divide", a, b).tolist() == (a // b).tolist()
    assert run("remainder", a, b).tolist() == (a % b).tolist()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32"])
def test_whole_numbers_divided_by_zero_are_zero(dtype):
    a, b = np.array([7, 0], dtype), np.array([0, 0], dtype)
    assert run("floor_divide", a, b).tolist() == run("remainder", a, b).tolist() == [0, 0]


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32"])
@pytest.mark.parametrize("op", ["bitwise_and", "bitwise_or", "bitwise_xor", "shift_left"])
def test_bits_are_numpys(op, dtype):
    limits = np.iinfo(dtype)
    a = np.array([0, 5, limits.max, limits.min, 12], dtype)
    b = np.array([3, 6, 1, 1, 0], dtype)
    function = getattr(np, {"shift_left": "left_shift"}.get(op, op))
    assert run(op, a, b).tolist() == function(a, b).tolist()


def run(op, *arrays):
    b = Builder()
    operands = [
        b.input(TensorType(x.shape, DType.of(x.dtype)), f"x{i}") for i, x in enumerate(arrays)
    ]
    graph = b.build(op, {"y": b.apply(op, *operands)})
    (y,) = get_backend("numpy").run(graph, list(arrays))
    assert OPS.get(op).arity == len(arrays)
    return y
