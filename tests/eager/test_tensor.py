"""A Tensor outside of a trace: made of numbers, it has its value at once."""

import copy
import operator
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.base.errors import DTypeError, ShapeError


def test_a_value_exists_at_once():
    t = cr.tensor([1.0, 2.0])
    assert ((t * 3).exp() - 1).numpy().tolist() == (np.exp(np.array([3.0, 6.0])) - 1).tolist()


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (2.0, "float64"),
        (2, "int64"),
        (True, "bool"),
        ([[1, 2], [3, 4.5]], "float64"),
        ((1, 2), "int64"),
        (np.float32(1), "float32"),
        (np.arange(3, dtype="int32"), "int32"),
        (np.arange(3, dtype="uint32"), "uint32"),
        ([], "float64"),
    ],
)
def test_numbers_get_numpys_dtype(value, dtype):
    t = cr.tensor(value)
    assert t.dtype == np.dtype(dtype)
    assert t.shape == np.shape(value)
    assert np.array_equal(t.numpy(), np.asarray(value))
    assert (t.ndim, t.size) == (np.ndim(value), np.size(value))


@pytest.mark.parametrize("dtype", [np.float32, "float32", "f32", np.dtype("float32")], ids=repr)
def test_a_dtype_has_several_spellings(dtype):
    assert cr.tensor([1, 2], dtype).dtype == np.float32
    assert cr.tensor([1.0, 2.0]).astype(dtype).dtype == np.float32


@pytest.mark.parametrize("source", ["int8", "uint8", "int16", "float16", "uint64"])
def test_other_real_dtypes_are_taken_when_a_dtype_is_given(source):
    assert cr.tensor(np.array([1, 2], source), "float32").numpy().tolist() == [1.0, 2.0]


SUPPORTED = "expected one of the dtypes float32, float64, int32, int64, uint32, bool; got"
REFUSED = {
    "int8": (np.int8([1]), DTypeError, f"{SUPPORTED} dtype('int8')"),
    "float16": (np.float16([1]), DTypeError, f"{SUPPORTED} dtype('float16')"),
    "uint64": (np.uint64([1]), DTypeError, f"{SUPPORTED} dtype('uint64')"),
    "complex": ([1j], DTypeError, "A Tensor is made of real numbers; got dtype complex128"),
    "text": ("abc", DTypeError, "A Tensor is made of real numbers; got dtype <U3"),
    "texts": (["1", "2"], DTypeError, "A Tensor is made of real numbers; got dtype <U1"),
    "None": (None, DTypeError, "A Tensor is made of real numbers; got NoneType"),
    "objects": ([object()], DTypeError, "A Tensor is made of real numbers; got list"),
    "huge": (2**70, DTypeError, "A Tensor is made of real numbers; got int"),
    "date": (np.datetime64("2026-01-01"), DTypeError, "made of real numbers; got dtype datetime64"),
    "ragged": (
        [[1, 2], [3]],
        ShapeError,
        "An array has rows of equal length; these rows are ragged",
    ),
}


@pytest.mark.parametrize(("value", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_real_number_is_refused(value, error, message):
    with pytest.raises(error) as caught:
        cr.tensor(value)
    assert message in str(caught.value)
    assert "Line " in caught.value.where


@pytest.mark.parametrize("text", ["1.5", ["1", "2"]])
def test_text_is_not_read_as_numbers(text):
    with pytest.raises(DTypeError, match="made of real numbers"):
        cr.tensor(text, "float64")


def test_a_list_of_tensors_is_refused_because_its_history_would_be_lost():
    t = cr.tensor([1.0, 2.0])
    with pytest.raises(DTypeError, match=r"Join Tensors with cr\.concatenate"):
        cr.tensor([t[0], t[1]])


def test_a_number_too_large_for_float32_is_infinite_and_silent():
    assert cr.tensor([1e300], "float32").numpy().tolist() == [np.inf]
    assert (cr.tensor([1.0], "float32") * 1e300).numpy().tolist() == [np.inf]


def test_a_tensor_does_not_change_with_the_array_it_was_made_of():
    array = np.array([1.0, 2.0])
    t = cr.tensor(array)
    y = t + array
    array[0] = 100
    assert t.numpy().tolist() == [1.0, 2.0]
    assert y.numpy().tolist() == [2.0, 4.0]


def test_its_numbers_are_read_only():
    t = cr.tensor([[1.0, 2.0]])
    for array in (t.numpy(), t.reshape(2, 1).numpy(), (t.T * 1).numpy(), np.asarray(t)):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_it_has_no_item_assignment():
    with pytest.raises(TypeError, match="does not support item assignment"):
        cr.tensor([1.0])[0] = 2.0


def test_in_place_operators_give_a_new_tensor():
    t = u = cr.tensor(1.0)
    u += 1
    assert (t.item(), u.item()) == (1.0, 2.0)


# --- Python's protocols ---------------------------------------------------------------------------


def test_a_scalar_converts_to_python_numbers():
    assert float(cr.tensor(2.5)) == 2.5
    assert int(cr.tensor(2.5)) == 2
    assert cr.tensor(3).item() == 3
    assert isinstance(cr.tensor(True).item(), bool)
    assert bool(cr.tensor(0.0)) is False
    assert f"{cr.tensor(2.0):.3f}" == "2.000"


def test_only_an_integer_of_shape_empty_is_a_position():
    assert [10, 20, 30][cr.tensor(1)] == 20
    assert list(range(cr.tensor(2))) == [0, 1]
    for wrong in (cr.tensor(1.7), cr.tensor([1]), cr.tensor(True)):
        with pytest.raises(TypeError, match="a position is an integer of shape"):
            [10, 20, 30][wrong]


def test_the_truth_of_many_elements_is_ambiguous():
    with pytest.raises(ValueError, match="ambiguous"):
        bool(cr.tensor([1.0, 2.0]))


def test_item_takes_a_single_element():
    with pytest.raises(ValueError, match="size 1"):
        cr.tensor([1.0, 2.0]).item()


def test_length_and_iteration_go_along_the_first_axis():
    t = cr.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert len(t) == 3
    assert [row.numpy().tolist() for row in t] == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    first, *_ = t
    assert first.shape == (2,)


def test_a_scalar_has_no_length():
    for f in (len, iter, list):
        with pytest.raises(TypeError, match=r"a Tensor of shape \(\) has no length"):
            f(cr.tensor(1.0))


def test_numpy_reads_it():
    t = cr.tensor([1.0, 2.0], "float32")
    assert np.asarray(t).dtype == np.float32
    assert np.asarray(t, dtype="float64").dtype == np.float64
    assert np.allclose(t, [1, 2])
    assert np.array(t).flags.writeable


def test_numpys_functions_do_not_lose_its_history_in_silence():
    with pytest.raises(TypeError, match="does not support ufuncs"):
        np.exp(cr.tensor([1.0]))


def test_it_is_shown_with_its_numbers():
    assert repr(cr.tensor([1.0, 2.0])) == "Tensor([1., 2.], dtype=float64)"
    assert repr(cr.tensor(3)) == "Tensor(3, dtype=int64)"


def test_a_misspelt_method_is_suggested():
    with pytest.raises(AttributeError, match="Tensor has no attribute 'tanhh'") as caught:
        cr.tensor(1.0).tanhh()
    assert (caught.value.name, type(caught.value.obj)) == ("tanhh", cr.Tensor)


def test_every_elementwise_op_is_listed_as_a_method():
    assert {"tanh", "sigmoid", "relu", "sum", "backward"} <= set(dir(cr.tensor(1.0)))


def test_it_is_found_by_identity_in_dicts_and_sets():
    a, b = cr.tensor([1.0, 2.0]), cr.tensor([1.0, 2.0])
    assert {a: 1, b: 2}[a] == 1
    assert len({a, b, a}) == 2


def test_a_copy_has_its_numbers():
    t = cr.tensor([1.0, 2.0])
    assert np.array_equal(copy.copy(t).numpy(), t.numpy())
    assert np.array_equal(copy.deepcopy(t).numpy(), t.numpy())


# --- operators and what they do not know ----------------------------------------------------------


@pytest.mark.parametrize(
    "other", [None, "text", 1j, object(), {}], ids=lambda other: type(other).__name__
)
def test_an_operand_of_another_kind_is_left_to_python(other):
    t = cr.tensor([1.0])
    for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.matmul):
        for operands in ((t, other), (other, t)):
            # Text has words of its own: it wants more text, or a number of repetitions.
            with pytest.raises(
                TypeError, match=r"unsupported operand|concatenate str|a position is"
            ):
                f(*operands)
    for f in (operator.or_, operator.and_):
        with pytest.raises(TypeError, match="unsupported operand"):
            f(t > 0, other)
    assert (t == other) is False
    assert (t != other) is True


def test_another_class_may_know_how_to_combine_with_a_tensor():
    class Unit:
        def __rmul__(self, other):
            return ("times a unit", other)

    t = cr.tensor(2.0)
    assert t * Unit() == ("times a unit", t)


@pytest.mark.parametrize("other", [[3.0, 4.0], (3.0, 4.0)])
def test_lists_and_tuples_are_arrays_to_operators(other):
    t = cr.tensor([1.0, 2.0])
    assert (t * other).numpy().tolist() == [3.0, 8.0]
    assert (other + t).numpy().tolist() == [4.0, 6.0]


def test_a_complex_array_is_refused():
    with pytest.raises(DTypeError, match=r"got dtype\('complex128'\)\. Line "):
        cr.tensor([1.0]) * np.array([1j])


def test_casts_round_and_truncate_as_numpys_do():
    x = np.array([-1.7, 0.1, 2.9])
    for dtype in ("float32", "int32", "int64", "bool"):
        assert np.array_equal(cr.tensor(x).astype(dtype).numpy(), x.astype(dtype))
    with pytest.raises(DTypeError, match="expected one of the dtypes"):
        cr.tensor(x).astype("float16")
    t = cr.tensor(x)
    assert t.astype("float64") is t


def test_nan_and_infinity_flow_as_ieee_says():
    t = cr.tensor([np.nan, np.inf, -np.inf, 0.0])
    with np.errstate(all="ignore"):
        x = t.numpy()
        for ours, numpys in (
            (t * 0, x * 0),
            (t - t, x - x),
            (1 / t, 1 / x),
            (t.exp(), np.exp(x)),
            (t.log(), np.log(x)),
            (t.sum(), x.sum()),
            (t.max(), x.max()),
            (t.min(), x.min()),
            (t.relu(), np.where(x <= 0, 0, x)),
            (t == t, x == x),
            (t < 1, x < 1),
        ):
            np.testing.assert_array_equal(ours.numpy(), numpys)


def test_a_detached_tensor_has_no_history():
    t = cr.tensor(2.0)
    y = (t * t).detach() * t
    y.backward()
    assert t.grad.item() == 4.0


def test_sizes_are_python_numbers():
    t = cr.tensor(np.zeros((2, 3)))
    assert all(type(size) is int for size in t.shape)
    assert type(t.size) is int
    assert sys.getsizeof(t) < 200  # a scalar costs little more than its array
