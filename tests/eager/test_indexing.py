"""Square brackets read what NumPy's do, and refuse the rest by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import chainrule as cr
from chainrule.base.errors import DataError, ShapeError

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=5)


def numbered(shape):
    return np.arange(np.prod(shape, dtype=int), dtype="float64").reshape(shape)


def has_positive_steps(index):
    parts = index if isinstance(index, tuple) else (index,)
    return all(part.step is None or part.step > 0 for part in parts if isinstance(part, slice))


BASIC = SHAPES.flatmap(
    lambda shape: st.tuples(
        st.just(shape),
        arrays.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True).filter(
            has_positive_steps
        ),
    )
)


@given(BASIC)
def test_basic_indices_are_numpys(case):
    shape, index = case
    x = numbered(shape)
    y = cr.tensor(x)[index]
    assert y.shape == np.shape(x[index])
    assert np.array_equal(y.numpy(), x[index])


@given(BASIC)
def test_the_gradient_goes_back_to_where_the_elements_came_from(case):
    shape, index = case
    x = numbered(shape)
    weights = 1.0 + numbered(np.shape(x[index]))
    wanted = np.zeros(shape)
    wanted[index] = weights
    assert np.array_equal(cr.grad(lambda t: (t[index] * weights).sum())(x).numpy(), wanted)


@st.composite
def one_array_among_basic(draw):
    """An index with one array of integers in it, where NumPy leaves its axes in place."""
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5))
    at = draw(st.integers(0, len(shape) - 1))
    places = arrays.array_shapes(min_dims=0, max_dims=2, max_side=3)
    bounds = st.integers(-shape[at], shape[at] - 1)
    array = draw(arrays.arrays("int64", places, elements=bounds))
    parts = []
    for size in (*shape[:at], None, *shape[at + 1 :]):
        start = draw(st.integers(0, size or 0))
        parts.append(array if size is None else slice(start, None, draw(st.integers(1, 2))))
    if draw(st.booleans()):
        parts.insert(draw(st.sampled_from([0, len(parts)])), None)
    return shape, tuple(parts)


@given(one_array_among_basic())
def test_one_array_of_positions_is_numpys(case):
    shape, index = case
    x = numbered(shape)
    assert np.array_equal(cr.tensor(x)[index].numpy(), x[index])


@given(one_array_among_basic())
def test_the_gradient_adds_up_where_a_position_is_read_twice(case):
    shape, index = case
    x = numbered(shape)
    wanted = np.zeros(shape)
    np.add.at(wanted, index, 1.0)
    assert np.array_equal(cr.grad(lambda t: t[index].sum())(x).numpy(), wanted)


X = numbered((4, 3, 2))


@pytest.mark.parametrize(
    "index",
    [
        [0, 2],
        [[0, -1], [1, 1]],
        [],
        np.array([1, 0], "int32"),
        np.array([1, 0], "uint8"),
        np.array(2),
        (0, [1, 2]),
        ([1, 2], 0),
        (slice(None), 1, [0, 1]),
        (..., [1, 0]),
        (None, [1, 0]),
        np.int64(-1),
        (),
        ...,
    ],
    ids=repr,
)
def test_other_spellings_are_numpys(index):
    assert np.array_equal(cr.tensor(X)[index].numpy(), X[index])


def test_a_tensor_is_an_index():
    i = cr.tensor([3, 0])
    assert np.array_equal(cr.tensor(X)[i].numpy(), X[[3, 0]])
    assert np.array_equal(cr.tensor(X)[:, cr.tensor(1)].numpy(), X[:, 1])
    assert np.array_equal(cr.tensor(X)[: cr.tensor(2)].numpy(), X[:2])


ADVICE = "Use integers, slices with positive steps, None, ..., and one integer array."
REFUSED = {
    "negative step": (np.s_[::-1], "a slice with a negative step", ADVICE),
    "two arrays": (np.s_[[0, 1], [0, 1]], "more than one array", ADVICE),
    "mask": (
        np.s_[np.array([True, False, True, False])],
        "a mask of bools",
        "Choose elements with cr.where, which keeps the shape.",
    ),
    "mask in a list": (
        np.s_[[True, False, True, False]],
        "a mask of bools",
        "Choose elements with cr.where, which keeps the shape.",
    ),
    "floats": (np.s_[np.array([0.0])], "an array of float64", ADVICE),
    "bool": (np.s_[True], "an index of type bool", ADVICE),
    "float": (np.s_[1.0], "an index of type float", ADVICE),
    "text": ("weight", "an index of type str", ADVICE),
    "out of range": (np.s_[4], "position 4 on axis 0", ADVICE),
    "far below": (np.s_[:, -4], "position -4 on axis 1", ADVICE),
    "too many": (np.s_[0, 0, 0, 0], "4 indices", ADVICE),
    "two ellipses": (np.s_[..., 0, ...], "an index of type ellipsis", ADVICE),
    # NumPy moves the array's axis to the front here, which nobody expects.
    "apart": (np.s_[0, :, [0, 1]], "an array and an integer with something between them", ADVICE),
}


@pytest.mark.parametrize(("index", "what", "advice"), REFUSED.values(), ids=REFUSED)
def test_what_it_does_not_read_is_refused(index, what, advice):
    with pytest.raises(ShapeError) as caught:
        cr.tensor(X)[index]
    message = f"Indexing a Tensor of shape [4,3,2] does not take {what}. "
    assert str(caught.value).startswith(message + "Line ")
    assert str(caught.value).endswith(advice)


def test_a_mask_in_a_tensor_is_refused():
    with pytest.raises(ShapeError, match="does not take a mask of bools"):
        cr.grad(lambda x: x[x > 0].sum())(np.ones(3))


def test_a_position_in_an_array_is_checked_before_anything_runs():
    with pytest.raises(DataError, match="An axis of size 4 has positions from -4 to 3; got 4"):
        cr.trace(lambda x: x[[0, 4]], X)


def test_the_whole_of_a_tensor_is_itself():
    t = cr.tensor(X)
    assert t[:] is t
    assert t[...] is t
