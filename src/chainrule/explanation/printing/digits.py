"""Numbers as they are shown: nine significant digits, and columns that add up as they stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

SIGNIFICANT = 9
"""Digits: as many as it takes to tell any two float32 apart."""

_FIXED = range(-4, 9)  # powers of ten of numbers that are read with ease as they are


def number(value: Any) -> str:
    """Write a value of a step.

    Examples
    --------
    >>> number(0.08216704056423078), number(1.0), number(float("nan")), number(True)
    ('0.0821670406', '1', 'nan', 'true')
    """
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, int | np.integer):
        return str(int(value))
    return f"{float(value):.{SIGNIFICANT}g}"


def literal(value: float | int | bool) -> str:
    """Write a number of a formula: as it was typed, where it was rounded to float32 since.

    Examples
    --------
    >>> literal(0.8999999761581421), literal(0.999), literal(1.0), literal(1e-08)
    ('0.9', '0.999', '1', '1e-08')
    """
    if isinstance(value, bool | int) or not math.isfinite(value):
        return number(value)
    with np.errstate(over="ignore"):
        single = np.float32(value)
    text = str(single) if float(single) == value else repr(value)
    text = text if len(text) <= SIGNIFICANT + 3 else number(value)
    return text.removesuffix(".0")


@dataclass(frozen=True)
class Column:
    """Numbers one below the other, with the same number of decimals.

    Parameters
    ----------
    cells : list of str
    rounding : str
        What makes the cells add up to the total, digit by digit.
    total : str
    power : int
        Of ten: what all of them are to be multiplied by.
    """

    cells: list[str]
    rounding: str
    total: str
    power: int = 0


def column(values: Sequence[float], total: float) -> Column:
    """Write numbers and their stored sum so that what is printed adds up exactly.

    The last place is the ninth digit of the largest. What the stored sum was rounded by and what
    the printed digits leave out are one number, so that nothing is hidden.

    Examples
    --------
    >>> found = column([0.0553994246514, -0.0190491182583], 0.0363503063931)
    >>> found.cells, found.rounding, found.total
    (['0.0553994247', '-0.0190491183'], '0.0000000000', '0.0363503064')
    """
    every = [*values, total]
    if not all(map(math.isfinite, every)):
        return Column([number(value) for value in values], "", number(total))
    largest = max(abs(value) for value in every)
    exponent = math.floor(math.log10(largest)) if largest else 0
    power = 0 if exponent in _FIXED else exponent
    quantum = Decimal(1).scaleb(exponent - power - SIGNIFICANT + 1)
    scaled = [_quantized(Decimal(value).scaleb(-power), quantum) for value in every]
    cells, stored = scaled[:-1], scaled[-1]
    rounding = stored - sum(cells, Decimal(0))
    return Column([f"{cell:f}" for cell in cells], f"{rounding:f}", f"{stored:f}", power)


def _quantized(value: Decimal, quantum: Decimal) -> Decimal:
    return value.quantize(quantum) + 0  # no -0
