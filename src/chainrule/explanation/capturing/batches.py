"""How the values of an update's batches are called, where several batches make one update."""

from __future__ import annotations

import re

from chainrule.graph import Graph

COST = "cost"
"""Behind a batch's prefix: Σ wᵢ·lᵢ over its examples, which its gradients are of."""

_OF_BATCH = re.compile(r"(?P<d>(d_)?)batch(?P<number>[1-9]\d*)\.(?P<inner>.+)", re.DOTALL)


def prefix_of(number: int) -> str:
    """What begins the names of a batch's values; the first batch is 1.

    Examples
    --------
    >>> prefix_of(1) + "0.out"
    'batch1.0.out'
    """
    return f"batch{number}."


def split_batch(graph: Graph, name: str) -> tuple[int, str] | None:
    """The number of the batch that a value is of, and its name without it; None if it is of none.

    Of ``d_batch2.0.out`` it is 2 and ``d_0.out``.
    """
    match = _OF_BATCH.fullmatch(name)
    if match is None or prefix_of(int(match["number"])) + COST not in graph.positions:
        return None
    return int(match["number"]), match["d"] + match["inner"]


def costs_of(graph: Graph, gradient: int) -> list[int]:
    """The costs whose sum a gradient is of: the loss and the penalty, or a batch's cost."""
    found = split_batch(graph, graph.name_of(gradient))
    if found is not None:
        return [graph.positions[prefix_of(found[0]) + COST]]
    return [graph.labels[label] for label in ("loss", "penalty") if label in graph.labels]
