"""Files of answers, read as text: what was written beside which name. Nothing is evaluated.

A file begins with what its `template` says, or has a column ``learner`` and holds a class. A
spreadsheet may have written it with semicolons or tabs, in Windows' letters, with empty columns.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from chainrule.base.errors import DataNotFoundError, FileFormatError
from chainrule.base.harmless import plain
from chainrule.explanation.exercises.template import ANSWER, EXERCISE, LEARNER, VALUE

_ENDINGS = (".csv", ".tsv", ".txt")
_LARGEST = 4 * 2**20
_MOST_ROWS, _MOST_LEARNERS = 60_000, 1_000
_SEPARATORS = (",", ";", "\t")
_OTHER_WORDS = {
    "values": VALUE,
    "name": VALUE,
    "number": VALUE,
    "quantity": VALUE,
    "answers": ANSWER,
    "result": ANSWER,
    "student": LEARNER,
}
_HALF = re.compile(r"\s*[-+−]?\d+\s*")
_REST = re.compile(r"\s*\d+(e[-+]?\d+)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Handed:
    """What one learner handed in.

    Parameters
    ----------
    learner : str
    code : str
        The line that describes the exercise; empty where there is none.
    answers : tuple of (str, str)
        Names and what was written beside them, in order.
    file : str
    problems : tuple of str
        What could not be read.
    """

    learner: str
    code: str = ""
    answers: tuple[tuple[str, str], ...] = ()
    file: str = ""
    problems: tuple[str, ...] = ()


@dataclass
class _Sheet:
    """A file while it is read."""

    learner: str = ""
    code: str = ""
    columns: dict[int, str] = field(default_factory=dict)
    groups: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)


def read_handed(path: Path) -> list[Handed]:
    """Read a file, or every file of a folder.

    Raises
    ------
    DataNotFoundError
        If there is nothing, or nothing that could hold answers.
    """
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.is_file())
        answers = [each for each in files if each.suffix.lower() in _ENDINGS]
        if not answers:
            raise DataNotFoundError(f"The folder {path} holds no file of answers (.csv)")
        found = [handed for each in answers for handed in _read_or_say(each)]
        hidden = (".chainrule-", ".")
        others = [e for e in files if e not in answers and not e.name.startswith(hidden)]
        for each in others:
            reason = f"{each.name} is no CSV file, and was left out"
            found.append(Handed(each.stem, file=each.name, problems=(reason,)))
        return found
    if not path.exists():
        raise DataNotFoundError(f"There is no file {path}")
    return _read_or_say(path)


def _read_or_say(path: Path) -> list[Handed]:
    """What a file holds; where it cannot be read, one learner with the reason."""
    try:
        return read_text(text_of(path), path.name)
    except (FileFormatError, OSError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return [Handed(path.stem, file=path.name, problems=(told,))]


def text_of(path: Path) -> str:
    """The text of a file.

    Raises
    ------
    FileFormatError
        If it is empty, too large, or no text.
    """
    size = path.stat().st_size
    if size > _LARGEST:
        raise FileFormatError(
            f"{path.name} has {size:,} bytes; a file of answers has at most {_LARGEST:,}"
        )
    content = path.read_bytes()
    if content.startswith(b"PK\x03\x04"):
        raise FileFormatError(
            f"{path.name} is a spreadsheet or an archive, not text", advice="Save it as CSV"
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:  # what a spreadsheet saves as "CSV" on Windows
            text = content.decode("cp1252", "replace")
    if "\0" in text:
        raise FileFormatError(f"{path.name} is not text: it holds bytes that are 0")
    if not text.strip():
        raise FileFormatError(f"{path.name} is empty")
    return text


def read_text(text: str, file: str = "") -> list[Handed]:
    """Read the text of a file.

    Raises
    ------
    FileFormatError
        If it is no table.
    """
    rows = _rows(text, file)
    sheet = _Sheet()
    for row in rows:
        _read_row(sheet, row)
    name = Path(file).stem
    if not sheet.groups and not sheet.code:
        raise FileFormatError(
            f"{file or 'The text'} holds no answers",
            advice=f"A row is a name and a number, below a heading {VALUE},{ANSWER}",
        )
    if not sheet.groups:
        return [Handed(sheet.learner or name, sheet.code, (), file)]
    if len(sheet.groups) > _MOST_LEARNERS:
        raise FileFormatError(
            f"{file} holds {len(sheet.groups):,} learners; at most {_MOST_LEARNERS:,} are graded"
        )
    return [
        Handed(learner or sheet.learner or name, code or sheet.code, tuple(pairs), file)
        for (learner, code), pairs in sheet.groups.items()
    ]


def _rows(text: str, file: str) -> list[list[str]]:
    """The rows, by the separator with which there is a heading, or else most cells."""
    best: list[list[str]] = []
    for separator in _SEPARATORS:
        try:
            rows = list(_cells(text, separator))
        except csv.Error as error:
            raise FileFormatError(f"{file or 'The text'} is no CSV: {error}") from None
        if any(_heading(row) for row in rows):
            return rows
        if sum(map(len, rows)) > sum(map(len, best)):
            best = rows
    return best


def _cells(text: str, separator: str) -> Iterator[list[str]]:
    lines = text.splitlines()
    if len(lines) > _MOST_ROWS:
        raise csv.Error(f"it has {len(lines):,} rows, and at most {_MOST_ROWS:,} are read")
    for row in csv.reader(lines, delimiter=separator):
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield _rejoined(cells, separator)


def _rejoined(cells: Sequence[str], separator: str) -> list[str]:
    """``dW1[0,1]`` typed without quotes is one cell, though there is a comma in it."""
    found: list[str] = []
    for cell in cells:
        if found and separator == "," and found[-1].count("[") > found[-1].count("]"):
            found[-1] += f",{cell}"
        else:
            found.append(cell)
    return found


def _word(cell: str) -> str:
    word = cell.casefold().strip().rstrip(":")
    return _OTHER_WORDS.get(word, word)


def _heading(row: Sequence[str]) -> dict[int, str]:
    """The columns that a row names, or nothing if it is no heading."""
    words = [_word(cell) for cell in row]
    if VALUE in words and ANSWER in words:
        known = (LEARNER, EXERCISE, VALUE, ANSWER)
        return {k: word for k, word in enumerate(words) if word in known}
    # One row for each learner: the other columns are the names of values.
    if LEARNER in words and (EXERCISE in words or len(row) > 2):
        return {k: w if w in (LEARNER, EXERCISE) else row[k] for k, w in enumerate(words)}
    return {}


def _read_row(sheet: _Sheet, row: list[str]) -> None:
    heading = _heading(row)
    first = _word(row[0])
    if heading:
        sheet.columns = heading
    elif first == EXERCISE and not _is_of_class(sheet):
        sheet.code = ",".join(row[1:])
    elif first == LEARNER and not _is_of_class(sheet):
        sheet.learner = ",".join(row[1:])
    elif VALUE in sheet.columns.values() or not sheet.columns:
        _read_answer(sheet, row)
    else:
        cells = {sheet.columns[k]: cell for k, cell in enumerate(row) if k in sheet.columns}
        key = (cells.pop(LEARNER, ""), cells.pop(EXERCISE, ""))
        sheet.groups.setdefault(key, []).extend(cells.items())


def _is_of_class(sheet: _Sheet) -> bool:
    return LEARNER in sheet.columns.values()


def _read_answer(sheet: _Sheet, row: list[str]) -> None:
    columns = sheet.columns or {0: VALUE, 1: ANSWER}
    last = max(columns)
    if columns[last] == ANSWER and len(row) == last + 2:
        whole, rest = row[last:]
        if _HALF.fullmatch(whole) and _REST.fullmatch(rest):  # 0,25 between commas is two cells
            row = [*row[:last], f"{whole},{rest}"]
    cells = {word: row[k] if k < len(row) else "" for k, word in columns.items()}
    key = (cells.get(LEARNER, ""), cells.get(EXERCISE, ""))
    sheet.groups.setdefault(key, []).append((cells.get(VALUE, ""), cells.get(ANSWER, "")))


def named(handed: Handed, *problems: str) -> Handed:
    """The same with more that is wrong with it, harmless to print."""
    return replace(handed, problems=(*handed.problems, *map(plain, problems)))
