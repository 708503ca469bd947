"""Variants of a case: the same training with one thing changed, to see what that thing does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.backends import get_backend
from chainrule.explanation.diagnosing.case import Case
from chainrule.nn import Module
from chainrule.optim import Optimizer
from chainrule.optim.groups import variant_for
from chainrule.train.engine import Engine
from chainrule.train.plan import LearningRate, Plan
from chainrule.train.sources import ArraySource
from chainrule.train.state import initial_state

Array = np.ndarray[Any, Any]


def with_scaled_inputs(case: Case) -> Case | None:
    """Inputs of mean 0 and deviation 1: by column of a table, as a whole of anything larger."""
    if not isinstance(case.source, ArraySource):
        return None
    columns = tuple(scaled(column, case.rows) for column in case.source.columns)
    return _with(case, source=replace(case.source, columns=columns))


def with_scaled_targets(case: Case) -> Case | None:
    """Targets of mean 0 and deviation 1."""
    if not isinstance(case.source, ArraySource) or case.source.target.dtype.kind != "f":
        return None
    return _with(case, source=replace(case.source, target=scaled(case.source.target, case.rows)))


def with_scaled_data(case: Case) -> Case | None:
    """Both of these."""
    inputs = with_scaled_inputs(case)
    return None if inputs is None else with_scaled_targets(inputs)


def without_penalties(case: Case) -> Case | None:
    """Nothing that pulls weights to 0."""
    assert case.engine is not None
    optimizer = case.optimizer
    if not case.engine.recipe.penalties and not decay_of(optimizer):
        return None
    if decay_of(optimizer):
        groups = {
            pattern: {**group, **({"weight_decay": 0.0} if "weight_decay" in group else {})}
            for pattern, group in (optimizer.groups or {}).items()
            if not isinstance(group, Optimizer)
        }
        none: dict[str, Any] = {"groups": groups or None}
        if hasattr(optimizer, "weight_decay"):
            none["weight_decay"] = 0.0
        optimizer = replace(optimizer, **none)
    return _with(case, recipe=replace(case.engine.recipe, optimizer=optimizer, penalties=()))


def decay_of(optimizer: Optimizer) -> float:
    """The largest weight decay of an optimiser and its groups of options; 0 where there is none."""
    groups = [g for g in (optimizer.groups or {}).values() if not isinstance(g, Optimizer)]
    own = getattr(optimizer, "weight_decay", 0) or 0
    return max(float(decay) for decay in [own, *(g.get("weight_decay", 0) or 0 for g in groups)])


def without_dropout(case: Case) -> Case | None:
    """Nothing is dropped."""
    assert case.engine is not None
    net = copy.deepcopy(case.net)
    dropping = [module for _, module in net.named_modules() if drop_share(module)]
    if not dropping:
        return None
    for module in dropping:
        module.p = 0.0
    return _with(case, recipe=replace(case.engine.recipe, net=net), net=net)


def on_rows(case: Case, places: Array) -> Case | None:
    """Trained on some of the examples alone."""
    engine, plan = case.engine, case.plan
    if engine is None or plan is None:
        return None
    rows = case.rows[np.sort(places)]
    size = min(plan.batch_size, len(rows))
    some = Plan(len(rows), size, 1, False, plan.shuffle, plan.seed, rows)
    made = Engine(engine.recipe, engine.source, some, engine.rate, get_backend("numpy"))
    return replace(case, engine=made, plan=some)


def standing_still(case: Case) -> list[str]:
    """The paths of parameters that do not train: frozen, or in a group with a rate of 0."""
    optimizer = case.optimizer
    return [
        path
        for path, parameter in case.net.named_parameters()
        if not parameter.requires_grad
        or (optimizer.lr and not variant_for(optimizer, optimizer.groups or {}, path).lr)
    ]


def thawed(case: Case) -> Case | None:
    """Everything trains."""
    assert case.engine is not None
    if not standing_still(case):
        return None
    net = copy.deepcopy(case.net)
    for parameter in net.parameters():
        parameter.requires_grad = True
    optimizer = replace(case.engine.recipe.optimizer, groups=_moving(case.optimizer))
    recipe = replace(case.engine.recipe, net=net, optimizer=optimizer)
    before = case.state if case.first is None else case.first
    state = {**initial_state(recipe, case.seed, accumulate=case.engine.plan.accumulate > 1)}
    state |= {name: array for name, array in before.items() if name in state}
    return _with(case, recipe=recipe, net=net, state=state, first=state)


def _moving(optimizer: Optimizer) -> dict[str, Any] | None:
    """Its groups, those with a rate of 0 with the optimiser's own."""
    if optimizer.groups is None:
        return None
    found: dict[str, Any] = {}
    for pattern, group in optimizer.groups.items():
        if isinstance(group, Optimizer):
            found[pattern] = group if group.lr else replace(group, lr=optimizer.lr)
        else:
            found[pattern] = {**group, **({"lr": optimizer.lr} if group.get("lr") == 0 else {})}
    return found


def at_a_constant_rate(case: Case) -> Case | None:
    """On from where it stands, without the schedule."""
    engine = case.engine
    assert engine is not None
    if engine.rate.schedule is None and not engine.rate.factors:
        return None
    made = Engine(
        engine.recipe, engine.source, engine.plan, LearningRate(engine.rate.base), engine.backend
    )
    return replace(case, engine=made, first=None)


def onward(case: Case) -> Case | None:
    """On from where it stands."""
    return replace(case, first=None)


VARIANTS: dict[str, Callable[[Case], Case | None]] = {
    "inputs": with_scaled_inputs,
    "targets": with_scaled_targets,
    "inputs and targets": with_scaled_data,
    "penalties": without_penalties,
    "dropout": without_dropout,
    "frozen": thawed,
    "onward": onward,
    "schedule": at_a_constant_rate,
}


def drop_share(module: Module) -> float:
    """The share of units that a module drops in training: 0 for one that drops none."""
    share = getattr(module, "p", 0.0)
    is_random = "dropout" in type(module).__module__
    return float(share) if is_random and isinstance(share, int | float) else 0.0


def scaled(array: Array, rows: Array) -> Array:
    """An array with mean 0 and deviation 1 over some of its rows."""
    if array.dtype.kind != "f":
        return array
    axis = 0 if array.ndim <= 2 else None
    mean = array[rows].mean(axis=axis, dtype=np.float64)
    spread = np.asarray(array[rows].std(axis=axis, dtype=np.float64))
    return np.asarray((array - mean) / np.where(spread > 0, spread, 1.0), array.dtype)


def _with(case: Case, **changes: Any) -> Case:
    engine = case.engine
    assert engine is not None
    recipe = changes.pop("recipe", engine.recipe)
    source = changes.get("source", engine.source)
    made = Engine(recipe, source, engine.plan, engine.rate, get_backend("numpy"))
    return replace(case, engine=made, **changes)
