"""Formulas as nested lists, which JSON holds and the page reads.

A number is ``["#", value]``; any element of a node ``["@", node, axes]``, one number of it
``["!", node, offset]``; a symbol ``["$", text]``; an op ``["mul", first, second]``, with a dtype
``["cast", operand, {"to": "f32"}]``; a sum ``["&", "add", [items]]``; one item that stands for all
``["&&", "add", item, "j, k"]``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.explanation.expansion import Number
from chainrule.explanation.forms import Affine
from chainrule.explanation.rules import Slot
from chainrule.explanation.trace import Trace
from chainrule.graph import DType
from chainrule.ops.expression import OVER, Expression, Literal, Symbol, read

Tree = list[Any]


def tree_of(expression: Expression, trace: Trace) -> Tree:
    """Write a formula as nested lists."""
    tree: Tree = read(expression, _Trees(trace))
    return tree


def axis_as_list(axis: Affine) -> list[int]:
    """An affine function as its constant and its coefficients."""
    return [axis.constant, *axis.coefficients]


class _Trees:
    """Reads a formula as nested lists."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def leaf(self, leaf: Expression) -> Tree:
        match leaf:
            case Literal(value):
                return ["#", plain(value)]
            case Slot(node, axes):
                return ["@", node, [axis_as_list(axis) for axis in axes]]
            case Number(place):
                shape = self.trace.node(place).shape
                at = int(np.ravel_multi_index(place.index, shape)) if shape else 0
                return ["!", place.node, at]
            case Symbol(name):
                return ["$", name]
        raise TypeError(f"{type(leaf).__name__} has no place on a page")

    def apply(self, op: str, arguments: Sequence[Tree], dtype: DType | None) -> Tree:
        return [op, *arguments] if dtype is None else [op, *arguments, {"to": dtype.value}]

    def fold(self, op: str, items: Sequence[Tree], order: str) -> Tree:
        if order.startswith(OVER):
            return ["&&", op, items[0], order.removeprefix(OVER)]
        return ["&", op, list(items)]


def plain(value: Any) -> Any:
    """A number as JSON has it; what it has no number for, as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
