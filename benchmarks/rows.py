"""Rows of the table: figures with their spread, and the targets beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log

import numpy as np


@dataclass(frozen=True)
class Spread:
    """The median and the quartiles of what was measured several times.

    Parameters
    ----------
    median, low, high : float
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """That of some values; of one, it is that value three times."""
        low, median, high = np.percentile(values, [25, 50, 75]).tolist()
        return cls(median, low, high)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours ÷ theirs in each round: what slows the machine down for a while slows both."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def geometric_mean(values: Sequence[float]) -> float:
    """The mean of ratios: that of a number and its reciprocal is 1."""
    return exp(sum(map(log, values)) / len(values))


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Parameters
    ----------
    work : str
        The task, with the number of threads where it is not 1.
    what : str
        The contender, or what is measured.
    step : Spread, optional
        Seconds of a step.
    figure : Spread, optional
        What a target is about: a ratio, or a quantity in `unit`.
    unit : str
        ``"×"``, ``"s"``, ``"ms"``, ``"%"``.
    limit : float, optional
        The target.
    at_least : bool
        Whether the figure must reach the limit; otherwise it must not exceed it.
    first, warm : Spread, optional
        Seconds to the end of the first step, with caches empty and filled.
    memory : int, optional
        Bytes at most, without the data.
    rounds : tuple of float
        Seconds of a step in each round.
    deviations : mapping of int to float
        After so many steps, how far the value was from the right one, as a part of it.
    note : str
        Why something is missing or does not count.
    """

    work: str
    what: str
    step: Spread | None = None
    figure: Spread | None = None
    unit: str = "×"
    limit: float | None = None
    at_least: bool = False
    first: Spread | None = None
    warm: Spread | None = None
    memory: int | None = None
    rounds: tuple[float, ...] = ()
    deviations: Mapping[int, float] = field(default_factory=dict)
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the target; None where there is none, or no figure."""
        if self.limit is None or self.figure is None:
            return None
        median = self.figure.median
        return median >= self.limit if self.at_least else median <= self.limit
