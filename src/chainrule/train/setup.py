"""What `fit`, `resume` and `load_run` put together before the first step."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.backends import Backend, Rows, get_backend, why_not_native
from chainrule.base.errors import ConfigurationError
from chainrule.graph import Graph
from chainrule.nn import Loss, Module, as_loss, check_reachable
from chainrule.nn.agreement import width_of
from chainrule.nn.evaluation import Evaluator
from chainrule.nn.measures import Measures
from chainrule.nn.metrics import counted_targets
from chainrule.nn.penalties import Penalty, as_penalties
from chainrule.nn.positions import check_positions
from chainrule.optim import SGD, Optimizer, ReduceLROnPlateau, Schedule
from chainrule.train.arrays import split_rows
from chainrule.train.callbacks import Callback
from chainrule.train.engine import Engine
from chainrule.train.memory import check_memory, check_parameters
from chainrule.train.plan import LearningRate, Plan
from chainrule.train.reading import VALIDATION, Reader
from chainrule.train.refusals import (
    check_instance,
    check_optimizer,
    check_plan,
    check_trainable,
    concerning,
)
from chainrule.train.settings import Settings
from chainrule.train.sources import ArraySource, ItemSource, Source, check_types, name_columns
from chainrule.train.streams import StreamSource
from chainrule.train.writing import Recipe


class BackendWarning(UserWarning):
    """A slower backend computes than the one that was meant."""


@dataclass(frozen=True)
class Parts:
    """What a training is made of besides its data.

    Parameters
    ----------
    net : Module
    loss : Loss
    optimizer : Optimizer
    schedule : Schedule, ReduceLROnPlateau or None
    penalties : tuple of Penalty
    """

    net: Module
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule | ReduceLROnPlateau | None
    penalties: tuple[Penalty, ...] = ()

    @classmethod
    def of(
        cls,
        net: Any,
        loss: Any,
        optimizer: Any,
        schedule: Any,
        penalty: Any,
        settings: Settings,
    ) -> Parts:
        """Check what a user gave, and draw the parameters that have no numbers yet.

        Raises
        ------
        ConfigurationError, NameNotFoundError
            If something is not of its kind.
        TrainingError
            If the network has nothing to train.
        NotEnoughMemoryError
            If its parameters alone take more memory than there is.
        """
        check_instance("net", net, Module, "nn.Sequential(nn.Linear(4, 3))")
        optimizer = SGD(lr=0.01) if optimizer is None else optimizer
        check_optimizer(optimizer)
        if schedule is not None:
            kinds = (Schedule, ReduceLROnPlateau)
            check_instance("schedule", schedule, kinds, "optim.StepLR(step_size=10)")
        loss = as_loss(loss)
        check_trainable(net)
        check_parameters(net)
        net.astype(settings.float_type)
        net.initialize(settings.seed)
        return cls(net, loss, optimizer, schedule, as_penalties(penalty))

    @property
    def plateau(self) -> ReduceLROnPlateau | None:
        """What lowers the learning rate when a value stops improving."""
        return self.schedule if isinstance(self.schedule, ReduceLROnPlateau) else None


@dataclass(frozen=True)
class Data:
    """What a training reads.

    Parameters
    ----------
    examples : Source or StreamSource
    rows : int64 array or None
        The rows to train on; None: all of them.
    held_out : ArraySource or None
        What is validated on.
    given : ArraySource or None
        That, if it is not a part of the examples.
    """

    examples: Source | StreamSource
    rows: Rows | None
    held_out: ArraySource | None
    given: ArraySource | None

    @property
    def source(self) -> Source:
        """The examples; a stream's first batch stands for all of them until they come."""
        return self.examples.first if isinstance(self.examples, StreamSource) else self.examples

    @classmethod
    def read(cls, reader: Reader, x: Any, y: Any, validation: Any, settings: Settings) -> Data:
        """Check what a user gave, and divide it.

        Raises
        ------
        DataError, ShapeError, TargetError, NonFiniteError, ConfigurationError
            If it cannot be trained on.
        """
        examples = reader.read(x, y, settings.epochs)
        if settings.validation_split is None:
            given = None if validation is None else reader.read_validation(validation)
            every = None if isinstance(examples, StreamSource) else examples.rows()
            return cls(examples, every, given, given)
        if validation is not None:
            raise ConfigurationError("fit takes validation or validation_split, not both")
        if isinstance(examples, StreamSource):
            raise ConfigurationError(
                "validation_split needs to know all examples, and a generator does not",
                advice="Pass validation=(x, y)",
            )
        every = examples.rows()
        every = np.arange(examples.count) if every is None else every
        rows, held_out = split_rows(every, settings.validation_split, settings.seed)
        return cls(examples, rows, examples.take(held_out), None)

    def plan(self, settings: Settings) -> Plan:
        """Which rows each update reads.

        Raises
        ------
        TrainingError
            If no update would ever happen.
        """
        count = self.source.count if self.rows is None else len(self.rows)
        if isinstance(self.examples, StreamSource):  # a batch is as large as it comes
            return Plan(count, count, settings.accumulate, False, False, settings.seed)
        size, accumulate, drop_last = settings.batch_size, settings.accumulate, settings.drop_last
        plan = Plan(count, size, accumulate, drop_last, settings.shuffle, settings.seed, self.rows)
        check_plan(plan)
        return plan


@dataclass(frozen=True)
class Setup:
    """A training that is ready for its first step.

    Parameters
    ----------
    settings : Settings
    parts : Parts
    data : Data
    engine : Engine
    evaluator : Evaluator or None
        Of the validation examples, where there are some.
    """

    settings: Settings
    parts: Parts
    data: Data
    engine: Engine
    evaluator: Evaluator | None


def prepare(parts: Parts, data: Data, settings: Settings) -> Setup:
    """Trace and compile every step that will come up: what does not fit is said now.

    Raises
    ------
    TrainingError
        If no update could ever happen.
    ShapeError, TargetError, ConfigurationError
        If something does not fit; with the user's line.
    NotEnoughMemoryError
        If it takes more memory than there is.
    """
    source, loss = data.source, parts.loss
    plan = data.plan(settings)
    sample = source.sample_target()
    loss.check_target(sample, None)
    measures = Measures.of(loss, settings.metrics, sample)
    schedule = parts.schedule if isinstance(parts.schedule, Schedule) else None
    rate = LearningRate(parts.optimizer.lr, schedule)
    fed = not source.arrays()
    recipe = Recipe(
        parts.net, loss, parts.optimizer, measures.metrics, source.weighted, fed, parts.penalties
    )
    backend = _backend(settings.backend)
    engine = Engine(recipe, source, plan, rate, backend, settings.threads)
    check_memory(engine)
    width = width_of(engine.steps[0].output)
    loss.check_target(sample, width)
    check_reachable(parts.net, loss, sample)
    if isinstance(source, ArraySource):
        check_positions(engine.steps[0].graph, name_columns(source.columns))
    if isinstance(data.examples, ItemSource | StreamSource):
        data.examples.width = width
    evaluator, held_out = None, data.held_out
    if held_out is not None:
        _check_held_out(source, held_out, measures, width, engine.steps[0].graph)
        columns, target, weights = held_out.columns, held_out.target, held_out.weights
        evaluator = Evaluator(parts.net, recipe.measures, columns, target, weights, backend)
    return Setup(settings, parts, data, engine, evaluator)


def _backend(name: str) -> Backend:
    why_not = why_not_native() if name == "auto" else None
    if why_not is not None:
        warnings.warn(why_not, BackendWarning, stacklevel=4)
    return get_backend(name)


def check_callbacks(callbacks: Any) -> list[Callback]:
    """Return the callbacks as a list, or raise ConfigurationError."""
    given = list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
    for callback in given:
        check_instance("callbacks", callback, Callback, "[EarlyStopping()]")
    return given


def _check_held_out(
    source: Source, held_out: ArraySource, measures: Measures, width: int | None, graph: Graph
) -> None:
    inputs, target = source.batch_types(1)
    check_types({**name_columns(inputs), "target": target}, held_out.arrays(), VALIDATION)
    with concerning(VALIDATION):
        measures.loss.check_target(held_out.target, width)
        measures.check(counted_targets(measures.loss, held_out.target), width)
        check_positions(graph, name_columns(held_out.columns))
