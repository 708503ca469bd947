"""NumPy's functions along an axis: order, reading by position, running sums, reversal."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from chainrule.base.errors import DataError, DTypeError, ShapeError
from chainrule.eager.axes import axis_of, positions, reshape
from chainrule.eager.functions import concatenate
from chainrule.eager.promotion import dtype_of
from chainrule.eager.tensor import Tensor, apply, as_tensor
from chainrule.eager.tracing import here
from chainrule.graph import DType, format_shape


def _along(x: Any, axis: int | None, op: str) -> tuple[Tensor, int]:
    """The operand and its axis from the front; None reads it as one row, as NumPy does."""
    tensor = as_tensor(x)
    if axis is None:
        return reshape(tensor, -1), 0
    return tensor, axis_of(axis, tensor.ndim, op)


def sort(x: Any, axis: int | None = -1, descending: bool = False) -> Tensor:
    """The elements along `axis` in rising order.

    Parameters
    ----------
    x : array_like
    axis : int or None
        None sorts all elements as one row.
    descending : bool
        In falling order instead.

    Notes
    -----
    Each result's gradient goes to the element it is. NaN counts as the largest number.
    """
    tensor, along = _along(x, axis, "sort")
    return apply("sort", tensor, axis=along, descending=descending)


def argsort(x: Any, axis: int | None = -1, descending: bool = False) -> Tensor:
    """The positions of the elements along `axis` in rising order; equal ones keep their order.

    Parameters
    ----------
    x : array_like
    axis : int or None
        None sorts all elements as one row.
    descending : bool
        In falling order instead.
    """
    tensor, along = _along(x, axis, "argsort")
    return apply("argsort", tensor, axis=along, descending=descending)


def top_k(x: Any, k: int, axis: int = -1) -> tuple[Tensor, Tensor]:
    """The `k` largest elements along `axis`, the largest first, and their positions.

    Parameters
    ----------
    x : array_like
    k : int
        How many, at most the axis's size. Of equal elements the first come first.
    axis : int

    Returns
    -------
    values, positions : Tensor

    Raises
    ------
    ShapeError
        If the axis has fewer elements.
    """
    tensor, along = _along(x, axis, "top_k")
    size, count = int(tensor.shape[along]), operator.index(k)
    if not 0 <= count <= size:
        raise ShapeError(
            f"top_k of axis {along} of shape {format_shape(tensor.shape)} takes from 0 to {size} "
            f"elements; got {count}",
            where=here(),
        )
    order = argsort(tensor, along, descending=True)
    places = order[(slice(None),) * along + (slice(0, count),)]
    return apply("take_along_axis", tensor, places, axis=along), places


def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Tensor:
    """Elements along `axis` at positions that each place has for itself.

    Parameters
    ----------
    x : array_like
    indices : array_like of int
        Of x's shape but for `axis`. Positions in an array may be negative, counting from the end;
        those in a Tensor are counted from 0.
    axis : int or None
        None reads all elements as one row.

    Raises
    ------
    ShapeError, DTypeError, DataError
        If shapes differ, indices are no integers, or one is out of range.
    """
    tensor, along = _along(x, axis, "take_along_axis")
    places = positions(indices, tensor.shape[along])
    return apply("take_along_axis", tensor, places, axis=along)


def cumsum(x: Any, axis: int | None = None) -> Tensor:
    """Sums of each element and all before it along `axis`; by default in row-major order.

    Parameters
    ----------
    x : array_like
        Integers and bools are summed as int64.
    axis : int or None
    """
    tensor, along = _along(x, axis, "cumsum")
    if not tensor.type.dtype.is_float:
        tensor = tensor.astype(DType.I64)
    return apply("cumsum", tensor, axis=along, reverse=False)


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Tensor:
    """The elements in reverse order along `axis`; along all axes by default."""
    tensor = as_tensor(x)
    if axis is None:
        axes = tuple(range(tensor.ndim))
    else:
        given = tuple(axis) if isinstance(axis, Sequence) else (axis,)
        axes = tuple(sorted(axis_of(a, tensor.ndim, "flip") for a in given))
    return apply("flip", tensor, axes=axes)


def roll(x: Any, shift: int, axis: int | None = None) -> Tensor:
    """Move the elements on by `shift` along `axis`; what falls off the end comes in again.

    Parameters
    ----------
    x : array_like
    shift : int
    axis : int or None
        None moves them along all elements as one row, and keeps the shape.
    """
    tensor, along = _along(x, axis, "roll")
    size = int(tensor.shape[along])
    cut = -operator.index(shift) % size if size else 0
    if cut:
        before = (slice(None),) * along
        parts = [tensor[(*before, slice(cut, None))], tensor[(*before, slice(0, cut))]]
        tensor = concatenate(parts, along)
    return reshape(tensor, as_tensor(x).shape) if axis is None else tensor


def one_hot(labels: Any, classes: int, dtype: object = "float32") -> Tensor:
    """Rows of zeros with a one at each label.

    Parameters
    ----------
    labels : array_like of int
        From 0 up to `classes`.
    classes : int
        How many there are: the size of the last axis, which is new.
    dtype : optional

    Raises
    ------
    DTypeError, DataError
        If labels are no integers, or one that is known is out of range.

    Examples
    --------
    >>> one_hot([2, 0], 3).numpy().tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    given, count = as_tensor(labels), operator.index(classes)
    if not given.type.dtype.is_integer:
        raise DTypeError(
            f"one_hot takes labels as integers; got {given.type.dtype.value}", where=here()
        )
    if given.trace is None:
        wrong = given.numpy()[(given.numpy() < 0) | (given.numpy() >= count)]
        if wrong.size:
            raise DataError(
                f"one_hot takes labels from 0 to {count - 1}; got {wrong[0]}", where=here()
            )
    shape = tuple(int(size) for size in given.shape)
    # One row, not one for each label: an axis of examples keeps its name beside it.
    counted = apply("iota", shape=(count,), axis=0, dtype=given.type.dtype)
    here_is_one = apply("equal", counted, reshape(given, (*shape, 1)))
    return here_is_one.astype(dtype_of(dtype))
