"""``chainrule train``: options and experiment files, brought together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from chainrule.backends import BACKENDS
from chainrule.base.errors import ConfigurationError
from chainrule.cli.changes import change
from chainrule.cli.choices import activations, registered
from chainrule.cli.completion import BATCH, HELD_OUT, HIDDEN, UPDATES
from chainrule.cli.experiment import Experiment
from chainrule.cli.experiment_file import as_toml, overlaid
from chainrule.cli.screen import Screen, Showing
from chainrule.cli.sources import table_of
from chainrule.nn import LOSSES, METRICS
from chainrule.optim import OPTIMIZERS, SCHEDULES

command = App(
    name="train",
    help_epilogue="""Examples:
  chainrule train iris
  chainrule train iris --hidden 10,10 --activation tanh --epochs 100
  chainrule train flowers.csv --target species
  chainrule train digits --optimizer sgd --lr 0.1 --momentum 0.9
  chainrule train moons --early-stopping 20 --set data.options.noise=0.3
  chainrule train 2-2-2        the textbook's network, and all of its figures
  chainrule train iris --print-experiment > iris.toml
  chainrule train iris.toml --seeds 0,1,2
  chainrule train iris --lr 100 --doctor
  chainrule train --resume runs/iris --epochs 400""",
)

DATA = Group.create_ordered("Data")
NETWORK = Group.create_ordered("Network")
TRAINING = Group.create_ordered("Training")
RESULT = Group.create_ordered("Result")


def _option(group: Group, metavar: str, help: str, **more: Any) -> Parameter:
    return Parameter(group=group, metavar=metavar, help=help, negative="", **more)


def _listing(names: Iterable[str]) -> str:
    return ", ".join(names)


@command.default
def train(
    source: Annotated[str | None, Parameter(help="What to learn from.")] = None,
    /,
    *,
    column: Annotated[
        str | None,
        _option(DATA, "COLUMN", "The column of a CSV file to predict.", name="--target"),
    ] = None,
    features: Annotated[
        str | None, _option(DATA, "A,B,C", "The columns to predict it from; all others by default.")
    ] = None,
    categorical: Annotated[
        str | None, _option(DATA, "A,B", "Columns of numbers that are names, such as postcodes.")
    ] = None,
    task: Annotated[
        str | None,
        _option(DATA, "TASK", "classification or regression, where a column could be both."),
    ] = None,
    separator: Annotated[
        str | None, _option(DATA, "CHARACTER", "What stands between two cells of a CSV file.")
    ] = None,
    test: Annotated[
        float | None,
        _option(DATA, "SHARE", f"Of the examples, to hold out and measure on ({HELD_OUT})."),
    ] = None,
    validation: Annotated[
        float | None, _option(DATA, "SHARE", "Of the others, to evaluate after each epoch.")
    ] = None,
    standardize: Annotated[
        bool | None,
        Parameter(
            group=DATA, help="Whether to bring inputs and numbers to mean 0 and deviation 1."
        ),
    ] = None,
    hidden: Annotated[
        str | None,
        _option(
            NETWORK, "N,N", f'Units of hidden layers, {HIDDEN[0]} by default; "none": no layer.'
        ),
    ] = None,
    activation: Annotated[
        str | None, _option(NETWORK, "NAME", f"After hidden layers: {_listing(activations())}.")
    ] = None,
    output: Annotated[
        str | None, _option(NETWORK, "NAME", "After the last layer; nothing by default.")
    ] = None,
    dropout: Annotated[
        float | None, _option(NETWORK, "SHARE", "Of hidden units, to drop in each update.")
    ] = None,
    loss: Annotated[
        str | None, _option(TRAINING, "NAME", f"What becomes small: {_listing(LOSSES)}.")
    ] = None,
    metrics: Annotated[
        str | None, _option(TRAINING, "A,B", f"What else to measure: {_listing(METRICS)}.")
    ] = None,
    optimizer: Annotated[
        str | None, _option(TRAINING, "NAME", f"How weights move: {_listing(OPTIMIZERS)}.")
    ] = None,
    lr: Annotated[float | None, _option(TRAINING, "RATE", "Learning rate.")] = None,
    momentum: Annotated[
        float | None, _option(TRAINING, "M", "Momentum, where the optimizer has one.")
    ] = None,
    weight_decay: Annotated[
        float | None, _option(TRAINING, "W", "How strongly weights are pulled to 0.")
    ] = None,
    schedule: Annotated[
        str | None,
        _option(TRAINING, "NAME", f"How the rate changes: {_listing(SCHEDULES)}."),
    ] = None,
    epochs: Annotated[
        int | None,
        _option(
            TRAINING, "N", f"How often to use all examples; by default for {UPDATES:,} updates."
        ),
    ] = None,
    batch_size: Annotated[
        int | None, _option(TRAINING, "N", f"Examples in one update, {BATCH} by default.")
    ] = None,
    early_stopping: Annotated[
        int | None,
        _option(
            TRAINING, "N", "Stop after N epochs without a better validation loss; keep the best."
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        _option(
            TRAINING,
            "N,N",
            "One training for each; a seed draws weights, order and dropout.",
            name=("--seeds", "--seed"),
        ),
    ] = None,
    dtype: Annotated[str | None, _option(TRAINING, "NAME", "float32 or float64.")] = None,
    backend: Annotated[
        str | None, _option(TRAINING, "NAME", f"What computes: auto, {_listing(BACKENDS)}.")
    ] = None,
    threads: Annotated[
        int | None,
        _option(TRAINING, "N", "How many threads share a step; by default one for each processor."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        _option(
            TRAINING,
            "KEY=VALUE",
            "Any key of the experiment, as in TOML: optimizer.nesterov=true. Repeatable.",
            name="--set",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        _option(
            RESULT,
            "FOLDER",
            "Where to keep the run, made if need be; by default a new one in runs/.",
        ),
    ] = None,
    keep: Annotated[
        bool, Parameter(group=RESULT, help="Whether to keep the run and its model.")
    ] = True,
    resume: Annotated[
        Path | None,
        _option(RESULT, "FOLDER", "Go on with the run that is kept there; takes only --epochs."),
    ] = None,
    doctor: Annotated[
        bool,
        Parameter(
            group=TRAINING,
            negative="",
            help="Look at the training while it goes on; say what is wrong.",
        ),
    ] = False,
    print_experiment: Annotated[
        bool, Parameter(group=RESULT, negative="", help="Print it all as TOML; train nothing.")
    ] = False,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Train a network on a data set, a CSV file, or an experiment file."""
    from chainrule.cli import trainings

    options = {
        "data.target": (column, "--target"),
        "data.features": (_words(features), "--features"),
        "data.categorical": (_words(categorical), "--categorical"),
        "data.task": (task, "--task"),
        "data.separator": (separator, "--separator"),
        "data.test": (test, "--test"),
        "data.validation": (validation, "--validation"),
        "data.standardize": (standardize, "--standardize"),
        "network.hidden": (_widths(hidden), "--hidden"),
        "network.activation": (activation, "--activation"),
        "network.output": (output, "--output"),
        "network.dropout": (dropout, "--dropout"),
        "loss": (loss, "--loss"),
        "metrics": (_words(metrics), "--metrics"),
        "optimizer.name": (optimizer and registered(OPTIMIZERS, optimizer), "--optimizer"),
        "optimizer.lr": (lr, "--lr"),
        "optimizer.momentum": (momentum, "--momentum"),
        "optimizer.weight_decay": (weight_decay, "--weight-decay"),
        "schedule.name": (schedule and registered(SCHEDULES, schedule), "--schedule"),
        "training.epochs": (epochs, "--epochs"),
        "training.batch_size": (batch_size, "--batch-size"),
        "training.early_stopping": (early_stopping, "--early-stopping"),
        "training.seeds": (_whole_numbers(seeds, "--seeds"), "--seeds"),
        "training.dtype": (dtype, "--dtype"),
        "training.backend": (backend, "--backend"),
        "training.threads": (threads, "--threads"),
    }
    told = {key: each for key, each in options.items() if each[0] is not None}
    told |= dict(change(text) for text in changes or ())
    screen = Screen(as_json=showing.json)
    if resume is not None:
        _refuse_beside_resume(source, folder, told)
        return trainings.go_on(resume, epochs, screen, watched=doctor)
    if source is None:
        raise ConfigurationError(
            "What is to be learned from?",
            advice="For example `chainrule train iris`; `chainrule data` lists what there is",
        )
    experiment = overlaid(table_of(source), told)
    if print_experiment:
        return _print(trainings.completed(experiment), screen)
    return trainings.begin(experiment, source, folder, screen, keep=keep, watched=doctor)


def _print(experiment: Experiment, screen: Screen) -> int:
    import msgspec

    screen.document(msgspec.to_builtins(experiment))
    screen.verbatim(as_toml(experiment).rstrip("\n"))
    return 0


def _refuse_beside_resume(source: str | None, folder: Path | None, told: dict[str, Any]) -> None:
    others = [option for key, (_, option) in told.items() if key != "training.epochs"]
    others += [source] if source is not None else []
    others += ["--folder"] if folder is not None else []
    if others:
        raise ConfigurationError(
            f"A run that is resumed goes on as it began: {others[0]} cannot be given beside "
            "--resume",
            advice="Only --epochs can: it says how far to go",
        )


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _widths(text: str | None) -> list[int] | None:
    return [] if text == "none" else _whole_numbers(text, "--hidden")


def _whole_numbers(text: str | None, option: str) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise ConfigurationError(
            f'{option} takes whole numbers with commas between them, as in 10,10; got "{text}"'
        ) from None
