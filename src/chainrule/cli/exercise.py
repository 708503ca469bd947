"""``chainrule exercise``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from chainrule.base.errors import ConfigurationError
from chainrule.cli.changes import Changes, change
from chainrule.cli.choices import registered
from chainrule.cli.screen import Screen, Showing, counted
from chainrule.explanation.exercises import Exercise
from chainrule.explanation.exercises import exercise as make_exercise
from chainrule.explanation.exercises.printing import KEY, SHEET, write_keys, write_sheets
from chainrule.explanation.exercises.setting import NONE
from chainrule.explanation.exercises.sheet import given_arrays
from chainrule.explanation.exercises.template import ANSWERS, labels, write_template
from chainrule.nn import LAYERS, LOSSES, Module
from chainrule.optim import SGD

command = App(
    name="exercise",
    help_epilogue="""Examples:
  chainrule exercise           the textbook's 2-3-1, on the screen
  chainrule exercise --network 2-3-1 --seed 7 --ask delta1 --ask d_2.weight
  chainrule exercise --save sheet.pdf --key key.pdf --answers answers.csv
  chainrule exercise --count 30 --save class.pdf --answers class.csv
  chainrule exercise --network 2-4-3 --activation relu --loss cross-entropy
  chainrule exercise 2-2-2 --learning-rate 0.5
  chainrule grade answers.csv""",
)

_MOST = 200


@command.default
def exercise(
    source: Annotated[
        str | None,
        Parameter(
            help="An experiment (.toml), a data set or a worked example whose network, loss and "
            "learning rate it has; its numbers are those of the seed."
        ),
    ] = None,
    /,
    *,
    network: Annotated[
        str | None, Parameter(metavar="SIZES", help="The sizes of the layers; by default 2-3-1.")
    ] = None,
    seed: Annotated[
        int | None, Parameter(metavar="N", help="Another seed, other numbers; 0 by default.")
    ] = None,
    ask: Annotated[
        list[str] | None,
        Parameter(
            metavar="VALUE",
            negative="",
            help="What to ask for: delta1, d_2.weight or dW2, a1, W1_new, dW1[0,1]. Repeat it "
            "for more; by default all of a textbook's steps.",
        ),
    ] = None,
    activation: Annotated[
        str | None, Parameter(metavar="NAME", help="Of hidden layers; sigmoid by default.")
    ] = None,
    output: Annotated[
        str | None,
        Parameter(
            metavar="NAME", help="Of the last layer, or none; by default what the loss takes."
        ),
    ] = None,
    loss: Annotated[
        str | None, Parameter(metavar="NAME", help="By default the textbooks': quadratic.")
    ] = None,
    examples: Annotated[
        int, Parameter(metavar="N", help="Examples in the batch; 1 by default.")
    ] = 1,
    learning_rate: Annotated[
        float | None,
        Parameter(
            name=["--learning-rate", "--lr"],
            metavar="RATE",
            help="Of one step of gradient descent: updated weights are asked for, too.",
        ),
    ] = None,
    digits: Annotated[
        int, Parameter(metavar="N", help="Significant digits of an answer; 4 by default.")
    ] = 4,
    count: Annotated[
        int, Parameter(metavar="N", help="So many sheets, for a class: seed, seed + 1, ...")
    ] = 1,
    save: Annotated[
        Path | None,
        Parameter(
            name=["--save", "--to"],
            metavar="FILE",
            help="Write the sheet, as .html or .pdf; one page each.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Write the worked solution, as .html or .pdf."),
    ] = None,
    answers: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="Write the .csv that is filled in and graded; of several sheets one file with "
            "a column learner, or, in a folder, a file each.",
        ),
    ] = None,
    changes: Changes = None,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Make an exercise in backpropagation for paper, with its key."""
    screen = Screen(as_json=showing.json)
    if not 1 <= count <= _MOST:
        raise ConfigurationError(f"--count is a number of sheets from 1 to {_MOST}; got {count}")
    for kind, path in ((SHEET, save), (KEY, key)):
        if path is not None:
            kind.check(path)
    if answers is not None and not answers.is_dir():
        ANSWERS.check(answers)
    what = _what(source, network, changes, activation, output, loss)
    if learning_rate is not None:
        what["learning_rate"] = learning_rate
    first = 0 if seed is None else seed
    made = [
        make_exercise(seed=number, ask=ask or (), examples=examples, digits=digits, **what)
        for number in range(first, first + count)
    ]
    written = _write(made, save, key, answers)
    if showing.json:
        screen.document({"exercises": [_as_data(each) for each in made], "files": written})
    elif save is None:
        for number, each in enumerate(made):
            if number:
                screen.say()
            screen.verbatim(each.text(screen.out.width))
    for file, holds in written.items():
        screen.remark(f"{file} holds {holds}.")
    return 0


def _what(
    source: str | None,
    network: str | None,
    changes: list[str] | None,
    activation: str | None,
    output: str | None,
    loss: str | None,
) -> dict[str, Any]:
    """The network and its loss: from a file, or as the options say."""
    if source is None:
        if changes:
            raise ConfigurationError(
                "--set changes an experiment, and none is given", advice="Name it first"
            )
        what: dict[str, Any] = {"network": network or "2-3-1"}
        if activation is not None:
            what["activation"] = _activation(activation)
        if output is not None:
            what["output"] = _activation(output)
        if loss is not None:
            what["loss"] = registered(LOSSES, loss)
        return what
    told = {"--network": network, "--activation": activation, "--output": output, "--loss": loss}
    given = [option for option, value in told.items() if value is not None]
    if given:
        raise ConfigurationError(
            f"{source} says which network it is: {given[0]} cannot be given beside it",
            advice="Change it with --set, such as --set network.hidden=[3]",
        )
    return _of_experiment(source, changes or [])


def _activation(typed: str) -> str:
    return NONE if typed.casefold() == NONE else registered(LAYERS, typed)


def _of_experiment(source: str, changes: list[str]) -> dict[str, Any]:
    from chainrule.cli.building import build_optimizer
    from chainrule.cli.completion import complete
    from chainrule.cli.experiment_file import overlaid
    from chainrule.cli.sources import load_source, table_of
    from chainrule.cli.training import Plan

    experiment = overlaid(table_of(source), dict(change(text) for text in changes))
    loaded = load_source(experiment.data)
    plan = Plan(complete(experiment, loaded), loaded)
    net: Module = plan.network()
    what: dict[str, Any] = {"network": net, "loss": plan.loss}
    optimizer = build_optimizer(plan.experiment)
    if isinstance(optimizer, SGD) and set(plan.experiment.optimizer) == {"name", "lr"}:
        what["learning_rate"] = plan.experiment.optimizer["lr"]
    return what


def _write(
    made: list[Exercise], to: Path | None, key: Path | None, answers: Path | None
) -> dict[str, str]:
    """Write the files; return what each of them holds."""
    written = {}
    if to is not None:
        write_sheets(made, to)
        written[str(to)] = counted(len(made), "sheet")
    if key is not None:
        write_keys(made, key)
        written[str(key)] = counted(len(made), "key")
    if answers is not None and answers.is_dir():
        for each in made:
            file = answers / f"answers-{each.setting.seed}.csv"
            write_template([each], file)
            written[str(file)] = "what is to be filled in"
    elif answers is not None:
        write_template(made, answers)
        written[str(answers)] = "what is to be filled in"
    return written


def _as_data(made: Exercise) -> dict[str, Any]:
    return {
        "code": made.code,
        "seed": made.setting.seed,
        "points": made.points,
        "given": {name: array.tolist() for name, array in given_arrays(made)},
        "asked": labels(made),
    }
