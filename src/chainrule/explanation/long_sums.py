"""Sums of very many terms: all of them at once, as arrays.

A gradient of a batch of 60,000 examples is a sum of as many products. To write each as a formula
takes seconds; where their operands' elements are is one affine function, so that they are gathered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from chainrule.explanation.forms import Operand, form_of
from chainrule.explanation.trace import Array, Index, Place
from chainrule.graph import Graph

MANY = 2_000
"""Terms from which on they are taken as arrays."""


def operands_of_long_sum(
    graph: Graph, values: Sequence[Array], place: Place
) -> tuple[Array, ...] | None:
    """The factors of the terms, in the order in which they are added; None if it is no such sum.

    One array for a sum of elements, two for a sum of products.
    """
    node = graph.nodes[place.node]
    if node.op == "input":
        return None
    form = form_of(node, [graph.nodes[i].type for i in node.inputs])
    if form is None or form.fold != "add" or math.prod(form.sizes) < MANY:
        return None
    if form.op not in ("", "mul") or len(form.operands) != (2 if form.op else 1):
        return None
    grid = np.indices(form.sizes).reshape(len(form.sizes), -1)
    return tuple(
        values[node.inputs[operand.input]][_places(operand, place.index, grid)]
        for operand in form.operands
    )


def _places(operand: Operand, index: Index, grid: Array) -> tuple[Array, ...]:
    """The index of each term's element, axis by axis."""
    variables = [*index, *grid]
    found = []
    for axis in operand.axes:
        here = np.full(grid.shape[1], axis.constant)
        for coefficient, variable in zip(axis.coefficients, variables, strict=False):
            here += coefficient * variable
        found.append(here)
    return tuple(found)
