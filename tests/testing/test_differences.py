"""Finite differences: the bound holds, and is small."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chainrule.testing.differences import differentiate, measure_noise
from chainrule.testing.exact import context

FUNCTIONS = {
    "sin": (np.sin, "sin", "cos"),
    "exp": (np.exp, "exp", "exp"),
    "tanh": (np.tanh, "tanh", lambda mp, x: mp.sech(x) ** 2),
    "cube": (lambda x: x * x * x, None, lambda mp, x: 3 * x * x),
    "far line": (lambda x: x * 3 + 1e6, None, lambda mp, x: mp.mpf(3)),
    "bell": (lambda x: 1 / (1 + x * x), None, lambda mp, x: -2 * x / (1 + x * x) ** 2),
}


def slope(f, x):
    (slopes,), (bounds,) = differentiate(lambda xs: [f(xs[0])], [np.array([x])], 0, (0,))
    return float(slopes[0]), float(bounds[0])


@pytest.mark.parametrize("name", FUNCTIONS)
@given(x=st.floats(-20, 20))
@example(x=0.0)
@example(x=1e-12)
def test_the_bound_holds_and_is_small(name, x):
    f, _, derivative = FUNCTIONS[name]
    mp = context()
    exact = getattr(mp, derivative)(x) if isinstance(derivative, str) else derivative(mp, mp.mpf(x))
    found, bound = slope(f, x)
    assert abs(found - exact) <= bound
    # A thousandth of a derivative of the function's own size stands out a thousandfold.
    assert bound <= 1e-6 * max(abs(float(f(x))), abs(float(exact)), 1e-3)


def test_all_elements_are_differentiated_in_one():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    slopes, bounds = differentiate(lambda xs: [xs[0] ** 2, xs[0].sum()], [x], 0, (1, 0))
    assert np.abs(slopes[0] - [[0, 0], [6, 0]]).max() <= bounds[0].max() < 1e-10
    assert abs(slopes[1] - 1) <= bounds[1] < 1e-10
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_kink_within_reach_of_long_steps_is_no_trouble():
    found, bound = slope(lambda x: np.maximum(x, 0) * 2, 1e-5)
    assert abs(found - 2) <= bound < 1e-6


def test_a_kink_has_no_derivative():
    found, bound = slope(abs, 0.0)
    assert found == 0.0  # the mean of both sides
    assert bound < 1e-6


def test_the_end_of_a_domain_is_approached_by_shorter_steps():
    found, bound = slope(np.log, 1e-3)
    assert abs(found - 1000) <= bound < 1e-3


def test_beyond_the_domain_nothing_is_claimed():
    found, bound = slope(np.sqrt, 0.0)
    assert np.isnan(found)
    assert bound == np.inf


def test_a_smooth_function_costs_few_evaluations():
    calls = []
    differentiate(lambda xs: [calls.append(1) or np.sin(xs[0])], [np.array([1.0])], 0, (0,))
    assert len(calls) <= 10


def test_known_errors_widen_the_bound():
    x = [np.array([1.0])]
    _, (small,) = differentiate(lambda xs: [xs[0] * 2], x, 0, (0,))
    _, (wide,) = differentiate(lambda xs: [xs[0] * 2], x, 0, (0,), [np.array([1e-6])])
    assert small[0] < 1e-12
    assert 1e-6 < wide[0] < 1e-4


def test_noise_is_seen_in_what_cancels():
    def cancels(xs):
        return [(xs[0] + 1e6) - 1e6, xs[0] * 2]

    rough, fine = measure_noise(cancels, [np.array([0.3, -2.0])], [0])
    # One addition near 10^6 rounds by up to 2**-34 = 5.8e-11.
    assert ((rough > 1e-11) & (rough < 1e-9)).all()
    assert (fine < 1e-14).all()


def test_noise_is_not_seen_in_a_kink():
    (noise,) = measure_noise(lambda xs: [(xs[0] > 0) * 1.0], [np.array([0.0])], [0])
    assert noise.tolist() == [0.0]
