"""The file that a learner fills in: a line that describes the exercise, and a row a number."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from chainrule.base.file_kinds import FileKind
from chainrule.base.files import Pathlike, write_durably
from chainrule.explanation.exercises.exercise import Exercise

ANSWERS = FileKind("A file of answers", (".csv",))

EXERCISE, LEARNER, VALUE, ANSWER = "exercise", "learner", "value", "answer"


def write_template(made: Sequence[Exercise], path: Pathlike) -> None:
    """Write the file of answers of one exercise, or of a class with one each.

    Raises
    ------
    ConfigurationError
        If it is no ``.csv`` file.
    OSError
        As the system says; FolderNotFoundError is one.
    """
    target = ANSWERS.check(path)
    write_durably(target, (of_one(made[0]) if len(made) == 1 else of_class(made)).encode("utf-8"))


def of_one(made: Exercise) -> str:
    """The file for one learner."""
    rows = [[EXERCISE, made.code], [LEARNER, ""], [VALUE, ANSWER]]
    return _as_csv([*rows, *([label, ""] for label in labels(made))])


def of_class(made: Sequence[Exercise]) -> str:
    """One file for a class: a row a learner, each with an exercise of their own."""
    columns = labels(made[0])
    rows = [[LEARNER, EXERCISE, *columns]]
    rows += [[f"learner {k}", each.code, *("" for _ in columns)] for k, each in enumerate(made, 1)]
    return _as_csv(rows)


def labels(made: Exercise) -> list[str]:
    """What each number is called that is asked for."""
    return [task.label(index) for task in made.tasks for index in task.indices]


def _as_csv(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
