"""Where a step stopped being finite: back from the bad number to the op that made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.backends import Rows
from chainrule.backends.numpy.kernels import UFUNCS
from chainrule.base.errors import NonFiniteError
from chainrule.eager.tensor import Array
from chainrule.graph import Axis, Graph, Node
from chainrule.ops import ElementwiseOp, bind
from chainrule.ops.expression import Apply, Element, Expression, Fold, Literal, read
from chainrule.train.engine import Halt

Index = tuple[int, ...]


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
    recorded = halt.session.record(halt.rows, halt.feeds)
    values = [recorded[graph.name_of(i)] for i in range(len(graph.nodes))]
    found = None
    for label in halt.step.wiring.finite:
        bad = _first_bad(values[graph.labels[label]])
        if bad is not None:
            found = find_cause(graph, values, graph.labels[label], bad)
            break
    if found is None:
        return NonFiniteError(
            f"Step {number} gave a value that is not finite", where=_rows(halt.batch_rows)
        )
    position, index = found
    node = graph.nodes[position]
    return NonFiniteError(
        f"Step {number} computed {_described(graph, values, position, index)}",
        where=", ".join(filter(None, (*_place(node), _row(node, index, halt)))),
        advice=_advice(node, values[position][index]),
    )


def find_cause(graph: Graph, values: list[Array], position: int, index: Index) -> tuple[int, Index]:
    """Follow a number that is not finite back to one that was made of finite numbers.

    Parameters
    ----------
    graph : Graph
    values : list of array
        The nodes' values, by position.
    position : int
    index : tuple of int
        The element of that node to begin with.

    Returns
    -------
    position, index
        Each op says of what its element is made (`Op.terms`): a branch of a select that was not
        taken is no cause, nor is another row of a product.
    """
    while True:
        node = graph.nodes[position]
        if node.op == "input":
            return position, index
        operands = [values[i] for i in node.inputs]
        types = tuple(graph.nodes[i].type for i in node.inputs)
        terms = bind(node.op, node.attributes).terms(types, index)
        cause = _bad_element(terms, operands)
        if cause is None:
            return position, index
        position, index = node.inputs[cause.input], cause.index


def _bad_element(terms: Expression, operands: list[Array]) -> Element | None:
    """The first element in `terms` that is not finite, of those that the result depends on."""
    stack = [terms]
    while stack:
        part = stack.pop()
        match part:
            case Element(operand, index):
                if not np.isfinite(operands[operand][index]):
                    return part
            case Apply("select", (condition, if_true, if_false)):
                chosen = read(condition, _Numbers(operands))
                stack += [if_true if chosen else if_false, condition]
            case Apply(_, arguments):
                stack += reversed(arguments)
            case Fold(_, items):
                for item in items:
                    bad = _bad_element(item, operands)
                    if bad is not None:
                        return bad
    return None


@dataclass(frozen=True)
class _Numbers:
    """Reads an expression as its number."""

    operands: list[Array]

    def leaf(self, leaf: Expression) -> Any:
        if isinstance(leaf, Element):
            return self.operands[leaf.input][leaf.index]
        assert isinstance(leaf, Literal)
        return leaf.value

    def apply(self, op: str, arguments: Any, dtype: Any) -> Any:
        if op == "cast":
            return arguments[0]
        with np.errstate(all="ignore"):
            return UFUNCS[op](*arguments)

    def fold(self, op: str, items: Any, order: str) -> Any:
        return sum(items) if op == "add" else max(items)


def _first_bad(value: Array) -> Index | None:
    if value.dtype.kind != "f" or np.isfinite(value).all():
        return None
    return tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])


def _described(graph: Graph, values: list[Array], position: int, index: Index) -> str:
    node, name = graph.nodes[position], graph.name_of(position)
    number = f"{values[position][index]}"
    element = f" in element {list(index)} of {name}" if index else f" in {name}"
    if node.op == "input":
        return f"{number}{element}, an input of the step"
    if node.op != "cast" and not isinstance(bind(node.op, node.attributes), ElementwiseOp):
        return f"{number}{element} = {node.op}(...), from finite numbers"
    operands = [values[i] for i in node.inputs]
    shown = ", ".join(f"{operand[_at(index, operand)]:.6g}" for operand in operands)
    return f"{node.op}({shown}) = {number}{element}"


def _at(index: Index, operand: Array) -> Index:
    """The element of an operand that broadcasts to `index`."""
    last = index[len(index) - operand.ndim :]
    return tuple(0 if size == 1 else i for i, size in zip(last, operand.shape, strict=True))


def _place(node: Node) -> tuple[str, str]:
    source = str(node.source) if node.source else ""
    layer = f'layer "{node.scope}"' if node.scope else ""
    return (source[:1].upper() + source[1:]), layer


def _row(node: Node, index: Index, halt: Halt) -> str:
    batch = node.shape[0] if node.shape else None
    if isinstance(batch, Axis) and len(halt.rows) == batch:
        return f"row {halt.rows[index[0]]} of the data"
    return _rows(halt.batch_rows)


def _rows(rows: Rows) -> str:
    shown = ", ".join(str(int(row)) for row in rows[:8])
    return f"batch rows {shown}{', ...' if len(rows) > 8 else ''}"


def _advice(node: Node, number: Any) -> str:
    kept = "The network holds the weights from before this step"
    if np.isnan(number) and isinstance(bind(node.op, node.attributes), ElementwiseOp):
        return f"{kept}. Keep what {node.op} is given inside its domain"
    return (
        f"{kept}. Lower the learning rate, scale the inputs, or clip the gradients (clip_norm=1.0)"
    )
