"""Answers in their places: which number a name means, as people write names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.harmless import plain
from chainrule.explanation.checking.naming import Names, element
from chainrule.explanation.checking.numerals import Numerals, read_numerals
from chainrule.explanation.exercises.exercise import Exercise
from chainrule.explanation.trace import Array

_BETWEEN = str.maketrans(";[]()", "     ")
_SHOWN, _NAMED = 24, 60  # characters


@dataclass(eq=False)
class Placed:
    """Answers in their places.

    Parameters
    ----------
    given : list of list
        For each task its cells, ``""`` where nothing is.
    written : list of list of str
        As the learner wrote them, harmless to print.
    problems : list of str
        What had no place.
    """

    given: list[list[Any]]
    written: list[list[str]]
    problems: list[str]


def place(made: Exercise, answers: Sequence[tuple[str, Any]]) -> Placed:
    """Find for each name the number that is asked for."""
    empty: list[list[Any]] = [[""] * len(task.indices) for task in made.tasks]
    sheet = Placed(empty, [list(cells) for cells in empty], [])
    where = {
        task.label(index): (k, i)
        for k, task in enumerate(made.tasks)
        for i, index in enumerate(task.indices)
    }
    names = Names(made.anatomy)
    for name, given in answers:
        name = str(name).strip()
        if not name and not str(given).strip():
            continue
        try:
            places = [where[name]] if name in where else _places(made, names, name)
            values = _spread(given, len(places))
        except LookupError as error:
            reason = str(error.args[0] if error.args else error)
            sheet.problems.append(f"{name[:_NAMED] or 'A number without a name'}: {reason}")
            continue
        for (k, i), value in zip(places, values, strict=True):
            text = value if isinstance(value, str) else ""
            if not as_text(value).strip():
                continue
            if as_text(sheet.given[k][i]).strip():
                sheet.problems.append(f"{name[:_NAMED]} is there twice; the last one counts")
            sheet.given[k][i], sheet.written[k][i] = value, plain(text.strip())[:_SHOWN]
    return sheet


def _places(made: Exercise, names: Names, name: str) -> list[tuple[int, int]]:
    """The numbers that a name stands for, as people write names.

    Raises
    ------
    LookupError
        With a sentence.
    """
    bare = name.removesuffix("_new")
    meaning = names.read(name if bare == name else f"new {bare}")
    found = [k for k, task in enumerate(made.tasks) if task.value == meaning.value]
    if not found:
        raise LookupError("that is not asked for")
    k = found[0]
    indices = made.tasks[k].indices
    if meaning.index is None:
        return [(k, i) for i in range(len(indices))]
    shape = made.anatomy.values[made.anatomy.names[meaning.value]].shape
    index = element(shape, meaning.index)
    places = [(k, i) for i, each in enumerate(indices) if each[: len(index)] == index]
    if not places:
        raise LookupError("that number of it is not asked for")
    return places


def _spread(given: Any, size: int) -> list[Any]:
    """What was written for several numbers at once, one by one.

    Raises
    ------
    LookupError
        If these are not as many.
    """
    if isinstance(given, str):
        cells: list[Any] = [given]
        if size > 1:
            cells = (
                given.strip("[]() ").replace(";", " ").replace("[", " ").replace("]", " ").split()
            )
    else:
        cells = list(np.asarray(given, object).ravel())
    if len(cells) != size:
        raise LookupError(f"{size} numbers are asked for by this name; there are {len(cells)}")
    return cells


def numerals_of(cells: Sequence[Any]) -> Numerals:
    """Numbers of cells, as people write them."""
    return read_numerals([cell if isinstance(cell, str) else as_text(cell) for cell in cells])


def as_text(cell: Any) -> str:
    """A cell as text; empty where there is nothing."""
    if cell is None:
        return ""
    if isinstance(cell, bool | int | float | np.number):
        number = float(cell)
        return "" if np.isnan(number) else repr(number)
    return plain(str(cell))


def own_units(numerals: Numerals) -> Array:
    """What the last digit counts for, of each number by itself."""
    size = np.abs(numerals.numbers)
    known = (numerals.digits > 0) & (size > 0)
    exponent = np.floor(np.log10(np.where(known, size, 1.0)))
    return np.where(known, 10.0 ** (exponent - numerals.digits + 1), 0.0)
