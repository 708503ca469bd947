"""Networks in files: everything comes back, and no file does harm."""

import json
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError, FileFormatError, NameNotFoundError, ShapeError
from chainrule.base.files import read_tensors, write_tensors
from chainrule.nn.description import describe
from tests.nn.catalogue import LAYERS, X


def saved(net, tmp_path):
    path = tmp_path / "net.safetensors"
    cr.save(net, path)
    return cr.load(path)


def assert_same(loaded, net):
    assert repr(loaded) == repr(net)
    ours, theirs = loaded.state_dict(), net.state_dict()
    assert list(ours) == list(theirs)
    for path, array in theirs.items():
        assert ours[path].dtype == array.dtype
        np.testing.assert_array_equal(ours[path], array)
    names = [[name for name, _ in n.named_parameters()] for n in (loaded, net)]
    assert names[0] == names[1]  # the same parameters are shared
    assert list(loaded.trainable_parameters()) == list(net.trainable_parameters())


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_comes_back(name, tmp_path):
    make, x = LAYERS[name]
    net = make()
    loaded = saved(net, tmp_path)
    assert type(loaded) is type(net)
    assert_same(loaded, net)
    if x is not None:
        with nn.training(seed=1):
            for ours, theirs in zip(outputs(loaded, x), outputs(net, x), strict=True):
                np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def outputs(net, x):
    y = net(*x) if isinstance(x, tuple) else net(x)
    return y if isinstance(y, tuple) else (y,)


def trained(dtype="float32"):
    net = nn.Sequential(
        nn.Linear(3, 4, weight_init="kaiming_normal", bias_init=nn.init.zeros()),
        nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Sequential(nn.LeakyReLU(0.2))),
        nn.Linear(4, 2),
    ).astype(dtype)
    with nn.training():
        net(X)
    return net


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nested_networks_dtypes_and_statistics_come_back(dtype, tmp_path):
    net = trained(dtype)
    loaded = saved(net, tmp_path)
    assert_same(loaded, net)
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X))


def test_frozen_parameters_stay_frozen(tmp_path):
    net = trained()
    net[0].weight.requires_grad = False
    net[1][0].bias.requires_grad = False
    loaded = saved(net, tmp_path)
    assert_same(loaded, net)
    assert not loaded[1][0].bias.requires_grad


def test_a_shared_module_stays_shared(tmp_path):
    block = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    net = nn.Sequential(block, nn.Dropout(0.5), block, nn.Sequential(block))
    loaded = saved(net, tmp_path)
    assert_same(loaded, net)
    assert loaded[0] is loaded[2] is loaded[3][0]


def test_a_shared_parameter_stays_shared(tmp_path):
    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Sequential(nn.Linear(3, 3)))
    net[2][0].weight = net[0].weight
    loaded = saved(net, tmp_path)
    assert_same(loaded, net)
    assert loaded[2][0].weight is loaded[0].weight
    assert loaded[2][0].bias is not loaded[0].bias


def test_a_network_changed_after_it_was_made_is_saved_as_it_is(tmp_path):
    net = trained()
    net[1][1].p = 0.75
    setattr(net, "2", nn.Linear(4, 5))
    net[0].bias = None
    path = tmp_path / "net.safetensors"
    cr.save(net, path)
    # Its arguments say bias=True, three layers of other sizes: the numbers are kept, and no wrong
    # description beside them.
    with pytest.raises(FileFormatError, match="no description"):
        cr.load(path)
    twin = trained()
    setattr(twin, "2", nn.Linear(4, 5))
    twin[0].bias = None
    np.testing.assert_array_equal(cr.load(path, into=twin).predict(X), net.predict(X))


def test_attributes_changed_after_it_was_made_are_saved_as_they_are(tmp_path):
    net = trained()
    net[1][1].p = 0.75
    net[1][2][0].negative_slope = 0.5
    loaded = saved(net, tmp_path)
    assert loaded[1][1].p == 0.75
    assert_same(loaded, net)


RULES = {
    "constant": {"value": 0.5},
    "uniform": {"low": -2.0, "high": 0.5},
    "trunc_normal": {"std": 0.5, "a": -0.25},
    "xavier_normal": {"gain": "tanh"},
    "kaiming_uniform": {"a": 0.2, "mode": "fan_out"},
    "orthogonal": {"gain": 0.5},
    "sparse": {"sparsity": 0.5},
}


@pytest.mark.parametrize("name", nn.INITIALIZERS)
def test_every_initializer_comes_back(name, tmp_path):
    rule = nn.INITIALIZERS.get(name)(**RULES.get(name, {}))
    net = nn.Sequential(nn.Linear(3, 2, weight_init=rule))
    loaded = saved(net, tmp_path)
    assert repr(loaded) == repr(net)
    again = loaded.initialize(seed=5, reset=True).state_dict()
    for path, array in net.initialize(seed=5, reset=True).state_dict().items():
        np.testing.assert_array_equal(again[path], array)


def test_an_argument_that_is_infinite_comes_back(tmp_path):
    net = nn.Sequential(nn.Linear(3, 2), nn.Softplus(threshold=np.inf))
    assert saved(net, tmp_path)[1].threshold == np.inf
    run = {"loss": "MSELoss", "progress": False, "folder": tmp_path / "run"}
    cr.fit(net, X, X[:, :2] ** 2, **run)
    assert cr.load_run(tmp_path / "run").net[1].threshold == np.inf


def test_a_table_drawn_by_ones_own_rule_comes_back_without_the_rule(tmp_path):
    def ramp(shape, seed, path):
        return np.arange(np.prod(shape), dtype=float).reshape(shape)

    net = nn.Embedding(4, 3, padding_idx=1, weight_init=ramp)
    loaded = saved(net, tmp_path)
    np.testing.assert_array_equal(loaded.weight.numpy(), net.weight.numpy())
    assert loaded.weight.numpy()[:2].tolist() == [[0, 1, 2], [0, 0, 0]]


class Residual(nn.Module):
    def __init__(self, width):
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return x + self.linear(x)


def test_a_module_of_ones_own_is_loaded_into_one(tmp_path):
    net = nn.Sequential(Residual(3), nn.Linear(3, 1))
    path = tmp_path / "net.safetensors"
    cr.save(net, path)
    with pytest.raises(FileFormatError) as caught:
        cr.load(path)
    assert str(caught.value) == (
        f"{path} holds numbers, and no description of a network of chainrule's own layers. Build "
        "the network and pass it: cr.load(path, into=net)."
    )
    into = nn.Sequential(Residual(3), nn.Linear(3, 1))
    assert cr.load(path, into=into) is into
    np.testing.assert_array_equal(into.predict(X), net.predict(X))


def test_a_registered_module_of_ones_own_needs_no_help(tmp_path, monkeypatch):
    registry = dict(nn.LAYERS.items())
    monkeypatch.setattr(nn.LAYERS, "_things", registry)  # forgotten after the test

    @nn.LAYERS.register("Branches")
    class Branches(nn.Module):
        """Lists, dicts and modules as arguments."""

        def __init__(self, stem, branches, *more, scale=1.0):
            self.stem = stem
            self.branches = branches
            self.more = list(more)
            self.scale = scale

        def forward(self, x):
            x = self.stem(x)
            return sum((b(x) for b in [*self.branches, *self.more]), 0.0) * self.scale

    shared = nn.Linear(2, 2)
    net = Branches(nn.Linear(3, 2), [shared, nn.Tanh()], shared, nn.Sigmoid(), scale=0.5)
    loaded = saved(net, tmp_path)
    assert_same(loaded, net)
    assert loaded.more[0] is loaded.branches[0]
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X))

    @nn.LAYERS.register("doubling")
    class Doubling(nn.Module):
        """An argument that is not the attribute of its name, registered under another name."""

        def __init__(self, width):
            self.width = 2 * width
            self.linear = nn.Linear(3, self.width)

        def forward(self, x):
            return self.linear(x)

    assert_same(saved(Doubling(2), tmp_path), Doubling(2))

    @nn.LAYERS.register("Opaque")
    class Opaque(nn.Module):
        def __init__(self, function):
            self.function = function

        def forward(self, x):
            return self.function(x)

    assert describe(Opaque(np.tanh)) is None


def test_loading_into_a_network_says_what_does_not_fit(tmp_path):
    path = tmp_path / "net.safetensors"
    cr.save(nn.Linear(3, 2), path)
    with pytest.raises(ShapeError, match=r"^weight has shape \[3,3\]; got \[2,3\]\.$"):
        cr.load(path, into=nn.Linear(3, 3))
    with pytest.raises(NameNotFoundError, match=r"^No variable of the network is named"):
        cr.load(path, into=nn.Sequential(nn.Linear(3, 2)))


def test_weights_from_anyones_safetensors(torch, tmp_path):
    from safetensors.numpy import save_file

    module = torch.nn.Linear(3, 2)
    path = tmp_path / "torch.safetensors"
    save_file({name: t.numpy() for name, t in module.state_dict().items()}, path)
    net = cr.load(path, into=nn.Linear(3, 2))
    np.testing.assert_array_equal(net.weight.numpy(), module.weight.detach().numpy())


def test_saving_replaces_the_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    cr.save(nn.Linear(3, 2), path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        cr.save(nn.Linear(30, 20), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]


# --- files that mean no good -------------------------------------------------------------------


def layer(name, **arguments):
    return {"layer": name, "arguments": arguments}


def whole(network, frozen=(), shared=None):
    return {"network": network, "frozen": list(frozen), "shared": shared or {}}


def deep(levels):
    text = '{"layer": "Sequential", "arguments": {"modules": [' * levels
    return '{"frozen": [], "shared": {}, "network": ' + text + "]}}" * levels + "}"


def tower(levels):
    """Pairs in pairs in pairs, whose second half can be shared with the first."""
    network = layer("Tanh")
    for _ in range(levels):
        network = layer("Sequential", modules=[network, layer("Sequential")])
    return network


TWO = layer("Sequential", modules=[layer("Linear", in_features=3, out_features=3), layer("Tanh")])
CANNOT = "describes a network that cannot be built: "
OTHER = "describes one network and holds the numbers of another: "
MALICIOUS = {
    "no JSON": ("{", "has a malformed architecture: Expecting property name"),
    "a JSON of another kind": ("[]", CANNOT),
    "null": ("null", CANNOT),
    "a number for a layer": (whole(7), CANNOT),
    "nothing inside": ({}, CANNOT + "it lacks 'network'"),
    "an unknown layer": (
        whole(layer("Liner")), CANNOT + 'No layer is named "Liner". Did you mean "Linear"?'
    ),
    "a dotted name": (whole(layer("os.system", command="true")), CANNOT + "No layer is named"),
    "a name that is no text": (whole(layer(["Linear"])), CANNOT + "No layer is named"),
    "an unknown argument": (
        whole(layer("Tanh", inplace=True)), CANNOT + "Tanh() takes no arguments"
    ),
    "a missing argument": (
        whole(layer("Linear", in_features=3)),
        CANNOT + "Linear.__init__() missing 1 required positional argument: 'out_features'",
    ),
    "text for a number": (
        whole(layer("Linear", in_features="3", out_features=2)),
        CANNOT + "Linear takes a whole number in_features ≥ 1; got '3'",
    ),
    "a list for a number": (whole(layer("Dropout", p=[0.5])), CANNOT + "Dropout takes 0 ≤ p ≤ 1"),
    "NaN for a number": (whole(layer("Dropout", p=float("nan"))), CANNOT + "Dropout takes 0 ≤ p"),
    "no number of features": (
        whole(layer("BatchNorm1d", num_features=-1)),
        CANNOT + "BatchNorm1d takes a whole number num_features ≥ 1; got -1",
    ),
    "a number too long": (
        '{"network": {"layer": "Softmax", "arguments": {"dim": ' + "9" * 5000 + "}}}",
        "has a malformed architecture: Exceeds the limit",
    ),
    "a number without end": (
        whole(layer("Linear", in_features=10**400, out_features=2)), CANNOT
    ),
    "a network in a network in a network": (
        deep(70), CANNOT + "layers inside layers, more than 64 deep"
    ),
    "a bomb of brackets": (deep(50_000), "has a malformed architecture: maximum recursion depth"),
    "more layers than there is memory for": (
        whole(layer("Sequential", modules=[layer("Tanh")] * 200_000)),
        "describes a network in 7200092 characters, over the limit of 4194304",
    ),
    "a huge layer": (
        whole(layer("Linear", in_features=10**9, out_features=10**9)),
        OTHER + "weight has shape [1000000000,1000000000]; got [3,3]",
    ),
    "huge statistics": (
        whole(layer("BatchNorm1d", num_features=10**13)),
        OTHER + "The state has no running_mean",
    ),
    "a layer without numbers": (
        whole(layer("Sequential", modules=[layer("Linear", in_features=10**9, out_features=1)])),
        OTHER + "No variable of the network is named",
    ),
    "something else frozen": (whole(TWO, frozen=["9.weight"]), CANNOT + "it lacks '9.weight'"),
    "a module that contains itself": (
        whole(TWO, shared={"1": ""}), CANNOT + "1 cannot be the network, which contains it"
    ),
    "a module inside of itself": (
        whole(layer("Sequential", modules=[TWO]), shared={"0.1": "0"}),
        CANNOT + "0.1 cannot be 0, which contains it",
    ),
    "a parameter for a module": (
        whole(TWO, shared={"1": "0.weight"}), CANNOT + "1 and 0.weight cannot be one"
    ),
    "shared with nothing": (whole(TWO, shared={"1": "7"}), CANNOT + "it lacks '7'"),
    "more paths than there is time to walk": (
        whole(
            tower(60),
            shared={".".join(["0"] * i + ["1"]): ".".join(["0"] * (i + 1)) for i in range(60)},
        ),
        CANNOT + "its modules stand at more than 100000 paths",
    ),
    "shared is a list": ({"network": TWO, "frozen": [], "shared": ["1"]}, CANNOT),
}  # fmt: skip


@pytest.mark.parametrize("case", MALICIOUS)
def test_a_description_that_means_no_good_is_one_clear_error(case, tmp_path):
    description, expected = MALICIOUS[case]
    text = description if isinstance(description, str) else json.dumps(description)
    path = tmp_path / "net.safetensors"
    state = nn.Linear(3, 3).state_dict()
    write_tensors(path, state, {"format": "chainrule-network-1", "architecture": text})
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError) as caught:
            cr.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(f"{path} {expected}")
    assert "\n" not in message
    assert len(message) < 1000
    assert peak < 100 * 2**20


def test_a_file_from_a_later_version_says_so(tmp_path):
    path = tmp_path / "net.safetensors"
    write_tensors(
        path, {}, {"format": "chainrule-network-2", "architecture": json.dumps(whole(TWO))}
    )
    with pytest.raises(FileFormatError) as caught:
        cr.load(path)
    assert str(caught.value) == (
        f'{path} has the format "chainrule-network-2"; this version reads "chainrule-network-1". '
        "Upgrade chainrule, or build the network and pass it: cr.load(path, into=net)."
    )


@pytest.mark.parametrize("cut", [0, 4, 8, 100, -1])
def test_truncated_files_are_refused(cut, tmp_path):
    path = tmp_path / "net.safetensors"
    cr.save(trained(), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(FileFormatError) as caught:
        cr.load(path)
    assert str(caught.value).startswith(f"{path} cannot be read as safetensors: ")


def test_a_garbled_byte_is_refused_or_changes_a_number_only(tmp_path):
    path = tmp_path / "net.safetensors"
    cr.save(trained(), path)
    good = path.read_bytes()
    header = int.from_bytes(good[:8], "little")
    for position in range(0, 8 + header, 7):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0x5A]) + good[position + 1 :])
        with suppress(FileFormatError):
            cr.load(path)


def test_half_precision_numbers_are_widened(tmp_path):
    path = tmp_path / "net.safetensors"
    cr.save(nn.Linear(3, 2), path)
    state, metadata = read_tensors(path)
    half = {name: array.astype(np.float16) for name, array in state.items()}
    write_tensors(path, half, metadata)
    net = cr.load(path)
    assert net.weight.dtype == np.float32
    np.testing.assert_array_equal(net.weight.numpy(), half["weight"].astype(np.float32))


@pytest.mark.parametrize("name", ["net.pt", "net", "net.svg"])
def test_a_network_is_written_in_no_other_file(name, tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        cr.save(nn.Linear(3, 2), tmp_path / name)
    assert str(caught.value) == (
        f"A network is written as .safetensors; got {tmp_path}/{name}. Name it "
        f"{tmp_path}/net.safetensors."
    )
    assert list(tmp_path.iterdir()) == []
