"""Mistakes with particular layers, costs and optimisers, each made by hand in NumPy, are named."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim

RNG = np.random.default_rng(1)
X = RNG.normal(size=(5, 4))
LABELS = np.array([0, 2, 1, 1, 0])
ONE_HOT = np.eye(3)[LABELS]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z, axis=-1):
    powers = np.exp(z - z.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def made(*layers, seed=0):
    return nn.Sequential(*layers).astype("float64").initialize(seed=seed)


def arrays(net):
    return [np.asarray(value, float) for value in net.state_dict().values()]


def names_of(net, y, mine, x=X, **options):
    found = cr.check(net, x, y, mine=mine, **options)
    assert not found
    assert found.is_whole, [row for row in found.rows if not row.is_right]
    return set(found.mistakes)


# --- costs ----------------------------------------------------------------------------------------


@pytest.fixture
def classifier():
    """One layer, so that an error is seen in the gradient of its bias: z = x Wᵀ + b."""
    net = made(nn.Linear(4, 3))
    w, b = arrays(net)
    return net, X @ w.T + b


def gradients(error, name="0"):
    return {f"{name}.weight": error.T @ X, f"{name}.bias": error.sum(axis=0)}


def test_softmax_and_cross_entropy_by_hand_are_right(classifier):
    net, z = classifier
    mine = gradients((softmax(z) - ONE_HOT) / 5)
    assert cr.check(net, X, LABELS, loss=nn.CrossEntropyLoss(), mine=mine)


def test_quadratic_error_with_cross_entropy(classifier):
    net, z = classifier
    mine = gradients((z - ONE_HOT) / 5)
    assert names_of(net, LABELS, mine, loss=nn.CrossEntropyLoss()) == {"error-of-quadratic"}


def test_slope_beside_an_error_that_has_cancelled_it(classifier):
    net, z = classifier
    p = softmax(z)
    mine = gradients((p - ONE_HOT) * p * (1 - p) / 5)
    assert names_of(net, LABELS, mine, loss=nn.CrossEntropyLoss()) == {"extra-derivative"}


def test_softmax_in_front_of_a_cost_that_has_it_inside(classifier):
    net, z = classifier
    p = softmax(z)
    d_p = (softmax(p) - ONE_HOT) / 5
    mine = gradients(p * (d_p - (d_p * p).sum(axis=1, keepdims=True)))
    assert names_of(net, LABELS, mine, loss=nn.CrossEntropyLoss()) == {"double-softmax"}


def test_sigmoid_in_front_of_a_cost_that_has_it_inside(classifier):
    net, z = classifier
    p = sigmoid(z)
    mine = gradients((sigmoid(p) - ONE_HOT) * p * (1 - p) / 15)
    assert names_of(net, ONE_HOT, mine, loss=nn.BCEWithLogitsLoss()) == {"double-softmax"}


def test_mean_over_outputs_left_out(classifier):
    net, z = classifier
    mine = gradients(2 * (z - ONE_HOT) / 5)
    assert names_of(net, ONE_HOT, mine, loss=nn.MSELoss()) == {"missing-mean-over-outputs"}


def test_quadratic_error_with_binary_cross_entropy():
    net = made(nn.Linear(4, 1), nn.Sigmoid())
    w, b = arrays(net)
    y = np.array([[0.0], [1.0], [1.0], [0.0], [1.0]])
    a = sigmoid(X @ w.T + b)
    mine = gradients((a - y) * a * (1 - a) / 5)
    assert "error-of-quadratic" in names_of(net, y, mine, loss=nn.BCELoss())


def test_softmax_treated_as_elementwise():
    net = made(nn.Linear(4, 3), nn.Softmax(1))
    w, b = arrays(net)
    a = softmax(X @ w.T + b)
    mine = gradients((a - ONE_HOT) * a * (1 - a) / 5)
    found = names_of(net, ONE_HOT, mine, loss=nn.QuadraticLoss())
    assert found == {"softmax-elementwise"}


def test_softmax_over_the_examples():
    net = made(nn.Linear(4, 3), nn.Softmax(1))
    w, b = arrays(net)
    a = softmax(X @ w.T + b, axis=0)
    d_a = (a - ONE_HOT) / 5
    mine = {"0.weight": (a * (d_a - (d_a * a).sum(axis=0))).T @ X}  # of the bias all is noise
    found = names_of(net, ONE_HOT, mine, loss=nn.QuadraticLoss())
    assert found == {"softmax-over-examples"}


# --- masks ----------------------------------------------------------------------------------------


def relu_net():
    net = made(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
    w1, b1, w2, b2, w3, b3 = arrays(net)
    z1 = X @ w1.T + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ w2.T + b2
    a2 = np.maximum(z2, 0)
    error = (a2 @ w3.T + b3 - ONE_HOT) / 5
    return net, (w1, w2, w3), (z1, z2), (a1, a2), error


def of_three(error, d2, d1, a1, a2):
    return {
        "4.weight": error.T @ a2,
        "2.weight": d2.T @ a1,
        "2.bias": d2.sum(axis=0),
        "0.weight": d1.T @ X,
        "0.bias": d1.sum(axis=0),
    }


def test_mask_of_the_wrong_layer():
    net, (_, w2, w3), (_, z2), (a1, a2), error = relu_net()
    d2 = error @ w3 * (z2 > 0)
    d1 = d2 @ w2 * (z2 > 0)
    mine = of_three(error, d2, d1, a1, a2)
    assert names_of(net, ONE_HOT, mine, loss=nn.QuadraticLoss()) == {"mask-of-wrong-layer"}


def test_mask_by_the_errors_own_sign():
    net, (_, w2, w3), (z1, _), (a1, a2), error = relu_net()
    d2 = np.maximum(error @ w3, 0)
    d1 = d2 @ w2 * (z1 > 0)
    mine = of_three(error, d2, d1, a1, a2)
    assert names_of(net, ONE_HOT, mine, loss=nn.QuadraticLoss()) == {"mask-of-error"}


def test_mask_that_lets_through_at_zero():
    net = made(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3))
    net.load_state_dict({**net.state_dict(), "0.bias": np.zeros(3)})
    x = X.copy()
    x[1] = 0  # its weighted sums are exactly 0
    w1, b1, w2, b2 = arrays(net)
    z = x @ w1.T + b1
    error = (np.maximum(z, 0) @ w2.T + b2 - ONE_HOT) / 5
    d = error @ w2 * (z >= 0)
    mine = {"0.weight": d.T @ x, "0.bias": d.sum(axis=0)}
    assert names_of(net, ONE_HOT, mine, x=x, loss=nn.QuadraticLoss()) == {"mask-at-kink"}


# --- normalisation --------------------------------------------------------------------------------

NORMALISED = {
    "normalization-constant": lambda d, x, axis: d,
    "normalization-mean": lambda d, x, axis: d - x * (d * x).mean(axis, keepdims=True),
    "normalization-variance": lambda d, x, axis: d - d.mean(axis, keepdims=True),
}


@pytest.mark.parametrize("name", NORMALISED)
@pytest.mark.parametrize(
    ("layer", "axis"), [(nn.BatchNorm1d(3), 0), (nn.LayerNorm(3), 1)], ids=["batch", "layer"]
)
def test_normalisation_with_a_path_lost(name, layer, axis):
    net = made(nn.Linear(4, 3), layer, nn.Linear(3, 3))
    w1, b1, *_ = arrays(net)
    w2, b2 = arrays(net[2])
    z = X @ w1.T + b1
    deviation = np.sqrt(z.var(axis, keepdims=True) + layer.eps)
    normal = (z - z.mean(axis, keepdims=True)) / deviation
    error = (normal @ w2.T + b2 - ONE_HOT) / 5
    right = NORMALISED["normalization-mean"](error @ w2, normal, axis)
    right = (right - (error @ w2).mean(axis, keepdims=True)) / deviation
    assert cr.check(net, X, ONE_HOT, loss=nn.QuadraticLoss(), mine={"0.weight": right.T @ X})
    d = NORMALISED[name](error @ w2, normal, axis) / deviation
    mine = {"0.weight": d.T @ X, "2.weight": error.T @ normal, "1.bias": (error @ w2).sum(axis=0)}
    assert names_of(net, ONE_HOT, mine, loss=nn.QuadraticLoss()) == {name}


# --- dropout --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "on_error"),
    [
        ("dropout-not-backward", lambda d, mask: d),
        ("dropout-scale-not-backward", lambda d, mask: d * (mask > 0)),
    ],
)
def test_dropout_of_the_error(name, on_error):
    net = made(nn.Linear(4, 6), nn.Dropout(0.25), nn.Linear(6, 3))
    trace = cr.explain(net, X, ONE_HOT, loss=nn.QuadraticLoss())
    before, after = (trace.values[trace.graph.find(value)] for value in ("0.out", "1.out"))
    mask = after / before
    assert 0 < (mask == 0).sum() < mask.size
    _, _, w2, b2 = arrays(net)
    error = (after @ w2.T + b2 - ONE_HOT) / 5
    d = on_error(error @ w2, mask)
    mine = {"0.weight": d.T @ X, "0.bias": d.sum(axis=0), "2.weight": error.T @ after}
    assert names_of(net, ONE_HOT, mine, loss=nn.QuadraticLoss()) == {name}


def test_dropout_left_out():
    net = made(nn.Linear(4, 6), nn.Dropout(0.25), nn.Linear(6, 3))
    w1, b1, w2, b2 = arrays(net)
    a = X @ w1.T + b1
    error = (a @ w2.T + b2 - ONE_HOT) / 5
    d = error @ w2
    mine = {"0.weight": d.T @ X, "2.weight": error.T @ a, "2.bias": error.sum(axis=0)}
    assert names_of(net, ONE_HOT, mine, loss=nn.QuadraticLoss()) == {"dropout-left-out"}


# --- values that are used several times -----------------------------------------------------------


class Twice(nn.Module):
    """One matrix, used as two steps in time."""

    def __init__(self):
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        return self.linear(self.linear(x).tanh())


def test_one_step_in_time_forgotten():
    net = Twice().astype("float64").initialize(seed=0)
    x = X[:, :3]
    w, b = arrays(net)
    h = np.tanh(x @ w.T + b)
    error = (h @ w.T + b - ONE_HOT) / 5
    mine = {"linear.weight": error.T @ h, "linear.bias": error.sum(axis=0)}
    found = cr.check(net, x, ONE_HOT, loss=nn.QuadraticLoss(), mine={k: mine[k] for k in mine})
    assert {"one-use"} == set(found.mistakes)
    whole = error @ w * (1 - h * h)
    right = {"linear.weight": error.T @ h + whole.T @ x}
    assert cr.check(net, x, ONE_HOT, loss=nn.QuadraticLoss(), mine=right)


def test_a_call_of_a_layer_that_is_forgotten_is_one_mistake():
    net = Twice().astype("float64").initialize(seed=0)
    x = X[:, :3]
    w, b = arrays(net)
    h = np.tanh(x @ w.T + b)
    error = (h @ w.T + b - ONE_HOT) / 5
    first = error @ w * (1 - h * h)
    titles = {
        "(number 1 of 2)": {"linear.weight": first.T @ x, "linear.bias": first.sum(axis=0)},
        "(number 2 of 2)": {"linear.weight": error.T @ h, "linear.bias": error.sum(axis=0)},
    }
    for which, mine in titles.items():
        found = cr.check(net, x, ONE_HOT, loss=nn.QuadraticLoss(), mine=mine)
        title = f"only one use of a value has a part in its gradient of layer linear {which}"
        assert [cause.title for cause in found.causes] == [title]


def test_the_way_around_a_block_forgotten():
    net = made(nn.Linear(4, 3), nn.Residual(nn.Sequential(nn.Linear(3, 3), nn.Tanh())))
    w1, b1, w2, b2 = arrays(net)
    h = X @ w1.T + b1
    a = np.tanh(h @ w2.T + b2)
    error = (h + a - ONE_HOT) / 5
    d = error * (1 - a * a)
    mine = {"0.weight": (d @ w2).T @ X, "1.module.0.weight": d.T @ h}
    assert names_of(net, ONE_HOT, mine, loss=nn.QuadraticLoss()) == {"one-use"}


def test_a_bias_that_is_shared_between_places():
    net = made(nn.Unflatten(-1, (2, 2)), nn.Linear(2, 3), nn.Flatten())
    w, b = arrays(net)
    y = RNG.random(size=(5, 6))
    error = (X.reshape(5, 2, 2) @ w.T + b - y.reshape(5, 2, 3)) / 5
    mine = {"1.bias": error[:, -1].sum(axis=0)}
    assert names_of(net, y, mine, loss=nn.QuadraticLoss()) == {"bias-of-one-position"}


class Table(nn.Module):
    def __init__(self):
        self.rows = nn.Embedding(4, 3)

    def forward(self, x):
        return self.rows(x)


def test_rows_of_a_table_written_by_index():
    net = Table().astype("float64").initialize(seed=0)
    (table,) = arrays(net)
    index = np.array([1, 3, 1, 0, 1])
    error = (table[index] - ONE_HOT) / 5
    d = np.zeros_like(table)
    d[index] += error  # NumPy keeps the last of those with one index
    mine = {"rows.weight": d}
    assert names_of(net, ONE_HOT, mine, x=index, loss=nn.QuadraticLoss()) == {"rows-overwritten"}


# --- penalties ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "of_weight", "of_bias"),
    [
        ("penalty-forgotten", 0.0, 0.0),
        ("penalty-twice", 0.2, 0.0),
        ("penalty-by-examples", 0.02, 0.0),
        ("penalty-sign", -0.1, 0.0),
        ("penalty-on-bias", 0.1, 0.1),
    ],
)
def test_penalties(classifier, name, of_weight, of_bias):
    net, z = classifier
    w, b = arrays(net)
    mine = gradients((z - ONE_HOT) / 5)
    right = {"0.weight": mine["0.weight"] + 0.1 * w, "0.bias": mine["0.bias"]}
    options = {"loss": nn.QuadraticLoss(), "penalty": nn.L2Penalty(0.1)}
    assert cr.check(net, X, ONE_HOT, mine=right, **options)
    mine["0.weight"] += of_weight * w
    mine["0.bias"] += of_bias * b
    assert names_of(net, ONE_HOT, mine, **options) == {name}


# --- updates --------------------------------------------------------------------------------------


def after(mine):
    return {f"next.0.{name}": value for name, value in mine.items()}


def update_case(optimizer):
    """A network that has made two steps, its gradients, and what to check with."""
    net = made(nn.Linear(4, 3))
    cr.fit(
        net, X, ONE_HOT, loss=nn.QuadraticLoss(), optimizer=optimizer, epochs=2, batch_size=5,
        dtype="float64", progress=False,
    )  # fmt: skip
    w, b = arrays(net)
    error = (X @ w.T + b - ONE_HOT) / 5
    return net, {"weight": w, "bias": b}, {"weight": error.T @ X, "bias": error.sum(axis=0)}


def names_of_update(net, mine, optimizer):
    return names_of(net, ONE_HOT, after(mine), loss=nn.QuadraticLoss(), optimizer=optimizer)


@pytest.mark.parametrize(
    ("name", "rate"), [("ascent", -0.1), ("no-update", 0.0), ("missing-learning-rate", 1.0)]
)
def test_steps_of_gradient_descent(name, rate):
    optimizer = optim.SGD(lr=0.1)
    net, p, d = update_case(optimizer)
    mine = {k: p[k] - rate * d[k] for k in p}
    found = names_of_update(net, mine, optimizer)
    assert name in found
    # A gradient with the wrong sign, or of zeros, gives the same weights.
    assert found <= {name, "sign", "never-written", "cut-to-integers"}


@pytest.mark.parametrize(("name", "factor"), [("momentum-sign", -0.9), ("momentum-forgotten", 0.0)])
def test_momentum(name, factor):
    optimizer = optim.SGD(lr=0.1, momentum=0.9)
    net, p, d = update_case(optimizer)
    velocity = {k: optimizer.state[f"0.{k}:momentum_buffer"] for k in p}
    mine = {k: p[k] - 0.1 * (0.9 * velocity[k] + d[k]) for k in p}
    options = {"loss": nn.QuadraticLoss(), "optimizer": optimizer}
    assert cr.check(net, X, ONE_HOT, mine=after(mine), **options)
    mine = {k: p[k] - 0.1 * (factor * velocity[k] + d[k]) for k in p}
    assert names_of_update(net, mine, optimizer) == {name}


def adam(p, d, t=1, correct=True, decay=0.0, coupled=True, beta=(0.9, 0.999), rate=0.1):
    """The first step of Adam [Kingma and Ba 2015, algorithm 1] or of AdamW."""
    found = {}
    for k, w in p.items():
        g = d[k] + decay * w if coupled else d[k]
        m, v = (1 - beta[0]) * g, (1 - beta[1]) * g * g
        if correct:
            m, v = m / (1 - beta[0] ** t), v / (1 - beta[1] ** t)
        w = w if coupled else w * (1 - rate * decay)
        found[k] = w - rate * m / (np.sqrt(v) + 1e-8)
    return found


def first_step():
    net = made(nn.Linear(4, 3))
    w, b = arrays(net)
    error = (X @ w.T + b - ONE_HOT) / 5
    return net, {"weight": w, "bias": b}, {"weight": error.T @ X, "bias": error.sum(axis=0)}


def test_adam_without_its_bias_correction():
    net, p, d = first_step()
    options = {"loss": nn.QuadraticLoss(), "optimizer": optim.Adam(lr=0.1)}
    assert cr.check(net, X, ONE_HOT, mine=after(adam(p, d)), **options)
    mine = after(adam(p, d, correct=False))
    assert names_of(net, ONE_HOT, mine, **options) == {"missing-bias-correction"}


@pytest.mark.parametrize(
    ("name", "optimizer", "wrong"),
    [
        ("decay-decoupled", optim.Adam(lr=0.1, weight_decay=0.3), {"coupled": False}),
        ("decay-coupled", optim.AdamW(lr=0.1, weight_decay=0.3), {"coupled": True}),
        ("decay-forgotten", optim.AdamW(lr=0.1, weight_decay=0.3), {"decay": 0.0}),
    ],
)
def test_decay(name, optimizer, wrong):
    net, p, d = first_step()
    options = {"loss": nn.QuadraticLoss(), "optimizer": optimizer}
    right = {"decay": 0.3, "coupled": isinstance(optimizer, optim.Adam)}
    right["coupled"] = not isinstance(optimizer, optim.AdamW)
    assert cr.check(net, X, ONE_HOT, mine=after(adam(p, d, **right)), **options)
    mine = after(adam(p, d, **{**right, **wrong}))
    assert names_of(net, ONE_HOT, mine, **options) == {name}


def test_decay_applied_to_the_bias():
    net, p, d = first_step()
    optimizer = optim.SGD(lr=0.1, weight_decay=0.3, groups={"*.bias": {"weight_decay": 0}})
    mine = {k: p[k] - 0.1 * (d[k] + 0.3 * p[k]) for k in p}
    options = {"loss": nn.QuadraticLoss(), "optimizer": optimizer}
    assert names_of(net, ONE_HOT, after(mine), **options) == {"decay-on-bias"}


# --- from one step to the next --------------------------------------------------------------------


def test_gradients_of_the_step_before_are_still_there():
    net = made(nn.Linear(4, 3))
    run = cr.fit(
        net, X, ONE_HOT, loss=nn.QuadraticLoss(), optimizer=optim.SGD(lr=0.1), batch_size=2,
        epochs=2, dtype="float64", progress=False,
    )  # fmt: skip
    d = [run.at(step).record(["d_0.weight", "d_0.bias"]) for step in (2, 3)]
    mine = {name.removeprefix("d_"): d[0][name] + d[1][name] for name in d[0]}
    found = cr.check(run.at(3), mine=mine)
    assert set(found.mistakes) == {"accumulated"}
