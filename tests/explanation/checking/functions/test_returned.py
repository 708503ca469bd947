"""Gradients are understood however they come; what is none is told beside what was expected."""

import types

import numpy as np
import pytest

import chainrule as cr
from tests.explanation.checking.functions.learners_common import gradients, said


class Tensorlike:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


def jagged(W1, b1, W2, b2):
    found = np.empty(4, object)
    found[:] = [W1, b1, W2, b2]
    return found


UNDERSTOOD = {
    "backwards": lambda W1, b1, W2, b2: (W2, b2, W1, b1),
    "biases first": lambda W1, b1, W2, b2: ([b1, b2], [W1, W2]),
    "lists": lambda *a: [array.tolist() for array in a],
    "pairs": lambda W1, b1, W2, b2: [(W1, b1), (W2, b2)],
    "one vector": lambda *a: np.concatenate([array.ravel() for array in a]),
    "weights and then biases in a vector, and the loss": lambda W1, b1, W2, b2: (
        0.25, np.concatenate([each.ravel() for each in (W1, W2, b1, b2)])
    ),
    "odd keys": lambda W1, b1, W2, b2: {
        ("layer", 1): {"kernel": W1, "offset": b1}, ("layer", 2): {"kernel": W2, "offset": b2}
    },
    "an object": lambda W1, b1, W2, b2: types.SimpleNamespace(dW1=W1, db1=b1, dW2=W2, db2=b2),
    "jagged objects": jagged,
    "complex without imaginary part": lambda *a: [array + 0j for array in a],
    "masked nowhere": lambda *a: [np.ma.array(array) for array in a],
    "another library's": lambda *a: [Tensorlike(array) for array in a],
    "a generator": lambda *a: (array for array in a),
    "columns of biases": lambda W1, b1, W2, b2: (W1, b1[:, None], W2, b2[:, None]),
}  # fmt: skip


def returning(shape):
    def backprop(X, Y, W1, b1, W2, b2):
        return shape(*gradients(X, Y, W1, b1, W2, b2))

    return backprop


QUICK = ("one vector", "odd keys")


@pytest.mark.parametrize(
    "how",
    [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in UNDERSTOOD],
)
def test_gradients_are_understood_however_they_come(how):
    found = cr.check_function(returning(UNDERSTOOD[how]))
    assert found, found.text()


def test_how_a_vector_was_read_is_told():
    vector = UNDERSTOOD["weights and then biases in a vector, and the loss"]
    told = said(cr.check_function(returning(vector)))
    assert "Read as one vector of W1, W2, ..., b1, b2, ..., row by row." in told


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (lambda *a: a[:3], "Nothing was returned for b2: what came was arrays of the shapes"),
        pytest.param(lambda *a: a[::2], "Nothing was returned for b1", marks=pytest.mark.slow),
        pytest.param(
            lambda *a: [array + 1j for array in a],
            "The gradient of W1 has complex numbers.",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda *a: [np.ma.masked_less(array, 0) for array in a],
            "is masked in 2 places",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda *a: [array * np.inf for array in a],
            "of W1, b1, W2, b2 has NaN or infinite",
            marks=pytest.mark.slow,
        ),
        (lambda *a: None, "It returned None, and writes into none of its arguments"),
        (lambda *a: [], "It returned an empty list"),
        (lambda *a: "dW1", "It returned the text 'dW1'"),
        pytest.param(
            lambda *a: a[0],
            "It returned arrays of the shapes (2, 3) for the network 2-3-4",
            marks=pytest.mark.slow,
        ),
        (lambda *a: {1, 2}, "It returned a set"),
    ],
)
def test_what_is_no_gradient_is_told_beside_what_was_expected(shape, words):
    found = cr.check_function(returning(shape))
    assert not found
    assert found.mistakes == ()
    assert words in said(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (lambda *a: [np.zeros_like(array) for array in a], "Every gradient is 0"),
        (lambda *a: [array.astype(int) for array in a], "came as whole numbers: an array of int"),
        (lambda W1, *a: (np.zeros_like(W1), *a), "The gradient of W1 is 0: was the array"),
    ],
)
def test_zeros_and_whole_numbers_are_told_with_where_they_come_from(shape, words):
    found = cr.check_function(returning(shape))
    assert not found
    assert words in said(found)


@pytest.mark.slow
def test_one_layer_that_is_transposed_is_told():
    found = cr.check_function(returning(lambda W1, *a: (W1.T, *a)))
    assert not found
    told = {note for each in found.wrong for note in each.notes}
    assert told
    assert all("of W1 has the shape" in note and "it is transposed" in note for note in told)
