"""A loss may weigh examples, leave some out, and be a function of the mean cost."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, TargetError
from chainrule.nn.losses.loss import LOSSES, Loss

X = np.linspace(-1, 1, 24).reshape(12, 2)
Y = (X @ [[1.0], [-2.0]] + 0.3 * np.sin(7 * X[:, :1])).round(3)


class RootLoss(Loss):
    """√ of the mean squared error."""

    def forward(self, output, target):
        return (output - target).square().mean(axis=1)

    def finish(self, mean):
        return mean.sqrt()


class PositiveTargets(Loss):
    """Squared error; a target counts twice where it is above 0.5, and not at all below -1."""

    def forward(self, output, target):
        return (output - target).square().mean(axis=1)

    def example_weights(self, target):
        return (target[:, 0] > 0.5).astype("float64") + 1.0

    def counted(self, target):
        return target[:, 0] > -1.0


def weights_of(y):
    return np.where(y[:, 0] > 0.5, 2.0, 1.0) * (y[:, 0] > -1.0)


def train(loss, **options):
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).initialize(1)
    options = {"optimizer": optim.SGD(lr=0.3), "epochs": 3, "batch_size": 12, **options}
    run = cr.fit(net, X, Y, loss=loss, dtype="float64", progress=False, seed=1, **options)
    return net, run


def test_a_root_of_the_mean_is_what_history_shows():
    net, run = train(RootLoss(), batch_size=4, shuffle=False, optimizer=optim.SGD(lr=1e-12))
    expected = np.sqrt(np.mean((net.predict(X) - Y) ** 2))
    np.testing.assert_allclose(run.history["loss"][0], expected, rtol=1e-9)
    assert net.evaluate(X, Y)["loss"] == pytest.approx(expected, rel=1e-12)


def test_the_gradient_is_of_the_root():
    net = nn.Sequential(nn.Linear(2, 1)).initialize(3).astype("float64")
    before = net.state_dict()
    cr.fit(
        net,
        X,
        Y,
        loss=RootLoss(),
        optimizer=optim.SGD(lr=1.0),
        batch_size=12,
        dtype="float64",
        progress=False,
    )
    w, b = before["0.weight"], before["0.bias"]
    error = X @ w.T + b - Y
    root = np.sqrt(np.mean(error**2))
    d_w = (error * X).mean(axis=0) / root
    np.testing.assert_allclose(net.state_dict()["0.weight"][0], w[0] - d_w, rtol=1e-12)


def test_an_accumulated_root_is_of_all_the_batches():
    whole, one = train(RootLoss())
    parts, several = train(RootLoss(), batch_size=4, accumulate=3)
    for path, array in whole.state_dict().items():
        np.testing.assert_allclose(parts.state_dict()[path], array, rtol=1e-12)
    np.testing.assert_allclose(one.history["loss"], several.history["loss"], rtol=1e-12)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_weights_of_a_loss_count_as_sample_weights_do(accumulate):
    options = {"batch_size": 12 // accumulate, "accumulate": accumulate, "shuffle": False}
    ours, run = train(PositiveTargets(), **options)
    given, other = train("MSELoss", sample_weight=weights_of(Y), **options)
    # Rows of weight 0 are left out of what is given, so its batches may be others.
    if accumulate == 1:
        for path, array in ours.state_dict().items():
            np.testing.assert_allclose(given.state_dict()[path], array, rtol=1e-12)
        np.testing.assert_allclose(run.history["loss"], other.history["loss"], rtol=1e-12)
    found = ours.evaluate(X, Y, loss=PositiveTargets())
    squares = (ours.predict(X) - Y)[:, 0] ** 2
    assert found["loss"] == pytest.approx(np.average(squares, weights=weights_of(Y)), rel=1e-12)


def test_metrics_see_what_counts_and_no_class_weights():
    net, run = train(PositiveTargets(), metrics=["mse"], optimizer=optim.SGD(lr=1e-12), epochs=1)
    squares = (net.predict(X) - Y)[:, 0] ** 2
    expected = squares[Y[:, 0] > -1.0].mean()
    assert run.history["mse"][0] == pytest.approx(expected, rel=1e-9)
    assert net.evaluate(X, Y)["mse"] == pytest.approx(expected, rel=1e-12)


def test_sample_weights_multiply_those_of_the_loss():
    net, run = train(
        PositiveTargets(), sample_weight=np.arange(1.0, 13), optimizer=optim.SGD(lr=1e-12), epochs=1
    )
    squares = (net.predict(X) - Y)[:, 0] ** 2
    weights = weights_of(Y) * np.arange(1.0, 13)
    assert run.history["loss"][0] == pytest.approx(np.average(squares, weights=weights), rel=1e-9)


def test_a_batch_as_torch_reduces_it():
    output, target = np.array([[0.5], [2.0]]), np.array([[1.0], [-2.0]])
    assert PositiveTargets().of_batch(output, target).item() == 0.25
    assert RootLoss().of_batch(output, target).item() == np.sqrt((0.25 + 16) / 2)
    assert "RootLoss" not in LOSSES


def test_batches_of_ignored_examples_alone_do_not_come_up():
    y = np.array([-1, 0, 1, -1, 1, 0, -1, -1, 1, 0, 0, 1])
    net = nn.Sequential(nn.Linear(2, 2)).initialize(1)
    run = cr.fit(
        net,
        X,
        y,
        loss=nn.CrossEntropyLoss(ignore_index=-1),
        batch_size=1,
        epochs=2,
        metrics=["accuracy"],
        progress=False,
    )
    assert run.steps == 2 * 8
    assert np.isfinite(run.history["loss"]).all()


def test_batches_as_they_come_may_hold_ignored_examples_or_none():
    net = nn.Sequential(nn.Linear(2, 2)).initialize(1)
    batches = [(X[:3], np.array([0, 1, 1])), (X[3:6], np.array([0, -1, 1]))]
    run = cr.fit(
        net, lambda: iter(batches), loss=nn.CrossEntropyLoss(ignore_index=-1), progress=False
    )
    assert run.steps == 2


def test_examples_that_are_all_ignored_are_refused():
    net = nn.Sequential(nn.Linear(2, 2)).initialize(1)
    with pytest.raises(TargetError) as caught:
        cr.fit(net, X, np.full(12, -1), loss=nn.CrossEntropyLoss(ignore_index=-1), progress=False)
    assert caught.value.message == "CrossEntropyLoss(ignore_index=-1) ignores every example"


@pytest.mark.parametrize(
    ("loss", "last", "reads", "given"),
    [
        ("NLLLoss", nn.Softmax(-1), "log-probabilities", "Softmax, whose outputs lie in [0, 1]"),
        ("BCELoss", nn.Tanh(), "probabilities", "Tanh, whose outputs lie in [-1, 1]"),
    ],
)
def test_outputs_that_are_not_what_a_loss_reads_are_refused(loss, last, reads, given):
    net = nn.Sequential(nn.Linear(2, 2), last).initialize(1)
    y = np.zeros(12, int) if loss == "NLLLoss" else np.zeros((12, 2))
    with pytest.raises(ConfigurationError) as caught:
        cr.fit(net, X, y, loss=loss, progress=False)
    assert caught.value.message == f"{loss} reads {reads}, but the last layer is {given}"
    assert "as the last layer, or another loss" in caught.value.advice
