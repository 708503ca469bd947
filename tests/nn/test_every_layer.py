"""What every registered layer can do: train, be kept with its run, and say what it is."""

import inspect

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn.description import build, describe
from tests.nn.catalogue import CALLED, LAYERS

HOLD_OTHERS = {"Sequential", "ModuleList", "ModuleDict", "Residual", "Parallel"}
"""Their representation is the list of what they hold, as torch's is."""


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


@pytest.mark.parametrize("name", sorted(set(LAYERS) - HOLD_OTHERS))
def test_its_repr_makes_it_again(name):
    layer = LAYERS[name][0]()
    again = eval(repr(layer), dict(vars(nn)))  # noqa: S307 - what repr is for
    assert again.configuration() == layer.configuration()
    assert describe(again) == describe(layer)


def switches():
    """Every argument of every registered layer and loss that is True or False."""
    for made, registry in (("layer", nn.LAYERS), ("loss", nn.LOSSES)):
        for name, kind in registry.items():
            for argument in inspect.signature(kind).parameters.values():
                if isinstance(argument.default, bool):
                    yield pytest.param(kind, argument.name, id=f"{made}-{name}-{argument.name}")


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(("kind", "argument"), list(switches()))
def test_what_is_true_or_false_is_shown_as_that(kind, argument, value):
    # What else has to be said is a number of features, or of groups of them.
    needed = [p for p in inspect.signature(kind).parameters.values() if p.default is p.empty]
    made = kind(**{p.name: 2 for p in needed}, **{argument: value})
    assert f"{argument}={value}" in repr(made)
    assert made.configuration()[argument] is value


def test_a_part_that_is_taken_away_later_is_shown_and_saved_as_left_out(tmp_path):
    net = nn.Sequential(nn.Linear(3, 2))
    net[0].bias = None
    assert repr(net[0]) == "Linear(in_features=3, out_features=2, bias=False)"
    cr.save(net, tmp_path / "net.safetensors")
    assert list(cr.load(tmp_path / "net.safetensors").state_dict()) == ["0.weight"]


@pytest.mark.parametrize("name", LAYERS)
def test_wrong_arguments_are_pythons_to_refuse(name):
    with pytest.raises(TypeError, match=r"unexpected|takes no arguments"):
        nn.LAYERS.get(name)(no_such_argument=1)


# What torch's signatures have and ours have not, and where a default is another one.
NOT_OURS = {"inplace", "device", "dtype"}
LEFT_OUT = {
    "Embedding": {"max_norm", "norm_type", "scale_grad_by_freq", "sparse", "_weight", "_freeze"},
    "Hardtanh": {"min_value", "max_value"},  # older names of its arguments
}
OTHER_DEFAULTS = {("Softmax", "dim"), ("LogSoftmax", "dim"), ("Softmin", "dim")}
TAKES_ANYTHING = {"Sequential", "Identity"}  # torch's are *args
OURS_ALONE = {"Residual", "Parallel", "Maxout", "RestrictedBoltzmann"}


@pytest.mark.parametrize("name", sorted(set(nn.LAYERS) - OURS_ALONE - TAKES_ANYTHING))
def test_arguments_order_and_defaults_are_torchs(torch, name):
    theirs = inspect.signature(getattr(torch.nn, name).__init__).parameters
    ours = inspect.signature(nn.LAYERS.get(name)).parameters
    left_out = NOT_OURS | LEFT_OUT.get(name, set()) | {"self"}
    anything = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    wanted = [p for key, p in theirs.items() if key not in left_out and p.kind not in anything]
    # Behind torch's there may be more, by name alone: how a weight starts.
    found = [p for p in ours.values() if p.kind is not p.KEYWORD_ONLY or p.name in theirs]
    assert [(p.name, p.kind) for p in found] == [(p.name, p.kind) for p in wanted]
    for mine, torchs in zip(found, wanted, strict=True):
        assert mine.default == torchs.default or (name, mine.name) in OTHER_DEFAULTS


def test_torch_has_none_of_these(torch):
    assert [name for name in OURS_ALONE if hasattr(torch.nn, name)] == []


WITH_STATE = {
    "Linear": (3, 2),
    "Bilinear": (3, 4, 2),
    "Embedding": (5, 3, 1),
    "BatchNorm1d": (3,),
    "LayerNorm": ((3, 2),),
    "RMSNorm": (3,),
    "GroupNorm": (2, 4),
    "PReLU": (3,),
}


def test_every_layer_with_state_that_torch_has_is_listed():
    stateful = {
        name
        for name, (make, _) in LAYERS.items()
        if make().state_dict() and not list(make().named_children())
    }
    # GLU's like have none; what is made of others has theirs.
    assert stateful | {"BatchNorm1d"} == set(WITH_STATE) | {"Maxout", "RestrictedBoltzmann"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", WITH_STATE)
def test_state_moves_both_ways(torch, name, dtype):
    net = nn.LAYERS.get(name)(*WITH_STATE[name]).astype(dtype).initialize(seed=3)
    module = getattr(torch.nn, name)(*WITH_STATE[name]).to(getattr(torch, dtype))
    theirs = {key: value.numpy().copy() for key, value in module.state_dict().items()}
    ours = net.state_dict()
    assert {k: (a.shape, a.dtype) for k, a in ours.items()} == {
        k: (a.shape, a.dtype) for k, a in theirs.items()
    }
    module.load_state_dict({key: torch.tensor(array) for key, array in ours.items()})
    for key, value in module.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), ours[key])
    module.load_state_dict({key: torch.tensor(array) for key, array in theirs.items()})
    net.load_state_dict(module.state_dict())
    for key, array in net.state_dict().items():
        np.testing.assert_array_equal(array, theirs[key])
