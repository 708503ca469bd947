"""The two proofs: a number computed again from its parts, and a gradient by moving what it is of.

The first reads the formula that is shown, in the declared order, and compares with what training
stored. The second knows nothing of the chain rule: it moves one number, in double precision, and
looks at the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.backends import get_backend
from chainrule.explanation.arithmetic import recompute
from chainrule.explanation.batches import costs_of
from chainrule.explanation.expansion import constituents
from chainrule.explanation.trace import Array, Place, Trace
from chainrule.graph import Graph, Output
from chainrule.ops import OPS, Builder, Elementwise
from chainrule.testing.differences import differentiate, measure_noise
from chainrule.testing.widen import in_float64

REEVALUATION = "re-evaluation"
DIFFERENCE = "finite difference"

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
    again = [
        (here, recompute(trace.about.computed_by, trace.graph, trace.values, here))
        for here in constituents(trace, place)
    ]
    wrong = [here for here, rounded in again if not rounded.explains(trace.value(here))]
    value = next(rounded for here, rounded in again if here == place)
    stored = float(trace.value(place))
    count = len(again)
    operations = "one operation" if count == 1 else f"{count} operations"
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
    graph, inputs, where = _what_depends_on(trace, primal, place.node)
    wide = in_float64(graph)
    arrays = [
        np.asarray(array, wide.nodes[i].dtype.numpy)
        for i, array in zip(wide.inputs, inputs, strict=True)
    ]
    backend = get_backend("numpy")
    loss_only = _only(wide, 0)
    loss_noise, gradient_noise = measure_noise(
        lambda moved: backend.run(wide, moved), arrays, [where]
    )
    with np.errstate(all="ignore"):
        at_rest = backend.run(wide, arrays)
        noise = np.maximum(loss_noise, _ULPS * np.spacing(abs(at_rest[0])))
        found, errors = differentiate(
            lambda moved: backend.run(loss_only, moved), arrays, where, place.index, [noise]
        )
    value, error = float(found[0]), float(errors[0])
    gradient, stored = float(at_rest[1][place.index]), float(trace.value(place))
    # The gradient is rounded in double precision, too: no difference can be closer.
    bound = error + float(gradient_noise[place.index]) + _ULPS * float(np.spacing(abs(gradient)))
    holds: bool | None = abs(value - gradient) <= bound
    kinks = _kinks(wide, arrays)
    moved = f"the loss moves by {value:.9g} for each unit, ± {error:.1g}"
    if not np.isfinite(error) or not np.isfinite(gradient):
        holds, statement = None, "the loss is not finite around this number"
    elif not holds and kinks:
        holds = None
        statement = f"{moved}; {kinks} stands at a kink, where there is no derivative"
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


def _what_depends_on(trace: Trace, start: int, gradient: int) -> tuple[Graph, list[Array], int]:
    """The part of the step that a value reaches, up to the loss and a gradient, in one graph.

    What it does not reach is computed in the other precision too, since a mean over ten divides
    and multiplies by tenths that have to agree. Held at what they were are the inputs, and what
    integers alone decide: a dropout mask must not be drawn anew.

    Returns
    -------
    Graph
        With the outputs ``loss``, what is differentiated, and ``gradient``.
    list of array
        The values of its inputs.
    int
        Which input is the value itself.
    """
    graph = trace.graph
    costs = costs_of(graph, gradient)
    reached = {start}
    last = max(gradient, *costs)  # an update of several batches has its penalty behind gradients
    for i in range(start + 1, last + 1):
        if not reached.isdisjoint(graph.nodes[i].inputs):
            reached.add(i)
    needed = {*costs, gradient}
    held = {start}
    for i in range(last, -1, -1):
        if i not in needed or i == start:
            continue
        if i not in reached and _is_held(graph, i):
            held.add(i)
        else:
            needed.update(graph.nodes[i].inputs)
    b = Builder()
    entering = sorted(held)
    made = {i: b.input(graph.nodes[i].type, f"held{i}") for i in entering}
    for i in sorted(needed - held):
        node = graph.nodes[i]
        made[i] = b.apply(node.op, *(made[j] for j in node.inputs), **dict(node.attributes))
    total = made[costs[0]]
    for cost in costs[1:]:
        total = total + made[cost]
    built = b.build("loss", {"loss": total, "gradient": made[gradient]})
    return built, [trace.values[i] for i in entering], entering.index(start)


def _is_held(graph: Graph, position: int) -> bool:
    """Whether a value is an input, or made of integers: random bits, rows, classes."""
    node = graph.nodes[position]
    operands = [graph.nodes[i].dtype for i in node.inputs]
    return node.op == "input" or (bool(operands) and not any(dtype.is_float for dtype in operands))


def _only(graph: Graph, output: int) -> Graph:
    return Graph(graph.name, graph.nodes, (graph.outputs[output],), graph.aliases)


def _kinks(graph: Graph, inputs: Sequence[Array]) -> str:
    """The first op that stands at a declared kink, or near it; empty if none does."""
    values = _values(graph, inputs)
    for i, node in enumerate(graph.nodes):
        declaration = OPS.get(node.op) if node.op in OPS else None
        if not isinstance(declaration, Elementwise) or not declaration.kinks:
            continue
        operands = [values[j] for j in node.inputs]
        for kink in declaration.kinks:
            near = [
                abs(np.asarray(x, np.float64) - at) <= 1e-6 * max(1.0, abs(at))
                for x, at in zip(operands, kink.at, strict=False)
            ]
            if near and bool(np.any(np.logical_and.reduce(np.broadcast_arrays(*near)))):
                return f"{node.op} ({graph.name_of(i)})"
    return ""


def _values(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The value of every node, by position."""
    every = tuple(Output(f"%{i}", i) for i in range(len(graph.nodes)))
    backend = get_backend("numpy")
    with np.errstate(all="ignore"):
        return backend.run(Graph(graph.name, graph.nodes, every), inputs)
