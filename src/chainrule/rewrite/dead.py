"""Drop what no output needs."""

from __future__ import annotations

from chainrule.graph import Graph, Node
from chainrule.rewrite.rewriting import Rewriting, move, rebuild


def eliminate_dead_nodes(graph: Graph) -> Rewriting:
    """Drop the nodes that no output depends on; inputs stay, they are the signature.

    Examples
    --------
    >>> from chainrule.graph import parse_graph
    >>> print(
    ...     eliminate_dead_nodes(
    ...         parse_graph(
    ...             '''
    ... graph f(x: f32[3]) -> f32[3]
    ...   %1: f32[3] = exp(x)
    ...   y: f32[3] = neg(x)
    ...   return y'''.strip()
    ...         )
    ...     ).graph
    ... )
    graph f(x: f32[3]) -> f32[3]
      y: f32[3] = neg(x)
      return y
    """
    alive = {output.node for output in graph.outputs} | set(graph.inputs)
    for position in range(len(graph.nodes) - 1, -1, -1):
        if position in alive:
            alive.update(graph.nodes[position].inputs)
    nodes: list[Node] = []
    moved: dict[int, int] = {}
    for position in sorted(alive):
        moved[position] = len(nodes)
        nodes.append(move(graph.nodes[position], moved))
    return rebuild(graph, nodes, moved)
