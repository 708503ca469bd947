"""The functions of networks at the points where their formulas could go wrong."""

import numpy as np
import pytest

from chainrule.autodiff import gradients
from chainrule.backends import get_backend
from chainrule.graph import TensorType
from chainrule.ops import OPS, Builder, Elementwise


def derivatives(op, *point, order=2):
    """The result at a point, then its derivatives of each order in the first operand."""
    b = Builder()
    inputs = [b.input(TensorType.parse("f64[]"), f"x{i}") for i in range(len(point))]
    graph = b.build("f", {"y": b.apply(op, *inputs)})
    label = "y"
    for _ in range(order):
        graph = gradients(graph, of=label, wrt=["x0"])
        label = graph.outputs[-1].label
    return [float(y) for y in get_backend("numpy").run(graph, list(map(np.float64, point)))]


@pytest.mark.parametrize(
    ("op", "point", "expected"),
    [
        ("sigmoid", (0.0,), [0.5, 0.25, 0.0]),
        # Built from max(x, 0) and |x|, which have kinks where softplus is smooth.
        ("softplus", (0.0,), [np.log(2.0), 0.5, 0.25]),
        ("bce_with_logits", (0.0, 0.25), [np.log(2.0), 0.25, 0.25]),
        ("square", (0.0,), [0.0, 0.0, 2.0]),
        ("tanh", (0.0,), [0.0, 1.0, 0.0]),
        ("power", (0.0, 2.0), [0.0, 0.0, 2.0]),
        ("power", (0.0, 1.0), [0.0, 1.0, 0.0]),
        ("power", (0.0, 0.0), [1.0, 0.0, 0.0]),
    ],
)
def test_smooth_functions_are_smooth_at_zero(op, point, expected):
    assert derivatives(op, *point) == expected


SELU_SLOPE = 1.0507009873554805 * 1.6732632423543772


@pytest.mark.parametrize(
    ("op", "at_zero"),
    [("elu", [0.0, 1.0, 1.0]), ("celu", [0.0, 1.0, 1.0]), ("selu", [0.0, SELU_SLOPE, SELU_SLOPE])],
)
def test_at_zero_exponential_units_have_the_slopes_of_their_left_side(op, at_zero):
    # Of both orders (torch's second is 0 there). min(x, 0) in the exponent would halve the second.
    assert derivatives(op, 0.0) == pytest.approx(at_zero, rel=1e-15)


@pytest.mark.parametrize(
    ("op", "point", "value"),
    [
        ("sigmoid", (-745.0,), 5e-324),
        ("sigmoid", (1e4,), 1.0),
        ("softplus", (1e4,), 1e4),
        ("softplus", (-1e4,), 0.0),
        ("bce_with_logits", (1e4, 0.0), 1e4),
        ("bce_with_logits", (-1e4, 0.0), 0.0),
    ],
)
def test_large_arguments_do_not_overflow(op, point, value):
    assert derivatives(op, *point, order=0) == [value]
    assert np.isfinite(derivatives(op, *point)).all()


@pytest.mark.parametrize(
    "op",
    [
        name
        for name, op in OPS.items()
        if isinstance(op, Elementwise) and op.arity == 1 and op.accepts == "float"
    ],
)
def test_nan_propagates(op):
    if op != "is_finite":
        assert np.isnan(derivatives(op, np.nan, order=0)[0])


@pytest.mark.parametrize("op", ["max", "min", "add", "sub", "mul", "div"])
def test_nan_on_either_side_propagates(op):
    assert np.isnan(derivatives(op, np.nan, 1.0, order=0)[0])
    assert np.isnan(derivatives(op, 1.0, np.nan, order=0)[0])
