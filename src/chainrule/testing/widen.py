"""A graph in double precision: the same function, with digits enough to be differenced."""

from __future__ import annotations

import numpy as np

from chainrule.graph import AttributeValue, DType, Graph, TensorType
from chainrule.ops import Builder, Value


def in_float64(graph: Graph) -> Graph:
    r"""Return `graph` with every f32 in it an f64: inputs, nodes, attributes, nested graphs.

    Examples
    --------
    >>> from chainrule.graph import parse_graph
    >>> text = "graph f(x: f32[3]) -> f32[3]\n  y: f32[3] = exp(x)\n  return y"
    >>> print(in_float64(parse_graph(text)))
    graph f(x: f64[3]) -> f64[3]
      y: f64[3] = exp(x)
      return y
    """
    b = Builder()
    values: list[Value] = []
    for node in graph.nodes:
        if node.op == "input":
            values.append(b.input(TensorType(node.shape, _wide(node.dtype)), node.name))
            continue
        attributes = {key: _widen(value, node.dtype) for key, value in node.attributes.items()}
        with b.in_scope(node.scope, node.source):
            value = b.apply(node.op, *(values[i] for i in node.inputs), **attributes)
        if node.name is not None:
            b.name(value, node.name)
        values.append(value)
    b.aliases.update(graph.aliases)
    return b.build(graph.name, {o.label: values[o.node] for o in graph.outputs})


def _wide(dtype: DType) -> DType:
    return DType.F64 if dtype is DType.F32 else dtype


def _widen(value: AttributeValue, dtype: DType) -> AttributeValue:
    match value:
        case float() if dtype is DType.F32:
            # A slope of 0.01 is what float32 makes of it, also where its partial is a constant.
            return float(np.float32(value))
        case DType():
            return _wide(value)
        case Graph():
            return in_float64(value)
        case tuple():
            return tuple(_widen(item, dtype) for item in value)
    return value
