"""L-BFGS beside torch's, beside the dense formula, and where a search can go wrong."""

import inspect
import json
import re

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, NonFiniteError, TrainingError
from chainrule.graph import TensorType, parse_graph
from chainrule.ops import verify
from chainrule.optim.curvature import direction, direction_graph
from chainrule.optim.line_search import Point, strong_wolfe
from chainrule.optim.options import build
from tests.optim.grids import identify

RNG = np.random.default_rng(0)
A, Y = RNG.normal(size=(40, 6)), (RNG.random(40) < 0.5) * 1.0
SQUARES = np.diag([1.0, 3.0, 10.0, 30.0]) + 0.5


def logistic(w, a=A, y=Y):
    z = a @ w
    return (z.softplus() - y * z).mean() + 0.01 * (w * w).sum()


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def torch_minimum(torch, f, x0, **options):
    """torch's point after one call of `step`, and how often it evaluated."""
    p = torch.nn.Parameter(torch.tensor(x0))
    optimizer = torch.optim.LBFGS([p], **options)

    def closure():
        optimizer.zero_grad()
        value = f(p)
        value.backward()
        return value

    optimizer.step(closure)
    return p.detach().numpy(), optimizer.state[p]["func_evals"]


@pytest.mark.parametrize("max_iter", [1, 2, 3, 5, 10, 20, 40])
@pytest.mark.parametrize(
    "options",
    [
        {"line_search_fn": "strong_wolfe"},
        {"line_search_fn": "strong_wolfe", "history_size": 2, "lr": 0.3},
        {"line_search_fn": "strong_wolfe", "lr": 20.0},
        {"lr": 0.5},
        {"lr": 0.5, "history_size": 3},
        {"lr": 0.5, "tolerance_grad": 1e-3},
        {"lr": 0.5, "tolerance_change": 1e-4},
    ],
    ids=identify,
)
def test_logistic_regression_goes_torchs_way(torch, options, max_iter):
    a, y = torch.tensor(A), torch.tensor(Y)

    def theirs(w):
        z = a @ w
        cost = torch.nn.functional.softplus(z, threshold=1e9) - y * z
        return cost.mean() + 0.01 * (w * w).sum()

    options = options | {"max_iter": max_iter}
    found = optim.LBFGS(**options).minimize(logistic, np.ones(6))
    x, evaluations = torch_minimum(torch, theirs, np.ones(6), **options)
    np.testing.assert_allclose(found.x, x, rtol=1e-12, atol=1e-12)
    # Without a search torch leaves out the evaluation after the last step.
    left_out = "line_search_fn" not in options and found.iterations == max_iter
    assert found.evaluations == evaluations + left_out


@pytest.mark.parametrize("max_iter", [1, 2, 5, 10, 15, 20])
@pytest.mark.parametrize("max_eval", [None, 7, 1000])
def test_rosenbrock_goes_torchs_way(torch, max_iter, max_eval):
    options = {"max_iter": max_iter, "max_eval": max_eval, "line_search_fn": "strong_wolfe"}
    found = optim.LBFGS(**options).minimize(rosenbrock, np.array([-1.2, 1.0]))
    x, evaluations = torch_minimum(torch, rosenbrock, np.array([-1.2, 1.0]), **options)
    np.testing.assert_allclose(found.x, x, rtol=1e-12, atol=1e-12)
    assert found.evaluations == evaluations


def test_arguments_are_torchs(torch):
    ours = inspect.signature(optim.LBFGS).parameters
    theirs = inspect.signature(torch.optim.LBFGS).parameters
    assert [(n, p.default) for n, p in ours.items()] == [
        (n, p.default) for n, p in theirs.items() if n != "params"
    ]


def test_direction_is_that_of_the_dense_inverse():
    """Nocedal and Wright 2006, eq. 6.17: H ← (I - ρ·s·yᵀ)·H·(I - ρ·y·sᵀ) + ρ·s·sᵀ."""
    steps, changes = RNG.normal(size=(5, 4)), None
    changes = steps @ SQUARES
    g, scale = RNG.normal(size=4), 0.3
    h = scale * np.eye(4)
    for s, y in zip(steps, changes, strict=True):
        left = np.eye(4) - np.outer(s, y) / (y @ s)
        h = left @ h @ left.T + np.outer(s, s) / (y @ s)
    np.testing.assert_allclose(direction(g, [*steps], [*changes], scale), -h @ g, rtol=1e-10)


def test_direction_graph_is_data(golden):
    graph = direction_graph(TensorType.parse("f64[3]"), 2)
    verify(graph)
    assert parse_graph(str(graph)) == graph
    golden("optim/lbfgs", f"{graph}\n")


# The least curvature is more than 1, so x is no further from the minimum than the gradient is long.
# A search sees values, whose differences round away where the gradient is below 1e-8 or 1e-4.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-3), ("float64", 1e-7)])
def test_quadratic_ends_at_its_minimum(dtype, tolerance):
    lbfgs = optim.LBFGS(
        max_iter=50,
        tolerance_grad=tolerance,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
    found = lbfgs.minimize(
        lambda x: 0.5 * (x @ (SQUARES.astype(dtype) @ x)) - x.sum(), np.zeros(4, dtype)
    )
    assert found.reason == "small gradient"
    assert found.x.dtype == dtype
    exact = np.linalg.solve(SQUARES, np.ones(4))
    assert np.linalg.norm(found.x - exact) < 2 * 2 * tolerance


@pytest.mark.parametrize(
    ("phi", "slope"),
    [
        (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
        (lambda t: t - 50 * np.log(t + 0.01), lambda t: 1 - 50 / (t + 0.01)),
        (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),
        (lambda t: np.sin(t) - 2 * t + t * t / 5, lambda t: np.cos(t) - 2 + 2 * t / 5),
        # Not a number beyond 2.
        (lambda t: -np.sqrt(2 - t) - 3 * t, lambda t: 0.5 / np.sqrt(2 - t) - 3),
    ],
    ids=["square", "logarithm", "Moré and Thuente", "wave", "root"],
)
@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1e3])
def test_search_ends_where_both_conditions_hold(phi, slope, first):
    def at(t):
        with np.errstate(invalid="ignore"):
            value, rise = float(phi(t)), float(slope(t))
        return Point(t, np.inf if np.isnan(value) else value, rise, np.array([rise]))

    start = at(0.0)
    assert start.slope < 0
    found = strong_wolfe(at, start, first, size=1.0, tolerance=1e-12, tries=60)
    if first == 1e3:
        assert found.value < start.value  # and that may be all
        return
    assert found.value <= start.value + 1e-4 * found.t * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope)


def test_search_steps_back_from_where_there_is_no_value():
    # log x: a first step of 20 leads below 0.
    found = optim.LBFGS(lr=20.0, max_iter=50, line_search_fn="strong_wolfe").minimize(
        lambda x: (4 * x - x.log()).sum(), np.array([0.6])
    )
    np.testing.assert_allclose(found.x, [0.25], atol=1e-6)


def test_search_ends_where_its_bracket_has_closed():
    # Nothing but 0 is low: the bracket closes on it, to the last bit, and no tolerance ends it.
    def at(t):
        return Point(t, 0.0 if t == 0 else 1.0, -1.0, np.array([-1.0]))

    assert strong_wolfe(at, at(0.0), 1.0, size=1.0, tolerance=0.0, tries=5000).t == 0.0


def test_memory_goes_on():
    lbfgs = optim.LBFGS(lr=0.5, max_iter=9)
    whole = lbfgs.minimize(logistic, np.ones(6))
    first = optim.LBFGS(lr=0.5, max_iter=4).minimize(logistic, np.ones(6))
    second = optim.LBFGS(lr=0.5, max_iter=5).minimize(logistic, first.x, memory=first.memory)
    assert second.x.tolist() == whole.x.tolist()
    assert second.value == whole.value
    assert len(second.memory.steps) == 8


def test_history_is_as_long_as_it_may_be():
    found = optim.LBFGS(lr=0.5, max_iter=9, history_size=3).minimize(logistic, np.ones(6))
    assert len(found.memory.steps) == len(found.memory.changes) == 3


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_iter": 3, "max_eval": 9}, "max_iter"),
        ({"max_eval": 3}, "max_eval"),
        ({"max_iter": 50, "tolerance_grad": 1e-2}, "small gradient"),
        ({"max_iter": 50, "tolerance_change": 1e-8}, "small change"),
        ({"max_iter": 50, "tolerance_change": 1e-5}, "small slope"),
    ],
)
def test_reasons(options, reason):
    lbfgs = optim.LBFGS(line_search_fn="strong_wolfe", **options)
    assert lbfgs.minimize(logistic, np.ones(6)).reason == reason


def test_tree_keeps_its_structure():
    def f(p):
        return (p["a"][0] - 2) ** 2 + ((p["b"] - 1) ** 2).sum()

    start = {"a": [0.0], "b": np.zeros((2, 3), np.float32)}
    found = optim.LBFGS(line_search_fn="strong_wolfe").minimize(f, start)
    np.testing.assert_allclose(found.x["a"][0], 2, atol=1e-4)
    np.testing.assert_allclose(found.x["b"], np.ones((2, 3)), atol=1e-4)
    assert found.x["b"].dtype == np.float32
    assert start["a"] == [0.0]


def test_network_is_trained_in_place():
    net = nn.Sequential(nn.Linear(6, 3), nn.Tanh(), nn.Linear(3, 1))
    net.initialize(seed=1)
    net[0].bias.requires_grad = False
    before = {path: p.numpy() for path, p in net.named_parameters()}
    loss = lambda net: (net(A)[:, 0] - Y).square().mean()  # noqa: E731
    found = optim.LBFGS(max_iter=60, line_search_fn="strong_wolfe").minimize(loss, net)
    assert found.x is net
    assert loss(net).item() == pytest.approx(found.value)
    assert found.value < 0.1
    assert (net[0].bias.numpy() == before["0.bias"]).all()
    assert not (net[0].weight.numpy() == before["0.weight"]).any()


def test_parameters_stay_where_they_are_if_the_function_fails():
    net = nn.Linear(6, 1)
    net.initialize(seed=1)
    calls = []

    def loss(net):
        calls.append(net.weight.numpy())
        if len(calls) == 4:
            raise RuntimeError("out of paper")
        return (net(A)[:, 0] - Y).square().mean()

    with pytest.raises(RuntimeError, match="out of paper"):
        optim.LBFGS(lr=0.1).minimize(loss, net)
    assert (net.weight.numpy() == calls[-2]).all()


def test_configuration_comes_back():
    lbfgs = optim.LBFGS(lr=2, max_eval=7, line_search_fn="strong_wolfe")
    stored = json.loads(json.dumps(lbfgs.configuration()))
    again = build(optim.MINIMIZERS, "LBFGS", stored)
    assert again.configuration() == lbfgs.configuration()
    assert repr(again) == "LBFGS(lr=2.0, max_eval=7, line_search_fn='strong_wolfe')"


@pytest.mark.parametrize(
    ("f", "x0", "kind", "message"),
    [
        (
            lambda x: (x.exp() * 1e3).sum(),
            np.array([800.0]),
            NonFiniteError,
            (
                "LBFGS minimizes functions that are finite; the value at the start is not. "
                "Begin elsewhere."
            ),
        ),
        (
            lambda x: (4 * x - x.log()).sum(),
            np.array([0.1]),
            NonFiniteError,
            (
                "LBFGS minimizes functions that are finite; the value after step 3 is not. "
                'Take a smaller lr, or line_search_fn="strong_wolfe".'
            ),
        ),
        (
            lambda x: x,
            {},
            TrainingError,
            (
                "There is nothing to minimize over: the start holds no numbers. "
                "Pass arrays, or a network that is not frozen."
            ),
        ),
    ],
    ids=["start", "later", "nothing"],
)
def test_function_that_cannot_be_minimized(f, x0, kind, message):
    with np.errstate(all="ignore"), pytest.raises(kind, match=f"^{re.escape(message)}$"):
        optim.LBFGS(lr=1.0).minimize(f, x0)


def test_fit_does_not_take_it():
    with pytest.raises(ConfigurationError) as caught:
        cr.fit(nn.Linear(6, 1), A, Y[:, None], optimizer=optim.LBFGS(), progress=False)
    assert str(caught.value) == (
        "fit updates batch by batch; LBFGS minimises a function of all examples. "
        "Call LBFGS(...).minimize(f, net), f being the loss of all examples."
    )
