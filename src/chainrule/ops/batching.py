"""A batch of examples through a graph: what mixes them, and how each goes through by itself."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.graph import Axis, Graph, Node, Shape, TensorType, forget_names
from chainrule.ops.builder import Builder, Value
from chainrule.ops.table import Batch, bind


def named_like(axis: Axis, shape: Shape) -> list[int]:
    """Where in `shape` the examples of `axis` are."""
    return [
        i
        for i, size in enumerate(shape)
        if isinstance(size, Axis) and (size.name, size.examples) == (axis.name, axis.examples)
    ]


def mixing_nodes(nodes: Sequence[Node], axis: Axis) -> dict[int, int]:
    """Find the values whose elements do not belong to one example each.

    Parameters
    ----------
    nodes : sequence of Node
    axis : Axis
        The axis of examples. A value that was computed from one with this axis, and does not
        have it, or has it twice, mixes examples.

    Returns
    -------
    dict of int to int
        Each such value's position, and that of the node that mixed the examples.
    """
    mixed: dict[int, int] = {}
    apart: set[int] = set()
    for position, node in enumerate(nodes):
        places = len(named_like(axis, node.shape))
        cause = next((mixed[i] for i in node.inputs if i in mixed), None)
        if cause is not None:
            mixed[position] = cause
        elif places > 1 or (not places and apart.intersection(node.inputs)):
            mixed[position] = position
        elif places:
            apart.add(position)
    return mixed


def type_of_result(body: Graph) -> TensorType:
    """The type of a body's one result; a named axis along which the body mixes has no name."""
    position = body.outputs[0].node
    kind = body.nodes[position].type
    named = [size for size in kind.shape if isinstance(size, Axis)]
    lost = [axis for axis in named if position in mixing_nodes(body.nodes, axis)]
    return TensorType(forget_names(kind.shape, lost), kind.dtype) if lost else kind


def batch_graph(b: Builder, graph: Graph, batch: Batch) -> list[tuple[Value, bool]]:
    """Append the body of `graph`, applied to each example of a batch.

    Parameters
    ----------
    b : Builder
    graph : Graph
        Of one example.
    batch : Batch
        What its inputs are.

    Returns
    -------
    list of (Value, bool)
        The values of all nodes of `graph`, by position, and whether they have the examples in
        front; the others are the same for all.
    """
    values = list(zip(batch.operands, batch.mapped, strict=True))
    for node in graph.nodes[len(values) :]:
        operands = tuple(values[i][0] for i in node.inputs)
        mapped = tuple(values[i][1] for i in node.inputs)
        if any(mapped):
            op = bind(node.op, node.attributes)
            values.append((op.batched(b, Batch(operands, mapped)), True))
        else:
            values.append((b.apply(node.op, *operands, **node.attributes), False))
    return values


def batch_body(b: Builder, graph: Graph, batch: Batch) -> Value:
    """The one result of `graph`, applied to each example of a batch, with the examples in front."""
    value, mapped = batch_graph(b, graph, batch)[graph.outputs[0].node]
    return value if mapped else batch.repeated(b, value)


def move_to_front(b: Builder, value: Value, axis: int) -> Value:
    """Let `axis` be the first one."""
    if axis == 0:
        return value
    others = (i for i in range(len(value.shape)) if i != axis)
    return b.transpose(value, axes=(axis, *others))
