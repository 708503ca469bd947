"""Rules: what an optimiser does to one parameter, and their application to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from chainrule.base.errors import DTypeError
from chainrule.eager import Tensor, as_tensor
from chainrule.graph import TensorType

if TYPE_CHECKING:
    from chainrule.optim.optimizer import Optimizer

Slots = Mapping[str, Tensor]
Updated = tuple[Tensor, dict[str, Tensor]]
Rule = Callable[[Tensor, Tensor, Slots], Updated]
"""(w, g, slots) to (the new w, the new slots), for one parameter and its gradient."""


def apply_rules(
    variants: Mapping[str, Optimizer],
    rates: Mapping[str, Tensor],
    parameters: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    state_types: Mapping[str, TensorType],
    t: Tensor,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Compute new parameters and a new state, each parameter's by its own optimiser.

    Parameters
    ----------
    variants, rates, parameters, gradients : mapping of str
        By the parameters' paths.
    state, state_types : mapping of str
        By ``<path>:<slot>``.
    t : Tensor
        int64[]: the number of updates done before this one.

    Raises
    ------
    DTypeError
        If a rule gives a value of another type than it took.
    """
    rules: dict[int, Rule] = {}
    new_parameters: dict[str, Tensor] = {}
    new_state: dict[str, Tensor] = {}
    for name, w in parameters.items():
        variant = variants[name]
        if id(variant) not in rules:  # what depends on t and lr alone stands in the graph once
            rules[id(variant)] = variant.rule(t, rates[name])
        keys = {slot: f"{name}:{slot}" for slot in variant.initial_slots()}
        slots = {
            slot: as_tensor(state[key]).astype(state_types[key].dtype) for slot, key in keys.items()
        }
        g = -gradients[name] if variant.maximize else gradients[name]
        new_parameters[name], new_slots = rules[id(variant)](w, g, slots)
        owner = type(variant).__name__
        _check_type(owner, name, w.type, new_parameters[name])
        for slot, key in keys.items():
            new_state[key] = new_slots[slot]
            _check_type(owner, key, state_types[key], new_state[key])
    return new_parameters, new_state


def _check_type(owner: str, name: str, kind: TensorType, new: Tensor) -> None:
    if new.type != kind:
        raise DTypeError(
            f"{owner}.rule gives values of the types it takes; {name} is {kind}, it gave "
            f"{new.type}",
            advice="Cast what is computed from t and lr: .astype(w.dtype)",
        )
