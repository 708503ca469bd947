"""Which numbers an exercise has: such that nothing vanishes, and mistakes can be told apart.

What a mistake makes of the values that are asked for is computed, for each that is registered.
Two mistakes whose numbers are nearer than rounding could be taken for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from chainrule.explanation.checking import mistakes  # noqa: F401 - enters them into the registry
from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import CircularError, Draft
from chainrule.explanation.checking.mistake import faults_of
from chainrule.explanation.exercises.credit import allowed
from chainrule.explanation.exercises.exercise import Exercise
from chainrule.explanation.trace import Array

DRAWS = 24
"""So many draws of a seed are looked at."""

_CANDIDATES = 6
"""Of so many in which nothing vanishes the one is taken that tells most mistakes apart."""

_LEAST = 2e-3  # of a gradient that is to be written down: with four digits that is 0.0020
_SHARE = 0.02  # of the largest number of an array: one that is smaller teaches nothing
_EXACT = 1e-9


def choose(make: Callable[[int], Exercise]) -> Exercise:
    """The best draw: the first one in which nothing vanishes and no mistake is hidden.

    Parameters
    ----------
    make : callable
        From the number of a draw to its exercise.
    """
    best: tuple[tuple[int, int], Exercise] | None = None
    good = 0
    for number in range(DRAWS):
        made = make(number)
        small = vanishing(made)
        if small and best is not None and best[0][0] <= small:
            continue
        score = (small, confused(made))
        if best is None or score < best[0]:
            best = score, made
        good += small == 0
        if score == (0, 0) or good == _CANDIDATES:
            break
    assert best is not None
    return best[1]


def vanishing(made: Exercise) -> int:
    """How many of the numbers that are asked for are zero, tiny, or not finite."""
    count = 0
    for task in made.tasks:
        true = np.abs(task.true)
        with np.errstate(invalid="ignore"):
            large = true >= max(_LEAST, _SHARE * float(np.max(true)))
        count += int(np.count_nonzero(~(large & np.isfinite(true))))
    return count + _saturated(made)


def _saturated(made: Exercise) -> int:
    """How many slopes of activations are next to nothing."""
    trace = made.trace
    slopes = [i for name, i in trace.graph.positions.items() if "/d_" in name]
    return sum(int(np.count_nonzero(np.abs(trace.values[i]) < _SHARE)) for i in slopes)


def confused(made: Exercise) -> int:
    """How many pairs of mistakes are told apart by exact numbers, and not by rounded ones.

    The truth is one of them: a mistake that changes nothing that one could see is hidden.
    """
    numbers = outcomes(made.anatomy, made)
    if len(numbers) < 2:
        return 0
    true = numbers[0]
    units = np.concatenate([allowed(task, task.true, made.setting.digits) for task in made.tasks])
    count = 0
    with np.errstate(all="ignore"):
        for k in range(len(numbers) - 1):
            apart = np.abs(numbers[k + 1 :] - numbers[k])
            size = np.maximum(np.abs(numbers[k + 1 :]), np.abs(true)) + _EXACT
            exact = (apart > _EXACT * size).any(axis=1)
            seen = ~(apart <= 2 * units).all(axis=1)
            count += int(np.count_nonzero(exact & ~seen))
    return count


def outcomes(anatomy: Anatomy, made: Exercise) -> Array:
    """The numbers that are asked for: as they are, then as each mistake makes them."""
    where = [(anatomy.names[task.value], index) for task in made.tasks for index in task.indices]
    positions = [position for position, _ in where]

    def read(values: dict[int, Array]) -> list[float]:
        return [float(values[position][index]) for position, index in where]

    rows = [read({i: anatomy.values[i] for i in positions})]
    for fault in faults_of(anatomy):
        draft = Draft(anatomy)
        fault.change(draft)
        with suppress(CircularError):  # a mistake that this step has no room for
            rows.append(read(draft.values(positions)))
    return np.array(rows)
