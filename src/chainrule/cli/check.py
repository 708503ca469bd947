"""``chainrule check``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from chainrule.cli.changes import Changes, change
from chainrule.cli.explain import step_of, typed
from chainrule.cli.screen import Screen, Showing
from chainrule.cli.which_step import BatchSize, Example, Source, StepNumber

command = App(
    name="check",
    help_epilogue="""Examples:
  chainrule check 2-2-2 mine.csv
  chainrule check 2-3-1 mine.json --hints 1      where is it wrong?
  chainrule check iris mine.npz --example 7
  chainrule check runs/iris mine.csv --step 3
  chainrule check 2-2-2 mine.csv --json""",
)

NOT_RIGHT = 1


@command.default
def check(
    source: Source,
    file: Annotated[
        Path, Parameter(help="Your numbers by name: .csv, .json, .npz or .safetensors.")
    ],
    /,
    *,
    step: StepNumber = None,
    example: Example = None,
    batch_size: BatchSize = None,
    seed: Annotated[
        int | None, Parameter(metavar="N", help="What the weights are drawn from, where none are.")
    ] = None,
    hints: Annotated[
        int | None,
        Parameter(
            metavar="LEVEL",
            help="Hints only: 1 says where it is wrong, 2 also what, 3 also how to mend it.",
        ),
    ] = None,
    changes: Changes = None,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Check gradients that you computed yourself, and name the mistake."""
    from chainrule.explanation import Trace
    from chainrule.explanation.checking.check import check as compare
    from chainrule.explanation.checking.check import check_trace
    from chainrule.explanation.checking.files import read_answers
    from chainrule.explanation.checking.showing import lines_of_check
    from chainrule.explanation.printing.terminal import show

    told = dict(change(text) for text in changes or ())
    if batch_size is not None:
        told["training.batch_size"] = (batch_size, "--batch-size")
    if seed is not None:
        told["training.seeds"] = ([seed], "--seed")
    mine = read_answers(file)  # what is no such file is told before the step is made
    chosen = step_of(source, step, example, told)
    if isinstance(chosen, Trace):
        found = check_trace(chosen, mine, has_update=True)
    else:
        found = compare(chosen.moment, mine=mine, names=chosen.names)
    if showing.json:
        Screen(as_json=True).document(found.to_json(hints=hints))
    else:
        opening = partial(typed, source)
        show(lambda width: lines_of_check(found, width, hints=hints, opening=opening))
    return 0 if found else NOT_RIGHT
