"""Gradients of a captured step: of each parameter, and on their way back through the layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.autodiff import gradients
from chainrule.backends import get_backend
from chainrule.base.errors import ChainruleError
from chainrule.explanation.diagnosing.units import Activation
from chainrule.explanation.trace import Trace
from chainrule.graph import Graph, Output
from chainrule.ops import ElementwiseOp, bind
from chainrule.ops.elementwise import ZERO

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Slope:
    """A parameter's gradient on the captured step.

    Parameters
    ----------
    path : str
    value : array
    gradient : array or None
        None where the step computes none.
    reached : bool
        Whether the loss depends on the parameter, whatever the numbers.
    cut : int or None
        The op where no gradient passes on its way to the parameter, whatever the numbers, though
        the numbers themselves pass: one that stops gradients.
    """

    path: str
    value: Array
    gradient: Array | None
    reached: bool
    cut: int | None = None

    @cached_property
    def size(self) -> float:
        """The root of the mean square of the gradient."""
        return 0.0 if self.gradient is None else root_mean_square(self.gradient)

    @cached_property
    def largest(self) -> tuple[int, ...]:
        """Where the gradient is largest by size; NaN is larger than anything."""
        assert self.gradient is not None
        sizes = np.abs(self.gradient)
        sizes = np.where(np.isfinite(sizes), sizes, np.inf)
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(sizes)), sizes.shape))


def slopes_of(trace: Trace, state: Mapping[str, Array], paths: Iterable[str]) -> list[Slope]:
    """The gradients of parameters, by path, of the captured step."""
    graph = trace.graph
    reached = _inputs_of_loss(trace)
    found = []
    for path in paths:
        position = graph.positions.get(f"d_{path}")
        gradient = None if position is None else np.asarray(trace.values[position])
        cut = None
        if path in reached and position is not None:
            cut = cut_at(graph, graph.positions[path], position)
        found.append(Slope(path, np.asarray(state[path]), gradient, path in reached, cut))
    return found


def places_of(hidden: Sequence[Activation]) -> list[tuple[int, str]]:
    """Where the operands of activations are in the graph, with the names of their layers."""
    named = [(a, f"layer {a.scope}" if a.scope else f"{a.op} {a.name}") for a in hidden]
    return [(node, name) for a, name in named for node in a.nodes]


def made_by(trace: Trace, paths: Iterable[str]) -> list[tuple[int, str]]:
    """Where parameters are used in the graph, but for the last: what they make there."""
    graph = trace.graph
    where = {graph.positions[path]: path for path in paths if path in graph.positions}
    last = graph.labels["loss"]
    found = [
        (position, f"what {where[i]} makes")
        for position, node in enumerate(graph.nodes[:last])
        for i in node.inputs
        if i in where
    ]
    return found[:-1]


def flow_of(
    trace: Trace, places: Sequence[tuple[int, str]], output: int
) -> list[tuple[str, float]]:
    """How large the loss's gradient at some places is, in order; that at the output last.

    Layers that stand beside each other, as the branches of a network do, are no steps of one way:
    of all ways to the output the one with the most layers is told.

    Parameters
    ----------
    trace : Trace
    places : sequence of (int, str)
        Nodes, and what they are called.
    output : int
        The node that the network returned.
    """
    places = _longest(trace.graph, sorted(set(places)), output)
    last = trace.graph.labels["loss"]
    forward = Graph("forward", trace.graph.nodes[: last + 1], (Output("loss", last),), ())
    wrt = [f"%{node}" for node, _ in places]
    try:
        graph = gradients(forward, "loss", wrt)
    except ChainruleError:
        return []
    given = [trace.values[trace.graph.positions[name]] for name in graph.input_names]
    with np.errstate(all="ignore"):
        found = get_backend("numpy").run(graph, given)
    by_label = {o.label: v for o, v in zip(graph.outputs, found, strict=True)}
    return [
        (name, root_mean_square(by_label[f"d_{label}"]))
        for label, (_, name) in zip(wrt, places, strict=True)
    ]


def _longest(graph: Graph, inside: Sequence[tuple[int, str]], output: int) -> list[tuple[int, str]]:
    """The way to the output that passes the most of some named places, in order."""
    best: dict[int, list[tuple[int, str]]] = {}
    for node, name in [*inside, (output, "the output")]:
        before = graph.ancestors([node]) - {node}
        ways = [way for end, way in best.items() if end in before]
        best[node] = [*max(ways, key=len, default=[]), (node, name)]
    return best[output]


def cut_at(graph: Graph, primal: int, gradient: int) -> int | None:
    """The op that lets numbers pass and no gradient, if no gradient ever reaches a parameter.

    A step function or a rounding is none: its slope is 0, which is another thing to be told.
    """
    seeds = {i for name, i in graph.positions.items() if name in ("d_loss", "d_penalty")}
    if seeds & graph.ancestors([gradient]):
        return None
    loss = graph.labels["loss"]
    ahead = {primal}
    for position, node in enumerate(graph.nodes[: loss + 1]):
        if ahead.intersection(node.inputs):
            ahead.add(position)
    between = sorted(ahead & graph.ancestors([loss]))
    for position in between:
        node = graph.nodes[position]
        if not node.dtype.is_float:  # a comparison with what depends on the parameter
            return None
        bound = bind(node.op, node.attributes) if node.op != "input" else None
        if isinstance(bound, ElementwiseOp) and ZERO in bound.declaration.partials:
            return None
    return next((i for i in between if graph.nodes[i].op == "custom"), None)


def _inputs_of_loss(trace: Trace) -> set[str]:
    """The names of the inputs that the loss is computed from, or a penalty."""
    graph = trace.graph
    seen = graph.ancestors(graph.labels[at] for at in ("loss", "penalty") if at in graph.labels)
    return {graph.name_of(i) for i in seen if graph.nodes[i].op == "input"}


def root_mean_square(array: Array) -> float:
    """The size of the numbers of an array."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))
