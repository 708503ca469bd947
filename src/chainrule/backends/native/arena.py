"""The arena, as a program that runs finds it: where values are, and what kernels leave notes of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.backends.protocol import Array
from chainrule.base.errors import DataError
from chainrule.graph import DType

LINE = 64
"""Bytes of a line of the processor's cache."""

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


def take_fault(arena: Any, offset: int, faults: Sequence[Fault]) -> DataError | None:
    """What a kernel has noted since the last time, if an index was out of range."""
    noted = _notes(arena, offset, faults)
    for slot in np.flatnonzero(noted[:, 0])[:1]:
        place, number = (int(each) for each in noted[slot])
        noted[...] = 0
        fault = faults[slot]
        element = [int(i) for i in np.unravel_index(place - 1, fault.shape)]
        return DataError(f"{fault.takes}; got {number}", where=f"Element {element} of the indices")
    return None


def forget_faults(arena: Any, offset: int, faults: Sequence[Fault]) -> None:
    """Let nothing be noted: of an arena whose content may be anything."""
    _notes(arena, offset, faults)[...] = 0


def _notes(arena: Any, offset: int, faults: Sequence[Fault]) -> Array:
    count = len(faults)
    found: Array = arena[offset : offset + 16 * count].view(np.int64).reshape(count, 2)
    return found
