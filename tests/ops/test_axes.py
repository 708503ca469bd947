"""Ops along an axis work along each axis there is: values are NumPy's, slopes are differences."""

import numpy as np
import pytest

from chainrule.backends import get_backend
from chainrule.graph import DType, TensorType
from chainrule.ops import Builder, bind
from chainrule.testing import check_gradients
from chainrule.testing.exact import evaluate

SHAPE = (2, 3, 4)
# All elements differ, so that neither order nor maximum has a tie; none is 0.
X = np.random.default_rng(4).permutation(np.linspace(-2.05, 2.05, 24)).reshape(SHAPE)
OTHER = X[::-1] * 0.5 + 0.1


def graph_of(op, *arrays, **attributes):
    b = Builder()
    inputs = [
        b.input(TensorType(x.shape, DType.of(x.dtype)), f"x{i}") for i, x in enumerate(arrays)
    ]
    return b.build(op, {"y": b.apply(op, *inputs, **attributes)})


def holds(wanted, op, *arrays, **attributes):
    """The op has this value, in NumPy and by its terms, and the slopes that differences say."""
    graph = graph_of(op, *arrays, **attributes)
    (y,) = get_backend("numpy").run(graph, list(arrays))
    np.testing.assert_allclose(y, wanted, rtol=1e-13, atol=1e-13)
    node = graph.nodes[-1]
    operands = tuple(graph.nodes[i].type for i in node.inputs)
    for index in list(np.ndindex(y.shape))[:: max(1, y.size // 3)]:
        terms = bind(op, attributes).terms(operands, index)
        assert float(evaluate(terms, arrays)) == pytest.approx(wanted[index], rel=1e-13)
    if y.dtype == np.float64:
        check_gradients(graph, list(arrays))


def log_sum_exp(x, axis):
    return np.log(np.sum(np.exp(x), axis=axis))


OVER_ONE = {
    "amax": lambda x, k: x.max(k),
    "argmax": lambda x, k: x.argmax(k),
    "argsort": lambda x, k: np.argsort(x, k),
    "cumsum": lambda x, k: np.cumsum(x, k),
    "softmax": lambda x, k: np.exp(x) / np.exp(x).sum(k, keepdims=True),
    "log_softmax": lambda x, k: x - np.expand_dims(log_sum_exp(x, k), k),
}


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("op", OVER_ONE)
def test_along_one_axis(op, axis):
    holds(OVER_ONE[op](X, axis), op, X, axis=axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("descending", [False, True])
def test_in_order(axis, descending):
    wanted = np.flip(np.sort(X, axis), axis) if descending else np.sort(X, axis)
    holds(wanted, "sort", X, axis=axis, descending=descending)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_running_sums_from_behind(axis):
    wanted = np.flip(np.cumsum(np.flip(X, axis), axis), axis)
    holds(wanted, "cumsum", X, axis=axis, reverse=True)


SETS = [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
OVER_MANY = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "norm": lambda x, axis: np.sqrt(np.sum(x * x, axis=axis)),
    "log_sum_exp": log_sum_exp,
    "flip": np.flip,
}


@pytest.mark.parametrize("axes", SETS)
@pytest.mark.parametrize("op", OVER_MANY)
def test_over_several_axes(op, axes):
    wanted = X if op == "norm" and not axes else OVER_MANY[op](X, axis=axes)
    holds(np.abs(wanted) if op == "norm" else wanted, op, X, axes=axes)


@pytest.mark.parametrize("axes", SETS[1:])
@pytest.mark.parametrize("correction", [0.0, 1.0])
@pytest.mark.parametrize(("op", "numpys"), [("variance", np.var), ("std", np.std)])
def test_spread_over_several_axes(op, numpys, axes, correction):
    holds(numpys(X, axis=axes, ddof=correction), op, X, axes=axes, correction=correction)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_joined(axis):
    others = [np.take(X, [0], axis) * 2, OTHER]
    holds(np.concatenate([X, *others], axis), "concat", X, *others, axis=axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("indices", [np.array([[1, 0], [1, 1], [0, 1]]), np.array(1)])
def test_read_and_added_at_positions(axis, indices):
    read = np.take(X, indices, axis)
    holds(read, "gather", X, indices, axis=axis)
    added = np.zeros_like(X)
    view, slices = (
        np.moveaxis(added, axis, 0),
        np.moveaxis(read.reshape(*SHAPE[:axis], -1, *SHAPE[axis + 1 :]), axis, 0),
    )
    np.add.at(view, indices.ravel(), slices)
    holds(added, "scatter_add", read, indices, axis=axis, size=SHAPE[axis])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_read_and_added_at_positions_of_their_own(axis):
    places = np.take(np.argsort(OTHER, axis) % SHAPE[axis], [0, -1, 0], axis)
    read = np.take_along_axis(X, places, axis)
    holds(read, "take_along_axis", X, places, axis=axis)
    added = np.zeros_like(X)
    for at in np.ndindex(places.shape):
        added[(*at[:axis], places[at], *at[axis + 1 :])] += read[at]
    holds(added, "add_along_axis", read, places, axis=axis, size=SHAPE[axis])


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), (1, 0, 2)])
def test_in_another_order_of_axes(axes):
    holds(X.transpose(axes), "transpose", X, axes=axes)


@pytest.mark.parametrize(
    ("starts", "stops", "steps"),
    [
        ((0, 0, 0), (2, 3, 4), (1, 1, 1)),
        ((1, 0, 1), (2, 3, 4), (1, 2, 2)),
        ((0, 1, 3), (2, 1, 4), (2, 1, 1)),
        ((0, 0, 0), (1, 2, 3), (1, 3, 3)),
    ],
)
def test_slices(starts, stops, steps):
    window = tuple(slice(*s) for s in zip(starts, stops, steps, strict=True))
    holds(X[window], "slice", X, starts=starts, stops=stops, steps=steps)


@pytest.mark.parametrize(
    ("low", "high", "interior"),
    [((0, 0, 0), (0, 0, 0), (0, 0, 0)), ((1, 0, 2), (0, 3, 1), (2, 0, 1)), ((0, 2, 0),) * 3],
)
def test_surrounded(low, high, interior):
    sizes = [a + n + (n - 1) * i + z for n, a, z, i in zip(SHAPE, low, high, interior, strict=True)]
    filler = np.array(7.5)
    wanted = np.full(sizes, filler)
    inside = tuple(
        slice(a, a + (n - 1) * (i + 1) + 1, i + 1)
        for n, a, i in zip(SHAPE, low, interior, strict=True)
    )
    wanted[inside] = X
    holds(wanted, "pad", X, filler, low=low, high=high, interior=interior)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("shape", [(3,), (2, 1), (2, 3), (4, 2, 3), (1, 2, 3), (2, 1, 2, 3)])
def test_repeated(shape, size):
    x = np.arange(1.0, size + 1)
    wide = np.broadcast_shapes(shape, (size,))
    holds(np.broadcast_to(x, wide), "broadcast", x, shape=wide)


@pytest.mark.parametrize("shape", [(24,), (4, 3, 2), (2, 12), (6, 1, 4), (2, 3, 2, 2)])
def test_in_another_shape(shape):
    holds(X.reshape(shape), "reshape", X, shape=shape)


@pytest.mark.parametrize(
    ("sum_", "over", "batch"),
    [
        ("abc,abc->", (0, 0, 1, 1, 2, 2), ()),
        ("abc,abc->", (2, 2, 0, 0, 1, 1), ()),
        ("abc,dbc->ad", (1, 1, 2, 2), ()),
        ("abc,dbc->ad", (2, 2, 1, 1), ()),
        ("abc,abd->bcd", (0, 0), (1, 1)),
        ("abc,abd->bacd", (), (1, 1, 0, 0)),
        ("abc,abd->abcd", (), (0, 0, 1, 1)),
        ("abc,dae->bcde", (0, 1), ()),
        ("abc,acd->abd", (2, 1), (0, 0)),
        ("abc,cda->cbd", (0, 2), (2, 0)),
    ],
)
def test_sums_of_products_are_einsums(sum_, over, batch):
    first, second = sum_.split("->")[0].split(",")
    sizes = dict(zip("abcde", (2, 3, 4, 2, 3), strict=True))
    stream = np.random.default_rng(1)
    a, c = (stream.normal(size=[sizes[k] for k in letters]) for letters in (first, second))
    holds(np.einsum(sum_, a, c), "contract", a, c, over=over, batch=batch)


@pytest.mark.parametrize(
    ("axes", "order"),
    [
        ((2,), "sixteen"), ((1, 2), "sixteen"), ((0, 1, 2), "sixteen"),
        ((0,), "front_to_back"), ((1,), "front_to_back"), ((0, 2), "front_to_back"),
    ],
)  # fmt: skip
def test_sums_over_contiguous_axes_have_sixteen_partial_sums(axes, order):
    terms = bind("sum", {"axes": axes}).terms(
        (TensorType.parse("f64[2,3,4]"),), (0,) * (3 - len(axes))
    )
    assert terms.order == order
