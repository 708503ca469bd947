"""NumPy's functions on Tensors: products, reductions, reshaping, joining."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.base.errors import DataError, ShapeError
from chainrule.eager.promotion import promote
from chainrule.eager.tensor import Tensor, apply, as_tensor, elementwise
from chainrule.eager.tracing import at_the_users_line, here
from chainrule.graph import AttributeValue, DType, Shape, format_shape
from chainrule.ops.broadcasting import broadcast_shapes
from chainrule.ops.table import normalize_axis

_broadcast_shapes = at_the_users_line(broadcast_shapes)


@at_the_users_line
def axis_of(axis: int, ndim: int, op: str) -> int:
    """Count `axis` from the front."""
    return normalize_axis(operator.index(axis), ndim, op)


def matmul(a: Any, b: Any) -> Tensor:
    """Matrix product, as NumPy's ``@``.

    Parameters
    ----------
    a, b : array_like
        Vectors, matrices, or stacks of matrices, whose leading axes broadcast. Integers are
        multiplied as float64.

    Raises
    ------
    ShapeError
        If the inner sizes differ or one is a scalar.
    """
    dtype = promote((a, b), needs_float=True)
    left, right = as_tensor(a).astype(dtype), as_tensor(b).astype(dtype)
    if not left.ndim or not right.ndim:
        raise ShapeError("@ takes vectors or matrices; got a scalar", where=here())
    inner = left.ndim - 1, max(right.ndim - 2, 0)
    if left.shape[inner[0]] != right.shape[inner[1]]:
        raise ShapeError(
            f"@ got shapes {format_shape(left.shape)} and {format_shape(right.shape)}: the last "
            f"axis of the first is {int(left.shape[inner[0]])} and axis {inner[1]} of the second "
            f"is {int(right.shape[inner[1]])}",
            where=here(),
        )
    if right.ndim <= 2:
        return apply("contract", left, right, over=inner)
    # A stack of matrices: both run along its axes together.
    stack = _broadcast_shapes("@", (left.shape[:-2], right.shape[:-2]))
    left = _stretch(left, (*stack, *left.shape[-2:]))
    right = _stretch(right, (*stack, *right.shape[-2:]))
    batch = tuple(axis for i in range(len(stack)) for axis in (i, i))
    return apply("contract", left, right, over=(left.ndim - 1, right.ndim - 2), batch=batch)


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Elements of `a` where `condition` holds and of `b` elsewhere.

    Both branches are computed. The gradient of the one that was not chosen is zero.
    """
    return elementwise("select", condition, a, b)


def maximum(a: Any, b: Any) -> Tensor:
    """The larger of two elements; at a tie each has half of the gradient."""
    return elementwise("max", a, b)


def minimum(a: Any, b: Any) -> Tensor:
    """The smaller of two elements; at a tie each has half of the gradient."""
    return elementwise("min", a, b)


def concatenate(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Join tensors along an axis they have."""
    parts = _alike(tensors, "concatenate")
    return apply("concat", *parts, axis=axis_of(axis, parts[0].ndim, "concatenate"))


def stack(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    parts = _alike(tensors, "stack")
    new = axis_of(axis, parts[0].ndim + 1, "stack")
    shape = parts[0].shape
    for part in parts:
        if part.shape != shape:
            raise ShapeError(
                f"stack takes tensors of one shape; got {format_shape(shape)} and "
                f"{format_shape(part.shape)}",
                where=here(),
            )
    rows = [reshape(part, (*shape[:new], 1, *shape[new:])) for part in parts]
    return apply("concat", *rows, axis=new)


def broadcast_to(x: Any, shape: Sequence[int]) -> Tensor:
    """Repeat `x` to `shape`, by NumPy's rule."""
    return _stretch(as_tensor(x), tuple(map(operator.index, shape)))


def take(x: Any, indices: Any, axis: int = 0) -> Tensor:
    """Slices of `x` along `axis` at integer positions.

    Positions in an array or list may be negative, counting from the end; those in a Tensor, whose
    numbers are not known while a function is traced, are counted from 0.
    """
    source = as_tensor(x)
    along = axis_of(axis, source.ndim, "take")
    return apply("gather", source, positions(indices, source.shape[along]), axis=along)


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


def _alike(tensors: Sequence[Any], op: str) -> list[Tensor]:
    """The operands of a joint in the dtype in which they meet."""
    if not len(tensors):
        raise ShapeError(f"{op} takes at least one tensor", where=here())
    dtype = promote(tensors, needs_float=False)
    return [as_tensor(t).astype(dtype) for t in tensors]


def _stretch(x: Tensor, shape: Shape) -> Tensor:
    return x if x.shape == shape else apply("broadcast", x, shape=tuple(map(int, shape)))


def _restore(y: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    if not keepdims:
        return y
    return reshape(y, [1 if axis in axes else size for axis, size in enumerate(x.shape)])
