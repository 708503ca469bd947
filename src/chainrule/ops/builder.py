"""Build graphs: append ops one after another, with arithmetic on the values."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from chainrule.base.errors import GraphError
from chainrule.graph import (
    Attributes,
    AttributeValue,
    DType,
    Graph,
    Node,
    Output,
    Shape,
    Source,
    TensorType,
)
from chainrule.ops.table import OPS, infer_type


@dataclass(frozen=True, slots=True)
class Value:
    """A node under construction; arithmetic appends nodes to its builder."""

    builder: Builder
    position: int

    @property
    def type(self) -> TensorType:
        """Shape and dtype."""
        return self.builder.nodes[self.position].type

    @property
    def shape(self) -> Shape:
        """The shape."""
        return self.builder.nodes[self.position].shape

    @property
    def dtype(self) -> DType:
        """The dtype."""
        return self.builder.nodes[self.position].dtype

    def __add__(self, other: Value | float) -> Value:
        return self._binary("add", self, other)

    def __radd__(self, other: float) -> Value:
        return self._binary("add", other, self)

    def __sub__(self, other: Value | float) -> Value:
        return self._binary("sub", self, other)

    def __rsub__(self, other: float) -> Value:
        return self._binary("sub", other, self)

    def __mul__(self, other: Value | float) -> Value:
        return self._binary("mul", self, other)

    def __rmul__(self, other: float) -> Value:
        return self._binary("mul", other, self)

    def __truediv__(self, other: Value | float) -> Value:
        return self._binary("div", self, other)

    def __rtruediv__(self, other: float) -> Value:
        return self._binary("div", other, self)

    def __neg__(self) -> Value:
        return self.builder.apply("neg", self)

    def _binary(self, op: str, left: Value | float, right: Value | float) -> Value:
        return self.builder.apply(op, *(self._value(side) for side in (left, right)))

    def _value(self, side: Value | float) -> Value:
        return side if isinstance(side, Value) else self.builder.constant(side, self.dtype)


class Builder:
    """A graph that is being written.

    Ops are methods: ``b.exp(x)``, ``b.sum(x, axes=(0,))`` append a node each, its type
    given by the op table, and return its `Value`.

    Parameters
    ----------
    source : callable, optional
        Asked at each op for the user's line.
    """

    def __init__(self, source: Callable[[], Source | None] = lambda: None) -> None:
        self.nodes: list[Node] = []
        self.scope = ""
        self.aliases: dict[str, str] = {}
        self._names: set[str] = set()
        self._source = source
        self._constants: dict[tuple[str, DType], Value] = {}

    def __getattr__(self, op: str) -> Callable[..., Value]:
        if op not in OPS:
            raise AttributeError(op)
        return lambda *operands, **attributes: self.apply(op, *operands, **attributes)

    def input(self, kind: TensorType, name: str | None = None) -> Value:
        """Append an input. It may come late: `build` moves the inputs to the front."""
        return self._append(Node("input", (), kind.shape, kind.dtype), name)

    def apply(self, op: str, *operands: Value, **attributes: AttributeValue) -> Value:
        """Append `op` applied to `operands`.

        Raises
        ------
        ShapeError, DTypeError
            If the op does not apply to these operands.
        NameNotFoundError
            If the table has no such op.
        """
        for value in operands:
            if value.builder is not self:
                raise GraphError(f"{op} got a value of another graph")
        inputs = tuple(value.position for value in operands)
        node = Node(op, inputs, (), DType.BOOL, Attributes(attributes), scope=self.scope)
        kind = infer_type(node, tuple(value.type for value in operands))
        source = self._source()
        return self._append(replace(node, shape=kind.shape, dtype=kind.dtype, source=source))

    def constant(self, value: float, dtype: DType) -> Value:
        """Return the scalar `value`; asked for twice, it is the same node."""
        key = (repr(value), dtype)
        if key not in self._constants:
            self._constants[key] = self.apply("constant", value=value, dtype=dtype)
        return self._constants[key]

    def name(self, value: Value, name: str) -> None:
        """Give a value its canonical name; a further name becomes an alias of the first.

        A name that is taken by another value gets a call number: ``0.out#2``.
        """
        node = self.nodes[value.position]
        if node.name == name or self.aliases.get(name) == node.name is not None:
            return
        free = self._free(name)
        if node.name is None:
            self.nodes[value.position] = replace(node, name=free)
        else:
            self.aliases[free] = node.name

    @contextmanager
    def in_scope(self, scope: str, source: Source | None = None) -> Iterator[None]:
        """Append nodes on behalf of `scope`, and of `source` where it is given."""
        outer, self.scope = self.scope, scope
        outer_source = self._source
        if source is not None:
            self._source = lambda: source
        try:
            yield
        finally:
            self.scope, self._source = outer, outer_source

    def inline(self, graph: Graph, inputs: Sequence[Value], *, names: bool = False) -> list[Value]:
        """Append the body of `graph`, its inputs being `inputs`.

        Parameters
        ----------
        graph : Graph
        inputs : sequence of Value
        names : bool
            Keep the names of its nodes; they become ``name#2`` where they are taken.

        Returns
        -------
        list of Value
            The values of all nodes of `graph`, by position.

        Raises
        ------
        GraphError
            If `graph` has another number of inputs.
        """
        if len(inputs) != len(graph.inputs):
            raise GraphError(
                f"graph {graph.name} takes {len(graph.inputs)} inputs; got {len(inputs)}"
            )
        values = list(inputs)
        for node in graph.nodes[len(values) :]:
            operands = tuple(values[i].position for i in node.inputs)
            scope = ".".join(filter(None, (self.scope, node.scope)))
            source = node.source or self._source()
            copy = replace(node, inputs=operands, name=None, scope=scope, source=source)
            values.append(self._append(copy, node.name if names else None))
        return values

    def build(self, name: str, outputs: Mapping[str, Value]) -> Graph:
        """Return the graph as it stands, with these labelled outputs, its inputs in front."""
        order = sorted(range(len(self.nodes)), key=lambda i: self.nodes[i].op != "input")
        moved = {old: new for new, old in enumerate(order)}
        nodes = (
            replace(self.nodes[old], inputs=tuple(moved[i] for i in self.nodes[old].inputs))
            for old in order
        )
        results = tuple(Output(label, moved[value.position]) for label, value in outputs.items())
        return Graph(name, tuple(nodes), results, tuple(self.aliases.items()))

    def _append(self, node: Node, name: str | None = None) -> Value:
        if name is not None:
            node = replace(node, name=self._free(name))
        self.nodes.append(node)
        return Value(self, len(self.nodes) - 1)

    def _free(self, name: str) -> str:
        free = free_name(name, self._names)
        self._names.add(free)
        return free


def free_name(name: str, taken: Container[str]) -> str:
    """`name`, or, where it is taken, the first free of ``name#2``, ``name#3`` ..."""
    candidate, call = name, 1
    while candidate in taken:
        call += 1
        candidate = f"{name}#{call}"
    return candidate
