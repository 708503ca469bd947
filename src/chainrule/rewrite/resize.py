"""Let a graph compute another number of examples."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from chainrule.base.errors import ChainruleError
from chainrule.graph import Attributes, AttributeValue, Axis, Graph, Node, Shape, TensorType
from chainrule.ops import Custom, bind, infer_type
from chainrule.ops.batching import mixing_nodes
from chainrule.ops.shape import Slice
from chainrule.rewrite.expand import expand_composites


# Equal graphs may differ in names of axes, which decide no number: what is right for one is right
# for the other.
@lru_cache(maxsize=256)
def resize_batch(graph: Graph, axis: Axis, examples: int) -> Graph | None:
    """Write `graph` for another number of examples: row i is the same function of rows i.

    Parameters
    ----------
    graph : Graph
    axis : Axis
        The axis of examples, as inputs of `graph` have it.
    examples : int

    Returns
    -------
    Graph or None
        None where that cannot be shown: an op mixes examples on the way to an output, an output
        does not have the examples in front, or an op takes so many rows and no others, as one
        that adds a shared array with a row for each example.

    Notes
    -----
    It rests on what the name of an axis promises (`Axis`), by which every op's shape rule is
    tested. What is a number in `graph` stays one: the function ``x / len(x)``, traced for 3
    examples, divides by 3 for any number of them.

    Examples
    --------
    >>> from chainrule.graph import parse_graph
    >>> apart = parse_graph(
    ...     '''
    ... graph f(x: f32[B=3,2], w: f32[2]) -> f32[B=3,2]
    ...   y: f32[B=3,2] = mul(x, w)
    ...   return y'''.strip()
    ... )
    >>> print(resize_batch(apart, Axis("B", 3), 4))
    graph f(x: f32[B=4,2], w: f32[2]) -> f32[B=4,2]
      y: f32[B=4,2] = mul(x, w)
      return y
    >>> mixing = parse_graph(
    ...     '''
    ... graph f(x: f32[B=3,2]) -> f32[B=3,2]
    ...   s: f32[2] = sum(x)  axes=[0]
    ...   y: f32[B=3,2] = mul(x, s)
    ...   return y'''.strip()
    ... )
    >>> print(resize_batch(mixing, Axis("B", 3), 4))
    None
    """
    graph = expand_composites(graph, keep=lambda op: op != Custom.name).graph  # it has sizes inside
    mixed = mixing_nodes(graph.nodes, axis)
    for output in graph.outputs:
        if output.node in mixed or not _in_front(axis, graph.nodes[output.node].shape):
            return None
    nodes: list[Node] = []
    for old in graph.nodes:
        node = _resized(old, axis, examples)
        if node.op != "input":
            try:
                kind = infer_type(node, tuple(nodes[i].type for i in node.inputs))
            except ChainruleError:
                return None
            if not _same(kind, node.type):
                return None
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _in_front(axis: Axis, shape: Shape) -> bool:
    return bool(shape) and str(shape[0]) == str(axis)


def _same(a: TensorType, b: TensorType) -> bool:
    return str(a) == str(b)  # sizes are equal whatever their names


def _resized(node: Node, axis: Axis, examples: int) -> Node:
    shape = tuple(_size(size, axis, examples) for size in node.shape)
    attributes = node.attributes
    if attributes.get("shape") == node.shape:
        attributes = _with(attributes, "shape", shape)
    elif node.op == Slice.name:
        attributes = _with(attributes, "stops", _stops(node, shape))
    return replace(node, shape=shape, attributes=attributes)


def _size(size: int, axis: Axis, examples: int) -> int:
    if not isinstance(size, Axis) or (size.name, size.examples) != (axis.name, axis.examples):
        return size
    return Axis(size.name, examples * size.each, size.each)


def _stops(node: Node, shape: Shape) -> tuple[int, ...]:
    """Where a slice ends: along an axis that it keeps whole, where the axis ends now."""
    op = bind(node.op, node.attributes)
    assert isinstance(op, Slice)
    pairs = zip(op.stops, node.shape, shape, strict=True)
    return tuple(int(new) if new != old else stop for stop, old, new in pairs)


def _with(attributes: Attributes, key: str, value: AttributeValue) -> Attributes:
    return Attributes({**attributes, key: value})
