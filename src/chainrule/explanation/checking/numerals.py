"""Numbers as people write them: 0.25, 0,25, 1/3, −2·10⁻³, 12 %, ?; and how exactly they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.harmless import plain
from chainrule.explanation.trace import Array

ZEROS_ARE = 3
"""Decimals that a zero is taken to have, where nothing else says how exactly it stands."""

_MISSING = {"", "?", "??", "???", "-", "--", ".", "...", "…", "_", "x", "na", "n/a", "nan", "none"}
_MISSING |= {"null", "–", "—", "missing", "todo"}
_SIGNS = str.maketrans(
    {"−": "-", "–": "-", "‒": "-", "﹣": "-", "－": "-", "\xa0": " ", "\u202f": " "}
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_DECIMAL = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<whole>\d*)(?:(?P<point>[.,])(?P<rest>\d*))?"
    r"(?:(?:e|\s*[·*x×]\s*10(?:\^|\*\*)?)\(?(?P<power>[+-]?\d{1,4})\)?)?"
    r"(?P<cut>\.\.\.|…)?\s*(?P<percent>%?)",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"([+-]?\s*\d{1,15})\s*/\s*(\d{1,15})")
_ALL_DIGITS = 17
_COMMA = "decimal commas were read as points, 0,25 as 0.25"
_PERCENT = "percents were read as hundredths, 5 % as 0.05"


@dataclass(frozen=True, eq=False)
class Numerals:
    """Numbers that were written down.

    Parameters
    ----------
    numbers : array of float64
        NaN where there is none.
    digits, decimals : array of int
        How many significant digits were written of each, and how many behind the point; 0 and 0
        where that says nothing: of a fraction, or where there is no number.
    finest : array of float64
        What the last digit of a coarse dtype counts for; 0 as a rule.
    notes : tuple of str
        How they were read, where that is no matter of course.
    problems : tuple of str
        What is no number.
    """

    numbers: Array
    digits: Array
    decimals: Array
    finest: Array
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def most_decimals(self) -> int:
        """The most decimals that one of the numbers has; 0 where all are whole."""
        return int(self.decimals.max(initial=0))

    def units(self, decimals_elsewhere: int = 0) -> Array:
        """What the last digit counts for, for each number.

        All numbers of an array are rounded alike: to as many decimals as one of them has, or to as
        many significant digits. Which of them, nobody says; so it is the coarser.

        Parameters
        ----------
        decimals_elsewhere : int
            The most that were written in any array: a zero may have as many.
        """
        size = np.abs(self.numbers)
        known = (self.digits > 0) & (size > 0)
        # A single "5" is no claim to be exact to a half: one digit says too little of rounding.
        decimals = max(self.most_decimals, 1)
        digits = max(int(self.digits[known].max(initial=0)), 2)
        with np.errstate(all="ignore"):
            exponent = _exponent(np.where(known, size, 1.0))
        by_digits = 10.0 ** np.clip(exponent - digits + 1, -300, 300)
        units = np.where(known, np.maximum(10.0**-decimals, by_digits), 0.0)
        # A zero of text says its decimals, 0.00; that of a float could have any.
        elsewhere = min(decimals_elsewhere or ZEROS_ARE, ZEROS_ARE)
        of_zero = np.where(self.decimals > 0, decimals, max(self.most_decimals, elsewhere))
        units = np.where(self.numbers == 0, 10.0**-of_zero, units)
        return np.asarray(np.maximum(units, self.finest))


def read_numerals(given: Any) -> Numerals:
    """Read an array, a number, a text, or lists of these.

    Raises
    ------
    ValueError
        With a sentence: rows are not of one length, or it is no number at all.
    """
    if hasattr(given, "detach"):  # a tensor of torch that a gradient flows through
        given = given.detach()
    if isinstance(given, np.ma.MaskedArray):
        given = np.where(np.ma.getmaskarray(given), np.nan, given.data)
    if isinstance(given, str | bytes) or given is None:
        return _of_cells([given], ())
    if isinstance(given, Sequence):
        cells, shape = _flattened(given)
        if all(isinstance(cell, int | float) for cell in cells):
            with suppress(OverflowError):  # an int that no float holds is told by itself
                return _of_floats(np.array(cells, np.float64).reshape(shape))
        return _of_cells(cells, shape)
    array = np.asarray(given)
    if array.dtype.kind in "fiub":
        return _of_floats(array)
    if array.dtype.kind in "OUST":
        return _of_cells(list(array.ravel()), array.shape)
    raise ValueError(f"it holds {array.dtype}, which are no real numbers")


def _flattened(given: Sequence[Any]) -> tuple[list[Any], tuple[int, ...]]:
    """The cells of nested lists, and their shape."""
    level: list[Any] = list(given)
    shape = [len(level)]
    while level and any(_is_row(each) for each in level):
        rows = [_as_row(each) for each in level]
        lengths = sorted({len(row) for row in rows if row is not None})
        if None in rows or len(lengths) > 1:
            raise ValueError(
                "it has rows of different lengths: " + " and ".join(map(str, lengths))
                if len(lengths) > 1
                else "it has rows of numbers beside single numbers"
            )
        shape.append(lengths[0])
        level = [cell for row in rows if row is not None for cell in row]
    return level, tuple(shape)


def _is_row(each: Any) -> bool:
    is_array = getattr(each, "ndim", 0) > 0
    return is_array or (isinstance(each, Sequence) and not isinstance(each, str | bytes))


def _as_row(each: Any) -> list[Any] | None:
    if not _is_row(each):
        return None
    if hasattr(each, "detach"):
        each = each.detach()
    return list(each) if isinstance(each, Sequence) else list(np.asarray(each))


def _of_floats(array: Array) -> Numerals:
    """The digits of floats: the fewest that give the same float."""
    numbers = np.asarray(array, np.float64)
    is_coarse = array.dtype.kind == "f" and array.dtype.itemsize < 8
    epsilon = float(np.finfo(array.dtype if is_coarse else np.float64).eps)
    size = np.abs(numbers)
    ordinary = np.isfinite(numbers) & (size > 1e-280) & (size < 1e280)
    exponent = _exponent(np.where(ordinary, size, 1.0))
    digits = np.where(ordinary, _ALL_DIGITS, 0)
    for count in range(1, _ALL_DIGITS):
        is_open = digits == _ALL_DIGITS
        if not is_open.any():
            break
        scale = 10.0 ** np.clip(count - 1 - exponent, -300, 300)
        with np.errstate(all="ignore"):
            rounded = np.rint(numbers * scale) / scale
            # Rounded and multiplied, 0.3 may be the float beside it.
            digits[is_open & (np.abs(rounded - numbers) <= 8 * epsilon * size)] = count
    decimals = np.where(digits > 0, np.clip(digits - 1 - exponent, 0, 300), 0).astype(int)
    finest = np.zeros(numbers.shape)
    if is_coarse and array.dtype.itemsize < 4:
        finest = np.where(np.isfinite(size), 2 * epsilon * size, 0.0)
    return Numerals(numbers, digits, decimals, finest)


def _exponent(size: Array) -> Array:
    """The power of ten of the first digit; 0.0001 in float32 is a little less than that."""
    return np.asarray(np.floor(np.log10(size * (1 + 1e-6))))


@dataclass(frozen=True)
class _Cell:
    number: float
    digits: int = 0
    decimals: int = 0
    finest: float = 0.0
    note: str = ""
    problem: str = ""


def _of_cells(cells: Sequence[Any], shape: tuple[int, ...]) -> Numerals:
    read = [_cell(cell) for cell in cells]
    problems = dict.fromkeys(cell.problem for cell in read if cell.problem)
    notes = dict.fromkeys(cell.note for cell in read if cell.note)
    return Numerals(
        np.array([cell.number for cell in read], np.float64).reshape(shape),
        np.array([cell.digits for cell in read], int).reshape(shape),
        np.array([cell.decimals for cell in read], int).reshape(shape),
        np.array([cell.finest for cell in read], np.float64).reshape(shape),
        tuple(notes),
        tuple(problems),
    )


def _cell(cell: Any) -> _Cell:
    if cell is None:
        return _Cell(np.nan)
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "replace")
    if not isinstance(cell, str):
        try:
            found = _of_floats(np.asarray(cell, getattr(cell, "dtype", np.float64)))
            return _Cell(
                float(found.numbers), int(found.digits), int(found.decimals), float(found.finest)
            )
        except (TypeError, ValueError, OverflowError):
            return _Cell(np.nan, problem=f"{plain(repr(cell))[:40]} is no number")
    return _text(cell)


def _text(written: str) -> _Cell:
    text = written.translate(_SIGNS).strip().strip('"').lstrip("≈~=").strip()
    if text.casefold() in _MISSING:
        return _Cell(np.nan)
    if text.casefold().lstrip("+-") in ("inf", "infinity", "∞"):
        return _Cell(-np.inf if text.startswith("-") else np.inf)
    fraction = _FRACTION.fullmatch(text)
    if fraction and int(fraction[2]):
        top = int(fraction[1].replace(" ", ""))
        return _Cell(top / int(fraction[2]))
    decimal = _DECIMAL.fullmatch(text.translate(_RAISED))
    if decimal is None or not (decimal["whole"] or decimal["rest"]):
        return _Cell(np.nan, problem=f'"{plain(written.strip())[:40]}" is no number')
    return _decimal(decimal)


def _decimal(found: re.Match[str]) -> _Cell:
    whole, rest = found["whole"], found["rest"] or ""
    power = int(found["power"] or 0) - (2 if found["percent"] else 0)
    number = float(f"{found['sign']}{whole or 0}.{rest or 0}e{power}")
    digits = len((whole + rest).lstrip("0")) if number else 0
    decimals = max(len(rest) - power, 0)
    notes = [_COMMA] if found["point"] == "," else []
    notes += [_PERCENT] if found["percent"] else []
    finest = 0.0
    if found["cut"]:  # 0.33...: cut off, not rounded
        finest = 2 * 10.0 ** -min(len(rest) - power, 300)
    return _Cell(number, digits, decimals, finest, "; ".join(notes))
