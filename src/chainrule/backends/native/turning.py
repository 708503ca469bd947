"""Copies between layouts: blocks that are turned in registers, not element by element.

An array that lies row by row is read along its rows and written along its columns. Done by
elements, each takes a load and a store; a square block of L vectors of L lanes takes L loads,
L stores, and L·log₂ L shuffles between them.
"""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.backends.native.frame import axes, over
from chainrule.backends.native.ir import Function, type_name
from chainrule.backends.native.nest import Affine, Read, Statement, Turn, Write, index, nested
from chainrule.backends.native.target import Target
from chainrule.backends.native.view import View
from chainrule.graph import DType


def arranged(
    source: View, output: View, target: Target, shift: Affine | None = None
) -> tuple[Statement, ...]:
    """Put every element to its place in another view, whatever axes the two lie along.

    Parameters
    ----------
    source, output : View
    target : Target
    shift : Affine, optional
        How much further on in its buffer the source begins.
    """
    shift = shift or Affine()
    along_source, along_output = _contiguous(source), _contiguous(output)
    if along_source is None or along_output is None or along_source == along_output:
        return _copied(source, output, shift, along_output)
    rows, columns = source.shape[along_output], source.shape[along_source]
    others = [a for a in range(len(source.shape)) if a not in (along_source, along_output)]
    loops = [(f"i{axis}", source.shape[axis]) for axis in others]
    at = [index(f"i{axis}") for axis in range(len(source.shape))]
    statements: list[Statement] = []
    for row, down, column, across, size in _squares(rows, columns, target.lanes(source.dtype)):
        at[along_output] = index("r") * size + row
        at[along_source] = index("c") * size + column
        turn = Turn(
            source.buffer,
            source.at(at) + shift,
            source.strides[along_output],
            output.buffer,
            output.at(at),
            output.strides[along_source],
            size,
            source.dtype,
        )
        statements += nested([("r", down), ("c", across)], [turn])
    return nested(loops, statements)


def _copied(source: View, output: View, shift: Affine, along: int | None) -> tuple[Statement, ...]:
    loops, at = axes(source.shape)
    put = Write(
        output.buffer, output.at(at), Read(source.buffer, source.at(at) + shift, source.dtype)
    )
    return over(loops, [put], None if along is None else loops[along][0])


def _contiguous(view: View) -> int | None:
    """The longest axis along which elements lie one after the other."""
    found = [a for a, (n, s) in enumerate(zip(view.shape, view.strides, strict=True)) if s == 1 < n]
    return max(found, key=lambda axis: view.shape[axis], default=None)


def _squares(rows: int, columns: int, lanes: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Cover a rectangle: first row, squares down, first column, squares across, their size."""
    row, size = 0, lanes
    while row < rows:
        down = (rows - row) // size
        if down:
            column, smaller = 0, size
            while column < columns:
                across = (columns - column) // smaller
                if across:
                    yield row, down * (size // smaller), column, across, smaller
                column += across * smaller
                smaller //= 2
        row += down * size
        size //= 2


def turn(function: Function, rows: list[str], dtype: DType) -> list[str]:
    """The columns of a square of vectors, in log₂ L stages that exchange ever smaller squares."""
    lanes = len(rows)
    kind, half = type_name(dtype, lanes), lanes // 2
    while half:
        made = list(rows)
        low = [lane if not lane & half else lane - half + lanes for lane in range(lanes)]
        high = [lane + half if not lane & half else lane + lanes for lane in range(lanes)]
        for i in range(lanes):
            if not i & half:
                for place, chosen in ((i, low), (i | half, high)):
                    mask = ", ".join(f"i32 {lane}" for lane in chosen)
                    made[place] = function.value(
                        f"shufflevector {kind} {rows[i]}, {kind} {rows[i | half]}, "
                        f"<{lanes} x i32> <{mask}>"
                    )
        rows, half = made, half // 2
    return rows
