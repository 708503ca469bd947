"""Composites opened: a trace in which every value stands that was computed on the way.

A graph shows a softmax as one node. What is inside was computed, too, and can be opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

from chainrule.backends import get_backend
from chainrule.explanation.trace import Array, Trace
from chainrule.graph import Graph, Node, Output, TensorType
from chainrule.ops import Builder, CompositeOp, Custom, bind
from chainrule.rewrite import expand_composites

_INSIDE: WeakKeyDictionary[Trace, dict[int, Trace | None]] = WeakKeyDictionary()


def open_composites(trace: Trace) -> Trace:
    """Return the trace with composites as the nodes that they are made of, and their values.

    Names, and places in values that have one, stay; positions (``%7``) are other ones. What a
    composite gives has a name here: ``softmax%7`` is what ``%7`` is in the trace.
    """
    rewriting = expand_composites(_with_names(trace.graph))
    graph = rewriting.graph
    if len(graph.nodes) == len(trace.graph.nodes):
        return trace
    known = {rewriting.moved[i]: value for i, value in enumerate(trace.values)}
    values = known | _computed(trace, graph, known)
    array_of = tuple(values[i] for i in range(len(graph.nodes)))
    return replace(trace, graph=graph, values=array_of, stored=None)


def name_inside(graph: Graph, position: int) -> str:
    """How a value of the graph is called where composites are opened."""
    node = graph.nodes[position]
    return node.name or f"{node.op}%{position}"


def body_of(node: Node, operands: Sequence[TensorType]) -> Graph | None:
    """The graph that a composite stands for; None for any other node."""
    op = bind(node.op, node.attributes)
    if isinstance(op, CompositeOp):
        return op.body(tuple(operands))
    return op.body if isinstance(op, Custom) else None


def choices_inside(body: Graph, operands: Sequence[Array]) -> list[Array] | None:
    """The values of a body's nodes where integers that it computes choose among elements.

    Which element is the third in order takes a comparison of all with all to find, and few to show.
    None where nothing is chosen so.
    """
    opened = expand_composites(body).graph
    if not any(
        node.dtype.is_integer and any(opened.nodes[i].dtype.is_float for i in node.inputs)
        for node in opened.nodes
    ):
        return None
    every = tuple(Output(f"%{i}", i) for i in range(len(body.nodes)))
    return get_backend("numpy").run(Graph(body.name, body.nodes, every), list(operands))


def choosing_body(trace: Trace, position: int) -> Trace | None:
    """What a composite computed in which integers choose, by itself; None for any other."""
    known = _INSIDE.setdefault(trace, {})
    if position not in known:
        node = trace.graph.nodes[position]
        body = body_of(node, [trace.graph.nodes[i].type for i in node.inputs])
        operands = [trace.values[i] for i in node.inputs]
        values = None if body is None else choices_inside(body, operands)
        known[position] = None
        if body is not None and values is not None:
            known[position] = replace(trace, graph=body, values=tuple(values), stored=None)
    return known[position]


def is_composite(node: Node) -> bool:
    """Whether a node stands for a graph of its own."""
    return node.op != "input" and isinstance(bind(node.op, node.attributes), CompositeOp | Custom)


def _with_names(graph: Graph) -> Graph:
    """The graph with a name for what each composite gives."""
    nodes = [
        replace(node, name=name_inside(graph, i)) if is_composite(node) else node
        for i, node in enumerate(graph.nodes)
    ]
    return Graph(graph.name, tuple(nodes), graph.outputs, graph.aliases)


def _computed(trace: Trace, graph: Graph, known: dict[int, Array]) -> dict[int, Array]:
    """Compute what is not known, by the backend that computed the rest."""
    missing = [i for i in range(len(graph.nodes)) if i not in known]
    entering = sorted({j for i in missing for j in graph.nodes[i].inputs if j in known})
    b = Builder()
    made = {i: b.input(graph.nodes[i].type, f"x{i}") for i in entering}
    for i in missing:
        node = graph.nodes[i]
        made[i] = b.apply(node.op, *(made[j] for j in node.inputs), **dict(node.attributes))
    inner = b.build("inside", {f"%{i}": made[i] for i in missing})
    # A value may stand for several: each has its own output.
    outputs = tuple(Output(f"%{i}", made[i].position) for i in missing)
    inner = Graph(inner.name, inner.nodes, outputs)
    backend = get_backend(trace.about.computed_by.partition(" ")[0])
    found = backend.run(inner, [known[i] for i in entering])
    return dict(zip(missing, found, strict=True))
