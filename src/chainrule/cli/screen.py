"""What a command shows: text and tables for people, or one JSON document for programs.

Results go to standard output, progress and remarks to standard error. With ``--json`` the document
is all that standard output gets.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from chainrule.base.harmless import plain
from chainrule.nn.metrics import is_share

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_AT_MOST = 100  # a line that is longer is hard to read, however wide the terminal is


@Parameter(name="*")
@dataclass(frozen=True)
class Showing:
    """Options of every command.

    Parameters
    ----------
    json
        Print one JSON document instead of text.
    debug
        Show the Python traceback of an error.
    """

    json: Annotated[bool, Parameter(group="Output", negative="")] = False
    debug: Annotated[bool, Parameter(group="Output", negative="")] = False


class Screen:
    """Where a command writes.

    Parameters
    ----------
    as_json : bool
        Whether a document takes the place of text.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    @property
    def out(self) -> Console:
        """Standard output."""
        return _console(stderr=False)

    @property
    def err(self) -> Console:
        """Standard error."""
        return _console(stderr=True)

    def say(self, text: str = "", *, style: str | None = None) -> None:
        """Print text for people, wrapped between words."""
        if not self.as_json:
            self._print(_harmless(text), style=style, markup=False)

    def verbatim(self, text: str) -> None:
        """Print text for people exactly as it is, however long its lines are."""
        if not self.as_json:
            self.out.print(_harmless(text), markup=False, highlight=False, soft_wrap=True)

    def remark(self, text: str) -> None:
        """Say something on standard error, also beside JSON."""
        self.err.print(_harmless(text), markup=False, highlight=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        """Print a line that stands out, after an empty one."""
        self.say()
        self.say(text, style="bold")

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int] = (0,)
    ) -> None:
        """Print a table for people.

        Parameters
        ----------
        columns : sequence of str
            Headings; none are shown where all are empty.
        rows : sequence of sequence of str
        left : sequence of int
            The columns that hold text; the others are numbers, and end on one line.
        """
        if self.as_json:
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=None,
            pad_edge=False,
            padding=(0, 2, 0, 0),
            show_header=any(columns),
            header_style="dim",
        )
        for i, column in enumerate(columns):
            is_text = i in left
            table.add_column(
                Text(_harmless(column)),
                justify="left" if is_text else "right",
                no_wrap=not is_text,
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(Text(_harmless(cell)) for cell in row))
        self._print(table)

    def _print(self, thing: Any, **how: Any) -> None:
        console = self.out
        with console.capture() as captured:
            console.print(thing, highlight=False, **how)
        for line in captured.get().splitlines():
            sys.stdout.write(f"{line.rstrip()}\n")  # rich leaves spaces where it breaks a line

    def document(self, data: Any) -> None:
        """Print the JSON document, if that is what is wanted."""
        if self.as_json:
            is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
            text = json.dumps(data, indent=2, ensure_ascii=not is_unicode, allow_nan=False)
            sys.stdout.write(f"{text}\n")


def _harmless(text: str) -> str:
    """The text with its lines and tabs, in which names of files and classes steer no terminal."""
    return re.sub(r"[^\n\t]+", lambda piece: plain(piece[0]), text)


def _console(*, stderr: bool) -> Console:
    # Made anew each time, so that it writes to what sys.stdout is now: tests replace it.
    from rich.console import Console

    console = Console(stderr=stderr)
    if console.width > WIDTH_AT_MOST:
        console.width = WIDTH_AT_MOST
    return console


def percent(share: float) -> str:
    """Write a share as a percentage: ``97.50 %``.

    Examples
    --------
    >>> percent(0.975)
    '97.50 %'
    """
    return f"{100 * share:.2f} %"


def figure(name: str, value: float) -> str:
    """Write a value of the history: shares as percentages, the rest with four digits.

    Examples
    --------
    >>> figure("val_accuracy", 0.975), figure("loss", 0.123456)
    ('97.50 %', '0.1235')
    """
    return percent(value) if is_share(name) else f"{value:.4g}"


def counted(number: int, one: str, several: str | None = None) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> counted(1, "class", "classes"), counted(1797, "example")
    ('1 class', '1,797 examples')
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"
