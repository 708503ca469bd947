"""Write expressions as MathML, which browsers set as books do.

The layout follows each op's `notation`, the one that formulas in text have: ``{0}/{1}`` becomes a
fraction, ``{0}^{1}`` a power, ``({1} if {0} else {2})`` cases. So no op is named here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape

from chainrule.graph import DType
from chainrule.ops.elementwise import Elementwise
from chainrule.ops.expression import OVER, Element, Expression, Literal, Symbol, read
from chainrule.ops.notation import ATOM, SUM, needs_parentheses, notation_of

_POWER = 50
_FRACTION = 45  # its bar holds it together, but not below an exponent
_CASES = 0
_LONGEST_EXPONENT = 300  # characters of markup: a longer one is too small to read up there

_PIECE = re.compile(
    r"√\(\{(?P<root>\d)\}\)"
    r"|exp\(\{(?P<exponential>\d)\}\)"
    r"|\{(?P<base>\d)\}\^\{(?P<exponent>\d)\}"
    r"|\{(?P<squared>\d)\}²"
    r"|\{(?P<above>\d)\}/\{(?P<below>\d)\}"
    r"|\(\{(?P<then>\d)\} if \{(?P<condition>\d)\} else \{(?P<otherwise>\d)\}\)"
    r"|\{(?P<argument>\d)\}"
    r"|(?P<function>[a-z_]\w*)(?=\()"
    r"|(?P<word>[a-z_]\w*)"
    r"|(?P<number>\d+)"
    r"|(?P<open>^\||[(⌊⌈])"
    r"|(?P<close>\|$|[)⌋⌉])"
    r"|(?P<operator><<|>>|\S)"
)
_MINUS = '<mo form="prefix">\N{MINUS SIGN}</mo>'
_APPLIED = "<mo>&#x2061;</mo>"  # invisible: f of (x)


@dataclass(frozen=True)
class _Markup:
    """Some MathML: what it reads as decides where parentheses stand."""

    markup: str
    precedence: int = ATOM
    signed: bool = False
    cases: tuple[tuple[str, str], ...] = ()


def mathml(expression: Expression, name_leaf: Callable[[Expression], str] | None = None) -> str:
    """Write `expression` as presentation MathML, without the ``<math>`` around it.

    Parameters
    ----------
    expression : Expression
    name_leaf : callable, optional
        The MathML of a leaf, for instance with an index below its name.

    Examples
    --------
    >>> from chainrule.ops import bind
    >>> mathml(bind("square").value)
    '<mi>x</mi><mo>·</mo><mi>x</mi>'
    """
    return read(expression, _MarkupReader(name_leaf or _leaf)).markup


def pieces_of(notation: str) -> list[list[str | int]]:
    """A notation taken apart: what kind each piece is, and its text or its operands.

    Examples
    --------
    >>> pieces_of("{0}/{1}"), pieces_of("log({0})")
    ([['below', 0, 1]], [['function', 'log'], ['open', '('], ['argument', 0], ['close', ')']])
    """
    found: list[list[str | int]] = []
    for piece in _PIECE.finditer(notation):
        groups = [group for group in piece.groups() if group is not None]
        parts = [int(g) if g.isdigit() and piece.lastgroup != "number" else g for g in groups]
        found.append([piece.lastgroup or "", *parts])
    return found


def symbol(name: str) -> str:
    """The MathML of a name: Greek where it spells a letter, digits at its end below it.

    Examples
    --------
    >>> symbol("alpha"), symbol("t1")
    ('<mi>α</mi>', '<msub><mi>t</mi><mn>1</mn></msub>')
    """
    stem, digits = re.fullmatch(r"(.*?)_?(\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    if not stem or not digits:
        return f"<mi>{escape(_greek(name))}</mi>"
    return f"<msub><mi>{escape(_greek(stem))}</mi><mn>{digits}</mn></msub>"


@cache
def _greek(name: str) -> str:
    try:
        return unicodedata.lookup(f"GREEK SMALL LETTER {name}")
    except KeyError:
        return name


def _leaf(leaf: Expression) -> str:
    match leaf:
        case Literal(value):
            return _number(value)
        case Symbol(name):
            return symbol(name)
        case Element(operand, index):
            below = "<mo>,</mo>".join(f"<mn>{i}</mn>" for i in index)
            return f"<msub>{symbol(f'x{operand}')}<mrow>{below}</mrow></msub>"
    raise TypeError(f"{type(leaf).__name__} is not a leaf")


def _number(value: float | int | bool) -> str:
    """All digits: a formula with fewer would be another formula."""
    if isinstance(value, bool):
        return f"<mi>{str(value).lower()}</mi>"
    if value != value:
        return "<mi>NaN</mi>"
    sign = _MINUS if str(value).startswith("-") else ""
    size = abs(value)
    if size == float("inf"):
        return f"{sign}<mi>∞</mi>"
    digits, _, exponent = f"{size!r}".partition("e")
    if not exponent:
        return f"{sign}<mn>{digits.removesuffix('.0')}</mn>"
    power = f"<msup><mn>10</mn><mrow>{_number(int(exponent))}</mrow></msup>"
    return f"{sign}<mrow><mn>{digits}</mn><mo>·</mo>{power}</mrow>"


@dataclass(frozen=True)
class _MarkupReader:
    name_leaf: Callable[[Expression], str]

    def leaf(self, leaf: Expression) -> _Markup:
        markup = self.name_leaf(leaf)
        signed = markup.startswith(_MINUS)
        return _Markup(markup, SUM if signed else ATOM, signed)

    def apply(self, op: str, arguments: Sequence[_Markup], dtype: DType | None) -> _Markup:
        outer = notation_of(op, len(arguments))
        if outer is None:
            return _function(op, arguments)
        pieces = list(_PIECE.finditer(outer.notation))
        if pieces[0]["condition"]:
            return _cases(pieces[0], arguments)
        markup = "".join(_piece(piece, arguments, outer) for piece in pieces)
        precedence, signed = outer.precedence, pieces[0]["operator"] == "-"
        if len(pieces) == 1:
            precedence = _alone(pieces[0], precedence)
        elif pieces[0]["argument"]:
            first = arguments[int(pieces[0]["argument"])]
            # In parentheses its sign is no longer the first thing that stands there.
            signed = first.signed and not needs_parentheses(
                outer, int(pieces[0]["argument"]), first.precedence, signed=first.signed
            )
        return _Markup(markup, precedence, signed)

    def fold(self, op: str, items: Sequence[_Markup], order: str) -> _Markup:
        if order.startswith(OVER):  # one item stands for all
            item, variables = items[0], escape(order.removeprefix(OVER))
            sign = "<mo>∑</mo>" if op == "add" else f"<mi>{escape(op)}</mi>"
            body = _parenthesized(item.markup) if item.precedence <= SUM else item.markup
            return _Markup(f"<munder>{sign}<mi>{variables}</mi></munder>{_APPLIED}{body}", SUM)
        if op != "add":
            return _function(op, items)
        terms = (
            _parenthesized(item.markup)
            if item.precedence < SUM or (item.signed and position)
            else item.markup
            for position, item in enumerate(items)
        )
        return _Markup("<mo>+</mo>".join(terms), SUM, items[0].signed)


def _piece(piece: re.Match[str], arguments: Sequence[_Markup], outer: Elementwise) -> str:
    """One piece of a notation, with the arguments in it."""
    kind, text = piece.lastgroup, piece[0]

    def whole(name: str) -> str:  # in a row of its own, where no parentheses are needed
        return f"<mrow>{arguments[int(piece[name])].markup}</mrow>"

    def enclosed(name: str) -> str:
        position = int(piece[name])
        argument = arguments[position]
        if needs_parentheses(outer, position, argument.precedence, signed=argument.signed):
            return _parenthesized(argument.markup)
        return f"<mrow>{argument.markup}</mrow>" if argument.cases else argument.markup

    match kind:
        case "root":
            return f"<msqrt>{whole('root')}</msqrt>"
        case "exponential":
            if len(whole("exponential")) > _LONGEST_EXPONENT:
                return f"<mi>exp</mi>{_APPLIED}{_parenthesized(whole('exponential'))}"
            return f"<msup><mi>e</mi>{whole('exponential')}</msup>"
        case "exponent":
            return f"<msup><mrow>{enclosed('base')}</mrow>{whole('exponent')}</msup>"
        case "squared":
            return f"<msup><mrow>{enclosed('squared')}</mrow><mn>2</mn></msup>"
        case "below":
            return f"<mfrac>{whole('above')}{whole('below')}</mfrac>"
        case "argument":
            return enclosed("argument")
        case "function":
            return f"<mi>{text}</mi>{_APPLIED}"
        case "word":
            return f'<mo lspace="0.3em" rspace="0.3em">{text}</mo>'
        case "number":
            return f"<mn>{text}</mn>"
        # A row of its own, as tall as what it holds.
        case "open":
            return f"<mrow>{_fence(text, 'prefix')}"
        case "close":
            return f"{_fence(text, 'postfix')}</mrow>"
    if text == "-":
        return _MINUS if piece.start() == 0 else _MINUS.replace(' form="prefix"', "")
    return f"<mo>{escape(text)}</mo>"


def _alone(piece: re.Match[str], precedence: int) -> int:
    """How tightly a notation that is one piece binds."""
    layouts = {"root": ATOM, "exponential": _POWER, "below": _FRACTION}
    return layouts.get(piece.lastgroup or "", precedence)


def _cases(piece: re.Match[str], arguments: Sequence[_Markup]) -> _Markup:
    then, condition, otherwise = (
        arguments[int(piece[name])] for name in ("then", "condition", "otherwise")
    )
    first = (then.markup, f"<mtext>if&#xA0;</mtext>{condition.markup}")
    # A choice within the last case is one more case.
    others = otherwise.cases or ((otherwise.markup, "<mtext>otherwise</mtext>"),)
    rows = (first, *others)
    cells = "".join(
        f"<mtr><mtd><mrow>{value}</mrow></mtd><mtd><mrow>{when}</mrow></mtd></mtr>"
        for value, when in rows
    )
    table = f"{_fence('{', 'prefix')}<mtable>{cells}</mtable>"
    return _Markup(table, _CASES, cases=rows)


def _function(name: str, arguments: Sequence[_Markup]) -> _Markup:
    inner = "<mo>,</mo>".join(f"<mrow>{argument.markup}</mrow>" for argument in arguments)
    return _Markup(f"<mi>{escape(name)}</mi>{_APPLIED}{_parenthesized(inner)}")


def _parenthesized(markup: str) -> str:
    return f"<mrow>{_fence('(', 'prefix')}{markup}{_fence(')', 'postfix')}</mrow>"


def _fence(text: str, form: str) -> str:
    return f'<mo fence="true" stretchy="true" form="{form}">{text}</mo>'
