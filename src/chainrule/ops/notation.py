"""Write expressions as mathematics, with no more parentheses than reading needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import Formatter

from chainrule.graph import DType
from chainrule.ops.elementwise import Elementwise
from chainrule.ops.expression import OVER, Element, Expression, Literal, Symbol, read
from chainrule.ops.table import OPS

ATOM = 100
SUM = 20

_ASSOCIATIVE = ("{0} + {1}", "{0}·{1}")  # a + (b + c) is read as a + b + c
_INFIX = re.compile(r"\{0\}[^^]+\{1\}")  # read from the left; powers are read from the right


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
        return _Text(text, SUM if text.startswith("-") else ATOM)

    def apply(self, op: str, arguments: Sequence[_Text], dtype: DType | None) -> _Text:
        outer = notation_of(op, len(arguments))
        if outer is None:
            inner = ", ".join(argument.text for argument in arguments)
            return _Text(f"{op}({inner})", ATOM)
        pieces = []
        for literal, field, _, _ in Formatter().parse(outer.notation):
            pieces.append(literal)
            if field is not None:
                pieces.append(_enclose(arguments[int(field)], int(field), outer))
        return _Text("".join(pieces), outer.precedence)

    def fold(self, op: str, items: Sequence[_Text], order: str) -> _Text:
        if order.startswith(OVER):  # one item stands for all
            item, variables = items[0], order.removeprefix(OVER)
            body = f"({item.text})" if item.precedence <= SUM else item.text
            return _Text(f"{'Σ' if op == 'add' else op} over {variables} of {body}", SUM)
        if op == "add":
            terms = (
                f"({item.text})"
                if item.precedence < SUM or (position and item.text.startswith("-"))
                else item.text
                for position, item in enumerate(items)
            )
            return _Text(" + ".join(terms), SUM)
        return _Text(f"{op}({', '.join(item.text for item in items)})", ATOM)


def _enclose(argument: _Text, position: int, outer: Elementwise) -> str:
    signed = argument.text.startswith("-")
    if needs_parentheses(outer, position, argument.precedence, signed=signed):
        return f"({argument.text})"
    return argument.text


def notation_of(op: str, arguments: int) -> Elementwise | None:
    """The op whose notation is used for this many arguments; None: it is written as a function."""
    declaration = OPS.get(op) if op in OPS else None  # a graph may stand there by its name
    if isinstance(declaration, Elementwise) and declaration.arity == arguments:
        return declaration
    return None


def needs_parentheses(outer: Elementwise, position: int, precedence: int, *, signed: bool) -> bool:
    """Whether an argument stands in parentheses.

    Parameters
    ----------
    outer : Elementwise
        The op whose argument it is.
    position : int
        Which argument it is.
    precedence : int
        How tightly the argument binds.
    signed : bool
        Whether it begins with a sign: after an operator, it would be a second one in a row.
    """
    if outer.precedence == ATOM:
        return False  # a function's parentheses are enough
    second_sign = signed and position > 0 and outer.precedence >= SUM  # not of a comparison
    if precedence != outer.precedence:
        return precedence < outer.precedence or second_sign
    if outer.notation in _ASSOCIATIVE:
        return second_sign
    # a - (b - c), (x²)², -(-x): only the left operand of an operator needs no tighter binding.
    return position > 0 or not _INFIX.fullmatch(outer.notation)
