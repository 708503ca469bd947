"""Sines, cosines and tangents of any size: the quarter turns are counted exactly."""

import mpmath
import numpy as np
import pytest

from chainrule.backends.native import quarter_turns
from chainrule.backends.native.backend import NativeBackend
from chainrule.graph import DType, parse_graph
from tests.backends.native.emulated import PROCESSORS, Emulated
from tests.backends.native.targets import LESSER, target

OPS = ("sin", "cos", "tan")
LIMIT = 2.0**20 * np.pi / 2  # from there on the quarter turns are counted in integers
HARD = [
    6381956970095103 * 2.0**797,  # no double is nearer to a multiple of π/2 [Muller 2016, ch. 11]
    LIMIT, np.nextafter(LIMIT, np.inf), 2.0**21, 2.0**52, 2.0**53 - 1, 2.0**54, 1e22,
]  # fmt: skip


def native(op, x, backend=None):
    kind = DType.of(x.dtype).value
    text = f"graph f(x: {kind}[{x.size}]) -> {kind}[{x.size}]\n"
    graph = parse_graph(f"{text}  y: {kind}[{x.size}] = {op}(x)\n  return y")
    return (backend or NativeBackend()).run(graph, [x])[0]


def angles(dtype, count=600):
    """Of all magnitudes from 2¹⁵ up, and both signs."""
    kind = DType(dtype).numpy
    largest = float(np.finfo(kind).max)
    sizes = 2.0 ** np.random.default_rng(0).uniform(15, np.log2(largest), count)
    x = np.concatenate([sizes, HARD, [largest]])
    x = x[x <= largest].astype(kind)
    return np.concatenate([x, -x])


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize(("op", "ulps"), [("sin", 1), ("cos", 1), ("tan", 3)])
def test_errors_stay_small_at_every_size(op, ulps, dtype):
    # sin and cos of a float64 round twice or thrice below a half each; tan is their quotient.
    x = angles(dtype)
    with mpmath.workprec(1300):  # as many bits as the largest angle has, and those of the result
        for a, y in zip(x, native(op, x), strict=True):
            exact = getattr(mpmath, op)(mpmath.mpf(float(a)))
            gap = float(np.spacing(abs(x.dtype.type(float(exact)))))
            assert abs(mpmath.mpf(float(y)) - exact) <= ulps * gap, a


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("op", OPS)
def test_infinities_and_nan_have_no_angle(op, dtype):
    x = np.array([np.inf, -np.inf, np.nan, 1e30, 0.0, -0.0], DType(dtype).numpy)
    y = native(op, x)
    assert np.isnan(y[:3]).all()
    assert np.isfinite(y[3:]).all()
    if op != "cos":
        assert y[4:].tobytes() == x[4:].tobytes()


@pytest.mark.parametrize("name", LESSER)
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("op", OPS)
def test_bits_are_those_of_other_instruction_sets(op, dtype, name):
    x = angles(dtype)
    assert native(op, x).tobytes() == native(op, x, NativeBackend(target(name))).tobytes()


@pytest.mark.parametrize("name", PROCESSORS)
def test_bits_are_those_of_other_processors(name):
    x = angles("f64")
    assert native("sin", x).tobytes() == native("sin", x, Emulated(name)).tobytes()


def test_one_lane_gives_what_many_give():
    x = angles("f64", 20)
    alone = np.concatenate([native("cos", x[i : i + 1]) for i in range(x.size)])
    assert alone.tobytes() == native("cos", x).tobytes()


def test_the_table_is_two_over_pi():
    with mpmath.workprec(1400):
        bits = int(mpmath.floor(2 / mpmath.pi * mpmath.mpf(2) ** 1184))
    assert int(quarter_turns._TWO_OVER_PI, 16) == bits
