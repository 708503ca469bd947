"""What every registered layer can do: train, be kept with its run, and say what it is."""

import inspect

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn.description import build, describe
from tests.nn.catalogue import CALLED, LAYERS


def test_every_layer_is_in_the_catalogue():
    assert set(LAYERS) == set(nn.LAYERS)


def network(name):
    """The layer, and a linear one behind it that reads all it gives."""
    make, x = LAYERS[name]
    layer = make()
    first = layer(*x) if isinstance(x, tuple) else layer(x)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(first.shape[1:])), 2))
    return nn.Sequential(make(), *flat), x


@pytest.mark.parametrize("name", CALLED)
def test_it_trains_and_its_run_is_kept(name, tmp_path):
    net, x = network(name)
    y = np.eye(2)[[0, 1, 0, 1]]
    before = net.initialize().state_dict()
    settings = {"loss": "MSELoss", "batch_size": 2, "epochs": 1, "progress": False}
    run = cr.fit(net, x, y, optimizer=optim.SGD(lr=0.1), folder=tmp_path / "run", **settings)
    assert run.steps == 2
    assert np.isfinite(run.history["loss"]).all()
    after = net.state_dict()
    trained = set(net.trainable_parameters())
    assert trained
    for path in trained:
        assert not np.array_equal(after[path], before[path]), path
    kept = cr.load_run(tmp_path / "run", x, y)
    for path, array in kept.net.state_dict().items():
        np.testing.assert_array_equal(array, after[path])
    assert repr(kept.net) == repr(net)


@pytest.mark.parametrize("name", LAYERS)
def test_it_is_described_by_plain_data_and_built_from_it(name):
    layer = LAYERS[name][0]()
    description = describe(layer)
    assert description["network"]["layer"] == name
    assert describe(build(description, "here")) == description


@pytest.mark.parametrize("name", LAYERS)
def test_its_repr_names_it_and_its_arguments_are_those_of_init(name):
    layer = LAYERS[name][0]()
    assert repr(layer).startswith(name + "(")
    known = inspect.signature(type(layer)).parameters
    assert set(layer.configuration()) <= set(known)


@pytest.mark.parametrize("name", LAYERS)
def test_wrong_arguments_are_pythons_to_refuse(name):
    with pytest.raises(TypeError, match=r"unexpected|takes no arguments"):
        nn.LAYERS.get(name)(no_such_argument=1)
