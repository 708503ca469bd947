"""NumPy's broadcasting: the shape rule, the element rule, and the transpose of both."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.base.errors import ShapeError
from chainrule.graph import Shape, format_shape
from chainrule.ops.builder import Builder, Value


def broadcast_shapes(op: str, shapes: Sequence[Shape]) -> Shape:
    """Broadcast shapes by NumPy's rule; a named axis keeps its name.

    Raises
    ------
    ShapeError
        If two sizes on one axis differ and neither is 1.
    """
    rank = max(map(len, shapes), default=0)
    result: list[int] = []
    for axis in range(1, rank + 1):
        size: int = 1
        for shape in shapes:
            if axis > len(shape):
                continue
            other = shape[-axis]
            if size != other and size != 1 and other != 1:
                shown = " and ".join(map(format_shape, shapes))
                raise ShapeError(
                    f"{op} got shapes {shown}, which do not broadcast: "
                    f"axis {axis - 1} from the back is {int(size)} and {int(other)}"
                )
            # A batch of one is still the batch, whatever it meets.
            if (size == 1 and other != 1) or (size == other and type(other) is not int):
                size = other
        result.append(size)
    return tuple(reversed(result))


def broadcast_index(index: tuple[int, ...], shape: Shape) -> tuple[int, ...]:
    """The element of an operand of `shape` that a broadcast result takes at `index`."""
    tail = index[len(index) - len(shape) :]
    return tuple(0 if size == 1 else i for i, size in zip(tail, shape, strict=True))


def sum_to_shape(b: Builder, value: Value, shape: Shape) -> Value:
    """Sum the axes along which an operand of `shape` was broadcast: broadcast's transpose."""
    extra = len(value.shape) - len(shape)
    stretched = tuple(
        axis
        for axis, size in enumerate(value.shape)
        if axis < extra or (shape[axis - extra] == 1 and size != 1)
    )
    if stretched:
        value = b.sum(value, axes=stretched)
    return value if value.shape == shape else b.reshape(value, shape=shape)
