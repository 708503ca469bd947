"""The step once more in double precision, and where it stands at a kink.

A finite difference needs more digits than float32 has. What is computed in float64 is the same
function: every constant has the value that the step's own dtype gave it, and random numbers are
those of the step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from chainrule.backends import get_backend
from chainrule.explanation.capturing.batches import costs_of
from chainrule.explanation.trace import Array, Index, Trace
from chainrule.graph import DType, Graph, Node, Output, TensorType
from chainrule.ops import OPS, Builder, Elementwise, ElementwiseOp, Value, bind
from chainrule.ops.elementwise import ZERO
from chainrule.ops.expression import read
from chainrule.ops.formula import NodeReader
from chainrule.rewrite import expand_composites
from chainrule.testing.widen import in_float64

_NEAR = 2.0**-20  # of the number's size, or of 1: a kink this near is met by every difference

_DOUBLE: WeakKeyDictionary[Trace, Double] = WeakKeyDictionary()


@dataclass(frozen=True)
class Double:
    """Forward and backward pass of a step in float64, in primitives.

    Parameters
    ----------
    graph : Graph
    values : list of array
        Of each of its nodes, by position.
    positions : mapping of int to int
        Where each node of the step is in it. No two are at one place, so that each can be moved
        alone. What only the update needs is absent.
    """

    graph: Graph
    values: list[Array]
    positions: Mapping[int, int]


def in_double_precision(trace: Trace) -> Double:
    """The step computed in float64 from its inputs, once for each trace.

    Random numbers are those of the step: a mask must not be drawn anew in another precision.
    """
    if trace not in _DOUBLE:
        graph = trace.graph
        b = Builder()
        made: dict[int, Value] = {}
        inputs = []
        for i in _up_to_gradients(graph):
            node = graph.nodes[i]
            if node.op == "input" or is_draw(graph, i):
                kind = DType.F64 if node.dtype.is_float else node.dtype
                made[i] = b.input(TensorType(node.shape, kind), f"held{i}")
                inputs.append(trace.values[i])
                continue
            with b.in_scope(node.scope, node.source):
                made[i] = _alone(b, graph, node, [made[j] for j in node.inputs])
        built = b.build("step", {f"%{i}": value for i, value in made.items()})
        positions = {i: output.node for i, output in zip(made, built.outputs, strict=True)}
        _DOUBLE[trace] = Double(built, _values(built, inputs), positions)
    return _DOUBLE[trace]


def _up_to_gradients(graph: Graph) -> list[int]:
    """What the loss and the gradients are computed from, in order."""
    gradients = [i for i, node in enumerate(graph.nodes) if (node.name or "").startswith("d_")]
    costs = [i for gradient in gradients for i in costs_of(graph, gradient)]
    stack = [*gradients, *costs]
    found = set()
    while stack:
        i = stack.pop()
        if i not in found:
            found.add(i)
            stack.extend([] if is_draw(graph, i) else graph.nodes[i].inputs)
    return sorted(found)


def _alone(b: Builder, graph: Graph, node: Node, operands: list[Value]) -> Value:
    """Append what a node is in float64; a value of its own, also where it is its operand's."""
    single = Builder()
    entering = [single.input(graph.nodes[i].type) for i in node.inputs]
    made = single.apply(node.op, *entering, **node.attributes)
    opened = widen(single.build("node", {"y": made}))
    value = b.inline(opened, operands)[opened.outputs[0].node]
    return b.reshape(value, shape=value.shape) if value in operands else value


def is_draw(graph: Graph, position: int) -> bool:
    """Whether a float is made of integers alone: drawn from a seed, or counted."""
    node = graph.nodes[position]
    operands = [graph.nodes[i].dtype for i in node.inputs]
    return node.dtype.is_float and bool(operands) and all(kind.is_integer for kind in operands)


def run_wide(wide: Graph, inputs: Sequence[Array]) -> list[Array]:
    """Run a graph in float64 on arrays of any dtype."""
    arrays = [
        np.asarray(array, wide.nodes[i].dtype.numpy)
        for i, array in zip(wide.inputs, inputs, strict=True)
    ]
    with np.errstate(all="ignore"):
        return get_backend("numpy").run(wide, arrays)


def widen(graph: Graph) -> Graph:
    """The same function in float64, in primitives, with the constants that it has in its dtype.

    A slope that is written in an op's formula is rounded by a kernel for float32; its derivative
    has it as a constant. In float64 both must be the same number, so formulas become nodes.
    """
    return in_float64(_open_formulas(expand_composites(graph).graph))


def _open_formulas(graph: Graph) -> Graph:
    b = Builder()
    made = []
    for node in graph.nodes:
        if node.op == "input":
            made.append(b.input(node.type, node.name))
            continue
        operands = [made[i] for i in node.inputs]
        op = bind(node.op, node.attributes)
        with b.in_scope(node.scope, node.source):
            if isinstance(op, ElementwiseOp) and not op.declaration.is_primitive:
                symbols = dict(zip(op.declaration.operands, operands, strict=True))
                reader = NodeReader(b, symbols, operands[-1].dtype)
                made.append(reader.value(read(op.value, reader)))
            else:
                made.append(b.apply(node.op, *operands, **node.attributes))
    return b.build(graph.name, {o.label: made[o.node] for o in graph.outputs})


def kink_near(wide: Graph, inputs: Sequence[Array], where: int, index: Index) -> str:
    """What is decided otherwise a little to the left of a number and to the right of it.

    Parameters
    ----------
    wide : Graph
        In float64, made of primitives.
    inputs : sequence of array
    where : int
        Which input.
    index : tuple of int
        The element that is moved.

    Returns
    -------
    str
        The op, and its layer; empty if every choice comes out the same.
    """
    step = _NEAR * max(abs(float(inputs[where][index])), 1.0)
    left, right = (_values(wide, _moved(inputs, where, index, by)) for by in (-step, step))
    for i, node in enumerate(wide.nodes):
        if node.op == "input":
            continue
        before = _decisions(node, [left[j] for j in node.inputs], left[i])
        after = _decisions(node, [right[j] for j in node.inputs], right[i])
        if not np.array_equal(before, after, equal_nan=True):
            return f'{node.op} of layer "{node.scope}"' if node.scope else f"{node.op} of the loss"
    return ""


def _decisions(node: Node, operands: list[Array], value: Array) -> Array:
    """What an op chooses, element by element; zeros for what chooses nothing."""
    if not node.dtype.is_float:
        return value
    if node.op == "amax":
        axis: Any = node.attributes["axis"]
        return np.asarray(np.argmax(operands[0], axis))
    declaration: Any = OPS.get(node.op)
    if not isinstance(declaration, Elementwise):
        return np.zeros(())
    if all(partial is ZERO for partial in declaration.partials):
        return value
    if declaration.kinks and len(operands) == 1:
        return np.stack([operands[0] > kink.at[0] for kink in declaration.kinks])
    if declaration.kinks:
        return operands[0] > operands[1]
    return np.zeros(())


def _moved(inputs: Sequence[Array], where: int, index: Index, by: float) -> list[Array]:
    moved = np.array(inputs[where])
    moved[index] += by
    return [*inputs[:where], moved, *inputs[where + 1 :]]


def _values(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The value of every node, by position."""
    every = tuple(Output(f"%{i}", i) for i in range(len(graph.nodes)))
    return run_wide(Graph(graph.name, graph.nodes, every), inputs)
