"""An elementwise op's formula as statements: each step of it a local, and rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.backends.native.nest import Apply, Let, Local, Number, Position, Statement, Value
from chainrule.base.errors import GraphError
from chainrule.graph import DType, Graph, Node
from chainrule.ops import OPS, Elementwise, ElementwiseOp, bind
from chainrule.ops.expression import Expression, Literal, Symbol, read
from chainrule.ops.index import Cast


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
        if op == "exp" and self._is_negative(arguments[0]):
            op = "exp_of_negative"
        local = Local(f"{self.name}.{len(self.steps)}", made)
        self.steps.append(Let(local.name, Apply(op, tuple(arguments), made)))
        return local

    def _is_negative(self, value: Value) -> bool:
        """Whether it is -|x|."""
        match self._made(value):
            case Apply("neg", (size,)):
                made = self._made(size)
                return isinstance(made, Apply) and made.op == "abs"
        return False

    def _made(self, value: Value) -> Value | None:
        """What a step's local is."""
        if not isinstance(value, Local):
            return None
        return next((step.value for step in self.steps if step.name == value.name), None)

    def fold(self, op: str, items: Sequence[Value], order: str) -> Value:
        raise GraphError("an elementwise formula has no sums")


def _dtype_of(value: Value) -> DType:
    return DType.I64 if isinstance(value, Position) else value.dtype
