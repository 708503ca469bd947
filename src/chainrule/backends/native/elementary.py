"""Elementary functions on lanes: reductions and polynomials of our own, without one library call.

So their bits are the same on every instruction set. None uses a fused multiply-add: where a product
must be kept whole, it is split.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from chainrule.backends.native.code import Code, Reg
from chainrule.graph import DType


@dataclass(frozen=True)
class _Format:
    """What the functions have to know of a float's layout.

    Parameters
    ----------
    bits : DType
        The integer of its size.
    mantissa, bias : int
    smallest_normal : float
    log_2_high, log_2_low : float
        log 2 in two parts; the high one has so many zeros at its end that k·high is exact.
    """

    bits: DType
    mantissa: int
    bias: int
    smallest_normal: float
    log_2_high: float
    log_2_low: float

    @property
    def magic(self) -> float:
        """Added and taken away again, it rounds to a whole number, which its last bits hold."""
        return 1.5 * 2.0**self.mantissa


_FORMATS = {
    DType.F32: _Format(
        DType.I32, 23, 127, 2.0**-126, float.fromhex("0x1.62e3p-1"), 9.0580006145e-06
    ),
    DType.F64: _Format(
        DType.I64,
        52,
        1023,
        2.0**-1022,
        float.fromhex("0x1.62e42feep-1"),
        1.90821492927058770002e-10,
    ),
}

# exp(r) = 1 + r + r²·q(r) for |r| ≤ ½·log 2.
_EXP = {
    # Remez' exchange, degree 4; what it leaves of exp(r) - 1 is below 2⁻²⁶ of it.
    DType.F32: (0.499999981369, 0.166665436668, 0.0416672038909, 0.0083665187221, 0.00138823141235),
    # Chebyshev's interpolation of degree 10; what it leaves of exp(r) - 1 is below 2⁻⁶⁰ of it.
    DType.F64: (
        0.5,
        0.1666666666666667,
        0.04166666666666667,
        0.008333333333326141,
        0.0013888888888883752,
        0.00019841269874800694,
        2.480158732553351e-05,
        2.755725542549107e-06,
        2.7557273661166276e-07,
        2.5105206480259365e-08,
        2.09146794524968e-09,
    ),
}
# Lawson's iteration, degree 9, the first one given; what it leaves of exp(r) is below 2⁻⁵⁷ of it.
SHORTER = (
    0.5,
    0.16666666666666433,
    0.041666666666604006,
    0.008333333333499957,
    0.001388888892677623,
    0.0001984126946631053,
    2.4801508708510634e-05,
    2.75576408342513e-06,
    2.7625176027428894e-07,
    2.4978377617077278e-08,
)
_EXP_RANGE = {DType.F32: (-104.0, 89.0), DType.F64: (-746.0, 710.0)}
"""Where exp is neither 0 nor infinite, and a little more."""


def reduced(code: Code, x: Reg, rest: Reg | None = None, more: int = 0) -> tuple[Reg, Reg]:
    """K and r with x - rest = k·log 2 + r, |r| ≤ ½·log 2 + rest, for a small rest.

    An integer has k + more in its last bits. For NaN both are rubbish.
    """
    f = _FORMATS[x.dtype]
    magic = code.number(f.magic + more, x.dtype)
    shifted = code.add(code.mul(x, code.number(1 / math.log(2), x.dtype)), magic)
    whole = code.sub(shifted, magic)
    r = code.sub(x, code.mul(whole, code.number(f.log_2_high, x.dtype)))
    low = code.mul(whole, code.number(f.log_2_low, x.dtype))
    return code.bits_of(shifted), code.sub(r, low if rest is None else code.add(low, rest))


def power_of_two(code: Code, k: Reg, start: Reg) -> Reg:
    """2ᵏ·start, k in the last bits of an integer, for normal numbers."""
    f = _FORMATS[start.dtype]
    exponent = code.bits("shl", k, code.number(f.mantissa, f.bits))
    return code.float_of_bits(code.add(exponent, code.bits_of(start)))


def _exp_less_one(code: Code, r: Reg) -> Reg:
    """exp(r) - 1 = r + r²·q(r) for |r| ≤ ½·log 2."""
    square = code.mul(r, r)
    return code.add(r, code.mul(square, code.polynomial(r, _EXP[r.dtype], square)))


def _within(code: Code, x: Reg, low: float, high: float) -> Reg:
    """X, moved to the nearest end where it lies outside; NaN stays."""
    lowest, highest = code.number(low, x.dtype), code.number(high, x.dtype)
    x = code.select(code.compare("less", x, lowest), lowest, x)
    return code.select(code.compare("greater", x, highest), highest, x)


def exp(code: Code, x: Reg) -> Reg:
    """eˣ = 2ᵏ·eʳ."""
    k, r = reduced(code, _within(code, x, *_EXP_RANGE[x.dtype]))
    return _times_power_of_two(code, _exp_of_reduced(code, r), k)


def exp_of_negative(code: Code, x: Reg) -> Reg:
    """The bits of eˣ for x ≤ 0, which takes less time."""
    low = code.number(_EXP_RANGE[x.dtype][0], x.dtype)
    k, r = reduced(code, code.select(code.compare("less", x, low), low, x))
    if x.dtype is DType.F32:
        return _times_power_of_two(code, _exp_of_reduced(code, r), k)
    # 2ᵏ⁺¹ is a number, maybe a subnormal one, wherever the result is not 0. So it is multiplied
    # by eʳ/2 at once, when that is known at last.
    half, rest = _halves(code, k, x.dtype, more=1)
    return code.mul(_exp_of_reduced(code, r, 0.5), code.mul(half, rest))


def _exp_of_reduced(code: Code, r: Reg, unit: float = 1.0) -> Reg:
    """Unit·exp(r) for |r| ≤ ½·log 2, the unit a power of two."""
    dtype = r.dtype
    one = code.number(unit, dtype)
    if dtype is DType.F32:
        return code.add(one, _exp_less_one(code, r))
    c = [unit * c for c in SHORTER]
    scaled = r if unit == 1.0 else code.mul(r, one)
    # 1 + r at once, and what it lost at the front of the rest: the rest has many terms, and is
    # waited for. Its three parts are known at about the same time.
    y = code.add(one, scaled)
    lost = code.sub(scaled, code.sub(y, one))
    r2 = code.mul(r, r)
    r3, r4 = code.mul(r2, r), code.mul(r2, r2)
    first = code.add(lost, code.mul(r2, code.polynomial(r, c[:2])))
    second = code.mul(
        r4, code.add(code.polynomial(r, c[2:4]), code.mul(code.number(c[4], dtype), r2))
    )
    third = code.add(code.polynomial(r, c[5:7]), code.mul(code.number(c[7], dtype), r2))
    third = code.add(third, code.mul(r3, code.polynomial(r, c[8:])))
    third = code.mul(code.mul(r3, r4), third)
    return code.add(y, code.add(code.add(first, second), third))


def _times_power_of_two(code: Code, y: Reg, k: Reg) -> Reg:
    """2ᵏ·y for y near 1, k in the last bits of an integer."""
    # In two halves: 2ᵏ itself may be infinite or subnormal where the product is neither.
    half, rest = _halves(code, k, y.dtype)
    return code.mul(code.mul(y, half), rest)


def _halves(code: Code, k: Reg, dtype: DType, more: int = 0) -> tuple[Reg, Reg]:
    """Two powers of two whose product is 2ᵏ⁺ᵐᵒʳᵉ, k in the last bits of an integer."""
    # They are factors, not added to an exponent: that would make a number of a NaN.
    f = _FORMATS[dtype]
    mantissa = code.number(f.mantissa, f.bits)
    one, power = (code.bits_of(code.number(2.0**e, dtype)) for e in (0, more))
    half = code.bits("shl", code.bits("lshr", k, code.number(1, f.bits)), mantissa)
    rest = code.sub(code.bits("shl", k, mantissa), half)
    return code.float_of_bits(code.add(half, one)), code.float_of_bits(code.add(rest, power))


def expm1(code: Code, x: Reg) -> Reg:
    """eˣ - 1 = 2·(2ᵏ⁻¹·(eʳ - 1) + (2ᵏ⁻¹ - ½)): no digit is lost near 0."""
    dtype, f = x.dtype, _FORMATS[x.dtype]
    k, r = reduced(code, _within(code, x, -60.0, _EXP_RANGE[dtype][1]))
    half = code.number(0.5, dtype)
    scale = power_of_two(code, k, half)
    y = code.add(code.mul(_exp_less_one(code, r), scale), code.sub(scale, half))
    # x²/2 is below half an ulp; -0 stays, and so do subnormals, whose halves may not exist.
    tiny = code.number(2.0 ** -(f.mantissa + 2), dtype)
    return code.select(code.compare("less", code.abs(x), tiny), x, code.add(y, y))


# log(1 + f) = f - f²/2 + s·(f²/2 + R(s²)), s = f/(2 + f)   [fdlibm e_log.c, e_logf.c].
_LOG = {
    DType.F32: (0.66666662693, 0.40000972152, 0.28498786688, 0.24279078841),
    DType.F64: (
        6.666666666666735130e-01,
        3.999999999940941908e-01,
        2.857142874366239149e-01,
        2.222219843214978396e-01,
        1.818357216161805012e-01,
        1.531383769920937332e-01,
        1.479819860511658591e-01,
    ),
}
_ROOT_HALF_BITS = {DType.F32: 0x3F3504F3, DType.F64: 0x3FE6A09E00000000}
_TO_NORMAL = {DType.F32: 25, DType.F64: 54}
"""By how many powers of two a subnormal is made normal."""


def log(code: Code, x: Reg) -> Reg:
    """Log x = k·log 2 + log m, m in [√½, √2)."""
    dtype = x.dtype
    zero = code.number(0.0, dtype)
    whole, m = exponent_and_mantissa(code, x)
    y = _log_of_reduced(code, code.sub(m, code.number(1.0, dtype)), whole)
    infinite = code.compare("equal", x, code.number(math.inf, dtype))
    y = code.select(infinite, x, y)
    y = code.select(code.compare("less", x, zero), code.number(math.nan, dtype), y)
    y = code.select(code.compare("equal", x, zero), code.number(-math.inf, dtype), y)
    return code.select(code.is_nan(x), x, y)


def exponent_and_mantissa(code: Code, x: Reg) -> tuple[Reg, Reg]:
    """K and m of x = 2ᵏ·m, both floats, m in [√½, √2), for a positive and finite x."""
    dtype, f = x.dtype, _FORMATS[x.dtype]
    small = code.compare("less", x, code.number(f.smallest_normal, dtype))
    scaled = code.mul(x, code.number(2.0 ** _TO_NORMAL[dtype], dtype))
    bits = code.bits_of(code.select(small, scaled, x))
    offset = code.number(_ROOT_HALF_BITS[dtype], f.bits)
    mantissa = code.number(f.mantissa, f.bits)
    k = code.bits("ashr", code.sub(bits, offset), mantissa)
    m = code.float_of_bits(code.sub(bits, code.bits("shl", k, mantissa)))
    shift = code.number(_TO_NORMAL[dtype], f.bits)
    return _to_float(code, code.select(small, code.sub(k, shift), k), dtype), m


def _log_of_reduced(code: Code, g: Reg, whole: Reg) -> Reg:
    """k·log 2 + log(1 + g)."""
    dtype, f = g.dtype, _FORMATS[g.dtype]
    s = code.div(g, code.add(code.number(2.0, dtype), g))
    z = code.mul(s, s)
    half_square = code.mul(code.number(0.5, dtype), code.mul(g, g))
    rest = code.mul(z, code.polynomial(z, _LOG[dtype]))
    low = code.mul(whole, code.number(f.log_2_low, dtype))
    tail = code.add(code.mul(s, code.add(half_square, rest)), low)
    y = code.sub(g, code.sub(half_square, tail))
    return code.add(code.mul(whole, code.number(f.log_2_high, dtype)), y)


def log1p(code: Code, x: Reg) -> Reg:
    """log(1 + x): the logarithm of the rounded sum u, and a correction for what it lost."""
    dtype = x.dtype
    one, infinity = code.number(1.0, dtype), code.number(math.inf, dtype)
    u = code.add(one, x)
    lost = code.sub(code.sub(u, one), x)
    y = code.sub(log(code, u), code.div(lost, u))
    ends = code.compare("equal", u, infinity)
    y = code.select(ends, u, y)
    zero = code.number(0.0, dtype)
    y = code.select(code.compare("equal", u, zero), code.number(-math.inf, dtype), y)
    return code.select(code.compare("equal", x, zero), x, y)


def tanh(code: Code, x: Reg) -> Reg:
    """t/(t + 2) with t = exp(2|x|) - 1, and the sign of x."""
    two = code.number(2.0, x.dtype)
    size = code.abs(x)
    t = expm1(code, code.mul(two, _within(code, size, 0.0, 22.0)))
    return code.copysign(code.div(t, code.add(t, two)), x)


def _to_float(code: Code, k: Reg, dtype: DType) -> Reg:
    """A small integer as a float; SSE2 and AVX2 have no instruction for 64 bits."""
    f = _FORMATS[dtype]
    magic = code.number(f.magic, dtype)
    return code.sub(code.float_of_bits(code.add(code.bits_of(magic), k)), magic)


def rounded(code: Code, x: Reg) -> Reg:
    """To the nearest whole number, of two the even one."""
    magic = code.number(2.0 ** _FORMATS[x.dtype].mantissa, x.dtype)
    size = code.abs(x)
    whole = code.sub(code.add(size, magic), magic)
    large = code.compare("greater_equal", size, magic)
    return code.select(code.bits("or", large, code.is_nan(x)), x, code.copysign(whole, x))


def floor(code: Code, x: Reg) -> Reg:
    """The largest whole number that is not above x."""
    whole = rounded(code, x)
    less = code.sub(whole, code.number(1.0, x.dtype))
    return code.select(code.compare("greater", whole, x), less, whole)


def ceil(code: Code, x: Reg) -> Reg:
    """The smallest whole number that is not below x; -0 above -1."""
    whole = rounded(code, x)
    more = code.add(whole, code.number(1.0, x.dtype))
    return code.copysign(code.select(code.compare("less", whole, x), more, whole), x)
