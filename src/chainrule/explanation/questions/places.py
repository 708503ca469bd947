"""What a question is about: a number, by its name and index."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.base.harmless import plain
from chainrule.explanation.symbols import symbol_of
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
    """
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
    """
    primal = find_primal(trace, named)
    name = "d_" + trace.graph.name_of(primal.node)
    if name not in trace.graph.positions:
        known = [each for each in trace.graph.positions if each.startswith("d_")]
        raise NameNotFoundError.among("gradient", name, known)
    return Place(trace.graph.positions[name], primal.index)


def loss_of(trace: Trace) -> Place:
    """Where the loss is.

    Raises
    ------
    ConfigurationError
        If the update is of several batches, or follows no gradient.
    """
    position = trace.graph.labels.get("loss", trace.graph.positions.get("loss"))
    if trace.about.is_rule:
        raise ConfigurationError(
            f"{trace.about.loss} is a learning rule: its updates are no gradients of a loss",
            advice="Open the update itself: trace[name, *index]",
        )
    if position is None or "d_loss" not in trace.graph.positions:
        raise ConfigurationError(
            "This update is of several batches: there is no one loss that it is of",
            advice="Ask it of a step without accumulate",
        )
    return Place(position, ())


def called(trace: Trace, place: Place) -> str:
    """How a number is called."""
    return plain(str(symbol_of(trace, place)))


def element(name: str, index: Sequence[int]) -> str:
    """An element's canonical name."""
    return f"{name}[{','.join(map(str, index))}]" if index else name


def _same_shape(trace: Trace, a: int, b: int) -> bool:
    return trace.graph.nodes[a].shape == trace.graph.nodes[b].shape
