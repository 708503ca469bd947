"""NumPy's functions on Tensors: matmul, reductions, reshape, where, concatenate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.base.errors import ShapeError
from chainrule.eager.tensor import Tensor, apply, as_tensor, elementwise, promote
from chainrule.eager.tracing import here
from chainrule.graph import DType, format_shape
from chainrule.ops.table import normalize_axis


def matmul(a: Any, b: Any) -> Tensor:
    """Matrix product, as NumPy's ``@``.

    Parameters
    ----------
    a, b : array_like
        Vectors, matrices, or stacks of matrices whose leading axes are equal.

    Raises
    ------
    ShapeError
        If the inner sizes differ or one is a scalar.
    """
    left, right = _same_float(as_tensor(a), as_tensor(b))
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
    if right.ndim > 2:
        if left.shape[:-2] != right.shape[:-2]:
            raise ShapeError(
                f"@ of stacks takes equal leading axes; got {format_shape(left.shape)} and "
                f"{format_shape(right.shape)}",
                where=here(),
            )
        batch = tuple(axis for i in range(right.ndim - 2) for axis in (i, i))
        return apply("contract", left, right, over=inner, batch=batch)
    return apply("contract", left, right, over=inner)


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Elements of `a` where `condition` holds and of `b` elsewhere.

    Both branches are computed. The gradient of the one that was not chosen is zero.
    """
    return elementwise("select", condition, a, b)


def concatenate(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Join tensors along an axis they have."""
    parts = [as_tensor(t) for t in tensors]
    if not parts:
        raise ShapeError("concatenate takes at least one tensor", where=here())
    return apply("concat", *parts, axis=normalize_axis(axis, parts[0].ndim, "concatenate"))


def broadcast_to(x: Any, shape: Sequence[int]) -> Tensor:
    """Repeat `x` to `shape`, by NumPy's rule."""
    return apply("broadcast", as_tensor(x), shape=tuple(shape))


def take(x: Any, indices: Any, axis: int = 0) -> Tensor:
    """Slices of `x` along `axis` at integer positions."""
    source = as_tensor(x)
    where_ = normalize_axis(axis, source.ndim, "take")
    return apply("gather", source, as_tensor(indices), axis=where_)


def reduce_axes(op: str, x: Tensor, axis: int | Sequence[int] | None, keepdims: bool) -> Tensor:
    """Apply a reduction over any number of axes."""
    if axis is None:
        axes = tuple(range(x.ndim))
    else:
        given = (axis,) if isinstance(axis, int) else tuple(axis)
        axes = tuple(sorted(normalize_axis(a, x.ndim, op) for a in given))
    if op == "mean" and x.type.dtype in (DType.BOOL, DType.I32, DType.I64, DType.U32):
        x = x.astype(DType.F64)
    if op == "sum" and x.type.dtype is DType.BOOL:
        x = x.astype(DType.I64)
    return _restore(apply(op, x, axes=axes), x, axes, keepdims)


def reduce_axis(op: str, x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    """Apply a reduction over one axis, or over all elements in row-major order."""
    if axis is None:
        flat = apply(op, reshape(x, -1), axis=0)
        return _restore(flat, x, tuple(range(x.ndim)), keepdims)
    along = normalize_axis(axis, x.ndim, op)
    return _restore(apply(op, x, axis=along), x, (along,), keepdims)


def reshape(x: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """The same elements under another shape; one size may be -1."""
    sizes = list(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else list(shape)
    if sizes.count(-1) == 1:
        known = 1
        for size in sizes:
            known *= size if size != -1 else 1  # type: ignore[operator]
        if not known or x.size % known:
            raise ShapeError(
                f"reshape cannot divide {x.size} elements of shape {format_shape(x.shape)} "
                f"into {sizes}",
                where=here(),
            )
        sizes[sizes.index(-1)] = x.size // known
    return apply("reshape", x, shape=tuple(sizes))  # type: ignore[arg-type]


def _restore(y: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    if not keepdims:
        return y
    return reshape(y, [1 if axis in axes else size for axis, size in enumerate(x.shape)])


def _same_float(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    dtype = promote((a, b), needs_float=True)
    return a.astype(dtype), b.astype(dtype)
