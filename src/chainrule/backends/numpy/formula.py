"""Turn an elementwise op's formula into a NumPy function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.backends.numpy.kernels import UFUNCS, Kernel
from chainrule.base.errors import GraphError, MissingKernelError
from chainrule.graph import DType
from chainrule.ops import ElementwiseOp
from chainrule.ops.expression import Expression, Literal, Symbol, read
from chainrule.ops.table import Operands


def make_formula_kernel(op: ElementwiseOp, operands: Operands) -> Kernel:
    """Return the function that computes `op`: one ufunc call for each step of its formula.

    Raises
    ------
    MissingKernelError
        If the formula uses a primitive that has no ufunc here.
    """
    if op.declaration.is_primitive:
        return _ufunc(op.name)
    compiler = _Compiler(op.declaration.operands, operands[-1].dtype.numpy)
    result = read(op.value, compiler)
    steps = compiler.steps

    def kernel(*arrays: Any) -> Any:
        slots = list(arrays)
        for function, sources in steps:
            slots.append(function(*[slots[i] for i in sources]))
        return slots[result]

    return kernel


def _ufunc(name: str) -> Callable[..., Any]:
    if name not in UFUNCS:
        raise MissingKernelError(f"The NumPy backend has no kernel for the primitive {name}")
    return UFUNCS[name]


class _Compiler:
    """Reads a formula as steps on numbered slots: the operands, then one for each step."""

    def __init__(self, operands: tuple[str, ...], dtype: np.dtype[Any]) -> None:
        self.operands = operands
        self.dtype = dtype
        self.steps: list[tuple[Callable[..., Any], tuple[int, ...]]] = []

    def leaf(self, leaf: Expression) -> int:
        match leaf:
            case Symbol(name):
                return self.operands.index(name)
            case Literal(value):
                # A NumPy scalar, not a Python number: where(c, 1, 0) would be int64.
                number = self.dtype.type(value)
                return self._append(lambda: number, ())
        raise GraphError(f"an elementwise formula has no {type(leaf).__name__}")

    def apply(self, op: str, arguments: Sequence[int], dtype: DType | None) -> int:
        return self._append(_ufunc(op), tuple(arguments))

    def fold(self, op: str, items: Sequence[int], order: str) -> int:
        raise GraphError("an elementwise formula has no sums")

    def _append(self, function: Callable[..., Any], sources: tuple[int, ...]) -> int:
        self.steps.append((function, sources))
        return len(self.operands) + len(self.steps) - 1
