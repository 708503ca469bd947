"""Batches that come once, from a generator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.base.errors import DataError
from chainrule.graph import TensorType
from chainrule.nn.evaluation import InputTypes, batch_type
from chainrule.nn.losses import Loss
from chainrule.train.arrays import make_arrays
from chainrule.train.refusals import concerning
from chainrule.train.sources import ArraySource, check_types


class StreamSource:
    """Batches from a generator: in the order in which they come, and only once each.

    Parameters
    ----------
    make : callable
        To an iterable of ``(x, y)`` or ``(x, y, sample_weight)`` batches; called each epoch.
    loss : Loss
        Prepares the targets.
    types : InputTypes
        What the inputs are converted to.

    Attributes
    ----------
    width : int or None
        How many outputs the network has, once that is known: each batch's targets are checked.
    """

    def __init__(self, make: Callable[[], Iterable[Any]], loss: Loss, types: InputTypes) -> None:
        self.width: int | None = None
        self._make = make
        self._loss = loss
        self._input_types = types
        self._types: dict[str, TensorType] = {}
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
            with concerning(f"Batch {i}"):
                made = make_arrays(batch[0], batch[1], self._loss, self._input_types, *batch[2:])
                self._loss.check_target(made.target, self.width)
            self._check(made, f"Batch {i}")
            yield made

    def _check(self, batch: ArraySource, where: str) -> None:
        arrays = batch.arrays()
        if not self._types:
            self._types = {name: batch_type(array, 1) for name, array in arrays.items()}
        check_types(self._types, arrays, where)
        if batch.weighted != ("sample_weight" in self._types):
            raise DataError("Either all batches have weights, or none", where=where)


def join(batches: Sequence[ArraySource]) -> ArraySource:
    """Put several batches one behind the other."""
    if len(batches) == 1:
        return batches[0]
    columns = tuple(np.concatenate(c) for c in zip(*(b.columns for b in batches), strict=True))
    target = np.concatenate([batch.target for batch in batches])
    if not batches[0].weighted:
        return ArraySource(columns, target)
    weights = [batch.weights for batch in batches if batch.weights is not None]
    return ArraySource(columns, target, np.concatenate(weights))
