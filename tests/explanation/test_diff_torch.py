"""A port verified number by number, and the mistakes of ports named."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError

RNG = np.random.default_rng(11)
X = RNG.normal(size=(8, 3))
LABELS = RNG.integers(0, 5, 8)
NUMBERS = RNG.normal(size=(8, 5))


def ported(torch, net, module, dtype="float32"):
    """The module with the network's numbers."""
    net.astype(dtype).initialize(0)
    module = module.to(getattr(torch, dtype))
    state = {name: torch.tensor(array) for name, array in net.state_dict().items()}
    module.load_state_dict(state, strict=False)
    return module


def compared(torch, net, module, y=LABELS, **options):
    """The comparison of one step of each, with the same numbers in them."""
    told = SimpleNamespace(
        loss=nn.CrossEntropyLoss(),
        theirs=torch.nn.CrossEntropyLoss(),
        optimizer=None,
        torchs=None,
        dtype="float32",
        backend="numpy",
        copy=True,
    )
    vars(told).update(options)
    if told.copy:
        module = ported(torch, net, module, told.dtype)
    a = cr.explain(net, X, y, loss=told.loss, optimizer=told.optimizer, backend=told.backend)
    optimizer = told.torchs(module.parameters()) if told.torchs else None
    b = cr.trace_torch(module, X, y, told.theirs, optimizer)
    return cr.diff(a, b)


def shown(diff):
    out = io.StringIO()
    diff.show(out)
    return out.getvalue()


def plain(activation="ReLU", *arguments):
    return nn.Sequential(nn.Linear(3, 4), getattr(nn, activation)(*arguments), nn.Linear(4, 5))


def torchs(torch, activation, last=None):
    t = torch.nn
    return t.Sequential(t.Linear(3, 4), activation, last or t.Linear(4, 5))


# --- the same network ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        ("Adam", {"lr": 0.1}),
        ("RMSprop", {"lr": 0.1}),
    ],
)
def test_a_faithful_port_is_the_same_in_every_number(torch, dtype, backend, name, options):
    t = torch.nn
    net = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.GELU(), nn.LayerNorm(4), nn.Linear(4, 5)
    )
    module = t.Sequential(
        t.Linear(3, 4), t.BatchNorm1d(4), t.GELU(), t.LayerNorm(4), t.Linear(4, 5)
    )
    diff = compared(
        torch,
        net,
        module,
        dtype=dtype,
        backend=backend,
        optimizer=getattr(optim, name)(**options),
        torchs=lambda p: getattr(torch.optim, name)(p, **options),
    )
    assert diff.same, shown(diff)
    assert not diff.causes
    names = {each.name for each in diff.values}
    assert {"0.out", "1.out", "2.out", "3.out", "4.out", "loss", "x", "target", "lr"} <= names
    assert {"d_0.out", "d_1.out", "d_2.out", "d_3.out", "d_4.out"} <= names
    for path in net.state_dict():
        assert path in names
        assert f"next.{path}" in names
        if not path.startswith("1.running") and not path.startswith("1.num"):
            assert f"d_{path}" in names


ACTIVATIONS = (
    *("ReLU", "Sigmoid", "Tanh", "GELU", "SiLU", "ELU", "SELU", "Softplus", "LeakyReLU", "Mish"),
    *("Softsign", "LogSigmoid", "Hardswish", "Tanhshrink", "CELU", "Softshrink", "Hardtanh"),
    *("ReLU6", "Hardshrink", "Softmin"),
)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_no_activation_of_torchs_is_taken_for_another(torch, name, scale):
    arguments = {"dim": 1} if name == "Softmin" else {}
    module = torchs(torch, getattr(torch.nn, name)(**arguments))
    net = plain(name)
    net.initialize(0)
    net.load_state_dict({k: scale * v for k, v in net.state_dict().items()})
    diff = compared(torch, net, module)
    assert diff.same, shown(diff)


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss"])
def test_no_loss_of_torchs_is_taken_for_another(torch, name):
    diff = compared(
        torch,
        plain(),
        torchs(torch, torch.nn.ReLU()),
        NUMBERS,
        loss=getattr(nn, name)(),
        theirs=getattr(torch.nn, name)(),
    )
    assert diff.same, shown(diff)


def test_torch_may_be_on_either_side(torch):
    net, module = plain(), torchs(torch, torch.nn.ReLU(), torch.nn.Linear(4, 5, bias=False))
    module = ported(torch, net, module)
    a = cr.trace_torch(module, X, LABELS, torch.nn.CrossEntropyLoss())
    b = cr.explain(net, X, LABELS, loss=nn.CrossEntropyLoss())
    diff = cr.diff(a, b)
    assert diff.titles[0].startswith("torch")
    assert diff.first.name == "2.out"
    assert diff.causes == ["a has no 2.bias: without it 2.out is the same"]
    assert diff.only_in_b == ["2.bias", "d_2.bias"]


def test_two_torch_traces_are_compared_without_a_word_on_rounding(torch):
    module = torchs(torch, torch.nn.ReLU())
    a, b = (cr.trace_torch(module, x, LABELS, torch.nn.CrossEntropyLoss()) for x in (X, 2 * X))
    assert cr.diff(a, a).identical
    diff = cr.diff(a, b)
    assert diff.first.name == "x"
    assert diff.first_forward.name == "0.out"
    assert diff.first_backward.name == "d_2.out"
    assert "Neither side has a graph" in diff.notes[0]


# --- mistakes of ports, planted -----------------------------------------------------------------


def normed(torch, **options):
    t = torch.nn
    return t.Sequential(t.Linear(3, 4), t.BatchNorm1d(4, **options), t.GELU(), t.Linear(4, 5))


def our_normed():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.GELU(), nn.Linear(4, 5))


def test_another_eps_of_batch_norm_is_named(torch):
    diff = compared(torch, our_normed(), normed(torch, eps=1e-3))
    assert diff.first.name == "1.out"
    assert diff.first_backward.name == "d_3.out"
    assert diff.causes == ["eps of BatchNorm1d 1: 1e-05 in a, 0.001 in b"]
    assert diff["0.out"].kind in ("same", "rounding")
    assert diff["2.out"].kind == "follows"


@pytest.mark.parametrize("momentum", [0.01, 0.3])
def test_another_momentum_of_batch_norm_is_named(torch, momentum):
    diff = compared(torch, our_normed(), normed(torch, momentum=momentum))
    assert diff.first.name == "next.1.running_mean"
    assert diff.causes == [f"momentum of BatchNorm1d 1: 0.1 in a, {momentum} in b"]
    assert diff["1.out"].kind in ("same", "rounding")


def test_the_other_convention_of_batch_norms_momentum_is_named(torch):
    diff = compared(torch, our_normed(), normed(torch, momentum=0.9))
    assert diff.causes == [
        "momentum of BatchNorm1d 1: 0.1 in a, 0.9 in b: it weighs old and new the other way round"
    ]


def test_batch_norm_in_evaluation_mode_is_named(torch):
    module = normed(torch)
    module[1].eval()
    diff = compared(torch, our_normed(), module)
    assert diff.causes == ["b leaves 1.running_mean as it was: its layer is in evaluation mode"]


def test_a_weight_that_was_transposed_is_named(torch):
    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 5)).initialize(0)
    t = torch.nn
    module = t.Sequential(t.Linear(3, 3), t.Tanh(), t.Linear(3, 5))
    state = {k: torch.tensor(v) for k, v in net.state_dict().items()}
    state["0.weight"] = state["0.weight"].T.clone()
    module.load_state_dict(state)
    diff = compared(torch, net, module, copy=False)
    assert diff.first.name == "0.weight"
    assert diff.causes == ["0.weight is the transpose in b of what it is in a"]


def test_a_weight_that_is_used_as_its_transpose_is_named(torch):
    class Turned(torch.nn.Linear):
        def forward(self, x):
            return x @ self.weight + self.bias

    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 5))
    module = torch.nn.Sequential(Turned(3, 3), torch.nn.Tanh(), torch.nn.Linear(3, 5))
    diff = compared(torch, net, module)
    assert diff.first.name == "0.out"
    assert diff.causes[0] == "b uses the transpose of 0.weight in 0.out"


def test_a_missing_bias_is_named(torch):
    module = torchs(torch, torch.nn.ReLU(), torch.nn.Linear(4, 5, bias=False))
    diff = compared(torch, plain(), module)
    assert diff.first.name == "2.out"
    assert diff.causes == ["b has no 2.bias: without it 2.out is the same"]
    assert diff.missing == ["2.bias", "d_2.bias"]


def test_another_slope_is_named(torch):
    diff = compared(torch, plain("LeakyReLU"), torchs(torch, torch.nn.LeakyReLU(0.2)))
    assert diff.first.name == "1.out"
    assert diff.causes == ["negative_slope of LeakyReLU 1: 0.01 in a, 0.2 in b"]


@pytest.mark.parametrize(
    ("ours", "make", "cause"),
    [
        (
            "ReLU",
            lambda t: t.LeakyReLU(0.2),
            "1.out is relu in a; in b it is leaky_relu with slope 0.2",
        ),
        ("GELU", lambda t: t.GELU("tanh"), "1.out is gelu in a; in b it is gelu_tanh"),
        ("Sigmoid", lambda t: t.Tanh(), "1.out is sigmoid in a; in b it is tanh"),
        ("ReLU", lambda t: t.Identity(), "b has no ReLU 1: it passes 0.out on as it is"),
    ],
)
def test_another_activation_is_named(torch, ours, make, cause):
    diff = compared(torch, plain(ours), torchs(torch, make(torch.nn)))
    assert diff.causes[0] == cause


@pytest.mark.parametrize(
    ("ours", "theirs", "y", "counted"),
    [
        ("CrossEntropyLoss", "CrossEntropyLoss", LABELS, "8 examples"),
        ("MSELoss", "MSELoss", NUMBERS, "40 numbers"),
    ],
)
def test_a_sum_in_the_place_of_a_mean_is_named(torch, ours, theirs, y, counted):
    diff = compared(
        torch,
        plain(),
        torchs(torch, torch.nn.ReLU()),
        y,
        loss=getattr(nn, ours)(),
        theirs=getattr(torch.nn, theirs)(reduction="sum"),
    )
    assert diff.first.name == "loss"
    times = counted.split()[0]
    assert diff.causes == [
        f"loss is {times} times as large in b: b takes the sum of {counted}, a the mean"
    ]


def test_a_dropout_that_is_left_on_is_named(torch):
    class Dropping(torch.nn.Linear):
        def forward(self, x):
            return torch.nn.functional.dropout(super().forward(x), 0.5)

    torch.manual_seed(0)
    module = torch.nn.Sequential(Dropping(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 5))
    diff = compared(torch, plain("Tanh"), module)
    assert diff.first.name == "0.out"
    assert diff.causes[0].endswith("at zero and the others times 2: a dropout is left on")


def test_a_dropout_layer_that_ours_has_not_is_named(torch):
    t = torch.nn
    net = plain().initialize(0)
    module = t.Sequential(t.Linear(3, 4), t.ReLU(), t.Dropout(0.5), t.Linear(4, 5))
    state = {k.replace("2.", "3."): torch.tensor(v) for k, v in net.state_dict().items()}
    module.load_state_dict(state)
    diff = compared(torch, net, module, copy=False)
    assert "3 is taken for 2" in diff.notes[0]
    assert "a dropout is left on" in diff.causes[0]


def test_a_dropout_that_is_off_is_named(torch):
    t = torch.nn
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 5))
    module = t.Sequential(t.Linear(3, 4), t.ReLU(), t.Dropout(0.5), t.Linear(4, 5)).eval()
    diff = compared(torch, net, module)
    assert diff.causes[0] == "b has no Dropout 2: it passes 1.out on as it is"
    assert diff.notes[0] == (
        "The torch module is in evaluation mode; a was computed as in training."
    )


@pytest.mark.parametrize(
    ("name", "ours", "theirs", "cause"),
    [
        (
            "SGD",
            {"weight_decay": 0.01},
            {"weight_decay": 0.1},
            "weight_decay of SGD: 0.01 in a, 0.1 in b",
        ),
        ("SGD", {}, {"weight_decay": 0.1}, "next.0.weight has -0.01 times 0.weight added in b"),
        ("Adam", {}, {"betas": (0.8, 0.999)}, "betas[0] of Adam: 0.9 in a, 0.8 in b"),
        ("Adam", {}, {"betas": (0.9, 0.99)}, "betas[1] of Adam: 0.999 in a, 0.99 in b"),
        ("Adam", {}, {"eps": 1e-3}, "eps of Adam: 1e-08 in a, 0.001 in b"),
    ],
)
def test_another_option_of_the_optimizer_is_named(torch, name, ours, theirs, cause):
    diff = compared(
        torch,
        plain(),
        torchs(torch, torch.nn.ReLU()),
        optimizer=getattr(optim, name)(lr=0.1, **ours),
        torchs=lambda p: getattr(torch.optim, name)(p, lr=0.1, **theirs),
    )
    assert diff.first.phase == "update"
    assert cause in diff.causes


def test_another_learning_rate_is_said_first(torch):
    diff = compared(
        torch,
        plain(),
        torchs(torch, torch.nn.ReLU()),
        optimizer=optim.SGD(lr=0.1),
        torchs=lambda p: torch.optim.SGD(p, lr=0.2),
    )
    assert diff.first.name == "lr"
    assert diff.first_backward is None


def test_a_parameter_that_is_frozen_there_is_missed(torch):
    module = ported(torch, plain(), torchs(torch, torch.nn.ReLU()))
    module[0].weight.requires_grad = False
    diff = compared(torch, plain(), module)
    assert diff.missing == ["d_0.weight"]


def test_modules_of_other_names_are_matched_by_order_and_shape(torch):
    class Port(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = torch.nn.Linear(3, 4)
            self.fc2 = torch.nn.Linear(4, 5)

        def forward(self, x):
            return self.fc2(torch.relu(self.fc1(x)))

    net, module = plain().initialize(0), Port()
    moved = {"0": "fc1", "2": "fc2"}
    module.load_state_dict(
        {moved[k[0]] + k[1:]: torch.tensor(v) for k, v in net.state_dict().items()}
    )
    diff = compared(torch, net, module, copy=False)
    assert diff.same, shown(diff)
    assert diff["0.out"].other == "fc1.out"
    (note,) = diff.notes
    assert note.startswith("Modules have other names: fc1 is taken for 0, fc2 is taken for 2, by")


# --- what is recorded ---------------------------------------------------------------------------


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
