"""Line search: how far to go in a direction, by the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from chainrule.eager.tensor import Array

_DECREASE = 1e-4  # c₁: what part of the decrease that the slope promises has to come true
_CURVATURE = 0.9  # c₂: what part of the slope may be left


@dataclass(frozen=True, eq=False)
class Point:
    """A point on the line x + t·d.

    Parameters
    ----------
    t : float
    value : float
        The function there; infinity where it is not a number.
    slope : float
        Its derivative along the line.
    gradient : array of shape (n,)
    """

    t: float
    value: float
    slope: float
    gradient: Array


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    *,
    size: float,
    tolerance: float,
    tries: int,
) -> Point:
    """Find a point that is low enough, and where the line is flat enough.

    Parameters
    ----------
    evaluate : callable
        From t to the point there.
    start : Point
        At t = 0, with a slope < 0.
    t : float
        What to try first.
    size : float
        The largest element of the direction.
    tolerance : float
        Where the line between two bounds moves no parameter by more, the search is over.
    tries : int
        How many more points may be looked at after the first.

    Returns
    -------
    Point
        Where φ(t) ≤ φ(0) + c₁·t·φ′(0) and |φ′(t)| ≤ c₂·|φ′(0)|; the lowest one if none was found.

    Notes
    -----
    Nocedal and Wright 2006, alg. 3.5 and 3.6, with the cubic interpolation of eq. 3.59, and the
    safeguards of Schmidt's minFunc, as in torch. As there, the low end of a bracket is the lowest,
    also where it is not low enough for its distance: a first try that is far too long may end at
    a point that is only lower. Where the function is not finite the search goes back; torch ends
    there with NaN.
    """
    bracket, tries = _bracket(evaluate, start, t, tries)
    low, high = (0, 1) if bracket[0].value <= bracket[-1].value else (1, 0)
    was_close = False
    while len(bracket) == 2 and tries > 0:
        left, right = sorted(point.t for point in bracket)
        if right == left or (right - left) * size < tolerance:
            break
        t = interpolate(bracket[0], bracket[1], left, right)
        t, was_close = _away_from_ends(t, left, right, was_close)
        here = evaluate(t)
        tries -= 1
        if _is_too_high(here, start) or here.value >= bracket[low].value:
            bracket[high] = here
            low, high = (0, 1) if bracket[0].value <= bracket[1].value else (1, 0)
        elif _is_flat(here, start):
            return here
        else:
            if here.slope * (bracket[high].t - bracket[low].t) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = here
    return bracket[low] if len(bracket) == 2 else bracket[0]


def _bracket(
    evaluate: Callable[[float], Point], start: Point, t: float, tries: int
) -> tuple[list[Point], int]:
    """A point that will do, or two with one between them; and the tries that are left."""
    before, here = start, evaluate(t)
    for i in range(tries):
        if _is_too_high(here, start) or (i > 1 and here.value >= before.value):
            return [before, here], tries - i
        if _is_flat(here, start):
            return [here], tries - i
        if here.slope >= 0:
            return [before, here], tries - i
        # Further out, but neither hardly nor far too much.
        lowest, highest = here.t + 0.01 * (here.t - before.t), 10 * here.t
        t = interpolate(before, here, lowest, highest)
        before, here = here, evaluate(t)
    return [start, here], 0


def _is_too_high(here: Point, start: Point) -> bool:
    return here.value > start.value + _DECREASE * here.t * start.slope


def _is_flat(here: Point, start: Point) -> bool:
    return abs(here.slope) <= -_CURVATURE * start.slope


def _away_from_ends(t: float, left: float, right: float, was_close: bool) -> tuple[float, bool]:
    """Keep a tenth away from the ends, unless that is the first time; and whether it is close."""
    margin = 0.1 * (right - left)
    if min(right - t, t - left) >= margin:
        return t, False
    if not (was_close or t >= right or t <= left):
        return t, True
    return (right - margin if right - t < t - left else left + margin), False


def interpolate(a: Point, b: Point, lowest: float, highest: float) -> float:
    """Where the cubic through two points, with their slopes, is smallest, between two bounds.

    Parameters
    ----------
    a, b : Point
    lowest, highest : float

    Returns
    -------
    float
        The middle, where the cubic has no minimum or a point is not finite.
    """
    if a.t > b.t:
        a, b = b, a
    middle = (lowest + highest) / 2
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0 or math.isinf(square):
        return middle
    d2 = math.sqrt(square)
    divisor = b.slope - a.slope + 2 * d2
    if divisor == 0:
        return middle
    t = b.t - (b.t - a.t) * (b.slope + d2 - d1) / divisor
    return min(max(t, lowest), highest)
