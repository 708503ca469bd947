"""Division with remainder, of integers and of floats, rounded down as Python's."""

from __future__ import annotations

import math

from chainrule.backends.native import elementary
from chainrule.backends.native.code import Code, Reg
from chainrule.backends.native.pairs import two_product
from chainrule.graph import DType

F64, I64 = DType.F64, DType.I64

_ROUNDS = 42
"""Each takes 52 of the at most 2098 powers of two between two doubles."""


def floor_divide(code: Code, a: Reg, b: Reg) -> Reg:
    """⌊a/b⌋; integers by 0 give 0."""
    return _floats(code, a, b)[0] if a.dtype.is_float else _integers(code, a, b)[0]


def remainder(code: Code, a: Reg, b: Reg) -> Reg:
    """A - b·⌊a/b⌋, with the sign of b; integers by 0 give 0."""
    return _floats(code, a, b)[1] if a.dtype.is_float else _integers(code, a, b)[1]


def _integers(code: Code, a: Reg, b: Reg) -> tuple[Reg, Reg]:
    zero, one = code.number(0, a.dtype), code.number(1, a.dtype)
    divisible = code.compare("not_equal", b, zero)
    divisor = code.select(divisible, b, one)
    if a.dtype is DType.U32:
        quotient, rest = code.bits("udiv", a, divisor), code.bits("urem", a, divisor)
        return code.select(divisible, quotient, zero), code.select(divisible, rest, zero)
    # The smallest integer by -1 has no quotient, and stops the machine.
    negated = code.compare("equal", divisor, code.number(-1, a.dtype))
    safe = code.select(negated, one, divisor)
    quotient, rest = code.bits("sdiv", a, safe), code.bits("srem", a, safe)
    unequal_signs = code.compare("less", code.bits("xor", rest, safe), zero)
    off = code.bits("and", code.compare("not_equal", rest, zero), unequal_signs)
    quotient = code.select(off, code.sub(quotient, one), quotient)
    rest = code.select(off, code.add(rest, safe), rest)
    quotient = code.select(negated, code.neg(a), quotient)
    return code.select(divisible, quotient, zero), code.select(divisible, rest, zero)


def _floats(code: Code, a: Reg, b: Reg) -> tuple[Reg, Reg]:
    dtype = a.dtype
    wide_a, wide_b = code.cast(a, F64), code.cast(b, F64)
    # Exact in float64, and so in the operands' dtype: it is a multiple of their last bits.
    exact = code.cast(_fmod(code, wide_a, wide_b), dtype)
    zero = code.number(0.0, dtype)
    quotient = code.div(code.sub(a, exact), b)
    apart = code.compare("less", code.mul(_sign(code, exact), _sign(code, b)), zero)
    quotient = code.select(apart, code.sub(quotient, code.number(1.0, dtype)), quotient)
    rest = code.select(apart, code.add(exact, b), exact)
    rest = code.select(code.compare("equal", rest, zero), code.copysign(zero, b), rest)
    whole = elementary.floor(code, quotient)
    more = code.add(whole, code.number(1.0, dtype))
    half = code.number(0.5, dtype)
    rounded_down = code.compare("greater", code.sub(quotient, whole), half)
    whole = code.select(rounded_down, more, whole)
    by_zero = code.compare("equal", b, zero)
    direct = code.div(a, b)
    nothing = code.compare("equal", whole, zero)
    whole = code.select(nothing, code.copysign(zero, direct), whole)
    return (
        code.select(by_zero, direct, whole),
        code.select(by_zero, code.number(math.nan, dtype), rest),
    )


def _sign(code: Code, x: Reg) -> Reg:
    """-1, 0 or 1."""
    zero, one = code.number(0.0, x.dtype), code.number(1.0, x.dtype)
    return code.select(code.compare("equal", x, zero), zero, code.copysign(one, x))


def _fmod(code: Code, a: Reg, b: Reg) -> Reg:
    """A - b·trunc(a/b), exactly: long division, 52 bits of the quotient at a time."""
    kind = code.kind(F64)
    size, divisor = code.abs(a), code.abs(b)
    small = code.compare("less", divisor, code.number(2.0**-1022, F64))
    normal = code.select(small, code.mul(divisor, code.number(2.0**54, F64)), divisor)
    mantissa = code.bits("and", code.bits_of(normal), code.number(2**52 - 1, I64))
    shift = code.number(52, I64)
    with code.function.loop(_ROUNDS, [(kind, size.text)]) as block:
        r = Reg(block.values[0], F64)
        # The divisor times a power of two, 52 places below what is left of the dividend.
        exponent = code.sub(code.bits("lshr", code.bits_of(r), shift), shift)
        enough = code.compare("greater", exponent, code.number(0, I64))
        field = code.select(enough, exponent, code.number(1, I64))
        moved = code.float_of_bits(code.bits("or", code.bits("shl", field, shift), mantissa))
        larger = code.bits("and", enough, code.compare("greater", moved, divisor))
        step = code.select(larger, moved, divisor)
        times = elementary.rounded(code, code.div(r, step))
        high, low = two_product(code, times, step)
        left = code.sub(code.sub(r, high), low)
        negative = code.compare("less", left, code.number(0.0, F64))
        left = code.select(negative, code.add(left, step), left)
        goes_on = code.compare("greater_equal", r, divisor)
        block.next = [code.select(goes_on, left, r).text]
    rest = Reg(block.next[0], F64)
    finite = code.compare("less", size, code.number(math.inf, F64))
    rest = code.select(finite, rest, code.number(math.nan, F64))
    rest = code.select(code.is_nan(b), b, rest)
    return code.copysign(rest, a)
