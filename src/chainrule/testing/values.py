"""Compare what a backend computes for one op with the op's terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends import Backend
from chainrule.graph import DType, TensorType
from chainrule.ops import Op, bind
from chainrule.ops.table import Operands
from chainrule.testing.cases import Case
from chainrule.testing.enclosure import Enclosure, enclose

Array = NDArray[Any]


def bound_op(case: Case) -> tuple[Op, Operands]:
    """The op of a case with its attributes, and its operands' types."""
    node = case.graph.nodes[-1]
    operands = tuple(case.graph.nodes[i].type for i in node.inputs)
    return bind(node.op, node.attributes), operands


def indices(kind: TensorType) -> Iterator[tuple[int, ...]]:
    """The index of every element of a value of this type."""
    return np.ndindex(*map(int, kind.shape))


def value_faults(case: Case, backend: Backend) -> Iterator[str]:
    """What is wrong with the result of `backend`: its type, or elements out of their bounds."""
    (result,) = backend.run(case.graph, list(case.arrays))
    yield from result_faults(case, result)


def result_faults(
    case: Case, result: Array, where: Iterable[tuple[int, ...]] | None = None
) -> Iterator[str]:
    """What is wrong with a result of the case: its type, or elements out of their bounds.

    By default all elements are looked at, else those at the indices `where`.
    """
    kind = case.result
    if result.shape != kind.shape or result.dtype != kind.dtype.numpy:
        yield f"{case.label}: the result should be {kind}; got {result.dtype}{list(result.shape)}"
        return
    op, operands = bound_op(case)
    for index in indices(kind) if where is None else where:
        expected = enclose(op.terms(operands, index), case.arrays, kind.dtype)
        if kind.dtype.is_integer and expected is not None:
            expected = _wrapped(expected, kind.dtype)
        got = result[index].item()
        if not _agrees(expected, got):
            yield f"{case.label}: y{list(index)} should be {expected}; got {got!r}"


def _agrees(expected: Any, got: float) -> bool:
    if expected is None:
        return True  # hangs on rounding
    return expected.holds(got) if isinstance(expected, Enclosure) else bool(expected == got)


def _wrapped(number: int, dtype: DType) -> int:
    """Integers are computed modulo 2 to their number of bits."""
    bits = 8 * int(dtype.numpy.itemsize)
    low = 0 if dtype is DType.U32 else -(2 ** (bits - 1))
    return int((number - low) % 2**bits + low)
