"""Functions whose derivative is written by hand."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.base.errors import DTypeError, ShapeError, TracingError
from chainrule.eager import assign, in_scope

X = np.array([0.5, -1.0, 2.0])


@cr.custom_gradient(lambda x, y, d_y: d_y * 3 * x * x)
def cube(x):
    return x * x * x


@cr.custom_gradient(lambda x, y, d_y: d_y * 100)
def odd_sine(x):
    """A sine with a derivative of its own, to see which one is used."""
    return x.sin()


@cr.custom_gradient(lambda a, b, y, d_y: (d_y @ b.T, a.T @ d_y))
def product(a, b):
    return a @ b


def test_the_value_is_the_functions():
    assert np.array_equal(odd_sine(X).numpy(), np.sin(X))
    assert odd_sine(0.5).item() == np.sin(0.5)
    assert np.array_equal(odd_sine(cr.tensor(X)).numpy(), np.sin(X))


def test_the_derivative_is_the_one_that_was_written():
    assert cr.grad(lambda x: odd_sine(x).sum())(X).numpy().tolist() == [100.0] * 3
    t = cr.tensor(X)
    odd_sine(t).sum().backward()
    assert t.grad.numpy().tolist() == [100.0] * 3
    assert cr.jvp(odd_sine, [X], [np.ones(3)])[1].numpy().tolist() == [100.0] * 3
    assert np.array_equal(cr.jacobian(odd_sine)(X).numpy(), 100 * np.eye(3))


def test_it_composes_with_other_code():
    ours = cr.grad(lambda x: (cube(x * 2) + x).sum())(X).numpy()
    np.testing.assert_allclose(ours, 24 * X**2 + 1, rtol=1e-15)


def test_its_second_derivative_is_that_of_the_pullback():
    second = cr.hessian(lambda x: cube(x).sum())(X).numpy()
    np.testing.assert_allclose(second, np.diag(6 * X), rtol=1e-15)
    assert cr.grad(cr.grad(cr.grad(cube)))(2.0).item() == 6.0
    # d(100·d_y)/dx is zero: the sine's own curvature is not looked at.
    assert cr.grad(cr.grad(odd_sine))(0.5).item() == 0.0


def test_several_inputs_have_a_cotangent_each():
    a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    loss = lambda f: lambda a, b: (f(a, b) ** 2).sum()  # noqa: E731
    ours, wanted = (cr.grad(loss(f), (0, 1))(a, b) for f in (product, cr.matmul))
    for d_x, reference in zip(ours, wanted, strict=True):
        np.testing.assert_allclose(d_x.numpy(), reference.numpy(), rtol=1e-15)


def test_none_stands_for_a_zero_cotangent():
    @cr.custom_gradient(lambda x, i, y, d_y: (d_y * i, None))
    def scale(x, i):
        return x * i

    d_x, d_i = cr.grad(scale, (0, 1))(2.0, 3.0)
    assert (d_x.item(), d_i.item()) == (3.0, 0.0)
    assert cr.grad(scale)(2.0, 3).item() == 3.0  # an integer has no gradient at all


def test_the_pullback_sees_the_output():
    @cr.custom_gradient(lambda x, y, d_y: d_y * y)
    def exponential(x):
        return x.exp()

    assert cr.grad(exponential)(1.5).item() == np.exp(1.5)


def test_it_may_call_another_one():
    @cr.custom_gradient(lambda x, y, d_y: cube(x) * d_y)
    def outer(x):
        return odd_sine(x) * cube(x)

    assert cr.grad(outer)(2.0).item() == 8.0
    assert cr.grad(cr.grad(outer))(2.0).item() == 12.0


def test_it_keeps_the_dtype():
    assert cube(X.astype("float32")).dtype == np.float32
    assert cr.grad(lambda x: cube(x).sum())(X.astype("float32")).dtype == np.float32


def test_it_is_one_node_of_the_graph():
    graph = cr.trace(lambda x: cube(x).sum(), X)
    assert [node.op for node in graph.nodes] == ["input", "custom", "sum"]
    assert graph.nodes[1].attributes["body"].name == "cube"


def test_its_nodes_belong_to_the_module_that_calls_it():
    def f(x):
        with in_scope("encoder.0"):
            return cube(x).sum()

    graph = cr.trace(cr.grad(f), X)
    scopes = {node.scope for node in graph.nodes if node.op not in ("input", "constant")}
    assert scopes == {"encoder.0"}
    with in_scope("encoder.0"):
        elsewhere = cr.trace(cube, X)
    assert elsewhere.nodes[1].attributes == cr.trace(cube, X).nodes[1].attributes


def test_it_keeps_its_name_and_words():
    assert odd_sine.__name__ == "odd_sine"
    assert "derivative of its own" in odd_sine.__doc__


CAPTURED = np.ones(3)
VARIABLE = cr.tensor(1.0)


def assigning(x):
    assign(VARIABLE, x)
    return x * 1


REFUSED = {
    "too few cotangents": (
        lambda: cr.custom_gradient(lambda a, b, y, d_y: d_y)(lambda a, b: a * b)(1.0, 2.0),
        ShapeError,
        "The pullback of lambda gives one cotangent for each of 2 inputs; got 1",
    ),
    "too many cotangents": (
        lambda: cr.custom_gradient(lambda x, y, d_y: (d_y, d_y))(lambda x: x * 1)(1.0),
        ShapeError,
        "The pullback of lambda gives one cotangent for each of 1 inputs; got 2",
    ),
    "shape": (
        lambda: cr.custom_gradient(lambda x, y, d_y: d_y.sum())(lambda x: x * 1)(X),
        ShapeError,
        "The pullback of lambda gives input 0, f64[3], a cotangent of its own type; got f64[]",
    ),
    "dtype": (
        lambda: cr.custom_gradient(lambda x, y, d_y: d_y.astype("float32"))(lambda x: x * 1)(X),
        DTypeError,
        "The pullback of lambda gives input 0, f64[3], a cotangent of its own type; got f32[3]",
    ),
    "captured array": (
        lambda: cr.custom_gradient(lambda x, y, d_y: d_y)(lambda x: x * CAPTURED)(X),
        TracingError,
        "lambda uses an array that is none of its arguments",
    ),
    "captured by the pullback": (
        lambda: cr.custom_gradient(lambda x, y, d_y: d_y * CAPTURED)(lambda x: x * 1)(X),
        TracingError,
        "The pullback of lambda uses an array that is none of its arguments",
    ),
    "captured symbol": (
        lambda: cr.grad(lambda w: cr.custom_gradient(lambda x, y, d_y: d_y)(lambda x: x * w)(1.0))(
            2.0
        ),
        TracingError,
        "lambda uses an array that is none of its arguments",
    ),
    "assignment": (
        lambda: cr.custom_gradient(lambda x, y, d_y: d_y)(assigning)(1.0),
        TracingError,
        "assigning uses an array that is none of its arguments",
    ),
    "several results": (
        lambda: cr.custom_gradient(lambda x, y, d_y: d_y)(lambda x: (x, x))(1.0),
        TracingError,
        "lambda gives one Tensor; got tuple",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.message == message
    assert caught.value.where.startswith("Line ")
