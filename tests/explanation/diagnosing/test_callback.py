"""The callback looks on: it finds what comes up, tells it once, and changes nothing."""

import io

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ReplayError

X = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2] > 0).astype(np.float32)


def network():
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))


def train(net, *callbacks, **options):
    told = {"loss": "BCEWithLogitsLoss", "optimizer": optim.Adam(lr=0.01), "epochs": 4}
    told |= {"batch_size": 20, "backend": "numpy", "progress": False} | options
    return cr.fit(net, X, Y, callbacks=callbacks, **told)


def dead():
    net = network().initialize(seed=0)
    net[0].bias.replace(np.full(16, -100.0))
    return net


def test_a_healthy_training_is_let_be_and_nothing_is_printed():
    out = io.StringIO()
    watching = cr.Doctor(file=out)
    train(network(), watching)
    assert not watching.diagnosis
    assert out.getvalue() == ""


def test_the_numbers_are_those_of_a_training_without_it():
    alone, watched = network(), network()
    train(alone)
    train(watched, cr.Doctor(verbose=False))
    for path, array in alone.state_dict().items():
        np.testing.assert_array_equal(array, watched.state_dict()[path])


def test_a_finding_is_told_once_with_what_follows_from_it():
    out = io.StringIO()
    watching = cr.Doctor(file=out)
    train(dead(), watching)
    assert [f.name for f in watching.diagnosis if f.severity != "note"] == ["dead-units"]
    assert watching.found_in["dead-units"] == -1
    assert out.getvalue().count("error dead-units (certain)") == 1


def test_it_stops_at_an_error_before_the_first_step_if_it_is_there_already():
    run = train(dead(), cr.Doctor(stop=True, verbose=False), epochs=50)
    assert run.steps == 0
    assert run.stopped.startswith("the doctor found dead-units: ")


def test_what_comes_up_later_is_found_later():
    watching = cr.Doctor(verbose=False)
    train(network(), watching, validation=(X[:40] + 2, 1 - Y[:40]), epochs=60)
    assert watching.found_in["overfitting"] > 0


def test_nothing_is_changed_by_the_doctor_before_training():
    net, optimizer = network(), optim.Adam(lr=0.01)
    cr.doctor(net, X, Y, loss="BCEWithLogitsLoss", optimizer=optimizer, epochs=4)
    assert not any(parameter.is_drawn for parameter in net.parameters())
    assert optimizer.t == 0
    assert optimizer.state == {}


def test_the_doctor_leaves_a_run_as_it_was():
    run = train(network())
    before = {name: array.copy() for name, array in run.net.state_dict().items()}
    history = {name: list(values) for name, values in run.history.items()}
    cr.doctor(run)
    assert history == run.history
    for name, array in run.net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_the_same_training_gets_the_same_diagnosis():
    options = {"loss": "BCEWithLogitsLoss", "optimizer": optim.SGD(lr=100.0), "epochs": 4}
    first, second = (cr.doctor(network(), X, Y, **options) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert first


def test_examples_that_come_once_cannot_be_looked_at():
    def batches():
        yield X[:20], Y[:20]

    with pytest.raises(ReplayError, match="came from a generator"):
        cr.fit(
            network(),
            batches,
            loss="BCEWithLogitsLoss",
            callbacks=[cr.Doctor()],
            backend="numpy",
            progress=False,
        )


def test_a_run_with_a_doctor_is_kept_and_resumed_with_another(tmp_path):
    train(network(), cr.Doctor(verbose=False), folder=tmp_path / "run", epochs=2)
    watching = cr.Doctor(verbose=False)
    run = cr.resume(tmp_path / "run", X, Y, epochs=3, callbacks=[watching], progress=False)
    assert run.history.epochs == 3
    assert not watching.diagnosis
