"""What a question is about: a number, by its name and index."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from contextlib import suppress

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.base.harmless import plain
from chainrule.explanation.captions import is_state
from chainrule.explanation.symbols import NEXT, symbol_of
from chainrule.explanation.trace import Place, Trace

Named = str | tuple[str | int, ...]
"""A number: ``"w1"``, ``"0.weight[0,1]"``, ``("0.weight", 0, 1)``."""


def find(trace: Trace, named: Named) -> Place:
    """Where the number is.

    Raises
    ------
    NameNotFoundError, ShapeError
    """
    name, *index = (named,) if isinstance(named, str) else named
    return trace.find(str(name), *map(int, index))


def find_primal(trace: Trace, named: Named) -> Place:
    """Where the number is whose gradient is asked for; its gradient's name does as well.

    Raises
    ------
    NameNotFoundError, ShapeError
    ConfigurationError
        If it is named by a gradient that the step does not compute, since it is frozen.
    """
    name, *index = (named,) if isinstance(named, str) else named
    inner = str(name).removeprefix("d_")
    if str(name) != inner and str(name) not in trace.graph.positions:
        with suppress(NameNotFoundError):  # what is wrong with the name itself is said below
            check_not_frozen(trace, find(trace, (inner, *index)))
    place = find(trace, named)
    primal = trace.graph.name_of(place.node).removeprefix("d_")
    if primal not in trace.graph.positions:
        return place
    found = trace.graph.positions[primal]
    return Place(found, place.index) if _same_shape(trace, found, place.node) else place


def find_gradient(trace: Trace, named: Named) -> Place:
    """Where the stored gradient of a number is.

    Raises
    ------
    NameNotFoundError
        If the step computes none.
    ConfigurationError
        If that is so because the number is data, or a parameter that is frozen.
    """
    primal = find_primal(trace, named)
    place = find(trace, named)
    if place.node != primal.node:
        return place  # by its own name: of a parameter each batch has one, too
    name = "d_" + trace.graph.name_of(primal.node)
    if name not in trace.graph.positions:
        check_not_frozen(trace, primal)
        if trace.node(primal).op == "input":
            raise ConfigurationError(
                f"{called(trace, primal)} is given to the step: training computes no gradient by "
                "it",
                advice="Ask for a parameter, or a value that the loss is computed from",
            )
        known = [each for each in trace.graph.positions if each.startswith("d_")]
        raise NameNotFoundError.among("gradient", name, known)
    return Place(trace.graph.positions[name], primal.index)


def check_not_frozen(trace: Trace, place: Place) -> None:
    """Raise ConfigurationError where a number is state that the step computes no gradient by.

    A trace does not tell a frozen parameter from a buffer that the step leaves alone: neither has
    a gradient, and both are handed on. A buffer that the step assigns is known by that.
    """
    name = trace.graph.name_of(place.node)
    if not is_state(trace, place.node) or f"d_{name}" in trace.graph.positions:
        return
    is_kept = trace.graph.labels[NEXT + name] == place.node
    what = "frozen (requires_grad=False), or a buffer" if is_kept else "a buffer"
    raise ConfigurationError(
        f"{called(trace, place)} is {what}: it has no gradient, and the optimiser does not update "
        "it",
        where=name,
        advice="A parameter trains again after parameter.requires_grad = True"
        if is_kept
        else f'trace["{name}"].update is what the step assigns to it',
    )


def check_count(function: str, what: str, n: object) -> int:
    """Return how many are asked for.

    Raises
    ------
    ConfigurationError
        If it is no whole number from 1 up.
    """
    if isinstance(n, bool) or not hasattr(n, "__index__") or operator.index(n) < 1:
        raise ConfigurationError(
            f"{function} takes a number of {what} from 1 up; got n={n!r:.40}",
            advice=f"Leave n out, or pass a whole number: {function}(..., n=3)",
        )
    return operator.index(n)


def check_no_rule(trace: Trace) -> None:
    """Raise ConfigurationError where the step follows a learning rule instead of a gradient."""
    if trace.about.is_rule:
        raise ConfigurationError(
            f"{trace.about.loss} is a learning rule: its updates are no gradients of a loss",
            advice="Open the update itself: trace[name, *index]",
        )


def called(trace: Trace, place: Place) -> str:
    """How a number is called."""
    return plain(str(symbol_of(trace, place)))


def element(name: str, index: Sequence[int]) -> str:
    """An element's canonical name."""
    return f"{name}[{','.join(map(str, index))}]" if index else name


def _same_shape(trace: Trace, a: int, b: int) -> bool:
    return trace.graph.nodes[a].shape == trace.graph.nodes[b].shape
