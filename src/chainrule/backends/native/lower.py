"""From a graph to kernels: what is fused, what is only another view, which buffers there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chainrule.backends.native import (  # noqa: F401 - they enter their kernels
    products,
    random_bits,
    reductions,
)
from chainrule.backends.native.frame import NESTS, Fault, Frame, copy, over
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Kernel,
    Let,
    Local,
    Number,
    Position,
    Statement,
    Value,
    Write,
    buffers_of,
    index,
)
from chainrule.backends.native.positions import FAULTS
from chainrule.backends.native.target import Target
from chainrule.backends.native.view import View
from chainrule.base.errors import GraphError, MissingKernelError
from chainrule.graph import DType, Graph, Node
from chainrule.ops import OPS, Elementwise, ElementwiseOp, bind
from chainrule.ops.expression import Expression, Literal, Symbol, read
from chainrule.ops.index import Cast, Constant, Iota
from chainrule.ops.order import Flip
from chainrule.ops.shape import Broadcast, Reshape, Slice, Transpose


@dataclass(frozen=True)
class Buffer:
    """A piece of memory.

    Parameters
    ----------
    name : str
    dtype : DType
    size : int
        In elements.
    """

    name: str
    dtype: DType
    size: int


@dataclass
class Lowered:
    """A graph as kernels in order.

    Parameters
    ----------
    kernels : list of Kernel
    buffers : mapping of str to Buffer
    values : mapping of int to View
        Where the nodes' values lie, by position, of those that lie anywhere.
    faults : list of (int, Fault)
        What can go wrong in kernels: the node's position, and what it is.
    """

    kernels: list[Kernel] = field(default_factory=list)
    buffers: dict[str, Buffer] = field(default_factory=dict)
    values: dict[int, View] = field(default_factory=dict)
    faults: list[tuple[int, Fault]] = field(default_factory=list)


def lower(graph: Graph, target: Target, keep: Sequence[int]) -> Lowered:
    """Turn a graph without composites into kernels.

    Parameters
    ----------
    graph : Graph
    target : Target
    keep : sequence of int
        Positions of nodes whose values must lie in memory at the end, each whole in a buffer.

    Raises
    ------
    MissingKernelError
        If an op has no kernel here.
    """
    return _Lowering(graph, target, set(keep)).run()


_VIEWS = (Reshape, Transpose, Broadcast, Slice, Flip)


@dataclass
class _Group:
    """Elementwise nodes of one shape that one kernel will compute."""

    shape: tuple[int, ...]
    members: list[int]


class _Lowering:
    def __init__(self, graph: Graph, target: Target, keep: set[int]) -> None:
        self.graph = graph
        self.target = target
        self.keep = keep
        self.done = Lowered()
        self.groups: dict[int, _Group] = {}
        self.users: dict[int, list[int]] = {i: [] for i in range(len(graph.nodes))}
        for position, node in enumerate(graph.nodes):
            for operand in node.inputs:
                self.users[operand].append(position)

    def run(self) -> Lowered:
        for position, node in enumerate(self.graph.nodes):
            self._lower(position, node)
        for position in sorted(self.keep):
            self._settle(position)
        return self.done

    def _lower(self, position: int, node: Node) -> None:
        if node.op == "input":
            self.done.values[position] = self._buffer(position)
            return
        op = bind(node.op, node.attributes)
        if isinstance(op, ElementwiseOp | Cast):
            self._join(position, node)
        elif isinstance(op, Constant | Iota):
            pass  # written where it is used
        elif isinstance(op, _VIEWS):
            self._view(position, node, op)
        else:
            self._kernel(position, node, op)

    # --- elementwise --------------------------------------------------------------------------

    def _join(self, position: int, node: Node) -> None:
        """Put an elementwise node into one group with its operands, where they have its shape."""
        shape = _sizes(node)
        members = [position]
        for operand in node.inputs:
            group = self.groups.get(operand)
            if group is not None and group.shape == shape:
                members += group.members
            elif not self._is_written_in(operand):
                self._operand(operand)
        joined = _Group(shape, sorted(set(members)))
        for member in joined.members:
            self.groups[member] = joined

    def _is_written_in(self, position: int) -> bool:
        """Whether an elementwise kernel needs no memory for this operand."""
        return self.graph.nodes[position].op in ("constant", "iota")

    def _close(self, group: _Group) -> None:
        """Write the kernel of a group."""
        members = set(group.members)
        for member in members:
            del self.groups[member]
        loops = [(f"i{axis}", size) for axis, size in enumerate(group.shape)]
        at = [index(name) for name, _ in loops]
        body: list[Statement] = []
        for member in group.members:
            node = self.graph.nodes[member]
            operands = [self._element(i, at, members) for i in node.inputs]
            body += elementwise(node, f"v{member}", operands, self.graph)
            if member in self.keep or not set(self.users[member]) <= members:
                view = self._buffer(member)
                body.append(Write(view.buffer, view.at(at), Local(f"v{member}", node.dtype)))
                self.done.values[member] = view
        self._add("map", group.members, over(loops, body))

    def _element(self, position: int, at: Sequence[Affine], members: set[int]) -> Value:
        """The operand of a group's member: a local, a number, or an element in memory."""
        node = self.graph.nodes[position]
        if position in members:
            return Local(f"v{position}", node.dtype)
        here = at[len(at) - len(node.shape) :]
        if node.op == "constant":
            return _number(node)
        if node.op == "iota":
            here = [i if size != 1 else Affine() for i, size in zip(here, node.shape, strict=True)]
            return _count(node, here)
        view = self.done.values[position]
        strides = tuple(
            0 if size == 1 else stride
            for size, stride in zip(view.shape, view.strides, strict=True)
        )
        return replace(view, strides=strides).read(here)

    # --- views --------------------------------------------------------------------------------

    def _view(self, position: int, node: Node, op: Any) -> None:
        source = self._operand(node.inputs[0])
        match op:
            case Transpose(axes):
                made: View | None = source.transposed(axes)
            case Broadcast():
                made = source.broadcast(_sizes(node))
            case Slice(starts, _, steps):
                made = source.sliced(starts, _sizes(node), steps)
            case Flip(axes):
                made = source.flipped(axes)
            case _:
                made = source.reshaped(_sizes(node))
        if made is None:
            made = self._buffer(position)
            shape = tuple(map(int, self.graph.nodes[node.inputs[0]].shape))
            whole = View.whole(made.buffer, made.dtype, shape)
            self._add("copy", [position], copy(source, whole))
        self.done.values[position] = made

    def _settle(self, position: int) -> None:
        """Let a value that is to be kept lie whole in a buffer of its own."""
        node = self.graph.nodes[position]
        view = self._operand(position)
        own = View.whole(f"v{position}", node.dtype, _sizes(node))
        if view != own:
            self.done.values[position] = self._buffer(position)
            self._add("copy", [position], copy(view, own))

    # --- kernels ------------------------------------------------------------------------------

    def _kernel(self, position: int, node: Node, op: Any) -> None:
        if node.op not in NESTS:
            raise MissingKernelError(f"The native backend has no kernel for the op {node.op}")
        inputs = [self._operand(i) for i in node.inputs]
        output = self._buffer(position)
        frame = Frame(self.target, inputs, output, f"v{position}.", slot=len(self.done.faults))
        body = NESTS.get(node.op)(op, frame)
        if frame.fault is not None:
            self.done.faults.append((position, frame.fault))
            self.done.buffers[FAULTS] = Buffer(FAULTS, DType.I64, 2 * len(self.done.faults))
        for view in frame.scratch:
            self.done.buffers[view.buffer] = Buffer(view.buffer, view.dtype, view.size)
        self.done.values[position] = output
        self._add(node.op, [position], body)

    def _operand(self, position: int) -> View:
        """Where a value lies, once it does."""
        if position in self.groups:
            self._close(self.groups[position])
        if position not in self.done.values:
            self._fill(position, self.graph.nodes[position])
        return self.done.values[position]

    def _fill(self, position: int, node: Node) -> None:
        """Write a constant, or positions, into memory."""
        view = self.done.values[position] = self._buffer(position)
        loops = [(f"i{axis}", size) for axis, size in enumerate(view.shape)]
        at = [index(name) for name, _ in loops]
        value = _number(node) if node.op == "constant" else _count(node, at)
        self._add("fill", [position], over(loops, [Write(view.buffer, view.at(at), value)]))

    def _buffer(self, position: int) -> View:
        node = self.graph.nodes[position]
        view = View.whole(f"v{position}", node.dtype, _sizes(node))
        self.done.buffers[view.buffer] = Buffer(view.buffer, node.dtype, max(view.size, 1))
        return view

    def _add(self, kind: str, nodes: Sequence[int], body: Sequence[Statement]) -> None:
        used = {name: self.done.buffers[name].dtype for name in sorted(buffers_of(body))}
        self.done.kernels.append(Kernel(f"{kind}_{nodes[-1]}", tuple(body), used))


def elementwise(node: Node, name: str, operands: Sequence[Value], graph: Graph) -> list[Statement]:
    """Compute an elementwise node's formula on values, each step of it a local.

    Parameters
    ----------
    node : Node
    name : str
        What the result is called; the steps before it are ``<name>.0`` and so on.
    operands : sequence of Value
    graph : Graph
        For the operands' dtypes.
    """
    op = bind(node.op, node.attributes)
    if isinstance(op, Cast):
        return [Let(name, Apply("cast", (operands[0],), node.dtype))]
    assert isinstance(op, ElementwiseOp)
    if op.declaration.is_primitive:
        return [Let(name, Apply(op.name, tuple(operands), node.dtype))]
    dtypes = [graph.nodes[i].dtype for i in node.inputs]
    formula = _Formula(name, dict(zip(op.declaration.operands, operands, strict=True)), dtypes[-1])
    result = read(op.value, formula)
    return [*formula.steps, Let(name, result)]


class _Formula:
    """Reads a formula as locals: one for each primitive that is applied."""

    def __init__(self, name: str, operands: Mapping[str, Value], dtype: DType) -> None:
        self.name = name
        self.operands = operands
        self.dtype = dtype
        self.steps: list[Let] = []

    def leaf(self, leaf: Expression) -> Value:
        match leaf:
            case Symbol(name):
                return self.operands[name]
            case Literal(bool() as truth):
                return Number(truth, DType.BOOL)
            case Literal(value):
                return Number(value, self.dtype)
        raise GraphError(f"an elementwise formula has no {type(leaf).__name__}")

    def apply(self, op: str, arguments: Sequence[Value], dtype: DType | None) -> Value:
        declaration = OPS.get(op)
        assert isinstance(declaration, Elementwise)
        made = dtype or declaration.returns or _dtype_of(arguments[-1])
        local = Local(f"{self.name}.{len(self.steps)}", made)
        self.steps.append(Let(local.name, Apply(op, tuple(arguments), made)))
        return local

    def fold(self, op: str, items: Sequence[Value], order: str) -> Value:
        raise GraphError("an elementwise formula has no sums")


def _dtype_of(value: Value) -> DType:
    return DType.I64 if isinstance(value, Position) else value.dtype


def _number(node: Node) -> Number:
    return Number(bind("constant", node.attributes).value, node.dtype)  # type: ignore[attr-defined]


def _count(node: Node, at: Sequence[Affine]) -> Value:
    """The position along an iota's axis."""
    axis: int = bind("iota", node.attributes).axis  # type: ignore[attr-defined]
    return Apply("cast", (Position(at[axis]),), node.dtype)


def _sizes(node: Node) -> tuple[int, ...]:
    return tuple(map(int, node.shape))
