"""A network and its port to torch, with the same numbers in them."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np

import chainrule as cr
from chainrule import nn

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
