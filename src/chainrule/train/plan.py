"""Which rows each update reads, and with which learning rate: known for any step in advance."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from chainrule.backends import Rows
from chainrule.base.random import permutation
from chainrule.optim import Schedule


@dataclass(frozen=True)
class Plan:
    """The order of the examples: a function of (seed, epoch), never of what happened before.

    Parameters
    ----------
    count : int
        How many examples it orders.
    batch_size : int
    accumulate : int
        How many batches make one update.
    drop_last : bool
        Leave out what does not fill a whole update; otherwise the short rest is used too.
    shuffle : bool
    seed : int
    rows : int64 array of shape (count,), optional
        Which rows of the data they are; by default the first `count`.
    """

    count: int
    batch_size: int
    accumulate: int = 1
    drop_last: bool = False
    shuffle: bool = True
    seed: int = 0
    rows: Rows | None = field(default=None, compare=False)

    @property
    def updates_per_epoch(self) -> int:
        """How many updates an epoch has."""
        examples = self.batch_size * self.accumulate
        whole, rest = divmod(self.count, examples)
        return whole + (1 if rest and not self.drop_last else 0)

    def locate(self, step: int) -> tuple[int, int]:
        """The epoch of an update, and its place in it."""
        return divmod(step, self.updates_per_epoch)

    def order(self, epoch: int, start: int = 0, stop: int | None = None) -> Rows:
        """The examples' rows in the order of an epoch, from one place to another."""
        stop = self.count if stop is None else min(stop, self.count)
        if self.shuffle:
            order = _order(self.count, self.seed, epoch)[start:stop]
        else:
            order = np.arange(start, stop)
        return order if self.rows is None else self.rows[order]

    def sizes(self) -> list[int]:
        """The sizes of all batches that come up, the usual one first."""
        examples = self.batch_size * self.accumulate
        rest = 0 if self.drop_last else self.count % examples
        usual = [self.batch_size] if self.count >= self.batch_size else []
        return usual + ([rest % self.batch_size] if rest % self.batch_size else [])

    def batches(self, epoch: int, update: int) -> list[Rows]:
        """The rows of each batch of one update."""
        examples = self.batch_size * self.accumulate
        rows = self.order(epoch, update * examples, (update + 1) * examples)
        return [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]

    def whole_updates(self, epoch: int, start: int, stop: int) -> Rows:
        """Rows of consecutive updates of one whole batch each, as (updates, batch_size).

        It ends before a short batch, and is empty where updates are made of several batches.
        """
        whole = self.count // self.batch_size if self.accumulate == 1 else 0
        stop = max(min(stop, whole), start)
        rows = self.order(epoch, start * self.batch_size, stop * self.batch_size)
        return rows.reshape(stop - start, self.batch_size)


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> Rows:
    order = permutation(count, seed, epoch)
    order.flags.writeable = False  # it is shared
    return order


@dataclass
class LearningRate:
    """The optimiser's rate, times the schedule's factor, times what a plateau has made of it.

    Parameters
    ----------
    base : float
    schedule : Schedule, optional
    factors : tuple of float
        That of reduce-on-plateau in each epoch so far; 1 where there is none.
    """

    base: float
    schedule: Schedule | None = None
    factors: tuple[float, ...] = ()

    def at(self, step: int, epoch: int) -> float:
        """The rate of an update."""
        rate = self.base
        if self.schedule is not None:
            count = epoch if self.schedule.unit == "epoch" else step
            rate *= self.schedule.multiplier(count, self.base)
        return rate * (self.factors[epoch] if epoch < len(self.factors) else 1.0)

    def over(self, step: int, epoch: int, updates: int) -> NDArray[np.float64]:
        """The rates of consecutive updates of an epoch."""
        if self.schedule is None or self.schedule.unit == "epoch":
            return np.full(updates, self.at(step, epoch))
        return np.array([self.at(step + i, epoch) for i in range(updates)])
