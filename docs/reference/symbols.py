"""How names stand in formulas: operands, parameters, gradients, elements, options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from chainrule.graph import DType
from chainrule.ops import OPS, Elementwise
from chainrule.ops.expression import Apply, Element, Expression, Fold, Literal, Symbol, read
from chainrule.ops.mathml import mathml, symbol

_PLAIN = re.compile(r"[A-Za-z]\w*|[^\W\d]\w*")


def markup_of(expression: Expression) -> str:
    """The MathML of an expression with the names of this site."""
    return mathml(expression, _leaf)


def option(name: str, value: object) -> Symbol:
    """An argument by name, as in sum(x, axes=[1])."""
    return Symbol(f"{name}={value}")


def partial(of: str, by: str) -> Symbol:
    """∂y/∂x, as a name."""
    return Symbol(f"∂{of}/∂{by}")


def _leaf(leaf: Expression) -> str:
    match leaf:
        case Symbol(name) if name.startswith("∂"):
            above, below = (symbol(part.removeprefix("∂")) for part in name.split("/"))
            return f"<mfrac><mrow><mi>∂</mi>{above}</mrow><mrow><mi>∂</mi>{below}</mrow></mfrac>"
        case Symbol(name) if "=" in name:
            return f'<mtext class="option">{escape(name)}</mtext>'
        case Symbol(name) if "[" in name:
            stem, _, below = name.removesuffix("]").partition("[")
            indices = "<mo>,</mo>".join(f"<mn>{i}</mn>" for i in below.split(",") if i)
            return f"<msub>{symbol(stem)}<mrow>{indices}</mrow></msub>" if indices else symbol(stem)
        case Symbol(name):
            return symbol(name)
        case Literal():
            return mathml(leaf)
    raise TypeError(f"{type(leaf).__name__} has no name here")


def name_elements(expression: Expression, names: Sequence[str]) -> Expression:
    """Give the elements of operands the operands' names: x0[1,2] becomes x[1,2]."""
    return read(expression, _Naming(names))


@dataclass(frozen=True)
class _Naming:
    names: Sequence[str]

    def leaf(self, leaf: Expression) -> Expression:
        if isinstance(leaf, Element):
            index = ",".join(map(str, leaf.index))
            return Symbol(f"{self.names[leaf.input]}[{index}]")
        return leaf

    def apply(self, op: str, arguments: Sequence[Expression], dtype: DType | None) -> Expression:
        if dtype is not None and dtype.is_float and not _is_condition(arguments[0]):
            return arguments[0]  # the formula is about the number, not its format
        kind = () if dtype is None else (option("dtype", dtype.value),)
        return Apply(op, (*arguments, *kind))

    def fold(self, op: str, items: Sequence[Expression], order: str) -> Expression:
        return Fold(op, tuple(items), order)


def _is_condition(expression: Expression) -> bool:
    """Whether it is a truth value."""
    if not isinstance(expression, Apply):
        return False
    op = OPS.get(expression.op)
    return isinstance(op, Elementwise) and (op.returns is DType.BOOL or op.accepts == "bool")
