"""NumPy's functions of shape: parts, copies, axes that come, go and move."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

from chainrule.base.errors import ShapeError
from chainrule.eager.axes import axis_of, reshape, transpose
from chainrule.eager.functions import broadcast_to, where
from chainrule.eager.tensor import Tensor, apply, as_tensor, constant
from chainrule.eager.tracing import here
from chainrule.graph import DType, format_shape


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Cut into parts along `axis`.

    Parameters
    ----------
    x : array_like
    sections : int or sequence of int
        How many equal parts, or the positions at which to cut.
    axis : int

    Raises
    ------
    ShapeError
        If the axis does not divide into so many equal parts.
    """
    tensor = as_tensor(x)
    along = axis_of(axis, tensor.ndim, "split")
    size = int(tensor.shape[along])
    if isinstance(sections, Sequence):
        cuts = [0, *map(operator.index, sections), size]
    else:
        count = operator.index(sections)
        if count < 1 or size % count:
            raise ShapeError(
                f"split cannot cut axis {along} of shape {format_shape(tensor.shape)} into "
                f"{count} equal parts",
                where=here(),
                advice="Give the positions at which to cut",
            )
        cuts = list(range(0, size + 1, size // count)) if size else [0] * (count + 1)
    before = (slice(None),) * along
    return [tensor[(*before, slice(a, z))] for a, z in itertools.pairwise(cuts)]


def tile(x: Any, repetitions: int | Sequence[int]) -> Tensor:
    """Copies of the whole side by side, so many along each axis."""
    tensor = as_tensor(x)
    given = repetitions if isinstance(repetitions, Sequence) else (repetitions,)
    counts = [operator.index(count) for count in given]
    rank = max(tensor.ndim, len(counts))
    counts = [1] * (rank - len(counts)) + counts
    sizes = [1] * (rank - tensor.ndim) + [int(size) for size in tensor.shape]
    pairs = [part for count, size in zip(counts, sizes, strict=True) for part in (count, size)]
    ones = [part for size in sizes for part in (1, size)]
    copies = broadcast_to(reshape(tensor, ones), pairs)
    return reshape(copies, [c * size for c, size in zip(counts, sizes, strict=True)])


def repeat(x: Any, repetitions: int, axis: int | None = None) -> Tensor:
    """Each element so many times in a row along `axis`; all elements as one row by default."""
    tensor = as_tensor(x)
    if axis is None:
        tensor, axis = reshape(tensor, -1), 0
    along, count = axis_of(axis, tensor.ndim, "repeat"), operator.index(repetitions)
    shape = [int(size) for size in tensor.shape]
    spread = [*shape[: along + 1], count, *shape[along + 1 :]]
    copies = broadcast_to(reshape(tensor, [*spread[: along + 1], 1, *spread[along + 2 :]]), spread)
    return reshape(copies, [*shape[:along], shape[along] * count, *shape[along + 1 :]])


def pad(x: Any, widths: int | Sequence[int | Sequence[int]], value: float = 0) -> Tensor:
    """Surround the elements with `value`.

    Parameters
    ----------
    x : array_like
    widths : int, or pair of int, or a pair for each axis
        How many elements come before and after along each axis; a single number or pair is that
        of all axes.
    value : number

    Raises
    ------
    ShapeError
        If there is another number of pairs than of axes, or a width is negative.
    """
    tensor = as_tensor(x)
    pairs: list[Any]
    if not isinstance(widths, Sequence):
        pairs = [(widths, widths)] * tensor.ndim
    elif all(not isinstance(width, Sequence) for width in widths):
        pairs = [widths] * tensor.ndim
    else:
        pairs = list(widths)
    if len(pairs) != tensor.ndim or any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        raise ShapeError(
            f"pad takes a width before and after, none negative, for each axis of shape "
            f"{format_shape(tensor.shape)}; got {widths}",
            where=here(),
        )
    low, high = (tuple(operator.index(pair[k]) for pair in pairs) for k in (0, 1))
    filler = constant(value, tensor.type.dtype)
    return apply("pad", tensor, filler, low=low, high=high, interior=(0,) * tensor.ndim)


def expand_dims(x: Any, axis: int) -> Tensor:
    """Put in an axis of size 1 at `axis`."""
    tensor = as_tensor(x)
    new = axis_of(axis, tensor.ndim + 1, "expand_dims")
    return reshape(tensor, (*tensor.shape[:new], 1, *tensor.shape[new:]))


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Tensor:
    """Leave out axes of size 1; all of them by default.

    Raises
    ------
    ShapeError
        If a chosen axis has another size.
    """
    tensor = as_tensor(x)
    if axis is None:
        axes = [k for k, size in enumerate(tensor.shape) if size == 1]
    else:
        given = axis if isinstance(axis, Sequence) else (axis,)
        axes = [axis_of(a, tensor.ndim, "squeeze") for a in given]
    for k in axes:
        if tensor.shape[k] != 1:
            raise ShapeError(
                f"squeeze leaves out axes of size 1; axis {k} of shape "
                f"{format_shape(tensor.shape)} has {int(tensor.shape[k])}",
                where=here(),
            )
    return reshape(tensor, [size for k, size in enumerate(tensor.shape) if k not in axes])


def swapaxes(x: Any, first: int, second: int) -> Tensor:
    """Exchange two axes."""
    tensor = as_tensor(x)
    i, j = (axis_of(axis, tensor.ndim, "swapaxes") for axis in (first, second))
    order = list(range(tensor.ndim))
    order[i], order[j] = j, i
    return transpose(tensor, order)


def moveaxis(x: Any, source: int, destination: int) -> Tensor:
    """Put an axis at another place; the others keep their order."""
    tensor = as_tensor(x)
    start, end = (axis_of(axis, tensor.ndim, "moveaxis") for axis in (source, destination))
    order = [axis for axis in range(tensor.ndim) if axis != start]
    order.insert(end, start)
    return transpose(tensor, order)


def triu(x: Any, k: int = 0) -> Tensor:
    """The last two axes' elements on and above diagonal `k`; zeros below it."""
    return _triangle(x, k, "triu")


def tril(x: Any, k: int = 0) -> Tensor:
    """The last two axes' elements on and below diagonal `k`; zeros above it."""
    return _triangle(x, k, "tril")


def _triangle(x: Any, k: int, op: str) -> Tensor:
    tensor = as_tensor(x)
    if tensor.ndim < 2:
        raise ShapeError(
            f"{op} takes matrices; got shape {format_shape(tensor.shape)}", where=here()
        )
    shape = tuple(int(size) for size in tensor.shape[-2:])
    row, column = (apply("iota", shape=shape, axis=axis, dtype=DType.I64) for axis in (0, 1))
    diagonal = row + operator.index(k)
    kept = column >= diagonal if op == "triu" else column <= diagonal
    return where(kept, tensor, False if tensor.type.dtype is DType.BOOL else 0)
