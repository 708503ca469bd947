"""grad and its relatives over every kind of argument."""

from collections import OrderedDict, namedtuple
from functools import partial

import numpy as np
import pytest

import chainrule as cr
from chainrule.base.errors import DTypeError, NotDifferentiableError, ShapeError
from chainrule.eager import assign

Layer = namedtuple("Layer", "weight bias")
X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
W, B = np.array([0.5, -1.0]), np.array(0.25)


def plain(tree):
    """The tree with lists in the place of Tensors."""
    if isinstance(tree, cr.Tensor):
        return tree.numpy().tolist()
    if isinstance(tree, dict):
        return {key: plain(branch) for key, branch in tree.items()}
    if isinstance(tree, tuple | list):
        branches = [plain(branch) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    return tree


class Holder:
    """Something with parameters, as a module is."""

    def __init__(self):
        self.w, self.b = cr.tensor(W), cr.tensor(B)

    def trainable_parameters(self):
        return {"w": self.w, "b": self.b}


def squares(w, b):
    return ((X @ w + b) ** 2).sum()


D_W = 2 * X.T @ (X @ W + B)
D_B = 2 * (X @ W + B).sum()

ARGUMENTS = {
    "tuple": ((W, B), lambda p: squares(*p), (D_W.tolist(), D_B)),
    "list": ([W, B], lambda p: squares(*p), [D_W.tolist(), D_B]),
    "named tuple": (
        Layer(W, B),
        lambda p: squares(p.weight, p.bias),
        Layer(D_W.tolist(), D_B),
    ),
    "dict": (
        {"w": W, "b": B},
        lambda p: squares(p["w"], p["b"]),
        {"w": D_W.tolist(), "b": D_B},
    ),
    "ordered dict": (
        OrderedDict(b=B, w=W),
        lambda p: squares(p["w"], p["b"]),
        {"b": D_B, "w": D_W.tolist()},
    ),
    "keys of any kind": (
        {0: W, ("b", "=1"): B},
        lambda p: squares(p[0], p["b", "=1"]),
        {0: D_W.tolist(), ("b", "=1"): D_B},
    ),
    "nested": (
        {"layers": [Layer(W, B)], "none": None, "empty": ()},
        lambda p: squares(*p["layers"][0]),
        {"layers": [Layer(D_W.tolist(), D_B)], "none": None, "empty": ()},
    ),
    "numbers": ((0.25, W), lambda p: squares(p[1], p[0]), (D_B, D_W.tolist())),
    "Tensors": ((cr.tensor(W), cr.tensor(B)), lambda p: squares(*p), (D_W.tolist(), D_B)),
    "module": (Holder(), lambda p: squares(p.w, p.b), {"w": D_W.tolist(), "b": D_B}),
    "module between arrays": (
        (W, Holder(), B),
        lambda p: squares(p[0], p[1].b) + 2 * squares(p[1].w, p[2]),
        (D_W.tolist(), {"w": (2 * D_W).tolist(), "b": D_B}, 2 * D_B),
    ),
}


@pytest.mark.parametrize(("argument", "f", "wanted"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_the_gradient_has_the_structure_of_the_argument(argument, f, wanted):
    gradient = cr.grad(f)(argument)
    assert plain(gradient) == wanted
    value, gradient = cr.value_and_grad(f)(argument)
    assert value.item() == pytest.approx(f(argument).item(), rel=1e-15)
    assert plain(gradient) == wanted


@pytest.mark.parametrize(("argument", "f", "wanted"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_vjp_takes_the_same_arguments(argument, f, wanted):
    value, pull = cr.vjp(f, argument)
    assert value.shape == ()
    assert plain(pull(1.0)) == (wanted,)


@pytest.mark.parametrize(("argument", "f", "wanted"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_jvp_in_the_gradients_direction_is_its_square(argument, f, wanted):
    gradient = cr.grad(f)(argument)
    flat = np.concatenate([np.ravel(leaf) for leaf in flat_leaves(gradient)])
    value, slope = cr.jvp(f, [argument], [gradient])
    assert value.shape == ()
    assert slope.item() == pytest.approx(flat @ flat, rel=1e-14)


@pytest.mark.parametrize(("argument", "f", "wanted"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_the_jacobian_of_a_scalar_is_its_gradient(argument, f, wanted):
    assert plain(cr.jacobian(f)(argument)) == wanted


def flat_leaves(tree):
    from chainrule.eager.trees import leaves

    return [np.asarray(leaf) for _, leaf in leaves(tree, open_modules=True)]


# --- which arguments, and what beside them --------------------------------------------------------


def test_several_arguments_give_a_tuple():
    f = lambda a, b, c: a * b * c  # noqa: E731
    assert plain(cr.grad(f, argnums=(0, 2))(2.0, 3.0, 5.0)) == (15.0, 6.0)
    assert plain(cr.grad(f, argnums=(2, 0))(2.0, 3.0, 5.0)) == (6.0, 15.0)
    assert plain(cr.grad(f, argnums=1)(2.0, 3.0, 5.0)) == 10.0
    assert plain(cr.grad(f, argnums=(1,))(2.0, 3.0, 5.0)) == (10.0,)
    assert plain(cr.grad(f, argnums=(0, 0))(2.0, 3.0, 5.0)) == (15.0, 15.0)


def test_one_array_given_twice_is_two_arguments():
    w = cr.tensor([1.0, 2.0])
    f = lambda a, b: (a * a * b).sum()  # noqa: E731
    assert plain(cr.grad(f, (0, 1))(w, w)) == ([2.0, 8.0], [1.0, 4.0])
    _, pull = cr.vjp(f, w, w)
    assert plain(pull(1.0)) == ([2.0, 8.0], [1.0, 4.0])
    _, slope = cr.jvp(f, [w, w], [np.zeros(2), np.ones(2)])
    assert slope.item() == 5.0


def test_an_argument_that_is_captured_too_is_a_constant_there():
    w = cr.tensor(3.0)
    assert cr.grad(lambda a: a * w)(w).item() == 3.0


@pytest.mark.parametrize("name", ["y", "y1", "d_y", "d_x", "write0", "captured0"])
def test_arguments_may_be_called_as_our_own_labels_are(name):
    f = eval(f"lambda {name}, x: ({name} * {name} * x).sum()")  # noqa: S307
    a, x = np.array([2.0, 3.0]), np.array([5.0, 7.0])
    assert plain(cr.grad(f, (0, 1))(a, x)) == ([20.0, 42.0], [4.0, 9.0])
    _, pull = cr.vjp(f, a, x)
    assert plain(pull(1.0)) == ([20.0, 42.0], [4.0, 9.0])
    assert cr.jvp(f, [a, x], [np.ones(2), np.ones(2)])[1].item() == 75.0
    assert plain(cr.jacobian(f)(a, x)) == [20.0, 42.0]


def test_keywords_and_other_values_are_passed_on():
    def f(w, scale, *rest, power, names=()):
        assert (rest, names) == (("text", None), ("a",))
        return (w**power).sum() * scale

    gradient = cr.grad(f)(np.array([1.0, 2.0]), 10, "text", None, power=3, names=("a",))
    assert plain(gradient) == [30.0, 120.0]


def test_arrays_in_keywords_are_inputs():
    graph = cr.trace(lambda w, *, x: (w * x).sum(), np.ones(2), x=np.ones(2))
    assert graph.input_names == ("w", "x")


def test_an_auxiliary_result_may_be_anything():
    marker = object()

    def f(w):
        return (w * w).sum(), {"double": w * 2, "text": "hi", "none": None, "it": marker, "n": 3}

    (value, aux), gradient = cr.value_and_grad(f, has_aux=True)(np.array([1.0, 2.0]))
    assert value.item() == 5.0
    assert plain(gradient) == [2.0, 4.0]
    assert aux["double"].numpy().tolist() == [2.0, 4.0]
    assert (aux["text"], aux["none"], aux["it"], aux["n"].item()) == ("hi", None, marker, 3)
    gradient, aux = cr.grad(f, has_aux=True)(np.array([1.0, 2.0]))
    assert plain(gradient) == [2.0, 4.0]
    assert aux["it"] is marker


def test_a_result_of_several_arrays_comes_back_in_its_structure():
    def f(x):
        return {"a": x * 2, "b": (x.sum(), [3, x])}

    result, pull = cr.vjp(f, np.array([1.0, 2.0]))
    assert plain(result) == {"a": [2.0, 4.0], "b": (3.0, [3, [1.0, 2.0]])}
    cotangent = {"b": (10.0, {1: np.array([1.0, 0.0])}), "a": np.array([0.0, 1.0])}
    assert plain(pull(cotangent)) == ([11.0, 12.0],)
    result, moved = cr.jvp(f, [np.array([1.0, 2.0])], [np.array([1.0, 10.0])])
    assert plain(moved) == {"a": [2.0, 20.0], "b": (11.0, [0, [1.0, 10.0]])}


def test_results_are_matched_by_name_and_not_by_order():
    f = lambda p: p["a"] * 10 + p["b"]  # noqa: E731
    _, slope = cr.jvp(f, [{"a": 1.0, "b": 2.0}], [{"b": 1.0, "a": 0.0}])
    assert slope.item() == 1.0


def test_a_loss_that_does_not_depend_on_an_argument_gives_zeros():
    zeros = {"w": [0.0, 0.0], "b": 0.0}
    for f in (lambda p: (X * X).sum(), lambda p: cr.tensor(2.0), lambda p: 2.0, lambda p: B):
        value, gradient = cr.value_and_grad(f)({"w": W, "b": B})
        assert value.shape == ()
        assert plain(gradient) == zeros
    assert plain(cr.jacobian(lambda w: X)(W)) == np.zeros((3, 2, 2)).tolist()
    assert cr.jvp(lambda w: cr.tensor(X), [W], [W])[1].numpy().tolist() == np.zeros((3, 2)).tolist()


def test_the_loss_keeps_its_dtype_and_so_does_each_gradient():
    value, (d_a, d_b) = cr.value_and_grad(lambda a, b: (a * b).sum(), (0, 1))(
        np.ones(2, "float32"), np.ones(2, "float64")
    )
    assert (value.dtype, d_a.dtype, d_b.dtype) == (np.float64, np.float32, np.float64)


def test_state_is_assigned_once_and_derivatives_leave_it_alone():
    count = cr.tensor(0.0)

    def f(x):
        assign(count, count + 1)
        return x * x + count

    value, gradient = cr.value_and_grad(f)(3.0)
    assert (value.item(), gradient.item(), count.item()) == (10.0, 6.0, 1.0)
    cr.grad(cr.grad(f))(3.0)
    assert count.item() == 2.0
    cr.hessian(f)(3.0)
    assert count.item() == 2.0
    _, pull = cr.vjp(f, 3.0)
    pull(1.0)
    assert count.item() == 3.0


def test_wrapped_functions_keep_their_names():
    def loss(w):
        """Document me."""
        return w * w

    for transform in (cr.grad, cr.value_and_grad, cr.jacobian, cr.hessian):
        assert transform(loss).__name__ == "loss"
        assert transform(loss).__doc__ == "Document me."


class Quadratic:
    def __call__(self, w):
        return (w * w).sum()

    def method(self, w):
        return (w * w).sum()


def test_any_callable_has_a_gradient():
    w = np.array([1.0, 2.0])
    for f in (Quadratic(), Quadratic().method, partial(lambda s, w: (w * w).sum() * s, 1)):
        assert plain(cr.grad(f)(w)) == [2.0, 4.0]
    assert plain(cr.grad(cr.Tensor.sum)(w)) == [1.0, 1.0]


# --- what is refused ------------------------------------------------------------------------------

REFUSED = {
    "vector loss": (
        lambda: cr.grad(lambda w: w * 2)(W),
        NotDifferentiableError,
        "The gradient of a float scalar is asked for; the function gave f64[2]",
        "Reduce it with .sum() or .mean(), or use cr.jacobian",
    ),
    "integer loss": (
        lambda: cr.grad(lambda w: w.argmax())(W),
        NotDifferentiableError,
        "The gradient of a float scalar is asked for; the function gave i64[]",
        "Reduce it with .sum() or .mean(), or use cr.jacobian",
    ),
    "no loss": (
        lambda: cr.grad(lambda w: None)(W),
        NotDifferentiableError,
        "The gradient of a float scalar is asked for; the function gave None",
        "Let the function return its loss",
    ),
    "loss and more": (
        lambda: cr.grad(lambda w: (w.sum(), w))(W),
        NotDifferentiableError,
        "The gradient of a float scalar is asked for; the function gave a tuple of 2",
        "For a value and something beside it pass has_aux=True",
    ),
    "no aux": (
        lambda: cr.grad(lambda w: w.sum(), has_aux=True)(W),
        NotDifferentiableError,
        "With has_aux=True the function gives (value, aux); it gave a Tensor",
        None,
    ),
    "generator": (
        lambda: cr.grad(lambda w: (w[i] for i in range(2)))(W),
        NotDifferentiableError,
        "The gradient of a float scalar is asked for; the function gave a generator",
        "Reduce it with .sum() or .mean(), or use cr.jacobian",
    ),
    "integers": (
        lambda: cr.grad(lambda w, i: w[i].sum(), (0, 1))(W, np.array([0])),
        NotDifferentiableError,
        "Gradients are taken of floats; i is int64",
        None,
    ),
    "Python integer": (
        lambda: cr.grad(lambda p: p["k"] * 2.0)({"k": 3}),
        NotDifferentiableError,
        "Gradients are taken of floats; p.k is int64",
        "Write 3.0, or convert it to float64",
    ),
    "integers in vjp": (
        lambda: cr.vjp(lambda w, i: w[i], W, np.array([0])),
        NotDifferentiableError,
        "Gradients are taken of floats; i is int64",
        None,
    ),
    "text": (
        lambda: cr.grad(lambda p: p[0] * 2)((1.0, "abc")),
        DTypeError,
        "Gradients are taken of numbers and arrays; p.1 is str",
        None,
    ),
    "bool": (
        lambda: cr.grad(lambda p: p * 2)(True),
        DTypeError,
        "Gradients are taken of numbers and arrays; p is bool",
        None,
    ),
    "no such argument": (
        lambda: cr.grad(lambda w: w.sum(), argnums=1)(W),
        DTypeError,
        "argnums=1 names a positional argument, counted from 0; 1 were given",
        None,
    ),
    "argument by keyword": (
        lambda: cr.grad(lambda w: w.sum())(w=W),
        DTypeError,
        "argnums=0 names a positional argument, counted from 0; 0 were given",
        None,
    ),
    "integer result of jacobian": (
        lambda: cr.jacobian(lambda w: w.argmax())(W),
        NotDifferentiableError,
        "jacobian takes a function to float arrays; one of its results is not",
        None,
    ),
    "cotangent's shape": (
        lambda: cr.vjp(lambda w: w * 2, W)[1](np.ones(3)),
        ShapeError,
        "A cotangent has the shape of its value, [2]; got [3]",
        None,
    ),
    "cotangent's structure": (
        lambda: cr.vjp(lambda w: {"a": w}, W)[1]({"b": W}),
        ShapeError,
        "A cotangent has the structure of its value, a; got b",
        None,
    ),
    "tangent's shape": (
        lambda: cr.jvp(lambda w: w * 2, [W], [1.0]),
        ShapeError,
        "A tangent has the shape of its value at 0, [2]; got []",
        None,
    ),
    "too few tangents": (
        lambda: cr.jvp(lambda a, b: a * b, [W, B], [W]),
        ShapeError,
        "A tangent has the structure of its value, 0, 1; got 0",
        None,
    ),
}


def test_derivatives_use_the_state_as_it_was_before_the_function_changed_it():
    state = cr.tensor(3.0)

    def f(x):
        y = x * state
        assign(state, state + 1.0)
        return y

    y, pull = cr.vjp(f, 2.0)
    assert (y.item(), pull(1.0)[0].item(), state.item()) == (6.0, 3.0, 4.0)
    y, moved = cr.jvp(f, [2.0], [1.0])
    assert (y.item(), moved.item(), state.item()) == (8.0, 4.0, 5.0)
    square = lambda x: f(x) * x  # noqa: E731
    assert (cr.hvp(square)(2.0, 1.0).item(), state.item()) == (10.0, 6.0)
    assert (cr.gnvp(f, lambda y: y * y)(2.0, 1.0).item(), state.item()) == (72.0, 7.0)


@pytest.mark.parametrize(("call", "kind", "message", "advice"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_derivative_is_refused_with_the_users_line(call, kind, message, advice):
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.message == message
    assert caught.value.advice == advice
    assert caught.value.where.startswith(f"Line {call.__code__.co_firstlineno} of ")
