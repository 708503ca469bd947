"""Traces that several tests open."""

from __future__ import annotations

import chainrule as cr
from chainrule import optim
from chainrule.data.worked import worked_example
from tests.worked.networks import build


def explain_worked(name="2-2-2", backend="native"):
    example = worked_example(name)
    return cr.explain(
        build(example),
        example.x[:1],
        example.y[:1],
        loss=example.loss,
        optimizer=optim.SGD(lr=example.learning_rate),
        names=example.names,
        backend=backend,
    )
