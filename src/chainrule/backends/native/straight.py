"""A small graph as straight-line code: each element of each value is a local of one kernel.

A network of a few weights is over in the time that some calls and loops take. So its elements are
computed one after the other, each by the op's own `terms`, in the declared order; nothing lies in
memory between two of them. Of a long formula, such as a sigmoid's, several elements are the lanes
of one vector.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import product
from math import prod

from chainrule.backends.native.cost import cost_of
from chainrule.backends.native.formula import elementwise
from chainrule.backends.native.frame import dtype_of
from chainrule.backends.native.lowered import Lowered
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Let,
    Local,
    Number,
    Read,
    Statement,
    Value,
    Write,
)
from chainrule.backends.native.products import multiplied_and_added
from chainrule.backends.native.target import Target
from chainrule.backends.native.view import View
from chainrule.base.errors import GraphError
from chainrule.graph import DType, Graph, Node
from chainrule.ops import ElementwiseOp, bind
from chainrule.ops.contract import Contract
from chainrule.ops.expression import Apply as Product
from chainrule.ops.expression import Element, Expression, Fold, Literal, fold_in_order, read
from chainrule.ops.index import Cast, Constant, Iota
from chainrule.ops.order import Flip
from chainrule.ops.reduce import Amax, Sum
from chainrule.ops.shape import Broadcast, Reshape, Slice, Transpose

LIMIT = 1000
"""Scalar operations of a graph that is small."""

_FORMULA = 8
"""Operations of a formula, about."""

_WORTH_LANES = 24
"""Instructions of a long formula."""

_CHEAP = {"add", "sub", "mul", "div", "neg", "select", "cast", "constant", "iota"}
_MOVED = (Broadcast, Flip, Reshape, Slice, Transpose)
_COMPUTED = (Amax, Cast, Constant, Contract, ElementwiseOp, Iota, Sum)


def is_small(graph: Graph) -> bool:
    """Whether a graph is better written as straight-line code."""
    count = 0
    for node in graph.nodes:
        size = prod(map(int, node.shape))
        if node.op == "input":
            count += size
            continue
        op = bind(node.op, node.attributes)
        if isinstance(op, Contract | Sum | Amax):
            count += prod(int(n) for i in node.inputs for n in graph.nodes[i].shape)
        elif isinstance(op, _COMPUTED):
            count += size if node.op in _CHEAP else _FORMULA * size
        elif not isinstance(op, _MOVED):
            return False
        if count > LIMIT:
            return False
    return True


def lower_small(
    graph: Graph, target: Target, keep: Sequence[int], watch: Collection[int]
) -> Lowered:
    """Write a small graph as one kernel, which writes what is kept when all is computed.

    Parameters
    ----------
    graph : Graph
    target : Target
    keep : sequence of int
        Positions of nodes whose values must lie in memory at the end.
    watch : collection of int
        Nodes of whose elements zeros are added up.
    """
    done = Lowered(is_straight=True)
    code = StraightLine(graph, target)
    for position in sorted({*graph.inputs, *keep}):
        node = graph.nodes[position]
        shape = tuple(map(int, node.shape))
        done.values[position] = done.hold(View.whole(f"v{position}", node.dtype, shape))
    body: list[Statement] = []
    for dtype in sorted({graph.nodes[i].dtype for i in watch}, key=lambda d: d.value):
        zeros = code.zeros([i for i in watch if graph.nodes[i].dtype is dtype], dtype)
        body.append(Write(done.zeros_of(dtype, 1).buffer, Affine(), zeros))
    for position in sorted({*keep} - {*graph.inputs}):
        body += code.writes(position, f"v{position}")
    done.watched = set(watch)
    done.add("straight", [*code.body, *body])
    return done


class StraightLine:
    """Writes a small graph.

    Parameters
    ----------
    graph : Graph
    target : Target
    """

    def __init__(self, graph: Graph, target: Target) -> None:
        self.graph = graph
        self.target = target
        self.body: list[Let] = []
        self.values: dict[int, list[Value]] = {}
        for position, node in enumerate(graph.nodes):
            self.values[position] = [
                self.named(f"v{position}.{place}", value)
                for place, value in enumerate(self._elements(position, node))
            ]

    def writes(self, position: int, buffer: str) -> list[Write]:
        """Put a value into a buffer, row by row."""
        values = enumerate(self.values[position])
        return [Write(buffer, Affine(place), value) for place, value in values]

    def zeros(self, positions: Sequence[int], dtype: DType) -> Value:
        """Σ (x - x) over the elements of values: 0 if all are finite, and NaN otherwise."""
        values = [x for position in positions for x in self.values[position]]
        zeros: list[Value] = [Apply("sub", (x, x), dtype) for x in values]
        while len(zeros) > 1:  # in pairs: none waits for more than it has to
            pairs = list(zip(zeros[0::2], zeros[1::2], strict=False))
            zeros = [Apply("add", pair, dtype) for pair in pairs] + zeros[2 * len(pairs) :]
        return zeros[0] if zeros else Number(0.0, dtype)

    def named(self, name: str, value: Value) -> Value:
        """The value as a local: what is used twice is computed once."""
        if isinstance(value, Local | Number):
            return value
        assert isinstance(value, Read | Apply)
        self.body.append(Let(name, value))
        return Local(name, value.dtype)

    def _elements(self, position: int, node: Node) -> list[Value]:
        places = product(*(range(int(size)) for size in node.shape))
        if node.op == "input":
            count = prod(map(int, node.shape))
            return [Read(f"v{position}", Affine(i), node.dtype) for i in range(count)]
        op = bind(node.op, node.attributes)
        if isinstance(op, Constant):
            return [Number(op.value, node.dtype) for _ in places]
        if isinstance(op, Iota):
            return [Number(at[op.axis], node.dtype) for at in places]
        if isinstance(op, ElementwiseOp | Cast):
            return self._elementwise(position, node, list(places))
        types = tuple(self.graph.nodes[i].type for i in node.inputs)
        terms = [op.terms(types, at) for at in places]
        reader = _Terms(self, node)
        if isinstance(op, Contract):
            return [self._sum_of_products(each, reader) for each in terms]
        return [read(each, reader) for each in terms]

    def _elementwise(
        self, position: int, node: Node, places: Sequence[tuple[int, ...]]
    ) -> list[Value]:
        """An elementwise node, by the formula that loops use."""
        made: list[Value] = []
        width = self._width(node) if len(places) > 1 else 1
        while len(made) < len(places):
            some = places[len(made) : len(made) + width]
            chosen = [[self.element(i, at) for at in some] for i in node.inputs]
            operands = [self.beside(values) for values in chosen]
            name = f"v{position}.{len(self.body)}"
            statements = elementwise(node, name, operands, self.graph)
            self.body += [s for s in statements if isinstance(s, Let)]
            if all(len(set(values)) == 1 for values in chosen):  # a broadcast: one value, no lanes
                made += [Local(name, node.dtype)] * len(some)
            else:
                made += self.apart(Local(name, node.dtype), len(some))
        return made

    def _width(self, node: Node) -> int:
        """How many elements are computed at once, as lanes.

        To bring a few scalars together and take them apart again costs less than a long formula.
        What a processor can look ahead is not enough for several of them one after the other.
        """
        operands = [Local(f"x{i}", self.graph.nodes[i].dtype) for i in node.inputs]
        statements = elementwise(node, "y", operands, self.graph)
        is_long = cost_of(statements, 1) >= _WORTH_LANES
        return self.target.lanes(node.dtype) if is_long else 1

    def beside(self, values: Sequence[Value]) -> Value:
        """Values as lanes, unless all are one."""
        if len(set(values)) == 1:
            return values[0]
        lanes = Apply("lanes", tuple(values), dtype_of(values[0]))
        return self.named(f"l{len(self.body)}", lanes)

    def apart(self, lanes: Local, count: int) -> list[Value]:
        """The first lanes, each as a local."""
        if count == 1:
            return [lanes]
        numbers = [Number(lane, DType.I64) for lane in range(count)]
        picked = [Apply("lane", (lanes, number), lanes.dtype) for number in numbers]
        return [self.named(f"{lanes.name}:{i}", one) for i, one in enumerate(picked)]

    def _sum_of_products(self, terms: Expression, reader: _Terms) -> Value:
        assert isinstance(terms, Fold)
        total: Value | None = None
        for item in terms.items:
            assert isinstance(item, Product)
            a, b = (read(argument, reader) for argument in item.arguments)
            if total is None:
                total = reader.apply("mul", [a, b], None)
            else:
                added = multiplied_and_added(self.target, a, b, total)
                total = self.named(f"t{len(self.body)}", added)
        return Number(0.0, reader.dtype) if total is None else total

    def element(self, position: int, at: Sequence[int]) -> Value:
        """An element of a value that is broadcast to an index."""
        shape = [int(size) for size in self.graph.nodes[position].shape]
        place = 0
        for size, i in zip(shape, at[len(at) - len(shape) :], strict=True):
            place = place * size + (i if size != 1 else 0)
        return self.values[position][place]


class _Terms:
    """Reads one element's terms as locals."""

    def __init__(self, code: StraightLine, node: Node) -> None:
        self.code = code
        self.node = node
        self.dtype = node.dtype

    def leaf(self, leaf: Expression) -> Value:
        match leaf:
            case Element(i, at):
                return self.code.element(self.node.inputs[i], at)
            case Literal(value):
                return Number(value, self.dtype)
        raise GraphError(f"terms have no {type(leaf).__name__}")

    def apply(self, op: str, arguments: Sequence[Value], dtype: DType | None) -> Value:
        made = Apply(op, tuple(arguments), dtype or self.dtype)
        return self.code.named(f"t{len(self.code.body)}", made)

    def fold(self, op: str, items: Sequence[Value], order: str) -> Value:
        if not items:
            return Number(0, self.dtype)
        return fold_in_order(items, lambda a, b: self.apply(op, [a, b], None), order)
