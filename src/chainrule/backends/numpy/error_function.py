"""erf and erfc for NumPy, which has neither.

The coefficients are those of fdlibm's s_erf.c, whose notice is:

    Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
    Developed at SunPro, a Sun Microsystems, Inc. business.
    Permission to use, copy, modify, and distribute this software is freely granted, provided that
    this notice is preserved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

# Numerators and denominators, constant terms first.
# erf(x) = x + x·R(x²) up to 0.84375
_NEAR = (
    (1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
     -5.77027029648944159157e-03, -2.37630166566501626084e-05),
    (1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03,
     1.32494738004321644526e-04, -3.96022827877536812320e-06),
)  # fmt: skip
# erf(x) = c + R(x - 1) up to 1.25
_ONE = (
    (-2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01,
     3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02,
     -2.16637559486879084300e-03),
    (1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02,
     1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02),
)  # fmt: skip
_AT_ONE = 8.45062911510467529297e-01
# erfc(x) = exp(-x² - 0.5625 + R(1/x²))/x up to 1/0.35, and above
_MIDDLE = (
    (-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e01,
     -6.23753324503260060396e01, -1.62396669462573470355e02, -1.84605092906711035994e02,
     -8.12874355063065934246e01, -9.81432934416914548592e00),
    (1.0, 1.96512716674392571292e01, 1.37657754143519042600e02, 4.34565877475229228821e02,
     6.45387271733267880336e02, 4.29008140027567833386e02, 1.08635005541779435134e02,
     6.57024977031928170135e00, -6.04244152148580987438e-02),
)  # fmt: skip
_FAR = (
    (-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e01,
     -1.60636384855821916062e02, -6.37566443368389627722e02, -1.02509513161107724954e03,
     -4.83519191608651397019e02),
    (1.0, 3.03380607434824582924e01, 3.25792512996573918826e02, 1.53672958608443695994e03,
     3.19985821950859553908e03, 2.55305040643316442583e03, 4.74528541206955367215e02,
     -2.24409524465858183362e01),
)  # fmt: skip
_NEAR_END, _ONE_END, _MIDDLE_END = 0.84375, 1.25, 1 / 0.35
_ZERO_FROM = 30.0  # erfc is below the smallest number


def erf(x: Any) -> Any:
    """The error function 2/√π·∫₀ˣ exp(-t²) dt, in the dtype of `x`."""
    wide, size, near, middle, far = _regions(x)
    y = np.empty_like(wide)
    small = wide[near]
    y[near] = small + small * _ratio(_NEAR, np.square(small))
    y[middle] = np.copysign(_AT_ONE + _ratio(_ONE, size[middle] - 1), wide[middle])
    y[far] = np.copysign(1 - _tail(size[far]), wide[far])
    return _like(y, x)


def erfc(x: Any) -> Any:
    """1 - erf(x), with all its digits where that would cancel."""
    wide, size, near, middle, far = _regions(x)
    y = np.empty_like(wide)
    small = wide[near]
    rest = small * _ratio(_NEAR, np.square(small))
    # Above 1/4 the result is taken from 1/2: 1 - x is exact there, x + rest would round first.
    y[near] = np.where(small < 0.25, 1 - (small + rest), 0.5 - (small - 0.5 + rest))
    change = _ratio(_ONE, size[middle] - 1)
    y[middle] = np.where(wide[middle] < 0, 1 + (_AT_ONE + change), 1 - _AT_ONE - change)
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
    correction[below] = _ratio(_MIDDLE, inverse[below])
    correction[~below] = _ratio(_FAR, inverse[~below])
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
