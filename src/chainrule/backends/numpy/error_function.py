"""erf and erfc for NumPy, which has neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends.error_function import AT_ONE, FAR, MIDDLE, NEAR, ONE

Doubles = NDArray[np.float64]

_NEAR_END, _ONE_END, _MIDDLE_END = 0.84375, 1.25, 1 / 0.35
_ZERO_FROM = 30.0  # erfc is below the smallest number


def erf(x: Any) -> Any:
    """The error function 2/√π·∫₀ˣ exp(-t²) dt, in the dtype of `x`."""
    wide, size, near, middle, far = _regions(x)
    y = np.empty_like(wide)
    small = wide[near]
    y[near] = small + small * _ratio(NEAR, np.square(small))
    y[middle] = np.copysign(AT_ONE + _ratio(ONE, size[middle] - 1), wide[middle])
    y[far] = np.copysign(1 - _tail(size[far]), wide[far])
    return _like(y, x)


def erfc(x: Any) -> Any:
    """1 - erf(x), with all its digits where that would cancel."""
    wide, size, near, middle, far = _regions(x)
    y = np.empty_like(wide)
    small = wide[near]
    rest = small * _ratio(NEAR, np.square(small))
    # Above 1/4 the result is taken from 1/2: 1 - x is exact there, x + rest would round first.
    y[near] = np.where(small < 0.25, 1 - (small + rest), 0.5 - (small - 0.5 + rest))
    change = _ratio(ONE, size[middle] - 1)
    y[middle] = np.where(wide[middle] < 0, 1 + (AT_ONE + change), 1 - AT_ONE - change)
    tail = _tail(size[far])
    y[far] = np.where(wide[far] < 0, 2 - tail, tail)
    return _like(y, x)


def _regions(x: Any) -> tuple[Doubles, Doubles, NDArray[np.bool_], NDArray[np.bool_], Any]:
    """The argument and its size in float64, and where it is near 0, near 1, and above or NaN."""
    wide = np.atleast_1d(np.asarray(x, np.float64))
    size = np.abs(wide)
    near = size < _NEAR_END
    middle = ~near & (size < _ONE_END)
    return wide, size, near, middle, ~(near | middle)


def _tail(size: Doubles) -> Doubles:
    """Erfc for arguments from 1.25 up, and for NaN."""
    x = np.minimum(size, _ZERO_FROM)
    inverse = 1 / (x * x)
    below = x < _MIDDLE_END
    correction = np.empty_like(x)
    correction[below] = _ratio(MIDDLE, inverse[below])
    correction[~below] = _ratio(FAR, inverse[~below])
    # exp(-x²) = exp(-s²)·exp(-(x-s)(x+s)) with s of few bits, whose square is exact: the rounding
    # of x² would be multiplied by x².
    s = np.trunc(x * 2.0**20) * 2.0**-20
    y: Doubles = np.exp(-s * s - 0.5625) * np.exp((s - x) * (s + x) + correction) / x
    return y


def _ratio(coefficients: Sequence[Sequence[float]], x: Doubles) -> Doubles:
    above, below = coefficients
    y: Doubles = _polynomial(above, x) / _polynomial(below, x)
    return y


def _polynomial(coefficients: Sequence[float], x: Doubles) -> Doubles:
    # Horner's rule.
    value = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value *= x
        value += coefficient
    return value


def _like(y: Doubles, x: Any) -> Any:
    # A scalar for a scalar, as a ufunc. float32 is computed in float64 and rounded once more.
    given = np.asarray(x)
    return y.reshape(given.shape).astype(given.dtype)[()]
