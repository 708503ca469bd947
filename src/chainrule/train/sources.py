"""Where examples come from: arrays, or anything with ``len`` and ``[i]``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.backends import Rows
from chainrule.base.errors import DataError, TargetError
from chainrule.base.fingerprint import fingerprint
from chainrule.data.finite import validate_finite
from chainrule.eager import Tensor
from chainrule.eager.tensor import Array
from chainrule.graph import Axis, TensorType
from chainrule.nn.evaluation import InputTypes, as_columns, batch_type
from chainrule.nn.evaluation import name_columns as name_columns
from chainrule.nn.losses import Loss
from chainrule.train.refusals import concerning

SAMPLED = 64
"""How many items of a data set that is not in memory stand for it in its fingerprint."""


class Source(ABC):
    """Examples by row, so that an order of rows is an epoch and any step can be replayed."""

    count: int

    @abstractmethod
    def arrays(self) -> Mapping[str, Array]:
        """The step's data inputs by name, where they are in memory."""

    @abstractmethod
    def feeds(self, rows: Rows) -> dict[str, Array]:
        """Where they are not: the batches of these rows [steps, B], stacked."""

    @abstractmethod
    def batch_types(self, size: int) -> tuple[list[TensorType], TensorType]:
        """Types of the inputs and of the target for a batch of this size."""

    @abstractmethod
    def take(self, rows: Rows) -> ArraySource:
        """These rows, in memory."""

    @abstractmethod
    def sample_target(self) -> Array:
        """Targets to judge by what kind they are: all of them, where they are in memory."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash by which a replay knows the data again."""

    @property
    @abstractmethod
    def weighted(self) -> bool:
        """Whether the examples have weights."""

    @abstractmethod
    def rows(self) -> Rows | None:
        """The rows that training uses; None: all of them."""


@dataclass(frozen=True, eq=False)
class ArraySource(Source):
    """Examples in memory.

    Parameters
    ----------
    columns : tuple of array
        The network's inputs.
    target : array
    weights : array of shape (N,), optional
    """

    columns: tuple[Array, ...]
    target: Array
    weights: Array | None = None

    @property
    def count(self) -> int:  # type: ignore[override]
        return len(self.target)

    @property
    def weighted(self) -> bool:
        return self.weights is not None

    def arrays(self) -> Mapping[str, Array]:
        data: dict[str, Array] = {"target": self.target, **name_columns(self.columns)}
        if self.weights is not None:
            data["sample_weight"] = self.weights
        return data

    def feeds(self, rows: Rows) -> dict[str, Array]:
        return {}

    def batch_types(self, size: int) -> tuple[list[TensorType], TensorType]:
        return [batch_type(c, size) for c in self.columns], batch_type(self.target, size)

    def take(self, rows: Rows) -> ArraySource:
        columns = tuple(column[rows] for column in self.columns)
        weights = None if self.weights is None else self.weights[rows]
        return ArraySource(columns, self.target[rows], weights)

    def sample_target(self) -> Array:
        return self.target

    def fingerprint(self) -> str:
        return fingerprint(self.arrays())

    def rows(self) -> Rows | None:
        # An example of weight 0 counts for nothing: it is left out, as if it were not there. A
        # batch of such examples alone would have the loss 0/0.
        if self.weights is None or self.weights.all():
            return None
        return np.flatnonzero(self.weights).astype(np.int64)


class ItemSource(Source):
    """Examples of an object with ``__len__`` and ``__getitem__``, fetched as they are needed.

    Parameters
    ----------
    items : object
        ``items[i]`` is ``(x, y)``, x an array or a tuple of arrays.
    loss : Loss
        Prepares the targets.
    types : InputTypes
        What the inputs are converted to.

    Attributes
    ----------
    width : int or None
        How many outputs the network has, once that is known: each batch's targets are checked.
    """

    weighted = False

    def __init__(self, items: Any, loss: Loss, types: InputTypes) -> None:
        self.width: int | None = None
        self._items = items
        self._loss = loss
        self._input_types = types
        self.count = len(items)
        first = self._read(np.zeros(1, np.int64))
        self._types = {name: batch_type(array, 1) for name, array in first.items()}

    def fetch(self, rows: Rows) -> dict[str, Array]:
        """The batch of these rows, by input name."""
        batch = self._read(rows)
        check_types(self._types, batch, _listed(rows))
        return batch

    def _read(self, rows: Rows) -> dict[str, Array]:
        examples = [self._example(int(row)) for row in rows]
        try:
            stacked = tuple(np.stack(c) for c in zip(*(x for x, _ in examples), strict=True))
            target = np.stack([y for _, y in examples])
        except ValueError as error:
            raise DataError(
                f"The examples of a batch do not have equal shapes: {error}",
                where=_listed(rows),
            ) from None
        with concerning(_listed(rows)):
            columns = as_columns(stacked, self._input_types)
            target = self._loss.prepare_target(as_target(target), self._input_types.dtype)
            check_numbers(columns, target)
            self._loss.check_target(target, self.width)
        return {"target": target, **name_columns(columns)}

    def _example(self, row: int) -> tuple[tuple[Array, ...], Array]:
        item = self._items[row]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise DataError(
                f"A data set's item is a pair (x, y); got {type(item).__name__}",
                where=f"Item {row}",
            )
        x, y = item
        parts = x if isinstance(x, tuple) else (x,)
        return tuple(np.asarray(part) for part in parts), np.asarray(y)

    def arrays(self) -> Mapping[str, Array]:
        return {}

    def feeds(self, rows: Rows) -> dict[str, Array]:
        batches = [self.fetch(batch) for batch in rows]
        return {name: np.stack([batch[name] for batch in batches]) for name in self._types}

    def batch_types(self, size: int) -> tuple[list[TensorType], TensorType]:
        types = {name: of_size(kind, size) for name, kind in self._types.items()}
        target = types.pop("target")
        return list(types.values()), target

    def take(self, rows: Rows) -> ArraySource:
        batch = dict(self.fetch(rows))
        target = batch.pop("target")
        return ArraySource(tuple(batch.values()), target)

    def sample_target(self) -> Array:
        return self.fetch(np.arange(min(self.count, 256)))["target"]

    def fingerprint(self) -> str:
        some = np.unique(np.linspace(0, self.count - 1, SAMPLED).astype(np.int64))
        return f"{fingerprint(self._read(some))} of {len(some)} items"

    def rows(self) -> Rows | None:
        return None


def as_target(y: Any) -> Array:
    """Targets as an array of numbers, or TargetError."""
    if isinstance(y, Tensor):
        return y.numpy()
    try:
        raw = np.asarray(y)
    except ValueError:
        raise TargetError(
            "Targets are an array of numbers; got rows of different lengths"
        ) from None
    if raw.dtype.kind not in "biuf":
        raise TargetError(
            f"Targets are numbers; got {raw.dtype}",
            advice="Number the classes: np.unique(y, return_inverse=True)[1]",
        )
    return raw


def of_size(kind: TensorType, size: int) -> TensorType:
    """The type of a batch of another size."""
    return TensorType((Axis("B", size), *kind.shape[1:]), kind.dtype)


def check_types(expected: Mapping[str, TensorType], batch: Mapping[str, Array], where: str) -> None:
    """Raise DataError unless the rows of a batch are of the types of those before."""
    for name, kind in expected.items():
        found = batch_type(batch[name], 1) if name in batch else None
        if found != kind:
            raise DataError(
                f"{name} has rows of type {row_type(found)}; those before are {row_type(kind)}",
                where=where,
            )


def row_type(kind: TensorType | None) -> str:
    """The type of one row of a batch, as text."""
    return "none" if kind is None else str(TensorType(kind.shape[1:], kind.dtype))


def check_numbers(columns: Sequence[Array], target: Array) -> None:
    """Raise NonFiniteError at the first number that is NaN or infinite."""
    for name, array in [*name_columns(columns).items(), ("y", target)]:
        validate_finite(array, name)


def _listed(rows: Rows) -> str:
    shown = ", ".join(str(int(row)) for row in rows[:8])
    return f"In the batch of rows {shown}{', ...' if len(rows) > 8 else ''}"
