"""A case: a training as it was set up, or as far as it has come; nothing of it is changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.backends import get_backend
from chainrule.base.errors import (
    ChainruleError,
    ConfigurationError,
    NonFiniteError,
    ShapeError,
    TrainingError,
)
from chainrule.nn import Loss, Module
from chainrule.nn.evaluation import InputTypes
from chainrule.nn.measures import Measures
from chainrule.optim import Optimizer, Schedule
from chainrule.train.engine import Engine
from chainrule.train.history import History
from chainrule.train.plan import LearningRate, Plan
from chainrule.train.reading import Reader
from chainrule.train.refusals import check_trainable
from chainrule.train.run import Run
from chainrule.train.settings import Settings, float_name, listed_metrics
from chainrule.train.setup import Data, Parts
from chainrule.train.sources import ArraySource, Source
from chainrule.train.state import initial_state
from chainrule.train.streams import StreamSource
from chainrule.train.writing import Recipe

Array = np.ndarray[Any, Any]
State = Mapping[str, Array]


@dataclass(frozen=True)
class Case:
    """What is looked at.

    Parameters
    ----------
    net : Module
        A copy, with the parameters that are looked at.
    loss : Loss
    optimizer : Optimizer
    given : tuple of array
        The inputs as they were given, and the target behind them: what cannot be read is there too.
    source : Source or None
        The examples, where they can be read; without the rows that are not finite.
    rows : int64 array
        The rows of the source that are trained on.
    kept : int64 array or None
        Rows of what was given that the source holds, where it does not hold all of them.
    held_out : ArraySource or None
        What is validated on.
    plan : Plan or None
        Which rows each update reads, as it was set up: with no update in it, maybe.
    engine : Engine or None
        What makes trial steps, by NumPy.
    state : mapping of str to array
        That is looked at: before the first step, or where training stands.
    first : mapping of str to array
        The state before the first step, where it is known.
    left : mapping of str to array or None
        The weights that the network was left with, which may be those of an earlier epoch.
    refusal : ChainruleError or None
        Why `fit` would not begin.
    history : History or None
    steps : int
        How many updates were made.
    epochs : int or None
        How many there are to be, where that was said.
    metrics : tuple of str
    seed : int
        What parameters are drawn from.
    batch_size : int
    opener, first_opener : str
        What captures the step that is looked at, and the first one, in Python.
    target : str
        What the command line calls it; empty where it does not know it.
    reported : mapping of str to sequence of float
        What somebody else printed of this training, epoch by epoch.
    """

    net: Module
    loss: Loss
    optimizer: Optimizer
    given: tuple[Array, ...]
    source: Source | None
    rows: Array
    kept: Array | None
    held_out: ArraySource | None
    plan: Plan | None
    engine: Engine | None
    state: State
    first: State | None
    refusal: ChainruleError | None
    left: State | None = None
    history: History | None = None
    steps: int = 0
    epochs: int | None = None
    metrics: tuple[str, ...] = ()
    seed: int = 0
    batch_size: int = 1
    opener: str = "cr.explain(net, x, y, loss=...)"
    first_opener: str = "cr.explain(run.at(step=0))"
    target: str = ""
    reported: Mapping[str, Sequence[float]] | None = None

    @property
    def is_run(self) -> bool:
        """Whether steps were made."""
        return self.history is not None


def set_up(
    net: Any,
    x: Any,
    y: Any,
    *,
    loss: Any,
    optimizer: Any,
    validation: Any,
    validation_split: float | None,
    metrics: Any,
    batch_size: int,
    epochs: int | None,
    sample_weight: Any,
    class_weight: Any,
    accumulate: int,
    drop_last: bool,
    schedule: Any,
    penalty: Any,
    dtype: object,
    seed: int,
    shuffle: bool,
    target: str = "",
    reported: Mapping[str, Sequence[float]] | None = None,
) -> Case:
    """Read a set-up as `fit` would, and note what `fit` would refuse and a rule can name.

    Raises
    ------
    ChainruleError
        As `fit` does, for what no training could be.
    """
    settings = Settings(
        batch_size=batch_size,
        epochs=1 if epochs is None else epochs,
        accumulate=accumulate,
        drop_last=drop_last,
        shuffle=shuffle,
        seed=seed,
        dtype=float_name(dtype),
        validation_split=validation_split,
        metrics=listed_metrics(metrics),
        backend="numpy",
    )
    refusal: ChainruleError | None = None
    net, optimizer, schedule = (_copied(thing) for thing in (net, optimizer, schedule))
    if isinstance(net, Module) and any(True for _ in net.parameters()):
        try:
            check_trainable(net)
        except (
            TrainingError
        ) as error:  # all are frozen: what else is wrong is looked at all the same
            refusal = error
            for parameter in net.parameters():
                parameter.requires_grad = True
    parts = Parts.of(net, loss, optimizer, schedule, penalty, settings)
    reader = Reader(parts.loss, InputTypes.of(parts.net), sample_weight, class_weight)
    given, kept = _given(x, y), None
    try:
        data = Data.read(reader, x, y, validation, settings)
    except NonFiniteError as error:
        refusal = error
        kept = _finite_rows(x, y)
        if kept is None or len(kept) < 2:
            return _unreadable(parts, given, error, settings, reported, target)
        weights = None if sample_weight is None else np.asarray(sample_weight)[kept]
        reader = replace(reader, sample_weight=weights)
        x = tuple(np.asarray(c)[kept] for c in x) if isinstance(x, tuple) else np.asarray(x)[kept]
        data = Data.read(reader, x, np.asarray(y)[kept], _finite(validation), settings)
    if isinstance(data.examples, StreamSource):
        raise ConfigurationError(
            "The doctor looks at examples that are there, and a generator gives them once",
            advice="Pass one of its batches: x, y = next(batches), then cr.doctor(net, x, y)",
        )
    source = data.examples
    plan, refused = _plan_of(data, settings)
    engine: Engine | None = _engine(parts, source, plan, settings.metrics)
    try:
        _trace_steps(engine)
    except TrainingError as error:
        refused, engine = refused or error, None
    except ShapeError as error:
        whole = replace(plan, drop_last=True)
        if len(plan.sizes()) < 2 or not whole.updates_per_epoch:
            raise
        # The whole batches may do, and the last one of an epoch not.
        plan, refused = whole, refused or error
        engine = _engine(parts, source, plan, settings.metrics)
        _trace_steps(engine)
    recipe = Recipe(parts.net, parts.loss, parts.optimizer, {}, source.weighted)
    state = initial_state(recipe, seed, accumulate=accumulate > 1)
    every = source.rows()
    rows = data.rows if data.rows is not None else every
    return Case(
        net=parts.net,
        loss=parts.loss,
        optimizer=parts.optimizer,
        given=given,
        source=source,
        rows=np.arange(source.count) if rows is None else rows,
        kept=kept,
        held_out=data.held_out,
        plan=plan,
        engine=engine,
        state=state,
        first=state,
        refusal=refusal or refused,
        epochs=epochs,
        metrics=tuple(settings.metrics),
        seed=seed,
        batch_size=settings.batch_size,
        target=target,
        reported=reported,
    )


def _unreadable(
    parts: Parts,
    given: tuple[Array, ...],
    error: ChainruleError,
    settings: Settings,
    reported: Mapping[str, Sequence[float]] | None,
    target: str,
) -> Case:
    """A case of which nothing but the refusal is known."""
    return Case(
        net=parts.net,
        loss=parts.loss,
        optimizer=parts.optimizer,
        given=given,
        source=None,
        rows=np.arange(0),
        kept=None,
        held_out=None,
        plan=None,
        engine=None,
        state={},
        first=None,
        refusal=error,
        seed=settings.seed,
        reported=reported,
        target=target,
    )


def of_run(
    run: Run,
    validation: Any = None,
    *,
    target: str = "",
    reported: Mapping[str, Sequence[float]] | None = None,
) -> Case:
    """A training as far as it has come.

    Raises
    ------
    ReplayError
        If the run's data is not there.
    """
    engine = run.engine
    recipe, source, plan = engine.recipe, engine.source, engine.plan
    state = dict(run.standing.state)
    left = recipe.net.state_dict()
    net = _copied(recipe.net)
    for path, variable in [*net.named_parameters(), *net.named_buffers()]:
        variable.replace(state[path])
    recipe = replace(recipe, net=net)
    numpy = Engine(recipe, source, plan, engine.rate, get_backend("numpy"))
    rows = np.arange(source.count) if plan.rows is None else plan.rows
    held_out = run.held_out
    if validation is not None:
        held_out = Reader(recipe.loss, InputTypes.of(net)).read_validation(validation)
    return Case(
        net=net,
        loss=recipe.loss,
        optimizer=recipe.optimizer,
        given=(),
        source=source,
        rows=rows,
        kept=None,
        held_out=held_out,
        plan=plan,
        engine=numpy,
        state=state,
        first=run.at(0).state if run.steps else state,
        refusal=None,
        left={path: left.get(path, state[path]) for path in state},
        history=run.history,
        steps=run.steps,
        metrics=tuple(recipe.metrics),
        seed=plan.seed,
        batch_size=plan.batch_size,
        opener=f"cr.explain(run.at(step={run.steps}))",
        target=target,
        reported=reported,
    )


def _trace_steps(engine: Engine | None) -> None:
    """Raise what `fit` would: steps are traced when they are asked for."""
    if engine is not None:
        list(engine.steps)


def _copied(thing: Any) -> Any:
    return None if thing is None else copy.deepcopy(thing)


def _plan_of(data: Data, settings: Settings) -> tuple[Plan, ChainruleError | None]:
    """The plan; where it has no update, one that has, and what `fit` says of the first."""
    try:
        return data.plan(settings), None
    except TrainingError as error:
        return data.plan(replace(settings, drop_last=False)), error


def _engine(parts: Parts, source: Source, plan: Plan, metrics: Sequence[str]) -> Engine:
    target = source.sample_target()
    schedule = parts.schedule if isinstance(parts.schedule, Schedule) else None
    # Metrics that cannot be read off these targets are refused as `fit` does it.
    found = Measures.of(parts.loss, metrics, target).metrics
    fed = not source.arrays()
    recipe = Recipe(
        parts.net, parts.loss, parts.optimizer, found, source.weighted, fed, parts.penalties
    )
    rate = LearningRate(parts.optimizer.lr, schedule)
    return Engine(recipe, source, plan, rate, get_backend("numpy"))


def _given(x: Any, y: Any) -> tuple[Array, ...]:
    if y is None:
        return ()
    return tuple(np.asarray(each) for each in (*(x if isinstance(x, tuple) else (x,)), y))


def _finite_rows(x: Any, y: Any) -> Array | None:
    """The rows in which every number is finite; None for what is not arrays."""
    arrays = _given(x, y)
    if not arrays or len({len(array) for array in arrays}) != 1:
        return None
    finite = np.ones(len(arrays[0]), bool)
    for array in arrays:
        if array.dtype.kind == "f":
            finite &= np.isfinite(array.reshape(len(array), -1)).all(axis=1)
    return np.flatnonzero(finite)


def _finite(validation: Any) -> Any:
    if validation is None:
        return None
    x, y, *weights = validation
    kept = _finite_rows(x, y)
    if kept is None:
        return validation
    inputs = tuple(np.asarray(c)[kept] for c in x) if isinstance(x, tuple) else np.asarray(x)[kept]
    return (inputs, np.asarray(y)[kept], *(np.asarray(w)[kept] for w in weights))
