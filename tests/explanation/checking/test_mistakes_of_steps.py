"""Mistakes with what an optimiser does with gradients, each made by hand in NumPy, are named."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim

RNG = np.random.default_rng(6)
X = RNG.normal(size=(5, 4))
Y = RNG.random(size=(5, 3))


def step_of(optimizer, epochs=0):
    """A network, its weights and gradients, after so many steps."""
    net = nn.Sequential(nn.Linear(4, 3)).astype("float64").initialize(seed=0)
    if epochs:
        cr.fit(
            net, X, Y, loss=nn.QuadraticLoss(), optimizer=optimizer, epochs=epochs, batch_size=5,
            dtype="float64", progress=False,
        )  # fmt: skip
    w, b = (np.asarray(value, float) for value in net.state_dict().values())
    error = (X @ w.T + b - Y) / 5
    return net, {"weight": w, "bias": b}, {"weight": error.T @ X, "bias": error.sum(axis=0)}


def checked(net, mine, optimizer):
    mine = {f"next.0.{name}": value for name, value in mine.items()}
    return cr.check(net, X, Y, loss=nn.QuadraticLoss(), optimizer=optimizer, mine=mine)


def names(net, mine, optimizer):
    found = checked(net, mine, optimizer)
    assert not found
    assert found.is_whole
    return set(found.mistakes)


def test_the_learning_rate_in_gradient_and_step():
    optimizer = optim.SGD(lr=0.3)
    net, p, d = step_of(optimizer)
    assert checked(net, {k: p[k] - 0.3 * d[k] for k in p}, optimizer)
    mine = {k: p[k] - 0.3 * (0.3 * d[k]) for k in p}
    assert names(net, mine, optimizer) == {"learning-rate-twice"}


def test_a_velocity_that_is_a_mean():
    optimizer = optim.SGD(lr=0.1, momentum=0.9)
    net, p, d = step_of(optimizer, epochs=2)
    v = {k: optimizer.state[f"0.{k}:momentum_buffer"] for k in p}
    mine = {k: p[k] - 0.1 * (0.9 * v[k] + (1 - 0.9) * d[k]) for k in p}
    assert names(net, mine, optimizer) == {"momentum-averaged"}


def adam(p, d, new=(0.1, 0.001), epsilon=1e-8, is_in_root=False):
    """The first step of Adam [Kingma and Ba 2015, algorithm 1]."""
    found = {}
    for k, w in p.items():
        m, v = new[0] * d[k] / (1 - 0.9), new[1] * d[k] ** 2 / (1 - 0.999)
        below = np.sqrt(v + epsilon) if is_in_root else np.sqrt(v) + epsilon
        found[k] = w - 0.1 * m / below
    return found


@pytest.mark.parametrize(("new", "slot"), [((1.0, 0.001), "exp_avg"), ((0.1, 1.0), "exp_avg_sq")])
def test_an_average_that_takes_all_of_what_is_new(new, slot):
    optimizer = optim.Adam(lr=0.1)
    net, p, d = step_of(optimizer)
    assert checked(net, adam(p, d), optimizer)
    found = checked(net, adam(p, d, new), optimizer)
    assert f"1 - β is missing in the average ({slot})" in [c.title for c in found.causes]


def test_epsilon_under_the_root():
    optimizer = optim.Adam(lr=0.1, eps=1e-4)
    net, p, d = step_of(optimizer)
    assert checked(net, adam(p, d, epsilon=1e-4), optimizer)
    mine = adam(p, d, epsilon=1e-4, is_in_root=True)
    assert names(net, mine, optimizer) == {"epsilon-in-root"}


# --- clipping -------------------------------------------------------------------------------------


def norm(d):
    return np.sqrt(sum((each**2).sum() for each in d.values()))


CLIPPED = {
    "by norm": lambda d: {k: each * min(0.05 / norm(d), 1) for k, each in d.items()},
    "by value": lambda d: {k: np.clip(each, -0.05, 0.05) for k, each in d.items()},
    "one by one": lambda d: {k: each * min(0.05 / norm({k: each}), 1) for k, each in d.items()},
    "not": lambda d: d,
}


@pytest.mark.parametrize(
    ("option", "how", "name"),
    [
        ("clip_norm", "not", "clipping-forgotten"),
        ("clip_norm", "by value", "clipped-by-value"),
        ("clip_norm", "one by one", "clipped-one-by-one"),
        ("clip_value", "not", "clipping-forgotten"),
        ("clip_value", "by norm", "clipped-by-norm"),
    ],
)
def test_clipping(option, how, name):
    optimizer = optim.SGD(lr=0.1, **{option: 0.05})
    net, p, d = step_of(optimizer)
    right, wrong = (CLIPPED[each](d) for each in (option.replace("clip_", "by "), how))
    assert np.abs(norm(right) - norm(wrong)) > 0.01
    # Of the norm 10⁻⁶ is no part here, as in textbooks: it is the sixth digit.
    mine = {k: np.round(p[k] - 0.1 * right[k], 6) for k in p}
    assert checked(net, mine, optimizer)
    mine = {k: np.round(p[k] - 0.1 * wrong[k], 6) for k in p}
    assert names(net, mine, optimizer) == {name}
