"""An explanation as text: lines of a given width, each of parts with a style.

Characters that could steer a terminal are shown as what they are, wherever a text comes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainrule.base.harmless import plain
from chainrule.explanation.captions import Caption
from chainrule.explanation.explanation import Explanation
from chainrule.explanation.printing.balance import Balance, Item
from chainrule.explanation.printing.digits import number
from chainrule.explanation.printing.formulas import (
    Notation,
    Row,
    rows_of,
    term_row,
)
from chainrule.explanation.printing.report import Report, in_python, title_of
from chainrule.explanation.proofs import Proof
from chainrule.explanation.tree import Branch
from chainrule.ops import format_expression
from chainrule.ops.expression import Apply, Expression, Fold

Opening = Callable[[Explanation], str | None]

NARROWEST = 40
_NARROWEST_CELL = 10
_NARROWEST_TABLE = 40
_LISTED = 3  # numbers that are not opened; of more, the largest is named

_VERDICTS = {
    True: ("holds", "green"),
    False: ("DOES NOT HOLD", "bold red"),
    None: ("says nothing", "yellow"),
}
_BREAKS = re.compile(r"[ ·/,]")


@dataclass(frozen=True)
class Line:
    """One line: its text, in parts of one style each (``bold``, ``dim``, ``red`` … or none)."""

    parts: tuple[tuple[str, str], ...] = ()

    @property
    def plain(self) -> str:
        """The text alone."""
        return "".join(text for text, _ in self.parts).rstrip()


def written(explanation: Explanation, row: Row) -> str:
    """One row of a derivation on one line."""
    return write(explanation, row.expression, with_numbers=row.with_numbers)


def write(explanation: Explanation, expression: Expression, *, with_numbers: bool = False) -> str:
    """An expression in names, or with their numbers plugged in."""
    notation = Notation(symbol=str, number=str, omitted="…")
    leaves = notation.leaves(explanation.trace, with_numbers=with_numbers)
    return plain(format_expression(expression, leaves))


def lines_of(report: Report, width: int, opening: Opening | None = in_python) -> list[Line]:
    """The lines of a report.

    Parameters
    ----------
    report : Report
    width : int
        In characters; no line is longer, unless it has a word that is.
    opening : callable, optional
        What is typed to open a number; where there is nothing to type, nothing is said of it.
    """
    page = _Page(max(width, NARROWEST))
    explanation = report.explanation
    if explanation.trace.notice:
        page.wrapped(f"{plain(explanation.trace.notice)}.", style="bold red")
        page.blank()
    page.wrapped(plain(title_of(explanation)), style="bold")
    page.wrapped(f"{plain(explanation.what)}: {plain(explanation.name)}")
    page.wrapped(plain(report.context), style="dim")
    if explanation.is_given and not report.sections:
        page.blank()
        goes = f" It goes into {plain(report.goes_into)}." if report.goes_into else ""
        page.wrapped(f"Nothing in this step computes it, and nothing changes it.{goes}")
    for section in report.sections:
        page.heading(section.heading)
        page.derivation(report, section.tree)
        if section.change is not None:
            symbol = plain(str(explanation.symbol))
            page.wrapped(f"Δ{symbol} = {symbol}⁺ - {symbol} = {number(section.change)}", 2)
    if report.definitions or len(report.captions) > 1:
        page.blank()
        for definition in report.definitions:
            page.wrapped(f"where {definition.text}", 6)
    for caption in report.captions[1:] if _begins_with_caption(report) else report.captions:
        page.caption(caption)
    if report.proofs:
        page.heading("Proofs")
        for about, proof in report.proofs:
            page.proof(plain(str(about.symbol)), proof)
        page.others(report)
    if report.source_line is not None:
        where, text = report.source_line
        page.heading("Your line")
        page.wrapped(plain(where), style="dim")
        page.wrapped(plain(text))
    typed = opening(report.closed) if opening and report.closed is not None else None
    if typed:
        page.blank()
        page.wrapped(f"▸ is not opened here: {plain(typed)}", style="dim")
    return page.lines


def _begins_with_caption(report: Report) -> bool:
    return bool(report.sections) and report.sections[0].explanation.caption is not None


class _Page:
    """Lines that are being written."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[Line] = []

    def blank(self) -> None:
        self.lines.append(Line())

    def heading(self, text: str) -> None:
        self.blank()
        self.lines.append(Line(((text, "bold"),)))

    def wrapped(self, text: str, indent: int = 0, style: str = "") -> None:
        """A text, its later lines indented."""
        for k, piece in enumerate(wrap(text, self.width, self.width - indent)):
            self.lines.append(Line(((" " * indent * bool(k) + piece, style),)))

    def derivation(self, report: Report, tree: Branch) -> None:
        """A number row by row, its terms, and below it what it is made of."""
        explanation = tree.explanation
        symbol = plain(str(explanation.symbol))
        self.rows(symbol, _texts(explanation), "", "", first_style="bold")
        if explanation.caption is not None and tree is report.sections[0].tree:
            self.caption(explanation.caption)
        table = report.balance_of(tree)
        if table is not None:
            self.blank()
            self.table(table, "")
        if tree.closed or not all(below.is_repeated for below in tree.branches):
            self.blank()
            self.branches(report, tree)

    def branches(self, report: Report, tree: Branch) -> None:
        """What a number is made of, as a tree."""
        stack: list[tuple[Branch | Explanation | str, str, bool]] = []

        def push(branch: Branch, prefix: str) -> None:
            below: list[Branch | Explanation | str] = [*branch.branches]
            if len(branch.closed) <= _LISTED:
                below.extend(branch.closed)
            else:
                noun = "others" if branch.branches else "numbers"
                below.append(f"▸ {len(branch.closed)} {noun}, {_largest(branch.closed)}")
            last = len(below) - 1
            stack.extend((each, prefix, k == last) for k, each in reversed(list(enumerate(below))))

        push(tree, "")
        while stack:
            each, prefix, is_last = stack.pop()
            first, rest = prefix + ("└ " if is_last else "├ "), prefix + ("  " if is_last else "│ ")
            if isinstance(each, str):
                self.parts((first, "dim"), (each, "dim"))
                continue
            if isinstance(each, Explanation):
                self.parts((first, "dim"), (f"▸ {plain(title_of(each))}", "dim"))
                continue
            explanation = each.explanation
            if each.is_repeated:
                self.parts((first, "dim"), (plain(title_of(explanation)), ""), ("  (above)", "dim"))
                continue
            table = report.balance_of(each)
            has_below = bool(each.branches or each.closed)
            caption = explanation.caption
            self.rows(
                plain(str(explanation.symbol)),
                _texts(explanation),
                first,
                rest + ("│ " if has_below else "  "),
                note=caption.name if caption else "",
            )
            if table is not None:
                self.table(table, rest + ("│ " if has_below else "  "))
            push(each, rest)

    def parts(self, *parts: tuple[str, str]) -> None:
        """A line of several styles, cut where it is too long."""
        left, kept = self.width, []
        for text, style in parts:
            kept.append((text[:left], style))
            left -= len(text[:left])
        self.lines.append(Line(tuple(kept)))

    def rows(
        self,
        symbol: str,
        rows: Sequence[str],
        first: str,
        rest: str,
        *,
        note: str = "",
        first_style: str = "",
    ) -> None:
        """``symbol = row = row``: on one line where that fits, and it is no beginning."""
        tail = f"  {note}" if note else ""
        whole = " = ".join([symbol, *rows])
        if not first_style and len(first) + len(whole) + len(tail) <= self.width:
            self.lines.append(Line(((first, "dim"), (whole, ""), (tail, "cyan"))))
            return
        hang = len(symbol) if len(symbol) + len(rest) < self.width // 3 else 2
        is_alone = len(first) + len(symbol) + _NARROWEST_CELL > self.width
        if is_alone:  # the symbol takes the line: what it is stands below
            self.parts((first, "dim"), (symbol, first_style))
            first = rest
        for k, row in enumerate(rows):
            lead = f"{symbol} = " if k == 0 and not is_alone else " " * hang + " = "
            body = wrap(row, self.width - len(first) - len(lead), self.width - len(rest) - hang - 3)
            for j, piece in enumerate(body):
                begins = k == 0 and j == 0
                margin = (first if begins else rest, "dim")
                start = lead if j == 0 else " " * (hang + 3)
                if not begins:
                    start = start[max(0, len(rest) - len(first)) :]
                style = first_style if k in (0, len(rows) - 1) else ""
                end = (tail, "cyan") if begins else ("", "")
                if begins and len(first) + len(start) + len(piece) + len(tail) > self.width:
                    end = ("", "")
                self.lines.append(Line((margin, (start + piece, style), end)))

    def table(self, table: Balance, margin: str) -> None:
        """The terms of a sum, the largest first, down to the stored number."""
        column = table.column
        unit = f" ·10^{column.power}" if column.power else ""
        heads = ["example" if table.examples_differ else "term", "in numbers", f"value{unit}"]
        cells = [
            [*_cells(table, item), text, _percent(item.share)]
            for item, text in zip(table.items, column.cells, strict=True)
        ]
        if column.rounding:
            cells.append(["rounding", "", column.rounding, ""])
        symbol = plain(str(table.explanation.symbol))
        cells.append([f"sum of {table.count}" if margin else symbol, "", column.total, ""])
        cells.insert(0, [*heads, "share"])
        self.columns(cells, margin, last_style="" if margin else "bold")

    def columns(self, cells: list[list[str]], margin: str, last_style: str = "") -> None:
        """Cells below each other, text to the left and numbers to the right."""
        margin = margin[: max(self.width - _NARROWEST_TABLE, 0)]
        widths = [max(len(row[k]) for row in cells) for k in range(4)]
        free = self.width - len(margin) - widths[2] - widths[3] - 6
        widths[1] = min(widths[1], free - widths[0])
        if widths[1] < _NARROWEST_CELL:  # no room for numbers: they stand where a term is opened
            widths[0], widths[1] = min(widths[0], free + 2), 0
        for k, row in enumerate(cells):
            texts = [f"{_cut(row[0], widths[0]):<{widths[0]}}"]
            if widths[1]:
                texts.append(f"{_cut(row[1], widths[1]):<{widths[1]}}")
            texts.append(f"{row[2]:>{widths[2]}}")
            texts.append(f"{row[3]:>{widths[3]}}")
            style = "dim" if k == 0 else last_style if k == len(cells) - 1 else ""
            self.lines.append(Line(((margin, "dim"), ("  ".join(texts), style))))

    def caption(self, caption: Caption) -> None:
        """A name, the equation it is known by, and the same in words."""
        self.wrapped(f"{caption.name}  {caption.equation}: {caption.words}", 5, "cyan")

    def proof(self, symbol: str, proof: Proof) -> None:
        """What was checked, and whether it holds."""
        verdict, style = _VERDICTS[proof.holds]
        told = f"{proof.kind} {verdict}: {plain(proof.statement)}"
        for k, piece in enumerate(wrap(f"{symbol}, {told}", self.width, self.width - 2)):
            before, found, after = piece.partition(f" {verdict}:")
            found, colon = (found[:-1], ":") if found else ("", "")
            margin = "  " if k else ""
            self.lines.append(Line(((margin + before, ""), (found, style), (colon + after, ""))))

    def others(self, report: Report) -> None:
        """Whether the other numbers that are shown come out again."""
        count = len(report.explanations) - len(report.sections)
        for proof in report.doubtful:
            self.proof("another number above", proof)
        if count > 0 and not report.doubtful:
            which = "the other number" if count == 1 else f"each of the other {count} numbers"
            self.wrapped(f"Re-evaluation of {which} above holds, too.", 2)


def lay_out(cells: Sequence[Sequence[str]], width: int, right: Sequence[int] = ()) -> list[Line]:
    """Cells below each other, the first row being headings; the last column takes what is left."""
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    last = len(widths) - 1
    widths[0] = min(widths[0], max(width - sum(widths[1:last]) - 2 * last - 12, 12))
    widths[last] = max(width - sum(widths[:last]) - 2 * last, 0)
    lines = []
    for j, row in enumerate(cells):
        texts = [
            f"{_cut(text, w):>{w}}" if k in right else f"{_cut(text, w):<{w}}"
            for k, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(Line((("  ".join(texts)[:width], "" if j else "dim"),)))
    return lines


def _texts(explanation: Explanation) -> list[str]:
    rows = [written(explanation, row) for row in rows_of(explanation)]
    value = number(explanation.value)
    return rows if rows and rows[-1] == value else [*rows, value]


def _cells(table: Balance, item: Item) -> list[str]:
    if item.term is None:
        return [label_of(table, item), ""]
    expression = term_row(table.explanation.trace, item.term)
    # A term that is one number says no more with it than the value beside it does.
    is_one = not isinstance(expression, Apply | Fold)
    numbers = "" if is_one else write(table.explanation, expression, with_numbers=True)
    return [label_of(table, item), numbers]


def label_of(table: Balance, item: Item) -> str:
    """What a line of a table is about: an example, a term, or all the others."""
    if item.term is None:
        return "the other one" if item.count == 1 else f"the {item.count} others"
    if not table.examples_differ:
        return write(table.explanation, term_row(table.explanation.trace, item.term))
    row = table.row_of_data(item.term)
    return f"b = {item.term.example}" + ("" if row is None else f", row {row}")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _largest(explanations: Sequence[Explanation]) -> str:
    largest = max(explanations, key=lambda each: abs(float(each.value)))
    return f"the largest {plain(title_of(largest))}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def wrap(text: str, first: int, rest: int) -> list[str]:
    """Break a text into lines, at spaces, or else after an operator."""
    lines: list[str] = []
    left = text
    while True:
        width = max(rest if lines else first, 8)
        if len(left) <= width:
            return [*lines, left]
        at = left.rfind(" ", 1, width + 1)
        if at < width // 3:
            at = max((m.end() for m in _BREAKS.finditer(left, 0, width)), default=width)
        lines.append(left[:at].rstrip())
        left = left[at:].lstrip()
