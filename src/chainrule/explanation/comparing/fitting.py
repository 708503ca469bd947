"""Find the one number that makes a computation give what was stored."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.explanation.comparing.rounding import Estimate, excess
from chainrule.explanation.trace import Array

_STEPS = 40
_DIGITS = 6
_HOPELESS = 1000.0  # times what is allowed: digits that are rounded off make no such difference


def fitted(stored: Array, compute: Callable[[float], Estimate], start: float) -> float | None:
    """The number in the place of `start` with which all that was stored comes out, if there is one.

    It is found where it counts most, by the secant rule, and then written with as few digits as
    will do: the number that somebody typed.
    """
    with np.errstate(all="ignore"):
        at_start = compute(start)
        if at_start.value.shape != np.shape(stored) or excess(stored, at_start)[0] <= 1:
            return None
        step = 0.01 * abs(start) or 1e-3
        moved = compute(start + step)
        effect = np.abs(moved.value - at_start.value)
        miss = np.abs(np.asarray(stored, np.float64) - at_start.value)
        weight = np.where(np.isfinite(effect) & np.isfinite(miss), effect, 0.0)
        # What no change of it moves, and is wrong, no value of it explains.
        allowed = np.broadcast_to(np.asarray(at_start.error, np.float64), miss.shape)
        if not weight.any() or np.any((effect == 0) & (miss > allowed)):
            return None
        place = np.unravel_index(int(np.argmax(weight)), weight.shape)
        wanted = float(np.asarray(stored, np.float64)[place])
        found = _secant(lambda c: float(compute(c).value[place]) - wanted, start, start + step)
        if found is None:
            return None
        return _simplest(stored, compute, found)


def _secant(f: Callable[[float], float], x0: float, x1: float) -> float | None:
    y0, y1 = f(x0), f(x1)
    best = min((abs(y0), x0), (abs(y1), x1))
    for _ in range(_STEPS):
        if y1 == y0 or not math.isfinite(y1):
            break
        x0, x1, y0 = x1, x1 - y1 * (x1 - x0) / (y1 - y0), y1
        if not math.isfinite(x1):
            return None
        y1 = f(x1)
        if math.isfinite(y1):
            best = min(best, (abs(y1), x1))
        if y1 == 0:
            break
    return best[1]


def _simplest(stored: Array, compute: Callable[[float], Estimate], found: float) -> float | None:
    if excess(stored, compute(found))[0] > _HOPELESS:
        return None
    for digits in range(1, _DIGITS + 1):
        candidate = float(f"{found:.{digits}g}")
        if excess(stored, compute(candidate))[0] <= 1:
            return candidate
    for denominator in range(1, 65):  # the 4/3 of an unbiased variance, and the like
        numerator = round(found * denominator)
        candidate = numerator / denominator
        if numerator and excess(stored, compute(candidate))[0] <= 1:
            return candidate
    return None


def nice(value: float, is_enough: Callable[[float], Any]) -> float:
    """A number with as few digits as are enough."""
    for digits in range(1, 18):
        candidate = float(f"{value:.{digits}g}")
        if is_enough(candidate):
            return candidate
    return value


def ratio_of(stored: Array, found: Estimate) -> float | None:
    """The one factor between what was stored and an estimate, if there is one."""
    stored = np.asarray(stored)
    with np.errstate(all="ignore"):
        sizes = np.where(np.isfinite(found.value), np.abs(found.value), 0.0)
        if not sizes.size or not sizes.any() or stored.dtype.kind != "f":
            return None
        place = np.unravel_index(int(np.argmax(sizes)), sizes.shape)
        factor = float(stored[place] / found.value[place])
        if not math.isfinite(factor) or factor == 0:
            return None

        def explains(k: float) -> bool:
            value = k * found.value
            gap = np.spacing(np.abs(value).astype(stored.dtype)).astype(np.float64)
            return excess(stored, Estimate(value, abs(k) * found.error + gap))[0] <= 1

        scaled = Estimate(factor * found.value, abs(factor) * found.error)
        if not found.is_exact and excess(stored, scaled)[0] > _HOPELESS:
            return None
        candidate = nice(factor, explains)
        return candidate if explains(candidate) else None
