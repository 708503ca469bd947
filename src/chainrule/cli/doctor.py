"""``chainrule doctor``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from chainrule.cli.changes import Changes, change
from chainrule.cli.screen import Screen, Showing

if TYPE_CHECKING:
    from chainrule.explanation import Diagnosis
    from chainrule.train import Callback

command = App(
    name="doctor",
    help_epilogue="""Examples:
  chainrule doctor iris.toml
  chainrule doctor digits --set optimizer.lr=100
  chainrule doctor runs/iris
  chainrule doctor runs/iris --json""",
)


@command.default
def doctor(
    source: Annotated[
        str, Parameter(help="What `chainrule train` would learn from, or a run folder.")
    ],
    /,
    *,
    changes: Changes = None,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Say what is wrong with a training, and what to change."""
    from chainrule.base.errors import ConfigurationError

    path = Path(source)
    if path.is_dir() and changes:
        raise ConfigurationError(
            f"A run is looked at as it was made: --set cannot be given beside {source}"
        )
    found = _of_run(path) if path.is_dir() else _of_experiment(source, changes or [])
    screen = Screen(as_json=showing.json)
    screen.document(found.as_data())
    if not showing.json:
        found.show()
    return 0


def watching(watched: bool) -> list[Callback]:
    """What looks at a training while it goes on, where that is wanted."""
    if not watched:
        return []
    from chainrule.explanation import Doctor

    class Telling(Doctor):
        """One that says so, too, if it has found nothing."""

        def on_train_end(self) -> None:
            if not self.diagnosis:
                print("The doctor has found nothing wrong.", file=sys.stderr)

    return [Telling(file=sys.stderr)]


def _of_run(folder: Path) -> Diagnosis:
    from chainrule.cli.steps import run_in
    from chainrule.explanation.diagnosing.case import of_run
    from chainrule.explanation.diagnosing.doctor import diagnose

    run, plan = run_in(folder)
    watched = plan.parts.watched
    validation = None if watched is None else plan.arrays(watched)
    return diagnose(of_run(run, validation, target=shlex.quote(str(folder))))


def _of_experiment(target: str, changes: list[str]) -> Diagnosis:
    from chainrule.cli.building import build_optimizer, build_penalties, build_schedule
    from chainrule.cli.completion import complete
    from chainrule.cli.experiment_file import overlaid
    from chainrule.cli.sources import load_source, table_of
    from chainrule.cli.training import Plan
    from chainrule.explanation.diagnosing.case import set_up
    from chainrule.explanation.diagnosing.doctor import diagnose

    experiment = overlaid(table_of(target), dict(change(text) for text in changes))
    source = load_source(experiment.data)
    plan = Plan(complete(experiment, source), source)
    training = plan.experiment.training
    watched = plan.parts.watched
    case = set_up(
        plan.network(),
        *plan.arrays(plan.parts.training),
        loss=plan.loss,
        optimizer=build_optimizer(plan.experiment),
        validation=None if watched is None else plan.arrays(watched),
        validation_split=None,
        metrics=plan.shown_metrics(),
        batch_size=training.batch_size or 1,
        epochs=training.epochs or 1,
        sample_weight=None,
        class_weight=None,
        accumulate=training.accumulate,
        drop_last=training.drop_last,
        schedule=build_schedule(plan.experiment),
        penalty=build_penalties(plan.experiment),
        dtype=training.dtype,
        seed=training.seeds[0],
        shuffle=training.shuffle,
        target=shlex.quote(target),
    )
    return diagnose(case)
