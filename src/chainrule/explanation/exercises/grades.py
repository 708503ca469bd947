"""Grades as data: of a number, of a value, of a learner, of a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from chainrule.explanation.exercises.credit import POINTS
from chainrule.explanation.exercises.exercise import Exercise


@dataclass(frozen=True)
class Mark:
    """One number of an answer.

    Parameters
    ----------
    label : str
        ``delta2[0]``.
    written : str
        As the learner wrote it; empty where nothing is there.
    number : float or None
        As it was read.
    true : float
    verdict : str
        ``"right"``, ``"follows"`` (from numbers that were wrong before it), ``"coarse"`` (right,
        with too few digits), ``"wrong"`` or ``"missing"``.
    """

    label: str
    written: str
    number: float | None
    true: float
    verdict: str

    @property
    def points(self) -> float:
        """1, a half or 0."""
        return POINTS[self.verdict]


@dataclass(frozen=True)
class TaskGrade:
    """One value that was asked for.

    Parameters
    ----------
    name : str
        ``delta2``.
    marks : tuple of Mark
    mistakes : tuple of str
        What may have been done, where something is wrong; several are numerically equal.
    names : tuple of str
        The same by the names that `check` has for them.
    """

    name: str
    marks: tuple[Mark, ...]
    mistakes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        """Of its numbers."""
        return float(sum(mark.points for mark in self.marks))

    @property
    def of(self) -> int:
        """How many there are to get."""
        return len(self.marks)

    def count(self, verdict: str) -> int:
        """How many numbers have a verdict."""
        return sum(mark.verdict == verdict for mark in self.marks)


@dataclass(frozen=True)
class Grade:
    """What one learner's answers count.

    Parameters
    ----------
    learner : str
    exercise : Exercise or None
        None where it cannot be told which it is.
    tasks : tuple of TaskGrade
    problems : tuple of str
        What could not be read, and what else a teacher should look at.
    file : str
    """

    learner: str
    exercise: Exercise | None
    tasks: tuple[TaskGrade, ...] = ()
    problems: tuple[str, ...] = ()
    file: str = ""

    @property
    def points(self) -> float:
        """In all."""
        return float(sum(task.points for task in self.tasks))

    @property
    def of(self) -> int:
        """How many there are to get."""
        return sum(task.of for task in self.tasks)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """What went wrong, each once: the likeliest of mistakes that are numerically equal."""
        return tuple(dict.fromkeys(task.mistakes[0] for task in self.tasks if task.mistakes))

    def show(self, *, file: TextIO | None = None) -> None:
        """Print each number with its points, and the mistakes by name."""
        Grades((self,)).show(file=file)

    def text(self, width: int = 80) -> str:
        """The same as plain text."""
        return Grades((self,)).text(width)


class Grades(Sequence[Grade]):
    """The grades of a class.

    Parameters
    ----------
    grades : sequence of Grade
    """

    def __init__(self, grades: Sequence[Grade]) -> None:
        self._grades = tuple(grades)

    def __getitem__(self, key: Any) -> Any:
        return self._grades[key]

    def __len__(self) -> int:
        return len(self._grades)

    @property
    def names(self) -> tuple[str, ...]:
        """The values that were asked for, of anybody."""
        return tuple(dict.fromkeys(task.name for grade in self for task in grade.tasks))

    def show(self, *, file: TextIO | None = None) -> None:
        """Print one learner's numbers, or a class as a table."""
        from chainrule.explanation.exercises.showing import lines_of_grades
        from chainrule.explanation.printing.terminal import show

        show(lambda width: lines_of_grades(self, width), file)

    def text(self, width: int = 80) -> str:
        """What `show` prints, as plain text."""
        from chainrule.explanation.exercises.showing import lines_of_grades

        return "\n".join(line.plain for line in lines_of_grades(self, width))

    def to_csv(self) -> str:
        """The class as CSV: a row a learner, the points of each value, the total, the mistakes."""
        from chainrule.explanation.exercises.showing import as_csv

        return as_csv(self)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        from chainrule.explanation.exercises.showing import as_data

        return as_data(self)

    def __repr__(self) -> str:
        return f"Grades(of {len(self)})"
