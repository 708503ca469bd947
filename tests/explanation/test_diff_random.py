"""Random networks: backends and torch differ by rounding alone, and a planted number is seen."""

from __future__ import annotations

import io

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.explanation import Trace

# Of torch's own numbers in float64 some are rounded to float32 on the way: Hardsigmoid's 1/6.
ACTIVATIONS = (
    *("ReLU", "Sigmoid", "Tanh", "GELU", "SiLU", "ELU", "SELU", "Softplus", "LeakyReLU", "Mish"),
    *("Softsign", "LogSigmoid", "Hardswish", "Tanhshrink", "CELU", "Softshrink"),
)
NORMS = (None, "BatchNorm1d", "LayerNorm", "RMSNorm")
LOSSES = ("CrossEntropyLoss", "MSELoss", "SmoothL1Loss", "L1Loss", "BCEWithLogitsLoss", "HuberLoss")
OPTIMIZERS = (
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    *((name, {"lr": 0.01}) for name in ("Adam", "AdamW", "RMSprop", "Adagrad", "NAdam")),
)


def drawn(seed):
    """The layers of a network by name and arguments, and the rest of a step."""
    rng = np.random.default_rng(seed)
    width = inputs = int(rng.integers(1, 12))
    layers = []
    for _ in range(int(rng.integers(1, 5))):
        out = int(rng.integers(2, 24))
        layers.append(("Linear", (width, out)))
        width = out
        norm = NORMS[rng.integers(len(NORMS))]
        layers += [(norm, (out,))] if norm else []
        layers.append((ACTIVATIONS[rng.integers(len(ACTIVATIONS))], ()))
    layers.append(("Linear", (width, 3)))
    batch = int(rng.integers(2, 33))
    x = rng.normal(size=(batch, inputs)) * float(rng.choice([0.1, 1, 10]))
    loss = LOSSES[rng.integers(len(LOSSES))]
    y = {
        "CrossEntropyLoss": rng.integers(0, 3, batch),
        "BCEWithLogitsLoss": rng.integers(0, 2, (batch, 3)).astype(float),
    }.get(loss, rng.normal(size=(batch, 3)))
    dtype = ("float32", "float64")[seed % 2]
    return layers, x, y, loss, OPTIMIZERS[rng.integers(len(OPTIMIZERS))], dtype


def made(seed, backend="numpy"):
    """Our network, and its step."""
    layers, x, y, loss, (name, options), dtype = drawn(seed)
    net = nn.Sequential(*(getattr(nn, kind)(*arguments) for kind, arguments in layers))
    net.astype(dtype).initialize(seed)
    optimizer = getattr(optim, name)(**options)
    return net, cr.explain(
        net, x, y, loss=getattr(nn, loss)(), optimizer=optimizer, backend=backend
    )


def shown(diff):
    out = io.StringIO()
    diff.show(out)
    return out.getvalue()


def check_torch(torch, seed):
    layers, x, y, loss, (name, options), dtype = drawn(seed)
    net, trace = made(seed)
    module = torch.nn.Sequential(*(getattr(torch.nn, kind)(*a) for kind, a in layers))
    module = module.to(getattr(torch, dtype))
    module.load_state_dict({k: torch.tensor(v) for k, v in net.state_dict().items()})
    optimizer = getattr(torch.optim, name)(module.parameters(), **options)
    diff = cr.diff(trace, cr.trace_torch(module, x, y, getattr(torch.nn, loss)(), optimizer))
    assert diff.same, shown(diff)


@pytest.mark.parametrize("seed", range(4))
def test_the_two_backends_differ_by_rounding_alone(seed):
    diff = cr.diff(made(seed, "native")[1], made(seed)[1])
    assert diff.same, shown(diff)


@pytest.mark.parametrize("seed", range(10))
def test_torch_differs_by_rounding_alone(torch, seed):
    check_torch(torch, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 220))
def test_torch_differs_by_rounding_alone_in_many_networks(torch, seed):
    check_torch(torch, seed)


@pytest.mark.parametrize("seed", range(6))
def test_a_number_that_is_off_by_a_thousandth_is_where_the_difference_begins(seed):
    trace = made(seed)[1]
    rng = np.random.default_rng(seed)
    computed = [
        i
        for i, node in enumerate(trace.graph.nodes)
        if node.name and node.inputs and node.dtype.is_float and np.any(trace.values[i])
    ]
    for position in rng.choice(computed, min(8, len(computed)), replace=False):
        array = trace.values[position].copy()
        place = np.unravel_index(int(np.argmax(abs(array))), array.shape)
        array[place] *= array.dtype.type(1.001)
        values = list(trace.values)
        values[position] = array
        diff = cr.diff(trace, Trace(trace.graph, tuple(values), trace.about))
        assert diff.first.name == trace.graph.name_of(int(position))
        assert diff.first.place == tuple(map(int, place))
