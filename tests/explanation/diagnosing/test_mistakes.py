"""Four mistakes of published teaching code, each named before training and from its numbers."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim

X = np.array([[0.7, -0.9], [0.1, -0.6], [-0.8, -0.6], [-0.6, 0.2]])
SIGNS = np.array([[-1.0], [-1.0], [1.0], [1.0]])


def net(last):
    return nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1), last)


@pytest.fixture
def within_a_hundredth():
    """Accuracy counted as |a - y| < 0.01."""

    def metric(loss, targets):
        return lambda output, target: (abs(output - target) < 0.01).all(axis=1)

    nn.METRICS.register("acc_within_a_hundredth", metric)
    yield "acc_within_a_hundredth"
    del nn.METRICS._things["acc_within_a_hundredth"]


def test_mistake_1_signs_under_a_sigmoid_have_a_floor_that_no_weights_reach():
    found = cr.doctor(net(nn.Sigmoid()), X, SIGNS, loss="QuadraticLoss", epochs=10)
    assert [f.name for f in found if f.severity != "note"] == ["unreachable-targets"]
    assert "floor of 0.5" in " ".join(found["unreachable-targets"].chain)
    assert "(y + 1) / 2" in found["unreachable-targets"].fix


def test_mistake_1_mended_is_no_finding():
    options = {"loss": "QuadraticLoss", "optimizer": optim.SGD(lr=1.0), "epochs": 500}
    assert not cr.doctor(net(nn.Sigmoid()), X, (SIGNS + 1) / 2, **options)


def test_mistake_1_in_a_module_of_ones_own_is_named_with_its_line():
    class Own(nn.Module):
        def __init__(self):
            self.inner = nn.Linear(2, 1)

        def forward(self, x):
            return self.inner(x).sigmoid()

    found = cr.doctor(Own(), X, SIGNS, loss="QuadraticLoss")
    assert "return self.inner(x).sigmoid()" in found["unreachable-targets"].line


def test_mistake_2_three_rows_and_whole_batches_of_four():
    found = cr.doctor(net(nn.Tanh()), X, SIGNS, batch_size=4, drop_last=True, validation_split=0.25)
    assert [f.name for f in found if f.severity != "note"] == ["no-update"]
    assert "there are 3 examples" in " ".join(found["no-update"].chain)


def test_mistake_4_accuracy_by_a_tolerance_stays_at_0(within_a_hundredth):
    labels = (SIGNS + 1) / 2
    found = cr.doctor(
        net(nn.Sigmoid()), X, labels, loss="QuadraticLoss", metrics=[within_a_hundredth]
    )
    assert found["misreported-metric"].where == within_a_hundredth
    named = cr.doctor(net(nn.Sigmoid()), X, labels, loss="QuadraticLoss", metrics=["accuracy"])
    assert "misreported-metric" not in named


def test_mistake_4_after_training(within_a_hundredth):
    run = cr.fit(
        net(nn.Sigmoid()),
        X,
        (SIGNS + 1) / 2,
        loss="QuadraticLoss",
        optimizer=optim.SGD(lr=1.0),
        epochs=100,
        metrics=[within_a_hundredth, "accuracy"],
        backend="numpy",
        progress=False,
    )
    assert run.history["accuracy"][-1] == 1
    assert run.history[within_a_hundredth][-1] == 0
    assert cr.doctor(run)["misreported-metric"].where == within_a_hundredth


def last_samples(run, x, y):
    """What a loop prints that shows each epoch's last sample: from the run's own steps."""
    plan, told = run.engine.plan, []
    for epoch in range(run.history.epochs):
        moment = run.at((epoch + 1) * plan.updates_per_epoch - 1)
        twin = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1), nn.Tanh())
        twin.load_state_dict(moment.parameters)
        row = moment.rows[-1][-1]
        told.append(float(nn.QuadraticLoss()(twin(x[row : row + 1]), y[row : row + 1]).item()))
    return told


@pytest.mark.parametrize("batch_size", [1, 2])
def test_mistake_7_the_loss_of_the_last_sample_alone(batch_size):
    run = cr.fit(
        net(nn.Tanh()),
        X,
        SIGNS,
        loss="QuadraticLoss",
        optimizer=optim.SGD(lr=0.5),
        batch_size=batch_size,
        epochs=20,
        backend="numpy",
        progress=False,
    )
    found = cr.doctor(run, reported={"loss": last_samples(run, X, SIGNS)})
    last = "last batch" if batch_size == 1 else "last sample"
    assert last in found["misreported-metric"].title
    assert "misreported-metric" not in cr.doctor(run, reported={"loss": run.history["loss"]})
