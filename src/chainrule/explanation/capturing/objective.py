"""What training minimises where there is a penalty: the loss and the penalty, as one value.

A step differentiates the two one beside the other, and adds what comes back. A gradient by a
penalised parameter is of their sum, which no node holds; the trace has one, so that the gradient
has something to be of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.explanation.arithmetic import primitive
from chainrule.explanation.capturing.batches import OBJECTIVE
from chainrule.explanation.trace import Array
from chainrule.graph import Attributes, Graph, Node, Output
from chainrule.ops import verify
from chainrule.rewrite.rewriting import move
from chainrule.train.writing import PENALTY

LOSS = "loss"


def with_objective(
    graph: Graph, values: Sequence[Array], backend: str
) -> tuple[Graph, list[Array]]:
    """Return a step and its values with loss + penalty among them, right behind the two.

    Parameters
    ----------
    graph : Graph
        Without a penalty, or with such a value already, it stays as it is.
    values : sequence of array
        Of each node.
    backend : str
        Whose arithmetic adds.
    """
    labels = graph.labels
    if PENALTY not in labels or OBJECTIVE in graph.positions:
        return graph, list(values)
    parts = (labels[LOSS], labels[PENALTY])
    moved: dict[int, int] = {}
    nodes: list[Node] = []
    found: list[Array] = []
    for position, node in enumerate(graph.nodes):
        moved[position] = len(nodes)
        nodes.append(move(node, moved))
        found.append(values[position])
        if position == max(parts):
            kind = graph.nodes[parts[0]].type
            operands = tuple(moved[i] for i in parts)
            nodes.append(Node("add", operands, kind.shape, kind.dtype, Attributes(), OBJECTIVE))
            total = primitive(backend, "add", [values[i][()] for i in parts])
            found.append(np.asarray(total))
    outputs = [Output(output.label, moved[output.node]) for output in graph.outputs]
    at = 1 + max(i for i, output in enumerate(outputs) if output.label in (LOSS, PENALTY))
    outputs.insert(at, Output(OBJECTIVE, moved[max(parts)] + 1))
    return verify(Graph(graph.name, tuple(nodes), tuple(outputs), graph.aliases)), found
