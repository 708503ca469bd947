"""Let a graph compute several examples at once."""

from __future__ import annotations

from collections.abc import Collection

from chainrule.graph import Graph, TensorType
from chainrule.ops import Batch, Builder
from chainrule.ops.batching import batch_graph
from chainrule.rewrite.dead import eliminate_dead_nodes


def vectorize(graph: Graph, inputs: Collection[str], count: int) -> Graph:
    """Give some inputs, and all outputs, one more axis in front: `count` examples.

    Each example is what `graph` computes of it; the other inputs are the same for all. What does
    not depend on the examples is computed once.

    Parameters
    ----------
    graph : Graph
    inputs : collection of str
        Names of the inputs that get the axis, one at least.
    count : int

    Raises
    ------
    GraphError
        If an op on the way cannot be applied to several examples; see `Op.batched`.

    Examples
    --------
    >>> from chainrule.graph import parse_graph
    >>> print(
    ...     vectorize(
    ...         parse_graph(
    ...             '''
    ... graph f(x: f64[3], w: f64[3]) -> f64[]
    ...   s: f64[3] = exp(w)
    ...   y: f64[] = contract(x, s)  over=[0,0]
    ...   return y'''.strip()
    ...         ),
    ...         ["x"],
    ...         10,
    ...     )
    ... )
    graph f(x: f64[10,3], w: f64[3]) -> f64[10]
      %2: f64[3] = exp(w)
      %3: f64[10] = contract(x, %2)  over=[1,0]
      return y=%3
    """
    b = Builder()
    values = []
    for i in graph.inputs:
        kind = graph.nodes[i].type
        shape = (count, *kind.shape) if graph.name_of(i) in inputs else kind.shape
        values.append(b.input(TensorType(shape, kind.dtype), graph.nodes[i].name))
    batch = Batch(tuple(values), tuple(graph.name_of(i) in inputs for i in graph.inputs))
    computed = batch_graph(b, graph, batch)
    outputs = {}
    for output in graph.outputs:
        value, mapped = computed[output.node]
        outputs[output.label] = value if mapped else batch.repeated(b, value)
    return eliminate_dead_nodes(b.build(graph.name, outputs)).graph
