"""Reading parts of a Tensor with square brackets, as NumPy does."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.base.errors import ShapeError
from chainrule.eager.functions import reshape, take
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
    """
    parts = _expand_ellipsis(index if isinstance(index, tuple) else (index,), x)
    starts, stops, steps = [], [], []
    shape: list[int] = []
    arrays: list[tuple[int, Any]] = []
    axis = 0
    for part in parts:
        if part is None:
            shape.append(1)
            continue
        size = int(x.shape[axis])
        if isinstance(part, slice):
            start, stop, step = part.indices(size)
            if step < 1:
                raise _refuse(x, index, "a slice with a negative step")
            stop = max(start, stop)
            shape.append(
                x.shape[axis] if (start, stop, step) == (0, size, 1) else -((start - stop) // step)
            )
        elif isinstance(part, int | np.integer) and not isinstance(part, bool):
            start = int(part) + (size if part < 0 else 0)
            if not 0 <= start < size:
                raise _refuse(x, index, f"position {part} on axis {axis}")
            stop, step = start + 1, 1
        elif _is_integer_array(part):
            start, stop, step = 0, size, 1
            arrays.append((len(shape), part))
            shape.append(x.shape[axis])
        else:
            raise _refuse(x, index, f"an index of type {type(part).__name__}")
        starts.append(start)
        stops.append(stop)
        steps.append(step)
        axis += 1
    if len(arrays) > 1:
        raise _refuse(x, index, "more than one array")
    whole = all(
        (a, z, s) == (0, size, 1)
        for a, z, s, size in zip(starts, stops, steps, x.shape, strict=True)
    )
    y = (
        x
        if whole
        else apply("slice", x, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))
    )
    if y.shape != tuple(shape):
        y = reshape(y, shape)
    for where, array in arrays:
        y = take(y, array, axis=where)
    return y


def _expand_ellipsis(parts: tuple[Any, ...], x: Tensor) -> list[Any]:
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if used > x.ndim:
        raise _refuse(x, parts, f"{used} indices")
    missing = [slice(None)] * (x.ndim - used)
    for i, part in enumerate(parts):
        if part is Ellipsis:
            return [*parts[:i], *missing, *parts[i + 1 :]]
    return [*parts, *missing]


def _is_integer_array(part: Any) -> bool:
    if isinstance(part, Tensor):
        return part.type.dtype.is_integer
    return isinstance(part, list | np.ndarray) and np.asarray(part).dtype.kind in "iu"


def _refuse(x: Tensor, index: Any, what: str) -> ShapeError:
    return ShapeError(
        f"Indexing a Tensor of shape {format_shape(x.shape)} does not take {what}",
        where=here(),
        advice="Use integers, slices with positive steps, None, ..., and one integer array",
    )
