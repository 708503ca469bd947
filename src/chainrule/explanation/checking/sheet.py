"""Numbers by name in a CSV file, in one of three ways.

One number a line, below a header::

    name,index,value             name,row,column,value          name,value
    W1,"0,1",0.120               W1,0,1,0.120                   w5,0.0822

Or a value a block: its name, and its rows beside or below it::

    W1,0.120,-0.031              W1
    ,0.480,0.007                 0.120,-0.031
    b1,0.5,0.25                  0.480,0.007

Or names side by side, and numbers below them::

    w1, w2, w3
    0.14978, 0.19956, 0.24975

Cells are separated by commas, semicolons or tabs; beside the last two a decimal may have a comma.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Any

from chainrule.base.errors import FileFormatError
from chainrule.explanation.checking.numerals import read_numerals
from chainrule.explanation.checking.spreading import Elements
from chainrule.explanation.trace import Index

_HEADERS = {
    "name": ("name", "what", "value of", "variable", "parameter", "quantity", "symbol", "key"),
    "index": ("index", "indices", "position", "element", "at", "idx"),
    "row": ("row", "i", "j", "out", "zeile"),
    "column": ("column", "col", "k", "in", "spalte"),
    "value": ("value", "number", "gradient", "grad", "mine", "answer", "result", "values", "wert"),
}
_OPEN_BRACKET = re.compile(r"[^\[\]]*\[[\d\s,]+")


def read_sheet(text: str, where: str) -> dict[str, Any]:
    """Read a table of numbers.

    Parameters
    ----------
    text : str
    where : str
        The file, for errors.

    Returns
    -------
    dict of str
        To texts, lists of texts, or elements by index.

    Raises
    ------
    FileFormatError
        If it is no such table; the message names the line.
    """
    lines = _lines(text, where)
    columns = _columns(lines[0][1]) if lines else None
    if columns is not None:
        return _one_a_line(lines[1:], columns, where)
    across = _across([cells for _, cells in lines if cells])
    return _blocks(lines, where) if across is None else across


def _lines(text: str, where: str) -> list[tuple[int, list[str]]]:
    """The cells of each line, with its number; lines that are empty have none."""
    separator = next((mark for mark in ";\t" if mark in text), ",")
    found: list[tuple[int, list[str]]] = []
    reader = csv.reader(text.splitlines(), delimiter=separator, skipinitialspace=True)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if stripped and stripped[0].startswith("#"):
                continue
            while stripped and not stripped[-1]:
                stripped.pop()
            if stripped or found:
                found.append((reader.line_num, _rejoined(stripped)))
    except csv.Error as error:
        raise FileFormatError(
            f"{where} cannot be read as CSV: {error} in line {reader.line_num}"
        ) from None
    return found


def _rejoined(cells: list[str]) -> list[str]:
    """``W1[0,1]`` without quotes is one cell."""
    found: list[str] = []
    for cell in cells:
        if found and _OPEN_BRACKET.fullmatch(found[-1]):
            found[-1] += f",{cell}"
        else:
            found.append(cell)
    return found


def _columns(header: Sequence[str]) -> dict[str, int] | None:
    """Where name, index and value stand; None where the first line is no header."""
    if any(_is_number(cell) for cell in header) or len(header) < 2:
        return None
    found: dict[str, int] = {}
    for k, cell in enumerate(header):
        for meaning, words in _HEADERS.items():
            if cell.casefold() in words:
                found.setdefault(meaning, k)
    return found if {"name", "value"} <= found.keys() else None


def _one_a_line(
    lines: Sequence[tuple[int, list[str]]], columns: dict[str, int], where: str
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = dict(columns)
    for line, cells in lines:
        if not cells:
            continue

        def cell(meaning: str, cells: list[str] = cells) -> str:
            k = at.get(meaning)
            return cells[k] if k is not None and k < len(cells) else ""

        name, number = cell("name"), cell("value")
        if not name:
            raise FileFormatError(f"{where}: line {line} names no value")
        index = _index(cell("index") or " ".join((cell("row"), cell("column"))), line, where)
        if index:
            told = found.setdefault(name, Elements())
            if not isinstance(told, Elements) or index in told:
                raise FileFormatError(f"{where}: line {line} gives {name}{list(index)} again")
            told[index] = number
        else:
            told = found.setdefault(name, [])
            if isinstance(told, Elements):
                raise FileFormatError(f"{where}: line {line} gives {name} without an index")
            told.append(number)
    return {
        name: told[0] if isinstance(told, list) and len(told) == 1 else told
        for name, told in found.items()
    }


def _index(text: str, line: int, where: str) -> Index:
    bare = text.strip().strip("[]()")
    parts = [part for part in re.split(r"[\s,;:]+", bare) if part]
    if not all(re.fullmatch(r"\d+", part) for part in parts):
        raise FileFormatError(
            f'{where}: line {line} has the index "{text.strip()[:40]}"',
            advice="An index is made of whole numbers from 0, such as 0,1",
        )
    return tuple(map(int, parts))


def _across(lines: Sequence[list[str]]) -> dict[str, Any] | None:
    """The numbers below each name; None where the first line does not hold names alone."""
    if len(lines) < 2:
        return None
    names, *rows = lines
    is_header = len(names) > 1 and all(cell and not _is_number(cell) for cell in names)
    are_numbers = all(len(row) <= len(names) and all(map(_is_number, row)) for row in rows)
    if not is_header or not are_numbers or len(set(names)) < len(names):
        return None
    columns = zip(*(row + [""] * (len(names) - len(row)) for row in rows), strict=True)
    found = {}
    for name, column in zip(names, columns, strict=True):
        cells = list(column)
        while len(cells) > 1 and not cells[-1]:  # the others go further down
            cells.pop()
        found[name] = cells if len(cells) > 1 else cells[0]
    return found


def _blocks(lines: Sequence[tuple[int, list[str]]], where: str) -> dict[str, Any]:
    found: dict[str, list[list[str]]] = {}
    current: list[list[str]] | None = None
    last = ""
    for line, cells in lines:
        if not cells:
            current = None
            continue
        is_name = bool(cells[0]) and not _is_number(cells[0])
        if is_name:
            name, row = cells[0].rstrip(":="), cells[1:]
            if name in found and name != last:
                raise FileFormatError(f"{where}: line {line} gives {name} again")
            current, last = found.setdefault(name, []), name
        else:
            # An empty cell below the name belongs to it; without one the row begins at once.
            row = cells[1:] if not cells[0] and len(cells) > 1 else cells
        if current is None:
            raise FileFormatError(
                f"{where}: line {line} has numbers and no name",
                advice="Begin a value with its name: W1,0.12,0.34",
            )
        if row:
            current.append(row)
    return {name: _shaped(rows) for name, rows in found.items()}


def _shaped(rows: list[list[str]]) -> Any:
    """A number, a row or a table."""
    if len(rows) == 1:
        return rows[0][0] if len(rows[0]) == 1 else rows[0]
    return rows or None


def _is_number(cell: str) -> bool:
    try:
        return not read_numerals(cell).problems
    except ValueError:
        return False
