"""The scalar vocabulary on this machine: one function for each primitive of the op table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.backends.native import division, elementary, error_functions, wide
from chainrule.backends.native.code import Code, Reg
from chainrule.base.registry import Registry
from chainrule.graph import DType

Lowering = Callable[..., Reg]
"""(code, operands) to the result; operands have one dtype, but for ``select``'s condition."""

PRIMITIVES: Registry[Lowering] = Registry("native primitive")


def _lowers(*names: str) -> Callable[[Lowering], Lowering]:
    def register(function: Lowering) -> Lowering:
        for name in names:
            PRIMITIVES.register(name, function)
        return function

    return register


def _method(name: str) -> Lowering:
    return lambda code, *operands: getattr(code, name)(*operands)


for _name in ("add", "sub", "mul", "div", "neg", "sqrt", "abs", "select", "fma"):
    PRIMITIVES.register(_name, _method(_name))
for _name in ("exp", "expm1", "log", "log1p", "tanh", "floor", "ceil"):
    PRIMITIVES.register(_name, getattr(elementary, _name))
PRIMITIVES.register("exp_of_negative", elementary.exp_of_negative)  # no op of a graph
PRIMITIVES.register("round", elementary.rounded)
PRIMITIVES.register("floor_divide", division.floor_divide)
PRIMITIVES.register("remainder", division.remainder)
for _name in ("erf", "erfc"):
    PRIMITIVES.register(_name, getattr(error_functions, _name))
for _name in ("power", "sin", "cos", "atan"):
    PRIMITIVES.register(_name, getattr(wide, _name))


def _comparison(how: Any) -> Lowering:
    return lambda code, a, b: code.compare(how, a, b)


for _name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
    PRIMITIVES.register(_name, _comparison(_name))


@_lowers("max")
def _max(code: Code, a: Reg, b: Reg) -> Reg:
    """The larger one; NaN if either is, which an instruction for it would swallow."""
    chosen = code.compare("greater_equal", a, b)
    if a.dtype.is_float:
        chosen = code.bits("or", chosen, code.is_nan(a))
    return code.select(chosen, a, b)


@_lowers("min")
def _min(code: Code, a: Reg, b: Reg) -> Reg:
    """The smaller one; NaN if either is."""
    chosen = code.compare("less_equal", a, b)
    if a.dtype.is_float:
        chosen = code.bits("or", chosen, code.is_nan(a))
    return code.select(chosen, a, b)


@_lowers("sign")
def _sign(code: Code, x: Reg) -> Reg:
    """-1, 0 or 1; NaN for NaN."""
    zero, one = code.number(0, x.dtype), code.number(1, x.dtype)
    above = code.select(code.compare("greater", x, zero), one, x)
    if x.dtype is DType.U32:
        return above
    return code.select(code.compare("less", x, zero), code.number(-1, x.dtype), above)


@_lowers("is_finite")
def _is_finite(code: Code, x: Reg) -> Reg:
    """Whether x - x is 0, which it is not for NaN and infinities."""
    return code.compare("equal", code.sub(x, x), code.number(0.0, x.dtype))


@_lowers("logical_and", "bitwise_and")
def _and(code: Code, a: Reg, b: Reg) -> Reg:
    return code.bits("and", a, b)


@_lowers("logical_or", "bitwise_or")
def _or(code: Code, a: Reg, b: Reg) -> Reg:
    return code.bits("or", a, b)


@_lowers("logical_xor", "bitwise_xor")
def _xor(code: Code, a: Reg, b: Reg) -> Reg:
    return code.bits("xor", a, b)


@_lowers("logical_not")
def _logical_not(code: Code, x: Reg) -> Reg:
    return code.bits("xor", x, code.number(True, DType.BOOL))


@_lowers("bitwise_not")
def _bitwise_not(code: Code, x: Reg) -> Reg:
    return code.bits("xor", x, code.number(-1, x.dtype))


@_lowers("rotate_left")
def _rotate_left(code: Code, a: Reg, count: Reg) -> Reg:
    """The bits of a, moved up; those that leave come in below."""
    return code.intrinsic("llvm.fshl", a, a, count)


@_lowers("shift_left")
def _shift_left(code: Code, a: Reg, b: Reg) -> Reg:
    """All bits gone where there are not as many: IR leaves that open."""
    return code.select(_shifts(code, b), code.bits("shl", a, b), code.number(0, a.dtype))


@_lowers("shift_right")
def _shift_right(code: Code, a: Reg, b: Reg) -> Reg:
    if a.dtype is DType.U32:
        return code.select(_shifts(code, b), code.bits("lshr", a, b), code.number(0, a.dtype))
    last = code.number(8 * a.dtype.numpy.itemsize - 1, a.dtype)
    return code.bits("ashr", a, code.select(_shifts(code, b), b, last))


def _shifts(code: Code, b: Reg) -> Reg:
    """Whether there are as many bits."""
    bits = code.number(8 * b.dtype.numpy.itemsize, b.dtype)
    unsigned = Reg(b.text, DType.U32) if b.dtype is DType.I32 else b
    inside = code.compare("less", unsigned, Reg(bits.text, unsigned.dtype))
    if b.dtype is DType.I64:
        inside = code.bits("and", inside, code.compare("greater_equal", b, code.number(0, b.dtype)))
    return inside


@_lowers("sort_key")
def _sort_key(code: Code, x: Reg) -> Reg:
    """A float as an integer that is as large as it is, NaN the largest; no op of a graph."""
    bits = code.bits_of(code.add(x, code.number(0.0, x.dtype)))  # -0 is 0
    width = 8 * x.dtype.numpy.itemsize
    largest = code.number(2 ** (width - 1) - 1, bits.dtype)
    negative = code.bits("ashr", bits, code.number(width - 1, bits.dtype))
    key = code.bits("xor", bits, code.bits("and", negative, largest))
    return code.select(code.is_nan(x), largest, key)
