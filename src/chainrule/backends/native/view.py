"""Views: where the elements of a value lie in a buffer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from chainrule.backends.native.nest import Affine, Read
from chainrule.graph import DType


@dataclass(frozen=True)
class View:
    """A value's elements as places of a flat buffer: offset + Σ strideₐ·indexₐ.

    Parameters
    ----------
    buffer : str
    dtype : DType
    shape, strides : tuple of int
        Strides in elements; 0 where a value is repeated.
    offset : int
    """

    buffer: str
    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @classmethod
    def whole(cls, buffer: str, dtype: DType, shape: Sequence[int]) -> View:
        """A buffer's elements in row-major order."""
        return cls(buffer, dtype, tuple(shape), row_major(shape))

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    @property
    def extent(self) -> int:
        """How many elements of the buffer it spans, with the room behind its last row."""
        if not self.size:
            return 0
        spans = [size * stride for size, stride in zip(self.shape, self.strides, strict=True)]
        return max(spans, default=1)

    def at(self, indices: Sequence[Affine]) -> Affine:
        """The place of an element; along an axis of one it is that one, whatever the index."""
        place = Affine(self.offset)
        for index, size, stride in zip(indices, self.shape, self.strides, strict=True):
            if size != 1:
                place = place + index * stride
        return place

    def read(self, indices: Sequence[Affine]) -> Read:
        """An element as a value."""
        return Read(self.buffer, self.at(indices), self.dtype)

    # --- the ops that move nothing -----------------------------------------------------------

    def transposed(self, axes: Sequence[int]) -> View:
        """With the axes in another order."""
        shape, strides = (tuple(each[axis] for axis in axes) for each in (self.shape, self.strides))
        return replace(self, shape=shape, strides=strides)

    def broadcast(self, shape: Sequence[int]) -> View:
        """Repeated to a shape, by NumPy's rule."""
        new = len(shape) - len(self.shape)
        strides = tuple(
            0 if size == 1 and wanted != 1 else stride
            for size, stride, wanted in zip(self.shape, self.strides, shape[new:], strict=True)
        )
        return replace(self, shape=tuple(shape), strides=(0,) * new + strides)

    def sliced(self, starts: Sequence[int], shape: Sequence[int], steps: Sequence[int]) -> View:
        """Every so many elements from a start on."""
        offset = self.offset
        for start, size, stride in zip(starts, self.shape, self.strides, strict=True):
            offset += start * stride if size else 0
        strides = tuple(step * stride for step, stride in zip(steps, self.strides, strict=True))
        return replace(self, shape=tuple(shape), strides=strides, offset=offset)

    def flipped(self, axes: Sequence[int]) -> View:
        """Backwards along axes."""
        offset, strides = self.offset, list(self.strides)
        for axis in axes:
            offset += (self.shape[axis] - 1) * strides[axis] if self.size else 0
            strides[axis] = -strides[axis]
        return replace(self, strides=tuple(strides), offset=offset)

    def reshaped(self, shape: Sequence[int]) -> View | None:
        """Under another shape; None where its elements do not lie so that strides reach them."""
        strides = _reshaped_strides(self.shape, self.strides, tuple(shape))
        return None if strides is None else replace(self, shape=tuple(shape), strides=strides)


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of a whole array, the last axis fastest."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def _reshaped_strides(
    shape: tuple[int, ...], strides: tuple[int, ...], wanted: tuple[int, ...]
) -> tuple[int, ...] | None:
    if math.prod(shape) <= 1:
        return (0,) * len(wanted)
    # Both shapes are cut into the shortest runs of axes with as many elements; within a run the old
    # axes have to lie as one.
    old = [(size, stride) for size, stride in zip(shape, strides, strict=True) if size != 1]
    made: list[int] = [0] * len(wanted)
    i = 0
    axes = [axis for axis, size in enumerate(wanted) if size != 1]
    while axes:
        run_old, run_new = [old[i]], [axes.pop(0)]
        i += 1
        count_old, count_new = run_old[0][0], wanted[run_new[0]]
        while count_old != count_new:
            if count_old < count_new:
                run_old.append(old[i])
                count_old *= old[i][0]
                i += 1
            else:
                run_new.append(axes.pop(0))
                count_new *= wanted[run_new[-1]]
        for (_, outer), (size, inner) in pairwise(run_old):
            if outer != inner * size:
                return None
        step = run_old[-1][1]
        for axis in reversed(run_new):
            made[axis] = step
            step *= wanted[axis]
    return tuple(made)
