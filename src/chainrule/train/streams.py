"""Batches that come once, from a generator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.base.errors import DataError, NonFiniteError
from chainrule.nn.losses import Loss
from chainrule.train.arrays import make_arrays
from chainrule.train.sources import ArraySource


class StreamSource:
    """Batches from a generator: in the order in which they come, and only once each.

    Parameters
    ----------
    make : callable
        To an iterable of ``(x, y)`` or ``(x, y, sample_weight)`` batches; called each epoch.
    loss : Loss
        Prepares the targets.
    dtype : numpy dtype
        Of the inputs.
    """

    def __init__(self, make: Callable[[], Iterable[Any]], loss: Loss, dtype: np.dtype[Any]) -> None:
        self._make = make
        self._loss = loss
        self._dtype = dtype
        self._begun: Iterator[ArraySource] | None = self._anew()
        first = next(self._begun, None)
        if first is None:
            raise DataError("The generator of batches yields none")
        self.first = first

    def groups(self, size: int) -> Iterator[list[ArraySource]]:
        """One epoch's batches, `size` at a time; the last group may be short."""
        batches = self._batches()
        while group := list(itertools.islice(batches, size)):
            yield group

    def _batches(self) -> Iterator[ArraySource]:
        if self._begun is None:
            return self._anew()
        begun, self._begun = self._begun, None
        return itertools.chain([self.first], begun)

    def _anew(self) -> Iterator[ArraySource]:
        for i, batch in enumerate(self._make()):
            if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
                raise DataError(
                    "A generator of batches yields (x, y) or (x, y, sample_weight); "
                    f"got {type(batch).__name__}",
                    where=f"Batch {i}",
                )
            try:
                yield make_arrays(batch[0], batch[1], self._loss, self._dtype, *batch[2:])
            except (DataError, NonFiniteError) as error:
                error.where = error.where or f"Batch {i}"
                raise


def join(batches: Sequence[ArraySource]) -> ArraySource:
    """Put several batches one behind the other."""
    if len(batches) == 1:
        return batches[0]
    columns = tuple(np.concatenate(c) for c in zip(*(b.columns for b in batches), strict=True))
    target = np.concatenate([batch.target for batch in batches])
    if not any(batch.weighted for batch in batches):
        return ArraySource(columns, target)
    weights = [
        np.ones(b.count, b.columns[0].dtype) if b.weights is None else b.weights for b in batches
    ]
    return ArraySource(columns, target, np.concatenate(weights))
