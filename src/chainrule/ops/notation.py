"""Write expressions as mathematics, with no more parentheses than reading needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import Formatter

from chainrule.graph import DType
from chainrule.ops.elementwise import Elementwise
from chainrule.ops.expression import Element, Expression, Literal, Symbol, read
from chainrule.ops.table import OPS

_ATOM = 100
_SUM = 20


@dataclass(frozen=True)
class _Text:
    text: str
    precedence: int


def format_expression(
    expression: Expression, name_leaf: Callable[[Expression], str] | None = None
) -> str:
    """Write `expression` on one line.

    Parameters
    ----------
    expression : Expression
    name_leaf : callable, optional
        How to write a leaf, for instance with its number plugged in.

    Examples
    --------
    >>> from chainrule.ops import bind
    >>> format_expression(bind("tanh").partial(0))
    '(1 + y)·(1 - y)'
    """
    return read(expression, _TextReader(name_leaf or _name_leaf)).text


def _name_leaf(leaf: Expression) -> str:
    match leaf:
        case Literal(value):
            return format(value, "g") if isinstance(value, float) else str(value)
        case Symbol(name):
            return name
        case Element(input, index):
            return f"x{input}[{','.join(map(str, index))}]"
    raise TypeError(f"{type(leaf).__name__} is not a leaf")


@dataclass(frozen=True)
class _TextReader:
    name_leaf: Callable[[Expression], str]

    def leaf(self, leaf: Expression) -> _Text:
        text = self.name_leaf(leaf)
        return _Text(text, _SUM if text.startswith("-") else _ATOM)

    def apply(self, op: str, arguments: Sequence[_Text], dtype: DType | None) -> _Text:
        declaration = OPS.get(op)
        if not isinstance(declaration, Elementwise):
            inner = ", ".join(argument.text for argument in arguments)
            return _Text(f"{op}({inner})", _ATOM)
        pieces = []
        for literal, field, _, _ in Formatter().parse(declaration.notation):
            pieces.append(literal)
            if field is not None:
                pieces.append(_enclose(arguments[int(field)], int(field), declaration))
        return _Text("".join(pieces), declaration.precedence)

    def fold(self, op: str, items: Sequence[_Text], order: str) -> _Text:
        if op == "add":
            return _Text(" + ".join(item.text for item in items), _SUM)
        return _Text(f"{op}({', '.join(item.text for item in items)})", _ATOM)


def _enclose(argument: _Text, position: int, outer: Elementwise) -> str:
    if outer.precedence == _ATOM:
        return argument.text  # a function's parentheses are enough
    # a - (b - c): the right operand of an operator needs a strictly tighter binding.
    tight = argument.precedence > outer.precedence
    associative = outer.name in ("add", "mul") or (position == 0 and outer.name != "power")
    if tight or (argument.precedence == outer.precedence and associative):
        return argument.text
    return f"({argument.text})"
