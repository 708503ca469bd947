"""The training steps of an experiment: without training it, or as a run made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from chainrule.base.errors import ConfigurationError, ReplayError
from chainrule.cli.building import build_optimizer, build_penalties, build_schedule
from chainrule.cli.completion import complete
from chainrule.cli.experiment import Experiment
from chainrule.cli.sources import load_source
from chainrule.cli.training import Origin, Plan
from chainrule.nn.evaluation import InputTypes
from chainrule.train import Moment, Run, load_run
from chainrule.train.engine import Engine
from chainrule.train.folder import RunFolder
from chainrule.train.reading import Reader
from chainrule.train.settings import Settings, float_name, listed_metrics
from chainrule.train.setup import Data, Parts, prepare
from chainrule.train.state import initial_state
from chainrule.train.writing import Step


def first_step(experiment: Experiment) -> Step:
    """The step that the first batch of an experiment's training takes."""
    return _engine(_plan(experiment), "numpy").steps[0]


@dataclass(frozen=True)
class Chosen:
    """A step that is about to be made, and the names that its numbers have.

    Parameters
    ----------
    moment : Moment
    names : mapping of str to sequence of str
        A textbook's, where the network is one's.
    """

    moment: Moment
    names: Mapping[str, Sequence[str]]


def step_of_experiment(experiment: Experiment, step: int, row: int | None) -> Chosen:
    """A step of an experiment's training, counted from 0; the steps before it are made.

    Parameters
    ----------
    experiment : Experiment
    step : int
    row : int or None
        Of the training examples, the one that is to be the whole batch.
    """
    plan = _plan(experiment)
    training = plan.experiment.training
    engine = _engine(plan, training.backend)
    updates = engine.plan.updates_per_epoch * (training.epochs or 1)
    if not 0 <= step < updates:
        raise ReplayError(f"The training has steps 0 to {updates - 1}; got {step}")
    accumulates = engine.plan.accumulate > 1
    drawn = initial_state(engine.recipe, training.seeds[0], accumulate=accumulates)
    state = engine.state_before(drawn, 0, step)
    epoch, update = engine.plan.locate(step)
    rows = engine.plan.batches(epoch, update)
    moment = Moment(step, epoch, rows, engine.rate.at(step, epoch), state, engine)
    return Chosen(moment if row is None else _of_one(moment, row), _names(plan))


def step_of_run(folder: Path, step: int | None, row: int | None) -> Chosen:
    """A step of a run that is kept in a folder; the last one by default.

    Raises
    ------
    ReplayError
        If the folder holds no run of ``chainrule train``, or has no such step.
    """
    run, plan = run_in(folder)
    if step is not None and not -run.steps <= step < run.steps:
        raise ReplayError(f"The run made the steps 0 to {run.steps - 1}; got {step}")
    moment = run.at(-1 if step is None and run.steps else step or 0)
    return Chosen(moment if row is None else _of_one(moment, row), _names(plan))


def run_in(folder: Path) -> tuple[Run, Plan]:
    """A run that is kept in a folder, with its data, and what it was planned as.

    Raises
    ------
    ReplayError
        If the folder holds no run of ``chainrule train``.
    """
    kept = RunFolder.open(folder).experiment()
    if kept.origin is None:
        raise ReplayError(
            f"{folder} was not made by `chainrule train`, so its data is not known",
            advice=f'Open it in Python: cr.explain(cr.load_run("{folder}", x, y).at(0))',
        )
    experiment = Origin.read(kept.origin, str(folder)).experiment
    plan = Plan(experiment, load_source(experiment.data))
    return load_run(folder, *plan.arrays(plan.parts.training)), plan


def _plan(experiment: Experiment) -> Plan:
    source = load_source(experiment.data)
    return Plan(complete(experiment, source), source)


def _engine(plan: Plan, backend: str) -> Engine:
    training = plan.experiment.training
    settings = Settings(
        batch_size=training.batch_size or 1,
        epochs=training.epochs or 1,
        accumulate=training.accumulate,
        drop_last=training.drop_last,
        shuffle=training.shuffle,
        seed=training.seeds[0],
        dtype=float_name(training.dtype),
        metrics=listed_metrics(plan.shown_metrics()),
        backend=backend,
        threads=training.threads,
    )
    optimizer, penalties = build_optimizer(plan.experiment), build_penalties(plan.experiment)
    schedule = build_schedule(plan.experiment)
    parts = Parts.of(plan.network(), plan.loss, optimizer, schedule, penalties, settings)
    reader = Reader(parts.loss, InputTypes.of(parts.net), None, None)
    data = Data.read(reader, *plan.arrays(plan.parts.training), None, settings)
    return prepare(parts, data, settings).engine


def _names(plan: Plan) -> Mapping[str, Sequence[str]]:
    example = plan.source.example
    return example.names if example is not None and plan.is_the_textbooks else {}


def _of_one(moment: Moment, row: int) -> Moment:
    """The same step with one example as its batch; when it is made stays as it is."""
    engine, plan = moment.engine, moment.engine.plan
    count = plan.count
    if not 0 <= row < count:
        raise ConfigurationError(f"The training examples have rows 0 to {count - 1}; got {row}")
    chosen = np.full(plan.updates_per_epoch, row, np.int64)
    alone = replace(
        plan,
        count=len(chosen),
        batch_size=1,
        accumulate=1,
        drop_last=False,
        shuffle=False,
        rows=chosen,
    )
    engine.read(engine.source, alone)
    return replace(moment, rows=[chosen[:1]])
