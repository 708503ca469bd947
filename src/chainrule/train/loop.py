"""The loop over epochs: updates, averages, validation, callbacks, an orderly end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from chainrule.eager.tensor import Array
from chainrule.nn.evaluation import Evaluator
from chainrule.optim import ReduceLROnPlateau
from chainrule.train.callbacks import Callback
from chainrule.train.diagnosis import explain_non_finite
from chainrule.train.engine import Chunk, Engine, Halt
from chainrule.train.history import Averages
from chainrule.train.plan import Plan
from chainrule.train.progress import Progress
from chainrule.train.run import Run
from chainrule.train.sources import ArraySource, StreamSource
from chainrule.train.step import Recipe, initial_state

INTERRUPTED = "interrupted by Ctrl-C"


class Loop:
    """One training under way.

    Parameters
    ----------
    run : Run
        Filled in as training goes on.
    engine : Engine
    evaluator : Evaluator
    validation : ArraySource or None
    plateau : ReduceLROnPlateau or None
        Told the validation loss (or the loss, where there is none) after each epoch.
    callbacks : sequence of Callback
    progress : Progress
    """

    def __init__(
        self,
        run: Run,
        engine: Engine,
        evaluator: Evaluator,
        validation: ArraySource | None,
        plateau: ReduceLROnPlateau | None,
        callbacks: Sequence[Callback],
        progress: Progress,
    ) -> None:
        self.run = run
        self.engine = engine
        self.evaluator = evaluator
        self.validation = validation
        self.plateau = plateau
        self.callbacks = list(callbacks)
        self.progress = progress
        self.state: Mapping[str, Array] = initial_state(
            engine.recipe, engine.plan.seed, accumulate=engine.plan.accumulate > 1
        )
        self.averages = Averages()
        self.first_step = int(self.state["step"])
        self._singly = any(callback.watches_batches for callback in self.callbacks)

    def train(self, epochs: int, first_epoch: int = 0, first_update: int = 0) -> None:
        """Go on until `epochs` epochs are done, a callback stops the run, or Ctrl-C comes.

        Raises
        ------
        NonFiniteError
            At a step that is not finite; the network holds the weights from before it.
        """
        for callback in self.callbacks:
            callback.run = self.run
            callback.on_train_begin()
        self.run.snapshots.add(self.run.steps, self.state)
        try:
            for epoch in range(first_epoch, epochs):
                self._epoch(epoch, epochs, first_update if epoch == first_epoch else 0)
                if self.run.stopped:
                    break
        except KeyboardInterrupt:
            self.run.stop(INTERRUPTED)
        finally:
            # Whatever happened, the network and the optimiser hold the last whole state.
            self.write_back()
            self.progress.close()
        for callback in self.callbacks:
            callback.on_train_end()

    def _epoch(self, epoch: int, epochs: int, start: int) -> None:
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch)
        self._set_rate(epoch)
        self.progress.begin_epoch(epoch, epochs, self.updates_per_epoch)
        for chunk in self.updates(epoch, start):
            if isinstance(chunk, Halt):
                if chunk.interrupted:
                    raise KeyboardInterrupt
                raise explain_non_finite(chunk, self.run.steps)
            self._take(chunk)
        self._end_epoch(epoch)

    @property
    def updates_per_epoch(self) -> int | None:
        """How many updates an epoch has, where that is known."""
        return self.engine.plan.updates_per_epoch

    def updates(self, epoch: int, start: int) -> Iterator[Chunk | Halt]:
        """Make the epoch's updates."""
        stop = self.engine.plan.updates_per_epoch
        return self.engine.updates(self.state, epoch, start, stop, singly=self._singly)

    def _take(self, chunk: Chunk) -> None:
        self.state = chunk.state
        for i in range(chunk.updates):
            values = {name: float(array[i]) for name, array in chunk.values.items()}
            self.averages.add(values, float(chunk.weights[i]))
            if self._singly:
                for callback in self.callbacks:
                    callback.on_train_batch_end(self.run.steps + i, values)
        self.run.steps += chunk.updates
        self.progress.advance(chunk.updates, self.averages.means())

    def _end_epoch(self, epoch: int) -> None:
        self.write_back()
        logs = self.averages.means()
        self.averages = Averages()
        if self.validation is not None:
            found = self.evaluator(
                self.validation.columns, self.validation.target, self.validation.weights
            )
            logs |= {f"val_{name}": value for name, value in found.items()}
        logs["lr"] = self.engine.rate.at(max(self.run.steps - 1, 0), epoch)
        self.run.history.append(logs)
        if self.plateau is not None:
            self.plateau.observe(logs.get("val_loss", logs["loss"]), self.engine.rate.base)
        self.run.snapshots.add(self.run.steps, self.state)
        self.progress.end_epoch({name: v for name, v in logs.items() if name != "lr"})
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def _set_rate(self, epoch: int) -> None:
        """Note the factor of reduce-on-plateau for this epoch, so that a replay knows it."""
        factor = 1.0 if self.plateau is None else self.plateau.scale
        rate = self.engine.rate
        rate.plateau = [*rate.plateau[:epoch], factor]

    def write_back(self) -> None:
        """Put the state into the network and the optimiser."""
        write_state(self.engine.recipe, self.state)


class StreamLoop(Loop):
    """A training on batches that come once, from a generator."""

    def __init__(
        self,
        run: Run,
        engine: Engine,
        evaluator: Evaluator,
        validation: ArraySource | None,
        plateau: ReduceLROnPlateau | None,
        callbacks: Sequence[Callback],
        progress: Progress,
        *,
        stream: StreamSource,
    ) -> None:
        super().__init__(run, engine, evaluator, validation, plateau, callbacks, progress)
        self.stream = stream
        self.accumulate = engine.plan.accumulate

    @property
    def updates_per_epoch(self) -> int | None:
        return None

    def updates(self, epoch: int, start: int) -> Iterator[Chunk | Halt]:
        for batches in self.stream.groups(self.accumulate):
            source = join(batches)
            plan = Plan(
                source.count, batches[0].count, len(batches), False, False, self.engine.plan.seed
            )
            self.engine.read(source, plan, first_step=self.run.steps)
            yield from self.engine.updates(self.state, epoch, 0, 1)


def write_state(recipe: Recipe, state: Mapping[str, Array]) -> None:
    """Put a training state into the network and the optimiser it came from."""
    net, optimizer = recipe.net, recipe.optimizer
    for path, variable in [*net.named_parameters(), *net.named_buffers()]:
        variable.replace(state[path])
    types = {path: p.type for path, p in net.named_parameters() if p.requires_grad}
    optimizer.state = {name: np.array(state[name]) for name in optimizer.initial_state(types)}
    optimizer.t = int(state["step"])


def join(batches: Sequence[ArraySource]) -> ArraySource:
    """Put several batches one behind the other."""
    columns = tuple(np.concatenate(c) for c in zip(*(b.columns for b in batches), strict=True))
    target = np.concatenate([batch.target for batch in batches])
    given = [batch.weights for batch in batches]
    if all(weights is None for weights in given):
        return ArraySource(columns, target)
    filled = [
        np.ones(b.count, b.columns[0].dtype) if b.weights is None else b.weights for b in batches
    ]
    return ArraySource(columns, target, np.concatenate(filled))
