"""What is recorded of a torch module's step, and that nothing of the module is changed by it."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, FileFormatError
from chainrule.base.files import read_tensors, write_tensors
from chainrule.explanation import TorchTrace
from tests.explanation.ports import LABELS, RNG, X, compared, plain, ported, shown, torchs


def test_names_are_those_of_our_trace(torch):
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.same = torch.nn.Linear(3, 3)
            self.pair = Pair()

        def forward(self, x):
            first, second = self.pair(self.same(torch.tanh(self.same(x))))
            return first + second

    class Pair(torch.nn.Module):
        def forward(self, x):
            return 2 * x, {"third": x + 1}["third"]

    class OurTwice(nn.Module):
        def __init__(self):
            self.same, self.pair = nn.Linear(3, 3), OurPair()

        def forward(self, x):
            first, second = self.pair(self.same(self.same(x).tanh()))
            return first + second

    class OurPair(nn.Module):
        def forward(self, x):
            return 2 * x, x + 1

    net = OurTwice()
    y = RNG.normal(size=(8, 3))
    diff = compared(torch, net, Twice(), y, loss=nn.MSELoss(), theirs=torch.nn.MSELoss())
    assert diff.same, shown(diff)
    names = {each.name for each in diff.values}
    assert {"same.out", "same.out#2", "pair.out.0", "pair.out.1", "out"} <= names
    assert {"d_same.out", "d_same.out#2", "d_same.weight"} <= names


def test_a_value_changed_in_place_is_recorded_before_and_after(torch):
    module = torchs(torch, torch.nn.ReLU(inplace=True))
    diff = compared(torch, plain(), module)
    assert diff.same, shown(diff)
    trace = cr.trace_torch(module, X, LABELS, torch.nn.CrossEntropyLoss())
    assert (trace["0.out"] < 0).any()
    assert np.array_equal(trace["1.out"], np.maximum(trace["0.out"], 0))
    assert np.array_equal(trace["d_0.out"], trace["d_1.out"] * (trace["0.out"] > 0))


def test_the_module_the_optimizer_and_the_random_numbers_are_left_as_they_were(torch):
    t = torch.nn
    module = t.Sequential(t.Linear(3, 4), t.BatchNorm1d(4), t.Dropout(0.5), t.Linear(4, 5))
    module[2].eval()
    loss = t.CrossEntropyLoss()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    x, y = torch.tensor(X, dtype=torch.float32), torch.tensor(LABELS)
    loss(module(x), y).backward()
    optimizer.step()

    def everything():
        return {
            "state": {k: v.clone() for k, v in module.state_dict().items()},
            "grads": [p.grad.clone() for p in module.parameters()],
            "optimizer": [
                {k: v.clone() for k, v in optimizer.state[p].items()} for p in module.parameters()
            ],
            "random": torch.get_rng_state().clone(),
            "modes": [part.training for part in module.modules()],
            "hooks": [len(part._forward_hooks) for part in module.modules()],
            "tensors": [id(p) for p in (*module.parameters(), *module.buffers())],
            "gradients": [id(p.grad) for p in module.parameters()],
            "slots": [id(v) for p in module.parameters() for v in optimizer.state[p].values()],
            "groups": [
                {k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups
            ],
        }

    before = everything()
    trace = cr.trace_torch(module, X, LABELS, loss, optimizer)
    after = everything()
    assert torch.utils._pytree.tree_all(
        lambda pair: pair,
        torch.utils._pytree.tree_map(
            lambda a, b: bool(torch.equal(a, b)) if isinstance(a, torch.Tensor) else a == b,
            before,
            after,
        ),
    )
    assert not np.array_equal(trace["0.weight"], trace["next.0.weight"])
    assert np.array_equal(trace["0.weight"], module[0].weight.detach().numpy())
    assert not np.array_equal(trace["1.running_mean"], trace["next.1.running_mean"])


def test_an_error_in_the_module_leaves_it_as_it_was(torch):
    class Failing(torch.nn.Module):
        def forward(self, x):
            raise RuntimeError("no")

    module = torch.nn.Sequential(torch.nn.BatchNorm1d(3), Failing())
    before = module.state_dict()["0.running_mean"].clone()
    with pytest.raises(RuntimeError, match="no"):
        cr.trace_torch(module, X, LABELS, torch.nn.CrossEntropyLoss())
    assert torch.equal(before, module[0].running_mean)
    assert not module[0]._forward_hooks


def test_what_cannot_be_recorded_is_refused(torch):
    module = torchs(torch, torch.nn.ReLU())
    with pytest.raises(ConfigurationError, match=r"The loss gave \(8,\); a training step needs"):
        cr.trace_torch(module, X, LABELS, torch.nn.CrossEntropyLoss(reduction="none"))
    with pytest.raises(ConfigurationError, match=r"takes an optimizer of torch\.optim; got SGD"):
        cr.trace_torch(module, X, LABELS, torch.nn.CrossEntropyLoss(), optim.SGD())
    lbfgs = torch.optim.LBFGS(module.parameters())
    with pytest.raises(ConfigurationError, match="LBFGS evaluates the loss anew"):
        cr.trace_torch(module, X, LABELS, torch.nn.CrossEntropyLoss(), lbfgs)
    with pytest.raises(ConfigurationError, match="takes a loss that can be called"):
        cr.trace_torch(module, X, LABELS, "MSELoss")


def test_bfloat16_is_refused(torch):
    module = torchs(torch, torch.nn.ReLU()).bfloat16()
    with pytest.raises(ConfigurationError, match="trace_torch got bfloat16, which NumPy does not"):
        cr.trace_torch(module, X, LABELS, torch.nn.CrossEntropyLoss())


def test_half_precision_is_compared_by_its_own_rounding(torch):
    net = plain("Tanh").initialize(0)
    module = ported(torch, net, torchs(torch, torch.nn.Tanh())).half()
    half = {name: p.detach().float().numpy() for name, p in module.named_parameters()}
    net.load_state_dict(half)
    a = cr.explain(net, X.astype("float16"), LABELS, loss=nn.CrossEntropyLoss(), backend="numpy")
    b = cr.trace_torch(module, X.astype("float16"), LABELS, torch.nn.CrossEntropyLoss())
    diff = cr.diff(a, b)
    assert diff.same, shown(diff)
    assert b["loss"].dtype == np.float16


def test_an_embedding_and_its_gradient_are_compared(torch):
    t = torch.nn
    net = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(12, 5)).initialize(0)
    module = t.Sequential(t.Embedding(7, 4), t.Flatten(), t.Linear(12, 5))
    module.load_state_dict({k: torch.tensor(v) for k, v in net.state_dict().items()})
    words = RNG.integers(0, 7, (8, 3))
    a = cr.explain(net, words, LABELS, loss=nn.CrossEntropyLoss(), backend="numpy")
    diff = cr.diff(a, cr.trace_torch(module, words, LABELS, t.CrossEntropyLoss()))
    assert diff.same, shown(diff)
    assert "d_0.weight" in {each.name for each in diff.values}


def test_a_name_that_is_not_there_is_refused_with_the_nearest(torch):
    trace = cr.trace_torch(torchs(torch, torch.nn.ReLU()), X, LABELS, torch.nn.CrossEntropyLoss())
    with pytest.raises(KeyError, match=r'Did you mean "0\.weight"'):
        trace["0.wieght"]


# --- in a file -----------------------------------------------------------------------------------


@pytest.fixture
def recorded(torch):
    net, module = plain(), torchs(torch, torch.nn.ReLU())
    port = ported(torch, net, module)
    optimizer = torch.optim.Adam(port.parameters(), lr=0.01)
    theirs = cr.trace_torch(port, X, LABELS, torch.nn.CrossEntropyLoss(), optimizer)
    ours = cr.explain(
        net, X, LABELS, loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(lr=0.01), backend="numpy"
    )
    return ours, theirs


def test_a_torch_trace_that_is_read_again_is_the_same(recorded, tmp_path):
    ours, theirs = recorded
    theirs.save(tmp_path / "port.safetensors")
    again = TorchTrace.load(tmp_path / "port.safetensors")
    assert list(again.values) == list(theirs.values)
    for name, value in theirs.values.items():
        assert (again[name].dtype, again[name].shape) == (value.dtype, value.shape)
        assert again[name].tobytes() == value.tobytes()
    assert (again.about, again.is_training, again.state) == (
        theirs.about,
        theirs.is_training,
        theirs.state,
    )
    assert cr.diff(ours, again).same == cr.diff(ours, theirs).same
    assert cr.diff(theirs, again).identical


def test_what_is_no_torch_trace_is_refused_with_what_to_call(recorded, tmp_path):
    _, theirs = recorded
    cr.save(nn.Linear(2, 2), tmp_path / "net.safetensors")
    with pytest.raises(FileFormatError, match="is no trace of a torch module"):
        TorchTrace.load(tmp_path / "net.safetensors")
    theirs.save(tmp_path / "port.safetensors")
    with pytest.raises(FileFormatError, match=r"read by chainrule\.explanation\.TorchTrace\.load"):
        cr.load_trace(tmp_path / "port.safetensors")
    with pytest.raises(ConfigurationError, match=r"written as \.safetensors; got .*port\.json"):
        theirs.save(tmp_path / "port.json")
    tensors, metadata = read_tensors(tmp_path / "port.safetensors")
    for change, says in (
        ({"version": "2"}, "has version '2'"),
        ({"trace": "{"}, "cannot be read as a torch trace"),
        ({"trace": metadata["trace"].replace('"0.weight"', '"0.height"')}, "does not hold"),
    ):
        write_tensors(tmp_path / "other.safetensors", tensors, metadata | change)
        with pytest.raises(FileFormatError, match=says):
            TorchTrace.load(tmp_path / "other.safetensors")
