"""What kernels are made in, and of: frames, loops over a shape, copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chainrule.backends.native.arena import Fault
from chainrule.backends.native.nest import (
    Affine,
    Carried,
    Local,
    Loop,
    Number,
    Position,
    Statement,
    Value,
    Write,
    index,
    nested,
)
from chainrule.backends.native.target import Target
from chainrule.backends.native.view import View
from chainrule.base.registry import Registry
from chainrule.graph import DType


@dataclass
class Frame:
    """What a kernel is written for.

    Parameters
    ----------
    target : Target
    inputs : sequence of View
    output : View
    prefix : str
        What the names of its own memory begin with.
    slot : int
        Where in the buffer of faults the kernel notes that something went wrong.
    fault : Fault, optional
        What that is, if anything can; the kernel says so.
    """

    target: Target
    inputs: Sequence[View]
    output: View
    prefix: str = ""
    scratch: list[View] = field(default_factory=list)
    slot: int = 0
    fault: Fault | None = None

    def temporary(self, dtype: DType, shape: Sequence[int]) -> View:
        """Memory of the kernel's own."""
        self.scratch.append(View.whole(f"{self.prefix}{len(self.scratch)}", dtype, shape))
        return self.scratch[-1]


def axes(shape: Sequence[int], prefix: str = "i") -> tuple[list[tuple[str, int]], list[Affine]]:
    """Loops over a shape, and their indices."""
    names = [f"{prefix}{axis}" for axis in range(len(shape))]
    return list(zip(names, shape, strict=True)), [index(name) for name in names]


NestMaker = Callable[[Any, Frame], tuple[Statement, ...]]
NESTS: Registry[NestMaker] = Registry("native kernel")


def over(
    loops: Sequence[tuple[str, int]], body: Sequence[Statement], lanes: str | None = None
) -> tuple[Statement, ...]:
    """The body in loops that depend on nothing, `lanes` or the last innermost, as lanes."""
    if not loops:
        return tuple(body)
    last = lanes or loops[-1][0]
    outer = [loop for loop in loops if loop[0] != last]
    count = dict(loops)[last]
    return nested(outer, (Loop(last, count, tuple(body), parallel=True),))


def copy(source: View, output: View) -> tuple[Statement, ...]:
    """Put every element of a view to its place in another."""
    loops, at = axes(source.shape)
    return over(loops, [Write(output.buffer, output.at(at), source.read(at))])


def filled(output: View, number: float | int | bool) -> tuple[Statement, ...]:
    """Put one number into every element."""
    loops, at = axes(output.shape)
    return over(loops, [Write(output.buffer, output.at(at), Number(number, output.dtype))])


def count_of(shape: Sequence[int]) -> int:
    """How many elements a shape has."""
    size = 1
    for each in shape:
        size *= each
    return size


def folded(
    loops: Sequence[tuple[str, int]], name: str, start: Value, following: Value
) -> list[Statement]:
    """An accumulator that is carried through nested loops, at least one, in row-major order.

    Parameters
    ----------
    loops : sequence of (str, int)
        From the outermost; none of them empty.
    name : str
    start, following : Value
        Before all of it; after each innermost iteration.
    """
    through = Local(name, dtype_of(start))
    body: tuple[Statement, ...] = ()
    for loop, count in reversed(loops):
        begin = start if loop == loops[0][0] else through
        body = (Loop(loop, count, body, carried=(Carried(name, begin, following),)),)
        following = through
    return list(body)


def dtype_of(value: Value) -> DType:
    """The dtype of a value; a position is an i64."""
    return DType.I64 if isinstance(value, Position) else value.dtype
