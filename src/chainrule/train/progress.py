"""The progress bar: shown on a terminal, silent anywhere else."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping

from chainrule.nn.metrics import is_share

SECONDS_BETWEEN_LINES = 0.1


class Progress(ABC):
    """Told of what training does."""

    @abstractmethod
    def begin_epoch(self, epoch: int, epochs: int, updates: int | None, done: int) -> None:
        """An epoch begins, `done` of its updates made; None: nobody knows how many it has."""

    @abstractmethod
    def advance(self, updates: int, values: Mapping[str, float]) -> None:
        """Some updates were made; `values` are the epoch's averages so far."""

    @abstractmethod
    def end_epoch(self, values: Mapping[str, float]) -> None:
        """An epoch ended with these values."""

    @abstractmethod
    def close(self) -> None:
        """Nothing more will come."""


class Silent(Progress):
    """Shows nothing."""

    def begin_epoch(self, epoch: int, epochs: int, updates: int | None, done: int) -> None:
        """Show nothing."""

    def advance(self, updates: int, values: Mapping[str, float]) -> None:
        """Show nothing."""

    def end_epoch(self, values: Mapping[str, float]) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


class Bar(Progress):
    """A bar for the epoch under way, and a line for each that is over.

    Epochs that come faster than a reader follows do not each have a line; the last one has.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[values]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, values="")
        self._title = ""
        self._line = ""
        self._printed_at = 0.0
        self._bar.start()

    def begin_epoch(self, epoch: int, epochs: int, updates: int | None, done: int) -> None:
        """Begin the bar anew."""
        self._title = f"epoch {epoch + 1:>{len(str(epochs))}}/{epochs}"
        self._bar.reset(
            self._task, description=self._title, total=updates, completed=done, values=""
        )

    def advance(self, updates: int, values: Mapping[str, float]) -> None:
        """Move the bar."""
        self._bar.update(self._task, advance=updates, values=format_values(values))

    def end_epoch(self, values: Mapping[str, float]) -> None:
        """Put a line above the bar."""
        self._line = f"{self._title}  {format_values(values)}"
        if time.monotonic() - self._printed_at >= SECONDS_BETWEEN_LINES:
            self._print()

    def close(self) -> None:
        """Print the last line, and leave the terminal as it was."""
        if self._line:
            self._print()
        self._bar.stop()

    def _print(self) -> None:
        self._bar.console.print(self._line, highlight=False)
        self._line = ""
        self._printed_at = time.monotonic()


def format_values(values: Mapping[str, float]) -> str:
    """Write values on one line: ``loss 0.1234  accuracy 97.50 %``; shares are in percent."""
    shown = (
        f"{name} {value:.2%}".replace("%", " %") if is_share(name) else f"{name} {value:.4g}"
        for name, value in values.items()
    )
    return "  ".join(shown)


def make_progress(wanted: bool) -> Progress:
    """Return a bar if one is wanted and somebody is looking at a terminal."""
    return Bar() if wanted and sys.stderr.isatty() else Silent()
