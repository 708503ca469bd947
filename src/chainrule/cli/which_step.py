"""Which step of a source is meant: what the commands that open one step have in common."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

Source = Annotated[
    str,
    Parameter(help="What `chainrule train` would learn from, a run folder, or a trace (.json)."),
]
StepNumber = Annotated[
    int | None,
    Parameter(
        metavar="N",
        help="The update, from 0. By default the first; of a run that is kept, the last.",
    ),
]
Example = Annotated[
    int | None,
    Parameter(metavar="N", help="A training example that is to be the whole batch, from 0."),
]
BatchSize = Annotated[
    int | None, Parameter(metavar="N", help="Examples in one update, where none is kept.")
]
