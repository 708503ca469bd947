"""Open composites and custom functions into the ops they are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chainrule.graph import Graph, Node
from chainrule.ops import CompositeOp, Custom, bind
from chainrule.rewrite.rewriting import Rewriting, move, rebuild


def expand_composites(graph: Graph, keep: Callable[[str], bool] = lambda op: False) -> Rewriting:
    """Replace each composite by its body, and so on inside, except those that `keep` names.

    Parameters
    ----------
    graph : Graph
    keep : callable
        Whether a backend has a kernel for the composite of this name.

    Examples
    --------
    >>> from chainrule.graph import parse_graph
    >>> print(
    ...     expand_composites(
    ...         parse_graph(
    ...             '''
    ... graph f(x: f64[4]) -> f64[]
    ...   y: f64[] = mean(x)  axes=[0]
    ...   return y'''.strip()
    ...         )
    ...     ).graph
    ... )
    graph f(x: f64[4]) -> f64[]
      %1: f64[] = sum(x)  axes=[0]
      %2: f64[] = constant()  dtype=f64 value=4.0
      y: f64[] = div(%1, %2)
      return y
    """
    nodes: list[Node] = []
    moved: dict[int, int] = {}
    for position, old in enumerate(graph.nodes):
        node = move(old, moved)
        body = None if keep(node.op) else _body(node, nodes)
        moved[position] = _append(nodes, node) if body is None else _inline(nodes, node, body)
    expanded = rebuild(graph, nodes, moved)
    if any(_body(n, nodes) is not None and not keep(n.op) for n in nodes):
        inner = expand_composites(expanded.graph, keep)
        return Rewriting(inner.graph, {old: inner.moved[new] for old, new in moved.items()})
    return expanded


def _body(node: Node, nodes: list[Node]) -> Graph | None:
    if node.op == "input":
        return None
    op = bind(node.op, node.attributes)
    if isinstance(op, Custom):
        return op.body
    if isinstance(op, CompositeOp):
        return op.body(tuple(nodes[i].type for i in node.inputs))
    return None


def _append(nodes: list[Node], node: Node) -> int:
    nodes.append(node)
    return len(nodes) - 1


def _inline(nodes: list[Node], outer: Node, body: Graph) -> int:
    inner = dict(zip(body.inputs, outer.inputs, strict=True))
    for position, node in enumerate(body.nodes):
        if node.op != "input":
            copy = replace(move(node, inner), name=None, scope=outer.scope, source=outer.source)
            inner[position] = _append(nodes, copy)
    result = inner[body.outputs[0].node]
    if result >= len(nodes) or nodes[result].name is None:
        nodes[result] = replace(nodes[result], name=outer.name)
    return result
