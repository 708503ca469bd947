"""Which new numbers belong to which variable, when a network takes a state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from chainrule.base.errors import DataError, NameNotFoundError
from chainrule.eager.tensor import Array
from chainrule.nn.parameter import Variable


def match_state(
    named: Iterable[tuple[str, Variable]], state: Mapping[str, Any], *, strict: bool
) -> dict[Variable, Array]:
    """Return the new numbers of each variable, once it is known that all of them fit.

    Parameters
    ----------
    named : iterable of (str, Variable)
        The network's variables, a shared one under each of its paths.
    state : mapping of str to array_like
    strict : bool
        Whether a name that is missing or left over is an error.

    Raises
    ------
    NameNotFoundError, ShapeError, DTypeError
    DataError
        If the state gives a shared variable different numbers under its paths.
    """
    paths: dict[Variable, list[str]] = {}
    for path, variable in named:
        paths.setdefault(variable, []).append(path)
    if strict:
        _check_names(list(paths.values()), state)
    found: dict[Variable, Array] = {}
    for variable, names in paths.items():
        for name in names:
            if name not in state:
                continue
            array = variable.fitting(as_array(state[name]), name)
            if variable in found and not np.array_equal(found[variable], array, equal_nan=True):
                raise DataError(
                    f"{names[0]} and {name} are one variable, and the state has different "
                    "numbers for them"
                )
            found[variable] = array
    return found


def _check_names(groups: list[list[str]], state: Mapping[str, Any]) -> None:
    known = [path for paths in groups for path in paths]
    for name in state:
        if name not in known:
            raise NameNotFoundError.among("variable of the network", name, known)
    missing = [paths[0] for paths in groups if not any(path in state for path in paths)]
    if missing:
        others = f", nor {len(missing) - 1} more of the network's" if len(missing) > 1 else ""
        raise NameNotFoundError(
            f"The state has no {missing[0]}{others}",
            advice="Pass strict=False to keep what the network has",
        )


def as_array(value: Any) -> Array:
    """Return an array of anything that can be one, torch's parameters too."""
    # torch's parameters refuse to become arrays before they are detached.
    return np.asarray(value.detach() if hasattr(value, "detach") else value)
