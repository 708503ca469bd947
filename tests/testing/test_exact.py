"""The oracle of 50 digits: known constants, IEEE's corners, derivatives, the random stream."""

import sys

import mpmath
import numpy as np
import pytest

from chainrule.base.errors import MissingExtraError
from chainrule.base.random import random_bits, seed_words, stream_id
from chainrule.graph import DType, TensorType
from chainrule.ops import bind
from chainrule.ops.expression import Element, Fold, Literal, apply
from chainrule.testing import exact
from chainrule.testing.exact import (
    derivative,
    evaluate,
    exact_function,
    float_elements,
    second_derivative,
)

X, Z = Element(0, (0,)), Element(0, (1,))
INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("expression", "digits"),
    [
        (apply("exp", 1.0), "2.7182818284590452353602874713526624977572470936999"),
        (apply("log", 2.0), "0.69314718055994530941723212145817656807550013436026"),
        (apply("sqrt", 2.0), "1.4142135623730950488016887242096980785696718753769"),
        (apply("tanh", 1.0), "0.76159415595576488811945828260479359041276859725794"),
    ],
    ids=["e", "log 2", "√2", "tanh 1"],
)
def test_constants_have_their_published_digits(expression, digits):
    mp = exact.context()
    places = len(digits.partition("e")[0]) - 3
    assert abs(evaluate(expression, []) - mp.mpf(digits)) <= abs(mp.mpf(digits)) * 10**-places


def test_log1p_keeps_the_digits_of_small_numbers():
    t = exact.context().mpf(2) ** -60
    assert abs(evaluate(apply("log1p", 2.0**-60), []) - (t - t**2 / 2)) <= t**3


@pytest.mark.parametrize(
    ("primitive", "operands", "value"),
    [
        ("div", (1.0, 0.0), INF),
        ("div", (-1.0, 0.0), -INF),
        ("div", (0.0, 0.0), NAN),
        ("log", (0.0,), -INF),
        ("log", (-1.0,), NAN),
        ("log1p", (-1.0,), -INF),
        ("log1p", (-2.0,), NAN),
        ("sqrt", (-1.0,), NAN),
        ("power", (0.0, 0.0), 1.0),
        ("power", (0.0, 2.0), 0.0),
        ("power", (0.0, -1.0), INF),
        ("power", (-2.0, 3.0), -8.0),
        ("power", (-2.0, 0.5), NAN),
        ("max", (NAN, 1.0), NAN),
        ("min", (1.0, NAN), NAN),
        ("sign", (-3.0,), -1.0),
        ("sign", (NAN,), NAN),
        ("is_finite", (INF,), False),
        ("is_finite", (NAN,), False),
        ("equal", (NAN, NAN), False),
        ("not_equal", (NAN, NAN), True),
        ("less_equal", (NAN, 0.0), False),
        ("select", (True, 1.0, NAN), 1.0),
        ("logical_and", (True, False), False),
        ("shift_right", (4_000_000_000, 9), 7_812_500),
    ],
)
def test_corners_are_those_of_ieee(primitive, operands, value):
    mp = exact.context()
    exactly = [mp.mpf(x) if isinstance(x, float) else x for x in operands]
    got = float(exact_function(primitive)(*exactly))
    assert got == value or (np.isnan(got) and np.isnan(value))


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [(-2.7, DType.I64, -2), (2.7, DType.U32, 2), (0.5, DType.BOOL, True), (3, DType.F32, 3)],
)
def test_a_cast_drops_the_fraction(value, dtype, expected):
    assert evaluate(apply("cast", value, dtype=dtype), []) == expected


def test_derivatives_are_exact_beyond_16_digits():
    mp = exact.context()
    x = [np.array([0.7, 1.3])]
    product = apply("sin", X) * Z
    assert abs(derivative(product, x, (0, (0,))) - mp.cos(0.7) * mp.mpf(1.3)) < 1e-28
    assert abs(derivative(product, x, (0, (1,))) - mp.sin(0.7)) < 1e-28
    first, second = (0, (0,)), (0, (1,))
    assert abs(second_derivative(product, x, first, first) + mp.sin(0.7) * mp.mpf(1.3)) < 1e-19
    assert abs(second_derivative(product, x, first, second) - mp.cos(0.7)) < 1e-19
    assert abs(second_derivative(product, x, second, second)) < 1e-19


def test_nobodys_precision_is_changed():
    before = mpmath.mp.dps
    evaluate(apply("exp", 1.0), [])
    assert mpmath.mp.dps == before


def test_float_elements_are_found_once():
    arrays = [np.zeros(3), np.zeros(2, int)]
    expression = Fold("add", [X, Z * X, apply("cast", Element(1, (0,)), dtype=DType.F64)])
    assert float_elements(expression, arrays) == [(0, (0,)), (0, (1,))]
    assert float_elements(Literal(2.0), arrays) == []


def test_random_words_are_computed_once_more_from_their_definition():
    seed, rows = seed_words(2**40 + 7), np.array([0, 5, 2**33 + 1])
    words = random_bits(seed, 2**35 + 3, "dropout", rows, 5)
    op = bind("random_bits", {"shape": (5,), "stream": "dropout"})
    operands = tuple(map(TensorType.parse, ("u32[2]", "i64[]", "i64[3]")))
    arrays = [seed, np.array(2**35 + 3), rows]
    for index in np.ndindex(3, 5):
        assert evaluate(op.terms(operands, index), arrays) == words[index]
    assert stream_id("dropout")[0] != stream_id("Dropout")[0]


def test_without_mpmath_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpmath", None)
    exact.context.cache_clear()
    try:
        with pytest.raises(MissingExtraError) as caught:
            exact.context()
    finally:
        monkeypatch.undo()
        exact.context.cache_clear()
        exact._functions.cache_clear()
    assert str(caught.value) == (
        "The oracle of 50 digits needs mpmath, which is not installed. pip install mpmath."
    )
