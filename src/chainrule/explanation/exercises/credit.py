"""Points: a number is right, or follows rightly from numbers that were wrong before it.

The step is computed once more with the learner's own numbers in the place of those that were asked
for. So whoever goes on rightly from a wrong number loses its point and no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.exercises.tasks import Task
from chainrule.explanation.trace import Array

RIGHT, FOLLOWS, COARSE, WRONG, MISSING = "right", "follows", "coarse", "wrong", "missing"

POINTS = {RIGHT: 1.0, FOLLOWS: 1.0, COARSE: 0.5, WRONG: 0.0, MISSING: 0.0}
"""What a number counts. Coarse: right as far as it is written, with fewer digits than asked."""


_OF_A_CHANGE = 0.4  # less than half: a step of half the size is another step
_DIGITS_AT_LEAST = 2  # of one digit anything is right


@dataclass(frozen=True, eq=False)
class Credit:
    """What the numbers of one task count.

    Parameters
    ----------
    verdicts : tuple of str
        Of each number.
    expected : array
        What each should be, of the learner's own numbers before it.
    """

    verdicts: tuple[str, ...]
    expected: Array


@dataclass(frozen=True, eq=False)
class Counted:
    """The credit for every task, and the step as the learner went through it.

    Parameters
    ----------
    credits : tuple of Credit
    own : list of array
        The values of the step's nodes, with the learner's wrong numbers in it.
    """

    credits: tuple[Credit, ...]
    own: list[Array]


def tolerance(true: Array, digits: int) -> Array:
    """How far numbers may be off that are asked for with so many significant digits.

    It is half a unit of the last digit but one: who rounds on the way is off by as much.
    """
    return half_unit(true, max(digits - 1, 1))


def allowed(task: Task, way: Array, digits: int) -> Array:
    """How far the numbers of a task may be off; of an updated weight, never as far as it moved.

    Parameters
    ----------
    task : Task
    way : array
        What they should be: the truth, or what follows from the learner's own numbers.
    digits : int
    """
    found = tolerance(way, digits)
    if task.before is None:
        return found
    moved = _OF_A_CHANGE * np.abs(way - task.before)
    return np.asarray(np.minimum(found, np.maximum(half_unit(way, digits), moved)))


def half_unit(true: Array, digits: int) -> Array:
    """Half of what the last of so many significant digits counts for."""
    size = np.abs(np.asarray(true, np.float64))
    known = np.isfinite(size) & (size > 0)
    largest = float(size[known].max(initial=0.0))
    exponent = np.floor(np.log10(np.where(known, size, 1.0)))
    unit = np.where(known, 10.0 ** (exponent - digits + 1), 0.0)
    # A number that is next to nothing beside the others of its array has no digits of its own.
    return np.asarray(np.maximum(0.5 * unit * (1 + 1e-9), 0.05 * largest * 10.0**-digits))


def count(
    anatomy: Anatomy,
    tasks: Sequence[Task],
    numbers: Sequence[Array],
    units: Sequence[Array],
    digits: int,
) -> Counted:
    """What each number counts.

    Parameters
    ----------
    anatomy : Anatomy
    tasks : sequence of Task
    numbers : sequence of array
        For each task those that were written; NaN where there is none.
    units : sequence of array
        What the last digit counts for that was written.
    digits : int
        How many were asked for.
    """
    numbers = _of_the_mean(anatomy, tasks, numbers, digits)
    wrong = [
        ~np.isnan(mine) & ~_near(task, mine, digits)
        for task, mine in zip(tasks, numbers, strict=True)
    ]
    # Downstream of a number one computes with what one wrote, or with all of its digits.
    rounded = _gone_on(anatomy, tasks, numbers, [~np.isnan(mine) for mine in numbers])
    exact = _gone_on(anatomy, tasks, numbers, wrong)
    found = []
    for k, task in enumerate(tasks):
        position = anatomy.names[task.value]
        ways = [_taken(values[0], position, task) for values in (exact, rounded)]
        verdicts = tuple(
            _verdict(task, numbers[k][i], units[k][i], [task.true, *ways], i, digits)
            for i in range(len(task.indices))
        )
        found.append(Credit(verdicts, ways[0]))
    return Counted(tuple(found), exact[1])


def _verdict(
    task: Task, mine: float, unit: float, ways: Sequence[Array], i: int, digits: int
) -> str:
    """Of one number; `ways`: the truth, and what comes of the learner's own numbers."""
    if np.isnan(mine):
        return MISSING
    true, exact, _ = (way[i] for way in ways)
    for k, way in enumerate(ways):
        if abs(mine - way[i]) > allowed(task, way, digits)[i] and mine != way[i]:
            continue
        # With nothing wrong before it, it was only rounded on the way.
        if k == 0 or abs(exact - true) <= allowed(task, ways[0], digits)[i]:
            return RIGHT
        if np.isfinite(way[i]) and (way[i] != 0 or true == 0):  # zero times anything is no work
            return FOLLOWS
    has_digits = unit * 10 ** (_DIGITS_AT_LEAST - 1) <= abs(mine) and task.before is None
    return COARSE if has_digits and abs(mine - true) <= 0.5001 * unit else WRONG


def _near(task: Task, mine: Array, digits: int) -> Array:
    true = task.true
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(mine - true) <= allowed(task, true, digits)) | (mine == true))


def _of_the_mean(
    anatomy: Anatomy, tasks: Sequence[Task], numbers: Sequence[Array], digits: int
) -> list[Array]:
    """Errors δ of each example's own cost as those of the mean, if that is what was written."""
    errors = [k for k, task in enumerate(tasks) if _is_error(anatomy, task)]
    found = [np.array(mine, np.float64) for mine in numbers]
    m = anatomy.examples
    if m < 2 or not errors:
        return found

    def right(scale: float) -> int:
        return sum(int(np.count_nonzero(_near(tasks[k], found[k] / scale, digits))) for k in errors)

    if right(m) > right(1):
        for k in errors:
            found[k] /= m
    return found


def _is_error(anatomy: Anatomy, task: Task) -> bool:
    shape = anatomy.nodes[anatomy.names[task.value]].shape
    return task.value.startswith("d_") and bool(shape) and hasattr(shape[0], "name")


def _gone_on(
    anatomy: Anatomy, tasks: Sequence[Task], numbers: Sequence[Array], taken: Sequence[Array]
) -> tuple[dict[int, Array], list[Array]]:
    """The step with some of the learner's numbers in it: what each value is of those before it.

    Returns
    -------
    dict of int to array
        What stands at the places of the tasks before the learner's numbers take their place.
    list of array
        Every value, with them.
    """
    at: dict[int, list[int]] = {}
    for k, task in enumerate(tasks):
        at.setdefault(anatomy.names[task.value], []).append(k)
    values = list(anatomy.values)
    changed = set[int]()
    before: dict[int, Array] = {}
    for i, node in enumerate(anatomy.nodes):
        if not changed.isdisjoint(node.inputs):
            with np.errstate(all="ignore"):
                values[i] = np.asarray(anatomy.kernels[i](*(values[j] for j in node.inputs)))
            changed.add(i)
        for k in at.get(i, ()):
            before[i] = before.get(i, values[i])
            own = np.array(values[i], np.float64)
            for index, mine, is_taken in zip(tasks[k].indices, numbers[k], taken[k], strict=True):
                if is_taken:
                    own[index] = mine
            if taken[k].any():
                values[i] = own
                changed.add(i)
    return before, values


def _taken(before: Mapping[int, Array], position: int, task: Task) -> Array:
    return np.array([before[position][index] for index in task.indices], np.float64)
