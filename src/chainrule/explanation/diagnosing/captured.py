"""The captured step: one step on a sample of the examples, by NumPy, with all of its numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.backends import get_backend
from chainrule.explanation.capturing.capture import explain_moment
from chainrule.explanation.diagnosing.case import Case
from chainrule.explanation.trace import Trace
from chainrule.train.engine import Engine
from chainrule.train.plan import LearningRate, Plan
from chainrule.train.run import Moment
from chainrule.train.writing import ACCUMULATED, TOTAL_COST, TOTAL_WEIGHT

Array = np.ndarray[Any, Any]

CAPTURED = 512
"""How many examples it reads, at most."""

NUMBERS = 40_000_000
"""How many numbers it may hold: of wide networks it reads fewer examples."""


def most_captured(engine: Engine) -> int:
    """How many examples it may read."""
    numbers = sum(int(node.type.size) for node in engine.steps[0].graph.nodes)
    of_each = numbers // engine.plan.sizes()[0] + 1
    return int(np.clip(NUMBERS // of_each, 16, CAPTURED))


def capture_step(case: Case, rows: Array, learning_rate: float) -> Trace:
    """Make the step on some rows from the state that is looked at, without metrics."""
    assert case.engine is not None
    assert case.source is not None
    plan = Plan(len(rows), len(rows), 1, False, False, 0, rows)
    recipe = replace(case.engine.recipe, metrics={})
    engine = Engine(recipe, case.source, plan, LearningRate(learning_rate), get_backend("numpy"))
    state = {
        name: array
        for name, array in case.state.items()
        if name not in (TOTAL_WEIGHT, TOTAL_COST) and not name.startswith(ACCUMULATED)
    }
    moment = Moment(case.steps, 0, [rows], learning_rate, state, engine)
    with np.errstate(all="ignore"):
        return explain_moment(moment, {})
