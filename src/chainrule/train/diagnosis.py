"""Where a step stopped being finite: the first op whose result is not, though its operands are."""

from __future__ import annotations

import numpy as np

from chainrule.base.errors import NonFiniteError
from chainrule.graph import Node
from chainrule.train.engine import Halt


def explain_non_finite(halt: Halt, number: int) -> NonFiniteError:
    """Return the error for a step that gave NaN or infinity.

    Parameters
    ----------
    halt : Halt
        With the session in the state before the step.
    number : int
        The step's number in the run.
    """
    graph = halt.step.graph
    values = halt.session.record(halt.rows, halt.feeds)
    rows = _shown(halt.rows)
    for position, node in enumerate(graph.nodes):
        value = values[graph.name_of(position)]
        if not node.dtype.is_float or np.isfinite(value).all():
            continue
        operands = [values[graph.name_of(i)] for i in node.inputs]
        if all(np.isfinite(o).all() for o in operands if o.dtype.kind == "f"):
            where = np.argwhere(~np.isfinite(value))[0].tolist()
            what = value[tuple(where)]
            return NonFiniteError(
                f"Step {number} computed {what} in {_described(node, graph.name_of(position))}"
                f"{f', element {where}' if where else ''}; every value before it is finite",
                where=f"{_located(node)}; batch rows {rows}",
                advice=(
                    "The network holds the weights from before this step. Lower the learning "
                    "rate, scale the inputs, or clip the gradients (clip_norm=1.0)"
                ),
            )
    return NonFiniteError(
        f"Step {number} gave a value that is not finite", where=f"Batch rows {rows}"
    )


def _described(node: Node, name: str) -> str:
    return f"{name} = {node.op}(...)" if node.op != "input" else f"the input {name}"


def _located(node: Node) -> str:
    layer = f'layer "{node.scope}"' if node.scope else "no layer"
    return f"{str(node.source).capitalize()}, {layer}" if node.source else layer.capitalize()


def _shown(rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
    listed = ", ".join(str(int(row)) for row in rows[:8])
    return f"[{listed}{', ...' if len(rows) > 8 else ''}]"
