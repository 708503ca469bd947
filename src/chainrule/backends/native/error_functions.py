"""erf and erfc: fdlibm's in float64, and in float32 an approximation of our own."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.backends.error_function import AT_ONE, FAR, MIDDLE, NEAR, ONE
from chainrule.backends.native import elementary
from chainrule.backends.native.code import Code, Reg
from chainrule.graph import DType

F32, F64 = DType.F32, DType.F64


def erf(code: Code, x: Reg) -> Reg:
    """2/√π·∫₀ˣ exp(-t²) dt."""
    return _short_erf(code, x) if x.dtype is F32 else _long_erf(code, x)


def erfc(code: Code, x: Reg) -> Reg:
    """1 - erf(x), with all its digits where that would cancel."""
    return _short_erfc(code, x) if x.dtype is F32 else _long_erfc(code, x)


# --- float32 -----------------------------------------------------------------------------------

END = 10.06
"""From here on erfc is 0 in float32."""
# erfc(a) = exp(-a²)/h(a) with h(a) = SLOPE·a + P(a)/Q(a) up to END: what differs from a straight
# line is small where a is large, and so is what its rounding does to h. Remez' exchange; the error
# is below 2⁻²⁵ of h. SLOPE is near √π; P and Q begin with one number, so that h(0) is 1.
SLOPE = 1.7724572420120239
ABOVE = (25.2717328, 16.6004393, 5.89234545, 0.883445115)
BELOW = (25.2717328, 32.8773803, 20.1631933, 6.5976647, 1.0)
# exp(r) = 1 + 2·O/(E - O), E = r² + EVEN and O = r·(ODD[0] + ODD[1]·r²), for |r| ≤ 0.4.
EVEN = 10.0033444
ODD = (5.00167218, 0.0831950841)
# erf(x) = x + x·C(x²) up to NEAR_END, below 2⁻³⁰ of it.
NEAR_END = 0.7
CURVE = (0.12837916638, -0.376126285742, 0.11283547156, -0.0268448455464, 0.00513905864899,
         -0.000695678843978)  # fmt: skip
_SHIFT = 40


def _short_erf(code: Code, x: Reg) -> Reg:
    square = code.mul(x, x)
    near = code.add(x, code.mul(x, code.polynomial(square, CURVE)))
    size, tail = _tail(code, x)
    far = code.copysign(code.sub(code.number(1.0, F32), tail), x)
    return code.select(code.compare("less", size, code.number(NEAR_END, F32)), near, far)


def _short_erfc(code: Code, x: Reg) -> Reg:
    _, tail = _tail(code, x)
    negative = code.compare("less", x, code.number(0.0, F32))
    return code.select(negative, code.sub(code.number(2.0, F32), tail), tail)


def _tail(code: Code, x: Reg) -> tuple[Reg, Reg]:
    """|x| and its erfc."""

    def number(value: float) -> Reg:
        return code.number(value, F32)

    size, end = code.abs(x), number(END)
    a = code.select(code.compare("greater", size, end), end, size)
    # a² = s² + rest with s of so few bits that s² is exact.
    s = code.float_of_bits(code.bits("and", code.bits_of(a), code.number(-(2**12), DType.I32)))
    square, rest = code.mul(s, s), code.mul(code.sub(a, s), code.add(a, s))
    k, r = elementary.reduced(code, code.neg(square), rest, more=_SHIFT + 1)
    z = code.mul(r, r)
    odd = code.mul(r, code.polynomial(z, ODD))
    half = code.add(code.div(odd, code.sub(code.add(z, number(EVEN)), odd)), number(0.5))
    # 2ᵏ goes to the exponent; of a NaN that makes anything, but h is NaN as well. Both are larger
    # by 2⁴⁰: so nothing is subnormal before the quotient is.
    raised = elementary.power_of_two(code, k, half)
    curve = code.div(
        code.polynomial(a, [c * 2.0**_SHIFT for c in ABOVE]), code.polynomial(a, BELOW)
    )
    h = code.add(code.mul(a, number(SLOPE * 2.0**_SHIFT)), curve)
    return size, code.div(raised, h)


# --- float64 -----------------------------------------------------------------------------------


def _long_erf(code: Code, x: Reg) -> Reg:
    size, near, change, tail = _erf_parts(code, x)
    small = code.add(x, near)
    middle = code.copysign(code.add(code.number(AT_ONE, F64), change), x)
    far = code.copysign(code.sub(code.number(1.0, F64), tail), x)
    return _by_size(code, size, small, middle, far)


def _long_erfc(code: Code, x: Reg) -> Reg:
    one, half = code.number(1.0, F64), code.number(0.5, F64)
    size, near, change, tail = _erf_parts(code, x)
    # Above 1/4 the result is taken from 1/2: x - 1/2 is exact there, 1 - x would round first.
    low = code.sub(one, code.add(x, near))
    high = code.sub(half, code.add(code.sub(x, half), near))
    small = code.select(code.compare("less", x, code.number(0.25, F64)), low, high)
    negative = code.compare("less", x, code.number(0.0, F64))
    at_one = code.number(AT_ONE, F64)
    above = code.add(one, code.add(at_one, change))
    below = code.sub(code.sub(one, at_one), change)
    middle = code.select(negative, above, below)
    far = code.select(negative, code.sub(code.number(2.0, F64), tail), tail)
    return _by_size(code, size, small, middle, far)


def _by_size(code: Code, size: Reg, small: Reg, middle: Reg, far: Reg) -> Reg:
    y = code.select(code.compare("less", size, code.number(1.25, F64)), middle, far)
    return code.select(code.compare("less", size, code.number(0.84375, F64)), small, y)


def _erf_parts(code: Code, x: Reg) -> tuple[Reg, Reg, Reg, Reg]:
    """|x|; near 0: erf(x) - x; near 1: erf|x| - c; above: erfc|x|."""
    size = code.abs(x)
    one = code.number(1.0, F64)
    near = code.mul(x, _ratio(code, NEAR, code.mul(x, x)))
    change = _ratio(code, ONE, code.sub(size, one))
    limit = code.number(30.0, F64)
    bounded = code.select(code.compare("greater", size, limit), limit, size)
    start = code.number(1.25, F64)
    bounded = code.select(code.compare("less", bounded, start), start, bounded)
    inverse = code.div(one, code.mul(bounded, bounded))
    is_middle = code.compare("less", bounded, code.number(1 / 0.35, F64))
    middle, far = _ratio(code, MIDDLE, inverse), _ratio(code, FAR, inverse)
    correction = code.select(is_middle, middle, far)
    # exp(-x²) = exp(-s²)·exp(-(x-s)(x+s)) with s of few bits, whose square is exact.
    steps = code.mul(bounded, code.number(2.0**20, F64))
    s = code.mul(elementary.rounded(code, steps), code.number(2.0**-20, F64))
    first = code.sub(code.neg(code.mul(s, s)), code.number(0.5625, F64))
    second = code.add(code.mul(code.sub(s, bounded), code.add(s, bounded)), correction)
    product = code.mul(elementary.exp(code, first), elementary.exp(code, second))
    return size, near, change, code.div(product, bounded)


def _ratio(code: Code, coefficients: Sequence[Sequence[float]], x: Reg) -> Reg:
    above, below = coefficients
    return code.div(code.polynomial(x, above), code.polynomial(x, below))
