"""Products with the Hessian and the Gauss–Newton matrix, against the matrices and torch."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import DTypeError, NotDifferentiableError, ShapeError
from tests.eager.apart import by_path, rounding_of

UNIT = 2.0**-53


def numbers(seed, *shape):
    return np.random.Generator(np.random.Philox(seed)).normal(size=shape)


X, T = numbers(1, 5, 4), numbers(2, 5, 3)
CLASSES = np.array([2, 0, 1, 1, 2])


def network(activation="Tanh"):
    layers = (nn.Linear(4, 6), getattr(nn, activation)(), nn.Linear(6, 3))
    return nn.Sequential(*layers).astype("float64").initialize(0)


def like(tree, seed):
    """Numbers for every parameter of a network, or array of a tree, in its structure."""
    if isinstance(tree, nn.Module):
        tree = {name: p.numpy() for name, p in tree.named_parameters()}
    if isinstance(tree, dict):
        return {key: like(branch, seed + i) for i, (key, branch) in enumerate(tree.items())}
    if isinstance(tree, tuple | list):
        return type(tree)(like(branch, seed + i) for i, branch in enumerate(tree))
    return numbers(seed, *np.shape(tree))


def times(blocks, v):
    """A matrix in blocks, by path, times a direction by path."""
    return {
        row: sum(
            np.tensordot(block, v[column], axes=v[column].ndim) for column, block in columns.items()
        )
        for row, columns in blocks.items()
    }


def assert_equal_within(found, expected, allowed):
    assert found.keys() == expected.keys()
    for path in found:
        np.testing.assert_allclose(found[path], expected[path], rtol=0, atol=allowed)


# --- Hessian --------------------------------------------------------------------------------------


def cost(net, x, y):
    return nn.CrossEntropyLoss()(net(x), y).mean()


@pytest.mark.parametrize("activation", ["Tanh", "Sigmoid", "GELU", "Softplus", "ReLU", "Softmax"])
def test_a_networks_product_is_its_hessian_times_the_direction(activation):
    net = network(activation)
    v = like(net, 10)
    found = by_path(cr.hvp(cost)(net, X, CLASSES, v))
    hessian = cr.hessian(cost)(net, X, CLASSES)
    blocks = {row: by_path(columns) for row, columns in hessian.items()}
    # The matrix's elements round as the product's do, and 51 of them are added up.
    allowed = 51 * rounding_of(lambda net: cr.hvp(cost)(net, X, CLASSES, v), net)
    assert_equal_within(found, times(blocks, v), allowed)


def cubic(p):
    """Whole numbers in, whole numbers out: no rounding, in whatever order."""
    w, b = p
    return (w @ w * b).sum() + (b * b * b).sum() * w[0, 0]


def test_products_of_whole_numbers_are_exact():
    p = (np.arange(4.0).reshape(2, 2) - 1, np.array([2.0, -3.0]))
    v = (np.array([[1.0, 0.0], [-2.0, 3.0]]), np.array([0.0, 5.0]))
    found = cr.hvp(cubic)(p, v)
    hessian = cr.hessian(cubic)(p)
    assert isinstance(found, tuple)
    for i, product in enumerate(found):
        blocks = [np.tensordot(hessian[i][j].numpy(), v[j], axes=v[j].ndim) for j in (0, 1)]
        np.testing.assert_array_equal(product.numpy(), sum(blocks))


def test_a_product_is_what_differences_of_the_gradient_say():
    f = lambda w: (w.sin() * w.exp()).sum() + (w[:-1] * w[1:]).prod()  # noqa: E731
    w, v = numbers(3, 4), numbers(4, 4)
    h = 2.0**-17  # cube root of the unit: the error is h² of the third derivative, and u/h
    above, below = (cr.grad(f)(w + s * h * v).numpy() for s in (1, -1))
    difference = (above - below) / (2 * h)
    np.testing.assert_allclose(cr.hvp(f)(w, v).numpy(), difference, rtol=0, atol=100 * h**2)


def test_a_product_is_symmetric_and_linear():
    f = lambda w: w.exp().sum().log() + (w * w).prod()  # noqa: E731
    w, u, v = (numbers(seed, 5) for seed in (5, 6, 7))
    product = cr.hvp(f)
    of_u, of_v = product(w, u).numpy(), product(w, v).numpy()
    assert abs(of_u @ v - of_v @ u) <= 64 * UNIT * (abs(of_u) @ abs(v) + abs(of_v) @ abs(u))
    np.testing.assert_array_equal(product(w, 2.0 * u).numpy(), 2.0 * of_u)
    np.testing.assert_array_equal(product(w, 0.0 * u).numpy(), 0.0 * of_u)


def test_a_function_that_is_linear_has_no_curvature():
    w, v = numbers(8, 3), numbers(9, 3)
    np.testing.assert_array_equal(cr.hvp(lambda w: (w * v).sum())(w, v).numpy(), np.zeros(3))


def test_a_number_has_a_second_derivative():
    assert cr.hvp(lambda x: x**3)(2.0, 1.0).item() == 12.0


def test_structures_are_kept():
    p = {"w": numbers(1, 2, 3), "more": [numbers(2, 3), (numbers(3),)]}
    v = {"w": numbers(4, 2, 3), "more": [numbers(5, 3), (numbers(6),)]}

    def f(p):
        return ((p["w"] @ p["more"][0]) * p["more"][1][0]).square().sum()

    found = cr.hvp(f)(p, v)
    assert isinstance(found["more"], list)
    assert isinstance(found["more"][1], tuple)
    assert found["w"].shape == (2, 3)
    rows = cr.hessian(f)(p)
    blocks = {"w": by_path(rows["w"]), "more.0": by_path(rows["more"][0])}
    flat = {"w": v["w"], "more.0": v["more"][0], "more.1.0": v["more"][1][0]}
    for row, product in times(blocks, flat).items():
        # 60 roundings of numbers below 2**8.
        np.testing.assert_allclose(by_path(found)[row], product, rtol=0, atol=60 * UNIT * 2.0**8)


def test_several_arguments_move_together():
    f = lambda a, x, b: ((x @ a) * b).tanh().sum()  # noqa: E731
    a, b, u, v = numbers(1, 4), numbers(2, 5), numbers(3, 4), numbers(4, 5)
    d_a, d_b = cr.hvp(f, argnums=(0, 2))(a, X, b, (u, v))
    whole = cr.hvp(lambda p: f(p[0], X, p[1]))((a, b), (u, v))
    np.testing.assert_array_equal(d_a.numpy(), whole[0].numpy())
    np.testing.assert_array_equal(d_b.numpy(), whole[1].numpy())
    alone = cr.hvp(f, argnums=2)(a, X, b, v).numpy()
    np.testing.assert_array_equal(alone, cr.hvp(lambda b: f(a, X, b))(b, v).numpy())


def test_keywords_are_handed_through():
    f = lambda w, *, scale: (w**3).sum() * scale  # noqa: E731
    assert cr.hvp(f)(np.array([2.0]), np.array([1.0]), scale=0.5).numpy().tolist() == [6.0]


def test_frozen_parameters_do_not_move():
    net = network()
    net[0].weight.requires_grad = False
    v = {n: numbers(1, *p.shape) for n, p in net.named_parameters() if p.requires_grad}
    assert list(cr.hvp(cost)(net, X, CLASSES, v)) == ["0.bias", "2.weight", "2.bias"]


def test_a_network_stands_for_its_parameters_as_a_direction():
    net, direction = network(), network().initialize(5, reset=True)
    v = {name: p.numpy() for name, p in direction.named_parameters()}
    found, expected = (by_path(cr.hvp(cost)(net, X, CLASSES, d)) for d in (direction, v))
    assert_equal_within(found, expected, 0.0)


def test_a_product_has_a_gradient():
    """∂/∂w of vᵀ·H(w)·v: a third derivative."""
    v = np.array([1.0, -2.0])
    f = lambda w: w[0] ** 3 * w[1]  # noqa: E731
    found = cr.grad(lambda w: (cr.hvp(f)(w, v) * v).sum())(np.array([3.0, 5.0])).numpy()
    # vᵀHv = 6·w0·w1·v0² + 6·w0²·v0·v1
    assert found.tolist() == [6 * 5.0 - 24 * 3.0, 6 * 3.0]


def test_batch_norm_assigns_its_statistics_once():
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).astype("float64").initialize(0)
    v = like(net, 3)
    with nn.training():
        cr.hvp(cost)(net, X, CLASSES, v)
    assert net[1].num_batches_tracked.item() == 1
    with nn.training():
        cr.gnvp(lambda net, x: net(x), lambda z: z.square().sum())(net, X, v)
    assert net[1].num_batches_tracked.item() == 2


# --- Gauss–Newton ---------------------------------------------------------------------------------


def test_a_networks_product_is_that_of_the_matrices():
    net = network()
    v = like(net, 10)
    loss = lambda z: nn.CrossEntropyLoss()(z, CLASSES).mean()  # noqa: E731
    found = by_path(cr.gnvp(lambda net, x: net(x), loss)(net, X, v))
    jacobian = by_path(cr.jacobian(lambda net, x: net(x))(net, X))
    hessian = cr.hessian(loss)(net(X).numpy()).numpy()
    moved = sum(np.tensordot(jacobian[p], v[p], axes=v[p].ndim) for p in v)
    pulled = np.tensordot(hessian, moved, axes=2)
    expected = {p: np.tensordot(pulled, jacobian[p], axes=2) for p in v}
    allowed = 51 * rounding_of(lambda net: cr.hvp(cost)(net, X, CLASSES, v), net)
    assert_equal_within(found, expected, allowed)
    # Convex in the outputs: no direction curves downwards.
    assert sum(np.sum(v[p] * found[p]) for p in v) > 0


def test_of_least_squares_it_is_the_jacobian_squared():
    x = np.arange(6.0)
    model = lambda w: w[0] * w[1] * x + w[2] ** 2  # noqa: E731
    w, v = np.array([2.0, -1.0, 3.0]), np.array([1.0, 2.0, -1.0])
    found = cr.gnvp(model, lambda y: 0.5 * (y * y).sum())(w, v).numpy()
    jacobian = cr.jacobian(model)(w).numpy()
    np.testing.assert_array_equal(found, jacobian.T @ (jacobian @ v))  # whole numbers


def test_of_a_linear_model_it_is_the_hessian():
    w, v = numbers(1, 4), numbers(2, 4)
    model = lambda w: X @ w  # noqa: E731
    loss = lambda z: z.exp().sum().log()  # noqa: E731
    found = cr.gnvp(model, loss)(w, v).numpy()
    expected = cr.hvp(lambda w: loss(model(w)))(w, v).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=100 * UNIT * abs(v).sum() * 4)


def test_a_model_may_have_several_outputs():
    p = {"a": numbers(1, 4), "b": numbers(2, 4)}
    v = like(p, 3)
    model = lambda p: {"one": X @ p["a"], "two": ((X @ p["b"]).tanh(),)}  # noqa: E731
    loss = lambda z: (z["one"] * z["two"][0]).sum() + z["one"].square().sum()  # noqa: E731
    found = by_path(cr.gnvp(model, loss)(p, v))
    stacked = lambda p: cr.concatenate([X @ p["a"], (X @ p["b"]).tanh()])  # noqa: E731
    of_stacked = lambda z: (z[:5] * z[5:]).sum() + z[:5].square().sum()  # noqa: E731
    expected = by_path(cr.gnvp(stacked, of_stacked)(p, v))
    allowed = 100 * UNIT * 2.0**8
    assert_equal_within(found, expected, allowed)


def test_several_arguments_of_a_model_move_together():
    model = lambda a, x, b: (x @ a).tanh() * b  # noqa: E731
    loss = lambda z: z.square().sum()  # noqa: E731
    a, b, u, v = numbers(1, 4), numbers(2, 5), numbers(3, 4), numbers(4, 5)
    d_a, d_b = cr.gnvp(model, loss, argnums=(0, 2))(a, X, b, (u, v))
    whole = cr.gnvp(lambda p: model(p[0], X, p[1]), loss)((a, b), (u, v))
    np.testing.assert_array_equal(d_a.numpy(), whole[0].numpy())
    np.testing.assert_array_equal(d_b.numpy(), whole[1].numpy())


def test_the_model_runs_forward_once():
    """One graph, in which equal nodes are merged: the model's exp is computed once, not thrice."""
    from chainrule.rewrite import merge_equal_nodes

    model = lambda w: (w * 2.0).exp()  # noqa: E731
    w, v = np.ones(3), np.ones(3)
    graph = cr.trace(lambda w, v: cr.gnvp(model, lambda z: z.square().sum())(w, v), w, v)
    merged = merge_equal_nodes(graph).graph
    assert [node.op for node in merged.nodes].count("exp") == 1


def test_conjugate_gradients_solve_a_newton_step_without_a_matrix():
    rng = np.random.Generator(np.random.Philox(0))
    a = rng.normal(size=(30, 6))
    f = lambda w: (1.0 + (a @ w).exp()).log().sum() + 0.5 * (w * w).sum()  # noqa: E731
    w = rng.normal(size=6)
    g = cr.grad(f)(w).numpy()
    step, residual = np.zeros(6), -g
    direction = residual
    for _ in range(6):  # exact after as many steps as there are parameters
        curved = cr.hvp(f)(w, direction).numpy()
        length = residual @ residual / (direction @ curved)
        step = step + length * direction
        smaller = residual - length * curved
        direction = smaller + (smaller @ smaller) / (residual @ residual) * direction
        residual = smaller
    hessian = cr.hessian(f)(w).numpy()
    # The usual bound: the matrix's condition number times the roundings of six steps.
    allowed = np.linalg.cond(hessian) * 2**10 * UNIT * abs(step).max()
    np.testing.assert_allclose(step, np.linalg.solve(hessian, -g), rtol=0, atol=allowed)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", ["hvp", "gnvp"])
@pytest.mark.parametrize(
    ("v", "message"),
    [
        ({"w": np.ones(3)}, "A direction has the structure of its value, w, b; got w"),
        (np.ones(3), "A direction has the structure of its value, w, b; got an array"),
        (None, "A direction has the structure of its value, w, b; got nothing"),
        (
            {"w": np.ones(3), "b": np.ones(2)},
            "A direction has the shape of its value at b, []; got [2]",
        ),
    ],
    ids=["one missing", "an array", "nothing", "another shape"],
)
def test_a_direction_has_the_structure_of_the_parameters(product, v, message):
    f = lambda p: (p["w"] * p["b"]).square().sum()  # noqa: E731
    make = {"hvp": lambda: cr.hvp(f), "gnvp": lambda: cr.gnvp(lambda p: p["w"], f)}[product]
    with pytest.raises(ShapeError) as caught:
        make()({"w": np.ones(3), "b": 1.0}, v)
    assert caught.value.message == message
    assert caught.value.where.startswith("Line ")


def test_a_direction_of_one_array_has_its_shape():
    with pytest.raises(ShapeError) as caught:
        cr.hvp(lambda w: (w * w).sum())(np.ones(3), np.ones((3, 1)))
    assert caught.value.message == "A direction has the shape of its value, [3]; got [3,1]"


@pytest.mark.parametrize("product", ["hvp", "gnvp"])
def test_a_direction_stands_behind_the_arguments(product):
    square = lambda w: (w * w).sum()  # noqa: E731
    make = {"hvp": lambda: cr.hvp(square), "gnvp": lambda: cr.gnvp(lambda w: w, square)}[product]
    with pytest.raises(DTypeError) as caught:
        make()(np.ones(3))
    assert caught.value.message == (
        f"{product}(f) takes the arguments of f, and the direction v behind them; got 1"
    )
    assert caught.value.advice == f"Call cr.{product}(f)(w, v)"
    with pytest.raises(DTypeError, match="argnums=1 names a positional argument"):
        cr.hvp(square, argnums=1)(np.ones(3), np.ones(3))


def test_what_has_no_second_derivative_is_refused():
    with pytest.raises(NotDifferentiableError, match="the function gave f64\\[3\\]"):
        cr.hvp(lambda w: w * w)(np.ones(3), np.ones(3))
    with pytest.raises(NotDifferentiableError, match="Gradients are taken of floats; w is int64"):
        cr.hvp(lambda w: (w * w).sum())(np.array([1, 2]), np.ones(2))
    with pytest.raises(NotDifferentiableError, match="the function gave f64\\[3\\]"):
        cr.gnvp(lambda w: w, lambda z: z)(np.ones(3), np.ones(3))


# --- torch ----------------------------------------------------------------------------------------


# torch's forward mode compiles its rules, the first time it is used, in a way it advises against.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ["Tanh", "Sigmoid", "GELU", "SiLU", "Softplus", "ReLU"])
@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "MSELoss"])
def test_products_are_torchs(torch, activation, loss, dtype):
    net = network(activation)
    layers = (torch.nn.Linear(4, 6), getattr(torch.nn, activation)(), torch.nn.Linear(6, 3))
    module = torch.nn.Sequential(*layers).double()
    module.load_state_dict({n: torch.tensor(a) for n, a in net.state_dict().items()})
    y = CLASSES if loss == "CrossEntropyLoss" else T
    v = like(net, 10)
    if dtype == "float32":  # both start from the same direction
        v = {name: array.astype(np.float32).astype(np.float64) for name, array in v.items()}
    x_torch, y_torch = torch.tensor(X), torch.tensor(y)
    criterion = getattr(torch.nn, loss)(reduction="sum")
    parameters = {name: p.detach() for name, p in module.named_parameters()}
    moves = {name: torch.tensor(v[name]) for name in parameters}

    def outputs(parameters):
        return torch.func.functional_call(module, parameters, (x_torch,))

    def total(parameters):
        return criterion(outputs(parameters), y_torch)

    _, hessian_product = torch.func.jvp(torch.func.grad(total), (parameters,), (moves,))
    z, moved = torch.func.jvp(outputs, (parameters,), (moves,))
    _, curved = torch.func.jvp(torch.func.grad(lambda z: criterion(z, y_torch)), (z,), (moved,))
    (newton_product,) = torch.func.vjp(outputs, parameters)[1](curved)

    ours = getattr(nn, loss)()
    count = 3 if loss == "MSELoss" else 1  # our cost of an example is a mean over its outputs
    costs = lambda net, x, y: ours(net(x), y) * count  # noqa: E731
    net.astype(dtype)
    x, y = X.astype(dtype), y if y.dtype.kind == "i" else y.astype(dtype)
    v = {name: array.astype(dtype) for name, array in v.items()}
    found = by_path(cr.hvp(lambda net, x, y: costs(net, x, y).sum())(net, x, y, v))
    newton = by_path(
        cr.gnvp(lambda net, x: net(x), lambda z: (ours(z, y) * count).sum())(net, x, v)
    )
    allowed = rounding_of(lambda net: cr.hvp(lambda net: costs(net, x, y).sum())(net, v), net)
    if dtype == "float32":
        allowed *= 2  # the weights and the data are rounded as well
    for name in parameters:
        assert found[name].dtype == newton[name].dtype == np.dtype(dtype)
        np.testing.assert_allclose(found[name], hessian_product[name], rtol=0, atol=allowed)
        np.testing.assert_allclose(newton[name], newton_product[name], rtol=0, atol=allowed)
