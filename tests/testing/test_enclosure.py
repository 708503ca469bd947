"""Derived bounds: whatever correct code computes lies within, and little else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.backends.numpy.kernels import UFUNCS
from chainrule.graph import DType
from chainrule.ops.expression import Element, Fold, Literal, apply, read
from chainrule.testing.enclosure import Enclosure, allowed_ulps, enclose

X, Z = Element(0, (0,)), Element(0, (1,))
F32, F64 = np.float32, np.float64
NAN = float("nan")

UNARY = ["neg", "exp", "tanh", "sin", "cos", "abs", "sqrt", "log1p", "log", "sign"]
BINARY = ["add", "sub", "mul", "div", "max", "min", "power"]
EXPRESSIONS = st.recursive(
    st.sampled_from([X, Z]) | st.floats(-3, 3).map(Literal),
    lambda inner: (
        st.builds(apply, st.sampled_from(UNARY), inner)
        | st.builds(apply, st.sampled_from(BINARY), inner, inner)
        | st.lists(inner, min_size=1, max_size=4).map(lambda items: Fold("add", items))
        | st.builds(
            lambda a, b, c, d: apply("select", apply("less", a, b), c, d),
            inner, inner, inner, inner,
        )
    ),
    max_leaves=10,
)  # fmt: skip


class Rounding:
    """Reads an expression as NumPy does: each step rounded to the dtype."""

    def __init__(self, x, dtype):
        self.x = x
        self.dtype = dtype

    def leaf(self, leaf):
        return self.x[leaf.index] if isinstance(leaf, Element) else self.dtype(leaf.value)

    def apply(self, op, arguments, dtype):
        return UFUNCS[op](*arguments)

    def fold(self, op, items, order):
        total = items[0]
        for item in items[1:]:
            total = total + item
        return total


@given(EXPRESSIONS, st.floats(-4, 4, width=32), st.floats(-4, 4, width=32))
@pytest.mark.parametrize("dtype", [F32, F64])
def test_what_rounding_gives_lies_within(dtype, expression, x, z):
    array = np.array([x, z], dtype)
    with np.errstate(all="ignore"):
        computed = read(apply("add", expression, X), Rounding(array, dtype))
    enclosure = enclose(apply("add", expression, X), [array], DType.of(dtype))
    if np.isnan(float(enclosure.low)) or np.isnan(float(enclosure.high)):
        return  # infinities met: nothing is claimed
    if np.isnan(computed):
        # Rounding may have left a function's domain only if the exact value nearly does.
        assert not np.isfinite(float(enclosure.low + enclosure.high)) or leaves_domain(enclosure)
        return
    assert enclosure.holds(float(computed)), str(enclosure)


def leaves_domain(enclosure):
    return bool(enclosure.low < enclosure.high)


@pytest.mark.parametrize(
    ("primitive", "factor"), [("add", 1), ("mul", 1), ("div", 1), ("sqrt", 1), ("exp", 5)]
)
def test_a_result_that_is_worse_than_allowed_lies_outside(primitive, factor):
    x = np.array([1.7, 1.1])
    operands = (X, Z) if primitive in ("add", "mul", "div") else (X,)
    enclosure = enclose(apply(primitive, *operands), [x], DType.F64)
    right = float(UFUNCS[primitive](*x[: len(operands)]))
    assert enclosure.holds(right)
    # The interval counts a unit in the last place as 2u|v|, up to twice what it is.
    assert not enclosure.holds(right + 2 * factor * float(np.spacing(right)))


def test_exact_operations_have_no_width():
    x = np.array([1.7, -1.1])
    for expression in (-X, apply("max", X, Z), apply("abs", Z), apply("select", True, X, Z)):
        enclosure = enclose(expression, [x], DType.F64)
        assert enclosure.low == enclosure.high


def test_a_literal_takes_the_dtype_of_what_it_meets():
    x = np.array([1.0, 2.0], F32)
    enclosure = enclose(apply("select", True, Literal(0.1), X), [x], DType.F32)
    assert enclosure.low == enclosure.high == float(F32(0.1))


def test_a_sum_may_be_computed_in_any_order():
    x = np.array([1e8, 1.0, -1e8, 1.0] * 8, F32)
    items = [Element(0, (i,)) for i in range(32)]
    enclosure = enclose(Fold("add", items), [x], DType.F32)
    for order in (x, x[::-1], np.sort(x)):
        total = F32(0)
        for each in order:
            total = total + each
        assert enclosure.holds(float(total))
    assert enclosure.holds(16.0)  # and with no rounding at all
    assert not enclosure.holds(5e4)


@pytest.mark.parametrize(
    ("expression", "dtype"),
    [
        (apply("less", apply("exp", X), apply("exp", X)), DType.BOOL),
        (apply("equal", apply("exp", X), apply("exp", Z)), DType.BOOL),
        (apply("cast", apply("exp", X) * 0.0 + 1.0, dtype=DType.I64), DType.I64),
    ],
)
def test_what_hangs_on_rounding_is_not_claimed(expression, dtype):
    assert enclose(expression, [np.array([0.5, 0.5])], dtype) is None


def test_a_choice_that_hangs_on_rounding_encloses_both_sides():
    either = apply("select", apply("less", apply("exp", X), apply("exp", Z)), 1.0, X * 4)
    enclosure = enclose(either, [np.array([0.5, 0.5])], DType.F64)
    assert (float(enclosure.low), float(enclosure.high)) == pytest.approx((1.0, 2.0))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (apply("less", X, Z), True),
        (apply("equal", X, X), True),
        (apply("not_equal", X, Z), True),
        (apply("logical_not", apply("greater_equal", X, Z)), True),
        (apply("is_finite", X), True),
        (apply("cast", Z, dtype=DType.I64), 2),
        (Fold("add", [Literal(1), Literal(2)]), 3),
    ],
)
def test_what_does_not_hang_on_rounding_is_exact(expression, value):
    result = enclose(expression, [np.array([1.5, 2.5])], DType.BOOL)
    assert result == value
    assert type(result) is type(value)


def test_nan_encloses_nan_alone():
    enclosure = enclose(X + 1, [np.array([NAN, 0.0])], DType.F64)
    assert enclosure.holds(NAN)
    assert not enclosure.holds(0.0)
    assert not enclose(Z + 1, [np.array([NAN, 0.0])], DType.F64).holds(NAN)


def test_beyond_the_largest_number_lies_infinity():
    enclosure = enclose(apply("exp", X), [np.array([100.0, 0.0], F32)], DType.F32)
    assert enclosure.holds(float("inf"))
    assert enclosure.holds(float(np.finfo(F32).max))
    assert not enclosure.holds(1.0)


def test_below_the_smallest_number_lies_zero():
    enclosure = enclose(apply("exp", X), [np.array([-200.0, 0.0], F32)], DType.F32)
    assert enclosure.holds(0.0)
    assert not enclosure.holds(1e-43)


def test_narrowing_rounds_and_widening_does_not():
    third = np.array([1 / 3, 0.0])
    narrow = enclose(apply("cast", X, dtype=DType.F32), [third], DType.F32)
    assert narrow.holds(float(F32(1 / 3)))
    assert narrow.low < narrow.high
    wide = enclose(apply("cast", X, dtype=DType.F64), [third.astype(F32)], DType.F64)
    assert wide.low == wide.high


def test_an_enclosure_reads_as_a_number_and_its_error():
    assert str(Enclosure(1.0, 1.0, DType.F64)) == "1.0 ± 0.0"
    assert str(enclose(apply("exp", X), [np.array([1.0, 0.0])], DType.F64)) == (
        "2.7182818284590452 ± 2.4e-15"
    )


def test_ieee_rounds_five_operations_correctly():
    assert {op for op in UFUNCS if allowed_ulps(op) == 0.5} == {"add", "sub", "mul", "div", "sqrt"}
