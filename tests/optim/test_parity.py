"""Optimisers beside torch's: identical gradients, 50 updates, every option."""

import dataclasses
import inspect
import itertools

import numpy as np
import pytest

from chainrule import optim
from chainrule.optim.options import NonNegative
from tests.optim.nets import Net

UPDATES = 50
# What one update rounds is a few units of 1.1e-16; over 50 updates of numbers near 1 that stays
# below 1e-13. The bound is the one we promise.
PROMISED = 1e-12

SHAPES = {"scalar": (), "vector": (3,), "matrix": (4, 5)}

# torch's ways of running, which are not ours, and what AdamW is for.
NOT_OURS = {"params", "foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay"}


def combinations(**choices):
    return [
        dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
    ]


SGD = [
    options
    for options in combinations(
        momentum=[0.0, 0.9],
        dampening=[0.0, 0.3],
        weight_decay=[0.0, 0.05],
        nesterov=[False, True],
        maximize=[False, True],
    )
    if not options["nesterov"] or (options["momentum"] and not options["dampening"])
]
MOMENTS = [
    *combinations(
        betas=[(0.9, 0.999), (0.0, 0.5), (0.8, 0.0)],
        weight_decay=[0.0, 0.05],
        amsgrad=[False, True],
        maximize=[False, True],
    ),
    {"eps": 1e-3},
    {"eps": 0.5, "lr": 0.1},
    {"weight_decay": 3.0},
]
CASES = [
    *(("SGD", options) for options in SGD),
    *(("Adam", options) for options in MOMENTS),
    *(("AdamW", options) for options in MOMENTS),
    ("AdamW", {}),
]


def identify(value):
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items()) or "defaults"
    return value


def parameters(dtype=np.float64):
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


def gradient_sequence(dtype=np.float64):
    """Gradients of all sizes, some of them 0."""
    rng = np.random.default_rng(2)
    for i in range(UPDATES):
        scale = 0.0 if i in (3, 17) else 10.0 ** rng.uniform(-4, 2)
        yield {name: (scale * rng.normal(size=s)).astype(dtype) for name, s in SHAPES.items()}


def rates():
    """A learning rate that changes from update to update."""
    return [0.02 * (1 + np.cos(i)) for i in range(UPDATES)]


def torch_parameters(torch, values):
    return {name: torch.nn.Parameter(torch.tensor(value)) for name, value in values.items()}


def torch_update(torch, optimizer, theirs, gradients):
    for name, parameter in theirs.items():
        parameter.grad = torch.tensor(gradients[name])
    optimizer.step()


def assert_close(ours, theirs, bound):
    for name, value in ours.items():
        np.testing.assert_allclose(
            value, theirs[name].detach().numpy(), rtol=bound, atol=bound, err_msg=name
        )


@pytest.mark.parametrize(("name", "options"), CASES, ids=identify)
def test_fifty_updates_are_torchs(torch, name, options):
    net, theirs = Net(**parameters()), torch_parameters(torch, parameters())
    ours = optim.OPTIMIZERS[name](**options)
    reference = getattr(torch.optim, name)(theirs.values(), **options)
    for gradients, lr in zip(gradient_sequence(), rates(), strict=True):
        reference.param_groups[0]["lr"] = lr
        torch_update(torch, reference, theirs, gradients)
        ours.update(net, gradients, lr=lr)
        assert_close(net.numpy(), theirs, PROMISED)
    for path, parameter in theirs.items():
        for slot in ours.slots(path):
            kept = reference.state[parameter][slot].numpy()
            np.testing.assert_allclose(
                ours.state[f"{path}:{slot}"], kept, rtol=PROMISED, atol=PROMISED
            )


@pytest.mark.parametrize("name", list(optim.OPTIMIZERS))
def test_arguments_are_torchs(torch, name):
    ours = inspect.signature(optim.OPTIMIZERS[name]).parameters
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    wanted = {n: (p.default, p.kind) for n, p in theirs.items() if n not in NOT_OURS}
    extra = {"groups", "clip_norm", "clip_value"}
    got = {n: (p.default, p.kind) for n, p in ours.items() if n not in extra}
    assert got == wanted
    assert [n for n in ours if n not in extra] == list(wanted)


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("SGD", {"v*": {"momentum": 0.5, "weight_decay": 0.1}}),
        ("Adam", {"v*": {"betas": (0.5, 0.9), "lr": 0.5}}),
        ("AdamW", {"v*": {"weight_decay": 0, "amsgrad": True}}),
    ],
)
def test_groups_are_torchs_parameter_groups(torch, name, groups):
    net, theirs = Net(**parameters()), torch_parameters(torch, parameters())
    ours = optim.OPTIMIZERS[name](lr=0.1, groups=groups)
    chosen = theirs["vector"]
    rest = {"params": [p for p in theirs.values() if p is not chosen]}
    reference = getattr(torch.optim, name)([{"params": [chosen], **groups["v*"]}, rest], lr=0.1)
    decay = torch.optim.lr_scheduler.ExponentialLR(reference, 0.95)
    for i, gradients in enumerate(gradient_sequence()):
        torch_update(torch, reference, theirs, gradients)
        decay.step()
        ours.update(net, gradients, lr=0.1 * 0.95**i)
        assert_close(net.numpy(), theirs, PROMISED)


@pytest.mark.parametrize("limit", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("kind", ["norm", "value"])
def test_clipping_is_torchs(torch, kind, limit):
    net, theirs = Net(**parameters()), torch_parameters(torch, parameters())
    ours = optim.SGD(lr=0.1, **{f"clip_{kind}": limit})
    reference = torch.optim.SGD(theirs.values(), lr=0.1)
    clip = getattr(torch.nn.utils, f"clip_grad_{kind}_")
    for gradients in gradient_sequence():
        for path, parameter in theirs.items():
            parameter.grad = torch.tensor(gradients[path])
        clip(theirs.values(), limit)
        reference.step()
        ours.update(net, gradients)
        assert_close(net.numpy(), theirs, PROMISED)


@dataclasses.dataclass(eq=False, repr=False)
class Adagrad(optim.Optimizer):
    """All that an optimiser has to say: Duchi, Hazan and Singer 2011."""

    lr: NonNegative = 1e-2
    lr_decay: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 0.0
    eps: NonNegative = 1e-10

    def initial_slots(self):
        return {"sum": self.initial_accumulator_value}

    def rule(self, t, lr):
        rate = lr / (1 + t.astype("float64") * self.lr_decay)

        def update(w, d_w, slots):
            g = d_w + self.weight_decay * w
            total = slots["sum"] + g.square()
            return w - rate.astype(w.dtype) * (g / (total.sqrt() + self.eps)), {"sum": total}

        return update


def test_an_optimizer_is_one_class(torch):
    options = {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.01, "initial_accumulator_value": 0.5}
    net, theirs = Net(**parameters()), torch_parameters(torch, parameters())
    ours = Adagrad(**options)
    reference = torch.optim.Adagrad(theirs.values(), **options)
    for gradients in gradient_sequence():
        torch_update(torch, reference, theirs, gradients)
        ours.update(net, gradients)
        assert_close(net.numpy(), theirs, PROMISED)


U = 2.0**-24  # what one operation in float32 rounds, at most, relative to its result


def bound_in_float32(name, lr, largest):
    """How far 50 updates in float32 are from the same in float64, for gradients in [½, 1].

    SGD with μ = 0.9: b rounds 3 times an update (constant, product, sum) at |b| ≤ 1/(1-μ) = 10,
    and the error before it shrinks by μ: |Δb| ≤ 3·10u/(1-μ) = 300u. The step lr·b rounds twice.

    Adam: m as b, but a mean: |Δm̂| ≤ 3u/(1-β₁) = 30u. v has positive terms only, so its relative
    error grows by 4u an update, to 200u; that of √v̂ is 100u, and 6 more for roots, quotients and
    ε. With m̂ ≤ 1 and √v̂ ≥ ½ a step is off by lr·(30u/½ + 106u/½ + 2·2u) < 280u·lr.

    Each update also rounds w once.
    """
    step = lr * (300 + 2 * 10) if name == "SGD" else lr * 280
    return UPDATES * (step + largest) * U


@pytest.mark.parametrize(
    ("name", "options"), [("SGD", {"momentum": 0.9}), ("Adam", {}), ("AdamW", {})], ids=identify
)
def test_float32_stays_near_float64(torch, name, options):
    rng = np.random.default_rng(3)
    start = parameters(np.float32)
    single = Net(**start)
    double = Net(**{path: value.astype(np.float64) for path, value in start.items()})
    theirs = torch_parameters(torch, start)
    lr = 0.01
    ours = [optim.OPTIMIZERS[name](lr=lr, **options) for _ in range(2)]
    reference = getattr(torch.optim, name)(theirs.values(), lr=lr, **options)
    largest = 0.0
    for _ in range(UPDATES):
        gradients = {
            path: (rng.uniform(0.5, 1, s) * rng.choice([-1, 1], s)).astype(np.float32)
            for path, s in SHAPES.items()
        }
        ours[0].update(single, gradients)
        ours[1].update(double, gradients)
        torch_update(torch, reference, theirs, gradients)
        largest = max(largest, *(np.abs(value).max() for value in double.numpy().values()))
    bound = bound_in_float32(name, lr, largest)
    for path, value in single.numpy().items():
        assert value.dtype == np.float32
        assert np.abs(value - double.numpy()[path]).max() <= bound
        # torch rounds elsewhere, within the same bound.
        assert np.abs(value - theirs[path].detach().numpy()).max() <= 2 * bound
