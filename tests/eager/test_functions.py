"""Reductions, products, reshaping and joining, each beside NumPy's own."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule.base.errors import DataError, DTypeError, ShapeError
from chainrule.eager import maximum, minimum, stack

DTYPES = ("float32", "float64", "int32", "int64", "uint32", "bool")
X = np.arange(24).reshape(2, 3, 4) % 7
AXES = (None, 0, 1, 2, -1, -3, (0,), (0, 2), (-1, 0), (0, 1, 2), ())


def agree(ours, numpys, case=""):
    assert ours.shape == np.shape(numpys), case
    np.testing.assert_allclose(ours.numpy(), numpys, rtol=1e-6, err_msg=str(case))


# --- reductions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["sum", "mean"])
def test_sums_and_means_go_over_any_axes(op):
    for dtype, axis, keepdims in itertools.product(DTYPES, AXES, (False, True)):
        x = X.astype(dtype)
        ours = getattr(cr.tensor(x), op)(axis=axis, keepdims=keepdims)
        numpys = getattr(x, op)(axis=axis, keepdims=keepdims)
        agree(ours, numpys, (dtype, axis, keepdims))
        # uint64 is no dtype of ours: sums of uint32 are int64.
        wanted = np.dtype("int64") if numpys.dtype == np.uint64 else numpys.dtype
        assert ours.dtype == wanted, (dtype, axis)


@pytest.mark.parametrize("op", ["max", "min", "argmax"])
def test_largest_and_smallest_go_along_one_axis_or_over_all(op):
    for dtype, axis, keepdims in itertools.product(DTYPES[:-1], (None, 0, 1, -1), (False, True)):
        x = X.astype(dtype) - (0 if dtype == "uint32" else 3)
        ours = getattr(cr.tensor(x), op)(axis=axis, keepdims=keepdims)
        numpys = getattr(x, op)(axis=axis, keepdims=keepdims)
        agree(ours, numpys, (dtype, axis, keepdims))
        assert ours.dtype == numpys.dtype, (dtype, axis)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32"])
def test_the_smallest_integer_there_is_is_found(dtype):
    limits = np.iinfo(dtype)
    x = np.array([limits.max, limits.min, 5], dtype)
    assert cr.tensor(x).min().item() == limits.min
    assert cr.tensor(x).max().item() == limits.max


def test_ties_give_the_gradient_to_the_first():
    x = np.array([1.0, 3.0, 3.0, 1.0])
    assert cr.grad(lambda t: t.max())(x).numpy().tolist() == [0.0, 1.0, 0.0, 0.0]
    assert cr.grad(lambda t: t.min())(x).numpy().tolist() == [1.0, 0.0, 0.0, 0.0]


def test_a_small_sum_of_int32_does_not_overflow():
    assert cr.tensor([2**31 - 1, 1], "int32").sum().item() == 2**31


REFUSED = {
    "axis out of range": (lambda t: t.sum(axis=3), "sum got axis 3 of a value with 3 axes"),
    "axis far below": (lambda t: t.max(axis=-4), "amax got axis -4 of a value with 3 axes"),
    "axis twice": (
        lambda t: t.sum(axis=(0, -3)),
        "sum got axes [0, 0] of a value of shape [2,3,4]",
    ),
    "several axes": (
        lambda t: t.max(axis=(0, 1)),
        "amax goes along one axis, or over all with None; got (0, 1)",
    ),
    "mean of nothing": (
        lambda t: t[:0].mean(),
        "mean over axes [0, 1, 2] of shape [0,3,4]: no elements",
    ),
    "softmax axis": (lambda t: t.softmax(3), "softmax got axis 3 of a value with 3 axes"),
    "reshape size": (
        lambda t: t.reshape(5, 5),
        "reshape to [5,5] takes 25 elements; shape [2,3,4] has 24",
    ),
    "reshape cannot divide": (
        lambda t: t.reshape(-1, 5),
        "reshape cannot divide 24 elements of shape [2,3,4] into [-1, 5]",
    ),
    "two unknown sizes": (
        lambda t: t.reshape(-1, -1),
        "reshape takes sizes, at most one of them -1; got [-1, -1]",
    ),
    "negative size": (
        lambda t: t.reshape(-2, 12),
        "reshape takes sizes, at most one of them -1; got [-2, 12]",
    ),
    "transpose axis": (
        lambda t: t.transpose(0, 1, 3),
        "transpose got axis 3 of a value with 3 axes",
    ),
    "transpose too few": (
        lambda t: t.transpose(0, 1),
        "transpose got axes [0, 1] of a value of shape [2,3,4]: each axis must be named once",
    ),
    "broadcast_to": (
        lambda t: cr.broadcast_to(t, (3, 4)),
        "broadcast cannot stretch shape [2,3,4] to [3,4]",
    ),
    "concatenate nothing": (
        lambda t: cr.concatenate([]),
        "concatenate takes at least one tensor",
    ),
    "concatenate scalars": (
        lambda t: cr.concatenate([1.0, 2.0]),
        "concatenate got axis 0 of a value with 0 axes",
    ),
    "concatenate shapes": (
        lambda t: cr.concatenate([t, t[0]]),
        "concat got shapes [2,3,4] and [3,4]: they may differ on axis 0 only",
    ),
    "stack shapes": (
        lambda t: stack([t[0], t[1, :2]]),
        "stack takes tensors of one shape; got [3,4] and [2,4]",
    ),
    "@ of a scalar": (lambda t: t @ 2.0, "@ takes vectors or matrices; got a scalar"),
    "@ of inner sizes": (
        lambda t: t[0] @ np.ones(3),
        "@ got shapes [3,4] and [3]: the last axis of the first is 4 and axis 0 of the second is 3",
    ),
    "@ of stacks": (
        lambda t: t @ np.ones((3, 4, 2)),
        "@ got shapes [2] and [3], which do not broadcast: axis 0 from the back is 2 and 3",
    ),
}


@pytest.mark.parametrize(("f", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_at_the_users_line(f, message):
    line = f"Line {f.__code__.co_firstlineno} of "
    for call in (lambda: f(cr.tensor(X * 1.0)), lambda: cr.trace(f, X * 1.0)):
        with pytest.raises(ShapeError) as caught:
            call()
        assert caught.value.message == message
        assert caught.value.where.startswith(line)


def test_integers_are_not_differentiated_but_reduced():
    with pytest.raises(DTypeError, match="amax takes numbers; got bool"):
        cr.tensor([True]).max()


# --- products -------------------------------------------------------------------------------------

PRODUCTS = [
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((2, 3), (5, 3, 4)),
    ((3,), (5, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((6, 1, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (6, 1, 3, 4)),
    ((2, 0), (0, 3)),
]


@pytest.mark.parametrize(("left", "right"), PRODUCTS, ids=str)
def test_matrix_products_are_numpys(left, right):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=left), rng.normal(size=right)
    for ours in (cr.tensor(a) @ b, a @ cr.tensor(b), cr.matmul(a, b)):
        agree(ours, a @ b)


@pytest.mark.parametrize(("left", "right"), PRODUCTS, ids=str)
def test_the_gradient_of_a_matrix_product_is_a_finite_difference(left, right):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=left), rng.normal(size=right)
    u = rng.normal(size=np.shape(a @ b))
    d_a, d_b = cr.grad(lambda a, b: ((a @ b) * u).sum(), (0, 1))(a, b)
    # Bilinear: a difference of one is exact but for rounding.
    for d, x, value in (
        (d_a, a, lambda e: ((e @ b) * u).sum()),
        (d_b, b, lambda e: ((a @ e) * u).sum()),
    ):
        units = np.eye(x.size).reshape(x.size, *x.shape)
        wanted = np.array([value(unit) for unit in units]).reshape(x.shape)
        np.testing.assert_allclose(d.numpy(), wanted, rtol=1e-12, atol=1e-14)


def test_products_of_integers_are_floats_unlike_numpys():
    y = cr.tensor([[1, 2]]) @ np.array([[3], [4]])
    assert y.dtype == np.float64
    assert y.numpy().tolist() == [[11.0]]


def test_products_promote():
    assert (cr.tensor([1.0], "float32") @ np.array([1.0])).dtype == np.float64
    assert (cr.tensor([1.0], "float32") @ np.array([1.0], "float32")).dtype == np.float32


# --- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [(24,), (-1,), (4, 6), (6, -1), (2, 3, 4), (1, 24, 1), ([3, 8],), ((-1, 2),)], ids=str
)
def test_reshape_is_numpys(shape):
    agree(cr.tensor(X).reshape(*shape), X.reshape(*shape))


def test_reshape_of_nothing_is_numpys():
    assert cr.tensor(np.zeros((0, 3))).reshape(3, 0, 5).shape == (3, 0, 5)
    assert cr.tensor(np.zeros((0, 3))).reshape(-1).shape == (0,)
    assert cr.tensor(5.0).reshape(1, 1).shape == (1, 1)


def test_sizes_may_be_numpy_integers():
    assert cr.tensor(X).reshape(np.int64(6), np.int32(4)).shape == (6, 4)
    assert cr.tensor(X).sum(axis=np.int64(1)).shape == (2, 4)


@pytest.mark.parametrize("axes", [(), (2, 0, 1), (0, 1, 2), (-1, 0, 1), ((1, 2, 0),)], ids=str)
def test_transpose_is_numpys(axes):
    agree(cr.tensor(X).transpose(*axes), X.transpose(*axes))
    agree(cr.tensor(X).T, X.T)


def test_broadcast_to_is_numpys():
    x = np.arange(3.0)
    agree(cr.broadcast_to(x, (2, 3)), np.broadcast_to(x, (2, 3)))
    agree(cr.broadcast_to(1.0, [2, 2]), np.ones((2, 2)))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_joining_is_numpys(axis):
    parts = [X, X + 1, X * 2]
    agree(cr.concatenate([cr.tensor(part) for part in parts], axis), np.concatenate(parts, axis))
    agree(stack([cr.tensor(part) for part in parts], axis), np.stack(parts, axis))


def test_joining_promotes():
    parts = [np.zeros(2, "float32"), np.ones(1, "int64"), cr.tensor([1.5])]
    joined = cr.concatenate(parts)
    assert joined.dtype == np.float64
    assert joined.numpy().tolist() == [0, 0, 1, 1.5]
    assert stack([1, cr.tensor(2.5, "float32")]).dtype == np.float32


def test_the_larger_and_smaller_of_two_are_numpys():
    a, b = np.array([1.0, np.nan, 3.0]), np.array([[2.0], [0.0]])
    agree(maximum(a, cr.tensor(b)), np.maximum(a, b))
    agree(minimum(cr.tensor(a), b), np.minimum(a, b))
    assert maximum(cr.tensor([-1.0, 2.0], "float32"), 0).numpy().tolist() == [0.0, 2.0]


def test_softmax_rows_sum_to_one():
    t = cr.tensor([[1.0, 1000.0, -1000.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(t.softmax().sum(axis=1).numpy(), 1.0, rtol=1e-15)
    np.testing.assert_allclose(t.softmax(axis=0).sum(axis=0).numpy(), 1.0, rtol=1e-15)
    np.testing.assert_allclose(t[1].log_softmax().exp().numpy(), 1 / 3, rtol=1e-15)


# --- positions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("indices", [[0, 2, 2], [[1, -1], [0, -3]], 2, -1, []], ids=str)
def test_take_is_numpys(indices):
    as_array = np.array(indices, "int64")
    agree(cr.take(X, as_array, axis=1), np.take(X, as_array, axis=1))


def test_take_at_positions_in_a_tensor_counts_from_zero():
    agree(cr.take(X, cr.tensor([2, 0]), axis=-1), X[..., [2, 0]])
    with pytest.raises(DataError, match="gather takes indices from 0 to 3; got -1"):
        cr.take(X, cr.tensor([-1]), axis=2)


@pytest.mark.parametrize("position", [3, -4])
def test_positions_out_of_range_are_refused_at_once(position):
    message = rf"An axis of size 3 has positions from -3 to 2; got {position}\. Line "
    with pytest.raises(DataError, match=message):
        cr.trace(lambda x: cr.take(x, [0, position], axis=1), X)


def test_positions_are_integers():
    with pytest.raises(DTypeError, match="gather takes integer indices; got f64"):
        cr.take(X, [0.0, 1.0])
