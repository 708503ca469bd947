"""The two proofs: a number computed again from its parts, and a gradient by moving what it is of.

The first reads the formula that is shown, in the declared order, and compares with what training
stored. The second knows nothing of the chain rule: it moves one number, in double precision, and
looks at the loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.backends import get_backend
from chainrule.explanation.arithmetic import recompute
from chainrule.explanation.capturing.batches import costs_of, handed_on
from chainrule.explanation.double import in_double_precision, kink_near
from chainrule.explanation.expansion import constituents
from chainrule.explanation.nearby import Nearby, at, what_moves
from chainrule.explanation.trace import Index, Place, Trace
from chainrule.graph import Graph
from chainrule.testing.differences import differentiate, measure_noise

REEVALUATION = "re-evaluation"
DIFFERENCE = "finite difference"

_CHECKED_AT_MOST = 1_000  # operations on the way to a number
_ULPS = 8.0  # of rounding that is assumed at least, where none shows


@dataclass(frozen=True)
class Proof:
    """What was checked, and whether it holds.

    Parameters
    ----------
    kind : str
        ``"re-evaluation"`` or ``"finite difference"``.
    holds : bool or None
        None where nothing can be said: at a kink there is no derivative to compare with.
    value : float
        What was computed for comparison.
    compared : float
        What it is compared with: the stored number, or, for a difference, the gradient that the
        same backward pass gives in double precision.
    bound : float
        How far apart the two may be; 0 where they must have the same bits.
    statement : str
        A sentence that says so.
    operations : int
        How many operations were computed again.
    """

    kind: str
    holds: bool | None
    value: float
    compared: float
    bound: float
    statement: str
    operations: int = 0


def reevaluation(trace: Trace, place: Place) -> Proof:
    """Compute a number again, and each one without a name on the way to it."""
    inside, is_all = constituents(trace, place, _CHECKED_AT_MOST)
    again = [
        (here, recompute(trace.about.computed_by, trace.graph, trace.values, here))
        for here in inside
    ]
    wrong = [here for here, rounded in again if not rounded.explains(trace.value(here))]
    value = again[0][1]
    stored = float(trace.value(place))
    count = len(again)
    operations = "one operation" if count == 1 else f"{count} operations"
    if not is_all:
        operations = f"{operations} (of the terms' own, some spread evenly)"
    if wrong:
        node = trace.graph.name_of(wrong[0].node)
        index = ",".join(map(str, wrong[0].index))
        statement = (
            f"{node}[{index}] is stored as {float(trace.value(wrong[0])):.17g}, but its operands "
            "give another number: the trace was changed, or made by another arithmetic"
        )
    elif any(rounded.bound for _, rounded in again):
        statement = (
            f"{operations} computed again from stored numbers; {float(value.value):.9g} is "
            f"{abs(float(value.value) - stored):.1g} away, and the order of adding explains up to "
            f"{value.bound:.1g}"
        )
    else:
        statement = f"{operations} computed again from stored numbers: equal, bit for bit"
    return Proof(REEVALUATION, not wrong, float(value.value), stored, value.bound, statement, count)


def difference(trace: Trace, place: Place) -> Proof | None:
    """Compare a gradient with a finite difference of the loss; None for what is no gradient."""
    primal = _primal(trace, place.node)
    if primal is None or trace.about.is_rule:
        return None
    moving, gradient = _around(trace, primal, place)
    backend = get_backend("numpy")
    loss_only = _only(moving.graph, 0)
    index = (0,) * len(place.index)  # of the number among itself
    with np.errstate(all="ignore"):
        loss_noise, gradient_noise = measure_noise(
            lambda moved: backend.run(moving.graph, moved), moving.inputs, [0]
        )
        at_rest = backend.run(loss_only, moving.inputs)
        noise = np.maximum(loss_noise, _ULPS * np.spacing(abs(at_rest[0])))
        found, errors = differentiate(
            lambda moved: backend.run(loss_only, moved), moving.inputs, 0, index, [noise]
        )
    value, error = float(found[0]), float(errors[0])
    stored = float(trace.value(place))
    # The gradient is rounded in double precision, too: no difference can be closer.
    bound = error + float(gradient_noise.item()) + _ULPS * float(np.spacing(abs(gradient)))
    holds: bool | None = abs(value - gradient) <= bound
    excuse = "" if holds else _no_derivative(trace, primal, place, moving, index)
    of = "the loss" if len(costs_of(trace.graph, place.node)) == 1 else "loss + penalty"
    moved = f"{of} moves by {value:.9g} for each unit, ± {error:.1g}"
    if not np.isfinite(error) or not np.isfinite(gradient):
        holds, statement = None, "the loss is not finite around this number"
    elif excuse:
        holds, statement = None, f"{moved}; {excuse}"
    elif holds:
        statement = f"{moved}; the stored gradient is {abs(value - stored):.1g} away"
    else:
        statement = f"{moved}; the backward pass in double precision gives {gradient:.9g}"
    return Proof(DIFFERENCE, holds, value, gradient, bound, statement)


def _primal(trace: Trace, position: int) -> int | None:
    """What a gradient of the step's loss is the gradient of; None for anything else."""
    name = trace.graph.nodes[position].name or ""
    primal = name.removeprefix("d_")
    costs = costs_of(trace.graph, position)
    # A gradient inside of the forward pass, of a gradient penalty, is none of the step's loss.
    if primal == name or not costs or position < costs[0]:
        return None
    found = trace.graph.positions.get(primal)
    if found is None or trace.graph.nodes[found].shape != trace.graph.nodes[position].shape:
        return None
    return found


def _around(trace: Trace, primal: int, place: Place) -> tuple[Nearby, float]:
    """What a number moves: the loss, and its gradient; and the gradient where it is.

    All else is held at what it is in double precision: a mean over ten divides and multiplies by
    tenths that have to agree.

    Returns
    -------
    Nearby
        With the outputs ``loss``, what is differentiated, and ``gradient``, one number of it.
    float
        The gradient, of the whole backward pass in double precision.
    """
    double = in_double_precision(trace)
    at_ = double.positions
    costs = [at_[i] for i in costs_of(trace.graph, place.node)]
    gradient = at_[place.node]
    wanted = {**dict.fromkeys(costs, ()), gradient: at(place.index)}
    # A gradient of a batch holds what the batch before it left.
    held = {at_[i] for i in handed_on(trace.graph) if i in at_}
    b, made, arrays = what_moves(
        double.graph, double.values, at_[primal], place.index, wanted, held
    )
    total = made[costs[0]]
    for cost in costs[1:]:
        total = total + made[cost]
    built = b.build("loss", {"loss": total, "gradient": made[gradient]})
    return Nearby(built, arrays), float(double.values[gradient][place.index])


def _no_derivative(trace: Trace, primal: int, place: Place, moving: Nearby, index: Index) -> str:
    """Why the backward pass need not give what a difference gives; empty if it must."""
    graph = trace.graph
    ends = [*costs_of(graph, place.node), place.node]
    on_the_way = [graph.nodes[i] for i in _between(graph, primal, ends)]
    own = next((node.attributes["body"] for node in on_the_way if node.op == "custom"), None)
    if isinstance(own, Graph):
        return f"{own.name} has a gradient of its own, which need not be its derivative"
    kink = kink_near(moving.graph, moving.inputs, 0, index)
    return f"{kink} stands at a kink, where there is no derivative" if kink else ""


def _between(graph: Graph, start: int, ends: list[int]) -> list[int]:
    """What a node reaches on the way to some others."""
    reached, held = {start}, handed_on(graph)
    for i in range(start + 1, max(ends) + 1):
        if i not in held and not reached.isdisjoint(graph.nodes[i].inputs):
            reached.add(i)
    needed = set(ends)
    for i in range(max(ends), start, -1):
        if i in needed and i in reached:
            needed.update(graph.nodes[i].inputs)
    return sorted(needed & reached - {start})


def _only(graph: Graph, output: int) -> Graph:
    return Graph(graph.name, graph.nodes, (graph.outputs[output],), graph.aliases)
