"""An epoch's updates: on examples that are known by row, or on batches as they come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from chainrule.train.engine import Chunk, Engine, Halt
from chainrule.train.plan import Plan
from chainrule.train.settings import Settings
from chainrule.train.snapshots import Standing
from chainrule.train.streams import StreamSource, join


class Epochs(ABC):
    """Makes the updates of an epoch."""

    length: int | None
    """How many updates an epoch has, where that is known."""

    @abstractmethod
    def updates(self, now: Standing, *, singly: bool) -> Iterator[Chunk | Halt]:
        """Go on from `now` to the end of its epoch.

        Parameters
        ----------
        now : Standing
        singly : bool
            One update a chunk, for callbacks that watch each.
        """


class PlannedEpochs(Epochs):
    """Epochs in the order of a plan."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.length = engine.plan.updates_per_epoch

    def updates(self, now: Standing, *, singly: bool) -> Iterator[Chunk | Halt]:
        at, stop = now.position, self._engine.plan.updates_per_epoch
        return self._engine.updates(now.state, at.step, at.epoch, at.update, stop, singly=singly)


class StreamedEpochs(Epochs):
    """Epochs of a generator's batches: each group of them is an update with its own plan."""

    length = None

    def __init__(self, engine: Engine, stream: StreamSource, settings: Settings) -> None:
        self._engine = engine
        self._stream = stream
        self._settings = settings

    def updates(self, now: Standing, *, singly: bool) -> Iterator[Chunk | Halt]:
        state, step, seed = now.state, now.position.step, self._settings.seed
        for batches in self._stream.groups(self._settings.accumulate):
            source = join(batches)
            rows = source.rows()
            count = source.count if rows is None else len(rows)
            plan = Plan(count, batches[0].count, len(batches), False, False, seed, rows)
            self._engine.read(source, plan)
            for result in self._engine.updates(state, step, now.position.epoch, 0, 1):
                yield result
                if isinstance(result, Chunk):
                    state, step = result.state, step + 1
