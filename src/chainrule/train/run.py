"""Run: what `fit` returns. Any step of it can be computed again, to the same bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.backends import Rows
from chainrule.base.errors import ReplayError
from chainrule.eager.tensor import Array
from chainrule.graph import Graph
from chainrule.nn import Module
from chainrule.train.engine import Engine, Recorded
from chainrule.train.folder import RunFolder
from chainrule.train.history import History
from chainrule.train.snapshots import Snapshots, Standing
from chainrule.train.sources import ArraySource

INTERRUPTED = "interrupted by Ctrl-C"


@dataclass(frozen=True)
class Moment:
    """One update of a run, about to be made.

    Parameters
    ----------
    step : int
        Its number, counted from 0.
    epoch : int
    rows : list of int64 array
        The rows of the data in each of its batches.
    learning_rate : float
    state : mapping of str to array
        Parameters, buffers and optimiser state before it.
    engine : Engine
        What computes it.
    ask_previous : callable, optional
        For the update before it.
    """

    step: int
    epoch: int
    rows: list[Rows]
    learning_rate: float
    state: Mapping[str, Array] = field(repr=False)
    engine: Engine = field(repr=False)
    ask_previous: Callable[[], Moment] | None = field(default=None, repr=False, compare=False)

    @property
    def graph(self) -> Graph:
        """The step's graph."""
        return self.engine.graph(self.step)

    @property
    def parameters(self) -> dict[str, Array]:
        """The network's parameters before the update, by path."""
        return {path: self.state[path] for path, _ in self.engine.recipe.net.named_parameters()}

    def record(self, names: Sequence[str] | None = None) -> Mapping[str, Array]:
        """Values of the step's nodes, by name; all of them by default.

        Raises
        ------
        ReplayError
            If the update accumulates several batches: ask `record_batches`.
        """
        batches = self.record_batches(names)
        if len(batches) > 1:
            raise ReplayError(
                f"Step {self.step} accumulates {len(batches)} batches",
                advice="Ask record_batches() for the values of each",
            )
        return batches[0]

    def record_batches(self, names: Sequence[str] | None = None) -> list[Mapping[str, Array]]:
        """Values of the nodes for each of the update's batches."""
        return self.engine.record(self.state, self.step, names)

    def record_whole(self) -> list[Recorded]:
        """All values of the update: of its one step; or of its batches' steps, and what follows."""
        return self.engine.record_whole(self.state, self.step)


class Run:
    """A training that was done, or is under way.

    Attributes
    ----------
    net : Module
    history : History
        Loss, metrics and their ``val_`` values by name, one for each epoch.
    stopped : str or None
        Why training ended before its last epoch.
    origin : object
        What `fit` was told to keep under this name.
    backend : str
        What computes it: ``"native"`` or ``"numpy"``.
    memory : int or None
        How many bytes its training takes: the data, the state, and what a step computes. None
        for a run that was opened without its data.
    standing : Standing
        Where training stands, or stood at the end.
    held_out : ArraySource or None
        What it is validated on, where that is there.
    """

    def __init__(
        self,
        net: Module,
        standing: Standing,
        engine: Engine | None,
        folder: RunFolder | None = None,
        origin: Any = None,
        *,
        backend: str,
        memory: int | None,
    ) -> None:
        self.net = net
        self.backend = backend
        self.memory = memory
        self.history = History()
        self.standing = standing
        self.stopped = standing.position.stopped
        self.origin = origin
        self.snapshots = Snapshots()
        self.held_out: ArraySource | None = None
        self._engine = engine
        self._folder = folder

    @property
    def steps(self) -> int:
        """How many updates were made."""
        return self.standing.position.step

    @property
    def folder(self) -> Path | None:
        """Where it is kept."""
        return None if self._folder is None else self._folder.path

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.stopped == INTERRUPTED

    def stop(self, reason: str) -> None:
        """Let training end after this epoch; callbacks call it."""
        self.stopped = reason

    @property
    def engine(self) -> Engine:
        """What computes the steps.

        Raises
        ------
        ReplayError
            If the data is not there: it came from a generator, or was not passed to `load_run`.
        """
        if self._engine is not None:
            return self._engine
        if self._folder is not None and self._folder.experiment().data is not None:
            raise ReplayError(
                "The run's data is not there to be read again",
                advice=f'Pass what it was trained on: cr.load_run("{self.folder}", x, y)',
            )
        raise ReplayError(
            "This run cannot be replayed: its batches came from a generator, once",
            advice="Train on arrays, or on an object with __len__ and __getitem__",
        )

    def at(self, step: int) -> Moment:
        """Return the update with this number, with the state before it, replayed to the bits.

        Parameters
        ----------
        step : int
            From 0 up to `steps`; negative numbers count from the end.

        Raises
        ------
        ReplayError
            If there is no such step, or the data is not there.
        """
        if isinstance(step, bool) or not isinstance(step, int | np.integer):
            raise ReplayError(f"A step is a whole number from 0 to {self.steps}; got {step!r}")
        number = int(step) + self.steps if step < 0 else int(step)
        if not 0 <= number <= self.steps:
            raise ReplayError(f"The run has steps 0 to {self.steps}; got {step}")
        engine = self.engine
        first, state = self._nearest(number)
        state = engine.state_before(state, first, number)
        epoch, update = engine.plan.locate(number)
        rows = engine.plan.batches(epoch, update)
        rate = engine.rate.at(number, epoch)
        previous = (lambda: self.at(number - 1)) if number else None
        return Moment(number, epoch, rows, rate, state, engine, previous)

    def _nearest(self, step: int) -> tuple[int, Mapping[str, Array]]:
        kept = self.snapshots.before(step)
        if self._folder is None:
            assert kept is not None  # the first snapshot is never dropped
            return kept
        if kept is not None and not any(kept[0] < s <= step for s in self._folder.steps()):
            return kept
        return self._folder.before(step)

    def __repr__(self) -> str:
        last = {name: values[-1] for name, values in self.history.items() if values}
        shown = ", ".join(f"{name}={value:.4g}" for name, value in last.items())
        ended = f", stopped: {self.stopped}" if self.stopped else ""
        return f"Run({self.history.epochs} epochs, {self.steps} steps, {shown}{ended})"
