"""The names of mistakes: one for all that is wrong, or else for each value by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.base.errors import ChainruleError
from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.check import check
from chainrule.explanation.checking.draft import CircularError, Draft
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.search import Search
from chainrule.explanation.exercises.credit import Counted, half_unit
from chainrule.explanation.exercises.exercise import Exercise
from chainrule.explanation.exercises.placing import as_text, numerals_of
from chainrule.explanation.exercises.tasks import Task
from chainrule.explanation.trace import Array

UNKNOWN = "no mistake that is known explains it"

_LAYER = re.compile(r"\blayer (\w+)\b")
_NAME = re.compile(r"\b\w+\.(?:weight|bias|out)\b")


class Naming:
    """The names of mistakes: one for all that is wrong, or else for each value by itself."""

    def __init__(self, made: Exercise, given: Sequence[Sequence[Any]], counted: Counted) -> None:
        self.made, self.given, self.counted = made, given, counted
        self._whole: dict[str, list[tuple[str, tuple[str, ...]]]] | None = None

    def of(self, k: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The titles and names of what explains a task."""
        if self._whole is None:
            self._whole = dict(self._explained())
        task = self.made.tasks[k]
        found = self._whole.get(task.value) or self._alone(k)
        titles = tuple(dict.fromkeys(on_paper(self.made, title) for title, _ in found))
        names = tuple(dict.fromkeys(name for _, names in found for name in names))
        return titles or (UNKNOWN,), names

    def _explained(self) -> Iterator[tuple[str, list[tuple[str, tuple[str, ...]]]]]:
        """For each value what explains it, if one mistake or two explain all that is wrong."""
        mine = {
            task.value: _as_array(self.made.anatomy, task, cells)
            for task, cells in zip(self.made.tasks, self.given, strict=True)
            if any(as_text(cell).strip() for cell in cells)
        }
        try:
            found = check(self.made.trace, mine=mine)
        except ChainruleError:
            return
        if not found.is_whole:
            return
        for row in found.rows:
            causes = [cause for cause in found.causes if row.entry.name in cause.explains]
            yield (
                row.entry.value,
                [
                    (fault.title, (fault.mistake.name,))
                    for cause in causes
                    for fault in cause.faults
                    if len(cause.faults) == 1 or self._touches(fault.change, row.entry)
                ],
            )

    def _touches(self, change: Callable[[Any], None], entry: Entry) -> bool:
        """Whether one of two mistakes has to do with a value."""
        draft = Draft(self.made.anatomy)
        change(draft)
        try:
            value = draft.values([entry.position])[entry.position]
        except CircularError:
            return False
        true = self.made.anatomy.values[entry.position]
        return value is not true and not np.allclose(value, true, rtol=1e-9, atol=0)

    def _alone(self, k: int) -> list[tuple[str, tuple[str, ...]]]:
        """The mistakes that explain a value, from the learner's own numbers before it."""
        made, task = self.made, self.made.tasks[k]
        anatomy = replace(made.anatomy, values=self._before(task))
        position = anatomy.names[task.value]
        shape = anatomy.values[position].shape
        numbers = np.full(shape, np.nan)
        units = np.zeros(shape)
        mine = numerals_of(self.given[k]).numbers
        for index, number, unit in zip(
            task.indices, mine, 2 * half_unit(mine, made.setting.digits), strict=True
        ):
            numbers[index], units[index] = number, 4 * unit
        entry = Entry(task.name, task.value, position, numbers, units)
        if not entry.given.any():
            return []
        # What is known of this value alone: a mistake here is likelier than one in every layer.
        found = sorted(Search(anatomy, [entry]).single(), key=lambda each: len(each.draft.changed))
        return [(each.fault.title, (each.fault.mistake.name,)) for each in found]

    def _before(self, task: Task) -> list[Array]:
        """The learner's own step, with this value as it follows from those before it."""
        values = list(self.counted.own)
        position = self.made.anatomy.names[task.value]
        value = np.array(values[position], np.float64)
        k = self.made.tasks.index(task)
        for index, expected in zip(task.indices, self.counted.credits[k].expected, strict=True):
            value[index] = expected
        values[position] = value
        return values


def on_paper(made: Exercise, title: str) -> str:
    """A mistake's title with layers and weights called as they are on the sheet.

    In code a layer is where it stands in the chain, activations among them: ``in layer 3
    (sigmoid)`` is layer 2 of the sheet, and ``0.bias`` its b1.
    """
    aliases = dict(made.trace.graph.aliases)
    names = {name: alias for alias, name in aliases.items() if alias != "out"}
    layers = {
        name.rpartition(".")[0]: alias[1:]
        for alias, name in aliases.items()
        if alias[0] in "za" and alias[1:].isdecimal()
    }
    title = _LAYER.sub(lambda m: f"layer {layers.get(m[1], m[1])}", title)
    return _NAME.sub(lambda m: names.get(m[0], m[0]), title)


def _as_array(anatomy: Anatomy, task: Task, cells: Sequence[Any]) -> Any:
    """The cells of a task in the shape of its value, as text; empty where nothing is asked."""
    shape = anatomy.values[anatomy.names[task.value]].shape
    array = np.full(shape, "", dtype=object)
    for index, cell in zip(task.indices, cells, strict=True):
        array[index] = cell if isinstance(cell, str) else as_text(cell)
    return array if shape else str(array[()])
