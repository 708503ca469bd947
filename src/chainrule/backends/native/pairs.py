"""Numbers in two parts: twice the digits, from roundings of the first that are known exactly."""

from __future__ import annotations

from chainrule.backends.native.code import Code, Reg
from chainrule.graph import DType

F64 = DType.F64

Pair = tuple[Reg, Reg]
"""A number as an unevaluated sum of two, the second below half an ulp of the first."""


def two_sum(code: Code, a: Reg, b: Reg) -> Pair:
    """A + b exactly   [Knuth 1969, theorem B]."""
    s = code.add(a, b)
    v = code.sub(s, a)
    return s, code.add(code.sub(a, code.sub(s, v)), code.sub(b, v))


def _split(code: Code, a: Reg) -> Pair:
    """A in two halves of 26 bits   [Veltkamp 1968]."""
    c = code.mul(a, code.number(2.0**27 + 1, F64))
    high = code.sub(c, code.sub(c, a))
    return high, code.sub(a, high)


def two_product(code: Code, a: Reg, b: Reg) -> Pair:
    """a·b exactly, without a fused multiply-add   [Dekker 1971]."""
    p = code.mul(a, b)
    (ah, al), (bh, bl) = _split(code, a), _split(code, b)
    error = code.sub(code.mul(ah, bh), p)
    error = code.add(code.add(error, code.mul(ah, bl)), code.mul(al, bh))
    return p, code.add(error, code.mul(al, bl))


def times(code: Code, a: Pair, b: Pair) -> Pair:
    """a·b, to some 100 bits."""
    high, low = two_product(code, a[0], b[0])
    cross = code.add(code.mul(a[0], b[1]), code.mul(a[1], b[0]))
    return two_sum(code, high, code.add(low, cross))


def plus(code: Code, a: Pair, b: Pair) -> Pair:
    """A + b, to some 100 bits."""
    high, low = two_sum(code, a[0], b[0])
    return two_sum(code, high, code.add(low, code.add(a[1], b[1])))


def pair_of(code: Code, high: float, low: float = 0.0) -> Pair:
    """A constant."""
    return code.number(high, F64), code.number(low, F64)
