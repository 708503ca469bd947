"""From a graph to kernels: what is fused, what is only another view, which buffers there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from chainrule.backends.native import (  # noqa: F401 - they enter their kernels
    largest,
    random_bits,
    reductions,
)
from chainrule.backends.native.finishing import Finish
from chainrule.backends.native.formula import elementwise
from chainrule.backends.native.frame import NESTS, Frame, count_of, over
from chainrule.backends.native.layout import Pair, Strides, choose_layouts
from chainrule.backends.native.lowered import Lowered
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Local,
    Number,
    Position,
    Statement,
    Value,
    Write,
    index,
)
from chainrule.backends.native.positions import FAULTS
from chainrule.backends.native.products import matrices, matrix_product
from chainrule.backends.native.rows import fuse_rows
from chainrule.backends.native.straight import is_small, lower_small
from chainrule.backends.native.target import Target
from chainrule.backends.native.turning import arranged
from chainrule.backends.native.view import View
from chainrule.base.errors import MissingKernelError
from chainrule.graph import DType, Graph, Node
from chainrule.ops import ElementwiseOp, bind
from chainrule.ops.contract import Contract
from chainrule.ops.index import Cast, Constant, Iota
from chainrule.ops.order import Flip
from chainrule.ops.shape import Broadcast, Reshape, Slice, Transpose


def lower(
    graph: Graph,
    target: Target,
    keep: Sequence[int],
    pairs: Sequence[Pair] = (),
    watch: Collection[int] = (),
) -> Lowered:
    """Turn a graph without composites into kernels.

    Parameters
    ----------
    graph : Graph
    target : Target
    keep : sequence of int
        Positions of nodes whose values must lie in memory at the end, each whole in a buffer.
    pairs : sequence of (int, int)
        Inputs, and the nodes whose values take their place in the next step.
    watch : collection of int
        Nodes whose values should be finite: where that costs nothing, zeros are added up of them.

    Raises
    ------
    MissingKernelError
        If an op has no kernel here.
    """
    if is_small(graph):
        return lower_small(graph, target, keep, watch)
    layouts = choose_layouts(graph, target, pairs)
    return _Lowering(graph, target, set(keep), layouts, set(watch)).run()


_FAR = 1 << 16
"""Elements of a result that is more than a piece of the cache nearby."""

_VIEWS = (Reshape, Transpose, Broadcast, Slice, Flip)


@dataclass
class _Group:
    """Elementwise nodes of one shape that one kernel will compute.

    Parameters
    ----------
    shape : tuple of int
    members : list of int
    product : int, optional
        A contraction of this shape that waits for them: they take its sums from the registers.
    """

    shape: tuple[int, ...]
    members: list[int]
    product: int | None = None


class _Lowering:
    def __init__(
        self,
        graph: Graph,
        target: Target,
        keep: set[int],
        layouts: Mapping[int, Strides],
        watch: set[int],
    ) -> None:
        self.watch = watch
        self.graph = graph
        self.layouts = layouts
        self.target = target
        self.keep = keep
        self.done = Lowered()
        self.groups: dict[int, _Group] = {}
        self.waiting: dict[int, tuple[View, View]] = {}
        self.users: dict[int, list[int]] = {i: [] for i in range(len(graph.nodes))}
        for position, node in enumerate(graph.nodes):
            for operand in node.inputs:
                self.users[operand].append(position)

    def run(self) -> Lowered:
        for position, node in enumerate(self.graph.nodes):
            self._lower(position, node)
        for position in sorted(self.keep):
            self._settle(position)
        lasting = {*self.keep, *self.watch} & self.done.values.keys()
        wanted = {self.done.values[position].buffer for position in lasting}
        self.done.kernels, sizes = fuse_rows(self.done.kernels, wanted)
        for name, size in sizes.items():
            self.done.buffers[name] = replace(self.done.buffers[name], size=size)
            self.done.scratch.add(name)
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
        elif isinstance(op, Contract):
            self._wait(position, node, op)
        else:
            self._kernel(position, node, op)

    # --- elementwise --------------------------------------------------------------------------

    def _join(self, position: int, node: Node) -> None:
        """Put an elementwise node into one group with its operands, where they have its shape."""
        shape = _sizes(node)
        members = [position]
        products: set[int] = set()
        for operand in node.inputs:
            group = self.groups.get(operand)
            if group is not None and group.shape == shape:
                members += group.members
                products |= set() if group.product is None else {group.product}
            elif operand in self.waiting and _sizes(self.graph.nodes[operand]) == shape:
                products.add(operand)
            elif not self._is_written_in(operand):
                self._operand(operand)
        # The registers of one tile hold one product: the others are put into memory.
        waiting = sorted(products & self.waiting.keys())
        for other in waiting[:-1]:
            self._operand(other)
        joined = _Group(shape, sorted(set(members)), waiting[-1] if waiting else None)
        for member in joined.members:
            self.groups[member] = joined

    def _is_written_in(self, position: int) -> bool:
        """Whether an elementwise kernel needs no memory for this operand."""
        return self.graph.nodes[position].op in ("constant", "iota")

    def _close(self, group: _Group) -> None:
        """Write the kernel of a group."""
        for member in group.members:
            del self.groups[member]
        if group.product in self.waiting:
            self._finish_product(group.product, group)
            return
        loops = [(f"i{axis}", size) for axis, size in enumerate(group.shape)]
        at = [index(name) for name, _ in loops]
        turned = self._whole(group.members[0]).strides[:1] == (1,)
        lanes = loops[0][0] if turned and group.shape[0] != 1 else None
        self._add("map", group.members, over(loops, self._compute(group.members, at), lanes))

    def _compute(
        self,
        members: Sequence[int],
        at: Sequence[Affine],
        limit: int | None = None,
        lanes: int = 1,
    ) -> list[Statement]:
        """Elementwise nodes at one place: locals, and their values where others read them.

        Parameters
        ----------
        members : sequence of int
        at : sequence of Affine
        limit, lanes : int
            How many of how many lanes have a place.
        """
        body: list[Statement] = []
        inside = set(members)
        for member in members:
            node = self.graph.nodes[member]
            if member not in self.waiting:
                operands = [self._element(i, at, inside, limit) for i in node.inputs]
                body += elementwise(node, f"v{member}", operands, self.graph)
            if self._is_read_outside(member, inside):
                view = self._place_of(member)
                place, value = view.at(at), Local(f"v{member}", node.dtype)
                has_room = place.factor("l") == 1 and max(view.strides) % lanes == 0
                body.append(Write(view.buffer, place, value, None if has_room else limit))
        return body

    def _is_read_outside(self, member: int, members: set[int]) -> bool:
        return member in self.keep or not set(self.users[member]) <= members

    def _place_of(self, position: int) -> View:
        if position not in self.done.values:
            self.done.values[position] = self._buffer(position)
        return self.done.values[position]

    # --- products -----------------------------------------------------------------------------

    def _wait(self, position: int, node: Node, op: Contract) -> None:
        """Let a product wait for what is made of it; others are computed at once."""
        a, b = (self._operand(i) for i in node.inputs)
        found = matrices(op, a, b)
        # A matrix may be the product of one that has all its axes and of one that has none.
        if found is None or (found[0].shape[0], found[1].shape[1]) != _sizes(node):
            self._kernel(position, node, op)
        else:
            self.waiting[position] = found

    def _finish_product(self, product: int, group: _Group) -> None:
        """Write a product whose sums become the group's values while they are in registers."""
        members = [product, *group.members]
        dtype, y = self.graph.nodes[product].dtype, self._whole(product)
        watched = [m for m in members if m in self.watch and self.graph.nodes[m].dtype is dtype]
        finish = Finish(
            f"v{product}",
            partial(self._compute, members),
            [f"v{member}" for member in watched],
            self.done,
            self.target,
            reads_far=count_of(group.shape) >= _FAR,
        )
        frame = Frame(self.target, self.waiting[product], y, f"v{product}.")
        body = matrix_product(*self.waiting[product], y, frame, finish)
        self._keep_scratch(frame)
        del self.waiting[product]
        self.done.watched |= set(watched)
        self._add("product", members, body)

    def _element(
        self, position: int, at: Sequence[Affine], members: set[int], limit: int | None
    ) -> Value:
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
        return replace(self.done.values[position].read(here), limit=limit)

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
            rows = View.whole(made.buffer, made.dtype, source.shape)
            self._add("copy", [position], arranged(source, rows, self.target))
        self.done.values[position] = made

    def _settle(self, position: int) -> None:
        """Let a value that is to be kept lie whole in a buffer of its own."""
        view = self._operand(position)
        own = self._whole(position)
        if view != own:
            self.done.values[position] = self._buffer(position)
            self._add("copy", [position], arranged(view, own, self.target))

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
            self.done.hold(View.whole(FAULTS, DType.I64, (2 * len(self.done.faults),)))
        self._keep_scratch(frame)
        self.done.values[position] = output
        self._add(node.op, [position], body)

    def _keep_scratch(self, frame: Frame) -> None:
        for view in frame.scratch:
            self.done.scratch.add(self.done.hold(view).buffer)

    def _operand(self, position: int) -> View:
        """Where a value lies, once it does."""
        if position in self.groups:
            self._close(self.groups[position])
        if position in self.waiting:
            self._finish_product(position, _Group(_sizes(self.graph.nodes[position]), []))
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
        return self.done.hold(self._whole(position))

    def _whole(self, position: int) -> View:
        """A node's value in a buffer of its own."""
        node = self.graph.nodes[position]
        view = View.whole(f"v{position}", node.dtype, _sizes(node))
        return replace(view, strides=self.layouts.get(position, view.strides))

    def _add(self, kind: str, nodes: Sequence[int], body: Sequence[Statement]) -> None:
        self.done.add(f"{kind}_{nodes[-1]}", body)


def _number(node: Node) -> Number:
    return Number(bind("constant", node.attributes).value, node.dtype)  # type: ignore[attr-defined]


def _count(node: Node, at: Sequence[Affine]) -> Value:
    """The position along an iota's axis."""
    axis: int = bind("iota", node.attributes).axis  # type: ignore[attr-defined]
    return Apply("cast", (Position(at[axis]),), node.dtype)


def _sizes(node: Node) -> tuple[int, ...]:
    return tuple(map(int, node.shape))
