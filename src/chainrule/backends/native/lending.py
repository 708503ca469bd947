"""Memory for recorded steps: when nobody reads a step's values any more, the next one has it.

The system clears the memory that it hands out. For all values of a step that takes a third of the
time in which they are computed.
"""

from __future__ import annotations

import mmap
import weakref
from contextlib import suppress
from typing import Any

import numpy as np

from chainrule.backends.native.arena import new_arena

LARGE_PAGE = 2**21
"""Bytes of what the system hands out at once, if it is told to."""


class Lending:
    """Arenas of one size, for a program that may need several at once.

    Of those that came back one is kept, and the system is told that it may have its pages whenever
    it wants them.

    Parameters
    ----------
    size : int
        Of an arena, in bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._spare: list[mmap.mmap] = []

    def lend(self) -> Any:
        """An arena; what is in it may be anything.

        It comes back when nothing is left that shares its memory, neither arrays nor others.
        """
        try:
            memory = self._spare.pop()  # at once, for threads
        except IndexError:
            found = _whole_pages(self._size)
            if found is None:
                return new_arena(self._size)
            memory = found
        arena = np.frombuffer(memory, np.uint8, self._size)
        weakref.finalize(arena, self._take_back, memory).atexit = False
        return arena

    def _take_back(self, memory: mmap.mmap) -> None:
        with suppress(OSError):  # a kernel may not know this
            memory.madvise(mmap.MADV_FREE)
            self._spare.append(memory)
            del self._spare[:-1]


def lasting(arena: Any) -> Any:
    """The same memory, in which nobody can write any more, by whatever array that shares it."""
    return np.frombuffer(memoryview(arena).toreadonly(), np.uint8)


def _whole_pages(size: int) -> mmap.mmap | None:
    """Memory that will be written, all of it, in large pages; None where that is no use.

    To hand out 49 MB in pages of 2 MB takes two thirds of the time that it takes where the first
    and the last of them come in pieces of 4 kB, which is where memory begins that C hands out.
    """
    if size < 2 * LARGE_PAGE or not {"MADV_HUGEPAGE", "MADV_FREE"} <= vars(mmap).keys():
        return None
    length = -(-size // LARGE_PAGE) * LARGE_PAGE  # then it begins where such a page does, too
    try:
        memory = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        return None
    with suppress(OSError):  # a kernel may have no such pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
