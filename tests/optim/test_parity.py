"""Optimisers beside torch's: identical gradients, 50 updates, every option."""

import inspect

import numpy as np
import pytest

from chainrule import optim
from tests.optim.grids import CASES, GRIDS, TYPICAL, identify, made
from tests.optim.nets import Net
from tests.optim.oracles import reference_class
from tests.optim.rounding import run_with_bounds
from tests.sampling import pairwise

UPDATES = 50
# What one update rounds is a few units of 1.1e-16; over 50 updates of numbers near 1 that stays
# below 1e-13. The bound is the one we promise.
PROMISED = 1e-12

SHAPES = {"scalar": (), "vector": (3,), "matrix": (4, 5)}

# torch's ways of running, which are not ours.
NOT_OURS = {"params", "foreach", "fused", "capturable", "differentiable"}


def parameters(dtype=np.float64):
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


def gradient_sequence(dtype=np.float64):
    """Gradients of all sizes, some of them 0."""
    rng = np.random.default_rng(2)
    for i in range(UPDATES):
        scale = 0.0 if i in (3, 17) else 10.0 ** rng.uniform(-4, 2)
        yield {name: (scale * rng.normal(size=s)).astype(dtype) for name, s in SHAPES.items()}


def rates(name):
    """Learning rates, ours and torch's, that change from update to update, but for the first two.

    Other than for all others, torch's ASGD computes in each update the rate of the next.
    """
    ours = [0.02 * (1 + np.cos(max(i, 1))) for i in range(UPDATES)]
    return zip(ours, [*ours[1:], 0.0] if name == "ASGD" else ours, strict=True)


@pytest.fixture
def double(torch):
    """torch with scalars in float64: it keeps some optimisers' products and rates in float32."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def no_bfloat16(torch, monkeypatch):
    """torch's Muon in the parameters' own precision: it iterates in bfloat16."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)


def torch_parameters(torch, values):
    return {name: torch.nn.Parameter(torch.tensor(value)) for name, value in values.items()}


def torch_optimizers(torch, name, theirs, **options):
    """torch's optimiser; and SGD, as in `made`, for the parameters that it does not take."""
    rank = optim.OPTIMIZERS[name].rank
    taken = [p for p in theirs.values() if rank in (None, p.ndim)]
    found = [reference_class(torch, name)(taken, **options)]
    others = [p for p in theirs.values() if rank not in (None, p.ndim)]
    return [*found, torch.optim.SGD(others, lr=found[0].param_groups[0]["lr"])] if others else found


def torch_update(torch, optimizers, theirs, gradients):
    for name, parameter in theirs.items():
        parameter.grad = torch.tensor(gradients[name])
    for optimizer in optimizers:
        optimizer.step()


def assert_close(ours, theirs, bound):
    for name, value in ours.items():
        np.testing.assert_allclose(
            value, theirs[name].detach().numpy(), rtol=bound, atol=bound, err_msg=name
        )


def test_every_optimizer_has_cases():
    assert set(GRIDS) == set(TYPICAL) == set(optim.OPTIMIZERS)


@pytest.mark.usefixtures("double", "no_bfloat16")
@pytest.mark.parametrize(("name", "options"), pairwise(CASES), ids=identify)
def test_fifty_updates_are_torchs(torch, name, options):
    net, theirs = Net(**parameters()), torch_parameters(torch, parameters())
    ours = made(name, theirs, **options)
    references = torch_optimizers(torch, name, theirs, **options)
    for gradients, (lr, theirs_lr) in zip(gradient_sequence(), rates(name), strict=True):
        for reference in references:
            reference.param_groups[0]["lr"] = theirs_lr
        torch_update(torch, references, theirs, gradients)
        ours.update(net, gradients, lr=lr)
        assert_close(net.numpy(), theirs, PROMISED)
    for path, parameter in theirs.items():
        for slot in ours.slots(path):
            kept = np.asarray(references[0].state[parameter][slot])
            np.testing.assert_allclose(
                ours.state[f"{path}:{slot}"], kept, rtol=PROMISED, atol=PROMISED
            )


@pytest.mark.parametrize("name", list(optim.OPTIMIZERS))
def test_arguments_are_torchs(torch, name):
    ours = inspect.signature(optim.OPTIMIZERS[name]).parameters
    theirs = inspect.signature(reference_class(torch, name)).parameters
    extra = {"groups", "clip_norm", "clip_value", "max_norm", "maximize"}
    # What stands behind an argument that we have not is given by its name in torch, and here.
    left_out = NOT_OURS | extra | ({"decoupled_weight_decay"} if name == "Adam" else set())
    wanted = {n: (p.default, p.kind) for n, p in theirs.items() if n not in left_out}
    got = {n: (p.default, p.kind) for n, p in ours.items() if n not in extra}
    assert got == wanted
    assert list(got) == list(wanted)


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
    reference = reference_class(torch, name)([{"params": [chosen], **groups["v*"]}, rest], lr=0.1)
    decay = torch.optim.lr_scheduler.ExponentialLR(reference, 0.95)
    for i, gradients in enumerate(gradient_sequence()):
        torch_update(torch, [reference], theirs, gradients)
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


@pytest.mark.usefixtures("no_bfloat16")
@pytest.mark.parametrize("name", list(optim.OPTIMIZERS))
def test_float32_stays_within_what_rounding_explains(torch, name):
    rng, lr = np.random.default_rng(3), 0.01
    start, options = parameters(np.float32), TYPICAL[name]
    single, double = Net(**start), Net(**{path: np.float64(w) for path, w in start.items()})
    theirs = torch_parameters(torch, start)
    ours = [made(name, theirs, lr=lr, **options) for _ in range(2)]
    references = torch_optimizers(torch, name, theirs, lr=lr, **options)
    graph = ours[0].graph(single.parameters)
    exact = {path: (w, np.zeros(w.shape)) for path, w in start.items()}
    state = {
        key: (value, np.zeros(value.shape))
        for key, value in ours[0].initial_state(single.parameters).items()
    }
    for t in range(UPDATES):
        gradients = {
            path: (rng.uniform(0.5, 1, s) * rng.choice([-1, 1], s)).astype(np.float32)
            for path, s in SHAPES.items()
        }
        ours[0].update(single, gradients)
        ours[1].update(double, gradients)
        torch_update(torch, references, theirs, gradients)
        inputs = [(value, 0.0) for value in (*gradients.values(), t, lr)]
        inputs = [*exact.values(), *inputs[:-2], *state.values(), *inputs[-2:]]
        results = list(run_with_bounds(graph, inputs).values())
        exact = dict(zip(exact, results[: len(exact)], strict=True))
        state = dict(zip(state, results[len(exact) :], strict=True))
    for path, (value, bound) in exact.items():
        assert single.numpy()[path].dtype == np.float32
        assert np.all(bound < 1e-3), "a bound that says something"
        assert np.all(np.abs(single.numpy()[path] - value) <= bound)
        assert np.all(np.abs(double.numpy()[path] - value) <= bound)
        # torch rounds elsewhere, about as often.
        assert np.all(np.abs(theirs[path].detach().numpy() - value) <= 2 * bound)
