"""Elementary functions that are computed in float64, whatever the operand: power and angles.

float32 operands are widened and the result rounded once more: its error stays below 0.51 ulp, and
one set of polynomials serves both.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from chainrule.backends.native import elementary
from chainrule.backends.native.code import Code, Reg
from chainrule.backends.native.pairs import Pair, pair_of, plus, times, two_product, two_sum
from chainrule.backends.native.quarter_turns import reduced_beyond
from chainrule.graph import DType

F64 = DType.F64


def widened(function: Callable[..., Reg]) -> Callable[..., Reg]:
    """The function with operands of either float."""

    def lowered(code: Code, *operands: Reg) -> Reg:
        dtype = operands[0].dtype
        return code.cast(function(code, *(code.cast(x, F64) for x in operands)), dtype)

    return lowered


# --- power -------------------------------------------------------------------------------------

_TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
_LOG_2 = (0.6931471805599453, 2.3190468138462996e-17)
# 2·atanh(s) = 2s + 2/3·s³ + s⁵·(2/5 + 2/7·s² + ...)
_ATANH = tuple(2 / n for n in range(5, 27, 2))


@widened
def power(code: Code, x: Reg, y: Reg) -> Reg:
    """xʸ = exp(y·log |x|), the logarithm in two parts; IEEE 754-2019, section 9.2.1."""
    zero, one = code.number(0.0, F64), code.number(1.0, F64)
    infinity = code.number(math.inf, F64)
    size = code.abs(x)
    ordinary = _both(
        code, code.compare("greater", size, zero), code.compare("less", size, infinity)
    )
    log = _logpair_of(code, code.select(ordinary, size, one))
    limit = code.number(2.0**200, F64)  # beyond it every power is 0, 1 or infinite
    clamped = code.select(code.compare("greater", y, limit), limit, y)
    low_limit = code.number(-(2.0**200), F64)
    clamped = code.select(code.compare("less", y, low_limit), low_limit, clamped)
    r = _exppair_of(code, times(code, (clamped, zero), log))
    # 0 and infinity: y > 0 keeps them, y < 0 exchanges them.
    rises = code.compare("greater", y, zero)
    at_zero = code.select(rises, zero, infinity)
    at_infinity = code.select(rises, infinity, zero)
    extreme = code.select(code.compare("equal", size, zero), at_zero, at_infinity)
    r = code.select(ordinary, r, extreme)
    negative = code.bits("ashr", code.bits_of(x), code.number(63, DType.I64))
    is_negative = code.compare("not_equal", negative, code.number(0, DType.I64))
    whole = code.compare("equal", elementary.rounded(code, y), y)
    half = code.mul(y, code.number(0.5, F64))
    odd = _both(code, whole, code.compare("not_equal", elementary.rounded(code, half), half))
    r = code.select(_both(code, is_negative, odd), code.neg(r), r)
    below = _both(code, code.compare("less", x, zero), code.bits("xor", whole, _true(code)))
    finite = code.compare("less", size, infinity)
    r = code.select(_both(code, below, finite), code.number(math.nan, F64), r)
    either_nan = code.bits("or", code.is_nan(x), code.is_nan(y))
    r = code.select(either_nan, code.number(math.nan, F64), r)
    at_one = code.compare("equal", x, one)
    minus_one = code.compare("equal", x, code.number(-1.0, F64))
    endless = code.compare("equal", code.abs(y), infinity)
    r = code.select(code.bits("or", at_one, _both(code, minus_one, endless)), one, r)
    return code.select(code.compare("equal", y, zero), one, r)


def _true(code: Code) -> Reg:
    return code.number(True, DType.BOOL)


def _both(code: Code, a: Reg, b: Reg) -> Reg:
    return code.bits("and", a, b)


def _logpair_of(code: Code, x: Reg) -> Pair:
    """Log x for x > 0, to some 100 bits."""
    k, m = elementary.exponent_and_mantissa(code, x)
    one = code.number(1.0, F64)
    f, sum_high = code.sub(m, one), code.add(m, one)
    sum_low = code.sub(m, code.sub(sum_high, one))
    s = code.div(f, sum_high)
    product = two_product(code, s, sum_high)
    rest = code.sub(code.sub(code.sub(f, product[0]), product[1]), code.mul(s, sum_low))
    pair = two_sum(code, s, code.div(rest, sum_high))
    square = times(code, pair, pair)
    cube = times(code, square, pair)
    fifth = code.mul(cube[0], square[0])
    series = code.mul(fifth, code.polynomial(square[0], _ATANH))
    twice = (code.add(pair[0], pair[0]), code.add(pair[1], pair[1]))
    third = times(code, pair_of(code, *_TWO_THIRDS), cube)
    total = plus(code, twice, plus(code, third, (series, code.number(0.0, F64))))
    return plus(code, times(code, (k, code.number(0.0, F64)), pair_of(code, *_LOG_2)), total)


def _exppair_of(code: Code, x: Pair) -> Reg:
    """exp(high + low) = exp(high)·(1 + low)."""
    y = elementary.exp(code, x[0])
    more = code.mul(y, x[1])
    # Beyond these ends y is 0 or infinite, and low may be NaN.
    finite = code.compare("less", y, code.number(math.inf, F64))
    inside = code.compare("less", code.abs(x[0]), code.number(1000.0, F64))
    return code.select(code.bits("and", finite, inside), code.add(y, more), y)


# --- angles ------------------------------------------------------------------------------------

# π/2 in three parts of 33 bits and a rest   [fdlibm e_rem_pio2.c].
_HALF_PI = (1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624871116645580e-21)
_HALF_PI_REST = 8.47842766036889956997e-32
# [fdlibm k_sin.c, k_cos.c]
_SIN = (
    -1.66666666666666324348e-01,
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)
_COS = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)


@widened
def sin(code: Code, x: Reg) -> Reg:
    """The sine."""
    return _turned(code, x, 0)


@widened
def cos(code: Code, x: Reg) -> Reg:
    """The cosine."""
    return _turned(code, x, 1)


def _turned(code: Code, x: Reg, quarter: int) -> Reg:
    """Sin(x + quarter·π/2)."""
    limit = 2.0**20 * math.pi / 2
    n = elementary.rounded(code, code.mul(x, code.number(2 / math.pi, F64)))
    pair = (x, code.number(0.0, F64))
    for part in _HALF_PI:
        product = code.neg(code.mul(n, code.number(part, F64)))  # exact: 33 + 20 bits
        pair = plus(code, pair, (product, code.number(0.0, F64)))
    rest = code.neg(code.mul(n, code.number(_HALF_PI_REST, F64)))
    pair = plus(code, pair, (rest, code.number(0.0, F64)))
    turns, (high, low) = reduced_beyond(code, x, limit, code.cast(n, DType.I64), pair)
    z = code.mul(high, high)
    half, one = code.number(0.5, F64), code.number(1.0, F64)
    # sin(h + l) = h + (l·(1 - z/2) + h·z·S(z));  cos(h + l) = 1 - (z/2 - (z²·C(z) - h·l))
    tail = code.mul(low, code.sub(one, code.mul(half, z)))
    sine = code.add(high, code.add(tail, code.mul(code.mul(high, z), code.polynomial(z, _SIN))))
    half_square = code.mul(half, z)
    whole = code.sub(one, half_square)
    lost = code.sub(code.sub(one, whole), half_square)
    correction = code.sub(code.mul(code.mul(z, z), code.polynomial(z, _COS)), code.mul(high, low))
    cosine = code.add(whole, code.add(lost, correction))
    turns = code.add(turns, code.number(quarter, DType.I64))
    odd = code.bits("and", turns, code.number(1, DType.I64))
    is_odd = code.compare("equal", odd, code.number(1, DType.I64))
    y = code.select(is_odd, cosine, sine)
    second = code.bits("and", turns, code.number(2, DType.I64))
    y = code.select(code.compare("equal", second, code.number(2, DType.I64)), code.neg(y), y)
    if quarter:
        return y
    return code.select(code.compare("equal", x, code.number(0.0, F64)), x, y)


# [fdlibm s_atan.c]
_ATAN = (
    3.33333333333329318027e-01,
    -1.99999999998764832476e-01,
    1.42857142725034663711e-01,
    -1.11111104054623557880e-01,
    9.09088713343650656196e-02,
    -7.69187620504482999495e-02,
    6.66107313738753120669e-02,
    -5.83357013379057348645e-02,
    4.97687799461593236017e-02,
    -3.65315727442169155270e-02,
    1.62858201153657823623e-02,
)
_ANGLES = (
    (0.4375, 4.63647609000806093515e-01, 2.26987774529616870924e-17, (2.0, -1.0, 1.0, 2.0)),
    (0.6875, 7.85398163397448278999e-01, 3.06161699786838301793e-17, (1.0, -1.0, 1.0, 1.0)),
    (1.1875, 9.82793723247329054082e-01, 1.39033110312309984516e-17, (1.0, -1.5, 1.5, 1.0)),
    (2.4375, 1.57079632679489655800e00, 6.12323399573676603587e-17, (0.0, -1.0, 1.0, 0.0)),
)
"""From a size on: atan of a point in two parts, and (a, b, c, d) of (a·x + b)/(c·x + d)."""


@widened
def atan(code: Code, x: Reg) -> Reg:
    """The arc tangent: that of a near point, and of what remains."""
    size = code.abs(x)
    zero = code.number(0.0, F64)
    a, b, c, d = (code.number(v, F64) for v in (1.0, 0.0, 0.0, 1.0))
    high, low = zero, zero
    for start, point, rest, ratio in _ANGLES:
        here = code.compare("greater_equal", size, code.number(start, F64))
        high = code.select(here, code.number(point, F64), high)
        low = code.select(here, code.number(rest, F64), low)
        a, b, c, d = (
            code.select(here, code.number(new, F64), old)
            for new, old in zip(ratio, (a, b, c, d), strict=True)
        )
    finite = code.compare("less", size, code.number(math.inf, F64))
    bounded = code.select(finite, size, code.number(1.7e308, F64))
    bounded = code.select(code.is_nan(x), size, bounded)
    t = code.div(code.add(code.mul(a, bounded), b), code.add(code.mul(c, bounded), d))
    z = code.mul(t, t)
    curve = code.mul(code.mul(t, z), code.polynomial(z, _ATAN))
    y = code.sub(high, code.sub(code.sub(curve, low), t))
    return code.copysign(y, x)
