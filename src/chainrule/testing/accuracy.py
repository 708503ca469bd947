"""Measure the error of elementwise ops, in units in the last place, against 50 digits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends import Backend, get_backend
from chainrule.base.errors import DTypeError, NameNotFoundError
from chainrule.graph import DType, TensorType
from chainrule.ops import OPS, Builder, Elementwise
from chainrule.testing.exact import Number, context, evaluate

Array = NDArray[Any]

_GOLDEN_RATIO = 0.6180339887498949
_SILVER_RATIO = 0.41421356237309515  # a second irrational step, for a second operand


@dataclass(frozen=True)
class Accuracy:
    """The largest error of an op on a set of points.

    Parameters
    ----------
    op : str
    dtype : DType
    ulps : float
        The error in units in the last place of the exact result: 0.5 is correct rounding.
    at : tuple of float
        The operands where it was met.
    """

    op: str
    dtype: DType
    ulps: float
    at: tuple[float, ...]


def float_ops() -> Iterator[str]:
    """The elementwise ops from floats to floats, whose results round."""
    for name, declaration in OPS.items():
        if isinstance(declaration, Elementwise):
            takes_floats = declaration.accepts not in ("bool", "integer")
            if takes_floats and declaration.returns is None and not declaration.condition:
                yield name


def measure_accuracy(
    op: str, dtype: object, backend: str | Backend = "numpy", points: int = 1000
) -> Accuracy:
    """Measure the error of an elementwise op where it is used.

    Parameters
    ----------
    op : str
        One of `float_ops`.
    dtype : DType or dtype
        float32 or float64.
    backend : str or Backend
    points : int
        How many. Half are spread evenly over the range of the op's samples; with one operand,
        the others over all magnitudes of its domain.

    Returns
    -------
    Accuracy

    Raises
    ------
    NameNotFoundError, DTypeError
        If `op` or `dtype` is another.

    Examples
    --------
    >>> measure_accuracy("add", "float64").ulps <= 0.5
    True
    """
    declaration = OPS.get(op)
    if not isinstance(declaration, Elementwise) or op not in float_ops():
        raise NameNotFoundError.among("elementwise op from floats to floats", op, float_ops())
    kind = DType.of(dtype)
    if not kind.is_float:
        raise DTypeError(f"errors in the last place are those of floats; got {kind.value}")
    runner = get_backend(backend) if isinstance(backend, str) else backend
    arrays = _points(declaration, kind, points)
    b = Builder()
    operands = [b.input(TensorType(a.shape, kind), f"x{i}") for i, a in enumerate(arrays)]
    graph = b.build(op, {"y": b.apply(op, *operands)})
    (computed,) = runner.run(graph, arrays)
    terms = declaration.bind({})
    types = tuple(operand.type for operand in operands)
    worst = Accuracy(op, kind, 0.0, ())
    for i in range(points):
        exact = evaluate(terms.terms(types, (i,)), arrays)
        error = _ulps(float(computed[i]), exact, kind)
        if error > worst.ulps:
            worst = Accuracy(op, kind, error, tuple(float(a[i]) for a in arrays))
    return worst


def _points(declaration: Elementwise, dtype: DType, count: int) -> list[Array]:
    columns = []
    for operand, step in zip(
        range(declaration.arity), (_GOLDEN_RATIO, _SILVER_RATIO), strict=False
    ):
        values = declaration.samples[0].inputs[operand].values
        assert values is not None
        spread = (np.arange(count) * step) % 1.0  # evenly, and no two operands in step
        column = min(values) + spread * (max(values) - min(values))
        if declaration.arity == 1:
            magnitudes = 2.0 ** (120 * spread[::2] - 60) * np.where(
                np.arange(count)[::2] % 4, 1, -1
            )
            inside = (magnitudes > declaration.domain.low) & (magnitudes < declaration.domain.high)
            column[::2] = np.where(inside, magnitudes, column[::2])
        columns.append(column.astype(dtype.numpy))
    return columns


def _ulps(computed: float, exact: Number, dtype: DType) -> float:
    """The error of a computed number; 0 where the exact one overflows."""
    mp = context()
    info: Any = np.finfo(np.float32 if dtype is DType.F32 else np.float64)
    if mp.isnan(exact) or abs(exact) > float(info.max):
        return 0.0
    if computed != computed:
        return float("inf")
    exponent = mp.frexp(exact)[1] if exact else -(2**20)
    gap = max(mp.ldexp(1, exponent - info.nmant - 1), mp.mpf(float(info.smallest_subnormal)))
    return float(abs(computed - exact) / gap)
