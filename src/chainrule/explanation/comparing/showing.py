"""Print a comparison for people: rich on a terminal, plain text elsewhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chainrule.base.harmless import plain
from chainrule.explanation.comparing.difference import (
    ARISES,
    EQUAL,
    GIVEN,
    WORDS,
    Diff,
    Difference,
    Opened,
)
from chainrule.explanation.expansion import Number
from chainrule.explanation.explanation import Explanation, Term
from chainrule.explanation.symbols import symbol_of
from chainrule.explanation.trace import Place
from chainrule.ops import format_expression
from chainrule.ops.expression import Expression, Literal

WIDTH = 80
_ROWS = 16
_TERMS = 8
_NAMES = 6


def show(diff: Diff, file: Any = None) -> None:
    """Print a comparison."""
    console = Console(file=file or sys.stdout, highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDTH)
    with console.capture() as captured:
        _print(diff, console)
    out = file or sys.stdout
    encoding = getattr(out, "encoding", None) or "utf-8"
    for line in captured.get().splitlines():
        text = line.encode(encoding, "replace").decode(encoding)
        out.write(f"{text.rstrip()}\n")  # rich leaves spaces where it breaks a line


def _print(diff: Diff, console: Console) -> None:
    for label, title in zip("ab", diff.titles, strict=True):
        console.print(Text(f"{label}  {plain(title)}"))
    console.print()
    console.print(Text(plain(_verdict(diff)), style="bold"))
    for cause in diff.causes:
        console.print(Text(plain(f"  {cause}.")))
    backward = diff.first_backward
    if diff.first is not None and backward is not None and backward is not diff.first:
        told = (
            "begins anew" if backward.kind == ARISES else WORDS[backward.kind].rpartition(": ")[2]
        )
        console.print(Text(plain(f"First in the backward pass: {_element(backward)}, {told}.")))
    _print_notes(diff, console)
    rows = _rows(diff)
    if rows:
        console.print()
        console.print(_table(rows))
        left = sum(each.kind != EQUAL for each in diff.values) - len(rows)
        if left > 0:
            console.print(Text(f"... and {left:,} more values, in .values", style="dim"))
    if diff.opened is not None:
        console.print()
        _print_opened(diff.opened, console)


def _verdict(diff: Diff) -> str:
    where = "" if diff.step is None else f" in step {diff.step}"
    if diff.identical:
        return f"Every number is equal, of {len(diff.values)} values{where}."
    if diff.same:
        noisy = [each for each in diff.values if each.kind != EQUAL]
        return (
            f"The same{where}: {len(noisy)} of {len(diff.values)} values differ, by no more than "
            "rounding allows."
        )
    first = diff.first
    if first is None:
        return f"The numbers are the same{where}, but not what they were told to be."
    how = WORDS[first.kind].rpartition(": ")[2]
    given = len([each for each in diff.origins if each.phase == "given"])
    more = f" {given} values were given otherwise." if given > 1 else ""
    note = f" ({first.note})" if first.note else ""
    return f"They differ{where}. The first to differ is {_element(first)}: {how}{note}.{more}"


def _print_notes(diff: Diff, console: Console) -> None:
    for setting in diff.settings:
        console.print(Text(plain(f"Told otherwise: {setting}.")))
    for note in diff.notes:
        console.print(Text(plain(note)))
    for label, names in (("a", diff.only_in_a), ("b", diff.only_in_b)):
        if names:
            console.print(Text(plain(f"Only in {label}: {_listed(names)}.")))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES])
    return f"{shown} and {len(names) - _NAMES} more" if len(names) > _NAMES else shown


def _element(each: Difference) -> str:
    index = ",".join(map(str, each.place))
    name = each.name if each.name == each.other else f"{each.name} ({each.other} in b)"
    name = f"{each.op} {name}" if name.startswith("%") else name
    return f"{name}[{index}]" if index else name


def _rows(diff: Diff) -> list[Difference]:
    """The values from the first difference on; what is only rounding, where nothing else is."""
    differing = [each for each in diff.values if each.kind != EQUAL]
    real = [each for each in differing if each.is_real]
    chosen = real or differing
    return chosen[:_ROWS]


def _table(rows: Sequence[Difference]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("value", overflow="fold", min_width=12)
    table.add_column("", overflow="fold")
    for heading in ("|a - b|", "at", "of size", "ulps", "of allowed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in rows:
        words = WORDS[each.kind].rpartition(": ")[2]
        style = "bold red" if each.kind in (ARISES, GIVEN) else ""
        if each.distance is None:
            shapes = " and ".join(str(list(shape)) for shape in each.shapes)
            table.add_row(Text(plain(each.name)), Text(f"{shapes} {plain(each.note)}"))
            continue
        d = each.distance
        table.add_row(
            Text(plain(each.name), style=style),
            Text(words),
            _small(d.largest),
            ",".join(map(str, d.index)),
            _small(d.relative),
            _small(d.ulps),
            "" if each.kind == GIVEN else _times(each.excess),
        )
    return table


def _small(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "inf"


def _times(excess: float) -> str:
    """How much of what rounding allows was taken."""
    if excess > 1:
        return f"{excess:.2g}x" if math.isfinite(excess) else "none"
    return f"{excess:.0%}"


def _print_opened(opened: Opened, console: Console) -> None:
    place = Place(opened.a.graph.find(opened.name), opened.index)
    first, second = Explanation(opened.a, place), Explanation(opened.b, place)
    digits = 9 if opened.a.node(place).dtype.numpy.itemsize == 4 else 17
    symbol = plain(str(first.symbol))
    console.print(Text(f"{symbol} opened", style="bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", overflow="fold", max_width=32)
    for heading in ("in a", "in b", "a - b"):
        table.add_column(heading, justify="right", no_wrap=True)

    def row(name: str, a: float, b: float) -> None:
        table.add_row(Text(plain(name)), f"{a:.{digits}g}", f"{b:.{digits}g}", _small(a - b))

    row("stored", *opened.stored)
    row("what its operands give", *opened.made)
    for name, a, b in _parts(first, second):
        row(name, a, b)
    console.print(table)


def _parts(first: Explanation, second: Explanation) -> list[tuple[str, float, float]]:
    """The terms of a sum, on both sides, or the numbers that anything else is made of."""
    a, b = first.terms, second.terms
    if len(a) > 1 and len(a) == len(b):
        pairs = sorted(zip(a, b, strict=True), key=lambda pair: -_apart(*pair))
        rows = [(_written(first, x.expression), x.value, y.value) for x, y in pairs[:_TERMS]]
        if len(pairs) > _TERMS:
            rest = pairs[_TERMS:]
            total = [math.fsum(pair[i].value for pair in rest) for i in (0, 1)]
            rows.append((f"the sum of {len(rest):,} more terms", total[0], total[1]))
        return rows
    parts = first.parts()
    values = [(p, float(p.value), float(second.trace.value(p.place))) for p in parts]
    values.sort(key=lambda each: -abs(each[1] - each[2]) if each[1] != each[2] else 0.0)
    rows = [(str(part.symbol), x, y) for part, x, y in values[:_TERMS]]
    return rows


def _apart(a: Term, b: Term) -> float:
    away = abs(a.value - b.value)
    return away if not math.isnan(away) else math.inf


def _written(explanation: Explanation, expression: Expression) -> str:
    def name(leaf: Expression) -> str:
        if isinstance(leaf, Number):
            return str(symbol_of(explanation.trace, leaf.place))
        return f"{leaf.value:g}" if isinstance(leaf, Literal) else "?"

    return format_expression(expression, name)
