"""The arena, as a program that runs finds it: where values are, and what kernels leave notes of."""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.backends.protocol import Array
from chainrule.base.errors import DataError
from chainrule.graph import DType

LINE = 64
"""Bytes of a line of the processor's cache."""

LARGE_PAGE = 2**21
"""Bytes of what the system hands out at once, if it is told to."""

ALIGNMENT = LINE
"""Bytes: also the longest vector."""


@dataclass(frozen=True)
class Place:
    """A whole value in an arena.

    Parameters
    ----------
    offset : int
        In bytes.
    dtype : DType
    shape, strides : tuple of int
        Strides in elements.
    """

    offset: int
    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * self.dtype.numpy.itemsize

    def of(self, arena: Any) -> Array:
        """The value, as an array that shares the arena's memory."""
        dtype, strides = self._as_numpy
        return np.ndarray(self.shape, dtype, arena, self.offset, strides)

    @cached_property
    def _as_numpy(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """Dtype, and strides in bytes: a step that is recorded has hundreds of places."""
        dtype = self.dtype.numpy
        return dtype, tuple(dtype.itemsize * stride for stride in self.strides)


@dataclass(frozen=True)
class Fault:
    """What can go wrong in a kernel.

    Parameters
    ----------
    takes : str
        What it takes.
    shape : tuple of int
        Of the operand in which something else may be found.
    """

    takes: str
    shape: tuple[int, ...]


def new_arena(size: int) -> Any:
    """Zeroed memory that begins where a line of the processor's cache does."""
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + size]


def new_whole_arena(size: int) -> Any:
    """An arena that is written once, all of it: in large pages, where the system has some.

    To hand out 49 MB in pages of 2 MB takes two thirds of the time that it takes where the first
    and the last of them come in pieces of 4 kB, which is where memory begins that C hands out.
    """
    if size < 2 * LARGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return new_arena(size)
    length = -(-size // LARGE_PAGE) * LARGE_PAGE  # then it begins where such a page does, too
    try:
        memory = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        return new_arena(size)
    with suppress(OSError):  # a kernel may have no such pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)[:size]


def take_fault(arena: Any, offset: int, faults: Sequence[Fault]) -> DataError | None:
    """What a kernel has noted since the last time, if an index was out of range."""
    count = len(faults)
    noted = arena[offset : offset + 16 * count].view(np.int64).reshape(count, 2)
    for slot in np.flatnonzero(noted[:, 0])[:1]:
        place, number = (int(each) for each in noted[slot])
        noted[...] = 0
        fault = faults[slot]
        element = [int(i) for i in np.unravel_index(place - 1, fault.shape)]
        return DataError(f"{fault.takes}; got {number}", where=f"Element {element} of the indices")
    return None
