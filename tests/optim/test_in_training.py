"""Every optimiser and schedule trains in `fit`, and goes on from a run folder."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, ShapeError
from tests.optim.grids import TYPICAL, TYPICAL_SCHEDULES, made

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(20, 3)), RNG.normal(size=(20, 2))


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def fitted(epochs, **options):
    net = network()
    run = cr.fit(net, X, Y, batch_size=8, epochs=epochs, dtype="float64", progress=False, **options)
    return net, run


def assert_same(net, other):
    for path, value in net.state_dict().items():
        np.testing.assert_array_equal(value, other.state_dict()[path], err_msg=path)


@pytest.mark.parametrize(("name", "options"), TYPICAL.items())
def test_optimizer_in_fit_and_resumed(tmp_path, name, options):
    parameters = dict(network().named_parameters())
    make = lambda: made(name, parameters, **options)  # noqa: E731
    whole, run = fitted(4, optimizer=make())
    assert run.history["loss"][-1] < run.history["loss"][0]
    fitted(2, optimizer=make(), folder=tmp_path / "run")
    assert_same(whole, cr.resume(tmp_path / "run", X, Y, epochs=4, progress=False).net)


@pytest.mark.parametrize(("name", "options"), TYPICAL_SCHEDULES.items())
def test_schedule_in_fit_and_resumed(tmp_path, name, options):
    schedule = optim.SCHEDULES[name](**options)
    whole, run = fitted(4, optimizer=optim.SGD(lr=0.1), schedule=schedule)
    last = 3 if schedule.unit == "epoch" else 11
    assert run.history["lr"][-1] == pytest.approx(0.1 * schedule.multiplier(last, 0.1))
    fitted(2, optimizer=optim.SGD(lr=0.1), schedule=schedule, folder=tmp_path / "run")
    assert_same(whole, cr.resume(tmp_path / "run", X, Y, epochs=4, progress=False).net)


def test_a_schedule_of_a_function_is_given_again(tmp_path):
    schedule = optim.LambdaLR(lambda epoch: 1 / (1 + epoch))
    whole, run = fitted(4, schedule=schedule)
    assert run.history["lr"] == [0.01, 0.005, pytest.approx(0.01 / 3), 0.0025]
    fitted(2, schedule=schedule, folder=tmp_path / "run")
    again = cr.resume(tmp_path / "run", X, Y, epochs=4, schedule=schedule, progress=False)
    assert_same(whole, again.net)


def test_a_chain_with_a_function_has_no_place_in_a_folder(tmp_path):
    schedule = optim.ChainedScheduler([optim.LambdaLR(lambda epoch: 1.0)])
    with pytest.raises(ConfigurationError, match=r"^No file can hold a function; got <function"):
        fitted(1, schedule=schedule, folder=tmp_path / "run")


def test_muon_says_what_to_do_with_biases():
    with pytest.raises(ShapeError, match=r"^Muon updates matrices; 0\.bias has shape \[4\]\."):
        fitted(1, optimizer=optim.Muon())
