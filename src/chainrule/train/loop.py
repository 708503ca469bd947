"""The loop over epochs: updates, averages, validation, callbacks, an orderly end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chainrule.train.callbacks import Callback
from chainrule.train.diagnosis import explain_non_finite
from chainrule.train.engine import Chunk, Halt
from chainrule.train.epochs import Epochs, PlannedEpochs, StreamedEpochs
from chainrule.train.folder import RunFolder
from chainrule.train.history import Averages, History
from chainrule.train.memory import memory_of
from chainrule.train.progress import Progress
from chainrule.train.run import INTERRUPTED, Run
from chainrule.train.setup import Setup
from chainrule.train.snapshots import Standing
from chainrule.train.state import write_state
from chainrule.train.streams import StreamSource

SECONDS_BETWEEN_SNAPSHOTS = 30.0
"""Within an epoch; what a kill can cost."""

COST_OF_SNAPSHOTS = 0.05
"""The largest share of the time that may go into them: of very short epochs not each has one."""


class Loop:
    """One training under way.

    Parameters
    ----------
    run : Run
        Filled in as training goes on.
    setup : Setup
    epochs : Epochs
        What makes the updates.
    callbacks : sequence of Callback
    progress : Progress
    folder : RunFolder, optional
        Where snapshots go.
    """

    def __init__(
        self,
        run: Run,
        setup: Setup,
        epochs: Epochs,
        callbacks: Sequence[Callback],
        progress: Progress,
        folder: RunFolder | None = None,
    ) -> None:
        self.run = run
        self.setup = setup
        self.epochs = epochs
        self.engine = setup.engine
        self.callbacks = list(callbacks)
        self.progress = progress
        self.folder = folder
        self._singly = any(callback.watches_batches for callback in self.callbacks)
        self._saved_at = time.monotonic()
        self._cost = 0.0

    def train(self, epochs: int) -> None:
        """Go on until `epochs` epochs are done, a callback stops the run, or Ctrl-C comes.

        Raises
        ------
        NonFiniteError
            At a step that is not finite; the network holds the weights from before it.
        """
        self._begin()
        try:
            self._epochs(epochs)
        except KeyboardInterrupt:
            self.run.stopped = self.now.position.stopped or INTERRUPTED
        finally:
            self.engine.rest()
            self._settle()
            self.progress.close()
        for callback in self.callbacks:
            callback.on_train_end()
        if self.folder is not None:
            self.folder.save_model(self.run.net)
            self._move(stopped=self.run.stopped, ended=True)
            self._save()

    @property
    def now(self) -> Standing:
        """Where training stands. It is replaced whole: Ctrl-C never finds half of a change."""
        return self.run.standing

    def _move(self, **changes: Any) -> None:
        self.run.standing = replace(self.now, position=replace(self.now.position, **changes))

    def _begin(self) -> None:
        self.run.stopped = None
        for callback in self.callbacks:
            callback.run = self.run
            callback.on_train_begin()
        for key, callback in self._by_key().items():
            if key in self.now.callbacks:
                callback.load_state_dict(self.now.callbacks[key])
        plateau = self.setup.parts.plateau
        if plateau is not None and self.now.position.plateau is not None:
            plateau.load_state_dict(self.now.position.plateau)
        observed = None if plateau is None else plateau.state_dict()
        self._move(plateau=observed, stopped=None, ended=False)
        self._remember_callbacks()
        self.run.snapshots.add(self.run.steps, self.now.state)

    def _epochs(self, epochs: int) -> None:
        while self.now.position.epoch < epochs and self.run.stopped is None:
            epoch = self.now.position.epoch
            for callback in self.callbacks:
                callback.on_epoch_begin(epoch)
            self._set_rate(epoch)
            done = self.now.position.update
            self.progress.begin_epoch(epoch, epochs, self.epochs.length, done)
            for result in self.epochs.updates(self.now, singly=self._singly):
                if isinstance(result, Halt):
                    self._save_if_folder()
                    raise explain_non_finite(result, self.run.steps)
                self._take(result)
            self._end_epoch(epoch)

    def _take(self, chunk: Chunk) -> None:
        position = self.now.position
        averages = position.averages.plus(chunk.totals, chunk.weights)
        moved = replace(
            position,
            step=position.step + chunk.updates,
            update=position.update + chunk.updates,
            averages=averages,
        )
        self.run.standing = replace(self.now, position=moved, state=chunk.state)
        self.progress.advance(chunk.updates, self._values(averages))
        if self._singly:
            self.write_back()
            logs = self._values(Averages().plus(chunk.totals, chunk.weights))
            for callback in self.callbacks:
                callback.on_train_batch_end(position.step, logs)
            self._remember_callbacks()
        self._keep(SECONDS_BETWEEN_SNAPSHOTS)

    def _end_epoch(self, epoch: int) -> None:
        evaluate = self.setup.evaluator
        if self.callbacks or evaluate is not None:  # somebody looks at the network
            self.write_back()
        position = self.now.position
        logs = self._values(position.averages)
        if evaluate is not None:
            logs |= {f"val_{name}": value for name, value in evaluate().items()}
        logs["lr"] = self.engine.rate.at(max(position.step - 1, 0), epoch)
        self.run.history.append(logs)
        plateau = self.setup.parts.plateau
        if plateau is not None:
            plateau.observe(logs.get("val_loss", logs["loss"]), self.engine.rate.base)
        self.progress.end_epoch({name: v for name, v in logs.items() if name != "lr"})
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)
        moved = replace(
            position,
            epoch=epoch + 1,
            update=0,
            averages=Averages(),
            plateau=None if plateau is None else plateau.state_dict(),
            stopped=self.run.stopped,
        )
        self.run.standing = Standing(moved, self.now.state, self._callback_states())
        self._keep(0.0, always_in_memory=True)

    def _values(self, averages: Averages) -> dict[str, float]:
        """Loss and metrics of what was averaged."""
        return self.engine.recipe.measures.values(averages.means())

    def _set_rate(self, epoch: int) -> None:
        """Note the factor of reduce-on-plateau for this epoch, so that a replay knows it."""
        plateau = self.setup.parts.plateau
        if plateau is not None:
            factors = (*self.now.position.factors[:epoch], plateau.scale)
            self.engine.rate.factors = factors
            self._move(factors=factors)

    def _keep(self, seconds: float, *, always_in_memory: bool = False) -> None:
        """Take a snapshot if the last one is long enough ago."""
        since = time.monotonic() - self._saved_at
        due = since >= max(seconds, self._cost / COST_OF_SNAPSHOTS)
        if due or always_in_memory:
            self.run.snapshots.add(self.run.steps, self.now.state)
        if due:
            self._save_if_folder()

    def _save_if_folder(self) -> None:
        if self.folder is not None:
            self._save()
        self._saved_at = time.monotonic()

    def _save(self) -> None:
        assert self.folder is not None
        began = time.monotonic()
        self.folder.save(self.now, self.run.history)
        self._cost = time.monotonic() - began

    def _settle(self) -> None:
        """Let network, optimiser and history show the last whole state, whatever happened."""
        self.write_back()
        self.run.history.keep(self.now.position.epoch)

    def write_back(self) -> None:
        """Put the state into the network and the optimiser."""
        write_state(self.engine.recipe, self.now.state)

    def _by_key(self) -> dict[str, Callback]:
        """Callbacks by name; the second of a name is ``name#2``."""
        count: Counter[str] = Counter()
        found = {}
        for callback in self.callbacks:
            name = type(callback).__name__
            count[name] += 1
            found[name if count[name] == 1 else f"{name}#{count[name]}"] = callback
        return found

    def _callback_states(self) -> Mapping[str, Mapping[str, Any]]:
        states = {key: callback.state_dict() for key, callback in self._by_key().items()}
        return {key: state for key, state in states.items() if state}

    def _remember_callbacks(self) -> None:
        self.run.standing = replace(self.now, callbacks=self._callback_states())


def run_loop(
    setup: Setup,
    standing: Standing,
    callbacks: Sequence[Callback],
    progress: Progress,
    folder: RunFolder | None,
    origin: Any = None,
    history: History | None = None,
) -> Run:
    """Train from `standing` to the last epoch, and return the run.

    Parameters
    ----------
    setup : Setup
    standing : Standing
    callbacks : sequence of Callback
    progress : Progress
    folder : RunFolder or None
    origin : object
    history : History, optional
        Of the epochs before.
    """
    parts, engine, settings, examples = (
        setup.parts,
        setup.engine,
        setup.settings,
        setup.data.examples,
    )
    if isinstance(examples, StreamSource):
        epochs: Epochs = StreamedEpochs(engine, examples, settings)
        replayed = None
    else:
        epochs = PlannedEpochs(engine)
        replayed = engine
    facts: dict[str, Any] = {"backend": engine.backend.name, "memory": memory_of(engine)}
    run = Run(parts.net, standing, replayed, folder, origin, **facts)
    run.history = history or run.history
    run.held_out = setup.data.held_out
    parts.net.trained_with = (parts.loss, tuple(settings.metrics))
    Loop(run, setup, epochs, callbacks, progress, folder).train(settings.epochs)
    return run
