"""Intervals: where a value of a step can lie, whatever its inputs and parameters are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.explanation.diagnosing.units import value_at
from chainrule.explanation.trace import Trace
from chainrule.ops import ElementwiseOp, bind

Array = np.ndarray[Any, Any]
Interval = tuple[float, float]

EVERYWHERE = (-math.inf, math.inf)
NEAR, BEYOND = 1e-3, 1e6
"""Grids go out to `BEYOND`; what is farther away than a tenth of that counts as infinite."""


def interval_of(trace: Trace, position: int) -> Interval:
    """Where a value lies by the ops that make it.

    An op's image is taken of the box of its operands' intervals, as far as a fine grid shows it.
    What two operands have in common is not seen: the interval may be too wide, never too narrow.
    """
    found: dict[int, Interval] = {}
    graph = trace.graph
    for at in sorted(graph.ancestors([position])):
        node = graph.nodes[at]
        value = np.asarray(trace.values[at])
        given = [found[i] for i in node.inputs]
        if node.op == "reshape":
            found[at] = given[0]
        elif not node.inputs and node.op != "input" and value.size and value.dtype.kind in "fib":
            found[at] = float(value.min()), float(value.max())
        elif _is_share(value, len(node.inputs)):
            found[at] = 0.0, 1.0
        elif given and node.dtype.is_float and len(given) <= 3:
            found[at] = _image(bind(node.op, node.attributes), given)
        else:
            found[at] = EVERYWHERE
    return found[position]


def _is_share(value: Array, operands: int) -> bool:
    """Whether numbers are shares of a whole by how they are made, as those of a softmax."""
    if value.ndim != 2 or value.shape[1] < 2 or operands != 1 or value.dtype.kind != "f":
        return False
    sums = value.sum(axis=1, dtype=np.float64)
    return bool((value >= 0).all() and (value <= 1).all() and np.allclose(sums, 1, atol=1e-4))


def _image(op: object, given: Sequence[Interval]) -> Interval:
    """The image of a box under an elementwise op."""
    if not isinstance(op, ElementwiseOp):
        return EVERYWHERE
    if len(given) > 1 and all(each == EVERYWHERE for each in given):
        return EVERYWHERE
    points = 800 if len(given) == 1 else 60
    grids = np.meshgrid(*(_grid(each, points) for each in given), indexing="ij")
    y = value_at(op, *grids)
    if np.isnan(y).any():
        return EVERYWHERE
    low, high = float(y.min()), float(y.max())
    return (
        -math.inf if low < -0.1 * BEYOND else low,
        math.inf if high > 0.1 * BEYOND else high,
    )


def _grid(ends: Interval, points: int) -> Array:
    """Points of an interval, close together near 0 and at its ends."""
    sizes = np.logspace(math.log10(NEAR), math.log10(BEYOND), points // 2)
    inside = np.concatenate([-sizes, [0.0], sizes])
    low, high = (float(np.clip(end, -BEYOND, BEYOND)) for end in ends)
    return np.unique(np.concatenate([[low, high], inside[(inside > low) & (inside < high)]]))
