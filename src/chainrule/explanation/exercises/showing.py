"""Grades for people and for programs: one learner's numbers, a class as a table, CSV, JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.explanation.exercises.credit import COARSE, FOLLOWS, MISSING, RIGHT, WRONG
from chainrule.explanation.exercises.writing import written
from chainrule.explanation.printing.text import Line, wrap

if TYPE_CHECKING:
    from chainrule.explanation.exercises.grades import Grade, Grades, TaskGrade

_FEW = 3  # numbers that are named one by one
_EQUAL = 3  # mistakes with equal numbers that are listed
_NARROWEST = 40


def points(number: float) -> str:
    """Points as teachers write them.

    Examples
    --------
    >>> points(3.0), points(2.5), points(0.5), points(0.0)
    ('3', '2½', '½', '0')
    """
    whole, half = divmod(round(number * 2), 2)
    return f"{whole or ('' if half else 0)}{'½' if half else ''}"


def lines_of_grades(grades: Grades, width: int) -> list[Line]:
    """What is printed of a class, or of one learner."""
    width = max(width, _NARROWEST)
    found = _one(grades[0], width) if len(grades) == 1 else _class(grades, width)
    return list(found)


def _one(grade: Grade, width: int) -> Iterator[Line]:
    yield from _wrapped(f"{grade.learner or 'Answers'}: {_total(grade)}", width, style="bold")
    if grade.exercise is not None:
        yield from _wrapped(grade.exercise.code, width, style="dim")
        yield Line()
    names = max((len(task.name) for task in grade.tasks), default=0)
    counts = max((len(_of(task)) for task in grade.tasks), default=0)
    for task in grade.tasks:
        start = f"{task.name:{names}}  {_of(task):>{counts}}  "
        style = "" if task.points == task.of else "yellow" if task.points else "red"
        yield from _wrapped(start + remark(task), width, hanging=len(start), style=style)
    yield from _problems(grade, width, "")


def _class(grades: Grades, width: int) -> Iterator[Line]:
    yield from _table(grades, width)
    told = [grade for grade in grades if grade.mistakes or grade.problems]
    for grade in told:
        yield Line()
        yield from _wrapped(_who(grade), width, style="bold")
        for mistake in grade.mistakes:
            where = [t.name for t in grade.tasks if t.mistakes and t.mistakes[0] == mistake]
            yield from _wrapped(f"  {', '.join(where)}: {mistake}", width, hanging=4)
        yield from _problems(grade, width, "  ")


def _table(grades: Grades, width: int) -> Iterator[Line]:
    """Columns of points; as many side by side as there is room for."""
    names = list(grades.names)
    first = max(len("learner"), *(len(_who(grade)) for grade in grades))
    first = min(first, width // 3)
    rows = [(_who(grade)[:first], _cells(grade, names), _sum(grade)) for grade in grades]
    best = {task.name: str(task.of) for grade in grades for task in grade.tasks}
    mean = _mean(grades)
    sizes = [
        max(len(name), len(best[name]), *(len(cells[k]) for _, cells, _ in rows))
        for k, name in enumerate(names)
    ]
    total = max(len("total"), *(len(each) for *_, each in rows), len(mean))
    room = width - first - total - 2
    begin = 0
    while begin < len(names) or begin == 0:
        end, used = begin, 0
        while end < len(names) and (used + sizes[end] + 2 <= room or end == begin):
            used += sizes[end] + 2
            end += 1
        is_last = end >= len(names)
        shown = range(begin, end)

        def line(
            who: str, cells: Sequence[str], last: str, style: str = "",
            shown: range = shown, is_last: bool = is_last,
        ) -> Line:  # fmt: skip
            middle = "".join(f"  {cells[k]:>{sizes[k]}}" for k in shown)
            ending = f"  {last:>{total}}" if is_last else ""
            return Line(((f"{who:{first}}{middle}{ending}", style),))

        if begin:
            yield Line()
        yield line("learner", names, "total", "bold")
        for who, cells, last in rows:
            yield line(who, cells, last)
        yield line("of", [best[name] for name in names], mean, "dim")
        begin = max(end, 1)


def _cells(grade: Grade, names: Sequence[str]) -> list[str]:
    found = {task.name: task for task in grade.tasks}
    return [points(found[name].points) if name in found else "–" for name in names]


def _who(grade: Grade) -> str:
    return grade.learner or grade.file or "?"


def _sum(grade: Grade) -> str:
    return f"{points(grade.points)}/{grade.of}" if grade.exercise is not None else "–"


def _mean(grades: Grades) -> str:
    shares = [grade.points / grade.of for grade in grades if grade.of]
    return f"{100 * math.fsum(shares) / len(shares):.0f} %" if shares else ""


def _total(grade: Grade) -> str:
    if grade.exercise is None:
        return "not graded"
    return f"{points(grade.points)} of {grade.of} points"


def _of(task: TaskGrade) -> str:
    return f"{points(task.points)} of {task.of}"


def _problems(grade: Grade, width: int, indent: str) -> Iterator[Line]:
    if grade.problems and not indent:
        yield Line()
    for problem in grade.problems:
        text = f"{indent}! {problem.rstrip('.')}."
        yield from _wrapped(text, width, hanging=len(indent) + 2, style="yellow")


def remark(task: TaskGrade) -> str:
    """What is said of a value: what is wrong, by which mistake, what follows from it."""
    parts = []
    if task.count(WRONG):
        wrong = [mark for mark in task.marks if mark.verdict == WRONG]
        shown = "; ".join(
            f"{mark.label} is {written(mark.true, 4)}, not {mark.written}" for mark in wrong[:_FEW]
        )
        more = f" and {len(wrong) - _FEW} more" if len(wrong) > _FEW else ""
        listed = task.mistakes[:_EQUAL]
        others = len(task.mistakes) - len(listed)
        told = "; or: ".join(listed) + (f"; or {others} others" if others > 0 else "")
        parts.append(f"{shown}{more}: {told}")
    if task.count(COARSE):
        parts.append("right, with too few digits")
    if task.count(FOLLOWS):
        parts.append("follows from what was wrong before it")
    if missing := task.count(MISSING):
        parts.append("nothing is written" if missing == task.of else f"{missing} missing")
    if not parts and task.count(RIGHT) == task.of:
        parts.append("right")
    return "; ".join(parts)


def _wrapped(text: str, width: int, *, hanging: int = 0, style: str = "") -> Iterator[Line]:
    """Lines of at most so many characters; those after the first begin further in."""
    hanging = min(hanging, width // 2)
    # Up to where the others begin the first is laid out already: its columns stand as they are.
    first, rest = text[:hanging], text[hanging:]
    for k, line in enumerate(wrap(rest, width - hanging, width - hanging)):
        yield Line(((f"{' ' * hanging if k else first}{line}", style),))


def as_csv(grades: Grades) -> str:
    """A row a learner: points of each value, total, of how many, mistakes, problems, file."""
    names = list(grades.names)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["learner", *names, "points", "of", "mistakes", "problems", "exercise", "file"])
    for grade in grades:
        found = {task.name: task.points for task in grade.tasks}
        row = [found.get(name, "") for name in names]
        rest = ["; ".join(grade.mistakes), "; ".join(grade.problems)]
        code = "" if grade.exercise is None else grade.exercise.code
        cells = [grade.learner, *row, grade.points, grade.of, *rest, code, grade.file]
        writer.writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: what a learner wrote may begin with =."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t"):
        return f"'{cell}"
    return f"{cell:g}" if isinstance(cell, float) else cell


def as_data(grades: Grades) -> dict[str, Any]:
    """The grades as JSON has them."""
    return {"grades": [_as_data(grade) for grade in grades]}


def _as_data(grade: Grade) -> dict[str, Any]:
    return {
        "learner": grade.learner,
        "file": grade.file,
        "exercise": None if grade.exercise is None else grade.exercise.code,
        "points": float(grade.points),
        "of": grade.of,
        "problems": list(grade.problems),
        "tasks": [
            {
                "value": task.name,
                "points": float(task.points),
                "of": task.of,
                "mistakes": list(task.mistakes),
                "names": list(task.names),
                "numbers": [
                    {
                        "number": mark.label,
                        "written": mark.written,
                        "read": _finite(mark.number),
                        "true": _finite(mark.true),
                        "verdict": mark.verdict,
                        "points": mark.points,
                    }
                    for mark in task.marks
                ],
            }
            for task in grade.tasks
        ],
    }


def _finite(number: float | None) -> float | str | None:
    return number if number is None or math.isfinite(number) else str(number)
