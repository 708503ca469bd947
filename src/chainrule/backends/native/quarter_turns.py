"""Angles of any size as quarter turns and a rest   [Payne and Hanek 1983].

x = m·2^q with a whole m. Of the bits of 2/π only those matter that m·2^q brings to weights below 4:
192 of them, in words of 32, are multiplied by m as integers. No bit above 2 decides a quadrant, and
enough are left below for the closest that a float comes to a multiple of π/2, which is 2⁻⁶¹.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from chainrule.backends.native.code import Code, Reg
from chainrule.backends.native.ir import type_name
from chainrule.backends.native.pairs import Pair, pair_of, plus, times
from chainrule.graph import DType

F64, I64 = DType.F64, DType.I64

_TWO_OVER_PI = (
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a42"
    "4dd2e006492eea09d1921cfe1deb1cb129a73ee88235f52ebb4484e99c7026b45f7e413991"
    "d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09"
    "b74f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046"
)
"""1184 bits of it, behind the point."""

_ZEROS = 2
"""Words of zeros in front of them, for factors that reach above the point."""

_WORDS = 6

_HALF_PI = (1.5707963267948966, 6.123233995736766e-17)


def _table() -> str:
    """The constant in a module."""
    digits = "0" * (8 * _ZEROS) + _TWO_OVER_PI
    words = [int(digits[i : i + 8], 16) for i in range(0, len(digits), 8)]
    listed = ", ".join(f"i32 {word - (word >> 31 << 32)}" for word in words)
    return f"@two_over_pi = private unnamed_addr constant [{len(words)} x i32] [{listed}]"


def reduced_beyond(code: Code, x: Reg, limit: float, turns: Reg, rest: Pair) -> tuple[Reg, Pair]:
    """Quarter turns and what is left of π/2, as given up to a limit, and of their own beyond.

    Parameters
    ----------
    code : Code
    x : Reg
        A float64; of infinities and NaN the rest is NaN.
    limit : float
        Above 1.
    turns : Reg
        An i64; only its last two bits mean something.
    rest : Pair
    """
    f = code.function
    near = code.compare("less_equal", code.abs(x), code.number(limit, F64))
    far = code.bits("xor", near, code.number(True, DType.BOOL))
    starts = [(code.kind(each.dtype), each.text) for each in (turns, *rest)]
    with f.when(code.any(far), starts) as block:
        own_turns, (high, low) = _reduced(code, x)
        finite = code.compare("less", code.abs(x), code.number(math.inf, F64))
        high = code.select(finite, high, code.number(math.nan, F64))
        chosen = zip((turns, *rest), (own_turns, high, low), strict=True)
        block.next = [code.select(near, given, own).text for given, own in chosen]
    n, first, second = block.values
    return Reg(n, I64), (Reg(first, F64), Reg(second, F64))


def _reduced(code: Code, x: Reg) -> tuple[Reg, Pair]:
    """X = (turns + fraction)·π/2, |fraction| ≤ ½, for |x| > 1."""
    bits = code.bits_of(code.abs(x))
    mantissa = code.bits("or", _low(code, bits, 52), code.number(2**52, I64))
    # |x| = m·2^(e - 1075). The window's first bit has the weight 2 in the product: bit e - 1076 of
    # 2/π behind the point, where the first is 1.
    exponent = code.bits("lshr", bits, code.number(52, I64))
    window = _window(code, code.sub(exponent, code.number(1077 - 32 * _ZEROS, I64)))
    product = _product(code, mantissa, window)
    # The two first bits and the half below them: the nearest quarter turn.
    half = code.number(2**29, I64)
    turns = code.bits("lshr", code.add(product[0], half), code.number(30, I64))
    below = code.sub(product[0], code.bits("shl", turns, code.number(30, I64)))
    fraction = pair_of(code, 0.0)
    for i, word in enumerate((below, *product[1:])):
        scaled = code.mul(_to_float(code, word), code.number(2.0 ** (-30 - 32 * i), F64))
        fraction = plus(code, fraction, (scaled, code.number(0.0, F64)))
    high, low = times(code, fraction, pair_of(code, *_HALF_PI))
    negative = code.compare("less", x, code.number(0.0, F64))
    return (
        code.select(negative, code.neg(turns), turns),
        (
            code.select(negative, code.neg(high), high),
            code.select(negative, code.neg(low), low),
        ),
    )


def _window(code: Code, start: Reg) -> list[Reg]:
    """Words of the table from a bit on, each as an i64."""
    five, f = code.number(5, I64), code.function
    f.declarations.add(_table())
    # An infinity's exponent lies behind all others: what it reads means nothing, but is there.
    last = code.number(len(_TWO_OVER_PI) // 8 + _ZEROS - _WORDS - 1, I64)
    first = code.bits("lshr", start, five)
    first = code.select(code.compare("less", first, last), first, last)
    words = [_looked_up(code, first, i) for i in range(_WORDS + 1)]
    shift = _low(code, start, 5)
    shifted = []
    for word, following in pairwise(words):
        both = code.bits("or", code.bits("shl", word, code.number(32, I64)), following)
        shifted.append(_high(code, code.bits("shl", both, shift)))
    return shifted


def _looked_up(code: Code, first: Reg, offset: int) -> Reg:
    """A word of the table for each lane."""
    f, kind, made = code.function, code.kind(I64), "poison"
    for lane in range(code.lanes):
        at = first.text
        if code.lanes > 1:
            at = f.value(f"extractelement {kind} {first.text}, i64 {lane}")
        place = f.value(f"getelementptr i32, ptr @two_over_pi, i64 {at}")
        place = f.value(f"getelementptr i32, ptr {place}, i64 {offset}")
        word = f.value(f"load i32, ptr {place}, align 4")
        wide = f.value(f"zext i32 {word} to {type_name(I64)}")
        if code.lanes == 1:
            return Reg(wide, I64)
        made = f.value(f"insertelement {kind} {made}, i64 {wide}, i64 {lane}")
    return Reg(made, I64)


def _product(code: Code, mantissa: Reg, window: Sequence[Reg]) -> list[Reg]:
    """The last words of a mantissa times a window, by columns: the first word is the highest."""
    low, high = _low(code, mantissa, 32), _high(code, mantissa)
    lows = [code.mul(low, word) for word in window]
    highs = [code.mul(high, word) for word in window]
    carry = code.number(0, I64)
    made: list[Reg] = []
    for i in reversed(range(_WORDS)):
        column = code.add(carry, _low(code, lows[i], 32))
        if i + 1 < _WORDS:
            column = code.add(column, _high(code, lows[i + 1]))
            column = code.add(column, _low(code, highs[i + 1], 32))
        if i + 2 < _WORDS:
            column = code.add(column, _high(code, highs[i + 2]))
        made.insert(0, _low(code, column, 32))
        carry = _high(code, column)
    return made


def _low(code: Code, x: Reg, bits: int) -> Reg:
    return code.bits("and", x, code.number(2**bits - 1, I64))


def _high(code: Code, x: Reg) -> Reg:
    return code.bits("lshr", x, code.number(32, I64))


def _to_float(code: Code, word: Reg) -> Reg:
    """A whole number of at most 33 bits; SSE2 and AVX2 have no instruction for 64."""
    magic = code.number(1.5 * 2.0**52, F64)
    return code.sub(code.float_of_bits(code.add(code.bits_of(magic), word)), magic)
