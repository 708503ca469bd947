"""Read an elementwise formula: with other expressions in it, or as graph nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainrule.base.errors import GraphError
from chainrule.graph import DType
from chainrule.ops.builder import Builder, Value
from chainrule.ops.expression import Expression, Literal, Symbol, apply, read


def substitute(expression: Expression, values: Mapping[str, Expression]) -> Expression:
    """Replace the symbols of `expression`."""
    return read(expression, _Substitution(values))


@dataclass(frozen=True)
class _Substitution:
    values: Mapping[str, Expression]

    def leaf(self, leaf: Expression) -> Expression:
        return self.values[leaf.name] if isinstance(leaf, Symbol) else leaf

    def apply(self, op: str, arguments: Sequence[Expression], dtype: DType | None) -> Expression:
        return apply(op, *arguments, dtype=dtype)

    def fold(self, op: str, items: Sequence[Expression], order: str) -> Expression:
        raise GraphError("an elementwise formula has no sums")


@dataclass(frozen=True)
class NodeReader:
    """Reads a formula as graph nodes; a literal takes the dtype of what it meets."""

    builder: Builder
    values: Mapping[str, Value]
    dtype: DType

    def leaf(self, leaf: Expression) -> Value | float:
        match leaf:
            case Symbol(name):
                return self.values[name]
            case Literal(number):
                return number
        raise GraphError(f"an elementwise formula has no {type(leaf).__name__}")

    def apply(
        self, op: str, arguments: Sequence[Value | float], dtype: DType | None
    ) -> Value | float:
        dtypes = [a.dtype for a in arguments if isinstance(a, Value)]
        kind = next((d for d in dtypes if d is not DType.BOOL), self.dtype)
        return self.builder.apply(op, *(self.value(a, kind) for a in arguments))

    def fold(self, op: str, items: Sequence[Value | float], order: str) -> Value | float:
        raise GraphError("an elementwise formula has no sums")

    def value(self, value: Value | float, dtype: DType | None = None) -> Value:
        """Return a number as a constant node."""
        if isinstance(value, Value):
            return value
        if isinstance(value, bool):
            return self.builder.constant(value, DType.BOOL)
        kind = dtype or self.dtype
        return self.builder.constant(float(value) if kind.is_float else value, kind)
