"""Every loss trains: a step is the gradient of its batch, evaluation its value, NaN its error."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from tests.nn.loss_grid import IGNORED, make_grid
from tests.nn.parity import numbers
from tests.sampling import slow

INTO = {"probabilities": nn.Sigmoid, "log-probabilities": nn.LogSoftmax, "distances": nn.Softplus}

# Every loss with each choice of arguments, on outputs of two axes.
CHOICES = {}
for case in make_grid():
    if len(case.shape) == 2:
        CHOICES.setdefault((case.name, str(case.arguments), case.draw.__name__), case)


class Network(nn.Module):
    """Linear layers, one for each output, each into what the loss takes."""

    def __init__(self, loss, outputs):
        self.parts = [nn.Linear(3, o.shape[1]) for o in outputs]
        if loss.outputs == "mean and variance":
            self.ends = [nn.Identity(), nn.Softplus()]
        elif loss.outputs == "values" and isinstance(loss, nn.PoissonNLLLoss):
            self.ends = [nn.Softplus()]
        else:
            self.ends = [INTO.get(loss.outputs, nn.Identity)() for _ in outputs]

    def forward(self, x):
        found = tuple(end(part(x)) for part, end in zip(self.parts, self.ends, strict=True))
        return found if len(found) > 1 else found[0]


def task(case):
    outputs, target = case.draw(case.shape)
    x = numbers(9, case.shape[0], 3)
    return x, np.zeros(len(x)) if target is None else target, Network(case.loss, outputs)


def some_of_each_loss():
    """Every third choice of arguments, and the first of each loss; the others are slow."""
    seen = set()
    for k, case in enumerate(CHOICES.values()):
        yield case if k % 3 == 0 or case.name not in seen else slow(case)
        seen.add(case.name)


@pytest.mark.parametrize("case", list(some_of_each_loss()), ids=str)
def test_a_step_is_the_gradient_of_the_batch(case):
    x, y, net = task(case)
    net.astype("float64").initialize(seed=1)
    loss = case.loss

    def batch_loss(net):
        return loss.of_batch(net(x), y)

    value, gradients = cr.value_and_grad(batch_loss)(net)
    before = net.state_dict()
    options = {"batch_size": len(x), "dtype": "float64", "progress": False}
    run = cr.fit(net, x, y, loss=loss, optimizer=optim.SGD(lr=0.5), epochs=2, **options)
    assert run.history["loss"][0] == pytest.approx(value.item(), rel=1e-13, abs=1e-15)
    assert np.isfinite(run.history["loss"]).all()
    assert net.evaluate(x, y)["loss"] == pytest.approx(batch_loss(net).item(), rel=1e-13, abs=1e-15)
    # The first step again, alone. Sums of a few products, each of numbers below 10.
    net.load_state_dict(before)
    cr.fit(net, x, y, loss=loss, optimizer=optim.SGD(lr=0.5), epochs=1, **options)
    for path, array in net.state_dict().items():
        expected = before[path] - 0.5 * gradients[path].numpy()
        np.testing.assert_allclose(array, expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", [name for name in nn.LOSSES if name.endswith("Loss")])
def test_a_loss_is_found_by_its_name(name):
    assert type(nn.as_loss(name)) is nn.LOSSES.get(name)
    assert getattr(nn, name) is nn.LOSSES.get(name)


def test_ignored_rows_are_no_accuracy():
    x, labels = numbers(0, 6, 3), np.array([0, 1, IGNORED, 0, IGNORED, 1])
    net = nn.Linear(3, 2).astype("float64").initialize(0)
    found = net.evaluate(
        x, labels, loss=nn.CrossEntropyLoss(ignore_index=IGNORED), metrics=["accuracy"]
    )
    kept = labels != IGNORED
    assert found == net.evaluate(x[kept], labels[kept], loss="CrossEntropyLoss", metrics="accuracy")


def test_accumulated_batches_weigh_as_one():
    x, labels = numbers(0, 8, 3), np.array([0, 1, 2, 0, IGNORED, 1, 2, 2])
    loss = nn.CrossEntropyLoss(weight=[1, 2, 4], ignore_index=IGNORED, label_smoothing=0.125)
    states = []
    for size, accumulate in ((8, 1), (2, 4)):
        net = nn.Linear(3, 3).astype("float64").initialize(0)
        options = {"batch_size": size, "accumulate": accumulate, "shuffle": False}
        sgd = optim.SGD(lr=0.5)
        cr.fit(net, x, labels, loss=loss, optimizer=sgd, dtype="float64", progress=False, **options)
        states.append(net.state_dict())
    for path, array in states[0].items():
        np.testing.assert_allclose(states[1][path], array, rtol=1e-13)


def test_a_run_is_resumed_with_the_arguments_of_its_loss(tmp_path):
    x, labels = numbers(0, 8, 3), np.array([0, 1, 2, 0, IGNORED, 1, 2, 2])
    loss = nn.CrossEntropyLoss(weight=[1, 2, 4], ignore_index=IGNORED, label_smoothing=0.125)
    options = {"batch_size": 8, "progress": False}
    whole = cr.fit(nn.Linear(3, 3), x, labels, loss=loss, epochs=3, **options)
    cr.fit(nn.Linear(3, 3), x, labels, loss=loss, epochs=1, folder=tmp_path / "run", **options)
    resumed = cr.resume(tmp_path / "run", x, labels, epochs=3, progress=False)
    assert resumed.history["loss"] == whole.history["loss"]


# loss, the network's last layer, targets, what is computed
UNKNOWN = {
    "no probability": (nn.BCELoss(), [[1.0]], "bce(2, 1) = nan in element [0, 0] of {name}"),
    "a negative rate": (
        nn.PoissonNLLLoss(log_input=False), [[-1.0]], "log(-2) = nan in element [0, 0] of {name}"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN)
def test_outputs_without_a_meaning_stop_training_and_are_named(case):
    loss, weight, computed = UNKNOWN[case]
    net = nn.Linear(1, 1)
    net.load_state_dict({"weight": np.array(weight), "bias": np.zeros(1)})
    with pytest.raises(NonFiniteError) as caught:
        cr.fit(net, np.array([[2.0]]), np.array([[1.0]]), loss=loss, progress=False)
    name = caught.value.message.rpartition(" of ")[2]
    assert caught.value.message == f"Step 0 computed {computed.format(name=name)}"
    assert caught.value.where.endswith("row 0 of the data")


def test_a_negative_variance_stops_training_and_is_named():
    class Both(nn.Module):
        def __init__(self):
            self.mean = nn.Linear(1, 1)

        def forward(self, x):
            return self.mean(x), -x

    with pytest.raises(NonFiniteError) as caught:
        cr.fit(Both(), [[2.0]], [[1.0]], loss=nn.GaussianNLLLoss(), progress=False)
    assert caught.value.message.startswith("Step 0 computed log(-2) = nan in element [0, 0] of ")
