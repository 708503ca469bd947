"""Values that nobody reads again go past the caches.

A store into a cache first reads the line from memory that it replaces. Of a large value that only
leaves the program, such as the squares on an optimiser's way, that is for nothing, and what is read
soon has to make room for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chainrule.backends.native.lowered import Buffer
from chainrule.backends.native.nest import (
    Kernel,
    Let,
    Loop,
    Statement,
    Turn,
    Write,
    reads_of,
    written,
)

LARGE = 1 << 20
"""Bytes: smaller ones are still in a cache for whoever looks at them afterwards."""


def stream_results(kernels: Sequence[Kernel], buffers: Mapping[str, Buffer]) -> list[Kernel]:
    """Mark what kernels write and nothing reads, where it is large.

    Parameters
    ----------
    kernels : sequence of Kernel
        All that run.
    buffers : mapping of str to Buffer
        What they read and write.
    """
    used = Counter(name for kernel in kernels for name in kernel.buffers)
    large = {n for n, b in buffers.items() if b.size * b.dtype.numpy.itemsize >= LARGE}
    made = []
    for kernel in kernels:
        results = {n for n in written(kernel.body) & large if used[n] == 1} - _read(kernel.body)
        made.append(replace(kernel, streamed=frozenset(results)))
    return made


def _read(body: Sequence[Statement]) -> set[str]:
    """The buffers that statements read."""
    found: set[str] = set()
    todo = list(body)
    while todo:
        match todo.pop():
            case Let(_, value) | Write(value=value):
                found |= {read.buffer for read in reads_of(value)}
            case Turn(source):
                found.add(source)
            case Loop(body=inner, carried=carried):
                todo += inner
                values = [value for c in carried for value in (c.start, c.next)]
                found |= {read.buffer for value in values for read in reads_of(value)}
    return found
