"""Go on with a run from its folder, or open it: to the same bits, or not at all."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chainrule.backends import get_backend
from chainrule.base.errors import (
    FileFormatError,
    MissingExtraError,
    NameNotFoundError,
    ReplayError,
)
from chainrule.base.registry import Registry
from chainrule.eager.tensor import Array
from chainrule.nn import LOSSES, Module, load
from chainrule.nn.description import build
from chainrule.nn.evaluation import InputTypes
from chainrule.nn.penalties import PENALTIES, Penalty
from chainrule.optim import OPTIMIZERS, SCHEDULES, Optimizer, ReduceLROnPlateau, Schedule
from chainrule.train.callbacks import CALLBACKS, Callback
from chainrule.train.experiment import (
    Experiment,
    Named,
    check_same_data,
    check_same_parts,
    check_same_step,
    check_same_validation,
    present_versions,
)
from chainrule.train.folder import RunFolder
from chainrule.train.loop import run_loop
from chainrule.train.memory import memory_of
from chainrule.train.progress import make_progress
from chainrule.train.reading import Reader
from chainrule.train.refusals import concerning
from chainrule.train.run import INTERRUPTED, Run
from chainrule.train.settings import Settings
from chainrule.train.setup import Data, Parts, Setup, check_callbacks, prepare
from chainrule.train.snapshots import Standing
from chainrule.train.state import initial_state


class ReplayWarning(UserWarning):
    """A run is replayed where its last bits may come out otherwise."""


def resume(
    folder: str | Path,
    x: Any = None,
    y: Any = None,
    *,
    net: Module | None = None,
    loss: Any = None,
    optimizer: Optimizer | None = None,
    schedule: Schedule | ReduceLROnPlateau | None = None,
    penalty: Penalty | Sequence[Penalty] | None = None,
    validation: tuple[Any, ...] | None = None,
    sample_weight: Any = None,
    epochs: int | None = None,
    callbacks: Sequence[Callback] | None = None,
    progress: bool = True,
) -> Run:
    """Go on with an interrupted run, or with more epochs: to the bits of one that never stopped.

    Parameters
    ----------
    folder : path
        The folder that `fit` was given.
    x, y : arrays
        The data of the run, as `fit` was given it.
    net : Module, optional
        Needed for a network with modules of your own, which no file can name. Its numbers are
        replaced.
    loss : function or Loss, optional
        Needed where it is your own.
    optimizer, schedule, penalty : optional
        Needed where they are your own.
    validation : tuple (x, y) or (x, y, sample_weight), optional
        Needed where the run had such.
    sample_weight : array of shape (N,), optional
        Needed where the run had such.
    epochs : int, optional
        How many epochs there are to be in all; by default as many as `fit` was told.
    callbacks : sequence of Callback, optional
        Needed where the run had callbacks of your own; an empty one goes on without them. Each
        gets the state that the one of its name had.
    progress : bool
        Show a bar, if there is a terminal to show it on.

    Returns
    -------
    Run
        The whole run, from its first step. A run that is over is returned as it is.

    Raises
    ------
    ReplayError
        If the folder holds no run, or data, network, loss, optimizer or validation data are not
        those of the run; the message says what differs.
    ConfigurationError
        If another process is training in the folder.
    """
    kept = RunFolder.open(folder)
    with kept.locked():
        experiment = kept.experiment()
        settings = experiment.settings
        if epochs is not None:
            settings = replace(settings, epochs=epochs)
        watching = _callbacks(experiment, callbacks, kept)
        parts = (net, loss, optimizer, schedule, penalty)
        given = _Given(x, y, sample_weight, validation, *parts)
        setup = _set_up_again(kept, experiment, given, settings)
        check_same_validation(experiment, setup.data, str(kept.path))
        standing = kept.last()
        position = standing.position
        _check_state(standing.state, setup, kept)
        if position.epoch > settings.epochs:
            raise ReplayError(
                f"The run has {position.epoch} epochs already; got epochs={settings.epochs}",
                where=f"Run {folder}",
            )
        stopped = position.stopped not in (None, INTERRUPTED) and epochs is None
        if position.ended and (stopped or position.epoch == settings.epochs):
            return _open(kept, experiment, standing, setup.parts.net, setup)
        if settings != experiment.settings:
            kept.write_experiment(replace(experiment, settings=settings))
        bar, history = make_progress(progress), kept.history(position.epoch)
        return run_loop(setup, standing, watching, bar, kept, experiment.origin, history)


def load_run(
    folder: str | Path,
    x: Any = None,
    y: Any = None,
    *,
    net: Module | None = None,
    loss: Any = None,
    optimizer: Optimizer | None = None,
    schedule: Schedule | ReduceLROnPlateau | None = None,
    penalty: Penalty | Sequence[Penalty] | None = None,
    sample_weight: Any = None,
) -> Run:
    """Open a run: its history and network, and, with its data, any of its steps.

    Parameters
    ----------
    folder : path
        The folder that `fit` was given.
    x, y : arrays, optional
        The data of the run; `run.at` needs it.
    net : Module, optional
        Needed for a network with modules of your own, which no file can name. Its numbers are
        replaced.
    loss, optimizer, schedule, penalty : optional
        Needed where they are your own, and there is data.
    sample_weight : array of shape (N,), optional
        Needed where the run had such, and there is data.

    Returns
    -------
    Run

    Raises
    ------
    ReplayError
        If the folder holds no run, or data, network, loss or optimizer are not those of the run;
        the message says what differs.
    """
    kept = RunFolder.open(folder)
    experiment = kept.experiment()
    standing = kept.last()
    if x is None:
        return _open(kept, experiment, standing, net or _build_net(experiment, kept), None)
    given = _Given(x, y, sample_weight, None, net, loss, optimizer, schedule, penalty)
    setup = _set_up_again(kept, experiment, given, experiment.settings)
    _check_state(standing.state, setup, kept)
    return _open(kept, experiment, standing, setup.parts.net, setup)


@dataclass(frozen=True)
class _Given:
    """What a user passes again, because no file holds it."""

    x: Any
    y: Any
    sample_weight: Any
    validation: Any
    net: Module | None
    loss: Any
    optimizer: Optimizer | None
    schedule: Schedule | ReduceLROnPlateau | None
    penalty: Penalty | Sequence[Penalty] | None


def _set_up_again(
    kept: RunFolder, experiment: Experiment, given: _Given, settings: Settings
) -> Setup:
    """Put the training together once more, seeing at each stage that it is the same."""
    where = str(kept.path)
    _check_data_given(experiment, given.x, kept)
    schedule = given.schedule
    if schedule is None and experiment.schedule is not None:
        schedule = _make(experiment.schedule, SCHEDULES, "schedule", kept)
    parts = Parts.of(
        given.net or _build_net(experiment, kept),
        _make(experiment.loss, LOSSES, "loss", kept) if given.loss is None else given.loss,
        given.optimizer or _make(experiment.optimizer, OPTIMIZERS, "optimizer", kept),
        schedule,
        given.penalty or [_make(each, PENALTIES, "penalty", kept) for each in experiment.penalties],
        settings,
    )
    check_same_parts(experiment, parts, where)
    weights = None if experiment.class_weight is None else dict(experiment.class_weight)
    reader = Reader(parts.loss, InputTypes.of(parts.net), given.sample_weight, weights)
    data = Data.read(reader, given.x, given.y, given.validation, settings)
    check_same_data(experiment, data, where)
    setup = prepare(parts, data, replace(settings, backend=_backend(experiment)))
    check_same_step(experiment, kept.graph(), setup.engine, where)
    _compare_versions(experiment, setup, kept)
    return setup


def _backend(experiment: Experiment) -> str:
    """What the run was computed by, where that is left open and can be had."""
    asked, name = experiment.settings.backend, experiment.computed_by.partition(" ")[0]
    if asked != "auto":
        return asked
    try:
        get_backend(name)
    except (NameNotFoundError, MissingExtraError):
        return asked
    return name


def _build_net(experiment: Experiment, kept: RunFolder) -> Module:
    if experiment.net is None:
        raise ReplayError(
            "The run's network has modules of your own, which no file can make",
            where=f"Run {kept.path}",
            advice="Build it again and pass it: net=...",
        )
    return build(experiment.net, str(kept.path))


def _make(described: Named, registry: Registry[Any], what: str, kept: RunFolder) -> Any:
    if described.options is None:
        raise ReplayError(
            f"The run's {what} is your own, {described.name}, which no file can make",
            where=f"Run {kept.path}",
            advice=f"Pass it again: {what}={described.name}",
        )
    try:
        with concerning(f"Run {kept.path}"):
            return registry.get(described.name)(**described.options)
    except TypeError as error:
        raise FileFormatError(f"{kept.path} describes its {what} badly: {error}") from None


def _callbacks(
    experiment: Experiment, given: Sequence[Callback] | None, kept: RunFolder
) -> list[Callback]:
    if given is not None:
        return check_callbacks(given)
    for described in experiment.callbacks:
        if described.options is None:
            raise ReplayError(
                f"The run had a callback of your own, {described.name}, which no file can make",
                where=f"Run {kept.path}",
                advice="Pass the callbacks again: callbacks=[...], or callbacks=[] to go on "
                "without any",
            )
    return [_make(described, CALLBACKS, "callback", kept) for described in experiment.callbacks]


def _check_data_given(experiment: Experiment, x: Any, kept: RunFolder) -> None:
    if experiment.data is None:
        raise ReplayError(
            "The run cannot be replayed: its batches came from a generator, once",
            where=f"Run {kept.path}",
            advice="Train on arrays, or on an object with __len__ and __getitem__",
        )
    if x is None:
        raise ReplayError(
            f"The run needs the {experiment.data.examples} examples that it was trained on",
            where=f"Run {kept.path}",
            advice="Pass them again: x, y",
        )


def _check_state(state: Mapping[str, Array], setup: Setup, kept: RunFolder) -> None:
    settings = setup.settings
    expected = initial_state(setup.engine.recipe, settings.seed, accumulate=settings.accumulate > 1)
    for name, array in expected.items():
        found = state.get(name)
        if found is None or (found.shape, found.dtype) != (array.shape, array.dtype):
            raise FileFormatError(f"{kept.path}: the snapshots hold no {name} of the run's type")


def _compare_versions(experiment: Experiment, setup: Setup, kept: RunFolder) -> None:
    present, backend = present_versions(), setup.engine.backend
    if experiment.computed_by != backend.arithmetic:
        warnings.warn(
            f"Run {kept.path} was computed by {experiment.computed_by}; by {backend.arithmetic} "
            "the last bits of a replay differ",
            ReplayWarning,
            stacklevel=4,
        )
    for name in ("chainrule", "numpy"):
        if experiment.versions.get(name) != present[name]:
            warnings.warn(
                f"Run {kept.path} was made with {name} {experiment.versions.get(name)}; with "
                f"{present[name]} the last bits of a replay may differ",
                ReplayWarning,
                stacklevel=4,
            )


def _open(
    kept: RunFolder, experiment: Experiment, standing: Standing, net: Module, setup: Setup | None
) -> Run:
    """The run as it stands on the disk."""
    settings = experiment.settings
    net.astype(settings.float_type)
    if standing.position.ended and kept.model.exists():
        load(kept.model, into=net)
    else:
        for path, variable in [*net.named_parameters(), *net.named_buffers()]:
            variable.replace(standing.state[path])
    if setup is not None:
        setup.engine.rate.factors = standing.position.factors
        net.trained_with = (setup.parts.loss, tuple(settings.metrics))
    elif experiment.loss.options is not None:
        loss = _make(experiment.loss, LOSSES, "loss", kept)
        net.trained_with = (loss, tuple(settings.metrics))
    engine = setup.engine if setup else None
    run = Run(
        net,
        standing,
        engine,
        kept,
        experiment.origin,
        backend=experiment.computed_by.partition(" ")[0],
        memory=None if engine is None else memory_of(engine),
    )
    run.history = kept.history(standing.position.epoch)
    run.held_out = None if setup is None else setup.data.held_out
    return run
