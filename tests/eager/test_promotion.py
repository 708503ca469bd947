"""Operators on Tensors give NumPy's numbers in NumPy's dtypes."""

import itertools
import operator

import numpy as np
import pytest

import chainrule as cr
from chainrule.base.errors import DTypeError
from chainrule.eager import where
from chainrule.graph import Axis

DTYPES = ("float32", "float64", "int32", "int64", "uint32", "bool")
ARITHMETIC = (operator.add, operator.sub, operator.mul, operator.truediv)
COMPARISON = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
LEFT = ([[1, 2, 3], [4, 5, 6]],)
RIGHT = ([3, 2, 1], [[2], [5]], 3)  # each broadcasts against LEFT


def outcome(f, *operands):
    """What NumPy gives, or the class of the error it raises."""
    try:
        return f(*operands)
    except (TypeError, OverflowError) as error:
        return type(error)


def agree(ours, numpys, case):
    assert ours.dtype == numpys.dtype, case
    assert ours.shape == numpys.shape, case
    assert np.array_equal(ours.numpy(), numpys), case


def has_no_meaning_here(f, *dtypes):
    """Bools are not numbers: where NumPy adds and orders them, we ask for a cast."""
    return set(dtypes) == {"bool"} and f not in (operator.truediv, operator.eq, operator.ne)


@pytest.mark.parametrize("f", ARITHMETIC + COMPARISON, ids=lambda f: f.__name__)
def test_two_arrays_meet_as_in_numpy(f):
    for left, right, x, y in itertools.product(DTYPES, DTYPES, LEFT, RIGHT):
        a, b = np.array(x, left), np.array(y, right)
        if has_no_meaning_here(f, left, right):
            with pytest.raises(DTypeError, match="takes number operands; got bool"):
                f(cr.tensor(a), cr.tensor(b))
            continue
        case = f.__name__, left, right, y
        agree(f(cr.tensor(a), cr.tensor(b)), f(a, b), case)
        agree(f(a, cr.tensor(b)), f(a, b), (*case, "ndarray first"))
        agree(f(cr.tensor(a), b), f(a, b), (*case, "ndarray second"))


@pytest.mark.parametrize("f", ARITHMETIC + COMPARISON, ids=lambda f: f.__name__)
@pytest.mark.parametrize("number", [3, 2.5, True], ids=repr)
def test_a_python_number_takes_the_dtype_of_the_array(f, number):
    for dtype in DTYPES:
        a = np.array([[1, 2, 3]], dtype)
        if has_no_meaning_here(f, dtype, type(number).__name__):
            continue
        agree(f(cr.tensor(a), number), f(a, number), (dtype, "second"))
        agree(f(number, cr.tensor(a)), f(number, a), (dtype, "first"))


@pytest.mark.parametrize("f", ARITHMETIC + COMPARISON, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "number", [np.float32(2.5), np.float64(2.5), np.int32(3), np.uint32(3)], ids=repr
)
def test_a_numpy_number_keeps_its_own_dtype(f, number):
    for dtype in DTYPES:
        a = np.array([[1, 2, 3]], dtype)
        agree(f(cr.tensor(a), number), f(a, number), (dtype, "second"))
        agree(f(number, cr.tensor(a)), f(number, a), (dtype, "first"))


@pytest.mark.parametrize("number", [2, 2.0, np.float32(2), np.float64(2), 3, 0.5, True], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_have_numpys_dtype(dtype, number):
    a = np.array([0.5, 1.0, 3.0], dtype)
    agree(cr.tensor(a) ** number, a**number, dtype)
    agree(number ** cr.tensor(a), number**a, dtype)


def test_a_power_of_integers_is_a_float_unlike_numpys():
    y = cr.tensor([1, 2, 3]) ** 3
    assert y.dtype == np.float64
    assert y.numpy().tolist() == [1.0, 8.0, 27.0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint32"])
@pytest.mark.parametrize("op", ["exp", "log", "sqrt", "tanh", "sin", "cos", "log1p"])
def test_functions_of_floats_take_integers_as_numpy_does(op, dtype):
    a = np.array([1, 2, 3], dtype)
    y = getattr(cr.tensor(a), op)()
    assert y.dtype == getattr(np, op)(a).dtype
    np.testing.assert_array_equal(y.numpy(), getattr(np, op)(a))


@pytest.mark.parametrize("dtype", DTYPES)
def test_signs_and_magnitudes_keep_the_dtype(dtype):
    a = np.array([0, 1, 2], dtype)
    if dtype == "bool":
        for f in (operator.neg, abs):
            with pytest.raises(DTypeError, match="takes number operands; got bool"):
                f(cr.tensor(a))
        return
    agree(-cr.tensor(a), -a, dtype)
    agree(abs(cr.tensor(a)), abs(a), dtype)


@pytest.mark.parametrize(("a", "b"), [(1, 0), (1, 0.0), (1.5, True), (True, False)])
def test_where_chooses_between_python_numbers_as_numpy_does(a, b):
    condition = np.array([True, False])
    agree(where(condition, a, b), np.where(condition, a, b), (a, b))


def test_where_promotes_its_branches_and_not_its_condition():
    condition = np.array([True, False])
    x = np.array([1, 2], "float32")
    agree(where(condition, x, 0.1), np.where(condition, x, np.float32(0.1)), "weak")
    agree(where(condition, x, np.array([1, 2])), np.where(condition, x, np.array([1, 2])), "strong")


def test_a_number_that_does_not_fit_is_refused_as_numpy_does():
    for dtype, number in (("uint32", -1), ("int32", 2**40)):
        assert outcome(operator.add, np.array([1], dtype), number) is OverflowError
        with pytest.raises(OverflowError):
            cr.tensor([1], dtype) + number


def test_the_size_of_a_named_axis_is_a_python_number():
    x = cr.tensor([1.0, 2.0], "float32")
    assert (x / Axis("B", 2)).dtype == np.float32
    assert (Axis("B", 2) * x).dtype == np.float32


def test_bools_combine_as_numpys_do():
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    x, y = cr.tensor(a), cr.tensor(b)
    agree(x & y, a & b, "and")
    agree(x | y, a | b, "or")
    agree(~x, ~a, "not")
    agree(a & y, a & b, "reflected and")
    agree(a | y, a | b, "reflected or")
    agree(x & True, a & True, "Python bool")
    numbers = np.array([1, 2, 3, 4])
    agree(x & cr.tensor(numbers), a & numbers, "bits")
    with pytest.raises(DTypeError, match="logical_and takes bool operands; got f64"):
        x & cr.tensor([1.0, 2.0, 3.0, 4.0])


def test_promotion_is_the_same_while_a_function_is_traced():
    a32, i64 = np.zeros(2, "float32"), np.zeros(2, "int64")
    graph = cr.trace(
        lambda a, i: (a * 3, a * np.float64(3), a + i, a / True, i + 1, i / 2), a32, i64
    )
    dtypes = [graph.nodes[output.node].dtype.value for output in graph.outputs]
    assert dtypes == ["f32", "f64", "f64", "f32", "i64", "f64"]
