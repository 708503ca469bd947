"""``chainrule grade``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from chainrule.base.errors import ConfigurationError
from chainrule.cli.screen import Screen, Showing
from chainrule.explanation.exercises import Grades
from chainrule.explanation.exercises import grade as grade_file

command = App(
    name="grade",
    help_epilogue="""Examples:
  chainrule grade answers.csv
  chainrule grade class.csv              a column learner: one row a learner
  chainrule grade handed-in              every file of a folder
  chainrule grade handed-in --csv > points.csv""",
)


@command.default
def grade(
    answers: Annotated[
        list[Path],
        Parameter(
            metavar="ANSWERS",
            negative="",
            help="Files that `chainrule exercise --answers` began, or a folder of them.",
        ),
    ],
    /,
    *,
    csv: Annotated[
        bool,
        Parameter(
            group="Output", negative="", help="Print the class as CSV: points, total, mistakes."
        ),
    ] = False,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Grade answers to an exercise: points, and the mistakes by name."""
    if csv and showing.json:
        raise ConfigurationError("--csv and --json are two forms of output; choose one")
    grades = Grades([each for path in answers for each in grade_file(path)])
    screen = Screen(as_json=showing.json)
    screen.document(grades.to_json())
    if csv:
        sys.stdout.write(grades.to_csv())
    elif not showing.json:
        grades.show()
    is_graded = any(each.exercise is not None for each in grades)
    return 0 if is_graded else 2
