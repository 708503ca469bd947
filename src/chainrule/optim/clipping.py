"""Clipping: keep gradients from being too large, and the weights of a unit."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import reduce

from chainrule.eager import Tensor, elementwise

_EPSILON = 1e-6  # torch.nn.utils.clip_grad_norm_'s: no division by a norm of 0


def clip_by_value(gradients: Mapping[str, Tensor], limit: float) -> dict[str, Tensor]:
    """Move each element into [-limit, limit]; NaN stays NaN.

    Parameters
    ----------
    gradients : mapping of str to Tensor
    limit : float
    """
    return {
        name: elementwise("min", elementwise("max", d, -limit), limit)
        for name, d in gradients.items()
    }


def clip_by_norm(gradients: Mapping[str, Tensor], limit: float) -> dict[str, Tensor]:
    """Scale all gradients by one number, so that together they are no longer than `limit`.

    Parameters
    ----------
    gradients : mapping of str to Tensor
    limit : float
        The largest 2-norm of all elements of all gradients, taken as one vector.

    Notes
    -----
    With the norm n = √(Σ d²) each gradient becomes d · min(limit / (n + 10⁻⁶), 1)   [Pascanu,
    Mikolov and Bengio 2013, alg. 1]. If an element is NaN, all become NaN.
    """
    norm = reduce(operator.add, map(sum_of_squares, gradients.values())).sqrt()
    scale = elementwise("min", limit / (norm + _EPSILON), 1.0)
    return {name: d * scale.astype(d.dtype) for name, d in gradients.items()}


def limit_rows(w: Tensor, limit: float) -> Tensor:
    """Scale the rows of a weight, its slices along axis 0, so that none is longer than `limit`.

    Parameters
    ----------
    w : Tensor of shape (out, ...)
        A row holds the incoming weights of a unit.
    limit : float
        The largest 2-norm c of a row: row · c / max(‖row‖, c).
    """
    axes = tuple(range(1, w.ndim))
    norm = w.astype("float64").square().sum(axis=axes, keepdims=True).sqrt()
    # The larger one below, and not a minimum of 1: a row that is short enough keeps its bits, and
    # one of zeros is not divided by.
    scale = limit / elementwise("max", norm, limit)
    return w * scale.astype(w.dtype)


def sum_of_squares(d: Tensor) -> Tensor:
    """The sum of all squared elements, float64[]."""
    # In float64: the square of a float32 neither overflows nor vanishes. As one axis: the order of
    # the sum is then that of the elements, not that of the array's memory.
    return d.reshape(-1).astype("float64").square().sum()
