"""What losses are made with: weights of classes and of outputs, kept as plain numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.eager import Tensor, here, tensor
from chainrule.graph import DType, format_shape

Weights = tuple[float, ...]


def as_class_weights(loss: str, name: str, value: Any) -> Weights | None:
    """Return one weight for each class as a tuple, or None.

    Raises
    ------
    ConfigurationError
        If they are negative or not finite, all zero, or no list of numbers.
    """
    if value is None:
        return None
    wanted = f"{loss} takes {name} as one number ≥ 0 for each class, not all of them 0"
    weights = _numbers(wanted, value)
    if weights.ndim != 1 or not weights.size:
        raise ConfigurationError(f"{wanted}; got shape {format_shape(weights.shape)}")
    _check_weights(wanted, weights)
    return tuple(weights.tolist())


def as_output_weights(loss: str, name: str, value: Any) -> Any:
    """Return weights of outputs as a number or, one for each output, a tuple; or None.

    Raises
    ------
    ConfigurationError
        If they are negative or not finite, all zero, or no numbers.
    """
    if value is None:
        return None
    wanted = f"{loss} takes {name} as one number ≥ 0 for each output, not all of them 0"
    weights = _numbers(wanted, value)
    if not weights.size:
        raise ConfigurationError(f"{wanted}; got shape {format_shape(weights.shape)}")
    _check_weights(wanted, weights)
    return _as_tuples(weights.tolist())


def as_label(loss: str, name: str, value: Any) -> int | None:
    """Return a class's number as an int, or None."""
    if value is None or (isinstance(value, int | np.integer) and not isinstance(value, bool)):
        return None if value is None else int(value)
    raise ConfigurationError(f"{loss} takes {name} as a whole number or None; got {value!r}")


def as_truth(loss: str, name: str, value: Any) -> bool:
    """Return a bool."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ConfigurationError(f"{loss} takes {name}=True or False; got {value!r}")


def class_weights(loss: str, name: str, weights: Weights, classes: int, like: Tensor) -> Tensor:
    """Class weights as a Tensor [C] of the dtype of `like`, if there is one for each class."""
    if len(weights) != classes:
        raise ShapeError(
            f"{loss} has {name} for {len(weights)} classes, and the outputs are of {classes}",
            where=here(),
            advice=f"Give {name} one number for each class",
        )
    return constant_weights(weights, like.type.dtype, name)


def output_weights(loss: str, name: str, weights: Any, output: Tensor) -> Tensor | float:
    """Weights of outputs in a form that broadcasts to `output` behind its batch axis."""
    if np.size(weights) == 1:
        return float(np.reshape(weights, ()))
    made = constant_weights(weights, output.type.dtype, name)
    inner = output.shape[1:]
    sizes = zip(reversed(made.shape), reversed(inner), strict=False)
    if made.ndim > len(inner) or any(size not in (1, other) for size, other in sizes):
        raise ShapeError(
            f"{loss} has {name} of shape {format_shape(made.shape)}, which does not broadcast to "
            f"the outputs of an example, {format_shape(inner)}",
            where=here(),
            advice="Examples are weighted by sample_weight"
            if made.shape[:1] == output.shape[:1]
            else f"Give {name} one number for each output",
        )
    return made


# A trace knows a Tensor by its identity: the same weights used twice are one input of the step.
@lru_cache(maxsize=256)
def constant_weights(weights: tuple[Any, ...], dtype: DType, name: str) -> Tensor:
    """Weights as a Tensor that a step's graph shows as an input by the name of the option."""
    made = tensor(np.array(weights, dtype.numpy))
    made.name = f"loss.{name}"
    return made


def _numbers(wanted: str, value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        array = np.asarray(value)
        if array.dtype.kind in "iuf":
            return array.astype(np.float64)
    except ValueError:  # ragged rows
        pass
    raise ConfigurationError(f"{wanted}; got {value!r}")


def _check_weights(wanted: str, weights: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    wrong = weights[~((weights >= 0) & np.isfinite(weights))]
    if wrong.size:
        raise ConfigurationError(f"{wanted}; got {wrong[0]:g}")
    if not weights.any():
        raise ConfigurationError(f"{wanted}; got {_as_tuples(weights.tolist())}")


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
