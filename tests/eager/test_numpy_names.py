"""NumPy's functions beside NumPy's own, and their gradients beside torch's."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule.base.errors import DataError, DTypeError, ShapeError
from chainrule.eager.methods import Methods
from chainrule.ops import OPS, Elementwise
from chainrule.testing import check_gradients

X = np.random.default_rng(3).normal(size=(2, 3, 4))
WHOLE = np.random.default_rng(3).integers(0, 5, (2, 3, 4))
AXES = (0, 1, 2, -1)

# name: (ours, NumPy's), each of an array and an axis
ALONG = {
    "sort": (cr.sort, np.sort),
    "argsort": (cr.argsort, lambda x, axis: np.argsort(x, axis, stable=True)),
    "cumsum": (cr.cumsum, np.cumsum),
    "flip": (cr.flip, np.flip),
    "roll": (lambda x, axis: cr.roll(x, 2, axis), lambda x, axis: np.roll(x, 2, axis)),
    "roll back": (lambda x, axis: cr.roll(x, -9, axis), lambda x, axis: np.roll(x, -9, axis)),
    "repeat": (lambda x, axis: cr.repeat(x, 3, axis), lambda x, axis: np.repeat(x, 3, axis)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint32", "bool"])
@pytest.mark.parametrize("name", ALONG)
def test_functions_along_an_axis_are_numpys(name, dtype):
    ours, numpys = ALONG[name]
    x = WHOLE.astype(dtype)
    for axis in (*AXES, None):
        got, wanted = ours(cr.tensor(x), axis=axis), numpys(x, axis=axis)
        # uint64 is no dtype of ours.
        dtype_wanted = np.dtype("int64") if wanted.dtype == np.uint64 else wanted.dtype
        assert got.dtype == dtype_wanted, axis
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-6)


REDUCTIONS = {
    "prod": (cr.prod, np.prod),
    "var": (cr.var, np.var),
    "std": (cr.std, np.std),
    "var 1": (
        lambda x, **rest: cr.var(x, ddof=1, **rest),
        lambda x, **rest: np.var(x, ddof=1, **rest),
    ),
    "norm": (cr.norm, lambda x, **rest: np.sqrt(np.sum(np.square(x), **rest))),
    "norm 1": (
        lambda x, **rest: cr.norm(x, 1, **rest),
        lambda x, **rest: np.sum(np.abs(x), **rest),
    ),
    "log_sum_exp": (cr.log_sum_exp, lambda x, **rest: np.log(np.sum(np.exp(x), **rest))),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_are_numpys_over_any_axes(name):
    ours, numpys = REDUCTIONS[name]
    for axis, keepdims in itertools.product((None, 0, -1, (0, 2), (0, 1, 2)), (False, True)):
        for x in (X, X.astype("float32"), WHOLE):
            got = ours(cr.tensor(x), axis=axis, keepdims=keepdims)
            wanted = numpys(x, axis=axis, keepdims=keepdims)
            assert got.dtype == wanted.dtype
            rtol = 1e-5 if x.dtype == np.float32 else 1e-13
            np.testing.assert_allclose(got.numpy(), wanted, rtol=rtol)


def test_the_largest_size_is_a_length():
    assert cr.norm(X, np.inf).item() == np.abs(X).max()
    assert np.array_equal(cr.norm(X, np.inf, axis=1).numpy(), np.abs(X).max(axis=1))


SHAPES = {
    "tile": (lambda lib, x: lib.tile(x, 2)),
    "tile more": (lambda lib, x: lib.tile(x, (2, 1, 3, 1))),
    "expand_dims": (lambda lib, x: lib.expand_dims(x, -2)),
    "squeeze": (lambda lib, x: lib.squeeze(lib.expand_dims(x, 1))),
    "squeeze one": (lambda lib, x: lib.squeeze(lib.expand_dims(x, 1), 1)),
    "swapaxes": (lambda lib, x: lib.swapaxes(x, 0, -1)),
    "moveaxis": (lambda lib, x: lib.moveaxis(x, 0, -1)),
    "moveaxis back": (lambda lib, x: lib.moveaxis(x, -1, 0)),
    "triu": (lambda lib, x: lib.triu(x)),
    "triu 1": (lambda lib, x: lib.triu(x, 1)),
    "tril": (lambda lib, x: lib.tril(x, -1)),
    "split": (lambda lib, x: lib.concatenate(lib.split(x, 3, 1)[::-1], 1)),
    "split at": (lambda lib, x: lib.concatenate(lib.split(x, [1, 3], 2)[::-1], 2)),
    "outer": (lambda lib, x: lib.outer(x[0], x[1, :, :2])),
    "clip": (lambda lib, x: lib.clip(x, 1, 3)),
    "clip below": (lambda lib, x: lib.clip(x, 1, None)),
    "pad": (lambda lib, x: lib.pad(x, 1)),
    "pad a pair": (lambda lib, x: lib.pad(x, (1, 2))),
    "pad each": (lambda lib, x: lib.pad(x, ((0, 1), (2, 0), (0, 0)))),
    "clip by arrays": (lambda lib, x: lib.clip(x, lib.squeeze(x[:1, :1, :1]), x[0])),
}


@pytest.mark.parametrize("name", SHAPES)
def test_functions_of_shape_are_numpys(name):
    for x in (X, WHOLE, WHOLE.astype("uint32")):
        got, wanted = SHAPES[name](cr, cr.tensor(x)), SHAPES[name](np, x)
        assert got.dtype == wanted.dtype
        assert np.array_equal(got.numpy(), wanted)


EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,ij->", (2, 3), (2, 3)),
    ("ij->ji", (2, 3)),
    ("ij->", (2, 3)),
    ("ba", (2, 3)),
    ("i,j->ij", (2,), (3,)),
    ("bij,bjk->bik", (4, 2, 3), (4, 3, 2)),
    ("bqhd,bkhd->bhqk", (2, 3, 2, 4), (2, 5, 2, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("ij,j,ik->k", (2, 3), (3,), (2, 4)),
    ("ij,kl->jl", (2, 3), (4, 5)),
    (",i->i", (), (3,)),
    ("i,i,i->i", (3,), (3,), (3,)),
]


@pytest.mark.parametrize(("subscripts", "shapes"), [(e[0], e[1:]) for e in EINSUMS])
def test_einsum_is_numpys_and_has_gradients(subscripts, shapes):
    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=shape) for shape in shapes]
    wanted = np.einsum(subscripts, *arrays)
    got = cr.einsum(subscripts, *arrays)
    assert got.shape == np.shape(wanted)
    np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-13, atol=1e-13)
    check_gradients(lambda *xs: cr.einsum(subscripts, *xs), arrays)


DIFFERENTIABLE = {
    "sort": lambda x: cr.sort(x, 1),
    "top_k": lambda x: cr.top_k(x, 2)[0],
    "take_along_axis": lambda x: (
        cr.take_along_axis(x, np.array([[[0, -1]]] * 2) % 4, 2)
        if x.shape[1] == 1
        else cr.take_along_axis(x[:, :1], np.array([[[0, -1, 0]]] * 2), 2)
    ),
    "cumsum": lambda x: cr.cumsum(x, 1),
    "flip": cr.flip,
    "roll": lambda x: cr.roll(x, 3),
    "prod": lambda x: cr.prod(x, (0, 2)),
    "var": lambda x: cr.var(x, 1, 1),
    "std": lambda x: cr.std(x, (0, 1)),
    "norm": lambda x: cr.norm(x, 2, 1),
    "log_sum_exp": lambda x: cr.log_sum_exp(x, (0, 2)),
    "tile": lambda x: cr.tile(x, (2, 1, 2)),
    "repeat": lambda x: cr.repeat(x, 2, 1),
    "tril": cr.tril,
    "split": lambda x: cr.split(x, 2, 2)[1],
    "clip": lambda x: cr.clip(x, -0.5, 0.5),
    "remainder": lambda x: x % 0.7,
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_first_and_second_derivatives_are_right(name):
    check_gradients(lambda x: DIFFERENTIABLE[name](x) ** 2, [X], order=2)


def test_gradients_over_axes_are_torchs(torch):
    leaf = torch.tensor(X, requires_grad=True)
    pairs = {
        "std": (lambda x: cr.std(x, 1, 1), lambda x: x.std(1)),
        "prod": (lambda x: cr.prod(x, 2), lambda x: x.prod(2)),
        "log_sum_exp": (lambda x: cr.log_sum_exp(x, (0, 2)), lambda x: x.logsumexp((0, 2))),
        "norm": (lambda x: cr.norm(x, 2, 1), lambda x: torch.linalg.vector_norm(x, 2, 1)),
        "cumsum": (lambda x: cr.cumsum(x, 1), lambda x: x.cumsum(1)),
        "sort": (lambda x: cr.sort(x, 1).cumsum(1), lambda x: x.sort(1).values.cumsum(1)),
        "top_k": (lambda x: cr.top_k(x, 2, 2)[0], lambda x: x.topk(2, 2).values),
        "einsum": (
            lambda x: cr.einsum("abc,abd->cd", x, x),
            lambda x: torch.einsum("abc,abd->cd", x, x),
        ),
    }
    for name, (ours, torchs) in pairs.items():
        (wanted,) = torch.autograd.grad(torchs(leaf).square().sum(), leaf)
        got = cr.grad(lambda x, f=ours: f(x).square().sum())(X)
        np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-12, err_msg=name)


def test_what_is_stopped_has_its_value_and_no_gradient():
    x = np.array([2.0, 3.0])
    assert cr.stop_gradient(x).numpy().tolist() == [2.0, 3.0]
    assert cr.grad(lambda x: (x * cr.stop_gradient(x)).sum())(x).numpy().tolist() == [2.0, 3.0]
    assert cr.stop_gradient(np.arange(2)).numpy().tolist() == [0, 1]


def test_a_label_has_its_one():
    assert cr.one_hot([2, 0], 3, "int64").numpy().tolist() == [[0, 0, 1], [1, 0, 0]]
    graph = cr.trace(lambda t: cr.one_hot(t, 2), np.array([0, 1]))
    assert str(graph.nodes[-1].type) == "f32[2,2]"


OPERATORS = {
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
    "~": lambda a, b: ~a + b * 0,
}


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32"])
@pytest.mark.parametrize("sign", OPERATORS)
def test_operators_on_whole_numbers_are_numpys(sign, dtype):
    f = OPERATORS[sign]
    a, b = np.array([13, 6, 0, 9], dtype), np.array([4, 3, 1, 2], dtype)
    for left, right in ((a, b), (a, 3), (13, b)):
        if sign == "~" and left is not a:
            continue
        wanted = f(left, right)
        ours = [f(cr.tensor(left) if left is a else left, cr.tensor(right))] if right is b else []
        ours += [f(cr.tensor(left), right)] if left is a else []
        for got in ours:
            assert got.dtype == wanted.dtype
            assert got.numpy().tolist() == wanted.tolist()


@pytest.mark.parametrize("sign", ["&", "|", "^"])
def test_operators_on_truth_values_are_numpys(sign):
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    got = OPERATORS[sign](cr.tensor(a), b)
    assert got.numpy().tolist() == OPERATORS[sign](a, b).tolist()
    assert OPERATORS[sign](a, cr.tensor(b)).numpy().tolist() == got.numpy().tolist()


@pytest.mark.parametrize("sign", ["//", "%"])
def test_division_of_floats_is_numpys(sign):
    a, b = np.array([7.5, -7.5, 7.5]), np.array([2.0, 2.0, -2.0])
    assert np.array_equal(OPERATORS[sign](cr.tensor(a), b).numpy(), OPERATORS[sign](a, b))


# --- elementwise ops as functions -----------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in OPS if isinstance(OPS.get(name), Elementwise)])
def test_every_elementwise_op_is_a_function(name):
    function = getattr(cr, name)
    assert function.__name__ == name
    assert function.__doc__
    assert name in dir(cr)


def test_functions_take_tensors_arrays_and_numbers():
    assert cr.exp(0).item() == cr.exp(cr.tensor(0.0)).item() == 1.0
    assert cr.exp(np.zeros(2, "float32")).dtype == np.float32
    assert cr.elu(-1.0, alpha=2.0).item() == pytest.approx(2 * np.expm1(-1))
    assert cr.grad(cr.tanh)(0.0).item() == 1.0
    assert cr.atan2.__doc__.startswith("atan2(a, b) of each element: y = ")
    assert cr.leaky_relu.__doc__.startswith("leaky_relu(x, slope=0.01) of each element")


METHODS = [name for name in vars(Methods) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_a_function(name):
    assert getattr(cr, name).__doc__
    assert name in dir(cr)


ORDERED, OTHERS = ["max", "min", "argmax", "argmin"], ["any", "all", "sum", "mean"]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *itertools.product([*ORDERED, *OTHERS], ["float64", "int32", "uint32"]),
        *itertools.product(OTHERS, ["bool"]),  # the largest of truth values is `any`
    ],
)
def test_functions_that_numpy_has_over_axes_are_numpys(name, dtype):
    for x in (WHOLE.astype(dtype), np.ones((2, 2), dtype), np.zeros((2, 2), dtype)):
        for axis, keepdims in itertools.product((None, 0, 1, -1), (False, True)):
            got = getattr(cr, name)(x, axis=axis, keepdims=keepdims)
            wanted = getattr(np, name)(x, axis=axis, keepdims=keepdims)
            assert np.array_equal(got.numpy(), wanted)
            assert got.dtype == wanted.dtype or wanted.dtype == np.uint64


REFUSED = {
    "top_k of more": (
        lambda: cr.top_k([1, 2], 3),
        ShapeError,
        "top_k of axis 0 of shape [2] takes from 0 to 2 elements; got 3",
    ),
    "pad pairs": (
        lambda: cr.pad(X, ((1, 1), (1, 1))),
        ShapeError,
        "pad takes a width before and after, none negative, for each axis of shape [2,3,4]; got ((",
    ),
    "pad below 0": (
        lambda: cr.pad([1.0], -1),
        ShapeError,
        "pad takes a width before and after, none negative, for each axis of shape [1]; got -1",
    ),
    "split": (
        lambda: cr.split(X, 2, 1),
        ShapeError,
        "split cannot cut axis 1 of shape [2,3,4] into 2 equal parts",
    ),
    "squeeze": (
        lambda: cr.squeeze(X, 1),
        ShapeError,
        "squeeze leaves out axes of size 1; axis 1 of shape [2,3,4] has 3",
    ),
    "triu": (lambda: cr.triu([1, 2]), ShapeError, "triu takes matrices; got shape [2]"),
    "norm": (lambda: cr.norm(X, 3), ShapeError, "norm takes ord 1, 2 or inf; got 3"),
    "var": (
        lambda: cr.var([1.0], ddof=1),
        ShapeError,
        "variance over axes [0] of shape [1] with correction 1: it divides by 0",
    ),
    "one_hot floats": (
        lambda: cr.one_hot([0.5], 2),
        DTypeError,
        "one_hot takes labels as integers; got f64",
    ),
    "one_hot range": (
        lambda: cr.one_hot([0, 2], 2),
        DataError,
        "one_hot takes labels from 0 to 1; got 2",
    ),
    "take_along_axis range": (
        lambda: cr.take_along_axis([1.0, 2.0], [-3], 0),
        DataError,
        "An axis of size 2 has positions from -2 to 1; got -3",
    ),
    "cumsum axis": (
        lambda: cr.cumsum(X, 3),
        ShapeError,
        "cumsum got axis 3 of a value with 3 axes",
    ),
    "einsum operands": (
        lambda: cr.einsum("ij,jk->ik", X),
        ShapeError,
        'einsum "ij,jk->ik" describes 2 operands; got 1',
    ),
    "einsum rank": (
        lambda: cr.einsum("ij->i", X),
        ShapeError,
        'einsum "ij->i": "ij" is for shape [2,3,4]',
    ),
    "einsum twice": (
        lambda: cr.einsum("ii->i", np.eye(2)),
        ShapeError,
        'einsum "ii->i": "ii" names an axis twice',
    ),
    "einsum sizes": (
        lambda: cr.einsum("ij,jk", np.ones((2, 3)), np.ones((2, 3))),
        ShapeError,
        'einsum "ij,jk": the axis "j" has size 3 and size 2',
    ),
    "einsum result": (
        lambda: cr.einsum("i->j", [1.0]),
        ShapeError,
        'einsum "i->j": no operand has the axis "j" of the result',
    ),
    "einsum dots": (
        lambda: cr.einsum("...i->i", X),
        ShapeError,
        'einsum "...i->i": axes are named by letters',
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_at_the_users_line(case):
    f, error, message = REFUSED[case]
    with pytest.raises(error) as caught:
        f()
    assert str(caught.value).startswith(message)
    assert "tests/eager/test_numpy_names.py" in str(caught.value)
