"""Forward mode: the pullback is linear in the cotangents, and its transpose pushes tangents."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.autodiff.reverse import append_gradients, pullback
from chainrule.graph import Graph
from chainrule.ops import Builder, Value
from chainrule.rewrite import eliminate_dead_nodes


def pushforward(graph: Graph, wrt: Sequence[str] | None = None) -> Graph:
    """The map from tangents of the inputs to tangents of the outputs.

    Parameters
    ----------
    graph : Graph
    wrt : sequence of str, optional
        Names of the float inputs that move, in an order of one's own; all of them by default.

    Returns
    -------
    Graph
        Takes the inputs, then ``t_<name>`` for each input that moves; gives ``t_<label>`` for
        each float output.

    Notes
    -----
    The pullback at x is u ↦ Jᵀu. Its own pullback, with respect to u, is v ↦ Jv: the same rules
    run twice, so an op needs no second rule, and the two modes cannot disagree.
    """
    rule = pullback(graph)
    if wrt is None:
        wrt = [output.label.removeprefix("d_") for output in rule.outputs]
    primal = len(graph.inputs)
    b = Builder()
    inputs = [b.input(rule.nodes[i].type, rule.nodes[i].name) for i in rule.inputs]
    values = b.inline(rule, inputs)
    tangents: dict[Value, Value] = {}
    for name in wrt:
        d_x = values[rule.labels[f"d_{name}"]]
        tangent = b.input(d_x.type, f"t_{name}")
        tangents[d_x] = tangents[d_x] + tangent if d_x in tangents else tangent
    pushed = append_gradients(b, tangents, values[primal : len(rule.inputs)])
    labels = [rule.name_of(i).removeprefix("d_") for i in rule.inputs[primal:]]
    results = {f"t_{label}": value for label, value in zip(labels, pushed, strict=True)}
    whole = eliminate_dead_nodes(b.build(f"t_{graph.name}", results)).graph
    return _without_inputs(whole, range(primal, len(rule.inputs)))


def _without_inputs(graph: Graph, unused: range) -> Graph:
    """Drop the cotangents from the signature: a linear map's transpose does not see them."""
    b = Builder()
    values: dict[int, Value] = {}
    kept = [i for i in graph.inputs if i not in unused]
    for i in kept:
        values[i] = b.input(graph.nodes[i].type, graph.nodes[i].name)
    for i in unused:
        values[i] = b.apply(
            "broadcast", b.constant(0.0, graph.nodes[i].dtype), shape=graph.nodes[i].shape
        )
    inlined = b.inline(graph, [values[i] for i in graph.inputs], names=True)
    outputs = {output.label: inlined[output.node] for output in graph.outputs}
    return eliminate_dead_nodes(b.build(graph.name, outputs)).graph
