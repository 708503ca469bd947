"""One value that a learner wrote down: which it is, its numbers, and how exactly they stand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.explanation.trace import Array, Index

_NOISE = 2e-6  # of the largest number: a learner may compute in float32, and adds in another order


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
        In the shape of the value; NaN where nothing was written. Where `index` is given, a scalar.
    unit : array of float64
        What the last digit written counts for, for each number; 0 where all digits are there.
    index : tuple of int, optional
        The element, where it is one number of the value.
    scales : tuple of float
        What a true value may be multiplied by: an error δ is of the mean loss, or of one example.
    note : str
        How it was read, where that is no matter of course.
    """

    name: str
    value: str
    position: int
    numbers: Array
    unit: Array
    index: Index | None = None
    scales: tuple[float, ...] = (1.0,)
    note: str = ""

    @cached_property
    def given(self) -> Array:
        """Which numbers are there."""
        return ~np.isnan(self.numbers)

    def expected(self, predicted: Array) -> Array:
        """What would stand here, of a value."""
        return predicted if self.index is None else predicted[self.index]

    def wrong(self, predicted: Array) -> Array:
        """Which numbers are not what was predicted, rounded as they are: bool, by element.

        Parameters
        ----------
        predicted : array
            The whole value.
        """
        expected = self.expected(predicted)
        found = [self._apart(expected * scale) for scale in self.scales]
        return min(found, key=np.count_nonzero)

    def agrees(self, predicted: Array) -> bool:
        """Whether all numbers that are there are what was predicted."""
        return not self.wrong(predicted).any()

    def _apart(self, expected: Array) -> Array:
        with np.errstate(all="ignore"):
            finite = np.abs(expected[np.isfinite(expected)])
            size = float(finite.max()) if finite.size else 0.0
            near = np.abs(self.numbers - expected) <= self.unit * (0.5 + 1e-9) + _NOISE * size
            same = near | (self.numbers == expected)  # infinities, too
        return np.asarray(self.given & ~same)
