r"""An explanation as LaTeX: an align block, or a document that compiles with pdflatex.

Formulas follow each op's `notation`, as those in text and MathML do: ``{0}/{1}`` becomes a
fraction, ``({1} if {0} else {2})`` cases. Needed are amsmath and amssymb, nothing else. A letter
that is not known here is written as its code, ``U+4E2D``, so that every document compiles.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainrule.explanation.explanation import Explanation
from chainrule.explanation.printing.digits import literal, number
from chainrule.explanation.printing.formulas import (
    Notation,
    Row,
    rows_of,
)
from chainrule.explanation.symbols import Symbol
from chainrule.explanation.trace import Trace
from chainrule.graph import DType
from chainrule.ops.elementwise import Elementwise
from chainrule.ops.expression import OVER, Expression, Literal, read
from chainrule.ops.expression import Symbol as Letter
from chainrule.ops.notation import ATOM, SUM, needs_parentheses, notation_of

LONGEST = 70  # characters of a row, about, before it is broken at a sum

_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma \
tau upsilon phi chi psi omega"
_LIKE_LATIN = "alpha beta epsilon zeta eta iota kappa mu nu rho tau chi"  # their capitals
_SIGNS = {
    "∂": r"\partial ",
    "Σ": r"\sum ",
    "∇": r"\nabla ",
    "Δ": r"\Delta ",
    "·": r"\cdot ",
    "⊙": r"\odot ",
    "′": "'",
    "≤": r"\leq ",
    "≥": r"\geq ",
    "≠": r"\neq ",
    "∧": r"\land ",
    "∨": r"\lor ",
    "¬": r"\lnot ",
    "±": r"\pm ",
    "−": "-",
    "…": r"\ldots ",
    "⌊": r"\lfloor ",
    "⌋": r"\rfloor ",
    "⌈": r"\lceil ",
    "⌉": r"\rceil ",
    "√": r"\surd ",
    "∞": r"\infty ",
    "→": r"\to ",
    "<": "<",
    ">": ">",
    "|": "|",
    "%": r"\%",
}
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "-": "{-}",  # no dash of two
}
_PIECE = re.compile(
    r"√\(\{(?P<root>\d)\}\)"
    r"|exp\(\{(?P<exponential>\d)\}\)"
    r"|\{(?P<base>\d)\}\^\{(?P<exponent>\d)\}"
    r"|\{(?P<squared>\d)\}²"
    r"|\{(?P<above>\d)\}/\{(?P<below>\d)\}"
    r"|\(\{(?P<then>\d)\} if \{(?P<condition>\d)\} else \{(?P<otherwise>\d)\}\)"
    r"|\{(?P<argument>\d)\}"
    r"|(?P<word>[a-zA-Z_]\w*)"
    r"|(?P<space>\s+)"
    r"|(?P<other><<|>>|.)"
)
_OPERATORS = {
    "(": r"\left(",
    ")": r"\right)",
    "<<": r"\ll ",
    ">>": r"\gg ",
    **{sign: sign for sign in "+-=/,!"},
}
_COMMANDS = re.compile("exp|log|min|max|sin|cos|tan|sinh|cosh|tanh")
_SUM_OF_TWO = re.compile(r"\{0\} ([+-]) \{1\}")
_FRACTION = 45  # its bar holds it together, but not below an exponent


def escape(text: str) -> str:
    r"""Return a text that LaTeX prints as it stands.

    Examples
    --------
    >>> escape("50 % of out_h1 & #2")
    '50 \\% of out\\_h1 \\& \\#2'
    """
    return "".join(map(_character, text))


def _character(c: str) -> str:
    if c in _SPECIAL:
        return _SPECIAL[c]
    if " " <= c <= "~":
        return c
    if c in "\n\t":
        return " "
    known = _in_mathematics(c)
    if known:
        return f"\\ensuremath{{{known.strip()}}}"
    return f"U+{ord(c):04X}"


def _in_mathematics(c: str) -> str | None:
    """A sign or a letter of another alphabet in mathematics; None where it is not known."""
    if c in _SIGNS:
        return _SIGNS[c]
    name = unicodedata.name(c, "")
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", name)
    if greek:
        letter = greek[2].lower().replace("lamda", "lambda")
        if letter in _GREEK.split():
            return _greek(letter, is_capital=greek[1] == "CAPITAL")
    raised = unicodedata.decomposition(c).split()
    if raised and raised[0] in ("<super>", "<sub>"):
        inner = chr(int(raised[1], 16))
        plain = inner if (inner.isascii() and inner.isalnum()) or inner in "+-=()" else None
        shown = plain or (None if inner in "\\{}" else _in_mathematics(inner))
        if shown is not None:
            return f"{{}}{'^' if raised[0] == '<super>' else '_'}{{{shown}}}"
    return None


def _greek(letter: str, *, is_capital: bool) -> str:
    if not is_capital:
        return f"\\{letter} "
    own = [
        "gamma",
        "delta",
        "theta",
        "lambda",
        "xi",
        "pi",
        "sigma",
        "upsilon",
        "phi",
        "psi",
        "omega",
    ]
    return f"\\{letter.capitalize()} " if letter in own else f"\\mathrm{{{letter[0].upper()}}}"


def symbol_in_latex(symbol: Symbol) -> str:
    r"""How a number is called, for mathematics: ``\frac{\partial E}{\partial w_{5}}``."""
    plain = _reread(symbol.base) if not symbol.index else _indexed(symbol.base, symbol.index)
    match symbol.of:
        case "derivative" | "factor":
            return f"\\frac{{\\partial {_reread(symbol.other)}}}{{\\partial {plain}}}"
        case "next":
            return f"{plain}^{{+}}" if "^" not in plain else f"{{{plain}}}^{{+}}"
    return plain


def _reread(text: str) -> str:
    """A symbol that is there as text only: ``a1[0,3]``."""
    match = re.fullmatch(r"(.+?)\[([^\[\]]*)\]", text)
    return _name(text) if match is None else _indexed(match[1], match[2].split(","))


_TEXTBOOK = re.compile(r"(?P<stem>[^\W\d_]+)_?(?P<below>\w*)")


def _name(base: str) -> str:
    """A name as a textbook sets it, where it is one: letters, and what stands below them."""
    match = _TEXTBOOK.fullmatch(base)
    if match is None or not all(c.isascii() or _in_mathematics(c) for c in base):
        return f"\\texttt{{{escape(base)}}}"
    stem, below = match["stem"], match["below"].replace("_", r"\_")
    if len(stem) == 1:
        letter = stem if stem.isascii() else str(_in_mathematics(stem)).strip()
    else:
        letter = (
            f"\\mathrm{{{''.join(c if c.isascii() else str(_in_mathematics(c)) for c in stem)}}}"
        )
    return f"{letter}_{{{_below(below)}}}" if below else letter


def _letters(text: str) -> str:
    return "".join(c if c.isascii() else str(_in_mathematics(c)) for c in text)


def _below(text: str) -> str:
    letters = _letters(text)
    return letters if len(letters) == 1 or letters.isdigit() else f"\\mathrm{{{letters}}}"


def _indexed(base: str, index: Sequence[int | str]) -> str:
    name = _name(base)
    below = ",".join(escape(str(i)) for i in index)
    return f"{name}[{below}]" if "_" in name else f"{name}_{{{below}}}"


def number_in_latex(text: str) -> str:
    r"""A written number: ``4.2\cdot 10^{-5}``.

    Examples
    --------
    >>> number_in_latex("4.25e-05"), number_in_latex("nan"), number_in_latex("-inf")
    ('4.25\\cdot 10^{-5}', '\\mathrm{NaN}', '-\\infty')
    """
    sign, size = ("-", text[1:]) if text.startswith("-") else ("", text)
    if size in ("nan", "inf", "true", "false"):
        return sign + {"nan": r"\mathrm{NaN}", "inf": r"\infty"}.get(size, f"\\mathrm{{{size}}}")
    mantissa, _, exponent = size.partition("e")
    return f"{sign}{mantissa}" + (f"\\cdot 10^{{{int(exponent)}}}" if exponent else "")


@dataclass(frozen=True)
class _Markup:
    """Some LaTeX: what it reads as decides where parentheses stand; its length, where it breaks."""

    text: str
    precedence: int = ATOM
    signed: bool = False
    terms: tuple[str, ...] = ()


def in_latex(expression: Expression, name_leaf: Callable[[Expression], str]) -> list[str]:
    """Write an expression, in several lines where it is a long sum.

    Parameters
    ----------
    expression : Expression
    name_leaf : callable
        The LaTeX of a leaf.
    """
    found = read(expression, _Reader(name_leaf))
    if len(found.terms) < 2 or length_of(found.text) <= LONGEST:
        return [found.text]
    lines: list[str] = []
    for term in found.terms:
        if lines and length_of(lines[-1]) + length_of(term) <= LONGEST:
            lines[-1] += term
        else:
            lines.append(term)
    return lines


def length_of(text: str) -> int:
    """About how many characters of a line some LaTeX takes."""
    return len(re.sub(r"\\(?:text\w*|math\w*|frac|partial|left|right|cdot) ?|[{}\\_^]", "", text))


def definition_in_latex(name: str, expression: Expression) -> str:
    r"""``\mathrm{sigmoid}(x) = …``."""
    return f"\\mathrm{{{escape(name)}}}(x) = {read(expression, _Reader(_letter)).text}"


def _letter(leaf: Expression) -> str:
    match leaf:
        case Letter(name):
            return _name(name)
        case Literal(value):
            return number_in_latex(literal(value))
    raise TypeError(f"{type(leaf).__name__} has no place in a definition")


def name_of_leaf(trace: Trace, *, with_numbers: bool) -> Callable[[Expression], str]:
    """How to write a leaf of a row: its symbol, or its number."""
    notation = Notation(symbol=symbol_in_latex, number=number_in_latex, omitted=r"\cdots")
    return notation.leaves(trace, with_numbers=with_numbers)


def rows_in_latex(explanation: Explanation) -> list[list[str]]:
    """Rule, numbers and value of a number, each in its lines."""
    rows = [_row(explanation, row) for row in rows_of(explanation)]
    value = number_in_latex(number(explanation.value))
    return rows if rows and rows[-1] == [value] else [*rows, [value]]


def _row(explanation: Explanation, row: Row) -> list[str]:
    name = name_of_leaf(explanation.trace, with_numbers=row.with_numbers)
    return in_latex(row.expression, name)


@dataclass(frozen=True)
class _Reader:
    name_leaf: Callable[[Expression], str]

    def leaf(self, leaf: Expression) -> _Markup:
        text = self.name_leaf(leaf)
        signed = text.startswith("-")
        return _Markup(text, SUM if signed else ATOM, signed)

    def apply(self, op: str, arguments: Sequence[_Markup], dtype: DType | None) -> _Markup:
        outer = notation_of(op, len(arguments))
        if outer is None:
            inner = ", ".join(argument.text for argument in arguments)
            return _Markup(f"\\mathrm{{{escape(op)}}}\\left({inner}\\right)")
        pieces = list(_PIECE.finditer(outer.notation))
        if pieces[0]["condition"]:
            return _cases(pieces[0], arguments)
        text = "".join(_written(piece, arguments, outer) for piece in pieces)
        precedence = outer.precedence
        if len(pieces) == 1:
            precedence = {"root": ATOM, "below": _FRACTION}.get(
                pieces[0].lastgroup or "", precedence
            )
        signed = text.startswith("-")
        return _Markup(text, precedence, signed, _terms(outer, arguments))

    def fold(self, op: str, items: Sequence[_Markup], order: str) -> _Markup:
        if order.startswith(OVER):
            is_command = _COMMANDS.fullmatch(op)
            sign = r"\sum" if op == "add" else f"\\{op}" if is_command else escape(op)
            body = items[0]
            inner = _enclosed(body.text) if body.precedence <= SUM else body.text
            return _Markup(f"{sign}_{{{escape(order.removeprefix(OVER))}}} {inner}", SUM)
        if op != "add":
            inner = ", ".join(item.text for item in items)
            return _Markup(f"\\mathrm{{{escape(op)}}}\\left({inner}\\right)")
        terms = []
        for k, item in enumerate(items):
            is_second = bool(k)
            needs = item.precedence < SUM or (item.signed and is_second)
            text = _enclosed(item.text) if needs else item.text
            terms.append(f" + {text}" if is_second else text)
        return _Markup("".join(terms), SUM, items[0].signed, tuple(terms))


def _terms(outer: Elementwise, arguments: Sequence[_Markup]) -> tuple[str, ...]:
    """The terms of a sum of two, so that a long one can be broken."""
    sign = _SUM_OF_TWO.fullmatch(outer.notation)
    if sign is None:
        return ()
    first, second = arguments
    needs = needs_parentheses(outer, 1, second.precedence, signed=second.signed)
    last = _enclosed(second.text) if needs else second.text
    return (*(first.terms or (first.text,)), f" {sign[1]} {last}")


def _written(piece: re.Match[str], arguments: Sequence[_Markup], outer: Elementwise) -> str:
    kind, text = piece.lastgroup, piece[0]

    def whole(name: str) -> str:
        return arguments[int(piece[name])].text

    def enclosed(name: str) -> str:
        position = int(piece[name])
        argument = arguments[position]
        if needs_parentheses(outer, position, argument.precedence, signed=argument.signed):
            return _enclosed(argument.text)
        return argument.text

    match kind:
        case "root":
            return f"\\sqrt{{{whole('root')}}}"
        case "exponential":
            return f"\\exp\\left({whole('exponential')}\\right)"
        case "exponent":
            return f"{{{enclosed('base')}}}^{{{whole('exponent')}}}"
        case "squared":
            return f"{{{enclosed('squared')}}}^{{2}}"
        case "below":
            return f"\\frac{{{whole('above')}}}{{{whole('below')}}}"
        case "argument":
            return enclosed("argument")
        case "word":
            return f"\\{text}" if _COMMANDS.fullmatch(text) else f"\\mathrm{{{escape(text)}}}"
        case "space":
            return " "
    return _OPERATORS.get(text) or _SIGNS.get(text) or escape(text)


def _cases(piece: re.Match[str], arguments: Sequence[_Markup]) -> _Markup:
    then, condition, otherwise = (
        arguments[int(piece[name])].text for name in ("then", "condition", "otherwise")
    )
    return _Markup(
        f"\\begin{{cases}}{then} & \\text{{if }}{condition}\\\\ "
        f"{otherwise} & \\text{{otherwise}}\\end{{cases}}",
        0,
    )


def _enclosed(text: str) -> str:
    return f"\\left({text}\\right)"
