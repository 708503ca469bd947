"""Axes: counted from the front, reduced over, reordered, and positions along them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.base.errors import DataError, ShapeError
from chainrule.eager.tensor import Tensor, apply
from chainrule.eager.tracing import at_the_users_line, here
from chainrule.graph import AttributeValue, DType, format_shape
from chainrule.ops.table import normalize_axis


@at_the_users_line
def axis_of(axis: int, ndim: int, op: str) -> int:
    """Count `axis` from the front."""
    return normalize_axis(operator.index(axis), ndim, op)


def positions(indices: Any, size: int) -> Tensor:
    """Positions from 0 up to `size`."""
    if isinstance(indices, Tensor):
        return indices
    array = np.asarray(indices)
    if array.dtype.kind not in "iu":
        return Tensor(array)  # gather says what it takes
    outside = (array < -size) | (array >= size)
    if outside.any():
        raise DataError(
            f"An axis of size {int(size)} has positions from {-size} to {size - 1}; "
            f"got {array[outside][0]}",
            where=here(),
        )
    return Tensor(np.where(array < 0, array + size, array).astype(np.int64))


def reduce_axes(
    op: str,
    x: Tensor,
    axis: int | Sequence[int] | None,
    keepdims: bool,
    **attributes: AttributeValue,
) -> Tensor:
    """Apply a reduction over any number of axes, in NumPy's dtype."""
    if axis is None:
        axes = tuple(range(x.ndim))
    else:
        given = tuple(axis) if isinstance(axis, Sequence) else (axis,)
        axes = tuple(sorted(axis_of(a, x.ndim, op) for a in given))
    if not x.type.dtype.is_float:
        x = x.astype(DType.I64 if op in ("sum", "prod") else DType.F64)
    return _restore(apply(op, x, axes=axes, **attributes), x, axes, keepdims)


def reduce_axis(op: str, x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    """Apply a reduction over one axis, or over all elements in row-major order."""
    if axis is None:
        flat = apply(op, reshape(x, -1), axis=0)
        return _restore(flat, x, tuple(range(x.ndim)), keepdims)
    if isinstance(axis, Sequence):
        raise ShapeError(
            f"{op} goes along one axis, or over all with None; got {axis}", where=here()
        )
    along = axis_of(axis, x.ndim, op)
    return _restore(apply(op, x, axis=along), x, (along,), keepdims)


def smallest(x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    """The smallest elements, as the largest of a value that falls where x rises."""
    return falling(reduce_axis("amax", falling(x), axis, keepdims))


def falling(x: Tensor) -> Tensor:
    """A value that falls where `x` rises; of it, it is `x` again."""
    # -x has no place for the smallest int32: -1 - x has, and 2³²-1 - x for unsigned ones.
    top = {DType.I32: -1, DType.I64: -1, DType.U32: 2**32 - 1}.get(x.type.dtype)
    return -x if top is None else top - x


def reshape(x: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """The same elements under another shape; one size may be -1."""
    sizes = _flat(shape)
    if any(size < -1 for size in sizes) or sizes.count(-1) > 1:
        raise ShapeError(f"reshape takes sizes, at most one of them -1; got {sizes}", where=here())
    if -1 in sizes:
        known = 1
        for size in sizes:
            known *= size if size != -1 else 1
        if not known or x.size % known:
            raise ShapeError(
                f"reshape cannot divide {x.size} elements of shape {format_shape(x.shape)} "
                f"into {sizes}",
                where=here(),
            )
        sizes[sizes.index(-1)] = x.size // known
    return apply("reshape", x, shape=tuple(sizes))


def transpose(x: Tensor, *axes: int | Sequence[int]) -> Tensor:
    """Permute the axes; reverse them by default."""
    order = [axis_of(axis, x.ndim, "transpose") for axis in _flat(axes)]
    return apply("transpose", x, axes=tuple(order or reversed(range(x.ndim))))


def _flat(sizes: tuple[int | Sequence[int], ...]) -> list[int]:
    """``f(2, 3)`` and ``f((2, 3))`` mean the same."""
    if len(sizes) == 1 and isinstance(sizes[0], Sequence):
        return [operator.index(size) for size in sizes[0]]
    return [operator.index(size) for size in sizes]  # type: ignore[arg-type]


def _restore(y: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    if not keepdims:
        return y
    return reshape(y, [1 if axis in axes else size for axis, size in enumerate(x.shape)])
