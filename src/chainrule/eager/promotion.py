"""The dtype in which operands meet, by NumPy's rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.eager.tracing import at_the_users_line
from chainrule.graph import DType

dtype_of = at_the_users_line(DType.of)


def is_weak(value: object) -> bool:
    """Whether `value` is a Python number, which takes the dtype of what it meets."""
    # np.float64 is a float, too, but has a dtype of its own.
    return isinstance(value, int | float) and not isinstance(value, np.generic)


def promote(operands: Sequence[Any], needs_float: bool) -> DType:
    """The dtype in which operands meet.

    Parameters
    ----------
    operands : sequence of Tensor, array_like or number
    needs_float : bool
        Whether integers and bools become float64.

    Raises
    ------
    DTypeError
        If NumPy's rule leads to a dtype that is not supported.
    """
    dtype = np.result_type(*map(_dtype_or_number, operands))
    if needs_float and dtype.kind in "biu":
        dtype = np.dtype(np.float64)
    return dtype_of(dtype)


def _dtype_or_number(operand: Any) -> Any:
    if is_weak(operand):
        # NumPy would not take a subclass, such as a named axis, for a Python number.
        kind = next(kind for kind in (bool, int, float) if isinstance(operand, kind))
        return kind(operand)
    return operand.dtype if hasattr(operand, "dtype") else np.asarray(operand).dtype
