"""Units: what each activation's slope is on the examples, whatever its name.

An activation is told by its slope, which its op declares: far out on one side it is 0 (a
rectifier), or on both (a squashing function). So a new activation needs nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from chainrule.backends.numpy.kernels import UFUNCS
from chainrule.base.errors import NotDifferentiableError
from chainrule.explanation.trace import Trace
from chainrule.graph import Attributes, Axis, Graph
from chainrule.ops import ElementwiseOp, bind
from chainrule.ops.expression import Expression, Literal, Symbol, read

Array = np.ndarray[Any, Any]

FAR = 1e4
"""Where a slope is that of the far end: σ′ and φ are 0 there in double precision."""


@dataclass(frozen=True)
class Activation:
    """An activation of a step, with its operand on every example.

    Parameters
    ----------
    name : str
        Of its value.
    operand : str
        Of what it is applied to.
    op : str
    scope : str
        The path of its layer.
    line : str
    z : array of shape (B, ...)
        The operand.
    slope : array of shape (B, ...)
    steepest : float
        The largest slope that it has anywhere near 0.
    ends : tuple of float
        Its slope far to the left, and far to the right.
    is_output : bool
        Whether nothing but the loss follows.
    nodes : tuple of int
        Where its operands are in the graph, of each time it is used.
    """

    name: str
    operand: str
    op: str
    scope: str
    line: str
    z: Array
    slope: Array
    steepest: float
    ends: tuple[float, float]
    is_output: bool
    nodes: tuple[int, ...] = ()

    @property
    def squashes(self) -> bool:
        """Whether it is flat far out on both sides."""
        return self.ends == (0.0, 0.0)

    @property
    def is_flat(self) -> bool:
        """Whether its slope is 0 everywhere, as that of a step."""
        return self.steepest == 0

    @cached_property
    def flat_shares(self) -> Array:
        """For each unit the share of examples on which its slope is exactly 0.

        A channel of an image is one unit: its weights are shared by its places.
        """
        flat = self.slope == 0
        axes = (0, *range(2, flat.ndim))
        return np.asarray(flat.mean(axis=axes))

    @cached_property
    def saturated_shares(self) -> Array:
        """For each unit the share of examples on which it has less than 5 % of its steepest slope.

        For a sigmoid that is |z| > 4.4, an output below 0.012 or above 0.988.
        """
        faint = np.abs(self.slope) < 0.05 * self.steepest
        axes = (0, *range(2, faint.ndim))
        return np.asarray(faint.mean(axis=axes))


def stuck_units(layer: Activation) -> Array:
    """The units that stay at a flat end of a squashing activation, if half of its units do."""
    if not layer.squashes or layer.is_flat or not np.isfinite(layer.z).all():
        return np.zeros(0, np.int64)
    shares = layer.saturated_shares
    stuck = np.flatnonzero(shares > 0.8)
    return stuck if len(stuck) >= 0.5 * shares.size else stuck[:0]


def activations_of(trace: Trace) -> list[Activation]:
    """The activations of a step's forward pass, in its order."""
    graph = trace.graph
    last = graph.labels.get("loss", len(graph.nodes))
    output = output_of(graph)
    found = []
    for position, node in enumerate(graph.nodes[:last]):
        if len(node.inputs) != 1 or not node.dtype.is_float or node.op == "cast":
            continue
        if not node.shape or not isinstance(node.shape[0], Axis) or len(node.shape) < 2:
            continue
        bound = bind(node.op, node.attributes)
        if not isinstance(bound, ElementwiseOp):
            continue
        told = _character(node.op, node.attributes)
        if told is None:
            continue
        left, right, steepest = told
        z = np.asarray(trace.values[node.inputs[0]], np.float64)
        found.append(
            Activation(
                graph.name_of(position),
                graph.name_of(node.inputs[0]),
                node.op,
                node.scope or "",
                line_of(trace, position),
                z,
                slope_at(bound, z),
                steepest,
                (left, right),
                position == output or _leads_only_to(graph, position, output),
                (node.inputs[0],),
            )
        )
    return _merged(found)


def _merged(found: list[Activation]) -> list[Activation]:
    """A layer that is used again and again, as by the steps of a recurrent network, as one."""
    groups: dict[tuple[object, ...], list[Activation]] = {}
    for each in found:
        key = each.scope, each.op, each.line, each.z.shape[1:], each.is_output
        # Two layers of a chain may be alike in all of these: a path tells them apart.
        alone = not each.name.startswith("%")
        groups.setdefault((*key, each.name if alone else ""), []).append(each)
    return [
        each[0]
        if len(each) == 1
        else replace(
            each[0],
            z=np.concatenate([a.z for a in each]),
            slope=np.concatenate([a.slope for a in each]),
            nodes=tuple(node for a in each for node in a.nodes),
        )
        for each in groups.values()
    ]


def output_of(graph: Graph) -> int | None:
    """The node that the network returned, where it returned one."""
    try:
        return graph.find("out")
    except KeyError:
        return None


def line_of(trace: Trace, position: int) -> str:
    """The user's line that a node came from, with its text where that is known."""
    source = trace.graph.nodes[position].source
    if source is None:
        return ""
    text = trace.about.lines.get(f"{source.file}:{source.line}", "")
    return f"{source}: {text}" if text else str(source)


def slope_at(op: ElementwiseOp, z: Array) -> Array:
    """The slope of a unary op at each number, in double precision."""
    try:
        partial = op.partial(0)
    except NotDifferentiableError:
        return np.zeros_like(z)
    name = op.declaration.operands[0]
    with np.errstate(all="ignore"):
        y = read(op.value, _Arrays({name: z}))
        slope = read(partial, _Arrays({name: z, "y": np.asarray(y)}))
    return np.broadcast_to(np.asarray(slope, np.float64), z.shape)


def value_at(op: ElementwiseOp, *given: Array) -> Array:
    """The value of an op at each number of its operands, in double precision."""
    named = dict(zip(op.declaration.operands, given, strict=True))
    with np.errstate(all="ignore"):
        found = np.asarray(read(op.value, _Arrays(named)), np.float64)
    return np.broadcast_to(found, given[0].shape)


@lru_cache(maxsize=256)
def _character(op: str, attributes: Attributes) -> tuple[float, float, float] | None:
    """The slopes at both ends and the steepest; None for what is no activation.

    An activation is about 0 or about a straight line far out: exp, square and division are none.
    """
    bound = bind(op, attributes)
    assert isinstance(bound, ElementwiseOp)
    near = slope_at(bound, np.linspace(-8.0, 8.0, 1601))
    left, right = (float(s) for s in slope_at(bound, np.array([-FAR, FAR])))
    if not np.isfinite([left, right]).all() or not np.isfinite(near).all():
        return None
    left, right = (0.0 if abs(end) < 1e-6 else end for end in (left, right))
    steepest = float(np.abs(near).max())
    is_line = np.ptp(near) == 0 and steepest > 0
    if is_line or max(abs(left), abs(right)) > 2 * max(steepest, 1e-12):
        return None
    if left and right and left == -right:  # |x|
        return None
    return left, right, steepest


def _leads_only_to(graph: Graph, position: int, output: int | None) -> bool:
    """Whether the output is this value in another shape, or the value a loss reads of it."""
    if output is None:
        return False
    at = output
    while at > position and len(graph.nodes[at].inputs) == 1 and graph.nodes[at].op == "reshape":
        at = graph.nodes[at].inputs[0]
    return at == position


@dataclass(frozen=True)
class _Arrays:
    """Reads an expression as arrays."""

    symbols: dict[str, Array]

    def leaf(self, leaf: Expression) -> Any:
        if isinstance(leaf, Symbol):
            return self.symbols[leaf.name]
        assert isinstance(leaf, Literal)
        return leaf.value

    def apply(self, op: str, arguments: Sequence[Any], dtype: Any) -> Any:
        if op == "cast":
            return np.asarray(arguments[0]).astype(dtype.numpy)
        if op in UFUNCS:
            return UFUNCS[op](*arguments)
        inner = bind(op, Attributes())  # a formula may use an op that is a formula itself
        assert isinstance(inner, ElementwiseOp)
        named = dict(zip(inner.declaration.operands, arguments, strict=True))
        return read(inner.value, _Arrays(named))

    def fold(self, op: str, items: Sequence[Any], order: str) -> Any:
        return np.sum(items, axis=0) if op == "add" else np.max(items, axis=0)
