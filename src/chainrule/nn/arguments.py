"""What layers' arguments may be: people type them, and files can hold anything."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError, did_you_mean


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
    if _is_finite(value) and low <= float(value) <= high:
        return float(value)
    if math.isinf(high):
        wanted = name if math.isinf(low) else f"{name} ≥ {low:g}"
    else:
        wanted = f"{low:g} ≤ {name} ≤ {high:g}"
    raise ConfigurationError(f"{layer} takes {wanted}; got {value!r}")


def as_positive(layer: str, name: str, value: Any) -> float:
    """Return a finite number above zero as a float."""
    if _is_finite(value) and float(value) > 0:
        return float(value)
    raise ConfigurationError(f"{layer} takes {name} > 0; got {value!r}")


def as_choice(layer: str, name: str, value: Any, choices: Sequence[str]) -> str:
    """Return a text that is one of `choices`."""
    if isinstance(value, str) and value in choices:
        return value
    known = " or ".join(f'"{choice}"' for choice in choices)
    raise ConfigurationError(
        f"{layer} takes {name}={known}; got {value!r}", advice=did_you_mean(value, choices)
    )


def as_sizes(layer: str, name: str, value: Any, *, one_open: bool = False) -> tuple[int, ...]:
    """Return a shape of at least one axis: a whole number ≥ 1, or several.

    With `one_open` one of them may be -1, to be worked out.
    """
    given = list(value) if isinstance(value, Iterable) else [value]
    sizes = [size for size in map(_whole, given) if size is not None]
    known = [size for size in sizes if size >= 1]
    opened = 1 if one_open and sizes.count(-1) == 1 else 0
    if not sizes or len(known) + opened < len(given):
        but = ", of which one may be -1" if one_open else ""
        raise ConfigurationError(
            f"{layer} takes {name} as whole numbers ≥ 1, one or several{but}; got {value!r}"
        )
    return tuple(sizes)


def _is_finite(value: Any) -> bool:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None
