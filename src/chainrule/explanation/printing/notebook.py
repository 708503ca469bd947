"""An explanation as HTML, for notebooks and for a page of its own: formulas in MathML, no scripts.

Whatever a name, a label or a file holds is escaped. Details fold by themselves; nothing is loaded,
so that an exported notebook shows the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from chainrule.base.harmless import plain
from chainrule.explanation.explanation import Explanation
from chainrule.explanation.printing.balance import Balance
from chainrule.explanation.printing.digits import number
from chainrule.explanation.printing.formulas import (
    Notation,
    Row,
    rows_of,
)
from chainrule.explanation.printing.overview import Overview
from chainrule.explanation.printing.report import Report, in_python, title_of
from chainrule.explanation.printing.text import label_of
from chainrule.explanation.symbols import Symbol
from chainrule.explanation.trace import Trace
from chainrule.explanation.tree import Branch
from chainrule.ops.expression import Expression
from chainrule.ops.mathml import mathml

# What a notebook says of tables and lists of its own is stronger than a class: hence !important.
STYLE = (
    "<style>.chainrule{line-height:1.5}.chainrule table{border-collapse:collapse}"
    ".chainrule td,.chainrule th{padding:0 .8em 0 0;text-align:left!important;font-weight:normal}"
    ".chainrule .n{text-align:right!important;font-variant-numeric:tabular-nums}"
    ".chainrule ul,.chainrule li{list-style:none!important}"
    ".chainrule ul{padding-left:1.2em;margin:0}"
    ".chainrule math{font-size:1.05em}.chainrule .q{opacity:.7}"
    ".chainrule .scroll{overflow-x:auto;overflow-y:hidden;padding:.2em 0}</style>"
)
_VERDICTS = {True: "holds", False: "does not hold", None: "says nothing"}


def fragment(report: Report) -> str:
    """A report as a piece of HTML."""
    explanation = report.explanation
    parts = [STYLE]
    if explanation.trace.notice:
        parts.append(_paragraph(f"<strong>{escaped(explanation.trace.notice)}.</strong>"))
    value = _number(number(explanation.value))
    parts.append(_paragraph(f"<strong>{_math(_symbol(explanation.symbol), value)}</strong>"))
    parts.append(
        _paragraph(
            f"{escaped(explanation.what)}: <code>{escaped(explanation.name)}</code><br>"
            f'<span class="q">{escaped(report.context)}</span>'
        )
    )
    if explanation.is_given and not report.sections:
        goes = f" It goes into {escaped(report.goes_into)}." if report.goes_into else ""
        parts.append(_paragraph(f"Nothing in this step computes it, and nothing changes it.{goes}"))
    for section in report.sections:
        parts.append(f"<h4>{escaped(section.heading)}</h4>")
        parts.append(_derivation(report, section.tree))
        if section.change is not None:
            delta = f"<mrow><mo>Δ</mo>{_symbol(explanation.symbol)}</mrow>"
            parts.append(_paragraph(_math(delta, _number(number(section.change)))))
    for definition in report.definitions:
        parts.append(_paragraph(f"where {escaped(definition.text)}"))
    for caption in report.captions:
        told = f"{escaped(caption.equation)}: {escaped(caption.words)}"
        parts.append(_paragraph(f"<strong>{caption.name}</strong> {told}"))
    if report.proofs:
        parts.append("<h4>Proofs</h4><ul>")
        for about, proof in report.proofs:
            symbol = f"<math>{_symbol(about.symbol)}</math>"
            verdict = f"<strong>{_VERDICTS[proof.holds]}</strong>"
            told = f"{escaped(proof.kind)} {verdict}: {escaped(proof.statement)}"
            parts.append(f"<li>{symbol}, {told}</li>")
        parts.append("</ul>")
    if report.source_line is not None:
        where, text = report.source_line
        parts.append(_paragraph(f"{escaped(where)}: <code>{escaped(text)}</code>"))
    return f'<div class="chainrule">{"".join(parts)}</div>'


def page(report: Report) -> str:
    """A report as a page of its own."""
    title = escaped(title_of(report.explanation))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title></head><body><main>\n{fragment(report)}\n</main></body></html>\n"
    )


def overview_fragment(overview: Overview) -> str:
    """An overview of a trace as a piece of HTML."""
    parts = [STYLE]
    if overview.trace.notice:
        parts.append(_paragraph(f"<strong>{escaped(overview.trace.notice)}.</strong>"))
    parts.append(_paragraph(f"<strong>{escaped(overview.title)}</strong>"))
    parts.append(_paragraph("<br>".join(map(escaped, overview.made_of))))
    heads = ["value", "what it is", "shape", "largest |value|", "largest |gradient|", "names"]
    rows = [
        [
            f"<code>{escaped(row.name)}</code>",
            escaped(row.what),
            escaped(row.shape),
            "" if row.value is None else f"{row.value:.6g}",
            "" if row.gradient is None else f"{row.gradient:.6g}",
            escaped(", ".join(row.names)),
        ]
        for row in overview.rows
    ]
    parts.append(html_table(heads, rows, numbers=(3, 4)))
    typed = "".join(
        f"<li><code>{escaped(in_python(each) or '')}</code></li>" for each in overview.suggestions
    )
    parts.append(f"<p>Open any number by its name and index:</p><ul>{typed}</ul>")
    return f'<div class="chainrule">{"".join(parts)}</div>'


def escaped(text: str) -> str:
    """A text as HTML, which nothing in it can steer."""
    return escape(plain(text))


def _paragraph(inner: str) -> str:
    return f"<p>{inner}</p>"


def _derivation(report: Report, tree: Branch) -> str:
    """A tree as nested lists, put together from below."""
    results: list[str] = []
    stack: list[tuple[Branch, int, bool]] = [(tree, 0, False)]
    while stack:
        branch, depth, is_ready = stack.pop()
        if not is_ready:
            stack.append((branch, depth, True))
            stack.extend((below, depth + 1, False) for below in reversed(branch.branches))
            continue
        first = len(results) - len(branch.branches)
        below, results = results[first:], results[:first]
        results.append(_branch(report, branch, below, is_open=depth < _OPEN))
    return results[0]


def _branch(report: Report, branch: Branch, below: list[str], *, is_open: bool) -> str:
    explanation = branch.explanation
    if branch.is_repeated:
        value = _math(_symbol(explanation.symbol), _number(number(explanation.value)))
        return f'{value} <span class="q">(above)</span>'
    caption = explanation.caption
    name = f' <span class="q">{caption.name}</span>' if caption else ""
    table = report.balance_of(branch)
    inner = [f'<div class="scroll">{_rows(explanation)}{name}</div>']
    if table is not None:
        inner.append(_balance(table))
    items = [*below, *(_closed(each) for each in branch.closed[:_CLOSED])]
    if len(branch.closed) > _CLOSED:
        items.append(f'<span class="q">and {len(branch.closed) - _CLOSED} more</span>')
    if branch.closed or not all(each.is_repeated for each in branch.branches):
        listed = f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"
        inner.append(
            f"<details{' open' if is_open else ''}><summary>made of</summary>{listed}</details>"
        )
    return "".join(inner)


_OPEN = 2  # levels that are unfolded from the start
_CLOSED = 3  # numbers that are not opened and yet named


def _closed(explanation: Explanation) -> str:
    value = _math(_symbol(explanation.symbol), _number(number(explanation.value)))
    return f'<span class="q">{value}</span>'


def _rows(explanation: Explanation) -> str:
    rows = [_row(explanation, row) for row in rows_of(explanation)]
    value = _number(number(explanation.value))
    if not rows or rows[-1] != value:
        rows.append(value)
    return _math(_symbol(explanation.symbol), *rows)


def _math(*sides: str) -> str:
    """Sides of an equation; of three or more, each on a line of its own."""
    if len(sides) < 3:
        return f"<math><mrow>{'<mo>=</mo>'.join(sides)}</mrow></math>"
    rows = "".join(
        f"<mtr><mtd style='text-align:right'>{sides[0] if k == 0 else ''}</mtd>"
        f"<mtd style='text-align:left'><mrow><mo>=</mo>{side}</mrow></mtd></mtr>"
        for k, side in enumerate(sides[1:])
    )
    return f"<math><mtable>{rows}</mtable></math>"


def _row(explanation: Explanation, row: Row) -> str:
    return mathml(row.expression, name_of_leaf(explanation.trace, with_numbers=row.with_numbers))


def name_of_leaf(trace: Trace, *, with_numbers: bool) -> Callable[[Expression], str]:
    """How to write a leaf of a row: its symbol, or its number."""
    notation = Notation(symbol=_symbol, number=_number, omitted="<mo>…</mo>")
    return notation.leaves(trace, with_numbers=with_numbers)


_TEXTBOOK = re.compile(r"(?P<stem>[^\W\d_]+)_?(?P<below>\w*)")


def _symbol(symbol: Symbol) -> str:
    """The MathML of a symbol: a fraction of ∂ where it is a derivative."""
    base = _name(symbol.base, symbol.index) if symbol.index else _reread(symbol.base)
    match symbol.of:
        case "derivative" | "factor":
            above = _reread(symbol.other)
            return f"<mfrac><mrow><mo>∂</mo>{above}</mrow><mrow><mo>∂</mo>{base}</mrow></mfrac>"
        case "next":
            return f"<msup><mrow>{base}</mrow><mo>+</mo></msup>"
    return base


def _reread(text: str) -> str:
    """A symbol that is there as text only: ``a1[0,3]``."""
    stem, _, index = text.removesuffix("]").partition("[")
    return _name(stem, tuple(index.split(","))) if index else _name(text, ())


def _name(base: str, index: tuple[int | str, ...]) -> str:
    """A name as a textbook sets it, where it is one: letters, and what stands below them."""
    parts = _TEXTBOOK.fullmatch(base)
    below = f"<mtext>{escaped(','.join(map(str, index)))}</mtext>" if index else ""
    if parts is None or not parts["below"]:
        name = f"<mi>{escaped(base)}</mi>"
        return f"<msub>{name}{below}</msub>" if index else name
    name = f"<msub><mi>{escaped(parts['stem'])}</mi><mtext>{escaped(parts['below'])}</mtext></msub>"
    return f"<mrow>{name}<mo>[</mo>{below}<mo>]</mo></mrow>" if index else name


def _number(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    is_negative = mantissa.startswith("-")
    size = mantissa.removeprefix("-")
    tag = "mn" if size[:1].isdigit() else "mi"
    sign = '<mo form="prefix">\N{MINUS SIGN}</mo>' if is_negative else ""
    if not exponent:
        return f"{sign}<{tag}>{escape(size)}</{tag}>"
    power = f"<msup><mn>10</mn><mn>{int(exponent)}</mn></msup>"
    return f"{sign}<mrow><mn>{escape(size)}</mn><mo>·</mo>{power}</mrow>"


def _balance(table: Balance) -> str:
    """The terms of a sum, down to the stored number."""
    column = table.column
    unit = f" ·10<sup>{column.power}</sup>" if column.power else ""
    heads = ["example" if table.examples_differ else "term", f"value{unit}", "share"]
    rows = [
        [
            escaped(label_of(table, item)),
            text,
            "" if item.share is None else f"{100 * item.share:.1f} %",
        ]
        for item, text in zip(table.items, column.cells, strict=True)
    ]
    if column.rounding:
        rows.append(["rounding", column.rounding, ""])
    rows.append([escaped(str(table.explanation.symbol)), column.total, ""])
    return html_table(heads, rows, numbers=(1, 2))


def html_table(heads: list[str], rows: list[list[str]], numbers: tuple[int, ...]) -> str:
    """A table of cells that are HTML already."""

    def row(cells: list[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if k in numbers else ''}>{cell}</{tag}>"
            for k, cell in enumerate(cells)
        )

    head = f"<thead><tr>{row(heads, 'th')}</tr></thead>"
    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'
