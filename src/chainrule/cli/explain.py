"""``chainrule explain``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from chainrule.base.errors import ConfigurationError
from chainrule.base.file_kinds import FileKind
from chainrule.cli.changes import Changes, change
from chainrule.cli.experiment_file import overlaid
from chainrule.cli.screen import Screen, Showing
from chainrule.cli.sources import table_of
from chainrule.cli.which_step import BatchSize, Example, Source, StepNumber
from chainrule.explanation import Explanation, Trace, load_trace
from chainrule.explanation.capturing.capture import explain_moment
from chainrule.explanation.capturing.file import TRACE
from chainrule.explanation.printing.overview import lines_of_overview, overview_as_data, overview_of
from chainrule.explanation.printing.report import name_to_type
from chainrule.explanation.printing.saving import EXPLANATION
from chainrule.explanation.printing.terminal import show
from chainrule.explanation.printing.text import lines_of

if TYPE_CHECKING:
    from chainrule.cli.steps import Chosen

command = App(
    name="explain",
    help_epilogue="""Examples:
  chainrule explain 2-2-2 w5
  chainrule explain 2-2-2 w1 --step 100
  chainrule explain iris                         what there is to open
  chainrule explain iris "0.weight[3,1]" --example 7
  chainrule explain runs/iris "2.bias[0]" --save bias.tex
  chainrule explain 2-2-2 --save step.html
  chainrule explain digits --save step.html --include "d_*"
  chainrule explain digits "1.out[0,5]" --depth 3 --json""",
)

WHOLE: dict[str, Callable[[Trace, Path, Sequence[str]], None]] = {
    ".json": lambda trace, path, include: trace.save(path),
    ".html": lambda trace, path, include: trace.to_html(path, include=include),
}
"""What a whole step is written as, by the ending of the file."""
STEP = FileKind("A whole step", tuple(WHOLE))


@command.default
def explain(
    source: Source,
    number: Annotated[
        str | None, Parameter(help="What to open: w5, 0.weight[3,7]; without it, what there is.")
    ] = None,
    /,
    *,
    step: StepNumber = None,
    example: Example = None,
    batch_size: BatchSize = None,
    depth: Annotated[
        int | None,
        Parameter(
            metavar="N", help="How many levels to open; by default as many as are easy to read."
        ),
    ] = None,
    most: Annotated[
        int,
        Parameter(
            metavar="N", help="How many terms of a sum have a line of their own; 8 by default."
        ),
    ] = 8,
    save: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="Write it to a file, as .tex, .html, .json or .txt. Without NUMBER: the whole "
            "step, as a .html page in which every number opens, or as a .json trace.",
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        Parameter(
            metavar="NAME",
            negative="",
            help="What the page of a large step has to hold: a number with what it is made of, a "
            'value whole, or "d_*", each that is called so. Repeatable.',
        ),
    ] = None,
    changes: Changes = None,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Open any number of a training step into what it was computed from."""
    screen = Screen(as_json=showing.json)
    told = dict(change(text) for text in changes or ())
    if batch_size is not None:
        told["training.batch_size"] = (batch_size, "--batch-size")
    if depth is not None and depth < 0:
        raise ConfigurationError(f"--depth counts levels from 0; got {depth}")
    if most < 1:
        raise ConfigurationError(f"--most is a number of terms, at least 1; got {most}")
    if save is not None:
        _check_place(save, source, number)
    if include and (save is None or number is not None or not _is_page(save)):
        raise ConfigurationError(
            f"--include {include[0]}: it says what a page of a whole step has to hold",
            advice="Write it beside --save page.html, without a NUMBER",
        )
    trace = _trace(source, step, example, told)
    if number is None:
        return _show_overview(trace, source, save, screen, include or ())
    explanation = trace[number]
    if save is not None:
        explanation.save(save, depth, most)
    if showing.json:
        screen.document(explanation.as_data(depth, most))
    else:
        report = explanation.report(depth, most)
        show(lambda width: lines_of(report, width, partial(typed, source)))
    if save is not None:
        screen.remark(f"{save} holds the explanation.")
    return 0


def _check_place(save: Path, source: str, number: str | None) -> None:
    """Raise, before the step is made, unless what is opened can be written there."""
    if number is not None:
        EXPLANATION.check(save)
        return
    ending = save.suffix.lower()
    if ending in EXPLANATION.endings and ending not in STEP.endings:
        raise ConfigurationError(
            f"Which number is to be written to {save}? A whole step is none of its endings: it is "
            f"written as {' or '.join(STEP.endings)}",
            advice=f"`chainrule explain {_quoted(source)}` lists what can be named",
        )
    STEP.check(save)


def _trace(
    source: str, step: int | None, example: int | None, told: dict[str, tuple[object, str]]
) -> Trace:
    chosen = step_of(source, step, example, told)
    return chosen if isinstance(chosen, Trace) else explain_moment(chosen.moment, chosen.names)


def step_of(
    source: str, step: int | None, example: int | None, told: dict[str, tuple[object, str]]
) -> Chosen | Trace:
    """The step that is opened or checked: read, replayed or made.

    Raises
    ------
    ConfigurationError
        If something is told that the step was made without.
    """
    from chainrule.cli.steps import step_of_experiment, step_of_run

    path = Path(source)
    is_trace = path.suffix.lower() in TRACE.endings
    if is_trace or path.is_dir():
        what = "A trace is one step" if is_trace else "A run is replayed as it was made"
        options = [option for _, option in told.values()]
        options += [
            o for o, v in (("--step", step), ("--example", example)) if is_trace and v is not None
        ]
        if options:
            raise ConfigurationError(f"{what}: {options[0]} cannot be given beside {source}")
    if is_trace:
        return load_trace(path)
    if path.is_dir():
        return step_of_run(path, step, example)
    return step_of_experiment(overlaid(table_of(source), told), step or 0, example)


def _is_page(save: Path) -> bool:
    return save.suffix.lower() == ".html"


def _show_overview(
    trace: Trace, source: str, save: Path | None, screen: Screen, include: Sequence[str]
) -> int:
    overview = overview_of(trace)
    if save is not None:
        WHOLE[save.suffix.lower()](trace, save, include)
    if screen.as_json:
        screen.document(overview_as_data(overview))
    else:
        show(lambda width: lines_of_overview(overview, width, partial(typed, source)))
    if save is not None:
        opens = "opens in a browser, without a network" if _is_page(save) else "holds the step"
        screen.remark(f"{save} {opens}.")
    return 0


def typed(source: str, explanation: Explanation) -> str | None:
    """What is typed to open a number."""
    name = name_to_type(explanation)
    return None if name is None else f"chainrule explain {_quoted(source)} {_quoted(name)}"


def _quoted(name: str) -> str:
    """A name as a shell takes it."""
    return f'"{name}"' if "[" in name and shlex.quote(name) == f"'{name}'" else shlex.quote(name)
