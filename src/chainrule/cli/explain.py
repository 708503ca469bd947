"""``chainrule explain``."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from chainrule.base.errors import ConfigurationError
from chainrule.cli.changes import Changes, change
from chainrule.cli.experiment_file import overlaid
from chainrule.cli.screen import Screen, Showing
from chainrule.cli.sources import table_of
from chainrule.explanation import Explanation, Trace, load_trace
from chainrule.explanation.capturing.capture import explain_moment
from chainrule.explanation.printing.overview import lines_of_overview, overview_as_data, overview_of
from chainrule.explanation.printing.report import name_to_type
from chainrule.explanation.printing.terminal import show
from chainrule.explanation.printing.text import lines_of

command = App(
    name="explain",
    help_epilogue="""Examples:
  chainrule explain 2-2-2 w5
  chainrule explain 2-2-2 w1 --step 100
  chainrule explain iris                         what there is to open
  chainrule explain iris "0.weight[3,1]" --row 7
  chainrule explain runs/iris "2.bias[0]" --latex bias.tex
  chainrule explain 2-2-2 --html step.html
  chainrule explain digits "1.out[0,5]" --depth 3 --json""",
)

TRACES = (".json",)


@command.default
def explain(
    target: Annotated[
        str,
        Parameter(
            help="What `chainrule train` would learn from, a run folder, or a trace (.json)."
        ),
    ],
    number: Annotated[
        str | None, Parameter(help="What to open: w5, 0.weight[3,7]; without it, what there is.")
    ] = None,
    /,
    *,
    step: Annotated[
        int | None,
        Parameter(
            metavar="N",
            help="The update, from 0. By default the first; of a run that is kept, the last.",
        ),
    ] = None,
    row: Annotated[
        int | None,
        Parameter(metavar="R", help="A training example that is to be the whole batch, from 0."),
    ] = None,
    batch_size: Annotated[
        int | None, Parameter(metavar="N", help="Examples in one update, where none is kept.")
    ] = None,
    depth: Annotated[
        int | None,
        Parameter(metavar="N", help="How many levels to open; as many as are read with ease."),
    ] = None,
    most: Annotated[
        int, Parameter(metavar="N", help="Terms of a sum that have a line of their own; 8.")
    ] = 8,
    latex: Annotated[
        Path | None, Parameter(metavar="FILE", help="Write a LaTeX document that compiles.")
    ] = None,
    save: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="Write it as .tex, .html, .json or .txt; without a number, the trace as .json.",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        Parameter(
            metavar="FILE", help="Write the whole step as one page in which every number opens."
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
    trace = _trace(target, step, row, told)
    if html is not None:
        trace.to_html(_with_suffix(html, ".html", "--html"))
        screen.remark(f"{html} opens in a browser, without a network.")
    if number is None:
        return _show_overview(trace, target, latex, save, screen)
    explanation = trace[number]
    for path in (latex, save):
        if path is not None:
            explanation.save(
                path if path is save else _with_suffix(path, ".tex", "--latex"), depth, most
            )
    if showing.json:
        screen.document(explanation.as_data(depth, most))
    else:
        report = explanation.report(depth, most)
        show(lambda width: lines_of(report, width, partial(_typed, target)))
    return 0


def _trace(
    target: str, step: int | None, row: int | None, told: dict[str, tuple[object, str]]
) -> Trace:
    """The step that is opened: read, replayed or made."""
    from chainrule.cli.steps import step_of_experiment, step_of_run

    path = Path(target)
    is_trace = path.suffix.lower() in TRACES
    if is_trace or path.is_dir():
        what = "A trace is one step" if is_trace else "A run is replayed as it was made"
        options = [option for _, option in told.values()]
        options += [o for o, v in (("--step", step), ("--row", row)) if is_trace and v is not None]
        if options:
            raise ConfigurationError(f"{what}: {options[0]} cannot be given beside {target}")
    if is_trace:
        return load_trace(path)
    if path.is_dir():
        chosen = step_of_run(path, step, row)
    else:
        chosen = step_of_experiment(overlaid(table_of(target), told), step or 0, row)
    return explain_moment(chosen.moment, chosen.names)


def _show_overview(
    trace: Trace, target: str, latex: Path | None, save: Path | None, screen: Screen
) -> int:
    overview = overview_of(trace)
    if latex is not None:
        raise ConfigurationError(
            "Which number is to be written as LaTeX?",
            advice=f"For example: {_typed(target, overview.suggestions[0])} --latex {latex}",
        )
    if save is not None:
        if save.suffix.lower() not in TRACES:
            raise ConfigurationError(
                f"A trace is kept as .json; got {save.name}",
                advice="Name a number to write its explanation as .tex, .html or .txt",
            )
        trace.save(save)
    if screen.as_json:
        screen.document(overview_as_data(overview))
    else:
        show(lambda width: lines_of_overview(overview, width, partial(_typed, target)))
    return 0


def _typed(target: str, explanation: Explanation) -> str | None:
    """What is typed to open a number."""
    name = name_to_type(explanation)
    return None if name is None else f"chainrule explain {_quoted(target)} {_quoted(name)}"


def _quoted(name: str) -> str:
    """A name as a shell takes it."""
    return f'"{name}"' if "[" in name and shlex.quote(name) == f"'{name}'" else shlex.quote(name)


def _with_suffix(path: Path, suffix: str, option: str) -> Path:
    if path.suffix.lower() == suffix:
        return path
    raise ConfigurationError(f"{option} writes a {suffix} file; got {path.name}")
