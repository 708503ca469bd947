"""Numbers from elsewhere: what a network takes, what it keeps, and a report that says which."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import (
    ConfigurationError,
    DataError,
    FileFormatError,
    NameNotFoundError,
    ShapeError,
)
from chainrule.base.files import write_tensors
from tests.nn.parity import numbers


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).initialize(seed=1)


def written(path, arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        write_tensors(path, arrays)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_whole_network_comes_back(suffix, tmp_path):
    net, other = network(), network().initialize(seed=2, reset=True)
    report = other.load_pretrained(written(tmp_path / f"net{suffix}", net.state_dict()))
    assert report.is_complete
    assert list(report.loaded) == list(net.state_dict())
    for path, array in net.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[path], array)


def test_the_report_says_what_was_loaded_missing_left_over_and_of_another_kind(tmp_path):
    net = network()
    before = net.state_dict()
    arrays = {
        "0.weight": numbers(0, 4, 3),
        "0.bias": numbers(1, 4),
        "1.running_mean": numbers(2, 4),
        "2.weight": numbers(3, 5, 4),  # of another number of classes
        "2.bias": np.array(["a", "b"]),
        "optimizer.step": np.array(7),
    }
    path = written(tmp_path / "w.npz", arrays)
    report = net.load_pretrained(path)
    assert str(report) == (
        f"3 of 9 parameters and buffers were loaded from {path}\n"
        "loaded (3):\n"
        "  0.weight [4,3]\n"
        "  0.bias [4]\n"
        "  1.running_mean [4]\n"
        "missing in the source (4):\n"
        "  1.weight [4]\n"
        "  1.bias [4]\n"
        "  1.running_var [4]\n"
        "  1.num_batches_tracked []\n"
        "of another kind (2):\n"
        "  2.weight: has shape [2,4]; got [5,4]\n"
        "  2.bias: holds float32 numbers; got <U1\n"
        "left over in the source (1):\n"
        "  optimizer.step"
    )
    assert not report.is_complete
    after = net.state_dict()
    for name in before:
        if name in report.loaded:
            np.testing.assert_array_equal(after[name], arrays[name].astype(np.float32))
        else:
            np.testing.assert_array_equal(after[name], before[name])


def test_torchs_state_is_taken_as_it_is(torch):
    module = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)
    )
    net = network()
    assert net.load_pretrained(module.state_dict()).is_complete
    assert net.load_pretrained(dict(module.named_parameters())).missing == (
        "1.running_mean", "1.running_var", "1.num_batches_tracked",
    )  # fmt: skip
    x = numbers(0, 5, 3).astype(np.float32)
    expected = module.eval()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(net.predict(x), expected, rtol=0, atol=1e-5)


class Classifier(nn.Module):
    def __init__(self):
        self.encoder = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.encoder(x))


RENAMED = {
    "a beginning taken away": ({"model": ""}, "model.{}"),
    "a beginning put in front": ({"": "encoder"}, "{}"),
    "beginnings of two parts": ({"net.body": "encoder", "fc": "head"}, "net.body.{}"),
    "a function": (lambda name: name.replace("trunk_", "encoder."), "trunk_{}"),
}


@pytest.mark.parametrize("case", RENAMED)
def test_names_are_changed(case):
    rename, pattern = RENAMED[case]
    net = Classifier()
    encoder = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4)).initialize(seed=5)
    source = {
        pattern.format(f"encoder.{name}" if pattern == "model.{}" else name): array
        for name, array in encoder.state_dict().items()
    }
    report = net.load_pretrained(source, rename=rename)
    assert report.missing == ("head.weight", "head.bias")
    assert report.left_over == ()
    for name, array in encoder.state_dict().items():
        np.testing.assert_array_equal(net.state_dict()[f"encoder.{name}"], array)


def test_the_longest_beginning_counts_and_a_beginning_ends_at_a_point():
    net = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.Linear(1, 1), "fc2": nn.Linear(1, 1)})
    source = {"x.weight": [[1.0]], "x.y.weight": [[2.0]], "fc2.weight": [[3.0]], "x.y.bias": [4.0]}
    rename = {"x": "a", "x.y": "b", "fc": "a", "x.y.bias": "a.bias"}
    report = net.load_pretrained(source, rename=rename)
    assert report.loaded == {
        "a.weight": "x.weight",
        "a.bias": "x.y.bias",
        "b.weight": "x.y.weight",
        "fc2.weight": "fc2.weight",
    }
    assert "  a.bias [1]  from x.y.bias" in str(report).splitlines()


def test_a_function_may_leave_arrays_out():
    report = network().load_pretrained(
        network().state_dict(), rename=lambda name: name if name.startswith("0.") else None
    )
    assert list(report.loaded) == ["0.weight", "0.bias"]
    assert report.left_over == ()


def test_what_could_be_renamed_is_suggested():
    net = Classifier()
    state = {f"module.{name}": array for name, array in net.state_dict().items()}
    report = net.load_pretrained(state)
    assert not report.loaded
    assert str(report).splitlines()[-1] == "Perhaps rename={'module': ''}"
    assert net.load_pretrained(state, rename={"module": ""}).is_complete
    head = {"fc.weight": np.zeros((2, 4)), "fc.bias": np.zeros(2)}
    encoder = {n: a for n, a in net.state_dict().items() if n.startswith("encoder")}
    report = net.load_pretrained({**encoder, **head})
    assert str(report).splitlines()[-1] == "Perhaps rename={'fc': 'head'}"


def test_long_lists_are_cut_and_whole_in_the_report():
    net = nn.Sequential(*(nn.Linear(2, 2) for _ in range(15)))
    report = net.load_pretrained({"0.weight": np.zeros((2, 2))})
    assert len(report.missing) == 29
    assert "  and 9 more" in str(report).splitlines()


def test_a_shared_parameter_is_one():
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    net[1].weight = net[0].weight
    report = net.load_pretrained({"1.weight": np.eye(2)})
    assert report.is_complete
    assert report.loaded == {"0.weight": "1.weight"}
    assert str(report).startswith("1 of 1 ")
    np.testing.assert_array_equal(net[0].weight.numpy(), np.eye(2))
    with pytest.raises(DataError, match="are one variable"):
        net.load_pretrained({"0.weight": np.eye(2), "1.weight": np.zeros((2, 2))})


def test_a_network_that_was_not_drawn_draws_the_rest_later():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net.load_pretrained({"0.weight": np.eye(2)})
    net.initialize(seed=3)
    np.testing.assert_array_equal(net[0].weight.numpy(), np.eye(2))
    expected = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).initialize(seed=3).state_dict()
    np.testing.assert_array_equal(net[1].weight.numpy(), expected["1.weight"])


def test_pretrained_numbers_are_what_training_starts_from():
    net = network()
    report = net.load_pretrained({"0.weight": np.ones((4, 3))})
    for path, parameter in net.named_parameters():
        parameter.requires_grad = path not in report.loaded
    x = numbers(0, 8, 3)
    run = cr.fit(net, x, np.arange(8) % 2, loss="CrossEntropyLoss", epochs=1, progress=False)
    np.testing.assert_array_equal(run.net.state_dict()["0.weight"], np.ones((4, 3)))


WRONG = {
    "two names become one": (
        lambda net: net.load_pretrained({"a": [1.0], "b": [2.0]}, rename=lambda name: "0.bias"),
        DataError,
        "a and b of the source both become 0.bias.",
    ),
    "no mapping": (
        lambda net: net.load_pretrained([np.eye(2)]),
        ConfigurationError,
        (
            "load_pretrained reads a file or a mapping of arrays by name; got list. "
            "Pass for example another network's state_dict()."
        ),
    ),
    "no renaming": (
        lambda net: net.load_pretrained({"a": [1.0]}, rename="b"),
        ConfigurationError,
        "rename is a mapping of names or a function; got str.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_meant(case):
    use, error, message = WRONG[case]
    net = network()
    before = net.state_dict()
    with pytest.raises(error) as caught:
        use(net)
    assert str(caught.value) == message
    for path, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[path])


def test_fractions_for_a_counter_are_of_another_kind():
    report = network().load_pretrained({"1.num_batches_tracked": np.array(1.5)})
    assert [str(m.reason) for m in report.misfits] == ["holds int64 numbers; got 1.5"]


def test_a_damaged_file_changes_nothing(tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(FileFormatError, match=r"w\.npz cannot be read as npz"):
        network().load_pretrained(path)


# --- one array for one parameter ------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_parameter_starts_from_a_file(suffix, tmp_path):
    w = numbers(0, 2, 3)
    path = written(tmp_path / f"w{suffix}", {"w": w, "other": np.zeros(3)})
    net = nn.Linear(3, 2, weight_init=nn.init.from_file(path, "w")).astype("float64")
    np.testing.assert_array_equal(net.state_dict()["weight"], w)
    net.weight.replace(np.zeros((2, 3)))
    np.testing.assert_array_equal(net.initialize(reset=True).state_dict()["weight"], w)


def test_a_file_that_has_something_else(tmp_path):
    path = written(tmp_path / "w.npz", {"w": numbers(0, 3, 2)})
    with pytest.raises(ShapeError) as caught:
        nn.Linear(3, 2, weight_init=nn.init.from_file(path, "w")).initialize()
    assert str(caught.value) == f"weight has shape [2,3]; w in {path} has [3,2]."
    with pytest.raises(NameNotFoundError, match='No array is named "v"'):
        nn.Linear(3, 2, weight_init=nn.init.from_file(path, "v")).initialize()


def test_a_network_that_started_from_a_file_is_saved_without_it(tmp_path):
    path = written(tmp_path / "w.npz", {"w": numbers(0, 2, 3)})
    net = nn.Sequential(nn.Linear(3, 2, weight_init=nn.init.from_file(path, "w")))
    cr.save(net, tmp_path / "net.safetensors")
    path.unlink()
    loaded = cr.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(loaded[0].weight.numpy(), net[0].weight.numpy())
