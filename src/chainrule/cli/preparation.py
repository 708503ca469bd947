"""From a data set to what a network reads, and from its outputs back to answers.

What training did to the inputs (columns of text became zeros and ones, numbers were brought to mean
0 and deviation 1) has to be done to every new example too, so a `Preparation` is kept in the model
file.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from chainrule.base.errors import (
    ConfigurationError,
    DataError,
    NameNotFoundError,
    ShapeError,
)
from chainrule.data import Dataset, TableEncoding, read_features
from chainrule.data.cells import read_cells
from chainrule.data.encoding import Column
from chainrule.nn import Loss

Array = NDArray[Any]
Targets = Literal["classes", "one-hot", "binary", "signs", "values"]
"""How the answers are given to the loss: as the class's number, as a row of zeros with a one, as 0
or 1, as -1 or 1 (of more than two classes a row with a single 1), or as the numbers themselves."""


class Scale(Struct, frozen=True):
    """A shift and a divisor for each column: (value - mean) / deviation."""

    mean: list[float]
    deviation: list[float]

    @classmethod
    def of(cls, values: Array, leave: Sequence[bool] = ()) -> Scale:
        """Measure columns; those to `leave`, and those that never change, keep their spread."""
        mean = values.mean(axis=0, dtype=np.float64)
        deviation = values.std(axis=0, dtype=np.float64)
        left = np.array(leave, np.bool_) if len(leave) else np.zeros(len(mean), np.bool_)
        mean[left] = 0
        deviation[left | (deviation == 0)] = 1
        return cls(mean.tolist(), deviation.tolist())

    def applied(self, values: Array) -> Array:
        """Return the values, shifted and scaled."""
        return np.asarray((values - np.array(self.mean)) / np.array(self.deviation))

    def undone(self, values: Array) -> Array:
        """Return the values as they were."""
        return np.asarray(values * np.array(self.deviation) + np.array(self.mean))


class Preparation(Struct, frozen=True, kw_only=True):
    """What a model needs beside its numbers to read new examples and to give answers.

    Attributes
    ----------
    features
        The names of the inputs, or none.
    classes
        The names of the classes; none for numbers.
    targets
        How the answers are given to the loss.
    outputs
        What the outputs are, as the loss says: ``logits``, ``binary logits``, ``values`` …
    answer
        The name of what is predicted.
    encoding
        How the columns of a table become inputs.
    inputs, values
        Scales of the inputs and of the numbers to predict, where they are brought to mean 0.
    image
        (height, width) of inputs that are grey images.
    """

    features: list[str] = []
    classes: list[str] = []
    targets: Targets = "values"
    outputs: str = "values"
    answer: str = "output"
    encoding: TableEncoding | None = None
    inputs: Scale | None = None
    values: Scale | None = None
    image: list[int] = []

    def x(self, raw: Array) -> Array:
        """Return the network's inputs for examples as they are in the data set.

        Raises
        ------
        ShapeError
            If the examples have another number of inputs.
        """
        expected = len(self.inputs.mean) if self.inputs else len(self.features)
        if expected and raw.shape[1] != expected:
            raise ShapeError(
                f"The model reads {expected} inputs, and the examples have {raw.shape[1]}"
            )
        return raw if self.inputs is None else self.inputs.applied(raw)

    def y(self, dataset: Dataset) -> Array:
        """Return the targets as the loss reads them."""
        match self.targets:
            case "classes":
                return dataset.y
            case "one-hot":
                return self._rows(dataset)
            case "binary":
                return dataset.y.astype(np.float64)[:, None]
            case "signs":
                row = dataset.y[:, None] if len(self.classes) == 2 else self._rows(dataset)
                return np.asarray(2.0 * row - 1.0)
        return dataset.y if self.values is None else self.values.applied(dataset.y)

    def _rows(self, dataset: Dataset) -> Array:
        """Rows of zeros with a one at the class."""
        return np.asarray(np.eye(len(self.classes))[dataset.y])

    def probabilities(self, outputs: Array) -> Array | None:
        """Return (examples, classes) probabilities, or None where the outputs are none."""
        outputs = outputs.astype(np.float64)
        if self.outputs == "logits":
            shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
        if self.outputs == "log-probabilities":
            return np.asarray(np.exp(outputs))
        if self.targets == "binary":
            # ½(1 + tanh(x/2)) is σ(x), without an overflow for large -x.
            are_logits = self.outputs == "binary logits"
            second = 0.5 * (1 + np.tanh(0.5 * outputs)) if are_logits else outputs
            return np.concatenate([1 - second, second], axis=1)
        return None

    def chosen(self, outputs: Array) -> Array:
        """Return the number of the class that each row of outputs stands for."""
        if outputs.shape[1] == 1:
            border = 0.5 if self.outputs == "probabilities" else 0.0
            return (outputs[:, 0] > border).astype(np.int64)
        return np.asarray(outputs.argmax(axis=1))

    def numbers(self, outputs: Array) -> Array:
        """Return the predicted numbers, in the units of the data."""
        outputs = outputs.astype(np.float64)
        outputs = np.exp(outputs) if self.outputs == "log-values" else outputs
        return outputs if self.values is None else self.values.undone(outputs)

    def read_table(self, path: str | Path) -> Array:
        """Read the raw inputs of a CSV file; columns that the model does not know are ignored."""
        return read_features(path, self._encoding_for(path))

    def read_row(self, text: str) -> Array:
        """Read one example from text such as ``5.1,3.5,1.4,0.2``, in the order of training.

        Raises
        ------
        DataError, NameNotFoundError
            If there are too few or too many values, or one is not what its column holds.
        """
        cells = [cell.strip() for cell in next(csv.reader([text]), [])]
        columns = self.encoding.features if self.encoding else tuple(map(Column, self.features))
        if columns and len(cells) != len(columns):
            names = ", ".join(column.name for column in columns[:8])
            raise DataError(
                f"A row has {len(columns)} values ({names}{', …' if len(columns) > 8 else ''}); "
                f'"{text:.60}" has {len(cells)}'
            )
        columns = columns or tuple(Column(f"value {i + 1}") for i in range(len(cells)))
        parts = [_encoded(cell, column) for cell, column in zip(cells, columns, strict=True)]
        return np.array([[number for part in parts for number in part]], np.float64)

    def _encoding_for(self, path: str | Path) -> TableEncoding:
        if self.encoding is not None:
            return self.encoding
        names = self.features or list(read_cells(path).columns)
        return TableEncoding(tuple(map(Column, names)), Column(self.answer))


def prepare(
    training: Dataset, loss: Loss, *, standardize: bool, by_hand: bool = False
) -> Preparation:
    """Decide how examples are read, and measure the scales on the training part alone.

    Parameters
    ----------
    training : Dataset
        The examples that are trained on.
    loss : Loss
    standardize : bool
    by_hand : bool
        Whether the targets are a worked example's, to be taken as they are.

    Raises
    ------
    ConfigurationError
        If the loss is for classes and the data is not, or the other way round.
    """
    encoding = training.encoding
    _check_says_the_answer(loss)
    targets = "values" if by_hand else _targets(training, loss)
    names = encoding.features if encoding else ()
    is_text = [bool(column.categories) for column in names for _ in column.input_names]
    is_distance = loss.outputs == "values" and loss.measures_distance
    scale_values = standardize and targets == "values" and is_distance
    return Preparation(
        features=list(training.feature_names),
        classes=list(training.class_names),
        targets=targets,
        outputs=loss.outputs,
        answer=encoding.target.name if encoding else "class" if training.class_names else "output",
        encoding=encoding,
        inputs=Scale.of(training.x, is_text) if standardize else None,
        values=Scale.of(training.y) if scale_values else None,
        image=list(training.image_shape[1:]) if training.image_shape[:1] == (1,) else [],
    )


def _check_says_the_answer(loss: Loss) -> None:
    if loss.outputs in ("several", "mean and variance", "distances"):
        raise ConfigurationError(
            f"{type(loss).__name__} is for networks of one's own, whose outputs are "
            f"{loss.outputs}; the command line makes networks whose output says the answer",
            advice="Use cr.fit in Python, or another loss",
        )


def _targets(dataset: Dataset, loss: Loss) -> Targets:
    name, is_regression = type(loss).__name__, dataset.task == "regression"
    if is_regression and loss.targets in ("classes", "distributions", "signs"):
        raise ConfigurationError(
            f"{name} compares classes, and {dataset.name} holds numbers to predict",
            advice="Use --loss MSELoss; or, if the numbers are classes, --task classification",
        )
    if is_regression:
        return "values"
    match loss.targets:
        case "classes" | "signs":
            return loss.targets
        case "zeros and ones" if len(dataset.class_names) == 2:
            return "binary"
    return "one-hot"


def _encoded(cell: str, column: Column) -> list[float]:
    if column.categories:
        if cell not in column.categories:
            raise NameNotFoundError.among(f'value of "{column.name}"', cell, column.categories)
        return [float(category == cell) for category in column.categories]
    try:
        number = float(cell)
    except ValueError:
        raise DataError(f'"{column.name}" is a number; got "{cell:.40}"') from None
    if not np.isfinite(number):
        raise DataError(f'"{column.name}" is a finite number; got "{cell}"')
    return [number]
