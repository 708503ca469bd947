"""The training step of an experiment, without training it."""

from __future__ import annotations

from chainrule.cli.building import build_optimizer, build_penalties, build_schedule
from chainrule.cli.completion import complete
from chainrule.cli.experiment import Experiment
from chainrule.cli.sources import load_source
from chainrule.cli.training import Plan
from chainrule.nn.evaluation import InputTypes
from chainrule.train.reading import Reader
from chainrule.train.settings import Settings, float_name, listed_metrics
from chainrule.train.setup import Data, Parts, prepare
from chainrule.train.writing import Step


def first_step(experiment: Experiment) -> Step:
    """The step that the first batch of an experiment's training takes."""
    source = load_source(experiment.data)
    plan = Plan(complete(experiment, source), source)
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
        backend="numpy",
    )
    optimizer, penalties = build_optimizer(plan.experiment), build_penalties(plan.experiment)
    schedule = build_schedule(plan.experiment)
    parts = Parts.of(plan.network(), plan.loss, optimizer, schedule, penalties, settings)
    reader = Reader(parts.loss, InputTypes.of(parts.net), None, None)
    data = Data.read(reader, *plan.arrays(plan.parts.training), None, settings)
    return prepare(parts, data, settings).engine.steps[0]
