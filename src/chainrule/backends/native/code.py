"""Code for scalar arithmetic on lanes: the words that primitives are written in.

One object writes for one number of lanes. Everything here is IEEE arithmetic, one rounding each:
no fast-math flag, no contraction, and no intrinsic that becomes a call of a library on some target.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chainrule.backends.native.ir import Function, type_name
from chainrule.graph import DType

Comparison = Literal["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]

_FLOAT_COMPARISONS = {
    "equal": "oeq",
    "not_equal": "une",
    "less": "olt",
    "less_equal": "ole",
    "greater": "ogt",
    "greater_equal": "oge",
}
_SIGNED = {"less": "slt", "less_equal": "sle", "greater": "sgt", "greater_equal": "sge"}
_UNSIGNED = {"less": "ult", "less_equal": "ule", "greater": "ugt", "greater_equal": "uge"}


@dataclass(frozen=True)
class Reg:
    """A value in a register, or a constant.

    Parameters
    ----------
    text : str
        As IR writes it.
    dtype : DType
    """

    text: str
    dtype: DType


class Code:
    """Writes arithmetic on `lanes` elements at once into a function.

    Parameters
    ----------
    function : Function
    lanes : int
    """

    def __init__(self, function: Function, lanes: int) -> None:
        self.function = function
        self.lanes = lanes

    def kind(self, dtype: DType) -> str:
        """The register's type."""
        return type_name(dtype, self.lanes)

    def number(self, value: float | int | bool, dtype: DType) -> Reg:
        """A constant, the same in every lane."""
        text = literal(value, dtype)
        scalar = type_name(dtype)
        return Reg(text if self.lanes == 1 else f"splat ({scalar} {text})", dtype)

    def spread(self, scalar: Reg) -> Reg:
        """A scalar in every lane."""
        if self.lanes == 1:
            return scalar
        kind, one = self.kind(scalar.dtype), type_name(scalar.dtype)
        first = self.function.value(f"insertelement {kind} poison, {one} {scalar.text}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return Reg(
            self.function.value(f"shufflevector {kind} {first}, {kind} poison, {zeros}"),
            scalar.dtype,
        )

    # --- arithmetic --------------------------------------------------------------------------

    def add(self, a: Reg, b: Reg) -> Reg:
        """A + b."""
        return self._binary("fadd" if a.dtype.is_float else "add", a, b)

    def sub(self, a: Reg, b: Reg) -> Reg:
        """A - b."""
        return self._binary("fsub" if a.dtype.is_float else "sub", a, b)

    def mul(self, a: Reg, b: Reg) -> Reg:
        """A · b."""
        return self._binary("fmul" if a.dtype.is_float else "mul", a, b)

    def div(self, a: Reg, b: Reg) -> Reg:
        """A / b, of floats."""
        return self._binary("fdiv", a, b)

    def neg(self, x: Reg) -> Reg:
        """-x."""
        if x.dtype.is_float:
            return Reg(self.function.value(f"fneg {self.kind(x.dtype)} {x.text}"), x.dtype)
        return self.sub(self.number(0, x.dtype), x)

    def fma(self, a: Reg, b: Reg, c: Reg) -> Reg:
        """A · b + c, rounded once."""
        return self.intrinsic("llvm.fma", a, b, c)

    def sqrt(self, x: Reg) -> Reg:
        """√x."""
        return self.intrinsic("llvm.sqrt", x)

    def abs(self, x: Reg) -> Reg:
        """|x|."""
        if x.dtype.is_float:
            return self.intrinsic("llvm.fabs", x)
        if x.dtype is DType.U32:
            return x
        return self.select(self.compare("less", x, self.number(0, x.dtype)), self.neg(x), x)

    def copysign(self, size: Reg, sign: Reg) -> Reg:
        """|size| with the sign of `sign`."""
        return self.intrinsic("llvm.copysign", size, sign)

    # --- choices -----------------------------------------------------------------------------

    def compare(self, how: Comparison, a: Reg, b: Reg) -> Reg:
        """A truth: NaN compares as IEEE says."""
        if a.dtype.is_float:
            word = f"fcmp {_FLOAT_COMPARISONS[how]}"
        elif how in ("equal", "not_equal"):
            word = f"icmp {'eq' if how == 'equal' else 'ne'}"
        else:
            unsigned = a.dtype in (DType.U32, DType.BOOL)
            word = f"icmp {(_UNSIGNED if unsigned else _SIGNED)[how]}"
        made = self.function.value(f"{word} {self.kind(a.dtype)} {a.text}, {b.text}")
        return Reg(made, DType.BOOL)

    def select(self, condition: Reg, a: Reg, b: Reg) -> Reg:
        """A where the condition holds, b elsewhere."""
        truth, kind = self.kind(DType.BOOL), self.kind(a.dtype)
        made = self.function.value(
            f"select {truth} {condition.text}, {kind} {a.text}, {kind} {b.text}"
        )
        return Reg(made, a.dtype)

    def is_nan(self, x: Reg) -> Reg:
        """Whether x is NaN."""
        made = self.function.value(f"fcmp uno {self.kind(x.dtype)} {x.text}, {x.text}")
        return Reg(made, DType.BOOL)

    def any(self, truth: Reg) -> str:
        """Whether it holds in some lane: an i1."""
        if self.lanes == 1:
            return truth.text
        name, kind = f"llvm.vector.reduce.or.v{self.lanes}i1", self.kind(DType.BOOL)
        return self.function.call("i1", name, (kind, truth.text))

    # --- bits --------------------------------------------------------------------------------

    def bits(self, word: str, a: Reg, b: Reg) -> Reg:
        """``and``, ``or``, ``xor``, ``shl``, ``lshr``, ``ashr``, ``sdiv`` ... of integers."""
        return self._binary(word, a, b)

    def bits_of(self, x: Reg) -> Reg:
        """A float's bits as an integer of its size."""
        return self._bitcast(x, DType.I32 if x.dtype is DType.F32 else DType.I64)

    def float_of_bits(self, x: Reg) -> Reg:
        """An integer's bits as a float of its size."""
        return self._bitcast(x, DType.F64 if x.dtype is DType.I64 else DType.F32)

    def _bitcast(self, x: Reg, dtype: DType) -> Reg:
        text = f"bitcast {self.kind(x.dtype)} {x.text} to {self.kind(dtype)}"
        return Reg(self.function.value(text), dtype)

    # --- conversions -------------------------------------------------------------------------

    def cast(self, x: Reg, dtype: DType) -> Reg:
        """Convert as NumPy does: to the nearest float, towards zero to integers, ≠ 0 to truths."""
        if x.dtype is dtype:
            return x
        if dtype is DType.BOOL:
            return self.compare("not_equal", x, self.number(0, x.dtype))
        word = _conversion(x.dtype, dtype)
        if word is None:
            return Reg(x.text, dtype)
        text = f"{word} {self.kind(x.dtype)} {x.text} to {self.kind(dtype)}"
        return Reg(self.function.value(text), dtype)

    # --- pieces ------------------------------------------------------------------------------

    def intrinsic(self, name: str, *arguments: Reg) -> Reg:
        """Call an intrinsic whose operands and result have one type."""
        dtype = arguments[0].dtype
        kind = self.kind(dtype)
        lanes = f"v{self.lanes}" if self.lanes > 1 else ""
        letter = "f" if dtype.is_float else "i"
        suffix = f"{lanes}{letter}{8 * dtype.numpy.itemsize}"
        passed = [(kind, argument.text) for argument in arguments]
        return Reg(self.function.call(kind, f"{name}.{suffix}", *passed), dtype)

    def polynomial(self, x: Reg, coefficients: Sequence[float], square: Reg | None = None) -> Reg:
        """c₀ + c₁·x + c₂·x² + ..., by Horner's rule; given x², in terms that do not wait.

        Of a few terms even and odd powers stand side by side; more are added up in pairs, and pairs
        of pairs.
        """
        if square is not None and len(coefficients) > 6:
            terms = [self.number(c, x.dtype) for c in coefficients]
            return self.added_in_pairs(self.paired(terms, x), square)
        if square is not None and len(coefficients) > 2:
            even = self.polynomial(square, coefficients[0::2])
            return self.add(even, self.mul(x, self.polynomial(square, coefficients[1::2])))
        y = self.number(coefficients[-1], x.dtype)
        for c in reversed(coefficients[:-1]):
            y = self.add(self.mul(y, x), self.number(c, x.dtype))
        return y

    def paired(self, terms: Sequence[Reg], x: Reg) -> list[Reg]:
        """t₀ + t₁·x, t₂ + t₃·x, ..., and the last if it has no other."""
        pairs = list(zip(terms[0::2], terms[1::2], strict=False))
        return [self.add(a, self.mul(b, x)) for a, b in pairs] + list(terms[2 * len(pairs) :])

    def added_in_pairs(self, terms: Sequence[Reg], x: Reg) -> Reg:
        """t₀ + t₁·x + t₂·x² + ..., at least one   [Estrin 1960]."""
        terms = self.paired(terms, x)
        while len(terms) > 1:
            x = self.mul(x, x)
            terms = self.paired(terms, x)
        return terms[0]

    def _binary(self, word: str, a: Reg, b: Reg) -> Reg:
        return Reg(self.function.value(f"{word} {self.kind(a.dtype)} {a.text}, {b.text}"), a.dtype)


def _conversion(source: DType, wanted: DType) -> str | None:
    """The instruction that converts; None where the bits are the same."""
    if source.is_float:
        if wanted.is_float:
            return "fpext" if wanted is DType.F64 else "fptrunc"
        return "fptoui" if wanted is DType.U32 else "fptosi"
    unsigned = source in (DType.U32, DType.BOOL)
    if wanted.is_float:
        return "uitofp" if unsigned else "sitofp"
    sizes = {DType.BOOL: 1, DType.I32: 32, DType.U32: 32, DType.I64: 64}
    if sizes[source] == sizes[wanted]:
        return None
    if sizes[source] > sizes[wanted]:
        return "trunc"
    return "zext" if unsigned else "sext"


def literal(value: float | int | bool, dtype: DType) -> str:
    """A constant as IR writes it: floats by the bits of a double."""
    if dtype is DType.BOOL:
        return "true" if value else "false"
    if not dtype.is_float:
        return str(int(value))
    with np.errstate(over="ignore"):
        exact = float(np.float32(value)) if dtype is DType.F32 else float(value)
    return f"0x{struct.unpack('<Q', struct.pack('<d', exact))[0]:016X}"
