"""About how long a nest takes, in vector instructions: to see what is worth a second thread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from chainrule.backends.native.code import Code, Reg
from chainrule.backends.native.ir import Function
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Let,
    Loop,
    Position,
    Read,
    Statement,
    Turn,
    Value,
    Write,
)
from chainrule.backends.native.primitives import PRIMITIVES
from chainrule.graph import DType

_FAR = 10.0
"""Rows of data lie anywhere in memory."""


def cost_of(body: Sequence[Statement], lanes: int, vector: str = "") -> float:
    """Add up what statements take.

    Parameters
    ----------
    body : sequence of Statement
    lanes : int
        Of a vector, in parallel loops.
    vector : str
        The index of the parallel loop around the statements.
    """
    total = 0.0
    for statement in body:
        match statement:
            case Let(_, value):
                total += _values([value], lanes, vector)
            case Write(_, at, value):
                total += _values([value], lanes, vector) + _move(at, lanes, vector)
            case Turn(size=size):
                total += size * (2 + size.bit_length())
            case Loop(index, count, inner, parallel, carried):
                if parallel and not vector:
                    each, times = cost_of(inner, lanes, index), -(-count // lanes)
                else:
                    each, times = cost_of(inner, lanes, vector), count
                total += times * (each + _values([c.next for c in carried], lanes, vector))
            case _:
                total += 1
    return total


def _values(values: Sequence[Value], lanes: int, vector: str) -> float:
    total, todo = 0.0, list(values)
    while todo:
        match todo.pop():
            case Apply(op, arguments):
                total += _length(op, len(arguments), _dtype(arguments))
                todo += arguments
            case Read(buffer, at):
                total += _move(at, lanes, vector) * (_FAR if buffer.startswith("data.") else 1.0)
    return total


def _move(at: Affine, lanes: int, vector: str) -> float:
    """A load or a store: of a row at once, or of one element after the other."""
    return lanes if vector and at.factor(vector) not in (0, 1) else 1.0


def _dtype(arguments: Sequence[Value]) -> DType:
    last = arguments[-1]  # the first may be a condition
    return DType.I64 if isinstance(last, Position) else last.dtype


@cache
def _length(op: str, operands: int, dtype: DType) -> int:
    """Of how many instructions a primitive is made."""
    if op not in PRIMITIVES:
        return 1
    probe = Function("probe", ())
    registers = [Reg("%x", dtype)] * operands
    if op == "select":
        registers[0] = Reg("%condition", DType.BOOL)
    PRIMITIVES.get(op)(Code(probe, 1), *registers)
    return len(probe.lines)
