"""Slots: what an optimiser keeps for each parameter from update to update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.eager.tensor import Array
from chainrule.graph import DType, TensorType


@dataclass(frozen=True)
class Scalar:
    """A slot that is one float64 for the whole parameter.

    Parameters
    ----------
    initial : float
        Its value before the first update.
    """

    initial: float


InitialSlots = Mapping[str, float | Scalar]
"""Names and initial values; a float stands for an array of the parameter's shape and dtype."""


def slot_type(initial: float | Scalar, w: TensorType) -> TensorType:
    """The type of a slot of a parameter of type `w`."""
    return TensorType((), DType.F64) if isinstance(initial, Scalar) else w


def filled(initial: float | Scalar, w: TensorType) -> Array:
    """The slot's array before the first update."""
    kind = slot_type(initial, w)
    value = initial.initial if isinstance(initial, Scalar) else initial
    return np.full(tuple(map(int, kind.shape)), value, kind.dtype.numpy)
