"""Numbers, matrices and equations as they stand on paper: MathML, and plain text beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from chainrule.base.harmless import plain
from chainrule.explanation.expansion import Number
from chainrule.explanation.explanation import Explanation
from chainrule.explanation.printing.formulas import Figure, Row, is_large, rows_of, term_row
from chainrule.explanation.printing.notebook import name_of_leaf
from chainrule.explanation.trace import Array, Place, Trace
from chainrule.ops.expression import Expression, Fold, Literal
from chainrule.ops.mathml import mathml

_WRITTEN_OUT = 16  # terms of a sum: no layer of an exercise has more


def written(value: Any, digits: int) -> str:
    """A number with so many significant digits, and with the zeros that belong to them.

    Examples
    --------
    >>> written(0.08216704, 4), written(1.5, 3), written(-1234.5, 4), written(0, 4)
    ('0.08217', '1.50', '-1234', '0')
    """
    number = float(value)
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    return f"{number:#.{digits}g}".rstrip(".")


def text(words: str) -> str:
    """Text in a page."""
    return escape(plain(words))


def symbol(trace: Trace, place: Place) -> str:
    """The MathML of what a number is called."""
    return name_of_leaf(trace, with_numbers=False)(Number(place))


def name(letters: str) -> str:
    """The MathML of a name such as ``W1``: digits at its end stand below."""
    stem = letters.rstrip("0123456789")
    below = letters[len(stem) :]
    base = f"<mi>{text(stem)}</mi>"
    return f"<msub>{base}<mn>{below}</mn></msub>" if below and stem else base


def tag(number: str) -> str:
    """The MathML of a number that is written already."""
    sign = "<mo form='prefix'>\N{MINUS SIGN}</mo>" if number.startswith("-") else ""
    return f"<mrow>{sign}<mn>{text(number.removeprefix('-'))}</mn></mrow>"


def equation(left: str, *right: str) -> str:
    """An equation; each side after the first on a line of its own."""
    if len(right) == 1:
        return f"<math displaystyle='true'><mrow>{left}<mo>=</mo>{right[0]}</mrow></math>"
    rows = "".join(
        f"<mtr><mtd class='left'>{'' if k else left}</mtd>"
        f"<mtd class='right'><mrow><mo>=</mo>{side}</mrow></mtd></mtr>"
        for k, side in enumerate(right)
    )
    return f"<math displaystyle='true'><mtable displaystyle='true'>{rows}</mtable></math>"


def matrix(array: Array) -> str:
    """The MathML of numbers in rows; a vector stands upright."""
    rows = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
    cells = [[f"<mtd>{tag(f'{float(value):.10g}')}</mtd>" for value in row] for row in rows]
    inner = "".join(f"<mtr>{''.join(row)}</mtr>" for row in cells)
    left, right = (
        f"<mo fence='true' stretchy='true' form='{form}'>{sign}</mo>"
        for form, sign in (("prefix", "("), ("postfix", ")"))
    )
    return f"<mrow>{left}<mtable>{inner}</mtable>{right}</mrow>"


def rule(explanation: Explanation) -> str | None:
    """The MathML of how a number is computed, in symbols; None where nothing computes it."""
    rows = rows_of(explanation)
    return _row(explanation.trace, rows[0], 0) if rows else None


def derivation(explanation: Explanation, digits: int) -> str:
    """How a number is computed: in symbols, in numbers, and what comes out."""
    trace = explanation.trace
    found = rows_of(explanation)
    rows = [
        _row(trace, row, digits)
        for row in (*found, *_every_term(explanation, found))
        # A number alone would stand there twice: it is what comes out.
        if not (row.with_numbers and isinstance(row.expression, Number | Figure | Literal))
    ]
    result = tag(written(explanation.value, digits))
    return equation(symbol(trace, explanation.place), *rows, result)


def _every_term(explanation: Explanation, rows: Sequence[Row]) -> list[Row]:
    """A sum over examples or many units, which elsewhere is read as a table, in numbers."""
    terms = explanation.terms
    if not (is_large(terms) and len(terms) <= _WRITTEN_OUT):
        return []
    values = Row(Fold("add", tuple(Figure(term.value) for term in terms)), True)
    if any(row.with_numbers for row in rows):
        return [values]
    products = Fold("add", tuple(term_row(explanation.trace, term) for term in terms))
    return [Row(products, True), values]


def _row(trace: Trace, row: Row, digits: int) -> str:
    return mathml(row.expression, _leaves(trace, digits, with_numbers=row.with_numbers))


def _leaves(trace: Trace, digits: int, *, with_numbers: bool) -> Callable[[Expression], str]:
    named = name_of_leaf(trace, with_numbers=False)

    def leaf(each: Expression) -> str:
        match each:
            case Number(place) if with_numbers:
                value = trace.value(place)
                if value.dtype.kind == "f":
                    return named(Literal(_rounded(value, digits)))
                return named(Literal(int(value)))
            case Figure(value):
                return named(Literal(_rounded(value, digits)))
        return named(each)

    return leaf


def _rounded(value: Any, digits: int) -> float:
    return float(f"{float(value):.{digits}g}") + 0.0  # no -0


def in_columns(cells: Sequence[str], width: int) -> list[str]:
    """Short texts side by side, in lines of at most so many characters."""
    widest = max(map(len, cells), default=0) + 2
    count = max(width // widest, 1)
    lines = [cells[k : k + count] for k in range(0, len(cells), count)]
    return ["".join(cell.ljust(widest) for cell in line).rstrip() for line in lines]
