"""What every pass returns: the new graph, and where each old node went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chainrule.graph import Graph, Node, Output


@dataclass(frozen=True)
class Rewriting:
    """The result of a pass.

    Parameters
    ----------
    graph : Graph
    moved : mapping of int to int
        Old positions to new ones; a node that is gone is absent.
    """

    graph: Graph
    moved: Mapping[int, int]


def rebuild(old: Graph, nodes: list[Node], moved: Mapping[int, int]) -> Rewriting:
    """Make a graph of `nodes` with the outputs and aliases of `old`.

    A node that has become another, named one leaves its name as an alias.
    """
    outputs = tuple(Output(o.label, moved[o.node]) for o in old.outputs)
    named = {
        node.name: nodes[moved[position]].name
        for position, node in enumerate(old.nodes)
        if node.name is not None and position in moved
    }
    pairs = [(alias, named.get(name)) for alias, name in old.aliases]
    pairs += [(before, after) for before, after in named.items() if before != after]
    aliases = tuple((alias, name) for alias, name in pairs if name is not None)
    return Rewriting(Graph(old.name, tuple(nodes), outputs, aliases), moved)


def move(node: Node, moved: Mapping[int, int]) -> Node:
    """`node` with its operands at their new positions."""
    return replace(node, inputs=tuple(moved[i] for i in node.inputs))
