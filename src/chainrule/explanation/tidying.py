"""A formula for reading: constants gathered in front, factors of 1 left out.

The proof reads the formula as it was computed; what is tidied here is for people alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.graph import DType
from chainrule.ops import OPS, Elementwise
from chainrule.ops.expression import OVER, Apply, Expression, Fold, Literal, apply, read


def tidy(expression: Expression) -> Expression:
    """Multiply the constants of each product, and do not write a 1."""
    return read(expression, _Tidying())


class _Tidying:
    """Reads an expression with the constants of each product gathered in front."""

    def leaf(self, leaf: Expression) -> Expression:
        return leaf

    def apply(self, op: str, arguments: Sequence[Expression], dtype: DType | None) -> Expression:
        if dtype is not None and dtype.is_float:
            (only,) = arguments
            if _is_condition(only):
                return apply("select", only, 1, 0)
            return Literal(float(only.value)) if isinstance(only, Literal) else only
        if op == "select" and _is_nan(arguments[2]):
            return arguments[1]  # a guard: where it does not hold, the step was refused
        if op in ("mul", "div"):
            first, second = arguments
            scale, rest = _constant(first)
            other, more = _constant(second)
            if op == "mul":
                return _scaled(scale * other, _product(rest, more))
            if more is None and other:
                return _scaled(scale / other, rest)
        if op in ("add", "sub") and all(isinstance(a, Literal) for a in arguments):
            a, b = (argument.value for argument in arguments if isinstance(argument, Literal))
            return Literal(a + b if op == "add" else a - b)
        return apply(op, *arguments, dtype=dtype)

    def fold(self, op: str, items: Sequence[Expression], order: str) -> Expression:
        if len(items) == 1 and not order.startswith(OVER):
            return items[0]
        return Fold(op, tuple(items), order)


def _is_condition(expression: Expression) -> bool:
    if not isinstance(expression, Apply) or expression.op not in OPS:
        return False
    declaration = OPS.get(expression.op)
    return isinstance(declaration, Elementwise) and declaration.returns is DType.BOOL


def _is_nan(expression: Expression) -> bool:
    return isinstance(expression, Literal) and expression.value != expression.value


def _constant(expression: Expression) -> tuple[float, Expression | None]:
    """A product as its constant and the rest; None where nothing is left."""
    match expression:
        case Literal(value):
            return float(value), None
        case Apply("mul", (Literal(value), rest)):
            return float(value), rest
    return 1.0, expression


def _product(a: Expression | None, b: Expression | None) -> Expression | None:
    return a * b if a is not None and b is not None else a if b is None else b


def _scaled(scale: float, rest: Expression | None) -> Expression:
    if rest is None:
        return Literal(scale)
    return rest if scale == 1 else Literal(scale) * rest
