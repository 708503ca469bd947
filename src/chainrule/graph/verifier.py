"""Check that a graph is one: every pass and every file is held to the same rules."""

from __future__ import annotations

import re
from collections.abc import Callable

from chainrule.base.errors import ChainruleError, GraphError
from chainrule.graph.node import Graph, Node
from chainrule.graph.types import TensorType

TypeRule = Callable[[Node, tuple[TensorType, ...]], TensorType]

_NAME = re.compile(r"[^\s,()=:%\"{}]+(:[^\s,()=:%\"{}]+)*")  # 0.weight:exp_avg
_POSITION = re.compile(r"%\d+")  # the label of a result without a name of its own


def verify_graph(graph: Graph, infer: TypeRule | None = None) -> None:
    """Raise unless `graph` is well formed.

    Parameters
    ----------
    graph : Graph
    infer : callable, optional
        Given a node and its operands' types, the type the node must have. The op table
        provides it; without it only the structure is checked.

    Raises
    ------
    GraphError
        Naming the node and the rule it breaks.
    """
    _check_text("the graph's name", graph.name, f"graph {graph.name}")
    seen: set[str] = set()
    body_began = False
    for position, node in enumerate(graph.nodes):
        where = f"graph {graph.name}, node {graph.name_of(position)}"
        _check_name(node.name, seen, where)
        if node.op == "input":
            if body_began:
                raise GraphError("inputs come before every other node", where=where)
            if node.inputs:
                raise GraphError("an input has no operands", where=where)
            if node.attributes or node.scope:
                raise GraphError("an input has no attributes and no scope", where=where)
            continue
        body_began = True
        if any(map(str.isspace, node.scope)):
            raise GraphError(f"a scope has no spaces; got {node.scope!r}", where=where)
        for operand in node.inputs:
            if not 0 <= operand < position:
                raise GraphError(
                    f"an operand is an earlier node; got position {operand}", where=where
                )
        for value in node.attributes.values():
            if isinstance(value, Graph):
                verify_graph(value, infer)
        if infer is not None:
            try:
                expected = infer(node, tuple(graph.nodes[i].type for i in node.inputs))
            except ChainruleError as error:
                error.where = error.where or where
                raise
            if expected != node.type:
                raise GraphError(
                    f"{node.op} of these operands is {expected}; the node says {node.type}",
                    where=where,
                )
    _check_outputs(graph)
    _check_aliases(graph, seen)


def _check_name(name: str | None, seen: set[str], where: str) -> None:
    if name is None:
        return
    _check_text("a name", name, where)
    if name in seen:
        raise GraphError(f"two nodes are named {name}", where=where)
    seen.add(name)


def _check_text(what: str, text: str, where: str) -> None:
    """Raise unless `text` is told apart from its surroundings where it is printed."""
    if not _NAME.fullmatch(text):
        raise GraphError(
            f'{what} has no spaces, none of , ( ) = % " {{ }} and no : at an end; got {text!r}',
            where=where,
        )


def _check_outputs(graph: Graph) -> None:
    where = f"graph {graph.name}"
    labels = [output.label for output in graph.outputs]
    for output in graph.outputs:
        if not _POSITION.fullmatch(output.label):
            _check_text("a label", output.label, where)
        if not 0 <= output.node < len(graph.nodes):
            raise GraphError(f"output {output.label} is no node of the graph", where=where)
        if labels.count(output.label) > 1:
            raise GraphError(f"two outputs are labelled {output.label}", where=where)


def _check_aliases(graph: Graph, names: set[str]) -> None:
    aliases = [alias for alias, _ in graph.aliases]
    for alias, name in graph.aliases:
        where = f"graph {graph.name}, alias {alias}"
        _check_text("an alias", alias, where)
        if aliases.count(alias) > 1:
            raise GraphError("an alias stands for one node", where=where)
        if name not in names:
            raise GraphError(f"an alias stands for a named node; there is no {name}", where=where)
        if alias in names:
            raise GraphError("an alias is not the name of another node", where=where)
