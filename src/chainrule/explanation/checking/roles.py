"""What the nodes of a step are there for: activations, weighted sums, updates.

A mistake is made at one of these. They are found by what a node is, not by the name of its layer,
so that they are found in networks that nobody has foreseen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.graph import Node
from chainrule.ops import CompositeOp, Elementwise, ElementwiseOp, Op, bind
from chainrule.ops.expression import Element


@dataclass(frozen=True)
class Activation:
    """A function of one value, on the way from a parameter to the loss.

    Parameters
    ----------
    z, a : int
        What goes in and what comes out.
    d_a, d_z : int
        What comes back to the one, and is sent back to the other.
    op : Op
    where : str
        In words.
    """

    z: int
    a: int
    d_a: int
    d_z: int
    op: Op
    where: str


@dataclass(frozen=True)
class WeightedSum:
    """z = a Wᵀ + b, or another product of a value with a parameter.

    Parameters
    ----------
    weight : str
        The parameter's name.
    w, a : int
        The parameter, and what it is multiplied with.
    product : int
    operand : int
        Which of the product's operands the parameter is.
    d_z : int
        What comes back to the sum.
    d_w : int
        What this use gives to the parameter's gradient.
    d_a : int or None
        What it sends on, if anything there trains.
    where : str
    """

    weight: str
    w: int
    a: int
    product: int
    operand: int
    d_z: int
    d_w: int
    d_a: int | None
    where: str


@dataclass(frozen=True)
class Shift:
    """A parameter that is added to a value: a bias.

    Parameters
    ----------
    bias : str
        The parameter's name.
    b : int
    sum : int
    operand : int
        Which of the sum's operands the parameter is.
    d_z : int
        What comes back to the sum.
    d_b : int
        What this use gives to the parameter's gradient.
    where : str
    """

    bias: str
    b: int
    sum: int
    operand: int
    d_z: int
    d_b: int
    where: str


def activations(anatomy: Anatomy) -> Iterator[Activation]:
    """The activations of a network, from the front."""
    last = anatomy.names.get("out", anatomy.forward)
    for pull in reversed(anatomy.pulls):
        node = anatomy.nodes[pull.node]
        if len(node.inputs) != 1 or node.name is None or pull.node > last:
            continue
        if node.shape != anatomy.nodes[node.inputs[0]].shape:
            continue
        op = bind(node.op, node.attributes)
        d_z = pull.d_inputs[0]
        if d_z is None or d_z == pull.d_y or not _is_function(op):
            continue
        yield Activation(node.inputs[0], pull.node, pull.d_y, d_z, op, place_of(node))


def _is_function(op: Op) -> bool:
    """Whether an op is a function with a slope, and no step of arithmetic such as a sign."""
    if isinstance(op, ElementwiseOp):
        return isinstance(op.declaration, Elementwise) and op.declaration.accepts == "float"
    return isinstance(op, CompositeOp)


def weighted_sums(anatomy: Anatomy) -> Iterator[WeightedSum]:
    """The products of values with parameters, from the front."""
    owned = {anatomy.names[name]: name for name in anatomy.parameters}
    for pull in reversed(anatomy.pulls):
        node = anatomy.nodes[pull.node]
        if len(node.inputs) != 2 or isinstance(bind(node.op, node.attributes), ElementwiseOp):
            continue
        for k, operand in enumerate(node.inputs):
            d_w = pull.d_inputs[k]
            if operand not in owned or d_w is None:
                continue
            other = 1 - k
            yield WeightedSum(
                owned[operand],
                operand,
                node.inputs[other],
                pull.node,
                k,
                pull.d_y,
                d_w,
                pull.d_inputs[other],
                place_of(node, owned[operand]),
            )


def shifts(anatomy: Anatomy) -> Iterator[Shift]:
    """The parameters that are added to values, from the front."""
    owned = {anatomy.names[name]: name for name in anatomy.parameters}
    for pull in reversed(anatomy.pulls):
        node = anatomy.nodes[pull.node]
        if node.op != "add":
            continue
        for k, (operand, d_b) in enumerate(zip(node.inputs, pull.d_inputs, strict=True)):
            source = source_of(anatomy, operand)
            if source in owned and d_b is not None and d_b != pull.d_y:
                where = place_of(node, owned[source])
                yield Shift(owned[source], source, pull.node, k, pull.d_y, d_b, where)


def source_of(anatomy: Anatomy, position: int) -> int:
    """What a value is another shape of."""
    node = anatomy.nodes[position]
    while len(node.inputs) == 1 and _only_moves(node, anatomy.nodes[node.inputs[0]]):
        position = node.inputs[0]
        node = anatomy.nodes[position]
    return position


def _only_moves(node: Node, operand: Node) -> bool:
    """Whether each element is one of the operand's, as it is."""
    if not node.type.size:
        return False
    first = (0,) * len(node.shape)
    return isinstance(bind(node.op, node.attributes).terms((operand.type,), first), Element)


def place_of(node: Node, parameter: str = "") -> str:
    """Where a node is, in words."""
    layer = node.scope or parameter.rpartition(".")[0]
    if not layer:
        return f"at {parameter or node.name or node.op}"
    return f"in layer {layer}" if parameter else f"in layer {layer} ({node.op})"
