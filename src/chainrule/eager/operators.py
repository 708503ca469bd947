"""Python's operators on Tensors, by NumPy's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.eager.promotion import is_weak

if TYPE_CHECKING:
    from chainrule.eager.tensor import Tensor


class Operators:
    """What ``+``, ``@``, ``<`` and the others mean for a Tensor.

    `Tensor` is the one class that derives from it.
    """

    __slots__ = ()
    __array_ufunc__ = None  # `ndarray @ Tensor` asks Tensor
    __hash__ = object.__hash__

    def __add__(self, other: Any) -> Tensor:
        return _binary("add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return _binary("add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return _binary("sub", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return _binary("sub", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return _binary("mul", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return _binary("mul", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return _binary("div", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return _binary("div", other, self)

    def __pow__(self, other: Any) -> Tensor:
        # x² is exact for negative x and cheaper than a power.
        if is_weak(other) and other == 2:
            return _unary("square", self)
        return _binary("power", self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return _binary("power", other, self)

    def __neg__(self) -> Tensor:
        return _unary("neg", self)

    def __abs__(self) -> Tensor:
        return _unary("abs", self)

    def __matmul__(self, other: Any) -> Tensor:
        return _product(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return _product(other, self)

    def __lt__(self, other: Any) -> Tensor:
        return _binary("less", self, other)

    def __le__(self, other: Any) -> Tensor:
        return _binary("less_equal", self, other)

    def __gt__(self, other: Any) -> Tensor:
        return _binary("greater", self, other)

    def __ge__(self, other: Any) -> Tensor:
        return _binary("greater_equal", self, other)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return _binary("equal", self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return _binary("not_equal", self, other)

    def __and__(self, other: Any) -> Tensor:
        return _bits_or_truth("and", self, other)

    def __rand__(self, other: Any) -> Tensor:
        return _bits_or_truth("and", other, self)

    def __or__(self, other: Any) -> Tensor:
        return _bits_or_truth("or", self, other)

    def __ror__(self, other: Any) -> Tensor:
        return _bits_or_truth("or", other, self)

    def __xor__(self, other: Any) -> Tensor:
        return _bits_or_truth("xor", self, other)

    def __rxor__(self, other: Any) -> Tensor:
        return _bits_or_truth("xor", other, self)

    def __invert__(self) -> Tensor:
        return _bits_or_truth("not", self)

    def __lshift__(self, other: Any) -> Tensor:
        return _binary("shift_left", self, other)

    def __rlshift__(self, other: Any) -> Tensor:
        return _binary("shift_left", other, self)

    def __rshift__(self, other: Any) -> Tensor:
        return _binary("shift_right", self, other)

    def __rrshift__(self, other: Any) -> Tensor:
        return _binary("shift_right", other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return _binary("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return _binary("floor_divide", other, self)

    def __mod__(self, other: Any) -> Tensor:
        return _binary("remainder", self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return _binary("remainder", other, self)


_OPERANDS = (Operators, np.ndarray, np.generic, int, float, list, tuple)


def _is_operand(value: object) -> bool:
    return isinstance(value, _OPERANDS)


# Tensor is made of Operators, so these know it only when they are called. What is no operand may
# know how to combine itself with a Tensor: NotImplemented asks it; if it does not, Python raises.


def _unary(op: str, operand: Any) -> Tensor:
    from chainrule.eager.tensor import elementwise

    return elementwise(op, operand)


def _binary(op: str, left: Any, right: Any) -> Tensor:
    from chainrule.eager.tensor import elementwise

    if _is_operand(left) and _is_operand(right):
        return elementwise(op, left, right)
    return NotImplemented  # type: ignore[no-any-return]


def _bits_or_truth(word: str, *operands: Any) -> Tensor:
    """``&`` and its like: bit by bit on integers, and otherwise on truth values."""
    from chainrule.eager.promotion import promote
    from chainrule.eager.tensor import elementwise

    if not all(map(_is_operand, operands)):
        return NotImplemented  # type: ignore[no-any-return]
    kind = "bitwise" if promote(operands, needs_float=False).is_integer else "logical"
    return elementwise(f"{kind}_{word}", *operands)


def _product(left: Any, right: Any) -> Tensor:
    from chainrule.eager.functions import matmul

    if _is_operand(left) and _is_operand(right):
        return matmul(left, right)
    return NotImplemented  # type: ignore[no-any-return]
