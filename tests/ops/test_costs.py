"""Elementwise costs at the points where their formulas could go wrong, and labels out of range."""

import math

import mpmath
import numpy as np
import pytest

import chainrule as cr
from chainrule.autodiff import gradients
from chainrule.backends import get_backend
from chainrule.eager import apply, elementwise
from chainrule.graph import TensorType
from chainrule.ops import Builder

DTYPES = ["float64", "float32"]


def derivatives(op, *point, order=2, dtype="f64", **attributes):
    """The result at a point, then its derivatives of each order in the first operand."""
    kind = TensorType.parse(f"{dtype}[]")
    b = Builder()
    inputs = [b.input(kind, f"x{i}") for i in range(len(point))]
    graph = b.build("f", {"y": b.apply(op, *inputs, **attributes)})
    label = "y"
    for _ in range(order):
        graph = gradients(graph, of=label, wrt=["x0"])
        label = graph.outputs[-1].label
    return [
        float(y) for y in get_backend("numpy").run(graph, [kind.dtype.numpy.type(x) for x in point])
    ]


BY_VALUE = [
    ("bce_with_logits", (0.0, 0.25), {}, [math.log(2.0), 0.25, 0.25]),
    # At a certain answer the slope is torch's; what it slopes towards is not asked for.
    ("bce", (0.0, 0.0), {}, [0.0, 0.0]),
    ("bce", (1.0, 1.0), {}, [0.0, 0.0]),
    ("bce", (0.0, 1.0), {}, [100.0, -1e12]),
    ("bce", (1.0, 0.0), {}, [100.0, 1e12]),
    ("bce", (0.5, 0.5), {}, [math.log(2.0), 0.0, 4.0]),
    ("kl_divergence", (-2.0, 0.0), {}, [0.0, 0.0, 0.0]),
    ("kl_divergence", (-math.inf, 0.0), {}, [0.0, 0.0]),
    ("kl_divergence", (-1.0, 1.0), {}, [1.0, -1.0, 0.0]),
    ("huber", (0.0,), {}, [0.0, 0.0, 1.0]),
    ("huber", (1.0,), {}, [0.5, 1.0, 0.0]),
    ("huber", (-1.0,), {}, [0.5, -1.0, 0.0]),
    ("huber", (2.0,), {"delta": 2.0}, [2.0, 2.0, 0.0]),
    ("huber", (1.5,), {"delta": 2.0}, [1.125, 1.5, 1.0]),
    ("huber", (-4.0,), {"delta": 0.5}, [1.875, -0.5, 0.0]),
    ("smooth_l1", (0.0,), {}, [0.0, 0.0, 1.0]),
    ("smooth_l1", (2.0,), {"beta": 2.0}, [1.0, 1.0, 0.0]),
    ("smooth_l1", (-1.5,), {"beta": 2.0}, [0.5625, -0.75, 0.5]),
    ("smooth_l1", (-4.0,), {"beta": 0.5}, [3.75, -1.0, 0.0]),
    ("focal", (0.0,), {}, [0.0, 0.0, 0.0]),
    ("focal", (0.0,), {"gamma": 0.0}, [0.0, 1.0, 0.0]),
    ("focal", (0.0,), {"gamma": 1.0}, [0.0, 0.0, 2.0]),
    ("focal", (3.0,), {"gamma": 0.0}, [3.0, 1.0, 0.0]),
    ("focal", (800.0,), {}, [800.0, 1.0, 0.0]),
]  # fmt: skip


@pytest.mark.parametrize(("op", "point", "attributes", "expected"), BY_VALUE)
def test_at_joints_and_ends(op, point, attributes, expected):
    found = derivatives(op, *point, order=len(expected) - 1, **attributes)
    assert found == expected


@pytest.mark.parametrize("op", ["huber", "smooth_l1", "focal"])
def test_nan_stays_nan(op):
    assert np.isnan(derivatives(op, np.nan, order=1)).all()


@pytest.mark.parametrize("outside", [-1e-3, 1.001, -5.0, np.nan])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_probability_outside_of_0_to_1_has_no_cost(outside, dtype):
    assert np.isnan(derivatives("bce", outside, 0.5, order=0, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_sure_answer_that_is_right_costs_its_digits(dtype, sign):
    # max(x, 0) - x·t + log(1+e^-|x|) gives 0 here, and σ(x) - t a slope of 0.
    for size in (5.0, 20.0, 30.0, 60.0):
        x, t = np.array(sign * size, dtype), np.array(float(sign > 0), dtype)
        cost = elementwise("bce_with_logits", x, t).item()
        slope = cr.grad(lambda x, t=t: elementwise("bce_with_logits", x, t))(x).item()
        exact = float(mpmath.log1p(mpmath.exp(-size)))
        # log1p, exp and a sum; for the slope an exponential and a quotient.
        assert cost == pytest.approx(exact, rel=8 * float(np.finfo(dtype).eps))
        exact = float(1 / (1 + mpmath.exp(size)))
        assert -sign * slope == pytest.approx(exact, rel=8 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("x", [1e-9, 1e-3, 0.25, 1.0, 3.0, 40.0])
def test_focal_and_its_slopes_are_those_of_the_definition(gamma, x):
    with mpmath.workdps(60):

        def f(x):
            return (1 - mpmath.exp(-x)) ** gamma * x

        exact = [float(mpmath.diff(f, x, order)) for order in range(3)]
    # A power multiplies an error of 4 units in the last place by γ.
    np.testing.assert_allclose(
        derivatives("focal", x, gamma=gamma), exact, rtol=2e-14, atol=1e-14 * max(map(abs, exact))
    )


LOGITS = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, -2.0]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ["cross_entropy", "nll"])
@pytest.mark.parametrize("label", [-1, -100, 3, 1000])
def test_a_label_out_of_range_has_no_cost(op, label, dtype):
    labels = cr.tensor(np.array([label, 1]))
    x = LOGITS.astype(dtype)
    costs = apply(op, cr.tensor(x), labels).numpy()
    assert np.isnan(costs[0])
    assert costs[1] == apply(op, cr.tensor(x[1:]), labels[1:]).numpy()[0]
    slope = cr.grad(lambda x: apply(op, x, labels).sum())(x).numpy()
    assert np.isfinite(slope[1]).all()
    # Of the log-probabilities none is the label's, so none matters.
    np.testing.assert_array_equal(slope[0], 0 if op == "nll" else np.nan)


def test_labels_may_be_of_any_integer_dtype():
    for dtype in ("int32", "int64", "uint32"):
        labels = cr.tensor(np.array([2, 0], dtype))
        np.testing.assert_array_equal(apply("nll", cr.tensor(LOGITS), labels).numpy(), [-2.0, -0.0])
