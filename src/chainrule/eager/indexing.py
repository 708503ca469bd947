"""Reading parts of a Tensor with square brackets, as NumPy does."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.base.errors import ShapeError
from chainrule.eager.axes import reshape
from chainrule.eager.functions import take
from chainrule.eager.tensor import Tensor, apply
from chainrule.eager.tracing import here
from chainrule.graph import format_shape


def index_tensor(x: Tensor, index: Any) -> Tensor:
    """Return ``x[index]``.

    Parameters
    ----------
    x : Tensor
    index : int, slice, None, Ellipsis, or an integer array or Tensor, or a tuple of these
        At most one of them an array; slices have positive steps.

    Raises
    ------
    ShapeError
        If an index is out of range or of another kind.
    DataError
        If an element of an index array is out of range.
    """
    given = index if isinstance(index, tuple) else (index,)
    parts = _expand_ellipsis(tuple(map(_list_to_array, given)), x)
    _check_array_place(parts, x)
    ranges: list[tuple[int, int, int]] = []
    shape: list[int] = []
    array: tuple[Any, int] | None = None
    for part in parts:
        if part is None:
            shape.append(1)
            continue
        axis = len(ranges)
        size = int(x.shape[axis])
        whole = (0, size, 1)
        if isinstance(part, slice):
            start, stop, step = part.indices(size)
            if step < 1:
                raise _refuse(x, "a slice with a negative step")
            ranges.append((start, max(start, stop), step))
            taken = len(range(start, stop, step))
            # The whole axis keeps its name.
            shape.append(x.shape[axis] if ranges[-1] == whole else taken)
        elif _is_position(part):
            start = int(part) + (size if part < 0 else 0)
            if not 0 <= start < size:
                raise _refuse(x, f"position {part} on axis {axis}")
            ranges.append((start, start + 1, 1))
        else:
            array = (part, len(shape))
            ranges.append(whole)
            shape.append(x.shape[axis])
    y = x
    if any(r != (0, size, 1) for r, size in zip(ranges, x.shape, strict=True)):
        starts, stops, steps = zip(*ranges, strict=True)
        y = apply("slice", x, starts=starts, stops=stops, steps=steps)
    if y.shape != tuple(shape):
        y = reshape(y, shape)
    return y if array is None else take(y, array[0], axis=array[1])


def _list_to_array(part: Any) -> Any:
    if not isinstance(part, list):
        return part
    return np.asarray(part) if part else np.zeros(0, np.int64)


def _expand_ellipsis(parts: tuple[Any, ...], x: Tensor) -> list[Any]:
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if used > x.ndim:
        raise _refuse(x, f"{used} indices")
    missing = [slice(None)] * (x.ndim - used)
    for i, part in enumerate(parts):
        if part is Ellipsis:
            return [*parts[:i], *missing, *parts[i + 1 :]]
    return [*parts, *missing]


def _check_array_place(parts: list[Any], x: Tensor) -> None:
    """Raise unless all parts are of a kind we read, with at most one array among them."""
    arrays = [part for part in parts if not isinstance(part, slice) and not _is_simple(part)]
    for part in arrays:
        if not _is_integer_array(part):
            raise _refuse(x, _describe(part))
    if len(arrays) > 1:
        raise _refuse(x, "more than one array")
    # NumPy moves the array's axes to the front if a slice or None parts it from an integer.
    advanced = [i for i, p in enumerate(parts) if p is not None and not isinstance(p, slice)]
    if arrays and advanced[-1] - advanced[0] != len(advanced) - 1:
        raise _refuse(x, "an array and an integer with something between them")


def _is_simple(part: Any) -> bool:
    return part is None or _is_position(part)


def _is_position(part: Any) -> bool:
    return isinstance(part, int | np.integer) and not isinstance(part, bool)


def _is_integer_array(part: Any) -> bool:
    if isinstance(part, Tensor):
        return part.type.dtype.is_integer
    return isinstance(part, np.ndarray) and part.dtype.kind in "iu"


def _describe(part: Any) -> str:
    if isinstance(part, Tensor | np.ndarray) and part.dtype == bool:
        return "a mask of bools"
    if isinstance(part, Tensor | np.ndarray):
        return f"an array of {part.dtype}"
    return f"an index of type {type(part).__name__}"


def _refuse(x: Tensor, what: str) -> ShapeError:
    advice = "Use integers, slices with positive steps, None, ..., and one integer array"
    if what == "a mask of bools":
        advice = "Choose elements with cr.where, which keeps the shape"
    return ShapeError(
        f"Indexing a Tensor of shape {format_shape(x.shape)} does not take {what}",
        where=here(),
        advice=advice,
    )
