"""What ``chainrule train`` does: it trains once for each seed, and tells how it went."""

from __future__ import annotations

from pathlib import Path

import msgspec

from chainrule.base.errors import ConfigurationError, ReplayError
from chainrule.cli.building import (
    build_loss,
    build_optimizer,
    build_penalties,
    build_schedule,
    described,
)
from chainrule.cli.completion import complete
from chainrule.cli.doctor import watching
from chainrule.cli.experiment import Experiment
from chainrule.cli.model_file import NAME, save_model
from chainrule.cli.reporting import Reporter
from chainrule.cli.screen import Screen, counted, figure
from chainrule.cli.sources import load_source, with_absolute_path
from chainrule.cli.summary import (
    as_document,
    show_figures,
    show_next,
    show_seeds,
    show_textbook,
)
from chainrule.cli.training import Origin, Plan, Trained
from chainrule.train.folder import EXPERIMENT, RunFolder

RUNS = Path("runs")
INTERRUPTED = 130


def completed(experiment: Experiment) -> Experiment:
    """Return an experiment with nothing left open."""
    return complete(experiment, load_source(experiment.data))


def begin(
    experiment: Experiment,
    target: str,
    folder: Path | None,
    screen: Screen,
    *,
    keep: bool,
    watched: bool = False,
) -> int:
    """Train from the beginning, once for each seed; return the exit status."""
    source = load_source(experiment.data)
    experiment = msgspec.structs.replace(experiment, data=with_absolute_path(experiment.data))
    plan = Plan(complete(experiment, source), source)
    seeds = plan.experiment.training.seeds
    home = _folder(target, folder) if keep else None
    introduce(plan, screen)
    trained: list[Trained] = []
    for seed in seeds:
        place = home / f"seed-{seed}" if home and len(seeds) > 1 else home
        reporter = _reporter(plan, seed, screen, introduced=bool(trained))
        trained.append(plan.train(seed, place, reporter, watching(watched)))
        keep_model(trained[-1])
        if len(seeds) > 1:
            show_seed(trained[-1], screen)
        if trained[-1].was_interrupted:
            break
    return conclude(trained, screen)


def go_on(folder: Path, epochs: int | None, screen: Screen, *, watched: bool = False) -> int:
    """Go on with a run that is kept in a folder; return the exit status."""
    inside = sorted(path.parent for path in folder.glob(f"*/{EXPERIMENT}"))
    if inside and not (folder / EXPERIMENT).exists():
        raise ReplayError(
            f"{folder} holds several runs: {', '.join(path.name for path in inside)}",
            advice=f"Go on with one of them: --resume {inside[-1]}",
        )
    kept = RunFolder.open(folder).experiment()
    if kept.origin is None:
        raise ReplayError(
            f"{folder} was not made by `chainrule train`, so its data is not known",
            advice=f'Resume it in Python: cr.resume("{folder}", x, y)',
        )
    origin = Origin.read(kept.origin, str(folder))
    last = kept.settings.epochs if epochs is None else epochs
    training = msgspec.structs.replace(origin.experiment.training, epochs=last, seeds=[origin.seed])
    experiment = msgspec.structs.replace(origin.experiment, training=training)
    plan = Plan(experiment, load_source(experiment.data))
    done = RunFolder.open(folder).last().position.epoch
    screen.say(f"{folder} has {counted(done, 'epoch')}, of {last:,}.")
    if done >= last:
        screen.say("So there is nothing left to do: --epochs N makes it go further.")
        screen.say()
    reporter = _reporter(plan, origin.seed, screen)
    trained = plan.go_on(origin.seed, folder, reporter, epochs, watching(watched))
    keep_model(trained)
    return conclude([trained], screen)


def introduce(plan: Plan, screen: Screen) -> None:
    """Say what is about to happen, with everything that was decided."""
    experiment, parts, dataset = plan.experiment, plan.parts, plan.source.dataset
    training = experiment.training
    facts = [counted(len(dataset), "example"), counted(dataset.x.shape[1], "input")]
    if dataset.class_names:
        names = ", ".join(dataset.class_names)
        few = f" ({names})" if len(names) <= 40 else ""
        facts.append(counted(len(dataset.class_names), "class", "classes") + few)
    else:
        facts.append(counted(dataset.y.shape[1], "number") + " to predict")
    used = [f"{len(parts.training):,} to train on"]
    if parts.validation is not None:
        used.append(f"{len(parts.validation):,} for validation")
    used.append("none held out" if parts.test is None else f"{len(parts.test):,} held out")
    if plan.preparation.inputs is not None:
        what = "inputs and numbers" if plan.preparation.values else "inputs"
        used.append(f"{what} standardised")
    schedule = build_schedule(experiment)
    steps = [
        experiment.loss if isinstance(experiment.loss, str) else repr(build_loss(experiment)),
        *map(repr, build_penalties(experiment)),
        repr(build_optimizer(experiment)),
        *([repr(schedule)] if schedule else []),
        f"batches of {training.batch_size}",
        counted(training.epochs or 0, "epoch"),
    ]
    if experiment.title:
        screen.say(experiment.title, style="bold")
    screen.table(
        ["", ""],
        [
            ["data", f"{dataset.name}: {', '.join(facts)}"],
            ["", ", ".join(used)],
            ["network", described(plan.network(), dataset.x.shape[1])],
            ["training", ", ".join(steps)],
        ],
        left=(0, 1),
    )


def keep_model(trained: Trained) -> None:
    """Write the model into the run's folder, with what it takes to use it."""
    folder = trained.run.folder
    if folder is not None:
        origin = trained.plan.origin(trained.seed)
        save_model(folder / NAME, trained.run.net, origin, trained.figures)


def show_seed(trained: Trained, screen: Screen) -> None:
    """Say in a line how one of several trainings went."""
    told = ", ".join(f"{name} {figure(name, v)}" for name, v in reversed(trained.figures.items()))
    screen.say(f"seed {trained.seed}: {told} ({trained.seconds:.0f} s)")


def conclude(trained: list[Trained], screen: Screen) -> int:
    """Show the result, where it is, and what to do next; return the exit status."""
    last = trained[-1]
    screen.document(as_document(trained))
    if len(trained) > 1:
        show_seeds(trained, screen)
    else:
        show_figures(last, screen)
    if last.plan.is_the_textbooks and len(trained) == 1:
        show_textbook(last, screen)
    show_next(trained, screen)
    if not last.was_interrupted:
        return 0
    folder = last.run.folder
    where = f"`chainrule train --resume {folder}` goes on" if folder else "It was not kept"
    done = counted(last.run.history.epochs, "epoch")
    screen.remark(f"chainrule: Interrupted after {done}. {where}.")
    return INTERRUPTED


def _reporter(plan: Plan, seed: int, screen: Screen, *, introduced: bool = False) -> Reporter:
    training = plan.experiment.training
    is_one_of_several = len(training.seeds) > 1
    return Reporter(
        screen,
        training.epochs or 1,
        plan.parts.watched_name,
        title=f"seed {seed}" if is_one_of_several else "training",
        lines=not is_one_of_several,
        introduced=introduced,
    )


def _folder(target: str, folder: Path | None) -> Path:
    """Return a folder for a new run: the one asked for, or runs/iris, runs/iris-2 and so on."""
    if folder is not None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigurationError(
                f"{folder} is there already, and not empty",
                advice=f"Choose another folder, or go on with its run: --resume {folder}",
            )
        return folder
    name = Path(target).stem or "run"
    candidate, number = RUNS / name, 1
    while candidate.exists():
        number += 1
        candidate = RUNS / f"{name}-{number}"
    return candidate
