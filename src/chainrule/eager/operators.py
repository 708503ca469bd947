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
        return _binary("logical_and", self, other)

    def __rand__(self, other: Any) -> Tensor:
        return _binary("logical_and", other, self)

    def __or__(self, other: Any) -> Tensor:
        if not _is_operand(other):
            return NotImplemented
        return ~(~self & _unary("logical_not", other))

    __ror__ = __or__

    def __invert__(self) -> Tensor:
        return _unary("logical_not", self)


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


def _product(left: Any, right: Any) -> Tensor:
    from chainrule.eager.functions import matmul

    if _is_operand(left) and _is_operand(right):
        return matmul(left, right)
    return NotImplemented  # type: ignore[no-any-return]
