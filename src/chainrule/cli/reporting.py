"""What is seen of a training while it runs: a bar on a terminal, and a table of epochs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from chainrule.base.sizes import format_bytes
from chainrule.cli.screen import Screen, figure
from chainrule.train import Callback

if TYPE_CHECKING:
    from rich.progress import Progress

ALL_SHOWN_UP_TO = 20  # epochs; of more, every so many
LINES = 10


class Reporter(Callback):
    """Shows one training.

    Parameters
    ----------
    screen : Screen
    epochs : int
    watched : str
        What the part behind ``val_`` figures is called: ``held-out``.
    title : str
        What stands before the bar.
    lines : bool
        Whether to print a line for each epoch, or every so many.
    introduced : bool
        Whether it has been said what computes.
    """

    def __init__(
        self,
        screen: Screen,
        epochs: int,
        watched: str,
        title: str = "",
        *,
        lines: bool = True,
        introduced: bool = True,
    ) -> None:
        self.screen = screen
        self.epochs = epochs
        self.watched = watched
        self.title = title
        self.lines = lines and not screen.as_json
        self._introduced = introduced or screen.as_json
        self._printed = -1
        self._last: tuple[int, Mapping[str, float]] | None = None
        self._bar: _Bar | None = None

    @contextmanager
    def showing(self) -> Iterator[Reporter]:
        """Show the bar, where somebody is looking at a terminal, until the block is left."""
        if sys.stderr.isatty() and not self.screen.err.is_dumb_terminal:
            self._bar = _Bar(self.screen, self.title)
        try:
            yield self
        finally:
            if self._bar is not None:
                self._bar.stop()
            # A training that ended early ends with a line too.
            if self.lines and self._last is not None and self._last[0] != self._printed:
                self._line(*self._last)

    def on_train_begin(self) -> None:
        """Say what computes; tell the bar where to look."""
        if not self._introduced:
            self._introduced = True
            memory = format_bytes(self.run.memory or 0)
            self._print(f"backend   {self.run.backend}, {memory} of memory\n")
        if self._bar is not None:
            self._bar.watch(self.run, self.epochs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Print a line, if this epoch is one of those shown."""
        self._last = epoch, dict(logs)
        if self._bar is not None:
            self._bar.epoch(epoch, logs)
        if self.lines and epoch in shown_epochs(self.epochs):
            self._line(epoch, logs)

    def _line(self, epoch: int, logs: Mapping[str, float]) -> None:
        values = {name: value for name, value in logs.items() if name != "lr"}
        heads = [heading(name, self.watched) for name in values]
        widths = [max(len(head), 9) for head in heads]
        if self._printed < 0:
            self._print(
                "".join([" epoch", *(f"   {h:>{w}}" for h, w in zip(heads, widths, strict=True))]),
                "dim",
            )
        cells = [figure(name, value) for name, value in values.items()]
        self._print(
            "".join(
                [f"{epoch + 1:>6}", *(f"   {c:>{w}}" for c, w in zip(cells, widths, strict=True))]
            )
        )
        self._printed = epoch

    def _print(self, text: str, style: str | None = None) -> None:
        # While a bar is there, whatever else goes to the same terminal has to go through it.
        if self._bar is not None and sys.stdout.isatty():
            self._bar.print(text, style)
        else:
            self.screen.out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
            sys.stdout.flush()


class _Bar:
    """A bar for the whole training, moved by a thread that looks at how many updates are done."""

    def __init__(self, screen: Screen, title: str) -> None:
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._run: Any = None
        self._epochs = 0
        bar = self

        class Progress(RichProgress):
            def get_renderables(self) -> Any:
                bar.look()
                return super().get_renderables()

        self._progress: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[values]}"),
            TimeRemainingColumn(compact=True),
            console=screen.err,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._title = title or "training"
        self._task = self._progress.add_task(self._title, total=None, values="")
        self._progress.start()

    def watch(self, run: Any, epochs: int) -> None:
        """Follow this run."""
        total = run.engine.plan.updates_per_epoch * epochs
        self._epochs = epochs
        self._progress.update(self._task, total=total)
        self._run = run

    def look(self) -> None:
        """Move to where the run is."""
        if self._run is not None:
            self._progress.update(self._task, completed=self._run.steps)

    def epoch(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Show the figures of an epoch beside the bar."""
        name = next((n for n in ("val_accuracy", "accuracy", "val_loss") if n in logs), "loss")
        told = f"{name.removeprefix('val_')} {figure(name, logs[name])}"
        values = f"epoch {epoch + 1}/{self._epochs}  {told}"
        self._progress.update(self._task, values=values)

    def print(self, text: str, style: str | None) -> None:
        """Print above the bar."""
        self._progress.console.print(
            text, style=style, markup=False, highlight=False, soft_wrap=True
        )

    def stop(self) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()


def shown_epochs(epochs: int) -> set[int]:
    """Return the epochs, counted from 0, that get a line.

    Examples
    --------
    >>> sorted(shown_epochs(3)), sorted(shown_epochs(100))
    ([0, 1, 2], [0, 9, 19, 29, 39, 49, 59, 69, 79, 89, 99])
    """
    if epochs <= ALL_SHOWN_UP_TO:
        return set(range(epochs))
    return {0, *(round(epochs * (i + 1) / LINES) - 1 for i in range(LINES))}


def heading(name: str, watched: str) -> str:
    """Return what a value of the history is called in a table.

    Examples
    --------
    >>> heading("val_accuracy", "held-out")
    'held-out accuracy'
    """
    return f"{watched} {name.removeprefix('val_')}" if name.startswith("val_") else name
