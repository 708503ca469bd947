"""What gradients are of: the loss, the penalty, the cost of one batch of an update of several.

And how the values of such batches are called.
"""

from __future__ import annotations

import re

from chainrule.graph import Graph
from chainrule.train.writing import ACCUMULATED, PENALTY, TOTAL_WEIGHT

COST = "cost"
"""Behind a batch's prefix: Σ wᵢ·lᵢ over its examples, which its gradients are of."""

OBJECTIVE = "objective"
"""What is minimised where there is a penalty: loss + penalty."""

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


def costs_of_batches(graph: Graph) -> list[int]:
    """Where the cost of each batch is; empty where the update is of one batch."""
    found: list[int] = []
    while (name := prefix_of(len(found) + 1) + COST) in graph.positions:
        found.append(graph.positions[name])
    return found


def parts_of(graph: Graph, position: int) -> list[int]:
    """The costs that the loss, or the objective, is computed from; of any other value, itself."""
    loss = graph.labels.get("loss")
    if position == loss:
        return costs_of_batches(graph) or [position]
    if position == graph.labels.get(OBJECTIVE) and loss is not None:
        return [*parts_of(graph, loss), graph.labels[PENALTY]]
    return [position]


def penalised(graph: Graph) -> frozenset[int]:
    """The values that the penalty is computed from: what is minimised depends on them twice."""
    needed = {graph.labels[PENALTY]} if PENALTY in graph.labels else set()
    for i in range(max(needed, default=-1), -1, -1):
        if i in needed:
            needed.update(graph.nodes[i].inputs)
    return frozenset(needed)


def rows_of(graph: Graph, rows: tuple[int, ...], name: str) -> tuple[int, ...]:
    """The rows of the data in the batch that a value is of, by name.

    Parameters
    ----------
    graph : Graph
    rows : tuple of int
        Those of all batches, one batch after the other.
    name : str
        The value's; one that is of no batch is of all.
    """
    found = split_batch(graph, name)
    if found is None:
        return rows
    sizes = [_size_of(graph, number) for number in range(1, found[0] + 1)]
    return rows[sum(sizes[:-1]) : sum(sizes)]


def starts_of_rows(graph: Graph) -> dict[int, int]:
    """Where in the rows of all batches those of a value's batch begin, for those of later ones.

    A value without a name is of the batch among whose values it stands.
    """
    batches = {i: split_batch(graph, node.name or "") for i, node in enumerate(graph.nodes)}
    numbers = {i: found[0] for i, found in batches.items() if found is not None}
    last = {number: i for i, number in numbers.items() if graph.nodes[i].op != "input"}
    start, starts = 0, {}
    for number in sorted(last):
        starts[number] = start
        start += _size_of(graph, number)
    for i, node in enumerate(graph.nodes):
        if node.op != "input" and i not in numbers and node.name is None:
            number = next((n for n in sorted(last) if i <= last[n]), 0)
            numbers |= {i: number} if number else {}
    return {i: starts[number] for i, number in numbers.items() if starts[number]}


def _size_of(graph: Graph, number: int) -> int:
    """How many examples a batch has: its data have an axis for them."""
    return next(
        int(node.shape[0])
        for node in (graph.nodes[i] for i in graph.inputs)
        if str(node.name).startswith(prefix_of(number))
        and node.shape
        and getattr(node.shape[0], "name", None)
    )


def handed_on(graph: Graph) -> frozenset[int]:
    """The state that one batch leaves to the next, such as a running mean.

    The gradient of a batch holds what it finds: of an update, too, nothing is differentiated
    through these. What the batches add up is none of it.
    """
    owners: dict[int, int] = {}
    last: dict[int, int] = {}
    for position, node in enumerate(graph.nodes):
        found = split_batch(graph, node.name or "")
        if found is None or node.op == "input":
            continue
        last[found[0]] = position
        if not found[1].startswith((ACCUMULATED, TOTAL_WEIGHT)):
            owners[position] = found[0]
    end = max(last.values(), default=-1)
    # The last value of a batch is its sum of weights, which has a name: behind it is the next one.
    return frozenset(
        i
        for position, node in enumerate(graph.nodes[: end + 1])
        for i in node.inputs
        if i in owners and position > last[owners[i]]
    )


def costs_of(graph: Graph, gradient: int) -> list[int]:
    """The costs whose sum a gradient is of: a batch's cost, the loss, or that and the penalty."""
    name = graph.name_of(gradient)
    found = split_batch(graph, name)
    if found is not None:
        return [graph.positions[prefix_of(found[0]) + COST]]
    is_penalised = graph.positions.get(name.removeprefix("d_")) in penalised(graph)
    labels = ["loss", PENALTY] if is_penalised else ["loss"]
    return [graph.labels[label] for label in labels if label in graph.labels]
