"""Mistakes of published teaching code, and three well-known wrong backpropagations, are named.

One of the seven is in no number of a step: an accuracy that is counted too narrowly (4). It is the
doctor's.
"""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import TargetError
from chainrule.data.worked import worked_example
from tests.worked.networks import build

RNG = np.random.default_rng(2)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def small(*layers):
    return nn.Sequential(*layers).astype("float64").initialize(seed=1)


def arrays(net):
    return [np.asarray(value, float) for value in net.state_dict().values()]


@pytest.fixture
def plane():
    """Points in the plane, a network 2-3-1 on them, and its values."""
    net = small(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
    x = np.array([[0.7, -0.9], [0.1, -0.6], [-0.8, -0.6], [-0.6, 0.2]])
    y = np.array([[0.0], [0.0], [1.0], [1.0]])
    w1, b1, w2, b2 = arrays(net)
    a1 = sigmoid(x @ w1.T + b1)
    return net, x, y, a1, sigmoid(a1 @ w2.T + b2), w2


def test_1_labels_out_of_reach_are_refused(plane):
    net, x, y, *_ = plane
    with pytest.raises(TargetError, match="The targets go from -1 to 1, but the last layer is"):
        cr.check(net, x, 2 * y - 1, loss=nn.MSELoss(), mine={"2.bias": [0.0]})


def test_2_no_update_is_made(plane):
    net, x, y, *_ = plane
    mine = {f"next.{name}": np.asarray(value) for name, value in net.state_dict().items()}
    found = cr.check(net, x, y, loss=nn.MSELoss(), learning_rate=0.1, mine=mine)
    assert found.causes[0].title == "no update is made in every layer"
    # Gradients that are 0 make none, either.
    assert set(found.mistakes) == {"no-update", "never-written", "cut-to-integers"}


def test_3_squares_are_printed_and_the_error_is_that_of_cross_entropy(plane):
    net, x, y, a1, a2, _ = plane
    error = (a2 - y) / 4
    mine = {"2.weight": error.T @ a1, "2.bias": error.sum(axis=0), "loss": ((a2 - y) ** 2).mean()}
    found = cr.check(net, x, y, loss=nn.MSELoss(), mine=mine)
    assert [row.is_right for row in found.rows] == [False, False, True]
    assert found.mistakes == ("error-of-cross-entropy",)


def test_5_a_bias_gradient_not_summed_is_right_for_one_sample_and_named_for_more(plane):
    net, x, y, *_, a2, _ = plane
    error = 2 * (a2 - y) * a2 * (1 - a2)
    assert cr.check(net, x[:1], y[:1], loss=nn.MSELoss(), mine={"2.bias": error[0]})
    found = cr.check(net, x, y, loss=nn.MSELoss(), mine={"2.bias": error[-1]})
    assert set(found.mistakes) == {"bias-of-one-sample", "one-sample"}


def test_7_the_loss_is_the_last_samples_alone(plane):
    net, x, y, _, a2, _ = plane
    mine = {"loss": float((a2[-1, 0] - y[-1, 0]) ** 2)}
    found = cr.check(net, x, y, loss=nn.MSELoss(), mine=mine)
    assert "loss-of-one-sample" in found.mistakes
    assert found.is_whole


# --- 6, and three well-known wrong ones -----------------------------------------------------------


def steps_of_the_popular_write_up(w, steps):
    """The 2-2-2 network with w5 to w8 updated before w1 to w4, in plain Python."""
    i1, i2, t1, t2, b1, b2, rate = 0.05, 0.10, 0.01, 0.99, 0.35, 0.60, 0.5
    for _ in range(steps):
        h1 = 1 / (1 + math.exp(-(w[0] * i1 + w[1] * i2 + b1)))
        h2 = 1 / (1 + math.exp(-(w[2] * i1 + w[3] * i2 + b1)))
        o1 = 1 / (1 + math.exp(-(w[4] * h1 + w[5] * h2 + b2)))
        o2 = 1 / (1 + math.exp(-(w[6] * h1 + w[7] * h2 + b2)))
        d1, d2 = (o1 - t1) * o1 * (1 - o1), (o2 - t2) * o2 * (1 - o2)
        w = [
            *w[:4],
            w[4] - rate * d1 * h1, w[5] - rate * d1 * h2,
            w[6] - rate * d2 * h1, w[7] - rate * d2 * h2,
        ]  # fmt: skip
        e1 = (d1 * w[4] + d2 * w[6]) * h1 * (1 - h1)
        e2 = (d1 * w[5] + d2 * w[7]) * h2 * (1 - h2)
        w = [
            w[0] - rate * e1 * i1, w[1] - rate * e1 * i2,
            w[2] - rate * e2 * i1, w[3] - rate * e2 * i2,
            *w[4:],
        ]  # fmt: skip
    return w


def as_layers(w):
    return {"0.weight": np.reshape(w[:4], (2, 2)), "2.weight": np.reshape(w[4:], (2, 2))}


@pytest.fixture
def two_two_two():
    example = worked_example("2-2-2")
    net = build(example)
    start = [*net.state_dict()["0.weight"].ravel(), *net.state_dict()["2.weight"].ravel()]
    return net, np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]]), [float(w) for w in start]


def error_of(net, x, y):
    trace = cr.explain(net, x, y, loss=nn.QuadraticLoss(), backend="numpy")
    return float(trace.values[trace.graph.labels["loss"]])


def test_6_the_wrong_published_figures_are_those_of_updating_first(two_two_two):
    net, x, y, start = two_two_two
    w = steps_of_the_popular_write_up(start, 1)
    mine = {f"next.{name}": value for name, value in as_layers(w).items()}
    options = {"loss": nn.QuadraticLoss(), "learning_rate": 0.5}
    found = cr.check(net, x, y, mine=mine, **options)
    assert found.mistakes == ("updated-weights",)
    net.load_state_dict({**net.state_dict(), **as_layers(w)})
    assert f"{error_of(net, x, y):.9f}" == "0.291027924"
    # And its gradients, as the write-up would hand them in.
    net, *_ = build(worked_example("2-2-2")), x
    gradients = {k: (before - v) / 0.5 for (k, v), before in zip(
        as_layers(w).items(), as_layers(start).values(), strict=True)}  # fmt: skip
    assert cr.check(net, x, y, mine=gradients, **options).mistakes == ("updated-weights",)


def test_6_ten_thousand_steps_of_updating_first_give_the_published_error(two_two_two):
    net, x, y, start = two_two_two
    w = steps_of_the_popular_write_up(start, 10_000)
    net.load_state_dict({**net.state_dict(), **as_layers(w)})
    assert f"{error_of(net, x, y):.9f}" == "0.000035085"


def vectorised(w1, b1, w2, b2, x, y):
    """Columns are examples, as in the well-known course; with 1 - Z² in the place of 1 - A²."""
    m = x.shape[1]
    z1 = w1 @ x + b1
    a1 = np.tanh(z1)
    a2 = sigmoid(w2 @ a1 + b2)
    dz2 = a2 - y
    dw2 = dz2 @ a1.T / m
    db2 = np.sum(dz2, axis=1, keepdims=True) / m
    dz1 = (w2.T @ dz2) * (1 - np.power(z1, 2))
    return {
        "0.weight": dz1 @ x.T / m,
        "0.bias": np.sum(dz1, axis=1, keepdims=True) / m,
        "2.weight": dw2,
        "2.bias": db2,
    }


def test_vectorised_columns_with_the_slope_of_the_weighted_sum():
    net = small(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())
    x, y = RNG.normal(size=(6, 2)), (RNG.random((6, 1)) > 0.5).astype(float)
    w1, b1, w2, b2 = arrays(net)
    mine = vectorised(w1, b1[:, None], w2, b2[:, None], x.T, y.T)
    mine = {name: value.reshape(net.state_dict()[name].shape) for name, value in mine.items()}
    found = cr.check(net, x, y, loss=nn.BCELoss(), mine=mine)
    assert found.mistakes == ("derivative-formula-at-sum",)


class Number:
    """A number that knows what it was made of; its gradient is assigned where it is to be added."""

    def __init__(self, value, parents=(), slopes=()):
        self.value, self.parents, self.slopes, self.grad = value, parents, slopes, 0.0

    def __add__(self, other):
        return Number(self.value + other.value, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return Number(self.value * other.value, (self, other), (other.value, self.value))

    def tanh(self):
        y = math.tanh(self.value)
        return Number(y, (self,), (1 - y * y,))

    def half_square(self):
        return Number(0.5 * self.value**2, (self,), (self.value,))

    def backward(self):
        order, seen = [], set()

        def visit(number):
            if number not in seen:
                seen.add(number)
                for parent in number.parents:
                    visit(parent)
                order.append(number)

        visit(self)
        self.grad = 1.0
        for number in reversed(order):
            for parent, slope in zip(number.parents, number.slopes, strict=True):
                parent.grad = slope * number.grad  # and += is what it takes


def test_a_scalar_engine_that_assigns_gradients():
    net = small(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
    x, y = np.array([[0.5, -1.0]]), np.array([[1.0, 0.0]])
    p = {name: np.vectorize(Number)(value) for name, value in net.state_dict().items()}

    def layer(name, inputs):
        sums = []
        for row, bias in zip(p[f"{name}.weight"], p[f"{name}.bias"], strict=True):
            total = bias
            for w, a in zip(row, inputs, strict=True):
                total = total + w * a
            sums.append(total)
        return sums

    hidden = [z.tanh() for z in layer("0", [Number(v) for v in x[0]])]
    apart = [z + Number(-t) for z, t in zip(layer("2", hidden), y[0], strict=True)]
    (apart[0].half_square() + apart[1].half_square()).backward()
    mine = {name: np.vectorize(lambda n: n.grad)(value) for name, value in p.items()}
    found = cr.check(net, x, y, loss=nn.QuadraticLoss(), mine=mine)
    assert found.mistakes == ("error-of-one-unit",)


def test_a_mean_over_outputs_is_missed_only_where_the_cost_takes_one():
    """With as many outputs as examples nothing else tells it from the mean over the batch."""
    x, y = np.linspace(-1, 1, 12).reshape(4, 3), np.eye(4)
    net = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid())
    net.initialize(seed=0)
    for loss, named in [
        (nn.QuadraticLoss(), {"missing-mean"}),
        (nn.MSELoss(), {"missing-mean", "missing-mean-over-outputs"}),
    ]:
        trace = cr.explain(net, x, y, loss=loss, backend="numpy")
        mine = {
            f"0.{name}": 4 * trace.values[trace.graph.find(f"d_0.{name}")]
            for name in ("weight", "bias")
        }
        assert set(cr.check(net, x, y, loss=loss, mine=mine).mistakes) == named
