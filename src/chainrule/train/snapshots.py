"""Snapshots: where training stood before some steps, to go on or to replay from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chainrule.eager.tensor import Array
from chainrule.train.history import Averages

KEPT = 8
"""How many snapshots are kept, in memory and in a folder."""

BYTES_IN_MEMORY = 8_000_000
"""What those between the first and the last may take: of large states there are fewer."""


@dataclass(frozen=True)
class Position:
    """How far training has come, in plain data.

    Parameters
    ----------
    step : int
        How many updates were made.
    epoch : int
        The epoch under way; all before it are over.
    update : int
        How many updates of it were made.
    averages : Averages
        Of the epoch under way.
    factors : tuple of float
        What reduce-on-plateau has multiplied the learning rate by in each epoch so far.
    plateau : mapping, optional
        What it has observed.
    stopped : str, optional
        Why training ended.
    ended : bool
        Whether `fit` returned here, with the network as the callbacks left it.
    """

    step: int = 0
    epoch: int = 0
    update: int = 0
    averages: Averages = field(default_factory=Averages)
    factors: tuple[float, ...] = ()
    plateau: dict[str, float | int | None] | None = None
    stopped: str | None = None
    ended: bool = False


@dataclass(frozen=True)
class Standing:
    """Where training stands between two updates: all that going on from there needs.

    Parameters
    ----------
    position : Position
    state : mapping of str to array
        Parameters, buffers, optimiser state, the stream of random numbers: the step's state.
    callbacks : mapping of str to mapping
        The callbacks' states, by the callbacks' names.
    """

    position: Position
    state: Mapping[str, Array]
    callbacks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Snapshots:
    """Snapshots in memory: the first, the last, and ever sparser ones between."""

    def __init__(self) -> None:
        self._states: dict[int, Mapping[str, Array]] = {}

    def add(self, step: int, state: Mapping[str, Array]) -> None:
        """Keep the state before `step`."""
        self._states[step] = state
        most = kept_in_memory(sum(array.nbytes for array in state.values()))
        for dropped in superfluous(self._states, most):
            del self._states[dropped]

    def before(self, step: int) -> tuple[int, Mapping[str, Array]] | None:
        """The latest one that is not after `step`, if there is one."""
        found = [each for each in self._states if each <= step]
        return (max(found), self._states[max(found)]) if found else None


def kept_in_memory(size: int) -> int:
    """How many snapshots of this size are kept in memory at the most.

    Examples
    --------
    >>> kept_in_memory(1_000), kept_in_memory(8_000_000), kept_in_memory(10**9)
    (8, 3, 2)
    """
    return min(KEPT, 2 + BYTES_IN_MEMORY // max(size, 1))


def superfluous(steps: Iterable[int], most: int = KEPT) -> list[int]:
    """Which snapshots to drop so that no more than `most` stay: every other, never an end.

    Examples
    --------
    >>> superfluous(range(0, 90, 10))
    [10, 30, 50, 70]
    """
    ordered = sorted(steps)
    return ordered[1:-1:2] if len(ordered) > most else []
