"""NumPy's functions on Tensors: products, choices, joints, reading by position."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from chainrule.base.errors import ShapeError
from chainrule.eager.axes import axis_of, positions, reshape
from chainrule.eager.promotion import promote
from chainrule.eager.tensor import Tensor, apply, as_tensor, elementwise
from chainrule.eager.tracing import at_the_users_line, here
from chainrule.graph import Shape, format_shape
from chainrule.ops.broadcasting import broadcast_shapes

_broadcast_shapes = at_the_users_line(broadcast_shapes)


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


def _alike(tensors: Sequence[Any], op: str) -> list[Tensor]:
    """The operands of a joint in the dtype in which they meet."""
    if not len(tensors):
        raise ShapeError(f"{op} takes at least one tensor", where=here())
    dtype = promote(tensors, needs_float=False)
    return [as_tensor(t).astype(dtype) for t in tensors]


def _stretch(x: Tensor, shape: Shape) -> Tensor:
    return x if x.shape == shape else apply("broadcast", x, shape=tuple(map(int, shape)))
