"""What every answer can do: be printed, and be handed on as JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TextIO

import msgspec

from chainrule.base.harmless import plain
from chainrule.explanation.printing.terminal import show
from chainrule.explanation.printing.text import Line, lay_out, wrap

LEAST = 20
"""Characters of a last column that is continued below; a narrower one is cut."""


class Answer(ABC):
    """An answer to a question, as data: a frozen dataclass of numbers and texts."""

    @property
    @abstractmethod
    def headings(self) -> Sequence[str]:
        """Sentences above the table."""

    @property
    @abstractmethod
    def table(self) -> Sequence[Sequence[str]]:
        """Rows of cells below a row of headings; empty if there is nothing to list."""

    right: ClassVar[Sequence[int]] = ()
    """The columns of numbers."""

    def lines(self, width: int = 80) -> list[Line]:
        """The answer in lines of at most this width."""
        found = [
            Line(((text, ""),))
            for heading in self.headings
            for text in wrap(plain(heading), width, width)
        ]
        cells = [[plain(cell) for cell in row] for row in self.table]
        if not cells:
            return found
        return [*found, Line(), *lay_out(_wrapped(cells, width), width, self.right)]

    def text(self, width: int = 80) -> str:
        """What `show` prints, as plain text."""
        return "\n".join(line.plain for line in self.lines(width))

    def __str__(self) -> str:
        return self.text()

    def show(self, *, file: TextIO | None = None) -> None:
        """Print the answer."""
        show(self.lines, file)

    def to_json(self) -> str:
        """The answer's fields; what is not finite is null."""
        return msgspec.json.encode(self).decode()


def _wrapped(cells: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """The rows, those whose last cell is too long for a line continued below: none of it is cut."""
    *others, _ = zip(*cells, strict=True)
    room = width - sum(max(map(len, column)) + 2 for column in others)
    if room < LEAST:
        return [list(row) for row in cells]
    rows = []
    for *front, last in cells:
        first, *more = wrap(last, room, room - 2)
        rows.append([*front, first])
        rows += [[*("" for _ in front), f"  {text}"] for text in more]
    return rows
