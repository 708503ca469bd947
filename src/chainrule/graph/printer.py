"""Print a graph as text that a person reads and `parse_graph` reads back.

The form of one node is

    name: dtype[shape] = op(operand, ...)  attribute=value ...  @scope

An unnamed node is called ``%`` and its position, and ``%`` means nothing else.
"""

from __future__ import annotations

from chainrule.graph.node import AttributeValue, Graph, Node
from chainrule.graph.types import DType


def format_graph(graph: Graph, *, sources: bool = False) -> str:
    r"""Print `graph`, one node a line.

    Parameters
    ----------
    graph : Graph
    sources : bool
        Add the user's line behind each node, as a comment that the parser passes over.

    Examples
    --------
    >>> from chainrule.graph import parse_graph
    >>> text = "graph twice(x: f32[3]) -> f32[3]\n  y: f32[3] = add(x, x)\n  return y"
    >>> format_graph(parse_graph(text)) == text
    True
    """
    return "\n".join(_signature(graph) + _body(graph, "  ", sources))


def format_node(graph: Graph, position: int) -> str:
    """Print one node of a graph as it stands in the whole, nested graphs by their signatures."""
    node = graph.nodes[position]
    if node.op == "input":
        return f"{graph.name_of(position)}: {node.type}"
    return " ... ".join(
        line.strip()
        for line in _node_lines(graph, position, node, "", False)
        if line[:1].strip()  # lines of nested graphs stand to the right
    )


def format_attribute(value: AttributeValue) -> str:
    """Print an attribute that is not a graph: ``[1,1]``, ``f32``, ``"dropout"``, ``0.5``."""
    if isinstance(value, DType):
        return value.value
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, tuple):
        return f"[{','.join(map(format_attribute, value))}]"
    if isinstance(value, float):
        return repr(value)
    return str(value)


def _signature(graph: Graph) -> list[str]:
    arguments = ", ".join(f"{graph.name_of(i)}: {graph.nodes[i].type}" for i in graph.inputs)
    results = ", ".join(str(graph.nodes[output.node].type) for output in graph.outputs)
    if len(graph.outputs) != 1:
        results = f"({results})"
    return [f"graph {graph.name}({arguments}) -> {results}"]


def _body(graph: Graph, indent: str, sources: bool) -> list[str]:
    lines = []
    for position, node in enumerate(graph.nodes):
        if node.op != "input":
            lines += _node_lines(graph, position, node, indent, sources)
    lines += [f"{indent}alias {alias} = {name}" for alias, name in graph.aliases]
    results = []
    for output in graph.outputs:
        name = graph.name_of(output.node)
        results.append(name if output.label == name else f"{output.label}={name}")
    lines.append(f"{indent}return {', '.join(results)}".rstrip())
    return lines


def _node_lines(graph: Graph, position: int, node: Node, indent: str, sources: bool) -> list[str]:
    operands = ", ".join(graph.name_of(i) for i in node.inputs)
    line = f"{indent}{graph.name_of(position)}: {node.type} = {node.op}({operands})"
    lines = []
    separator = "  "
    for key, value in node.attributes.items():
        if isinstance(value, Graph):
            # The nested graph is a block of its own, closed by a brace at this indentation.
            lines.append(f"{line}{separator}{key}={_signature(value)[0]} {{")
            lines += _body(value, indent + "  ", sources)
            line = f"{indent}}}"
        else:
            line += f"{separator}{key}={format_attribute(value)}"
        separator = " "
    if node.scope:
        line += f"  @{node.scope}"
    if sources and node.source is not None:
        line += f"  # {node.source}"
    return [*lines, line]
