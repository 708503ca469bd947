"""Gradients of each example's cost: those of the examples by themselves, without a loop."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import NotDifferentiableError
from chainrule.eager import apply
from tests.eager.apart import assert_apart, by_path, rounding

B = 5


def numbers(seed, *shape):
    return np.random.Generator(np.random.Philox(seed)).normal(size=shape)


X, T = numbers(1, B, 4), numbers(2, B, 3)
CLASSES = np.array([2, 0, 1, 1, 2])
TOKENS = np.array([[0, 6, 0], [3, 3, 3], [1, 2, 5], [6, 5, 4], [2, 0, 6]])
ROWS = np.array([11, 3, 70, 2**33, 0])


def network(*middle, outputs=3):
    layers = (nn.Linear(4, 6), *middle, nn.Linear(6, outputs))
    return nn.Sequential(*layers).astype("float64").initialize(0)


# --- networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "activation", ["Sigmoid", "Tanh", "ReLU", "GELU", "Softplus", "Softmax", "LogSoftmax"]
)
def test_each_example_of_a_network_has_its_own_gradient(activation):
    net, loss = network(getattr(nn, activation)()), nn.MSELoss()
    found = assert_apart(lambda net, x, t: loss(net(x), t), net, X, T)
    assert {name: array.shape for name, array in found.items()} == {
        "0.weight": (B, 6, 4), "0.bias": (B, 6), "2.weight": (B, 3, 6), "2.bias": (B, 3),
    }  # fmt: skip


def test_each_example_of_a_classifier_has_its_own_gradient():
    loss = nn.CrossEntropyLoss()
    assert_apart(lambda net, x, y: loss(net(x), y), network(nn.Tanh()), X, CLASSES)


def test_a_mask_of_dropout_belongs_to_its_row():
    net, loss = network(nn.Dropout(0.5), nn.Tanh(), nn.Dropout(0.25)), nn.MSELoss()
    assert_apart(lambda net, x, t: loss(net(x), t), net, X, T, rows=ROWS)


def test_batch_norm_that_evaluates_keeps_examples_apart():
    net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))
    net.astype("float64").initialize(0)
    net[1].running_mean.replace(numbers(3, 6))
    assert_apart(lambda net, x, t: nn.MSELoss()(net(x), t), net, X, T)


class Tied(nn.Module):
    """An autoencoder whose decoder is its encoder's transpose: one weight, used twice."""

    def __init__(self):
        self.encoder = nn.Linear(4, 3)

    def forward(self, x):
        return self.encoder(x).tanh() @ self.encoder.weight


def test_a_parameter_that_is_used_twice_has_the_sum_of_both_ways():
    net = Tied().astype("float64").initialize(0)
    assert_apart(lambda net, x: nn.MSELoss()(net(x), x), net, X)


def test_frozen_parameters_have_no_gradients():
    net = network(nn.Tanh())
    net[0].weight.requires_grad = False
    found = assert_apart(lambda net, x, t: nn.MSELoss()(net(x), t), net, X, T)
    assert list(found) == ["0.bias", "2.weight", "2.bias"]


def test_a_network_in_float32_has_gradients_in_float32():
    net = network(nn.Tanh()).astype("float32")
    x, t = X.astype(np.float32), T.astype(np.float32)
    found = assert_apart(lambda net, x, t: nn.MSELoss()(net(x), t), net, x, t)
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


# --- functions ------------------------------------------------------------------------------------

W, V = numbers(4, 4, 3), numbers(5, 3)
TABLE = numbers(6, 7, 4)
MERGED = X[:, :, None] * V  # (B, 4, 3)

FUNCTIONS = {
    "a product": (lambda w, x, t: ((x @ w) * t).sum(axis=1), W, X, T),
    "a bias with an axis in front": (
        lambda p, x, t: ((x @ p["w"] + p["b"]).tanh() * t).sum(axis=1),
        {"w": W, "b": V[None]}, X, T,
    ),
    "a scalar": (lambda s, x: (x * s).exp().sum(axis=1), np.array(0.5), X),
    "tuples and lists": (lambda p, x: ((x @ p[0]) * p[1][0]).sum(axis=1), (W, [V]), X),
    "what does not depend on data": (lambda w, x: (x @ w).sum(axis=1) + (w**2).sum(), W, X),
    "a parameter that is not used": (
        lambda p, x: (x @ p["w"]).sum(axis=1) + 0.0 * p["v"].sum() + p["v"][0] ** 2,
        {"w": W, "v": V}, X,
    ),
    "examples in the middle": (
        lambda w, x: (x.T.reshape(2, 2, -1, 1) * w.reshape(2, 2, 1, 3)).exp().sum(axis=(0, 1, 3)),
        W, X,
    ),
    "examples behind": (lambda w, x: (w.T @ x.T).square().sum(axis=0), W, X),
    "reshaped": (lambda w, x: (x.reshape(-1, 2, 2) @ w[:2]).square().sum(axis=(1, 2)), W, X),
    "examples that share an axis with others": (
        lambda w, x: ((x.reshape(-1, 3) @ w.T).tanh().reshape(-1, 4, 4)).sum(axis=(1, 2)),
        W, MERGED,
    ),
    "tokens that share an axis with examples": (
        lambda w, i: cr.take(w, i.reshape(-1), axis=0).exp().reshape(-1, 3, 4).sum(axis=(1, 2)),
        TABLE, TOKENS,
    ),
    "an embedding": (lambda w, i: (w[i] * w[i].exp()).sum(axis=(1, 2)), TABLE, TOKENS),
    "an embedding along another axis": (
        lambda w, i: cr.take(w.T, i, axis=1).sin().sum(axis=(0, 2)), TABLE, TOKENS,
    ),
    "an embedding tied to its output": (
        lambda w, i: (cr.take(w, i, axis=0).mean(axis=1) @ w.T).square().sum(axis=1),
        TABLE, TOKENS,
    ),
    "a position for each example": (
        lambda w, i: cr.take_along_axis(
            cr.broadcast_to(w.T[0], (len(i), 7)), i, axis=1
        ).exp().sum(axis=1), TABLE, TOKENS,
    ),
    "a normalised example": (
        lambda w, x: (
            (x @ w - (x @ w).mean(axis=1, keepdims=True))
            / (x @ w).std(axis=1, keepdims=True)
        )[:, 0], W, X,
    ),
    "the largest feature": (lambda w, x: (x @ w).max(axis=1), W, X),
    "sorted features": (lambda w, x: (cr.sort(x @ w, axis=1) * V).sum(axis=1), W, X),
    "log-sum-exp and norm": (
        lambda w, x: cr.log_sum_exp(x @ w, axis=1) + cr.norm(x @ w, axis=1), W, X,
    ),
    "a choice": (lambda w, x: cr.where(x @ w > 0, x @ w, (x @ w).exp()).sum(axis=1), W, X),
    "a mean over merged axes": (
        lambda w, x: (x.reshape(-1, 3) @ w.T).square().mean(axis=1).reshape(-1, 4).mean(axis=1),
        W, MERGED,
    ),
    # What is done to the parameters alone, before they meet the examples.
    "a weight norm": (
        lambda p, x: (x @ (p["v"] / cr.norm(p["v"], axis=0) * p["g"])).sum(axis=1),
        {"v": W, "g": V}, X,
    ),
    "softmax of a parameter": (
        lambda w, x: ((x @ apply("softmax", w, axis=0)) * V).sum(axis=1), W, X,
    ),
    "a parameter in parts": (
        lambda w, x: (x @ cr.concatenate([w[:2] * 2.0, cr.flip(w[2:], axis=0)])).sum(axis=1),
        W, X,
    ),
    "a padded parameter": (
        lambda w, x: (x @ cr.pad(w[1:, 1:], ((0, 1), (1, 0)))).exp().sum(axis=1), W, X,
    ),
    "a sorted, summed up parameter": (
        lambda w, x: (x @ cr.cumsum(cr.sort(w, axis=0), axis=1)).sin().sum(axis=1), W, X,
    ),
    "columns of a parameter": (
        lambda w, x: (x @ cr.take(w, np.array([2, 0, 2]), axis=1)).sin().sum(axis=1), W, X,
    ),
    "places of a parameter": (
        lambda w, x: (x @ cr.take_along_axis(w, np.array([[0], [1], [1], [2]]), axis=1))
        .sin().sum(axis=1), W, X,
    ),
    "a parameter in another dtype": (
        lambda w, x: (x @ w.astype("float32").astype("float64")).sin().sum(axis=1), W, X,
    ),
    "products and variances of parameters": (
        lambda w, x: (x @ w).sum(axis=1) * cr.prod(w, axis=0).sum() * cr.var(w, axis=1).sum(),
        W, X,
    ),
    "einsum": (lambda w, x: cr.einsum("bi,ij,bj->b", x, w @ w.T, x), W, X),
    "a gradient in the examples": (
        lambda w, x: cr.grad(lambda x: (x @ w).tanh().sum())(x).square().sum(axis=1), W, X,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_example_of_a_function_has_its_own_gradient(name):
    f, parameters, *data = FUNCTIONS[name]
    assert_apart(f, parameters, *data)


def test_gradients_of_examples_are_the_rows_of_the_jacobian_of_the_costs():
    # Also where the costs use what the examples do not bring with them.
    costs = lambda w, x: ((x @ w).tanh() * T).sum(axis=1)  # noqa: E731
    found = cr.per_example_grads(costs)(W, X).numpy()
    rows = cr.jacobian(costs)(W, X).numpy()
    np.testing.assert_allclose(found, rows, rtol=0, atol=rounding(costs, W, (X,)))


# --- arguments ------------------------------------------------------------------------------------


def test_gradients_have_the_structure_of_their_argument():
    f = lambda p, x, q: ((x @ p["w"]) * q[0]).sum(axis=1)  # noqa: E731
    d_p, d_q = cr.per_example_grads(f, argnums=(0, 2))({"w": W}, X, (V,))
    np.testing.assert_array_equal(d_p["w"].numpy(), X[:, :, None] * V)
    assert isinstance(d_q, tuple)
    np.testing.assert_allclose(d_q[0].numpy(), X @ W, rtol=0, atol=2.0**-50)


def test_examples_may_stand_in_dicts_and_tuples():
    f = lambda w, batch: ((batch["x"] @ w) * batch["more"][0]).sum(axis=1)  # noqa: E731
    found = assert_apart(f, W, {"x": X, "more": (T, 2.0)})
    np.testing.assert_array_equal(found[""], X[:, :, None] * T[:, None])


def test_keywords_hold_what_all_examples_share():
    f = lambda w, x, *, scale: ((x @ w) * scale).sum(axis=1)  # noqa: E731
    found = cr.per_example_grads(f)(W, X, scale=V).numpy()
    np.testing.assert_array_equal(found, X[:, :, None] * V)


def test_scalars_and_modules_among_the_arguments_are_shared():
    net = network(nn.Tanh())
    f = lambda w, x, net, s: (net(x) * w).sum(axis=1) * s  # noqa: E731
    found = cr.per_example_grads(f)(V, X, net, np.float64(2.0)).numpy()
    np.testing.assert_array_equal(found, 2.0 * net(X).numpy())


def test_something_beside_the_costs_is_handed_through():
    def f(w, x):
        y = x @ w
        return y.square().sum(axis=1), {"mean": y.mean(), "y": y}

    gradients, aux = cr.per_example_grads(f, has_aux=True)(W, X)
    np.testing.assert_allclose(aux["y"].numpy(), X @ W, rtol=0, atol=2.0**-50)
    np.testing.assert_allclose(aux["mean"].item(), (X @ W).mean(), rtol=0, atol=2.0**-50)
    plain = cr.per_example_grads(lambda w, x: f(w, x)[0])(W, X)
    np.testing.assert_array_equal(gradients.numpy(), plain.numpy())


def test_a_batch_of_one_has_the_gradient():
    net, loss = network(nn.Tanh()), nn.CrossEntropyLoss()
    f = lambda net, x, y: loss(net(x), y)  # noqa: E731
    found = by_path(cr.per_example_grads(f)(net, X[:1], CLASSES[:1]))
    whole = by_path(cr.grad(lambda net: f(net, X[:1], CLASSES[:1]).sum())(net))
    for path, gradients in found.items():
        assert gradients.shape == (1, *whole[path].shape)
        np.testing.assert_array_equal(gradients[0], whole[path])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_a_batch_of_one_has_the_gradient(name):
    f, parameters, *data = FUNCTIONS[name]
    data = [array[:1] for array in data]
    found = by_path(cr.per_example_grads(f)(parameters, *data))
    whole = by_path(cr.grad(lambda p: f(p, *data).sum())(parameters))
    for path, gradients in found.items():
        np.testing.assert_array_equal(gradients, whole[path][None])


def test_a_batch_of_none_has_no_gradients():
    f = lambda p, x: ((x @ p["w"] + p["b"]).tanh()).sum(axis=1)  # noqa: E731
    found = by_path(cr.per_example_grads(f)({"w": W, "b": V}, X[:0]))
    assert {path: array.shape for path, array in found.items()} == {"w": (0, 4, 3), "b": (0, 3)}


def test_a_batch_as_long_as_another_axis_is_told_apart_from_it():
    x = numbers(8, 4, 4)
    f = lambda p, x: ((x @ p["w"] + p["b"]) @ p["w"].T).square().sum(axis=1)  # noqa: E731
    assert_apart(f, {"w": numbers(9, 4, 4), "b": numbers(10, 4)}, x)


# --- as part of other functions -------------------------------------------------------------------


def test_a_function_of_gradients_of_examples_has_a_gradient():
    # The variance of the gradients over the batch, which no gradient of a sum knows.
    f = lambda w, x: ((x @ w).tanh() * V).sum(axis=1)  # noqa: E731

    def noise(w):
        g = cr.per_example_grads(f)(w, X)
        return cr.var(g, axis=0).sum()

    def by_hand(w):
        g = cr.stack([cr.grad(lambda w, i=i: f(w, X[i : i + 1]).sum())(w) for i in range(B)])
        return cr.var(g, axis=0).sum()

    found, expected = cr.grad(noise)(W).numpy(), cr.grad(by_hand)(W).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=rounding(f, W, (X,)))


def test_gradients_of_examples_of_costs_made_of_gradients_of_examples():
    f = lambda w, x: ((x @ w).tanh() * V).sum(axis=1)  # noqa: E731
    outer = lambda w, x: cr.per_example_grads(f)(w, x).square().sum(axis=(1, 2))  # noqa: E731
    assert_apart(outer, W, X)


def test_clipped_and_noisy_training_is_a_loop_of_ones_own():
    """DP-SGD [Abadi 2016]: no example moves the weights further than the bound."""
    net, loss = network(nn.Tanh()), nn.CrossEntropyLoss()
    gradients = cr.per_example_grads(lambda net, x, y: loss(net(x), y))(net, X, CLASSES)
    squares = sum(g.square().reshape(B, -1).sum(axis=1) for g in gradients.values())
    factor = cr.minimum(1.0, 0.1 / squares.sqrt())
    clipped = {n: g * factor.reshape(B, *(1,) * (g.ndim - 1)) for n, g in gradients.items()}
    lengths = sum(g.square().reshape(B, -1).sum(axis=1) for g in clipped.values()).sqrt().numpy()
    np.testing.assert_allclose(lengths, np.minimum(0.1, squares.sqrt().numpy()), rtol=2.0**-45)


def test_there_is_no_loop_over_examples():
    f = lambda net, x, y: nn.CrossEntropyLoss()(net(x), y)  # noqa: E731
    net = network(nn.Tanh())
    sizes = set()
    for count in (3, 50):
        x, y = numbers(11, count, 4), np.arange(count) % 3
        sizes.add(len(cr.trace(lambda x, y: cr.per_example_grads(f)(net, x, y), x, y).nodes))
    assert len(sizes) == 1
    assert sizes.pop() < 60


def test_equal_graphs_whose_examples_lie_elsewhere_are_told_apart():
    # Graphs are equal whatever their axes are called; what is derived from them is not.
    f = lambda w, x, y: (x * w).sum(axis=1) + (y.mean(axis=0) * w).sum()  # noqa: E731
    w, x = numbers(12, 3), numbers(13, 3, 3)
    for _ in range(2):
        found = cr.per_example_grads(f)(w, x, y=x).numpy()
        np.testing.assert_allclose(found, x + x.mean(axis=0), rtol=0, atol=2.0**-50)
        with pytest.raises(NotDifferentiableError, match="mean mixes them"):
            cr.per_example_grads(f)(w, x, x)


# --- torch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ["Sigmoid", "Tanh", "ReLU", "GELU", "SiLU", "Softmax"])
@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "MSELoss"])
def test_gradients_of_examples_are_torchs(torch, activation, loss, dtype):
    net = network(getattr(nn, activation)(*((1,) if activation == "Softmax" else ())))
    make = getattr(torch.nn, activation)
    layers = (torch.nn.Linear(4, 6), make(*((1,) if activation == "Softmax" else ())),
              torch.nn.Linear(6, 3))  # fmt: skip
    module = torch.nn.Sequential(*layers).double()
    module.load_state_dict({n: torch.tensor(a) for n, a in net.state_dict().items()})
    y = CLASSES if loss == "CrossEntropyLoss" else T
    criterion = getattr(torch.nn, loss)()

    def cost(parameters, x, y):
        output = torch.func.functional_call(module, parameters, (x[None],))
        return criterion(output, y[None])

    parameters = {name: p.detach() for name, p in module.named_parameters()}
    theirs = torch.func.vmap(torch.func.grad(cost), in_dims=(None, 0, 0))(
        parameters, torch.tensor(X), torch.tensor(y)
    )
    ours_loss = getattr(nn, loss)()
    f = lambda net, x, y: ours_loss(net(x), y)  # noqa: E731
    exact = rounding(f, net, (X, y))
    net.astype(dtype)
    x, y = X.astype(dtype), y if y.dtype.kind == "i" else y.astype(dtype)
    found = by_path(cr.per_example_grads(f)(net, x, y))
    assert found.keys() == theirs.keys()
    # In float32 the weights and the data are rounded as well: the same number of roundings again.
    allowed = exact if dtype == "float64" else 2 * rounding(f, net, (x, y))
    for path, gradients in found.items():
        np.testing.assert_allclose(gradients, theirs[path].numpy(), rtol=0, atol=allowed)
