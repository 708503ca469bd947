"""Derivatives of derivatives: transforms inside transforms, and functions that close over both."""

import numpy as np
import pytest

import chainrule as cr

X = np.array([0.3, -1.2, 2.0])


def test_third_derivatives():
    cube = lambda x: x * x * x * x  # noqa: E731
    assert cr.grad(cube)(2.0).item() == 32.0
    assert cr.grad(cr.grad(cube))(2.0).item() == 48.0
    assert cr.grad(cr.grad(cr.grad(cube)))(2.0).item() == 48.0
    assert cr.grad(cr.grad(cr.grad(cr.grad(cr.grad(cube)))))(2.0).item() == 0.0


@pytest.mark.parametrize("x", [-1.5, 0.0, 0.7])
def test_derivatives_of_tanh_follow_its_own_equation(x):
    tanh = lambda x: x.tanh()  # noqa: E731
    y = np.tanh(x)
    first = 1 - y * y
    second = -2 * y * first
    third = -2 * first * first - 2 * y * second
    for order, wanted in enumerate([first, second, third]):
        f = tanh
        for _ in range(order + 1):
            f = cr.grad(f)
        assert f(x).item() == pytest.approx(wanted, rel=1e-12, abs=1e-15)


def test_an_inner_derivative_does_not_confuse_its_variable_with_the_outer_one():
    # d/dx [x · d/dy (x + y)] = d/dx x = 1; confusing x with y gives 2   [Siskind, Pearlmutter 2005]
    outer = cr.grad(lambda x: x * cr.grad(lambda y: x + y)(1.0))
    assert outer(1.0).item() == 1.0
    nested = cr.grad(lambda x: x * cr.grad(lambda x: x * x)(x * 3))  # x·2·3x
    assert nested(2.0).item() == 24.0
    forward = cr.grad(lambda x: x * cr.jvp(lambda y: x * y, [2.0], [1.0])[1])  # x·x
    assert forward(5.0).item() == 10.0


def test_a_closure_over_an_outer_symbol_is_differentiated():
    def f(w):
        scaled = w * 2
        # The inner function uses an outer symbol and an array: inputs of the inner graph.
        inner = cr.value_and_grad(lambda v: ((v * scaled) ** 2 * X).sum())
        value, gradient = inner(w + 1)
        return value + gradient.sum()

    def by_hand(w):
        scaled, v = 2 * w, w + 1
        return ((v * scaled) ** 2 * X).sum() + (2 * v * scaled**2 * X).sum()

    step = 1e-6
    differences = [(by_hand(X + step * e) - by_hand(X - step * e)) / (2 * step) for e in np.eye(3)]
    np.testing.assert_allclose(cr.grad(f)(X).numpy(), differences, rtol=1e-8)


def test_a_gradient_step_is_differentiable():
    """The derivative of the loss after one step, with respect to the learning rate."""

    def loss(w):
        return ((w - 3.0) ** 2).sum()

    def after_a_step(lr, w):
        return loss(w - lr * cr.grad(loss)(w))

    # w' - 3 = (1 - 2·lr)(w - 3), so the loss is (1 - 2·lr)²·(w - 3)².
    slope = cr.grad(after_a_step)(0.1, np.array([5.0]))
    assert slope.item() == pytest.approx(2 * (1 - 0.2) * -2 * 4.0, rel=1e-14)


def test_every_transform_runs_inside_a_traced_function():
    def f(x):
        value, pull = cr.vjp(lambda v: v.tanh(), x)
        (pulled,) = pull(x)
        _, pushed = cr.jvp(lambda v: v.sin(), [x], [x * x])
        diagonal = (cr.jacobian(lambda v: v.exp())(x) * np.eye(3)).sum(axis=1)
        curvature = cr.hessian(lambda v: (v * v * v).sum())(x).sum()
        return (value * pulled).sum() + (pushed * diagonal).sum() + curvature

    def by_hand(x):
        y = np.tanh(x)
        return (y * x * (1 - y * y)).sum() + (np.cos(x) * x * x * np.exp(x)).sum() + 6 * x.sum()

    value, gradient = cr.value_and_grad(f)(X)
    assert value.item() == pytest.approx(by_hand(X), rel=1e-12)
    step = 1e-6
    differences = [(by_hand(X + step * e) - by_hand(X - step * e)) / (2 * step) for e in np.eye(3)]
    np.testing.assert_allclose(gradient.numpy(), differences, rtol=1e-8)


def test_traces_nest_in_the_graph_that_is_printed():
    graph = cr.trace(cr.grad(lambda x: (x * x).sum()), X)
    assert graph.input_names == ("x",)
    assert {node.op for node in graph.nodes} >= {"mul", "input"}
    assert "sum" not in str(graph)  # the value itself is not part of its gradient


# --- jacobians ------------------------------------------------------------------------------------


def test_the_jacobian_of_a_linear_map_is_its_matrix():
    matrix = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert np.array_equal(cr.jacobian(lambda x: matrix @ x)(X).numpy(), matrix)


def test_the_jacobian_of_polar_coordinates():
    def cartesian(p):
        return cr.concatenate([(p[0] * p[1].cos()).reshape(1), (p[0] * p[1].sin()).reshape(1)])

    r, angle = 2.0, 0.6
    wanted = [[np.cos(angle), -r * np.sin(angle)], [np.sin(angle), r * np.cos(angle)]]
    ours = cr.jacobian(cartesian)(np.array([r, angle])).numpy()
    np.testing.assert_allclose(ours, wanted, rtol=1e-15)


def test_the_jacobian_of_softmax():
    # ∂yᵢ/∂xⱼ = yᵢ·(δᵢⱼ - yⱼ)
    y = cr.tensor(X).softmax().numpy()
    ours = cr.jacobian(lambda x: x.softmax())(X).numpy()
    np.testing.assert_allclose(ours, np.diag(y) - np.outer(y, y), rtol=1e-13, atol=1e-16)


def test_the_jacobian_has_the_outputs_axes_before_the_inputs():
    jacobian = cr.jacobian(lambda x: x @ np.ones((4, 5)))(np.ones((2, 3, 4)))
    assert jacobian.shape == (2, 3, 5, 2, 3, 4)
    wanted = np.einsum("ac,bd,ke->abkcde", np.eye(2), np.eye(3), np.ones((5, 4)))
    assert np.array_equal(jacobian.numpy(), wanted)


def test_a_jacobian_of_trees_has_the_results_structure_outside():
    def f(p):
        return {"product": p["a"] * p["b"], "sum": (p["a"].sum(),)}

    jacobian = cr.jacobian(f)({"a": np.array([1.0, 2.0]), "b": np.array([3.0, 5.0])})
    assert np.array_equal(jacobian["product"]["a"].numpy(), np.diag([3.0, 5.0]))
    assert np.array_equal(jacobian["product"]["b"].numpy(), np.diag([1.0, 2.0]))
    assert np.array_equal(jacobian["sum"][0]["a"].numpy(), [1.0, 1.0])
    assert np.array_equal(jacobian["sum"][0]["b"].numpy(), [0.0, 0.0])


def test_the_jacobian_of_nothing_is_empty():
    assert cr.jacobian(lambda x: x[:0])(X).shape == (0, 3)
    assert cr.jacobian(lambda x: x * 2)(np.zeros(0)).shape == (0, 0)


def test_a_jacobian_of_a_jacobian_is_the_second_derivative():
    second = cr.jacobian(cr.jacobian(lambda x: x * x * x))(X).numpy()
    wanted = np.zeros((3, 3, 3))
    wanted[range(3), range(3), range(3)] = 6 * X
    np.testing.assert_allclose(second, wanted, rtol=1e-15)


# --- hessians -------------------------------------------------------------------------------------


def test_the_hessian_of_a_quadratic_form_is_its_symmetric_matrix():
    a = np.random.default_rng(0).normal(size=(3, 3))
    hessian = cr.hessian(lambda x: x @ a @ x * 0.5)(X).numpy()
    np.testing.assert_allclose(hessian, (a + a.T) / 2, rtol=1e-15)


def test_the_hessian_of_rosenbrocks_function():
    def rosenbrock(p):
        return 100 * (p[1] - p[0] ** 2) ** 2 + (1 - p[0]) ** 2

    x, y = -1.2, 1.0
    wanted = [[1200 * x**2 - 400 * y + 2, -400 * x], [-400 * x, 200]]
    ours = cr.hessian(rosenbrock)(np.array([x, y])).numpy()
    np.testing.assert_allclose(ours, wanted, rtol=1e-14)


def test_the_hessian_of_log_sum_exp_is_symmetric_and_has_softmaxs_rows():
    f = lambda x: x.exp().sum().log()  # noqa: E731
    hessian = cr.hessian(f)(X).numpy()
    y = np.exp(X) / np.exp(X).sum()
    np.testing.assert_allclose(hessian, np.diag(y) - np.outer(y, y), rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-13, atol=1e-17)


def test_the_hessian_of_a_network_is_symmetric_across_its_parameters():
    rng = np.random.default_rng(0)
    data, target = rng.normal(size=(5, 3)), rng.normal(size=5)

    def loss(p):
        hidden = (data @ p["w1"] + p["b1"]).tanh()
        return ((hidden @ p["w2"] - target) ** 2).mean()

    shapes = {"w1": (3, 2), "b1": (2,), "w2": (2,)}
    parameters = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    blocks = cr.hessian(loss)(parameters)
    whole = np.block(
        [
            [
                blocks[row][column].numpy().reshape(parameters[row].size, parameters[column].size)
                for column in shapes
            ]
            for row in shapes
        ]
    )
    np.testing.assert_allclose(whole, whole.T, rtol=1e-12, atol=1e-14)

    # Each row is the gradient's finite difference.
    def gradient(p):
        return np.concatenate([g.numpy().ravel() for g in cr.grad(loss)(p).values()])

    step, position = 1e-5, 0
    for name, value in parameters.items():
        for index in np.ndindex(value.shape):
            moved = []
            for sign in (1, -1):
                shifted = value.copy()
                shifted[index] += sign * step
                moved.append(gradient({**parameters, name: shifted}))
            difference = (moved[0] - moved[1]) / (2 * step)
            np.testing.assert_allclose(whole[position], difference, rtol=1e-6, atol=1e-9)
            position += 1
    assert position == len(whole)


def test_a_hessian_vector_product_needs_no_hessian():
    f = lambda x: (x.sin() * x).sum()  # noqa: E731
    v = np.array([1.0, -2.0, 0.5])
    wanted = cr.hessian(f)(X).numpy() @ v
    _, forward_over_reverse = cr.jvp(cr.grad(f), [X], [v])
    reverse_over_reverse = cr.grad(lambda x: (cr.grad(f)(x) * v).sum())(X)
    _, pull = cr.vjp(lambda x: cr.jvp(f, [x], [v])[1], X)
    (reverse_over_forward,) = pull(1.0)
    for product in (forward_over_reverse, reverse_over_reverse, reverse_over_forward):
        np.testing.assert_allclose(product.numpy(), wanted, rtol=1e-14)
