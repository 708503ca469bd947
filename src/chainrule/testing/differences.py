"""The second oracle: finite differences of a function in float64, each with its error bound.

A central difference D(h) = (f(x+h) - f(x-h)) / 2h has the error c₂h² + c₄h⁴ + …. Differences with
steps h, h/4, h/16, … are combined so that the terms cancel one after another [Richardson 1911,
Ridders 1982]. The bound of a value is the change that the last combination made, which is larger
than the error that is left, and the rounding of f divided by the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Function = Callable[[list[Array]], list[Array]]

_RATIO = 4.0
_FIRST = 2.0**-3  # of the element's size, or of 1 where it is smaller
_LEVELS = 14  # the last step is 2**-29 of that: kinks must be nearer than this to be met
_ORDERS = 4  # differences that are combined
# How far f may be from its exact value, in units in the last place of its largest value near x.
_ULPS_OF_F = 8.0
# Combining D(h) and D(h/4) as D(h/4) + (D(h/4) - D(h))/15 multiplies rounding by at most 17/15, the
# next ones by 257/255, …; 6/5 is above their product.
_AMPLIFIED = 1.2
# The bound at which no shorter step is tried: some 2**16 roundings.
_GOOD_ENOUGH = 2.0**-36
# How far points reach on which f is a cubic.
_NEAR = 1e-6
_GOLDEN_RATIO = 0.6180339887498949


def differentiate(
    f: Function,
    inputs: Sequence[Array],
    operand: int,
    index: tuple[int, ...],
    errors: Sequence[Array] | None = None,
) -> tuple[list[Array], list[Array]]:
    """Differentiate all results of `f` in one element of one input.

    Parameters
    ----------
    f : callable
        From a list of arrays to a list of float64 arrays.
    inputs : sequence of array
    operand : int
        Which input, of float64.
    index : tuple of int
        The element.
    errors : sequence of array, optional
        For each result, how far its elements may be from their exact values, where that is
        known to be more than a few units in the last place.

    Returns
    -------
    list of array
        For each result, the derivatives of its elements.
    list of array
        For each result, their error bounds; infinite where f is not finite around x.
    """
    x = float(inputs[operand][index])
    scale = max(abs(x), 1.0)
    table: list[list[list[Array]]] = []  # [level][order][result]
    best: list[Array] = []
    bounds: list[Array] = []
    for level in range(_LEVELS):
        h = scale * _FIRST * _RATIO**-level
        plus, minus = x + h, x - h
        width = plus - minus  # not 2h: x ± h have been rounded
        with np.errstate(all="ignore"):  # a step may leave the domain; a shorter one does not
            above = f(_with(inputs, operand, index, plus))
            below = f(_with(inputs, operand, index, minus))
            row = [[(a - b) / width for a, b in zip(above, below, strict=True)]]
            noise = [
                _AMPLIFIED * (error + _ULPS_OF_F * 2.0**-52 * np.maximum(abs(a), abs(b))) / h
                for a, b, error in zip(above, below, errors or repeat(0.0), strict=False)
            ]
            for order in range(1, min(level + 1, _ORDERS)):
                row.append(_combine(row[-1], table[-1][order - 1], _RATIO ** (2 * order)))
            table.append(row)
            if level == 0:
                best = [np.full_like(d, np.nan) for d in row[0]]
                bounds = [np.full_like(d, np.inf) for d in row[0]]
            for order in range(1, len(row)):
                _keep_better(best, bounds, row[order], row[order - 1], table[-2], order, noise)
        if level >= _ORDERS - 1 and _all_good(best, bounds):
            break
    return best, bounds


def measure_noise(f: Function, inputs: Sequence[Array], operands: Sequence[int]) -> list[Array]:
    """How far the results of `f` are off by rounding, seen from how they jump between neighbours.

    Parameters
    ----------
    f : callable
    inputs : sequence of array
    operands : sequence of int
        The inputs that are moved, of float64.

    Returns
    -------
    list of array
        For each result, an estimate for each of its elements.

    Notes
    -----
    On sixteen points within 1e-6, f is a cubic but for 1e-24 of its curvature, and for rounding:
    what a fit leaves. Errors below e leave 0.5e in the mean square; four times that is taken. The
    points are spread by the golden ratio, since at equal distances errors repeat themselves.
    """
    spread = (np.arange(1, 17) * _GOLDEN_RATIO) % 1.0
    values: list[list[Array]] = []
    for t in spread:
        moved = list(inputs)
        for operand in operands:
            x = inputs[operand]
            moved[operand] = x + t * _NEAR * np.maximum(abs(x), 1.0)
        with np.errstate(all="ignore"):
            values.append(f(moved))
    q, _ = np.linalg.qr(np.vander(spread, 4))
    with np.errstate(all="ignore"):
        stacked = [np.stack(result) for result in zip(*values, strict=True)]
        centred = [each - each[0] for each in stacked]  # or the fit's own rounding would show
        left = [each - np.tensordot(q @ q.T, each, axes=1) for each in centred]
        return [4 * np.nan_to_num(np.sqrt(np.mean(each**2, axis=0)), posinf=0.0) for each in left]


def _with(inputs: Sequence[Array], operand: int, index: tuple[int, ...], x: float) -> list[Array]:
    moved = inputs[operand].copy()
    moved[index] = x
    return [*inputs[:operand], moved, *inputs[operand + 1 :]]


def _combine(shorter: list[Array], longer: list[Array], weight: float) -> list[Array]:
    """Cancel the error term that shrinks by `weight` from the longer step to the shorter."""
    pairs = zip(shorter, longer, strict=True)
    return [near + (near - far) / (weight - 1) for near, far in pairs]


def _keep_better(
    best: list[Array],
    bounds: list[Array],
    values: list[Array],
    lower_order: list[Array],
    longer_step: list[list[Array]],
    order: int,
    noise: list[Array],
) -> None:
    """Keep, element by element, whichever value has the smaller bound."""
    for i, value in enumerate(values):
        change = np.maximum(abs(value - lower_order[i]), abs(value - longer_step[order - 1][i]))
        bound = change + noise[i]
        better = bound < bounds[i]
        best[i] = np.where(better, value, best[i])
        bounds[i] = np.where(better, bound, bounds[i])


def _all_good(best: list[Array], bounds: list[Array]) -> bool:
    return all(
        bool(np.all(bound <= _GOOD_ENOUGH * np.maximum(abs(value), 1.0)))
        for value, bound in zip(best, bounds, strict=True)
    )
