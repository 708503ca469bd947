"""Whether gradients and state belong to the parameters they are given for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.base.errors import (
    ConfigurationError,
    DTypeError,
    NameNotFoundError,
    ShapeError,
    TrainingError,
    listed,
)
from chainrule.eager import Tensor
from chainrule.eager.tensor import Array
from chainrule.graph import Shape, TensorType, format_shape


def check_gradients(
    owner: str, parameters: Mapping[str, Tensor], gradients: Mapping[str, Any]
) -> None:
    """Raise unless there is one gradient for each parameter, of its shape.

    Parameters
    ----------
    owner : str
        The optimiser's name, for messages.
    parameters : mapping of str to Tensor
    gradients : mapping of str to Tensor or array

    Raises
    ------
    ConfigurationError, TrainingError, NameNotFoundError, ShapeError
    """
    if not isinstance(gradients, Mapping):
        raise ConfigurationError(
            f"{owner} takes gradients by parameter path; got {type(gradients).__name__}",
            advice="loss, gradients = cr.value_and_grad(f)(net) gives them",
        )
    if not parameters:
        raise TrainingError(
            f"{owner} got no parameter to update", advice="Set requires_grad = True on some"
        )
    for name in gradients:
        if name not in parameters:
            raise NameNotFoundError.among(
                "trained parameter", name, parameters, where=f"Gradients given to {owner}"
            )
    missing = [name for name in parameters if name not in gradients]
    if missing:
        raise TrainingError(
            f"{owner} got no gradient for {listed(missing)}",
            advice="Set requires_grad = False on parameters that are not to be trained",
        )
    for name, w in parameters.items():
        shape = np.shape(gradients[name])
        if shape != w.shape:
            raise ShapeError(
                f"{owner} got a gradient of shape {format_shape(shape)} for {name}, whose shape "
                f"is {format_shape(w.shape)}",
                advice=_explain(shape, w.shape),
            )


def check_rank(owner: str, rank: int | None, name: str, shape: Shape) -> None:
    """Raise ShapeError unless an optimiser is made for parameters with so many axes.

    Parameters
    ----------
    owner : str
        The optimiser's name, for messages.
    rank : int, optional
        The number of axes that it is made for.
    name : str
        The parameter's path.
    shape : Shape
    """
    if rank is None or len(shape) == rank:
        return
    kind = "matrices" if rank == 2 else f"arrays of {rank} axes"
    raise ShapeError(
        f"{owner} updates {kind}; {name} has shape {format_shape(shape)}",
        advice=f'Give it another optimizer: groups={{"{name}": optim.AdamW(lr=0.001)}}',
    )


def check_state(
    owner: str,
    types: Mapping[str, TensorType],
    state: Mapping[str, Tensor] | Mapping[str, Array],
) -> None:
    """Raise unless the state has exactly what it should, each of its shape.

    Parameters
    ----------
    owner : str
        The optimiser's name, for messages.
    types : mapping of str to TensorType
        What the state should have, by key.
    state : mapping of str to Tensor or array

    Raises
    ------
    TrainingError, NameNotFoundError, ShapeError
    """
    for key in state:
        if key not in types:
            raise NameNotFoundError.among("state", key, types, where=f"State given to {owner}")
    missing = [key for key in types if key not in state]
    if missing:
        raise TrainingError(
            f"{owner} has no state {listed(missing)}",
            advice="For other parameters than those it began with, make a new optimizer",
        )
    for key, kind in types.items():
        if tuple(state[key].shape) != kind.shape:
            raise ShapeError(
                f"{owner}'s state {key} has shape {format_shape(state[key].shape)}; here it takes "
                f"{format_shape(kind.shape)}"
            )


def read_state_dict(
    owner: str, state: Mapping[str, Any], slots: Callable[[str], tuple[str, ...]]
) -> tuple[int, dict[str, Array]]:
    """Return the number of updates and the arrays of a state dict.

    Parameters
    ----------
    owner : str
        The optimiser's name, for messages.
    state : mapping of str to array_like
        ``t``, and arrays by ``<parameter path>:<slot>``.
    slots : callable
        From a parameter's path to its slots.

    Raises
    ------
    TrainingError, NameNotFoundError, ConfigurationError, DTypeError
    """
    if "t" not in state:
        raise TrainingError(f"{owner}'s state has no t, the number of updates done")
    t = np.asarray(state["t"])
    if t.shape != () or t.dtype.kind not in "iu" or t < 0:
        raise ConfigurationError(f"{owner}'s state takes t as a whole number ≥ 0; got {t}")
    arrays = {key: np.array(value) for key, value in state.items() if key != "t"}
    for key, array in arrays.items():
        name, _, slot = key.rpartition(":")
        if not name or slot not in slots(name):
            known = [f"{name}:{each}" for each in slots(name)] if name else []
            raise NameNotFoundError.among(f"state of {owner}", key, known)
        if array.dtype.kind != "f":
            raise DTypeError(f"{owner}'s state takes {key} as floats; got {array.dtype}")
    for name in dict.fromkeys(key.rpartition(":")[0] for key in arrays):
        missing = [slot for slot in slots(name) if f"{name}:{slot}" not in arrays]
        if missing:
            raise TrainingError(f"{owner}'s state has no {name}:{missing[0]}")
    return int(t), arrays


def _explain(got: Shape, wanted: Shape) -> str | None:
    if got[1:] == wanted:
        return "It has one axis more: sum it over the batch"
    if got == wanted[::-1]:
        return "It is transposed"
    return None
