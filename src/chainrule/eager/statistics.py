"""NumPy's reductions beyond sums: products, variance, length, and bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chainrule.base.errors import ShapeError
from chainrule.eager.axes import reduce_axes
from chainrule.eager.functions import maximum, minimum
from chainrule.eager.promotion import is_weak
from chainrule.eager.tensor import Tensor, as_tensor, elementwise
from chainrule.eager.tracing import here

Axes = int | Sequence[int] | None


def prod(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Product over `axis`; over all axes by default. Integers and bools multiply as int64."""
    return reduce_axes("prod", as_tensor(x), axis, keepdims)


def log_sum_exp(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The logarithm of the sum of exponentials over `axis`, without overflow."""
    return reduce_axes("log_sum_exp", as_tensor(x), axis, keepdims)


def var(x: Any, axis: Axes = None, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Variance over `axis`; over all axes by default.

    Parameters
    ----------
    x : array_like
    axis : int, tuple of int or None
    ddof : float
        Taken off the number of elements in the divisor. 0, as in NumPy, is the variance of the
        elements; 1, torch's default, estimates that of what they were drawn from.
    keepdims : bool

    Raises
    ------
    ShapeError
        If nothing is left to divide by.
    """
    return reduce_axes("variance", as_tensor(x), axis, keepdims, correction=float(ddof))


def std(x: Any, axis: Axes = None, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Standard deviation over `axis`: the root of `var`, with slope 0 where all are equal.

    Parameters
    ----------
    x : array_like
    axis : int, tuple of int or None
    ddof : float
        As in `var`.
    keepdims : bool
    """
    return reduce_axes("std", as_tensor(x), axis, keepdims, correction=float(ddof))


def norm(x: Any, ord: float = 2, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Length of the vectors along `axis`; of all elements as one vector by default.

    Parameters
    ----------
    x : array_like
    ord : float
        2: the root of the sum of squares, with slope 0 at 0. 1: the sum of sizes. ``inf``: the
        largest size, along one axis or all.
    axis : int, tuple of int or None
    keepdims : bool

    Raises
    ------
    ShapeError
        For another `ord`.
    """
    tensor = as_tensor(x)
    if ord == 2:
        return reduce_axes("norm", tensor, axis, keepdims)
    if ord == 1:
        return abs(tensor).sum(axis, keepdims)
    if ord == math.inf:
        along = axis[0] if isinstance(axis, Sequence) and len(axis) == 1 else axis
        return abs(tensor).max(along, keepdims)  # type: ignore[arg-type]
    raise ShapeError(f"norm takes ord 1, 2 or inf; got {ord}", where=here())


def clip(x: Any, low: Any = None, high: Any = None) -> Tensor:
    """The elements, none below `low` and none above `high`.

    Parameters
    ----------
    x : array_like
    low, high : number, array_like or None
        None is no bound. A value at a bound that is a number passes with slope 1; at one that is
        an array it shares the slope with the bound, as in `maximum`.
    """
    tensor = as_tensor(x)
    bounds = [bound for bound in (low, high) if bound is not None]
    if bounds and tensor.type.dtype.is_float and all(map(is_weak, bounds)):
        least = -math.inf if low is None else float(low)
        most = math.inf if high is None else float(high)
        return elementwise("clip", tensor, low=least, high=most)
    if low is not None:
        tensor = maximum(tensor, low)
    return tensor if high is None else minimum(tensor, high)
