"""Shapes as people write them, made those of the step: (in, out), column vectors, one example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.explanation.trace import Array, Index
from chainrule.graph import format_shape

Turn = Callable[[Array], Array]


@dataclass(frozen=True)
class Fit:
    """How an array is put into the shape of a value.

    Parameters
    ----------
    turn : callable
        What makes it that shape.
    index : tuple of int, optional
        Which part of the value it is, if not all of it.
    note : str
        What was done, where that is no matter of course.
    is_turned : bool
        Whether rows and columns were exchanged.
    """

    turn: Turn
    index: Index | None = None
    note: str = ""
    is_turned: bool = False


def fit(numbers: Array, true: Array, *, of_batch: bool) -> Fit | None:
    """Find how numbers stand for a value; None where they do not.

    Parameters
    ----------
    numbers : array
        As they were written.
    true : array
        The value, or the part of it that was named.
    of_batch : bool
        Whether the value's first axis is that of the examples.
    """
    shape = true.shape
    if numbers.shape == shape:
        return Fit(_as_it_is)
    if numbers.shape == shape[::-1] and not of_batch and 1 in shape:
        return Fit(_transposed, is_turned=True)  # a row that is a column reads the same
    if _without_ones(numbers.shape) == _without_ones(shape) and numbers.size == true.size:
        # One example without its axis, a bias that is a column, a number in brackets.
        return Fit(lambda array: array.reshape(shape))
    if numbers.shape == shape[::-1]:
        what = "one column for each example" if of_batch else "(in, out), as its transpose"
        return Fit(_transposed, note=f"read as {what}", is_turned=not of_batch)
    if of_batch and true.ndim > 1 and _without_ones(numbers.shape) == _without_ones(shape[1:]):
        return _one_example(numbers.reshape(shape[1:]), true)
    if not numbers.ndim and true.ndim == 1 and not of_batch:
        # What a bias becomes where all is added up; the same number is added to each of its own.
        return Fit(
            lambda array: np.full(shape, array, np.asarray(array).dtype),
            note="one number was read as that of every unit",
        )
    if numbers.ndim == 1 and numbers.size == true.size:
        return Fit(lambda array: array.reshape(shape), note="read row by row")
    return None


def _one_example(numbers: Array, true: Array) -> Fit:
    """Of several examples the one that it is nearest to."""
    with np.errstate(all="ignore"):
        away = np.abs(true - numbers).reshape(len(true), -1)
    row = int(np.argmin(np.nansum(away, axis=1)))
    shape = true.shape[1:]
    return Fit(
        lambda array: array.reshape(shape),
        index=(row,),
        note=f"read as that of example {row}, to which it is nearest",
    )


def refusal(numbers: Array, true: Array, *, of_batch: bool, is_weight: bool) -> str:
    """Why numbers cannot stand for a value, in a sentence."""
    expected = format_shape(true.shape)
    if of_batch:
        meaning = ": one row for each example"
    elif is_weight and true.ndim == 2:
        meaning = ": (out, in)"
    else:
        meaning = ""
    if not true.ndim:
        return f"it has the shape {format_shape(numbers.shape)}, and should be one number"
    return f"it has the shape {format_shape(numbers.shape)}, and should have {expected}{meaning}"


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _as_it_is(array: Array) -> Array:
    return array


def _transposed(array: Any) -> Array:
    return np.asarray(array).T
