"""One value that a learner wrote down: which it is, its numbers, and how exactly they stand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.explanation.trace import Array, Index

_NOISE = 2e-6  # of the largest number: a learner may compute in float32, and adds in another order

SAME = 1e-9  # of a number: what adding up in another order makes of float64, with room

_FEW = 5  # units in the last place: what comes of numbers that were rounded on the way
_LITTLE = 0.02  # of the largest number: few units of a short number are no rounding any more
_TINY = 5e-4  # of the largest number: many digits, computed from numbers that had few


@dataclass(frozen=True, eq=False)
class Entry:
    """One value that a learner wrote down.

    Parameters
    ----------
    name : str
        As the learner calls it.
    value : str
        What it was read as: ``d_0.weight``, ``d_0.out``, ``next.0.weight``.
    position : int
        Where that is in the step.
    numbers : array of float64
        In the shape of the value; NaN where nothing was written. Where `index` is given, in the
        shape of that part of it.
    unit : array of float64
        What the last digit written counts for, for each number; 0 where all digits are there.
    index : tuple of int, optional
        The element, where it is one number of the value, or the row.
    scales : tuple of float or array
        What a true value may be multiplied by: an error δ is of the mean loss, or of one example.
    note : str
        How it was read, where that is no matter of course.
    noise : float
        What rounding in the step's own dtype puts its numbers off: a learner's may be as far off.
    change : float
        Of an updated weight, how far the update takes it; 0 for all else.
    """

    name: str
    value: str
    position: int
    numbers: Array
    unit: Array
    index: Index | None = None
    scales: tuple[float | Array, ...] = (1.0,)
    note: str = ""
    noise: float = 0.0
    change: float = 0.0

    @cached_property
    def given(self) -> Array:
        """Which numbers are there."""
        return ~np.isnan(self.numbers)

    def expected(self, predicted: Array) -> Array:
        """What would stand here, of a value."""
        return predicted if self.index is None else predicted[self.index]

    def scaled(self, predicted: Array) -> Array:
        """What would stand here, in the convention that fits best to what was written."""
        expected = self.expected(predicted)
        every = [np.asarray(expected * scale) for scale in self.scales]
        return min(every, key=lambda each: np.count_nonzero(self._apart(each)))

    def wrong(self, predicted: Array) -> Array:
        """Which numbers are not what was predicted, rounded as they are: bool, by element.

        Parameters
        ----------
        predicted : array
            The whole value.
        """
        return self._apart(self.scaled(predicted))

    def agrees(self, predicted: Array) -> bool:
        """Whether all numbers that are there are what was predicted."""
        expected = self.expected(predicted)
        return any(not self._apart(expected * scale).any() for scale in self.scales)

    def tells_apart(self, one: Array, other: Array) -> bool:
        """Whether two values differ in the numbers that are there, be it in late digits."""
        first, second = self.expected(one), self.expected(other)
        with np.errstate(all="ignore"):
            near = np.abs(first - second) <= SAME * np.maximum(np.abs(first), np.abs(second))
        return bool((self.given & ~(near | (first == second))).any())

    def loosened(self, true: Array) -> Array:
        """The units that numbers would have that were rounded on the way, too.

        Parameters
        ----------
        true : array
            What would stand here.
        """
        # An updated weight is nearly the old one: what is small is small beside the update.
        size = self.change or max(largest(true), largest(self.numbers[self.given]))
        slack = np.minimum(_FEW * self.unit, _LITTLE * size)
        slack = np.maximum(np.maximum(slack, 1.5 * self.unit), _TINY * size)
        return np.asarray(2 * slack)

    def tolerance(self, size: float) -> Array:
        """How far off each number may be, the largest of those expected being so large."""
        return np.asarray(self.unit * (0.5 + 1e-9) + _NOISE * size + self.noise)

    @cached_property
    def most(self) -> float:
        """How large the largest number can be of a value that agrees, if all numbers are there."""
        slack = float(self.tolerance(0.0).max(initial=0.0))
        return (largest(self.numbers) + slack) / (1.0 - _NOISE)

    def _apart(self, expected: Array) -> Array:
        with np.errstate(all="ignore"):
            tolerance = self.tolerance(largest(expected))
            near = np.abs(self.numbers - expected) <= tolerance
            same = near | (self.numbers == expected)  # infinities, too
        return np.asarray(self.given & ~same)


def largest(numbers: Array) -> float:
    """The largest size among numbers that are finite."""
    finite = np.abs(numbers[np.isfinite(numbers)])
    return float(finite.max(initial=0.0))
