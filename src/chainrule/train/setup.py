"""What `fit`, `resume` and `load_run` put together before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.backends import Rows, get_backend
from chainrule.base.errors import ConfigurationError
from chainrule.eager import Tensor
from chainrule.nn import Module, as_loss, check_reachable, make_metric
from chainrule.nn.evaluation import Evaluator
from chainrule.nn.losses import width_of
from chainrule.optim import SGD, Optimizer, ReduceLROnPlateau, Schedule
from chainrule.train.arrays import split_rows
from chainrule.train.callbacks import Callback
from chainrule.train.engine import Engine
from chainrule.train.plan import LearningRate, Plan
from chainrule.train.reading import Reader
from chainrule.train.refusals import check_instance, check_plan, check_trainable
from chainrule.train.settings import Settings
from chainrule.train.sources import ArraySource, Source
from chainrule.train.step import Recipe
from chainrule.train.streams import StreamSource


@dataclass(frozen=True)
class Setup:
    """A training that is ready for its first step.

    Parameters
    ----------
    settings : Settings
    recipe : Recipe
    examples : Source or StreamSource
    held_out : ArraySource or None
        What is validated on.
    engine : Engine
    evaluator : Evaluator
    schedule : Schedule, ReduceLROnPlateau or None
    class_weight : mapping, sequence or None
    """

    settings: Settings
    recipe: Recipe
    examples: Source | StreamSource
    held_out: ArraySource | None
    engine: Engine
    evaluator: Evaluator
    schedule: Schedule | ReduceLROnPlateau | None
    class_weight: Any = None

    @property
    def net(self) -> Module:
        """The network."""
        return self.recipe.net

    @property
    def plateau(self) -> ReduceLROnPlateau | None:
        """What lowers the learning rate when a value stops improving."""
        return self.schedule if isinstance(self.schedule, ReduceLROnPlateau) else None


def prepare(
    net: Module,
    x: Any,
    y: Any,
    settings: Settings,
    *,
    loss: Any,
    optimizer: Optimizer | None,
    schedule: Schedule | ReduceLROnPlateau | None,
    validation: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
) -> Setup:
    """Check everything, trace every step that will come up, and compile it.

    Raises
    ------
    TrainingError
        If no update could ever happen.
    ShapeError, TargetError, NonFiniteError, ConfigurationError
        If something does not fit.
    """
    check_instance("net", net, Module, "nn.Sequential(nn.Linear(4, 3))")
    optimizer = SGD(lr=0.01) if optimizer is None else optimizer
    check_instance("optimizer", optimizer, Optimizer, "optim.SGD(lr=0.01)")
    if schedule is not None:
        kinds = (Schedule, ReduceLROnPlateau)
        check_instance("schedule", schedule, kinds, "optim.StepLR(step_size=10)")
    criterion = as_loss(loss)
    check_trainable(net)
    net.astype(settings.float_type)
    net.initialize(settings.seed)
    reader = Reader(criterion, settings.float_type, sample_weight, class_weight)
    examples = reader.read(x, y, settings.epochs)
    # A stream's first batch stands for all of them until they come.
    source = examples.first if isinstance(examples, StreamSource) else examples
    rows, held_out = _divide(reader, examples, source, validation, settings)
    sample = source.sample_target()
    criterion.check_target(sample, None)
    metrics = {name: make_metric(name, criterion, sample) for name in settings.metrics}
    plan = _plan(settings, source, rows, streamed=isinstance(examples, StreamSource))
    rate = LearningRate(optimizer.lr, schedule if isinstance(schedule, Schedule) else None)
    recipe = Recipe(net, criterion, optimizer, metrics, source.weighted)
    engine = Engine(recipe, source, plan, rate, get_backend(settings.backend))
    # Traced before anything runs: what does not fit is said at the user's line.
    output = engine.steps[0].output
    criterion.check_target(sample, width_of(output))
    if isinstance(output, Tensor):
        check_reachable(net, criterion, sample)
    evaluator = Evaluator(net, criterion, metrics)
    return Setup(settings, recipe, examples, held_out, engine, evaluator, schedule, class_weight)


def check_callbacks(callbacks: Any) -> list[Callback]:
    """Return the callbacks as a list, or raise ConfigurationError."""
    given = list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
    for callback in given:
        check_instance("callbacks", callback, Callback, "[EarlyStopping()]")
    return given


def _divide(
    reader: Reader,
    examples: Source | StreamSource,
    source: Source,
    validation: Any,
    settings: Settings,
) -> tuple[Rows | None, ArraySource | None]:
    """The rows to train on (None: all), and the examples to validate on."""
    if settings.validation_split is None:
        held_out = None if validation is None else reader.read_validation(validation)
        return source.rows(), held_out
    if validation is not None:
        raise ConfigurationError("fit takes validation or validation_split, not both")
    if isinstance(examples, StreamSource):
        raise ConfigurationError(
            "validation_split needs to know all examples, and a generator does not",
            advice="Pass validation=(x, y)",
        )
    every = source.rows()
    every = np.arange(source.count) if every is None else every
    training, validating = split_rows(every, settings.validation_split, settings.seed)
    return training, source.take(validating)


def _plan(settings: Settings, source: Source, rows: Rows | None, *, streamed: bool) -> Plan:
    count = source.count if rows is None else len(rows)
    if streamed:  # a batch is as large as it comes
        return Plan(count, count, settings.accumulate, False, False, settings.seed)
    plan = Plan(
        count,
        settings.batch_size,
        settings.accumulate,
        settings.drop_last,
        settings.shuffle,
        settings.seed,
        rows,
    )
    check_plan(plan)
    return plan
