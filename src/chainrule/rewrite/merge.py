"""Compute equal things once."""

from __future__ import annotations

from chainrule.graph import Graph, Node
from chainrule.rewrite.rewriting import Rewriting, move, rebuild


def merge_equal_nodes(graph: Graph) -> Rewriting:
    """Let two nodes with the same op, operands and attributes be one.

    A name is kept: of two named nodes with equal values both stay.

    Examples
    --------
    >>> from chainrule.graph import parse_graph
    >>> print(
    ...     merge_equal_nodes(
    ...         parse_graph(
    ...             '''
    ... graph f(x: f32[3]) -> f32[3]
    ...   %1: f32[3] = exp(x)
    ...   %2: f32[3] = exp(x)
    ...   y: f32[3] = add(%1, %2)
    ...   return y'''.strip()
    ...         )
    ...     ).graph
    ... )
    graph f(x: f32[3]) -> f32[3]
      %1: f32[3] = exp(x)
      y: f32[3] = add(%1, %1)
      return y
    """
    nodes: list[Node] = []
    moved: dict[int, int] = {}
    known: dict[tuple[object, ...], int] = {}
    for position, old in enumerate(graph.nodes):
        node = move(old, moved)
        key = (node.op, node.inputs, str(node.type), node.attributes)
        twin = None if node.op == "input" else known.get(key)
        if twin is not None and node.name is None:
            moved[position] = twin
            continue
        known.setdefault(key, len(nodes))
        moved[position] = len(nodes)
        nodes.append(node)
    return rebuild(graph, nodes, moved)
