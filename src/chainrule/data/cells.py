"""A CSV file as columns of text, each cell of which can be located by its line.

Everything is read as text first, so that what a column holds is decided by chainrule's rules, which
are written down in `tables.py`, and not by a guess from the first hundred rows.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import (
    DataError,
    DataNotFoundError,
    FileFormatError,
    MissingExtraError,
    NameNotFoundError,
    NonFiniteError,
    did_you_mean,
)

if TYPE_CHECKING:
    import polars as pl

_MISSING = ("", "?", "NA", "N/A", "n/a", "null", "NULL")


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a table, as text.

    Attributes
    ----------
    path
        The file.
    separator
        What stands between two cells.
    columns
        The names in the header.
    frame
        One text column for each of them, without white space around the cells; None is a cell that
        is empty. Rows with nothing in them are left out.
    records
        For each row of the frame, which record of the file it is, counted from 0 after the header.
    """

    path: Path
    separator: str
    columns: tuple[str, ...]
    frame: "pl.DataFrame"
    records: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.records)

    def texts(self, column: str, *, any_text: bool = False) -> "pl.Series":
        """Return a column of text without missing cells.

        Parameters
        ----------
        column
            Its name.
        any_text
            Whether marks such as NA are texts like others; an empty cell is missing all the same.

        Raises
        ------
        NameNotFoundError
            If there is no such column.
        DataError
            If a cell is missing. The message names its line.
        """
        if column not in self.columns:
            raise NameNotFoundError.among("column", column, self.columns, where=f"File {self.path}")
        texts = self.frame[column]
        missing = texts.is_null()
        if not any_text:
            missing |= texts.is_in(_MISSING)
        if missing.any():
            self._refuse_missing(column, texts, missing.arg_true().to_list())
        return texts

    def numbers(self, column: str, *, advice: str) -> NDArray[np.float64]:
        """Return a column of finite numbers.

        Parameters
        ----------
        column
            Its name.
        advice
            What to do if a cell holds something else.

        Raises
        ------
        NameNotFoundError, DataError
            As `texts` does; also if a cell holds something else.
        NonFiniteError
            If a cell holds NaN or infinity.
        """
        texts = self.texts(column)
        numbers = as_numbers(texts)
        if numbers.null_count():
            row = int(numbers.is_null().arg_max() or 0)
            raise DataError(
                f'{self.path}: "{column}" holds {texts[row]!r:.60} in line {self.line(row)}, '
                "which is no number",
                advice=advice,
            )
        values = numbers.to_numpy()
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise NonFiniteError(
                f'{self.path}: "{column}" holds {texts[row]} in line {self.line(row)}',
                advice="Correct or remove that row: it would spread to every weight",
            )
        return values

    def line(self, row: int) -> int:
        """Return the line of the file on which a row of the frame starts, counted from 1."""
        record = int(self.records[row])
        for index, (line, _) in enumerate(_records(self.path, self.separator)):
            if index == record + 1:  # the header is the first
                return line
        raise DataError(f"{self.path} changed while it was read")

    def _refuse_missing(self, column: str, texts: "pl.Series", rows: Sequence[int]) -> NoReturn:
        _refuse_ragged(self.path, self.separator, len(self.columns))
        text = texts[rows[0]]
        what = "is empty" if not text else f'holds "{text}", a missing value,'
        others = f", and in {len(rows) - 1} more rows" if len(rows) > 1 else ""
        raise DataError(
            f'{self.path}: "{column}" {what} in line {self.line(rows[0])}{others}',
            advice="Fill it in or remove the row: chainrule does not guess values",
        )


def read_cells(path: str | Path, separator: str | None = None) -> Cells:
    """Read a CSV file as text.

    Parameters
    ----------
    path
        The file, UTF-8, with a header.
    separator
        What stands between two cells; if left out, a tab in a ``.tsv`` file, else a comma.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    DataError
        If rows are longer or shorter than the header, or there are none.
    FileFormatError
        If it is not text, or not CSV.
    MissingExtraError
        If polars is not installed.
    """
    _require_polars()
    import polars as pl

    path = Path(path)
    separator = separator or ("\t" if path.suffix.lower() == ".tsv" else ",")
    columns = _read_header(path, separator)
    try:
        frame = pl.read_csv(path, separator=separator, infer_schema=False, glob=False)
    except pl.exceptions.PolarsError as error:
        _refuse_ragged(path, separator, len(columns))
        reason = str(error).splitlines()[0]
        raise FileFormatError(f"{path} cannot be read as CSV: {reason}") from None
    frame.columns = list(columns)
    frame = frame.with_columns(pl.all().str.strip_chars())
    empty = pl.all_horizontal(pl.all().is_null() | (pl.all() == ""))
    is_empty = frame.select(empty).to_series().to_numpy()
    cells = Cells(
        path,
        separator,
        columns,
        frame.filter(~is_empty).with_columns(pl.all().replace("", None)),
        np.flatnonzero(~is_empty),
    )
    if not len(cells):
        raise DataError(f"{path} has a header and no rows")
    return cells


def as_numbers(texts: "pl.Series") -> "pl.Series":
    """Return a column of text as float64, with None where a text is no number."""
    import polars as pl

    return texts.cast(pl.Float64, strict=False)


def _require_polars() -> None:
    try:
        import polars  # noqa: F401, ICN001
    except ImportError:
        raise MissingExtraError(
            "Tables are read by polars, which is not installed",
            advice='Install it with: pip install "chainrule[tables]"',
        ) from None


def _read_header(path: Path, separator: str) -> tuple[str, ...]:
    try:
        header = next(_records(path, separator), None)
    except FileNotFoundError:
        neighbours = [file.name for file in path.parent.glob(f"*{path.suffix}")]
        raise DataNotFoundError(
            f"There is no file {path}", advice=did_you_mean(path.name, neighbours)
        ) from None
    except IsADirectoryError:
        raise DataNotFoundError(f"{path} is a folder, not a table") from None
    if header is None or not any(header[1]):
        raise DataError(f"{path} starts with nothing: its first line must name the columns")
    columns = tuple(name.strip() for name in header[1])
    for name in columns:
        if columns.count(name) > 1:
            raise DataError(
                f'{path} has two columns named "{name}"'
                if name
                else f"{path} has two columns without a name",
                advice="Give each column a name of its own",
            )
    others = [other for other in (";", "\t", "|", ",") if other in columns[0]]
    if len(columns) == 1 and others:
        raise DataError(
            f"{path} has one column, {columns[0]!r}",
            advice=f"If that is several, pass separator={others[0]!r}",
        )
    return columns


def _records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record of the file with the line on which it starts, by Python's own reader.

    It is slower than polars and knows its place: for the header, and for saying where an error is.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        line = 1
        try:
            for record in reader:
                yield line, record
                line = reader.line_num + 1
        except csv.Error as error:
            raise FileFormatError(
                f"{path} cannot be read as CSV: {error} in line {reader.line_num}"
            ) from None
        except UnicodeDecodeError:
            raise FileFormatError(
                f"{path} is not UTF-8 text",
                advice="If it is a table, save it as CSV in UTF-8",
            ) from None


def _refuse_ragged(path: Path, separator: str, width: int) -> None:
    """Raise DataError if a record has more or fewer cells than the header."""
    for line, record in _records(path, separator):
        if record and len(record) != width:
            raise DataError(
                f"{path}: line {line} has {_cells(len(record))}, and the header names {width}",
                advice="A text that contains the separator must stand in double quotes",
            )


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
