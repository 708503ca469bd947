"""What rounding may do to an op's terms: the derived bound of every comparison.

An element that a backend computes lies in an interval that follows from the op's terms alone:
each primitive maps intervals to intervals, and widens the result by its own rounding error
[Higham 2002, §2.2 and §3.1]. So no comparison needs a tolerance that somebody chose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import MissingKernelError
from chainrule.graph import DType
from chainrule.ops.expression import Element, Expression, Literal, read
from chainrule.testing.exact import Number, context, exact_function

Array = NDArray[Any]

# What every backend must keep to, in units in the last place. IEEE 754 rounds these correctly:
ROUNDED_CORRECTLY = frozenset({"add", "sub", "mul", "div", "sqrt"})
# These choose, change a sign or give a whole number, and round nothing:
EXACT = frozenset(
    {"neg", "abs", "sign", "max", "min", "select", "floor", "ceil", "round", "floor_divide"}
)
# All others: a vector library's usual promise (NumPy's SVML kernels, and ours).
MAX_ULPS = 4.0

_INCREASING = frozenset(
    {
        *("exp", "expm1", "log", "log1p", "sqrt", "tanh", "atan", "erf"),
        *("sign", "floor", "ceil", "round"),
    }
)
_COMPARISONS = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})


def allowed_ulps(primitive: str) -> float:
    """The error of a primitive that a backend may have, in units in the last place."""
    if primitive in EXACT:
        return 0.0
    return 0.5 if primitive in ROUNDED_CORRECTLY else MAX_ULPS


@dataclass(frozen=True, slots=True)
class Enclosure:
    """The numbers of one dtype from `low` to `high`; both NaN: not a number."""

    low: Number
    high: Number
    dtype: DType

    def holds(self, number: float) -> bool:
        """Whether a computed `number` is one that correct code may give."""
        if np.isnan(number) or context().isnan(self.low):
            return bool(np.isnan(number) and context().isnan(self.low))
        return bool(self.low <= number <= self.high)

    def __str__(self) -> str:
        mp = context()
        digits = 9 if self.dtype is DType.F32 else 17
        middle = mp.nstr(self.low if self.low == self.high else (self.low + self.high) / 2, digits)
        return f"{middle} ± {mp.nstr((self.high - self.low) / 2, 2)}"


@dataclass(frozen=True)
class _Precision:
    """How a float dtype rounds."""

    unit: Number  # half the gap above 1
    smallest: Number  # the smallest subnormal
    largest: Number


@cache
def _precision(dtype: DType) -> _Precision:
    info: Any = np.finfo(dtype.numpy)
    mp = context()
    return _Precision(
        mp.mpf(float(info.eps)) / 2,
        mp.mpf(float(info.smallest_subnormal)),
        mp.mpf(float(info.max)),
    )


def enclose(expression: Expression, arrays: Sequence[Array], dtype: DType) -> Any:
    """Every result that a correct evaluation of `expression` may have.

    Parameters
    ----------
    expression : Expression
        Of elements of the operands, as `Op.terms` gives it.
    arrays : sequence of array
        The operands.
    dtype : DType
        The result's.

    Returns
    -------
    Enclosure, int, bool or None
        An interval for a float; an integer or truth value is exact; None is a truth value, or an
        integer, that hangs on rounding.
    """
    floats = [DType.of(array.dtype) for array in arrays if array.dtype.kind == "f"]
    precision = dtype if dtype.is_float else (floats or [DType.F64])[0]
    value = read(expression, _EnclosureReader(arrays, precision))
    return _in_dtype(value, dtype) if dtype.is_float else value


def _in_dtype(value: Any, dtype: DType) -> Any:
    """A literal takes the dtype of what it meets."""
    if isinstance(value, Enclosure):
        return value
    number = context().mpf(float(dtype.numpy.type(value)))
    return Enclosure(number, number, dtype)


class _EnclosureReader:
    def __init__(self, arrays: Sequence[Array], precision: DType) -> None:
        self.arrays = arrays
        self.precision = precision  # of what is made of literals alone
        self.mp = context()

    def leaf(self, leaf: Expression) -> Any:
        match leaf:
            case Literal(value):
                return value
            case Element(operand, index):
                array = self.arrays[operand]
                number = array[index].item()
                if array.dtype.kind != "f":
                    return number
                exact = self.mp.mpf(number)
                return Enclosure(exact, exact, DType.of(array.dtype))
        raise TypeError(f"{type(leaf).__name__} is no element and no number")

    def apply(self, op: str, arguments: Sequence[Any], dtype: DType | None) -> Any:
        if op == "cast":
            assert dtype is not None
            return self.cast(arguments[0], dtype)
        kind = self.kind(arguments)
        if op == "select":
            condition, a, b = arguments
            return _select(condition, a, b, kind)
        if kind is None:
            # Only integers, truth values and numbers written in the formula: nothing rounds.
            return None if None in arguments else exact_function(op)(*arguments)
        operands = [_in_dtype(a, kind) for a in arguments]
        if op in _COMPARISONS:
            return _compare(op, *operands)
        if op == "is_finite":
            ends = {bool(self.mp.isfinite(end)) for end in (operands[0].low, operands[0].high)}
            return ends.pop() if len(ends) == 1 else None
        return self.rounded(self.image(op, operands), kind, allowed_ulps(op))

    def kind(self, values: Sequence[Any]) -> DType | None:
        """The float dtype in which `values` meet; None for integers and truth values."""
        found = next((value.dtype for value in values if isinstance(value, Enclosure)), None)
        if found is None and any(isinstance(value, float) for value in values):
            return self.precision
        return found

    def image(self, op: str, operands: Sequence[Enclosure]) -> tuple[Number, Number]:
        """The least and the greatest exact result on intervals."""
        f = exact_function(op)
        if any(self.mp.isnan(x.low) for x in operands):
            return self.mp.nan, self.mp.nan
        if all(x.low == x.high for x in operands) and not _at_pole(op, operands):
            value = f(*(x.low for x in operands))
            return value, value
        if op in _INCREASING:
            (x,) = operands
            return f(max(x.low, _DOMAIN_LOW.get(op, -self.mp.inf))), f(x.high)
        if op not in _IMAGES:
            raise MissingKernelError(
                f"The oracle has no image of an interval under the primitive {op}",
                advice="Add one in chainrule/testing/enclosure.py",
            )
        return _IMAGES[op](f, *operands)

    def rounded(self, ends: tuple[Number, Number], dtype: DType, ulps: float) -> Enclosure:
        """Widen an interval by a rounding error of so many units in the last place."""
        low, high = (self.mp.mpf(end) for end in ends)
        if ulps == 0 or self.mp.isnan(low):
            return Enclosure(low, high, dtype)
        p = _precision(dtype)
        # A unit in the last place of v is at most 2u|v|, and never below the smallest subnormal.
        if self.mp.isfinite(low):
            low -= ulps * (2 * p.unit * abs(low) + p.smallest)
        if self.mp.isfinite(high):
            high += ulps * (2 * p.unit * abs(high) + p.smallest)
        # Beyond the largest number a result is rounded to it or to infinity.
        if high > p.largest:
            low, high = min(low, p.largest), self.mp.inf
        if low < -p.largest:
            low, high = -self.mp.inf, max(high, -p.largest)
        return Enclosure(low, high, dtype)

    def cast(self, value: Any, dtype: DType) -> Any:
        if isinstance(value, Enclosure):
            if dtype.is_float:
                narrower = dtype is DType.F32 and value.dtype is DType.F64
                return self.rounded((value.low, value.high), dtype, 0.5 if narrower else 0.0)
            ends = [exact_function("cast")(end, dtype) for end in (value.low, value.high)]
            return ends[0] if ends[0] == ends[1] else None
        if value is None or not dtype.is_float:
            return None if value is None else exact_function("cast")(value, dtype)
        return _in_dtype(value, dtype)

    def fold(self, op: str, items: Sequence[Any], order: str) -> Any:
        if not items:
            return 0  # only sums may be of nothing
        kind = self.kind(items)
        if kind is None:
            return None if None in items else reduce(exact_function(op), items)
        parts = [_in_dtype(item, kind) for item in items]
        if op == "max":
            if any(self.mp.isnan(part.low) for part in parts):
                return Enclosure(self.mp.nan, self.mp.nan, kind)
            return Enclosure(max(x.low for x in parts), max(x.high for x in parts), kind)
        # n-1 additions in any order, each of a partial sum that is at most Σ|x|·(1+γ).
        roundings = (len(parts) - 1) * _precision(kind).unit
        gamma = roundings / (1 - roundings)
        low = self.mp.fsum(x.low for x in parts)
        high = self.mp.fsum(x.high for x in parts)
        if not (self.mp.isfinite(low) and self.mp.isfinite(high)):
            return Enclosure(low, high, kind)
        error = gamma * self.mp.fsum(max(abs(x.low), abs(x.high)) for x in parts)
        return Enclosure(low - error, high + error, kind)


_DOMAIN_LOW: Mapping[str, int] = {"log": 0, "log1p": -1, "sqrt": 0}

Image = Callable[..., tuple[Number, Number]]


def _at_pole(op: str, operands: Sequence[Enclosure]) -> bool:
    """Whether the result is an infinity whose sign is that of a zero: exact zeros have none."""
    a, b = operands[0], operands[-1]
    return (op == "div" and b.low == 0) or (op == "power" and a.low == 0 and b.low < 0)


def _corners(f: Callable[..., Number], *operands: Enclosure) -> tuple[Number, Number]:
    """For functions monotone in each operand: the extremes lie at corners."""
    a, b = operands
    values = [f(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    return min(values), max(values)


def _quotient(f: Callable[..., Number], a: Enclosure, b: Enclosure) -> tuple[Number, Number]:
    if b.low <= 0 <= b.high:
        return -context().inf, context().inf
    return _corners(f, a, b)


def _power(f: Callable[..., Number], a: Enclosure, b: Enclosure) -> tuple[Number, Number]:
    if a.low < 0 or (a.low == 0 and b.low < 0):
        return -context().inf, context().inf
    return _corners(f, a, b)


def _wave(f: Callable[..., Number], x: Enclosure) -> tuple[Number, Number]:
    """A sine and a cosine change by no more than their argument does."""
    middle, radius = f((x.low + x.high) / 2), (x.high - x.low) / 2
    return max(middle - radius, -1), min(middle + radius, 1)


def _absolute(f: Callable[..., Number], x: Enclosure) -> tuple[Number, Number]:
    ends = (abs(x.low), abs(x.high))
    return (0 if x.low <= 0 <= x.high else min(ends)), max(ends)


_IMAGES: Mapping[str, Image] = {
    "add": _corners,
    "sub": _corners,
    "mul": _corners,
    "max": _corners,
    "min": _corners,
    "div": _quotient,
    "power": _power,
    "neg": lambda f, x: (-x.high, -x.low),
    "abs": _absolute,
    "erfc": lambda f, x: (f(x.high), f(x.low)),
    "floor_divide": _quotient,
    "remainder": lambda f, a, b: (-max(abs(b.low), abs(b.high)), max(abs(b.low), abs(b.high))),
    "sin": _wave,
    "cos": _wave,
}


def _select(condition: bool | None, a: Any, b: Any, dtype: DType | None) -> Any:
    if condition is not None:
        return a if condition else b
    if dtype is None:
        return a if a == b else None
    a, b = _in_dtype(a, dtype), _in_dtype(b, dtype)
    return Enclosure(min(a.low, b.low), max(a.high, b.high), dtype)


def _compare(op: str, a: Enclosure, b: Enclosure) -> bool | None:
    """The comparison's outcome, or None where it hangs on rounding."""
    f = exact_function(op)
    outcomes = {bool(f(x, y)) for x in (a.low, a.high) for y in (b.low, b.high)}
    overlap = a.low <= b.high and b.low <= a.high
    certain = a.low == a.high and b.low == b.high
    if op in ("equal", "not_equal") and overlap and not certain:
        return None
    return outcomes.pop() if len(outcomes) == 1 else None
