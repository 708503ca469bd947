"""The table, for people and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.rows import Row, Spread

HEADINGS = ("work", "what", "a step", "figure", "quartiles", "target", "first step", "MB", "note")


def show(rows: Sequence[Row], machine: dict[str, Any], console: Console) -> None:
    """Print the machine, the table, and how many targets are met."""
    versions = ", ".join(f"{n} {v or 'missing'}" for n, v in machine["versions"].items())
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, vectors of {machine['vectors']}, "
        f"{machine['memory_gb']} GB; {machine['system']}; Python {machine['python']}; {versions}; "
        f"commit {machine['commit']}; load {machine['load']} before, {machine['load after']} after",
        highlight=False,
    )
    table = Table(*HEADINGS)
    for column in table.columns[2:8]:
        column.justify, column.no_wrap = "right", True
    for place, row in enumerate(rows):
        following = rows[place + 1].work if place + 1 < len(rows) else row.work
        table.add_row(*cells(row), end_section=following != row.work)
    console.print(table)
    console.print(summary(rows))


def summary(rows: Sequence[Row]) -> str:
    """How many targets are met."""
    judged = [row for row in rows if row.limit is not None]
    met = sum(row.met is True for row in judged)
    open_ = sum(row.met is None for row in judged)
    missed = len(judged) - met - open_
    return f"{met} of {len(judged)} targets met, {missed} missed, {open_} not measured"


def cells(row: Row) -> list[str]:
    """A row as text."""
    figure = row.figure
    return [
        row.work,
        row.what,
        "" if row.step is None else duration(row.step.median),
        "" if figure is None else f"{number(figure.median)} {row.unit}",
        "" if figure is None else f"{number(figure.low)} … {number(figure.high)}",
        _target(row),
        " / ".join(f"{number(s.median)} s" for s in (row.first, row.warm) if s),
        "" if row.memory is None else f"{row.memory / 1e6:.0f}",
        row.note,
    ]


def _target(row: Row) -> str:
    if row.limit is None:
        return ""
    verdict = {True: "[green]met[/]", False: "[red]missed[/]", None: "[yellow]?[/]"}[row.met]
    return f"{'≥' if row.at_least else '≤'} {number(row.limit)} {verdict}"


def number(value: float) -> str:
    """Three digits that count."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(places, 4)}f}"


def duration(seconds: float) -> str:
    """Seconds in the unit that fits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds / 1e-9)} ns"


def save(rows: Sequence[Row], machine: dict[str, Any], settings: object, path: Path) -> None:
    """Write all that was found, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "machine": machine,
        "settings": settings,
        "rows": [{**asdict(row), "met": row.met} for row in rows],
    }
    path.write_text(json.dumps(found, indent=1, default=_plain), encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Spread):
        return asdict(value)
    return str(value)
