"""The memory plan: every buffer's place in one arena, shared by those that do not live together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainrule.backends.native.arena import ALIGNMENT
from chainrule.backends.native.lowered import Buffer
from chainrule.backends.native.nest import Kernel


@dataclass(frozen=True)
class Plan:
    """Where buffers lie.

    Parameters
    ----------
    offsets : mapping of str to int
        In bytes.
    size : int
        Of the arena, in bytes.
    """

    offsets: Mapping[str, int]
    size: int

    def __str__(self) -> str:
        rows = [f"{offset:>10}  {name}" for name, offset in sorted(self.offsets.items())]
        return "\n".join([f"arena of {self.size} bytes", *rows])


def plan_memory(
    buffers: Mapping[str, Buffer], kernels: Sequence[Kernel], lasting: Sequence[str]
) -> Plan:
    """Lay out the buffers, each where one that is no longer needed was.

    Parameters
    ----------
    buffers : mapping of str to Buffer
    kernels : sequence of Kernel
        In the order in which they run.
    lasting : sequence of str
        Buffers that live from before the first kernel to after the last.
    """
    first: dict[str, int] = dict.fromkeys(lasting, -1)
    last: dict[str, int] = dict.fromkeys(lasting, len(kernels))
    for time, kernel in enumerate(kernels):
        for name in kernel.buffers:
            first.setdefault(name, time)
            last[name] = max(last.get(name, time), time)
    offsets: dict[str, int] = {}
    size = 0
    # The largest first, each at the lowest place that is free for as long as it lives.
    for name in sorted(first, key=lambda n: (-_bytes(buffers[n]), n)):
        length = _bytes(buffers[name])
        taken = sorted(
            (offsets[other], offsets[other] + _bytes(buffers[other]))
            for other in offsets
            if first[other] <= last[name] and first[name] <= last[other]
        )
        place = 0
        for begin, end in taken:
            if place + length <= begin:
                break
            place = max(place, end)
        offsets[name] = place
        size = max(size, place + length)
    return Plan(offsets, size + ALIGNMENT)  # a row's last vector may be read whole


def _bytes(buffer: Buffer) -> int:
    exact = buffer.size * buffer.dtype.numpy.itemsize
    return -(-exact // ALIGNMENT) * ALIGNMENT
