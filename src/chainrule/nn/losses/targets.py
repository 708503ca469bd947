"""What targets may hold, by kind: said with the first row that holds something else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import OutputError, TargetError
from chainrule.eager import Tensor
from chainrule.eager.tensor import Array

# How far from 1 the sum of a distribution may be: three digits of each probability are enough.
_SUM_WITHIN = 1e-3
_TO_SIGNS = "Map the labels with 2 * y - 1"
_TO_ZEROS_AND_ONES = "Map the labels with (y + 1) / 2"


def check_fractions(loss: str, target: Array) -> None:
    """Raise TargetError unless all targets are from 0 to 1."""
    if not target.size or ((target >= 0) & (target <= 1)).all():
        return
    low, high = float(target.min()), float(target.max())
    raise TargetError(
        f"{loss} takes targets from 0 to 1; got {low:g} to {high:g}",
        advice=_TO_ZEROS_AND_ONES if (low, high) == (-1, 1) else None,
    )


def check_zeros_and_ones(loss: str, target: Array) -> None:
    """Raise TargetError unless all targets are 0 or 1."""
    advice = _TO_ZEROS_AND_ONES if np.isin(target, (-1, 1)).all() else None
    _refuse_first(~np.isin(target, (0, 1)), target, f"{loss} takes targets 0 and 1", advice)


def check_signs(loss: str, target: Array) -> None:
    """Raise TargetError unless all targets are -1 or 1."""
    advice = _TO_SIGNS if np.isin(target, (0, 1)).all() else None
    _refuse_first(~np.isin(target, (-1, 1)), target, f"{loss} takes targets -1 and 1", advice)


def check_counts(loss: str, target: Array) -> None:
    """Raise TargetError unless all targets are at least 0."""
    _refuse_first(~(target >= 0), target, f"{loss} takes counts, which are at least 0")


def check_distributions(loss: str, target: Array) -> None:
    """Raise TargetError unless targets are probabilities that sum to 1 over the classes.

    The classes are axis 1 or the last one; an array of one axis is taken element by element.
    """
    _refuse_first(
        ~(target >= 0), target, f"{loss} takes probabilities as targets, which are at least 0"
    )
    if target.ndim < 2:
        return
    sums = target.sum(axis=1, dtype=np.float64)
    if target.ndim > 2 and not _is_one(sums).all():
        sums = target.sum(axis=-1, dtype=np.float64)
    _refuse_first(
        ~_is_one(sums),
        sums,
        f"{loss} takes distributions as targets, which sum to 1",
        "Divide each by its sum: y / y.sum(axis=1, keepdims=True)",
    )


def _is_one(sums: Array) -> NDArray[np.bool_]:
    return np.asarray(abs(sums - 1) <= _SUM_WITHIN)


def _refuse_first(
    wrong: NDArray[np.bool_], values: Array, message: str, advice: str | None = None
) -> None:
    if wrong.any():
        index = tuple(np.argwhere(wrong)[0])
        where = f"Row {index[0]} of the targets"
        raise TargetError(f"{message}; got {values[index]:.6g}", where=where, advice=advice)


def check_outputs_within(
    loss: str, output: Tensor, low: float, high: float, *, meaning: str, advice: str
) -> None:
    """Raise OutputError if outputs are below `low` or above `high`; NaN has its own errors.

    Parameters
    ----------
    loss : str
    output : Tensor
        With known numbers.
    low, high : float
    meaning : str
        What such outputs are.
    advice : str
    """
    values = output.numpy()
    outside = (values < low) | (values > high)
    if outside.any():
        index = tuple(np.argwhere(outside)[0])
        raise OutputError(
            f"{loss} takes {meaning}; got {values[index]:.6g}",
            where=f"Row {index[0]} of the outputs",
            advice=advice,
        )
