"""Find NaN and infinity before they reach a network, and say where they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import DTypeError, NonFiniteError


def validate_finite(
    array: NDArray[Any], name: str, columns: Sequence[str] = (), *, where: str | None = None
) -> None:
    """Raise unless every number of `array` is finite.

    Parameters
    ----------
    array
        Numbers of any shape; the first axis counts rows.
    name
        What the array is called: ``"x"``.
    columns
        Names of the second axis, if they have any.
    where
        The place it came from, such as a file's name.

    Raises
    ------
    NonFiniteError
        With the row and column of the first bad number, counted from 0, and how many there are.
    DTypeError
        If the array holds no numbers.
    """
    if array.dtype.kind in "biu":
        return
    if array.dtype.kind not in "fc":
        raise DTypeError(
            f"{name} is {array.dtype}, which holds no numbers",
            where=where,
            advice="Turn it into numbers first: np.asarray(..., dtype=np.float32)",
        )
    if _all_finite(array):
        return
    finite = np.isfinite(array)
    bad = finite.size - int(np.count_nonzero(finite))
    index = tuple(int(i) for i in np.unravel_index(int(np.argmin(finite)), array.shape))
    others = f", and {bad - 1} more of its {array.size} numbers are not finite" if bad > 1 else ""
    raise NonFiniteError(
        f"{name} holds {_spelled(array[index])} in {_place(index, columns)}{others}",
        where=where,
        advice="Remove or replace such values before training: they would spread to every weight",
    )


def _all_finite(array: NDArray[Any]) -> bool:
    """Whether all numbers are, some rows at a time: the answers for all take a quarter of them."""
    if not array.ndim or not array.size:
        return bool(np.isfinite(array).all())
    rows = max(1, _BLOCK * len(array) // array.size)
    return all(np.isfinite(array[i : i + rows]).all() for i in range(0, len(array), rows))


_BLOCK = 1 << 18
"""Numbers that are looked at together."""


def _spelled(value: Any) -> str:
    return "NaN" if np.isnan(value) else f"{value:+}".replace("inf", "infinity")


def _place(index: tuple[int, ...], columns: Sequence[str]) -> str:
    if not index:
        return "its only place"
    row, *rest = index
    if not rest:
        return f"row {row}"
    if len(rest) > 1:
        return f"row {row}, at {tuple(rest)}"
    return f"row {row}, column {rest[0]}" + (f' ("{columns[rest[0]]}")' if columns else "")
