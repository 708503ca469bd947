"""What can be timed: a task that each contender does in its own way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Task(ABC):
    """Work that is done in steps.

    Parameters
    ----------
    name : str
    profiled_steps : int
        How many a profile takes at once.
    """

    name: str
    profiled_steps: int

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """What a contender is given: made once, and read by all from the same files."""

    @property
    @abstractmethod
    def tolerances(self) -> Mapping[int, float]:
        """After these steps, how far from the right value one may be, as a part of it."""

    def deviation(self, value: float, expected: float) -> float:
        """How far a value is from the right one, as a part of it; NaN if it is none."""
        return abs(value - expected) / abs(expected)


class Unsupported(Exception):
    """A contender does not do a task."""


class Runner(ABC):
    """A contender at work on a task."""

    @abstractmethod
    def run(self, steps: int) -> None:
        """Go on for some steps, and return when they are done."""

    @abstractmethod
    def value(self) -> float:
        """What is compared: the last step's loss before its update, or another number like it."""


class Cursor:
    """Which rows come next.

    Parameters
    ----------
    rows : array of shape (steps, batch)
        After the last the first comes again.
    """

    def __init__(self, rows: Array) -> None:
        self.rows = rows
        self._next = 0

    def take(self, steps: int) -> list[Array]:
        """The next steps' rows, in pieces."""
        pieces = []
        while steps:
            piece = self.rows[self._next : self._next + steps]
            pieces.append(piece)
            steps -= len(piece)
            self._next = (self._next + len(piece)) % len(self.rows)
        return pieces

    def places(self, steps: int) -> list[int]:
        """The next steps' places in `rows`."""
        begin = self._next
        self._next = (begin + steps) % len(self.rows)
        return [(begin + i) % len(self.rows) for i in range(steps)]
