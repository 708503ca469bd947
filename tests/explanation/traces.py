"""Traces that several tests open."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.data.worked import worked_example
from tests.train.nets import examples, plain
from tests.worked.networks import build

X, Y = examples()


def explain_worked(name="2-2-2", backend="native", names=None):
    example = worked_example(name)
    return cr.explain(
        build(example),
        example.x[:1],
        example.y[:1],
        loss=example.loss,
        optimizer=optim.SGD(lr=example.learning_rate),
        names=example.names if names is None else names,
        backend=backend,
    )


def explain_digits(dtype="float32"):
    """A step of the published network: 784-30-10, ten examples, most of their pixels empty."""
    draw = np.random.default_rng(0)
    pixels = draw.random((10, 784)) * (draw.random((10, 784)) < 0.4)
    net = nn.Sequential(nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10), nn.Sigmoid())
    return cr.explain(
        net.initialize(0).astype(dtype),
        pixels.astype(dtype),
        np.eye(10, dtype=dtype),
        loss=nn.QuadraticLoss(),
        optimizer=optim.SGD(lr=3.0),
        backend="native",
    )


def explain_classifier(dtype="float32"):
    """A step of a network with batch norm, dropout, cross-entropy and Adam with weight decay."""
    draw = np.random.default_rng(0)
    net = nn.Sequential(
        nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3)
    )
    return cr.explain(
        net.initialize(0).astype(dtype),
        draw.normal(size=(5, 8)).astype(dtype),
        np.array([0, 1, 2, 1, 0]),
        loss=nn.CrossEntropyLoss(),
        optimizer=optim.Adam(lr=0.01, weight_decay=0.01),
        backend="native",
    )


def train(net=None, x=X, y=Y, **options):
    told = {"loss": "CrossEntropyLoss", "batch_size": 16, "epochs": 3, "backend": "numpy"}
    return cr.fit(net or plain(), x, y, progress=False, **(told | options))


def explain_accumulated(backend="native"):
    """An update of two batches of four examples."""
    run = train(batch_size=4, accumulate=2, backend=backend, shuffle=False)
    return cr.explain(run.at(0))
