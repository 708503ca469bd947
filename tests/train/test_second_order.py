"""Losses made of a network's gradients in its input: second order, inside training."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.testing import check_gradients
from chainrule.train.plan import Plan
from tests.train.nets import same


def numbers(seed, *shape):
    return np.random.Generator(np.random.Philox(seed)).normal(size=shape)


def mlp(inputs, activation="Tanh", outputs=1):
    layers = [nn.Linear(inputs, 8), getattr(nn, activation)(), nn.Linear(8, 8)]
    return nn.Sequential(*layers, getattr(nn, activation)(), nn.Linear(8, outputs))


class WithSlopes(nn.Module):
    """A network, and its derivatives in its input: it is called once."""

    def __init__(self, net):
        self.net = net

    def forward(self, x):
        def total(x):
            y = self.net(x)
            return y.sum(), y  # examples do not mix: each has its own slope

        slopes, y = cr.grad(total, has_aux=True)(x)
        return y[:, 0], slopes


def penalised(output, target):
    """A critic's cost, and how far its slopes are from length 1 [Gulrajani 2017]."""
    score, slopes = output
    length = (slopes.square().sum(axis=1) + 1e-12).sqrt()
    return target * score + 10.0 * (length - 1.0).square()


X = numbers(1, 40, 3)
SIGNS = np.where(X[:, 0] + 0.3 * numbers(2, 40) > 0, 1.0, -1.0)
# Some 200 roundings on the longest way (three layers forward, back, and back again, sums of up to
# 40), of values below 2**6.
ALLOWED = 200 * 2.0**-53 * 2.0**6
SMOOTH = ["Tanh", "Sigmoid", "Softplus", "GELU", "SiLU"]


@pytest.mark.parametrize("activation", SMOOTH)
def test_the_parameters_gradients_are_what_differences_say(activation):
    net = WithSlopes(mlp(3, activation)).astype("float64").initialize(0)
    f = lambda x: penalised(net(x), SIGNS[:4]).mean()  # noqa: E731
    # The parameters are captured, and are checked with x: per element, within a derived bound.
    report = check_gradients(f, [X[:4]], elements=12)
    assert report.elements >= 12 * 3


def test_second_derivatives_through_a_penalty_are_what_differences_say():
    net = WithSlopes(mlp(2)).astype("float64").initialize(0)
    f = lambda x: penalised(net(x), SIGNS[:2]).mean()  # noqa: E731
    check_gradients(f, [X[:2, :2]], order=2, elements=3)


@pytest.mark.parametrize("activation", [*SMOOTH, "ReLU"])
def test_the_parameters_gradients_are_those_of_torchs_double_backward(torch, activation):
    net = WithSlopes(mlp(3, activation)).astype("float64").initialize(0)
    make = getattr(torch.nn, activation)
    layers = [torch.nn.Linear(3, 8), make(), torch.nn.Linear(8, 8), make(), torch.nn.Linear(8, 1)]
    module = torch.nn.Sequential(*layers).double()
    state = {n.removeprefix("net."): torch.tensor(a) for n, a in net.state_dict().items()}
    module.load_state_dict(state)

    x = torch.tensor(X, requires_grad=True)
    score = module(x)[:, 0]
    (slopes,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    length = (slopes.square().sum(dim=1) + 1e-12).sqrt()
    cost = (torch.tensor(SIGNS) * score + 10.0 * (length - 1.0).square()).mean()
    theirs = torch.autograd.grad(cost, list(module.parameters()), allow_unused=True)

    value, ours = cr.value_and_grad(lambda net: penalised(net(X), SIGNS).mean())(net)
    assert abs(value.item() - cost.item()) <= ALLOWED
    for (name, gradient), expected in zip(ours.items(), theirs, strict=True):
        # torch has None where a bias does not matter, as the last one's to a slope.
        wanted = np.zeros(gradient.shape) if expected is None else expected.numpy()
        np.testing.assert_allclose(gradient.numpy(), wanted, rtol=0, atol=ALLOWED, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loop_by_hand_has_the_bits_of_fit(dtype):
    told = {"loss": penalised, "batch_size": 8, "epochs": 3, "seed": 5, "dtype": dtype}
    told["backend"] = "numpy"  # as Tensors are
    run = cr.fit(WithSlopes(mlp(3)), X, SIGNS, optimizer=optim.Adam(lr=0.01), **told)

    net, adam = WithSlopes(mlp(3)).astype(dtype).initialize(5), optim.Adam(lr=0.01)
    x, t = X.astype(dtype), SIGNS.astype(dtype)
    plan = Plan(len(X), batch_size=8, seed=5)
    for epoch in range(3):
        for update in range(plan.updates_per_epoch):
            (rows,) = plan.batches(epoch, update)
            cost = lambda net, rows=rows: nn.weighted_mean(  # noqa: E731
                penalised(net(x[rows]), t[rows]), None
            )
            adam.update(net, cr.grad(cost)(net))
    assert same(net.state_dict(), run.net.state_dict())


def test_a_penalty_written_beside_the_network_in_a_loop_of_ones_own_is_the_same():
    net = WithSlopes(mlp(3)).astype("float64").initialize(0)

    def beside(net):
        score = net.net(X)[:, 0]
        slopes = cr.grad(lambda x: net.net(x).sum())(X)
        return penalised((score, slopes), SIGNS).mean()

    (a, d_a), (b, d_b) = (
        cr.value_and_grad(f)(net) for f in (beside, lambda net: penalised(net(X), SIGNS).mean())
    )
    assert a.item() == b.item()
    # The network is run twice, and what both runs add to a gradient is added in another order.
    for name, d in d_a.items():
        np.testing.assert_allclose(d.numpy(), d_b[name].numpy(), rtol=0, atol=ALLOWED)


def test_a_penalty_brings_slopes_to_length_one():
    def lengths(weight):
        loss = lambda out, t: penalised(out, t) if weight else t * out[0]  # noqa: E731
        net = WithSlopes(mlp(3))
        cr.fit(net, X, SIGNS, loss=loss, optimizer=optim.Adam(lr=0.01), epochs=60, batch_size=20,
               seed=0)  # fmt: skip
        return np.sqrt(np.square(net.predict(X)[1]).sum(axis=1))

    held, free = lengths(10.0), lengths(0.0)
    assert abs(held - 1).mean() < 0.1
    assert abs(free - 1).mean() > 1.0


def test_training_on_slopes_learns_a_function_from_few_points():
    """Sobolev training [Czarnecki 2017]: targets are values and derivatives, here of sin."""
    x = np.linspace(-3, 3, 9)[:, None]
    target = np.concatenate([np.sin(x), np.cos(x)], axis=1)
    between = np.linspace(-3, 3, 50)[:, None]

    def error(weight):
        def loss(output, target):
            y, slopes = output
            return (y - target[:, 0]).square() + weight * (slopes[:, 0] - target[:, 1]).square()

        net = WithSlopes(mlp(1))
        cr.fit(net, x, target, loss=loss, optimizer=optim.Adam(lr=0.01), epochs=400, batch_size=9,
               seed=0, dtype="float64")  # fmt: skip
        return abs(net.predict(between)[0] - np.sin(between[:, 0])).max()

    assert error(weight=1.0) < 0.05
    assert error(weight=1.0) < 0.5 * error(weight=0.0)


class Oscillator(nn.Module):
    """u(t), and what is left of the equation u'' = -u, at each t."""

    def __init__(self):
        self.net = mlp(1)

    def forward(self, t):
        u = lambda t: self.net(t).sum()  # noqa: E731
        slope = lambda t: cr.grad(u)(t)  # noqa: E731
        curvature = cr.grad(lambda t: slope(t).sum())(t)
        return self.net(t)[:, 0], slope(t)[:, 0], curvature[:, 0]


def equation(output, target):
    """[Raissi 2019]: u'' + u = 0 everywhere, u = 0 and u' = 1 where the target says it begins."""
    u, slope, curvature = output
    begins = target[:, 0]
    return (curvature + u).square() + 20.0 * begins * (u.square() + (slope - 1.0).square())


def test_an_equation_with_second_derivatives_is_solved():
    t = np.linspace(0, 2, 21)[:, None]
    begins = (t == 0).astype(float)
    net = Oscillator()
    cr.fit(net, t, begins, loss=equation, optimizer=optim.Adam(lr=0.01), epochs=800, batch_size=21,
           seed=0, dtype="float64")  # fmt: skip
    assert abs(net.predict(t)[0] - np.sin(t[:, 0])).max() < 0.02


def test_third_derivatives_in_the_parameters_are_what_differences_say():
    net = Oscillator().astype("float64").initialize(0)
    t = np.array([[0.0], [0.7], [1.9]])
    check_gradients(lambda t: equation(net(t), (t < 0.1).astype("float64")).mean(), [t], elements=6)


def test_a_penalty_per_example_has_gradients_per_example():
    net = WithSlopes(mlp(3)).astype("float64").initialize(0)
    f = lambda net, x, t: penalised(net(x), t)  # noqa: E731
    found = cr.per_example_grads(f)(net, X, SIGNS)
    for i in (0, 7, 39):
        one = cr.grad(lambda net, i=i: f(net, X[i : i + 1], SIGNS[i : i + 1]).sum())(net)
        for name, gradient in one.items():
            np.testing.assert_allclose(
                found[name].numpy()[i], gradient.numpy(), rtol=0, atol=ALLOWED
            )


class Sensitive(nn.Module):
    """A network, and the squared length of each example's gradient in the weights."""

    def __init__(self):
        self.net = mlp(3)

    def forward(self, x):
        costs = lambda net, x: net(x).square().sum(axis=1)  # noqa: E731
        each = cr.per_example_grads(costs)(self.net, x)
        lengths = [g.reshape(len(x), -1).square().sum(axis=1) for g in each.values()]
        return self.net(x)[:, 0], sum(lengths)


def test_gradients_of_examples_train_inside_a_network():
    net = Sensitive()
    run = cr.fit(net, X, np.sin(X[:, 0]), optimizer=optim.Adam(lr=0.01), epochs=10, batch_size=8,
                 loss=lambda out, t: (out[0] - t).square() + 0.01 * out[1], seed=0)  # fmt: skip
    assert run.history["loss"][-1] < 0.5 * run.history["loss"][0]
    assert net.predict(X)[1].shape == (40,)
    net.astype("float64")
    check_gradients(lambda x: net(x)[1].mean(), [X[:3]], elements=6)
