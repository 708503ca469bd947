"""What layers' arguments may be: people type them, and files can hold anything."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError


def as_count(layer: str, name: str, value: Any) -> int:
    """Return a size as an int, if it is a whole number above zero; NumPy's are fine, too."""
    count = _whole(value)
    if count is None or count < 1:
        raise ConfigurationError(f"{layer} takes a whole number {name} ≥ 1; got {value!r}")
    return count


def as_position(layer: str, name: str, value: Any) -> int:
    """Return an axis as an int, if it is a whole number; negative ones count from the end."""
    position = _whole(value)
    if position is None:
        raise ConfigurationError(f"{layer} takes a whole number {name}; got {value!r}")
    return position


def as_number(
    layer: str, name: str, value: Any, low: float = -math.inf, high: float = math.inf
) -> float:
    """Return a finite number from `low` to `high` as a float."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and low <= number <= high:
            return number
    if math.isinf(high):
        wanted = name if math.isinf(low) else f"{name} ≥ {low:g}"
    else:
        wanted = f"{low:g} ≤ {name} ≤ {high:g}"
    raise ConfigurationError(f"{layer} takes {wanted}; got {value!r}")


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None
