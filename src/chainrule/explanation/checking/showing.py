"""A check for people: on a terminal, as plain text, in a notebook.

What is said is one list of blocks; the two surfaces only set it, so that none says more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from string import ascii_lowercase
from typing import TYPE_CHECKING

import numpy as np

from chainrule.base.errors import ChainruleError, listed
from chainrule.base.harmless import plain
from chainrule.explanation.checking.hints import hint, hints_up_to
from chainrule.explanation.checking.telling_apart import Separation
from chainrule.explanation.checking.verdict import RIGHT, ROUNDED, WRONG, Cause, Check, Row
from chainrule.explanation.explanation import Explanation
from chainrule.explanation.printing.balance import balance
from chainrule.explanation.printing.digits import number
from chainrule.explanation.printing.formulas import is_large, rows_of
from chainrule.explanation.printing.notebook import STYLE, escaped, html_table
from chainrule.explanation.printing.report import name_to_type
from chainrule.explanation.printing.text import NARROWEST, Line, label_of, lay_out, wrap, written

if TYPE_CHECKING:
    from chainrule.explanation.trace import Array, Index

Opening = Callable[[Explanation], str | None]

_ROWS = 16
_CAUSES = 6
_TERMS = 3
_NUMBERS = 24  # of an input that is written out


@dataclass(frozen=True)
class Block:
    """One thing that is said.

    Parameters
    ----------
    text : str
    style : str
        ``bold``, ``dim``, ``red`` ...; a heading is ``heading``, what is typed ``code``.
    indent : int
        Of its later lines; of ``code``, of all.
    cells : sequence of rows
        A table in place of a text; the first row holds the headings.
    right : sequence of int
        Its columns of numbers.
    drop : sequence of int
        Columns that are left out, in this order, where there is no room for all.
    """

    text: str = ""
    style: str = ""
    indent: int = 0
    cells: Sequence[Sequence[str]] = ()
    right: Sequence[int] = ()
    drop: Sequence[int] = ()


def in_python(explanation: Explanation) -> str | None:
    """What is typed in Python to open a number of a check."""
    name = name_to_type(explanation)
    return None if name is None else f'.trace["{name}"].show()'


def lines_of_check(
    check: Check, width: int, *, hints: int | None = None, opening: Opening = in_python
) -> list[Line]:
    """The lines of a check, none longer than `width`."""
    width = max(width, NARROWEST)
    lines: list[Line] = []
    for block in blocks_of(check, hints, opening):
        if block.cells:
            lines.extend(_fitted(block, width))
            continue
        if block.style == "heading":
            lines.append(Line())
        style = {"heading": "bold", "code": ""}.get(block.style, block.style)
        text = plain(block.text)
        if block.style == "code":
            lines.append(Line(((f"  {text}", style),)))
            continue
        for k, piece in enumerate(wrap(text, width, width - block.indent)):
            lines.append(Line(((" " * (block.indent if k else 0) + piece, style),)))
    return lines


def _fitted(block: Block, width: int) -> list[Line]:
    """A table in so many columns as there is room for."""
    kept = list(range(len(block.cells[0])))
    for column in (*block.drop, None):
        widths = [max(len(row[k]) for row in block.cells) for k in kept]
        if column is None or sum(widths) + 2 * (len(widths) - 1) <= width:
            break
        kept.remove(column)
    cells = [[row[k] for k in kept] for row in block.cells]
    return lay_out(cells, width, [i for i, k in enumerate(kept) if k in block.right])


def fragment(check: Check) -> str:
    """A check as a piece of HTML."""
    parts = [STYLE]
    for block in blocks_of(check, None, in_python):
        text = escaped(block.text)
        if block.cells:
            heads, *rows = [[escaped(cell) for cell in row] for row in block.cells]
            parts.append(html_table(heads, rows, numbers=tuple(block.right)))
        elif block.style == "heading":
            parts.append(f"<h4>{text}</h4>")
        elif block.style == "code":
            parts.append(f"<p><code>{text}</code></p>")
        elif "bold" in block.style:
            parts.append(f"<p><strong>{text}</strong></p>")
        else:
            parts.append(f"<p>{text}</p>")
    return f'<div class="chainrule">{"".join(parts)}</div>'


def blocks_of(check: Check, hints: int | None, opening: Opening) -> Iterator[Block]:
    """What is said of a check, in order.

    Parameters
    ----------
    check : Check
    hints : int, optional
        Only hints, up to this level.
    opening : callable
        What is typed to open a number.
    """
    told = [] if hints is None else hints_up_to(check, hints)
    if check.trace.notice:
        yield Block(f"{check.trace.notice}.", "bold red")
    yield _title(check)
    yield from _values(check, hidden=hints is not None)
    for name, reason in check.problems.items():
        yield Block(f"{name} was not read: {reason.rstrip('.')}.", "yellow", 2)
    if check.verdict == WRONG and hints is not None:
        yield Block("Hints", "heading")
        for level, text in enumerate(told, 1):
            yield Block(f"{level}  {text}", "", 3)
        return
    if check.verdict == ROUNDED:
        yield Block(
            "The rules are right. What is off comes of numbers that were rounded before they "
            "were used: keep more digits until the end."
        )
    if check.verdict == WRONG:
        yield from _causes(check)
        if check.untried is not None:
            yield Block(f"{check.untried}", "yellow", 2)
        yield from _worst(check, opening)


def _title(check: Check) -> Block:
    rows = check.rows
    numbers, missing = sum(row.count for row in rows), sum(row.missing for row in rows)
    left = f"; {_counted(missing, 'is', 'are')} missing" if missing else ""
    off = sum(row.verdict != RIGHT for row in rows)
    unread = sum(name not in {row.entry.name for row in rows} for name in check.problems)
    match check.verdict:
        case "right" if check.problems:
            told = "What could be read is right" + (
                f"; {unread} was not read" if unread == 1 else ""
            )
            told += f"; {unread} were not read" if unread > 1 else ""
            return Block(f"{told}.", "bold yellow")
        case "right":
            whole = f"all {numbers} numbers" if numbers != 1 else "the number"
            return Block(f"Right: {whole} in {_values_told(len(rows))}{left}.", "bold green")
        case "rounded":
            return Block(
                f"Right, but rounded on the way: {off} of {_values_told(len(rows))} "
                f"{'is' if off == 1 else 'are'} off by a little{left}.",
                "bold green",
            )
    near = sum(row.verdict == ROUNDED for row in rows)
    off -= near
    left = f"; {_counted(near, 'is', 'are')} off by rounding{left}" if near else left
    which = f"{off} of {_values_told(len(rows))}" if len(rows) > 1 else "the value"
    is_one = off == 1
    return Block(f"Not right: {which} {'is' if is_one else 'are'} wrong{left}.", "bold red")


def _values_told(count: int) -> str:
    return f"{count} value" if count == 1 else f"{count} values"


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _values(check: Check, *, hidden: bool) -> Iterator[Block]:
    """Each value: how much of it is right, and the number that is furthest off."""
    shown = list(check.rows)
    if len(shown) > _ROWS:
        shown = sorted(shown, key=lambda row: row.is_right)[:_ROWS]
    if check.verdict != RIGHT:
        heads = ["value", "right", "worst", "yours", "" if hidden else "true", "read as"]
        cells = [heads, *(_cells(row, hidden=hidden) for row in shown)]
        yield Block(cells=cells, right=(1, 3, 4), drop=(5, 1))
        if len(check.rows) > len(shown):
            yield Block(f"... and {len(check.rows) - len(shown)} more values", "dim")
    noted: dict[str, list[str]] = {}
    for row in check.rows:
        if row.entry.note:
            noted.setdefault(row.entry.note, []).append(row.entry.name)
    for note, names in noted.items():
        yield Block(f"{listed(names)}: {note}.", "dim", 2)


def _cells(row: Row, *, hidden: bool) -> list[str]:
    entry = row.entry
    right = f"{row.count - row.wrong} of {row.count}"
    name, read = plain(entry.name), plain(_indexed(entry.value, entry.index or ()))
    if row.worst is None:
        return [name, right, "", "", "", read]
    at = f"[{','.join(map(str, row.worst))}]" if row.worst else ""
    yours, true = _figures(row)
    return [name, right, at, yours, "" if hidden else true, read]


def _figures(row: Row) -> tuple[str, str]:
    """A wrong number and the true one, with so many digits that they differ."""
    assert row.yours is not None
    assert row.truth is not None
    for digits in (6, 9, 12, 17):
        yours, true = f"{row.yours:.{digits}g}", f"{row.truth:.{digits}g}"
        if yours != true:
            break
    return yours, true


def _indexed(name: str, index: Index) -> str:
    return f"{name}[{','.join(map(str, index))}]" if index else name


def _causes(check: Check) -> Iterator[Block]:
    causes = check.causes
    if not check.is_whole or not causes:
        what = "No mistake I know" if check.untried is None else "None of the mistakes that I tried"
        yield Block(f"{what} explains this", "heading")
        for cause in causes[:_CAUSES]:
            names = ", ".join(cause.explains)
            yield Block(f"A part of it, {names}, would come of: {cause.title}.", "", 2)
        if not causes:
            yield Block(hint(check, 1), "", 2)
            yield Block(hint(check, 2), "", 2)
        return
    first = causes[0]
    but = ", but for what was rounded on the way" if check.is_loose else ""
    if len(first.faults) > 1 or but:
        made = "Two mistakes explain it" if len(first.faults) > 1 else "One mistake explains it"
        yield Block(f"{made}{but}", "heading")
    for fault in first.faults:
        is_alone = len(first.faults) == 1 and not but
        yield Block(_capital(fault.title), "heading" if is_alone else "bold", 2)
        yield Block(fault.sentence)
        yield Block(f"Rule: {fault.rule}", "cyan", 6)
        yield Block(f"Mend: {fault.hints[2]}", "", 6)
    if len(causes) > 1:
        yield from _equal(causes)
        if check.telling_apart is not None:
            yield from _separation(check, check.telling_apart)


def _equal(causes: Sequence[Cause]) -> Iterator[Block]:
    yield Block("Several mistakes give these numbers", "heading")
    for letter, cause in zip(ascii_lowercase[:_CAUSES], causes, strict=False):
        yield Block(f"({letter}) {cause.title}", "", 4)
    if len(causes) > _CAUSES:
        yield Block(f"and {len(causes) - _CAUSES} more", "dim", 4)


def _separation(check: Check, found: Separation) -> Iterator[Block]:
    if not found.is_possible:
        yield Block(
            "No other input of these shapes told them apart: for this network, and so many "
            "examples, they are the same."
        )
        return
    name = _indexed(found.value, found.index)
    symbol = _symbol(check, found)
    called = f"{symbol}, {name}," if symbol != name else name
    if found.is_same_input:
        yield Block(f"To tell them apart, hand in {called} as well:")
    else:
        yield Block(f"To tell them apart, compute {called} for")
        yield from _input("x", found.x)
        yield from _input("y", found.y)
    letters = {id(cause): k for k, cause in enumerate(check.causes)}
    rows = [[symbol, "with"], [f"{found.true:.6g}", "no mistake"]]
    for group, value in found.groups:
        marks = [letters[id(cause)] for cause in group]
        shown = [f"({ascii_lowercase[k]})" for k in marks if k < _CAUSES]
        if len(shown) < len(marks):
            shown.append(f"{len(marks) - len(shown)} of the others")
        rows.append([f"{value:.6g}", " ".join(shown)])
    yield Block(cells=rows)


def _symbol(check: Check, found: Separation) -> str:
    with suppress(ChainruleError):  # a value that the captured step has no name for
        return str(check.trace[(found.value, *found.index)].symbol)
    return _indexed(found.value, found.index)


def _input(name: str, array: Array) -> Iterator[Block]:
    if array.size > _NUMBERS:
        yield Block(f".telling_apart.{name}, of the shape {list(array.shape)}", "code")
        return
    yield Block(f"{name} = {array.tolist()}", "code")


def _worst(check: Check, opening: Opening) -> Iterator[Block]:
    """The true number that is furthest from what was written, opened by one level."""
    row = check.wrong[0]
    assert row.place is not None
    name, index = row.place
    try:
        explanation = check.trace[(name, *index)]
    except ChainruleError:  # a value that the captured step has no name for
        return
    symbol = str(explanation.symbol)
    yield Block(f"The true {symbol}", "heading")
    rows = [written(explanation, each) for each in rows_of(explanation)][:_TERMS]
    value = number(explanation.value)
    for k, text in enumerate([*rows, *([] if value in rows else [value])]):
        lead = f"{symbol} = " if k == 0 else " " * len(symbol) + " = "
        yield Block(lead + text, "", len(symbol) + 3)
    table = balance(explanation, _TERMS) if is_large(explanation.terms) else None
    if table is not None:
        cells = [["term" if not table.examples_differ else "example", "value"]]
        cells += [[label_of(table, item), number(item.value)] for item in table.items]
        yield Block(cells=cells)
    scale = row.truth / float(explanation.value) if row.truth and explanation.value else 1.0
    is_scaled = any(np.any(each != 1.0) for each in row.entry.scales)
    if is_scaled and abs(scale - 1) > 1e-3:
        yield Block(f"Of the example's own loss it is {scale:.4g} times that.", "dim")
    typed = opening(explanation)
    if typed:
        yield Block(f"{typed} opens it further.", "dim", 2)


def _capital(text: str) -> str:
    # σ′ has no capital that anybody reads as the same.
    return text[:1].upper() + text[1:] if text[:1].isascii() else text
