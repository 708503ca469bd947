"""CSV tables -> data sets, by rules that can be told in advance.

- A feature of numbers is one input. A feature of texts is one input for each of its texts, which is
  1 where the row holds that text and 0 elsewhere.
- A column with both is refused, because a single "1,5" would turn a column of numbers into a
  hundred inputs; ``categorical`` says that numbers are meant as names.
- A target of texts, or of a few different whole numbers, is classes; other numbers are values to
  predict. ``task`` says which where that is not what is meant.
- Nothing is guessed: a missing value, NaN or infinity is an error that names its line.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import (
    ConfigurationError,
    DataError,
    NameNotFoundError,
    TargetError,
    listed,
)
from chainrule.data.cells import Cells, as_numbers, read_cells
from chainrule.data.dataset import Dataset
from chainrule.data.encoding import Column, TableEncoding

if TYPE_CHECKING:
    import polars as pl

Task = Literal["classification", "regression"]

WHOLE_NUMBER_CLASSES_AT_MOST = 20
CATEGORIES_AT_MOST = 1000

_WHOLE = re.compile(r"[+-]?\d+")


def read_table(
    path: str | Path,
    target: str,
    features: Sequence[str] | None = None,
    *,
    categorical: Sequence[str] = (),
    task: Task | None = None,
    separator: str | None = None,
) -> Dataset:
    """Read a CSV file as a data set.

    Parameters
    ----------
    path
        The file, UTF-8, with a header.
    target
        The name of the column to predict.
    features
        The columns to predict it from; if left out, all others in the order of the header.
    categorical
        Features of numbers that are meant as names, such as postcodes.
    task
        Whether the target holds classes or values. If left out: classes if it holds texts or at
        most 20 different whole numbers, each twice on average; else values.
    separator
        What stands between two cells; if left out, a tab in a ``.tsv`` file, else a comma.

    Returns
    -------
    Dataset
        x float64 (rows, inputs); y int64 (rows,), the classes sorted, or float64 (rows, 1). Its
        `encoding` reads other tables in the same way: see `read_features`.

    Raises
    ------
    NameNotFoundError
        If a column is not there. The nearest name is suggested.
    DataError, NonFiniteError
        If a cell is missing or malformed. The message names the line.
    TargetError
        If the target has one class.
    ConfigurationError
        If the target is among the features, or `task` is neither of the two.
    DataNotFoundError, FileFormatError, MissingExtraError
        As `chainrule.data.cells.read_cells` does.
    """
    cells = read_cells(path, separator)
    if target not in cells.columns:
        raise NameNotFoundError.among("column", target, cells.columns, where=f"File {path}")
    names = _feature_names(cells, target, features)
    for name in categorical:
        if name not in names:
            raise NameNotFoundError.among("feature", name, names, where=f"File {path}")
    encoding = TableEncoding(
        tuple(_feature(cells, name, name in categorical) for name in names),
        _target(cells, target, task),
    )
    return _encoded(cells, encoding)


def read_encoded(
    path: str | Path, encoding: TableEncoding, *, separator: str | None = None
) -> Dataset:
    """Read another CSV file with the columns of the first, target included.

    Parameters
    ----------
    path
        The file. Columns may stand in another order, and further columns are ignored.
    encoding
        That of the data set which `read_table` returned.
    separator
        As in `read_table`.

    Raises
    ------
    DataError
        As `read_table` does; also if a text was not in the first table.
    """
    return _encoded(read_cells(path, separator), encoding)


def read_features(
    path: str | Path, encoding: TableEncoding, *, separator: str | None = None
) -> NDArray[np.float64]:
    """Read the features of a CSV file whose target is not known, to predict it.

    Parameters
    ----------
    path, encoding, separator
        As in `read_encoded`.

    Returns
    -------
    float64 array of shape (rows, inputs)
    """
    return _inputs(read_cells(path, separator), encoding)


def _feature_names(cells: Cells, target: str, features: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(features or (name for name in cells.columns if name != target))
    if target in names:
        raise ConfigurationError(f'The target "{target}" is among the features')
    if not names:
        raise DataError(f'{cells.path} has no column but the target "{target}"')
    if "" in names:
        raise DataError(
            f"{cells.path}: column {cells.columns.index('') + 1} has no name",
            advice="Name it, or list the columns to use: features=[…]",
        )
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f'The feature "{name}" is listed twice')
    return names


def _feature(cells: Cells, name: str, is_categorical: bool) -> Column:
    texts = cells.texts(name, any_text=is_categorical)
    if not is_categorical and not _are_names(texts):
        _numbers(cells, Column(name))  # for its errors: a stray text, NaN
        return Column(name)
    categories = tuple(sorted(texts.unique().to_list()))
    limit = min(CATEGORIES_AT_MOST, max(20, len(cells) // 2))
    if len(categories) > limit:
        raise DataError(
            f'{cells.path}: "{name}" holds {len(categories)} different texts in {len(cells)} rows, '
            "and each would become an input",
            advice="List the columns to use without it: features=[…]",
        )
    return Column(name, categories)


def _target(cells: Cells, name: str, task: Task | None) -> Column:
    if task not in (None, "classification", "regression"):
        raise ConfigurationError(f'A task is "classification" or "regression", not {task!r}')
    texts = cells.texts(name)
    distinct: list[str] = texts.unique().to_list()
    if task is None:
        is_few = len(distinct) <= min(WHOLE_NUMBER_CLASSES_AT_MOST, len(cells) // 2)
        is_whole = is_few and all(_WHOLE.fullmatch(text) for text in distinct)
        task = "classification" if is_whole or _are_names(texts) else "regression"
    if task == "regression":
        _target_numbers(cells, name)  # for its errors
        return Column(name)
    if len(distinct) == 1:
        raise TargetError(
            f'{cells.path}: every row has the target "{distinct[0]}", so there is nothing to learn'
        )
    if as_numbers(texts).null_count():
        return Column(name, tuple(sorted(distinct)))
    _target_numbers(cells, name)  # for its errors: NaN is no class
    return Column(name, tuple(sorted(distinct, key=float)))


def _are_names(texts: "pl.Series") -> bool:
    """Whether no text is a number. Where some are, `Cells.numbers` finds the first that is not."""
    return as_numbers(texts).null_count() == len(texts)


def _encoded(cells: Cells, encoding: TableEncoding) -> Dataset:
    target = encoding.target
    if target.categories:
        y: NDArray[Any] = _indices(cells, target)
    else:
        y = _target_numbers(cells, target.name)[:, None]
    kind = "class" if target.categories else "value"
    return Dataset(
        cells.path.stem,
        _inputs(cells, encoding),
        y,
        feature_names=encoding.input_names,
        class_names=target.categories,
        description=f'The {kind} "{target.name}" from {len(encoding.features)} columns',
        source=str(cells.path),
        encoding=encoding,
    ).read_only()


def _inputs(cells: Cells, encoding: TableEncoding) -> NDArray[np.float64]:
    x = np.zeros((len(cells), len(encoding.input_names)))
    start = 0
    for feature in encoding.features:
        if feature.categories:
            x[np.arange(len(cells)), start + _indices(cells, feature)] = 1
        else:
            x[:, start] = _numbers(cells, feature)
        start += len(feature.input_names)
    return x


def _numbers(cells: Cells, feature: Column) -> NDArray[np.float64]:
    name = feature.name
    return cells.numbers(
        name, advice=f"Correct it, or, if these are names, give read_table categorical=[{name!r}]"
    )


def _target_numbers(cells: Cells, name: str) -> NDArray[np.float64]:
    return cells.numbers(
        name, advice='Correct it, or, if these are classes, give read_table task="classification"'
    )


def _indices(cells: Cells, column: Column) -> NDArray[np.int64]:
    """Return the place of each cell's text among the column's categories."""
    texts = cells.texts(column.name, any_text=True)
    places = range(len(column.categories))
    indices = texts.replace_strict(column.categories, places, default=None)
    if indices.null_count():
        row = int(indices.is_null().arg_max() or 0)
        raise DataError(
            f'{cells.path}: "{column.name}" holds "{texts[row]}" in line {cells.line(row)}, '
            "which was not there in training",
            advice=f"There were: {listed(column.categories)}",
        )
    return indices.to_numpy().astype(np.int64)
