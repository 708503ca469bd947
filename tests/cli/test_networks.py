"""Layers by name: whatever is registered can be asked for in an experiment."""

import numpy as np
import pytest

from chainrule import nn
from chainrule.cli.building import build_network
from chainrule.cli.choices import activations
from chainrule.cli.experiment import Network
from tests.nn.catalogue import LAYERS

X = np.random.default_rng(0).normal(size=(4, 3))


def test_every_activation_that_needs_no_arguments_can_stand_after_hidden_layers():
    needing = {"Threshold"}
    assert set(activations()) == {
        name
        for name, layer in nn.LAYERS.items()
        if issubclass(layer, nn.Activation) and name not in needing
    }


@pytest.mark.parametrize("name", activations())
def test_a_network_with_that_activation(name):
    net = build_network(Network(hidden=[5, 4], activation=name), 3, 2)
    assert type(net[1]).__name__ == type(net[3]).__name__ == name
    assert net.predict(X).shape == (4, 2)


# What one line of an experiment file says, the widths left to be worked out.
LINES = {
    "Linear": {"out_features": 5},
    "Maxout": {"out_features": 5, "pieces": 3},
    "BatchNorm1d": {},
    "LayerNorm": {"eps": 1e-3},
    "RMSNorm": {},
    "GroupNorm": {"num_groups": 3},
    "PReLU": {"num_parameters": 3},
    "Threshold": {"threshold": 0.0, "value": -1.0},
    "AlphaDropout": {"p": 0.1},
    "RestrictedBoltzmann": {"out_features": 5},
    "Unflatten": {"dim": 1, "unflattened_size": [3, 1]},
    "Identity": {},
    "Flatten": {},
}


@pytest.mark.parametrize("kind", LINES)
def test_a_layer_of_an_experiment_file(kind):
    layers = [{"kind": kind, **LINES[kind]}]
    net = build_network(Network(layers=layers), 3, 2)
    assert type(net[0]).__name__ == kind
    net(X.astype(np.float32))


def test_these_layers_are_registered():
    assert set(LINES) <= set(LAYERS)


def test_a_network_of_several_families(chainrule, folder):
    (folder / "net.toml").write_text(
        '[data]\nname = "iris"\n[network]\nlayers = [\n'
        '  { kind = "Linear", out_features = 8 }, { kind = "LayerNorm" }, { kind = "GELU" },\n'
        '  { kind = "Linear", out_features = 12 }, { kind = "GLU" },\n'
        '  { kind = "Maxout", in_features = 6, out_features = 5, pieces = 3 },\n'
        '  { kind = "softplus", beta = 2, threshold = 10 }, { kind = "Dropout", p = 0.1 },\n'
        '  { kind = "Linear", out_features = 3 },\n]\n',
        encoding="utf-8",
    )
    done = chainrule("train", "net.toml", "--epochs", 20, "--folder", "run")
    assert done.status == 0, done.err
    again = chainrule("evaluate", "run", "--json")
    assert again.document["figures"]["accuracy"] > 0.6
