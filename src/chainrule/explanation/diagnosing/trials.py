"""Trial steps: what the first updates do to the loss, with the learning rate and with others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.diagnosing.case import Case
from chainrule.nn.measures import LOSS
from chainrule.train.diagnosis import find_cause
from chainrule.train.engine import Engine, Halt
from chainrule.train.plan import LearningRate

Array = np.ndarray[Any, Any]

STEPS = (200, 60, 20)
"""How many updates are tried: the most that fit into the time."""

SECONDS = 0.25
"""About what the trial with one learning rate may take, on one core."""


@dataclass(frozen=True)
class Breach:
    """Where a step of a trial stopped being finite.

    Parameters
    ----------
    of : str
        What is not finite: ``"loss"``, or what a parameter was to become.
    op, name, scope, line : str
        The op that made the first number that is not finite, and where it stands.
    value : float
    operands : tuple of float
        What it was given.
    largest : float
        The largest number, by size, that the op was given anywhere.
    """

    of: str
    op: str
    name: str
    scope: str
    line: str
    value: float
    operands: tuple[float, ...]
    largest: float

    @property
    def is_of_domain(self) -> bool:
        """Whether it is the logarithm of 0, or the like, of numbers that are not large."""
        return self.largest < LARGE


LARGE = 1e4
"""Beyond that numbers have run away, whatever made NaN of them in the end."""


@dataclass(frozen=True)
class Trial:
    """Some updates that were made on a copy.

    Parameters
    ----------
    factor : float
        By which the learning rate was multiplied.
    losses : float64 array
        Of each update's batch, before the update.
    halted : bool
        Whether the update behind the last one was not finite.
    state : mapping of str to array
        After them.
    breach : Breach or None
        Where the step that was not finite began not to be.
    """

    factor: float
    losses: Array
    halted: bool
    state: Mapping[str, Array]
    breach: Breach | None = None

    @property
    def start(self) -> float:
        """The loss at first."""
        return float(self.losses[0]) if len(self.losses) else float("nan")

    @cached_property
    def end(self) -> float:
        """The mean loss of the last quarter; infinite where a step was not finite."""
        if self.halted or not len(self.losses):
            return float("inf")
        return float(self.losses[-max(len(self.losses) // 4, 1) :].mean())

    @cached_property
    def begin(self) -> float:
        """The mean loss of the batches that the end's are compared with, before any update."""
        return self.start


def try_rate(case: Case, factor: float, updates: int) -> Trial:
    """Make some updates from the state that is looked at, with another learning rate."""
    engine, plan = case.engine, case.plan
    assert engine is not None
    assert plan is not None
    kept = engine.rate
    updates = len(rates_of(engine, beginning(case)[1], updates))
    last, _ = plan.locate(beginning(case)[1] + updates)
    # Not the base times the factor: a schedule may not read the base, or take no base of 0.
    factors = [factor] * (last + 1)
    for epoch, own in enumerate(kept.factors[: last + 1]):
        factors[epoch] *= own
    engine.rate = LearningRate(kept.base, kept.schedule, tuple(factors))
    try:
        return _made(engine, case, factor, updates)
    finally:
        engine.rate = kept
        engine.rest()


def rates_of(engine: Engine, start: int, updates: int) -> list[float]:
    """The learning rates of so many updates, or of as many as the schedule has rates for."""
    rates: list[float] = []
    for step in range(start, start + updates):
        try:
            rates.append(engine.rate.at(step, engine.plan.locate(step)[0]))
        except ConfigurationError:  # it is over
            break
    return rates


def beginning(case: Case) -> tuple[Mapping[str, Array], int]:
    """Where trials begin: before the first step, where that is known."""
    return (case.state, case.steps) if case.first is None else (case.first, 0)


def _made(engine: Engine, case: Case, factor: float, updates: int) -> Trial:
    state, number = beginning(case)
    losses: list[Array] = []
    stop = number + updates
    with np.errstate(all="ignore"):
        while number < stop:
            epoch, first = engine.plan.locate(number)
            last = min(engine.plan.updates_per_epoch, first + stop - number)
            for chunk in engine.updates(state, number, epoch, first, last):
                if isinstance(chunk, Halt):
                    return Trial(factor, _joined(losses), True, dict(state), _breach(chunk))
                state = chunk.state
                number += chunk.updates
                weights = np.maximum(np.atleast_1d(chunk.weights[LOSS]), 1e-300)
                losses.append(np.atleast_1d(chunk.totals[LOSS]) / weights)
    return Trial(factor, _joined(losses), False, dict(state))


def _breach(halt: Halt) -> Breach | None:
    """Follow what is not finite back to the op that made it of finite numbers."""
    graph = halt.step.graph
    recorded = halt.session.record(halt.rows, halt.feeds)
    values = [np.asarray(recorded[graph.name_of(i)]) for i in range(len(graph.nodes))]
    for label in halt.step.wiring.finite:
        at = graph.labels[label]
        if np.isfinite(values[at]).all():
            continue
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(values[at]))[0])
        position, where = find_cause(graph, values, at, index)
        node = graph.nodes[position]
        given = [values[i] for i in node.inputs]
        sizes = [np.abs(v[np.isfinite(v)]).max(initial=0) for v in given if v.dtype.kind == "f"]
        same = [v[where] for v in given if v.shape == values[position].shape]
        source = "" if node.source is None else str(node.source)
        return Breach(
            label,
            node.op,
            graph.name_of(position),
            node.scope or "",
            source,
            float(values[position][where]),
            tuple(float(v) for v in same),
            float(max(sizes, default=0.0)),
        )
    return None


def _joined(losses: list[Array]) -> Array:
    return np.concatenate(losses) if losses else np.zeros(0)


def affordable(case: Case) -> int:
    """How many updates can be tried: by how much arithmetic one of them is, whatever the clock."""
    assert case.engine is not None
    graph = case.engine.steps[0].graph
    products = 0
    for node in graph.nodes:
        if len(node.inputs) == 2 and node.dtype.numpy.kind != "b":
            a, b = (graph.nodes[i].type.size for i in node.inputs)
            # Of a contraction of [m, k] and [n, k], m·n numbers: √(m·k · n·k · m·n) products.
            size = int(node.type.size)
            products += int((int(a) * int(b) * size) ** 0.5) if node.op == "contract" else size
    cost = 4e-6 * len(graph.nodes) + 2e-10 * products
    return next((steps for steps in STEPS if steps * cost <= SECONDS), STEPS[-1])
