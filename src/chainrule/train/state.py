"""The state that a step maps to the next: out of a network and an optimiser, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.base.constant import as_kept
from chainrule.base.errors import ShapeError
from chainrule.base.random import seed_words
from chainrule.eager.tensor import Array
from chainrule.graph import format_shape
from chainrule.nn.evaluation import float_dtype
from chainrule.train.writing import ACCUMULATED, TOTAL_COST, TOTAL_WEIGHT, Recipe, trainable


def initial_state(recipe: Recipe, seed: int, *, accumulate: bool) -> dict[str, Array]:
    """The state before the first step, by input name.

    Parameters
    ----------
    recipe : Recipe
    seed : int
    accumulate : bool
        Whether gradients are summed over several batches before an update.
    """
    net, optimizer = recipe.net, recipe.optimizer
    types = {path: p.type for path, p in trainable(net).items()}
    slots = optimizer.initial_state(types)
    # An optimizer that has worked before goes on from what it has, also for what is frozen now.
    slots |= {name: _like(array, slots.get(name), name) for name, array in optimizer.state.items()}
    state = {path: v.numpy() for path, v in [*net.named_parameters(), *net.named_buffers()]}
    state |= slots
    if accumulate:
        zeros = {path: np.zeros(kind.shape, kind.dtype.numpy) for path, kind in types.items()}
        state |= {ACCUMULATED + path: zero for path, zero in zeros.items()}
        state[TOTAL_WEIGHT] = np.zeros((), float_dtype(net))
        if not recipe.loss.is_mean:
            state[TOTAL_COST] = np.zeros((), float_dtype(net))
    state["step"] = np.asarray(optimizer.t, np.int64)
    state["seed"] = seed_words(seed)
    return state


def write_state(recipe: Recipe, state: Mapping[str, Array]) -> None:
    """Put a training state into the network and the optimiser it came from."""
    net, optimizer = recipe.net, recipe.optimizer
    variables = [*net.named_parameters(), *net.named_buffers()]
    for path, variable in variables:
        variable.replace(state[path])
    ours = {path for path, _ in variables} | {"step", "seed", TOTAL_WEIGHT, TOTAL_COST}
    optimizer.state = {
        name: as_kept(array, array.dtype)
        for name, array in state.items()
        if name not in ours and not name.startswith(ACCUMULATED)
    }
    optimizer.t = int(state["step"])


def _like(array: Any, zeros: Array | None, name: str) -> Array:
    """State that an optimiser has, as the step takes it."""
    given = np.asarray(array)
    if zeros is None:
        return given
    if given.shape != zeros.shape:
        raise ShapeError(
            f"The optimizer's state {name} has shape {format_shape(given.shape)}, from another "
            f"network; here it takes {format_shape(zeros.shape)}",
            advice="Make a new optimizer for each network",
        )
    return as_kept(given, zeros.dtype)
