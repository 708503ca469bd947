"""Order, running sums and what is computed over axes: where formulas could go wrong."""

import numpy as np
import pytest

from chainrule.autodiff import pullback
from chainrule.backends import get_backend
from chainrule.base.errors import DataError
from chainrule.graph import DType, TensorType
from chainrule.ops import Builder, bind
from chainrule.testing.exact import evaluate

INF, NAN = np.inf, np.nan


def graph_of(op, *arrays, **attributes):
    b = Builder()
    inputs = [
        b.input(TensorType(x.shape, DType.of(x.dtype)), f"x{i}") for i, x in enumerate(arrays)
    ]
    return b.build(op, {"y": b.apply(op, *inputs, **attributes)})


def run(op, *arrays, **attributes):
    (y,) = get_backend("numpy").run(graph_of(op, *arrays, **attributes), list(arrays))
    return y


def slope(op, x, **attributes):
    """The gradient of the sum of the results."""
    graph = graph_of(op, x, **attributes)
    ones = np.ones(tuple(map(int, graph.nodes[-1].shape)))
    (d,) = get_backend("numpy").run(pullback(graph), [x, ones])
    return d


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint32", "bool"])
def test_equal_elements_keep_their_order(dtype):
    x = (np.random.default_rng(0).integers(0, 3, (5, 40)) - (dtype[0] in "if")).astype(dtype)
    for axis in (0, 1):
        rising = np.argsort(x, axis, stable=True)
        assert np.array_equal(run("argsort", x, axis=axis), rising)
        # Falling order is rising order of the negated ranks.
        ranks = np.unique(x, return_inverse=True)[1].reshape(x.shape)
        falling = np.argsort(-ranks, axis, stable=True)
        assert np.array_equal(run("argsort", x, axis=axis, descending=True), falling)
        assert run("argsort", x, axis=axis).dtype == np.int64


def test_nan_is_larger_than_every_number():
    x = np.array([NAN, 1.0, INF, NAN, -INF])
    assert run("argsort", x, axis=0).tolist() == [4, 1, 2, 0, 3]
    assert run("argsort", x, axis=0, descending=True).tolist() == [0, 3, 2, 1, 4]


@pytest.mark.parametrize("descending", [False, True])
def test_what_is_known_to_stand_at_a_place_is_shown_by_one_count(descending):
    x = np.array([NAN, 1.0, INF, 1.0, NAN, -INF, 1.0])
    op = bind("argsort", {"axis": 0, "descending": descending})
    operands = (TensorType(x.shape, DType.F64),)
    for place, actual in enumerate(run("argsort", x, axis=0, descending=descending)):
        assert evaluate(op.terms(operands, (place,)), [x]) == actual
        shown = [
            evaluate(op.terms_of_found(operands, (place,), found), [x]) for found in range(len(x))
        ]
        assert shown == [found if found == actual else -1 for found in range(len(x))]


@pytest.mark.parametrize(("op", "attributes"), [
    ("take_along_axis", {"axis": 0}),
    ("add_along_axis", {"axis": 0, "size": 3}),
])  # fmt: skip
@pytest.mark.parametrize("position", [-1, 3])
def test_positions_out_of_range_are_refused(op, attributes, position):
    with pytest.raises(DataError, match=f"^{op} takes indices from 0 to 2; got {position}"):
        run(op, np.ones(3), np.array([0, position, 1]), **attributes)


def test_two_elements_that_go_to_one_place_are_added():
    x, at = np.array([[1.0, 2.0, 4.0]]), np.array([[2, 0, 2]])
    assert run("add_along_axis", x, at, axis=1, size=4).tolist() == [[2.0, 0.0, 5.0, 0.0]]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 17])
def test_products_have_slopes_also_with_zeros(size):
    x = np.arange(1.0, size + 1)
    for zeros in ([], [0], [0, size - 1]):
        x[zeros] = 0
        others = [np.prod(np.delete(x, i)) for i in range(size)]
        assert run("prod", x, axes=(0,)) == pytest.approx(np.prod(x), rel=1e-14)
        np.testing.assert_allclose(slope("prod", x, axes=(0,)), others, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint32"])
def test_a_product_of_nothing_is_one(dtype):
    y = run("prod", np.zeros((2, 0, 3), dtype), axes=(1,))
    assert y.dtype == np.dtype(dtype)
    assert y.tolist() == [[1, 1, 1]] * 2


def test_logarithms_of_sums_at_their_ends():
    x = np.array([[-INF, -INF], [INF, 1.0], [NAN, 1.0], [1e4, 1e4], [-1e4, -INF]])
    y = run("log_sum_exp", x, axes=(1,))
    np.testing.assert_array_equal(y[:3], [-INF, INF, NAN])
    assert y[3:].tolist() == [1e4 + np.log(2.0), -1e4]
    d = slope("log_sum_exp", x, axes=(1,))
    assert d[0].tolist() == [0.0, 0.0]
    assert d[3:].tolist() == [[pytest.approx(0.5), pytest.approx(0.5)], [1.0, 0.0]]


def test_a_large_mean_does_not_hide_the_variance():
    x = 1e9 + np.array([1.0, 2.0, 3.0, 4.0])
    assert run("variance", x, axes=(0,), correction=0.0) == 1.25
    assert run("variance", x, axes=(0,), correction=1.0) == pytest.approx(5 / 3, rel=1e-15)


@pytest.mark.parametrize(("op", "attributes"), [
    ("norm", {"axes": (0,)}),
    ("std", {"axes": (0,), "correction": 0.0}),
])  # fmt: skip
def test_lengths_of_nothing_have_slope_zero(op, attributes):
    x = np.zeros(3)
    assert run(op, x, **attributes) == 0
    assert slope(op, x, **attributes).tolist() == [0.0, 0.0, 0.0]
