"""Grades: files of answers, each number with its points, and the name of the mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.base.errors import ChainruleError, ConfigurationError, FileFormatError
from chainrule.base.harmless import plain
from chainrule.explanation.exercises.answers import Handed, named, read_handed
from chainrule.explanation.exercises.credit import WRONG, count
from chainrule.explanation.exercises.exercise import Exercise, make
from chainrule.explanation.exercises.grades import Grade, Grades, Mark, TaskGrade
from chainrule.explanation.exercises.naming import Naming
from chainrule.explanation.exercises.placing import numerals_of, own_units, place
from chainrule.explanation.exercises.setting import Setting


def grade(what: str | PathLike[str]) -> Grades:
    """Grade a file of answers, or a folder of them.

    Parameters
    ----------
    what : path
        A ``.csv`` that `Exercise.save_answers` began: of one learner, or of a class with a column
        ``learner``. Or a folder of such files.

    Returns
    -------
    Grades
        In the order of the files, and of the learners in them.

    Raises
    ------
    DataNotFoundError
        If there is no such file, or the folder holds none.

    Notes
    -----
    A number is right within half a unit of the last but one of the digits that are asked for. One
    that follows from the learner's own wrong numbers counts as if it were right. What cannot be
    read is a problem of that grade, and never stops the others. Files are text, and are read as
    such: nothing in them is evaluated.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import chainrule as cr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "ada.csv"
    ...     made = cr.exercise(seed=7, ask="z2")
    ...     made.save_answers(path)
    ...     with path.open("a") as file:
    ...         _ = file.write(f"z2[0],{made.tasks[0].true[0]:.4g}")
    ...     ada = cr.grade(path)[0]
    >>> ada.learner, ada.points, ada.of
    ('ada', 1.0, 1)
    """
    try:
        path = Path(fspath(what))
    except TypeError:
        raise ConfigurationError(
            f"grade takes the path of a file or folder; got {type(what).__name__}"
        ) from None
    return Grades([grade_handed(handed) for handed in read_handed(path)])


def grade_handed(handed: Handed) -> Grade:
    """Grade what was handed in."""
    try:
        made, told = _exercise_of(handed)
    except ChainruleError as error:
        told = () if handed.problems else (str(error),)
        bad = named(handed, *told)
        return Grade(plain(handed.learner), None, (), bad.problems, plain(handed.file))
    found = _graded(made, handed.answers)
    problems = named(handed, *told, *found.problems).problems
    return replace(found, learner=plain(handed.learner), problems=problems, file=plain(handed.file))


def grade_numbers(made: Exercise, mine: Mapping[str, Any], learner: str = "") -> Grade:
    """Grade numbers by name."""
    if not isinstance(mine, Mapping):
        raise ConfigurationError(
            f"Answers are a dict of names and numbers; got {type(mine).__name__}",
            advice='Write {"delta2": [-0.0604], "dW1[0,1]": 0.0123}',
        )
    return replace(_graded(made, list(mine.items())), learner=learner)


def _exercise_of(handed: Handed) -> tuple[Exercise, tuple[str, ...]]:
    """The exercise that a line describes, and whether it is as it was printed."""
    words = handed.code.split()
    ids = [word.partition("=")[2] for word in words if word.startswith("id=")]
    if not handed.code:
        raise FileFormatError(
            "It does not say which exercise it is: its first line is lost",
            advice='Copy the line "exercise,..." from the file that was handed out',
        )
    made = _made(" ".join(word for word in words if not word.startswith("id=")))
    if ids == [made.identity]:
        return made, ()
    changed = (
        f"The line that describes the exercise was changed: its id is {ids[0]}, and what it "
        f"describes has the id {made.identity}. It was graded as it stands"
        if ids
        else "The line that describes the exercise has lost its id. It was graded as it stands"
    )
    return made, (changed,)


@lru_cache(maxsize=64)
def _made(code: str) -> Exercise:
    setting = Setting.of_code(code)
    return make(setting, setting.ask)


def _graded(made: Exercise, answers: Sequence[tuple[str, Any]]) -> Grade:
    sheet = place(made, answers)
    numbers, units = [], []
    for task, cells, written in zip(made.tasks, sheet.given, sheet.written, strict=True):
        numerals = numerals_of(cells)
        for problem in numerals.problems:
            sheet.problems.append(f"{task.name}: {problem}")
        for k, number in enumerate(numerals.numbers):
            written[k] = written[k] or ("" if np.isnan(number) else f"{number:.6g}")
        numbers.append(numerals.numbers)
        units.append(own_units(numerals))
    digits = made.setting.digits
    counted = count(made.anatomy, made.tasks, numbers, units, digits)
    named_by = Naming(made, sheet.given, counted)
    tasks = []
    for k, (task, credit) in enumerate(zip(made.tasks, counted.credits, strict=True)):
        marks = tuple(
            Mark(
                task.label(index),
                sheet.written[k][i],
                None if np.isnan(numbers[k][i]) else float(numbers[k][i]),
                float(task.true[i]),
                credit.verdicts[i],
            )
            for i, index in enumerate(task.indices)
        )
        is_wrong = WRONG in credit.verdicts
        titles, names = named_by.of(k) if is_wrong else ((), ())
        tasks.append(TaskGrade(task.name, marks, titles, names))
    return Grade("", made, tuple(tasks), tuple(dict.fromkeys(sheet.problems)))
