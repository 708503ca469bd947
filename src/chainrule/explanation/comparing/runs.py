"""Two runs, followed to the first step that is not the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.capturing.capture import explain_moment
from chainrule.explanation.comparing import difference as kinds
from chainrule.explanation.comparing.difference import Diff, Difference, distance
from chainrule.explanation.comparing.sides import Side
from chainrule.explanation.trace import Array
from chainrule.train import Run

State = Mapping[str, Array]


def diff_runs(a: Any, b: Any, compare: Callable[[Side, Side], Diff]) -> Diff:
    """Compare two runs in the first step that is not the same in both.

    Parameters
    ----------
    a, b : Run
    compare : callable
        Compares two traces.

    Raises
    ------
    ConfigurationError
        If one of them is no run.
    ReplayError
        If the data of one is not there.
    """
    if not (isinstance(a, Run) and isinstance(b, Run)):
        other = b if isinstance(a, Run) else a
        raise ConfigurationError(
            f"diff compares a run with a run; got {type(other).__name__} beside it",
            advice="Compare a step of it: cr.diff(cr.explain(run.at(0)), trace)",
        )
    steps = min(a.steps, b.steps)
    told = first_step_that_is_told_otherwise(a, b, steps)
    parted = first_state_that_parts(a, b, steps if told is None else told)
    notes = []
    if a.steps != b.steps:
        notes.append(f"a has {a.steps} steps and b {b.steps}: compared are the first {steps}.")
    if parted is None and told is None:
        notes.insert(0, f"All {steps} steps are the same, from the first state to the last.")
        return replace(_of_states(a, b, steps, steps), notes=notes)
    # The step that a state came from is the one before it; what is given at the first is its own.
    step = told if parted is None else max(parted - 1, 0)
    assert step is not None
    if parted == 0:
        notes.insert(0, "The runs begin with different states.")
    elif step:
        notes.insert(0, f"Before step {step} the states are equal, bit for bit.")
    if step >= steps:
        return replace(_of_states(a, b, steps, step), notes=notes)
    result = _at_step(a, b, step, compare)
    if result.same and parted is not None:
        notes.append(
            f"In step {step} the runs part by rounding alone, which grows from step to step."
        )
        if told is not None and told > step:
            notes.append(f"Step {told} is the first that was told something else; it is shown.")
            step, result = told, _at_step(a, b, told, compare)
    return replace(result, step=step, notes=[*notes, *result.notes])


def first_step_that_is_told_otherwise(a: Run, b: Run, steps: int) -> int | None:
    """The first step with another learning rate, other rows or another graph; None: there is none.

    Nothing is computed for it, so every step is looked at.
    """
    first, second = a.engine, b.engine
    same_graphs: dict[tuple[int, ...], bool] = {}
    for step in range(steps):
        (epoch, update), (other, place) = first.plan.locate(step), second.plan.locate(step)
        if first.rate.at(step, epoch) != second.rate.at(step, other):
            return step
        rows, others = first.plan.batches(epoch, update), second.plan.batches(other, place)
        if len(rows) != len(others):
            return step
        if not all(np.array_equal(x, y) for x, y in zip(rows, others, strict=True)):
            return step
        sizes = tuple(map(len, rows))
        if sizes not in same_graphs:
            same_graphs[sizes] = first.graph(step) == second.graph(step)
        if not same_graphs[sizes]:
            return step
    return None


def first_state_that_parts(a: Run, b: Run, last: int) -> int | None:
    """The first step, up to `last`, before which the states differ in a bit; None: there is none.

    Notes
    -----
    By bisection: up to `last` both runs were told the same, so that states which parted stay
    parted. That the state one step earlier is equal is checked, not assumed: it is the last one
    that was found equal.
    """
    if not _equal(a.at(0).state, b.at(0).state):
        return 0
    if _equal(a.at(last).state, b.at(last).state):
        return None
    same, parted = 0, last
    while parted - same > 1:
        middle = (same + parted) // 2
        if _equal(a.at(middle).state, b.at(middle).state):
            same = middle
        else:
            parted = middle
    return parted


def _equal(a: State, b: State) -> bool:
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype
        and a[name].shape == b[name].shape
        and a[name].tobytes() == b[name].tobytes()
        for name in a
    )


def _at_step(a: Run, b: Run, step: int, compare: Callable[[Side, Side], Diff]) -> Diff:
    first, second = (Side.of(explain_moment(run.at(step), {})) for run in (a, b))
    return compare(first, second)


def _of_states(a: Run, b: Run, before: int, after: int) -> Diff:
    """Compare the states before and after a step, where there is no trace to compare."""
    values = []
    for step, phase, prefix in ((before, "given", ""), (after, "update", "next.")):
        if step != after or before != after or not prefix:
            first, second = a.at(step).state, b.at(step).state
            values += [
                _of_arrays(prefix + name, phase, array, second[name])
                for name, array in first.items()
                if name in second
            ]
    first, second = a.at(before).state, b.at(before).state
    only = [n for n in first if n not in second], [n for n in second if n not in first]
    titles = a.engine.backend.arithmetic, b.engine.backend.arithmetic
    return Diff(titles, values, [], [], *only, [*only[0], *only[1]], step=before)


def _of_arrays(name: str, phase: str, a: Array, b: Array) -> Difference:
    shapes = (a.shape, b.shape)
    if a.shape != b.shape:
        return Difference(name, name, phase, kinds.SHAPE, None, shapes=shapes)
    away = distance(a, b)
    kind = kinds.GIVEN if phase == "given" else kinds.APART
    kind = kind if away.count else kinds.EQUAL
    return Difference(name, name, phase, kind, away, where=away.index, shapes=shapes)
