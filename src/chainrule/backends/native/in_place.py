"""State in place: the next value is written where the state is, if nobody reads that later.

A step's update reads each element of a weight and writes its next value. In a buffer of its own
that value has to be copied back, and both take room in the cache. It may take the weight's own
place if the kernel that writes it is the last that reads the weight, and reads only the element
that it replaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainrule.backends.native.nest import (
    Apply,
    Kernel,
    Let,
    Loop,
    Prefetch,
    Read,
    Statement,
    Turn,
    Value,
    Write,
    reads_of,
)


def can_take_place(kernels: Sequence[Kernel], state: str, following: str) -> bool:
    """Whether `following` can be written where `state` is.

    Parameters
    ----------
    kernels : sequence of Kernel
        In the order in which they run.
    state, following : str
        Buffers in which elements lie alike.
    """
    reading = [i for i, kernel in enumerate(kernels) if state in kernel.buffers]
    touching = [i for i, kernel in enumerate(kernels) if following in kernel.buffers]
    if not touching or (reading and reading[-1] > touching[0]):
        return False
    return _replaces_what_it_reads(kernels[touching[0]].body, state, following)


def _replaces_what_it_reads(body: Sequence[Statement], state: str, following: str) -> bool:
    """Whether each read of `state` is of an element that the same statements write afterwards."""
    todo = [tuple(body)]
    while todo:
        statements = todo.pop()
        writes = {
            s.at: place
            for place, s in enumerate(statements)
            if isinstance(s, Write) and s.buffer == following
        }
        for place, statement in enumerate(statements):
            match statement:
                case Loop(body=inner, carried=carried):
                    todo.append(inner)
                    values = [each for c in carried for each in (c.start, c.next)]
                case Let(_, value) | Write(value=value):
                    values = [value]
                case Turn(source, output=output):
                    if state in (source, output) or following in (source, output):
                        return False
                    values = []
                case Prefetch():
                    values = []
            for read in (read for value in values for read in reads_of(value)):
                if read.buffer == state and writes.get(read.at, -1) < place:
                    return False
    return True


def renamed(kernel: Kernel, old: str, new: str) -> Kernel:
    """The kernel with another buffer in the place of one."""
    if old not in kernel.buffers:
        return kernel
    buffers = {n: d for n, d in kernel.buffers.items() if n != old} | {new: kernel.buffers[old]}
    body = _renamed(kernel.body, old, new)
    return replace(kernel, body=body, buffers=dict(sorted(buffers.items())))


def _renamed(body: Sequence[Statement], old: str, new: str) -> tuple[Statement, ...]:
    def name(buffer: str) -> str:
        return new if buffer == old else buffer

    def value(each: Value) -> Value:
        match each:
            case Read(buffer) if buffer == old:
                return replace(each, buffer=new)
            case Apply(_, arguments):
                return replace(each, arguments=tuple(map(value, arguments)))
        return each

    made: list[Statement] = []
    for statement in body:
        match statement:
            case Let():
                made.append(replace(statement, value=value(statement.value)))
            case Write():
                moved = replace(statement, buffer=name(statement.buffer))
                made.append(replace(moved, value=value(statement.value)))
            case Prefetch():
                made.append(replace(statement, buffer=name(statement.buffer)))
            case Turn():
                moved_block = replace(statement, source=name(statement.source))
                made.append(replace(moved_block, output=name(statement.output)))
            case Loop():
                carried = tuple(
                    replace(c, start=value(c.start), next=value(c.next)) for c in statement.carried
                )
                inner = _renamed(statement.body, old, new)
                made.append(replace(statement, body=inner, carried=carried))
    return tuple(made)
