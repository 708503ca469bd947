"""A port verified number by number, and the mistakes of ports named."""

from __future__ import annotations

import itertools

import pytest

import chainrule as cr
from chainrule import nn, optim
from tests.explanation.ports import LABELS, NUMBERS, X, compared, plain, ported, shown, torchs
from tests.sampling import dealt

# --- the same network ---------------------------------------------------------------------------


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.1}),
]


@pytest.mark.parametrize(
    ("optimizer", "computed"),
    dealt(OPTIMIZERS, itertools.product(["float32", "float64"], ["native", "numpy"])),
)
def test_a_faithful_port_is_the_same_in_every_number(torch, optimizer, computed):
    (name, options), (dtype, backend) = optimizer, computed
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
