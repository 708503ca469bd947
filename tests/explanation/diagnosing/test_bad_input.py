"""What no doctor can look at is refused as `fit` and `explain` refuse it."""

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import (
    ConfigurationError,
    DataError,
    NameNotFoundError,
    ReplayError,
    ShapeError,
    TargetError,
)

X = np.random.default_rng(0).normal(size=(40, 2))
Y = X[:, :1] - X[:, 1:]


def net():
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))


def same_error(kind, *arguments, **options):
    """The doctor's error, which is that of fit."""
    with pytest.raises(kind) as from_fit:
        cr.fit(*arguments, progress=False, backend="numpy", **options)
    with pytest.raises(kind, match=re.escape(from_fit.value.message)) as found:
        cr.doctor(*arguments, **options)
    return str(found.value)


def test_a_network_without_data():
    with pytest.raises(DataError, match="fit reads arrays x and y"):
        cr.doctor(net())


def test_no_targets():
    assert "fit needs targets" in same_error(DataError, net(), X)


def test_no_examples():
    assert "There are no examples" in same_error(ShapeError, net(), X[:0], Y[:0])


def test_targets_of_another_length():
    assert "one target for each example" in same_error(ShapeError, net(), X, Y[:7])


def test_inputs_of_another_width():
    assert "in_features" in same_error(ShapeError, net(), X[:, :1], Y)


def test_a_loss_that_does_not_exist():
    assert "loss" in same_error(NameNotFoundError, net(), X, Y, loss="MSE")


def test_something_else_than_a_loss():
    assert "A loss is" in same_error(ConfigurationError, net(), X, Y, loss=3)


def test_something_else_than_a_network():
    assert "takes net as Module" in same_error(ConfigurationError, "net", X, Y)


def test_something_else_than_an_optimizer():
    same_error(ConfigurationError, net(), X, Y, optimizer="adam")


def test_targets_that_are_text():
    same_error(DataError, net(), X, np.array(["a", "b"] * 20))


def test_a_metric_that_does_not_exist():
    same_error(NameNotFoundError, net(), X, Y, metrics=["acuracy"])


def test_a_metric_without_meaning_for_the_targets():
    same_error(TargetError, net(), X, Y, metrics=["auc"], validation=(X, Y))


def test_a_generator_gives_its_examples_once():
    with pytest.raises(ConfigurationError, match="Pass one of its batches"):
        cr.doctor(net(), iter([(X, Y)]))


def test_a_run_with_options_of_another():
    run = cr.fit(net(), X, Y, progress=False, backend="numpy")
    with pytest.raises(ConfigurationError, match="doctor got a run, and batch_size with it"):
        cr.doctor(run, batch_size=4)
    with pytest.raises(ConfigurationError, match="doctor got a run, and x with it"):
        cr.doctor(run, X, Y)


def test_a_run_without_steps_is_looked_at():
    run = cr.fit(net(), X, Y, epochs=2, progress=False, backend="numpy")
    run.history.clear()
    assert isinstance(cr.doctor(run).findings, tuple)


def test_a_run_that_was_loaded_without_its_data(tmp_path):
    cr.fit(net(), X, Y, progress=False, backend="numpy", folder=tmp_path / "run")
    with pytest.raises(ReplayError, match="data is not there"):
        cr.doctor(cr.load_run(tmp_path / "run"))


def test_a_run_that_was_loaded_is_as_one_that_was_just_made(tmp_path):
    options = {"optimizer": optim.SGD(lr=5.0), "epochs": 3, "progress": False, "backend": "numpy"}
    run = cr.fit(net(), X, Y / 100, **options, folder=tmp_path / "run")
    loaded = cr.load_run(tmp_path / "run", X, Y / 100)
    assert cr.doctor(loaded).names == cr.doctor(run).names


def test_a_name_that_was_not_found_says_what_was():
    found = cr.doctor(net(), X, Y, batch_size=64, drop_last=True)
    with pytest.raises(NameNotFoundError, match="no-update"):
        found["no-updates"]
