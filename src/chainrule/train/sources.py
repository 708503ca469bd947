"""Where batches come from: arrays, anything with ``len`` and ``[i]``, or a generator of batches."""

from __future__ import annotations

import hashlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends import Rows
from chainrule.base.errors import (
    ConfigurationError,
    DataError,
    ReplayError,
    ShapeError,
    TargetError,
)
from chainrule.base.random import permutation
from chainrule.data.finite import validate_finite
from chainrule.eager import Tensor
from chainrule.eager.tensor import Array
from chainrule.graph import TensorType, format_shape
from chainrule.nn.evaluation import as_columns, batch_type, check_lengths
from chainrule.nn.losses import Loss

Indexable = Any
"""Data as a session reads it: ``data[rows]`` gives an array with these rows."""


class Source(ABC):
    """Examples by row, so that an order of rows is an epoch and any step can be replayed."""

    count: int

    @abstractmethod
    def names(self) -> Mapping[str, Indexable]:
        """The step's data inputs, by name."""

    @abstractmethod
    def batch_types(self, size: int) -> tuple[list[TensorType], TensorType]:
        """Types of the inputs and of the target for a batch of this size."""

    @abstractmethod
    def subset(self, rows: Rows) -> Source:
        """The same examples, only these rows."""

    @abstractmethod
    def in_memory(self) -> ArraySource:
        """The same examples as arrays."""

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


@dataclass(frozen=True)
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

    def names(self) -> Mapping[str, Indexable]:
        data: dict[str, Array] = {"target": self.target, **_named(self.columns)}
        if self.weights is not None:
            data["sample_weight"] = self.weights
        return data

    def batch_types(self, size: int) -> tuple[list[TensorType], TensorType]:
        return [batch_type(c, size) for c in self.columns], batch_type(self.target, size)

    def subset(self, rows: Rows) -> ArraySource:
        columns = tuple(column[rows] for column in self.columns)
        weights = None if self.weights is None else self.weights[rows]
        return ArraySource(columns, self.target[rows], weights)

    def in_memory(self) -> ArraySource:
        return self

    def sample_target(self) -> Array:
        return self.target

    def fingerprint(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for name, array in sorted(self.names().items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


class ItemSource(Source):
    """Examples of an object with ``__len__`` and ``__getitem__``, fetched as they are needed.

    Parameters
    ----------
    items : object
        ``items[i]`` is ``(x, y)``, x an array or a tuple of arrays.
    loss : Loss
        Prepares the targets.
    dtype : numpy dtype
        Of the inputs.
    rows : int64 array, optional
        Which of the items there are.
    """

    weighted = False

    def __init__(
        self, items: Any, loss: Loss, dtype: np.dtype[Any], rows: Rows | None = None
    ) -> None:
        self._items = items
        self._loss = loss
        self._dtype = dtype
        self._rows = np.arange(len(items)) if rows is None else rows
        self.count = len(self._rows)
        self._fetched: tuple[bytes, dict[str, Array]] = (b"", {})

    def fetch(self, rows: Rows) -> dict[str, Array]:
        """The batch of these rows, by input name; the last one fetched is remembered."""
        key = np.asarray(rows).tobytes()
        if self._fetched[0] != key:
            examples = [self._example(int(self._rows[row])) for row in rows]
            try:
                columns = tuple(np.stack(c) for c in zip(*(x for x, _ in examples), strict=True))
                target = np.stack([y for _, y in examples])
            except ValueError as error:
                raise DataError(
                    f"The examples of a batch do not have equal shapes: {error}",
                    where=f"Rows {[int(row) for row in rows][:8]}",
                ) from None
            columns = as_columns(columns, self._dtype)
            target = self._loss.prepare_target(target, self._dtype)
            check_numbers(columns, target, [int(row) for row in rows])
            self._fetched = (key, {"target": target, **_named(columns)})
        return self._fetched[1]

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

    def names(self) -> Mapping[str, Indexable]:
        return {name: _Column(self, name) for name in self.fetch(np.zeros(1, np.int64))}

    def batch_types(self, size: int) -> tuple[list[TensorType], TensorType]:
        batch = dict(self.fetch(np.zeros(1, np.int64)))
        target = batch.pop("target")
        return [batch_type(a, size) for a in batch.values()], batch_type(target, size)

    def subset(self, rows: Rows) -> ItemSource:
        return ItemSource(self._items, self._loss, self._dtype, self._rows[rows])

    def in_memory(self) -> ArraySource:
        batch = dict(self.fetch(np.arange(self.count)))
        target = batch.pop("target")
        return ArraySource(tuple(batch.values()), target)

    def sample_target(self) -> Array:
        rows = np.arange(min(self.count, 256))
        return self.fetch(rows)["target"]

    def fingerprint(self) -> str:
        return f"items {type(self._items).__name__} {self.count}"


@dataclass(frozen=True)
class _Column:
    source: ItemSource
    name: str

    def __getitem__(self, rows: Rows) -> Array:
        return self.source.fetch(rows)[self.name]


class StreamSource:
    """Batches from a generator: in the order in which they come, and only once each.

    Parameters
    ----------
    make : callable
        To an iterable of ``(x, y)`` or ``(x, y, sample_weight)`` batches; called each epoch.
    """

    def __init__(self, make: Callable[[], Iterable[Any]], loss: Loss, dtype: np.dtype[Any]) -> None:
        self._make = make
        self._loss = loss
        self._dtype = dtype
        self._begun: Iterator[ArraySource] | None = self.batches_anew()
        first = next(self._begun, None)
        if first is None:
            raise DataError("The generator of batches yields none")
        self.first = first

    def batches(self) -> Iterator[ArraySource]:
        """One epoch's batches, each a source of its own."""
        if self._begun is None:
            return self.batches_anew()
        begun, self._begun = self._begun, None
        return itertools.chain([self.first], begun)

    def batches_anew(self) -> Iterator[ArraySource]:
        """The batches of a new iteration."""
        for i, batch in enumerate(self._make()):
            if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
                raise DataError(
                    "A generator of batches yields (x, y) or (x, y, sample_weight); "
                    f"got {type(batch).__name__}",
                    where=f"Batch {i}",
                )
            yield make_arrays(batch[0], batch[1], self._loss, self._dtype, *batch[2:])

    def groups(self, size: int) -> Iterator[list[ArraySource]]:
        """One epoch's batches, `size` at a time; the last group may be short."""
        batches = self.batches()
        while group := list(itertools.islice(batches, size)):
            yield group

    def fingerprint(self) -> str:
        """A stream cannot be read again.

        Raises
        ------
        ReplayError
            Always.
        """
        raise ReplayError(
            "A run on a generator cannot be replayed: its batches came once",
            advice="Train on arrays, or on an object with __len__ and __getitem__",
        )


def make_arrays(
    x: Any,
    y: Any,
    loss: Loss,
    dtype: np.dtype[Any],
    sample_weight: Any = None,
    class_weight: Any = None,
) -> ArraySource:
    """Check arrays of examples and bring them into the dtypes the step computes with.

    Raises
    ------
    ShapeError
        If their lengths differ, or there are no examples.
    NonFiniteError
        If a number is NaN or infinite, with its row and column.
    TargetError
        If a class weight names no class.
    """
    columns = as_columns(x, dtype)
    raw = y.numpy() if isinstance(y, Tensor) else np.asarray(y)
    if raw.dtype.kind not in "biuf":
        raise TargetError(
            f"Targets are numbers; got {raw.dtype}",
            advice="Number the classes: np.unique(y, return_inverse=True)[1]",
        )
    target = loss.prepare_target(raw, dtype)
    check_lengths(columns, target)
    check_numbers(columns, target)
    weights = _sample_weights(target, sample_weight, class_weight, dtype)
    return ArraySource(columns, target, weights)


def check_numbers(
    columns: Sequence[Array], target: Array, rows: Sequence[int] | None = None
) -> None:
    """Raise NonFiniteError at the first number that is NaN or infinite."""
    where = None if rows is None else f"In the batch of rows {list(rows)[:8]}"
    for name, array in [*_named(columns).items(), ("y", target)]:
        validate_finite(array, name, where=where)


def _sample_weights(
    target: Array, sample_weight: Any, class_weight: Any, dtype: np.dtype[Any]
) -> Array | None:
    if sample_weight is None and class_weight is None:
        return None
    weights: NDArray[Any] = np.ones(len(target), dtype)
    if sample_weight is not None:
        given = np.asarray(sample_weight, dtype)
        if given.shape != (len(target),):
            raise ShapeError(
                f"sample_weight has one weight for each of {len(target)} examples; got shape "
                f"{format_shape(given.shape)}"
            )
        weights = weights * given
    if class_weight is not None:
        weights = weights * _weights_of_classes(target, class_weight).astype(dtype)
    if (weights < 0).any() or not weights.any():
        raise ConfigurationError("Weights are not negative, and not all of them zero")
    return weights


def _weights_of_classes(target: Array, class_weight: Any) -> NDArray[np.float64]:
    one_hot = target.ndim == 2 and target.shape[1] > 1
    labels = (target.argmax(axis=1) if one_hot else target.reshape(len(target))).astype(np.int64)
    items = class_weight.items() if isinstance(class_weight, Mapping) else enumerate(class_weight)
    table = {int(label): float(weight) for label, weight in items}
    missing = sorted(set(labels.tolist()) - table.keys())
    if missing:
        raise TargetError(
            f"class_weight gives no weight for class {missing[0]}",
            advice="Name every class, for example {0: 1.0, 1: 2.0}",
        )
    return np.array([table[int(label)] for label in labels])


def split_rows(count: int, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Rows for training and for validation: a random `fraction` of the latter, by the seed.

    Raises
    ------
    ConfigurationError
        If `fraction` is not between 0 and 1, or a part would be empty.
    """
    if not 0 < fraction < 1:
        raise ConfigurationError(f"validation_split lies between 0 and 1; got {fraction}")
    held_out = round(count * fraction)
    if held_out in (0, count):
        raise ConfigurationError(
            f"validation_split={fraction} of {count} examples leaves "
            f"{'none to validate on' if held_out == 0 else 'none to train on'}"
        )
    order = permutation(count, seed, 0, "validation")
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def _named(columns: Sequence[Array]) -> dict[str, Array]:
    return {f"x{i}" if len(columns) > 1 else "x": column for i, column in enumerate(columns)}
