"""Exponentials and error functions at their ends, and the approximations they are made of."""

import mpmath
import numpy as np
import pytest

from chainrule.backends.native import elementary, error_functions
from chainrule.backends.native.backend import NativeBackend
from chainrule.graph import DType, parse_graph
from tests.backends.native.targets import LESSER, target

EXACT = {
    "exp": mpmath.exp, "expm1": mpmath.expm1, "tanh": mpmath.tanh, "erf": mpmath.erf,
    "erfc": mpmath.erfc,
}  # fmt: skip
SMALLEST = {"f32": 2.0**-149, "f64": 2.0**-1074}
ENDS = {"f32": (-104.0, 88.7), "f64": (-745.1, 709.7)}


def native(op, x, backend=None):
    kind = DType.of(x.dtype).value
    text = f"graph f(x: {kind}[{x.size}]) -> {kind}[{x.size}]\n"
    graph = parse_graph(f"{text}  y: {kind}[{x.size}] = {op}(x)\n  return y")
    return (backend or NativeBackend()).run(graph, [x])[0]


def points(op, dtype):
    """Up to where the result is 0, 1 or infinite, and a little more; and near 0."""
    low, high = ENDS[dtype]
    if op in ("erf", "erfc", "tanh"):
        low, high = (-6.0, 10.2) if dtype == "f32" else (-6.0, 27.5)
    near = 2.0 ** np.arange(-60, 0, 0.37)
    spread = np.linspace(low, high, 700)
    return np.concatenate([spread, near, -near]).astype(DType(dtype).numpy)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("op", EXACT)
def test_errors_stay_below_four_units_up_to_the_ends(op, dtype):
    x = points(op, dtype)
    for a, y in zip(x, native(op, x), strict=True):
        with mpmath.workdps(40):
            exact = EXACT[op](mpmath.mpf(float(a)))
            gap = mpmath.mpf(float(np.spacing(abs(x.dtype.type(float(exact))))))
            assert abs(float(y) - exact) <= 4 * gap, a


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("op", EXACT)
def test_ends_are_exact(op, dtype):
    inf, tiny = np.inf, SMALLEST[dtype]
    x = np.array([-inf, -1e30, -0.0, 0.0, 1e30, inf], DType(dtype).numpy)
    expected = {
        "exp": [0, 0, 1, 1, inf, inf],
        "expm1": [-1, -1, -0.0, 0, inf, inf],
        "tanh": [-1, -1, -0.0, 0, 1, 1],
        "erf": [-1, -1, -0.0, 0, 1, 1],
        "erfc": [2, 2, 1, 1, 0, 0],
    }[op]
    assert native(op, x).tobytes() == np.array(expected, x.dtype).tobytes()
    # Of a subnormal: erf's slope is 2/√π, that of the others with a 0 there is 1.
    found = native(op, np.array([-7 * tiny, 7 * tiny], x.dtype)).astype(np.longdouble)
    image = {"expm1": 7, "tanh": 7, "erf": 8}.get(op)
    exact = [1, 1] if image is None else [-image * tiny, image * tiny]
    assert found.tolist() == exact


@pytest.mark.parametrize("op", [*EXACT, "sigmoid", "gelu", "log"])
def test_every_nan_stays_one(op):
    bits = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0x7FFFFFFF, 0x7FC00FFF], np.uint32)
    assert np.isnan(native(op, bits.view(np.float32))).all()
    wide = np.array([0x7FF8 << 48, (0x7FF8 << 48) + 1, (0x7FF0 << 48) + 1], np.uint64)
    assert np.isnan(native(op, wide.view(np.float64))).all()


@pytest.mark.parametrize("name", LESSER)
@pytest.mark.parametrize("count", [64, 1000, 4099])
def test_vectors_side_by_side_have_the_bits_of_single_ones(name, count):
    x = (np.random.default_rng(count).normal(size=count) * 4).astype(np.float32)
    for op in ("exp", "expm1", "erf", "gelu", "sigmoid"):
        single = np.concatenate([native(op, x[i : i + 37]) for i in range(0, count, 37)])
        assert native(op, x).tobytes() == single.tobytes()
        assert native(op, x, NativeBackend(target(name))).tobytes() == single.tobytes()


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", [None, *LESSER])
def test_the_exponential_of_minus_a_size_has_the_bits_of_any_other(dtype, name):
    low, tiny = ENDS[dtype][0], SMALLEST[dtype]
    near = np.linspace(low - 2, low + 40, 2000)  # where it is subnormal
    spread = np.linspace(-60, 60, 1001)
    odd = [0.0, -0.0, np.inf, -np.inf, np.nan, tiny, -tiny, -1e30]
    x = np.concatenate([near, spread, odd]).astype(DType(dtype).numpy)
    kind = f"{dtype}[{x.size}]"
    graph = parse_graph(f"""graph f(x: {kind}) -> {kind}
      zero: {dtype}[] = constant()  dtype={dtype} value=0.0
      one: {dtype}[] = constant()  dtype={dtype} value=1.0
      below: bool[{x.size}] = less(x, zero)
      size: {kind} = abs(x)
      minus: {kind} = neg(size)
      e: {kind} = exp(minus)
      above: {kind} = select(below, e, one)
      more: {kind} = add(one, e)
      y: {kind} = div(above, more)
      return y""")
    backend = NativeBackend(target(name)) if name else NativeBackend()
    separate = backend.run(graph, [x])[0]
    np.testing.assert_array_equal(native("sigmoid", x, backend), separate, strict=True)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("op", ["sigmoid", "sin", "log1p", "erf"])
def test_a_few_elements_in_lanes_have_the_bits_of_each_by_itself(op, dtype):
    x = (np.random.default_rng(1).random(19) * 9).astype(DType(dtype).numpy)
    x[3] = 1e6  # sin has another way for what is large
    single = np.concatenate([native(op, x[i : i + 1]) for i in range(x.size)])
    for name in LESSER:
        for count in (2, 3, 5, 8, 19):
            found = native(op, x[:count], NativeBackend(target(name)))
            assert found.tobytes() == single[:count].tobytes()


@pytest.mark.parametrize("op", ["sigmoid", "atanh"])
def test_one_element_that_is_broadcast_is_computed_once_and_is_every_element(op):
    graph = parse_graph(
        f"""
graph f(x: f32[1]) -> f32[4]
  %1: f32[4] = broadcast(x)  shape=[4]
  y: f32[4] = {op}(%1)
  return y""".strip()
    )
    x = np.array([0.3], np.float32)
    single = native(op, x)
    for name in ("host", *LESSER):
        backend = NativeBackend() if name == "host" else NativeBackend(target(name))
        found = backend.run(graph, [x])[0]
        np.testing.assert_array_equal(found, np.repeat(single, 4), strict=True)


def test_the_shorter_approximation_of_exp_is_as_close_as_is_said():
    c = [mpmath.mpf(c) for c in elementary.SHORTER]
    with mpmath.workdps(30):
        for i in range(-1000, 1001):
            r = mpmath.mpf(i) / 1000 * mpmath.log(2) / 2
            y = 1 + r + r**2 * mpmath.polyval(c[::-1], r)
            assert abs(y / mpmath.exp(r) - 1) < 2**-57


def test_the_approximations_of_erfc_are_as_close_as_is_said():
    e = error_functions
    with mpmath.workdps(30):

        def of(coefficients, x):
            return mpmath.polyval([mpmath.mpf(c) for c in reversed(coefficients)], x)

        for i in range(1007):
            a = mpmath.mpf(i) / 100
            h = e.SLOPE * a + of(e.ABOVE, a) / of(e.BELOW, a)
            assert abs(h * mpmath.erfc(a) * mpmath.exp(a * a) - 1) < 2**-25
        for i in range(-40, 41):
            r = mpmath.mpf(i) / 100
            odd = r * of(e.ODD, r * r)
            assert abs((1 + 2 * odd / (r * r + e.EVEN - odd)) / mpmath.exp(r) - 1) < 2**-28
        for i in range(1, 71):
            x = mpmath.mpf(i) / 100
            assert abs((x + x * of(e.CURVE, x * x)) / mpmath.erf(x) - 1) < 2**-30
