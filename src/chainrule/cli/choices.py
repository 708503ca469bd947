"""Names as people type them: ``relu`` for ReLU, ``cross-entropy`` for CrossEntropyLoss.

The registries hold the names; here is only how they may be spelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import signature
from typing import TypeVar

from chainrule.base.errors import NameNotFoundError
from chainrule.base.registry import Registry
from chainrule.nn import LAYERS, METRICS, Module
from chainrule.nn.activations import Activation
from chainrule.nn.metrics.registry import split_argument, with_argument

T = TypeVar("T")


def registered(registry: Registry[T], typed: str, *, where: str | None = None) -> str:
    """Return the name in a registry that was meant by `typed`.

    Letter case, dashes and underscores do not count, nor does the registry's kind at the end:
    ``mse`` is MSELoss among the losses.

    Raises
    ------
    NameNotFoundError
        If there is none; the nearest is suggested.
    """
    return spelled(registry.kind, registry, typed, where=where)


def spelled(kind: str, names: Iterable[str], typed: str, *, where: str | None = None) -> str:
    """Return the one of `names` that was meant by `typed`; `kind` says what they name."""
    known = list(names)
    wanted = _bare(typed, kind)
    for name in known:
        if _bare(name, kind) == wanted:
            return name
    raise NameNotFoundError.among(kind, typed, known, where=where)


def metric(typed: str) -> str:
    """Return the name of the metric that was meant: ``top-3-accuracy`` is ``top_3_accuracy``.

    Raises
    ------
    NameNotFoundError, ConfigurationError
        If there is none, or it has an argument that it cannot have.
    """
    try:
        return registered(METRICS, typed)
    except NameNotFoundError:
        general, argument = split_argument(typed.casefold())
        meant = (name for name in METRICS if _bare(name, METRICS.kind) == _bare(general, ""))
        made = with_argument(next(meant, ""), argument)
        if made is None:
            raise
        return made.name


def activations() -> dict[str, type[Module]]:
    """Return the layers that are activations and can be made by their name alone."""
    found = {name: layer for name, layer in LAYERS.items() if issubclass(layer, Activation)}
    return {name: layer for name, layer in found.items() if not _needs_arguments(layer)}


def _needs_arguments(layer: type[Module]) -> bool:
    parameters = signature(layer).parameters.values()
    return any(parameter.default is parameter.empty for parameter in parameters)


def _bare(name: str, kind: str) -> str:
    bare = re.sub(r"[-_ ]", "", name).casefold()
    return bare.removesuffix(kind) or bare
