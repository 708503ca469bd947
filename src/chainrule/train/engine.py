"""Run updates: the one place that `fit`, resume and replay take steps by."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.backends import Advanced, Backend, Program, Rows, Session
from chainrule.base.errors import ReplayError
from chainrule.eager.tensor import Array
from chainrule.train.plan import LearningRate, Plan
from chainrule.train.sources import Source
from chainrule.train.step import Recipe, Step, build_accumulation, build_step, build_update

CHUNK_SECONDS = 0.1
"""How long updates run before control comes back for progress, callbacks and Ctrl-C."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive updates that were made.

    Parameters
    ----------
    first : int
        The place of the first one in its epoch.
    updates : int
    values : mapping of str to float64 array
        Loss and metrics of each update.
    weights : float64 array
        Σ wᵢ of each update's examples.
    state : mapping of str to array
        The state after the last one.
    """

    first: int
    updates: int
    values: Mapping[str, Array]
    weights: Array
    state: Mapping[str, Array]


@dataclass(frozen=True)
class Halt:
    """Why updates ended early: Ctrl-C, or a step that is not finite.

    Parameters
    ----------
    interrupted : bool
    step : Step
        The step that was not taken.
    session : Session
        Its session, with the state before it.
    rows : int64 array
    feeds : mapping of str to array
    update : int
        Its place in the epoch.
    """

    interrupted: bool
    step: Step
    session: Session
    rows: Rows
    feeds: Mapping[str, Array]
    update: int


class Engine:
    """Compiled steps for every batch size that comes up, and the data they read.

    Parameters
    ----------
    recipe : Recipe
    source : Source
    plan : Plan
    rate : LearningRate
    backend : Backend
    """

    def __init__(
        self,
        recipe: Recipe,
        source: Source,
        plan: Plan,
        rate: LearningRate,
        backend: Backend,
    ) -> None:
        self.recipe = recipe
        self.source = source
        self.plan = plan
        self.rate = rate
        self.backend = backend
        self.data = source.names()
        self._number_of_first = 0
        self._compiled: dict[object, tuple[Step, Program]] = {}
        self._chunk = 1

    def read(self, source: Source, plan: Plan, first_step: int) -> None:
        """Go on with other examples, whose first update has the number `first_step`."""
        self.source, self.plan, self.data = source, plan, source.names()
        self._number_of_first = first_step

    def number(self, epoch: int, update: int) -> int:
        """The number in the run of an update of an epoch."""
        if self._number_of_first:
            return self._number_of_first + update
        return epoch * self.plan.updates_per_epoch + update

    @property
    def step(self) -> Step:
        """The step for a whole batch."""
        size = min(self.plan.batch_size, self.source.count)
        return self._compile("accumulate" if self.plan.accumulate > 1 else "step", size)[0]

    def updates(
        self,
        state: Mapping[str, Array],
        epoch: int,
        start: int,
        stop: int,
        *,
        singly: bool = False,
    ) -> Iterator[Chunk | Halt]:
        """Make the updates from `start` to `stop` of an epoch, a chunk at a time.

        Parameters
        ----------
        state : mapping of str to array
            The state before update `start`.
        epoch, start, stop : int
        singly : bool
            One update a chunk, for callbacks that watch each.

        Yields
        ------
        Chunk or Halt
            After a Halt there is nothing more.
        """
        position = start
        while position < stop:
            limit = position + 1 if singly else min(stop, position + self._chunk)
            whole = self.plan.whole_updates(epoch, position, limit)
            began = time.perf_counter()
            if len(whole):
                chunk, halt = self._run_whole(state, epoch, position, whole)
            else:
                chunk, halt = self._run_in_parts(state, epoch, position)
            if chunk is not None:
                self._pace(chunk.updates, time.perf_counter() - began)
                position += chunk.updates
                state = chunk.state
                yield chunk
            if halt is not None:
                yield halt
                return

    def state_before(
        self, state: Mapping[str, Array], step: int, target: int
    ) -> Mapping[str, Array]:
        """Replay from the state before update `step` to that before update `target`.

        Raises
        ------
        ReplayError
            If a step on the way is not finite now, which it was not then.
        """
        while step < target:
            epoch, first = self.plan.locate(step)
            stop = min(self.plan.updates_per_epoch, first + target - step)
            for chunk in self.updates(state, epoch, first, stop):
                if isinstance(chunk, Halt):
                    if chunk.interrupted:
                        raise KeyboardInterrupt
                    raise ReplayError(f"Replaying step {step} gave a value that is not finite")
                state = chunk.state
                step += chunk.updates
        return state

    def record(
        self, state: Mapping[str, Array], step: int, names: Sequence[str] | None
    ) -> list[Mapping[str, Array]]:
        """Values of the nodes of one update: of each of its batches' steps."""
        epoch, update = self.plan.locate(step)
        kind = "accumulate" if self.plan.accumulate > 1 else "step"
        recorded = []
        for rows in self.plan.batches(epoch, update):
            compiled, program = self._compile(kind, len(rows))
            session = program.open(state, self.data)
            feeds = self._feeds(compiled, step, epoch, 1)
            single = {name: values[0] for name, values in feeds.items()}
            recorded.append(session.record(rows, single, names))
            if kind == "accumulate":
                session.advance(rows[None], feeds)
                state = {**state, **session.state()}
        return recorded

    def _run_whole(
        self, state: Mapping[str, Array], epoch: int, first: int, rows: Rows
    ) -> tuple[Chunk | None, Halt | None]:
        step, program = self._compile("step", rows.shape[1])
        session = program.open(state, self.data)
        number = self.number(epoch, first)
        feeds = self._feeds(step, number, epoch, len(rows))
        advanced = session.advance(rows, feeds)
        chunk = self._chunk_of(first, advanced, rows.shape[1], session, state)
        if advanced.steps == len(rows) and not advanced.interrupted:
            return chunk, None
        bad = min(advanced.steps, len(rows) - 1)
        single = {name: values[bad] for name, values in feeds.items()}
        halt = Halt(advanced.interrupted, step, session, rows[bad], single, first + advanced.steps)
        return (chunk if advanced.steps else None), halt

    def _run_in_parts(
        self, state: Mapping[str, Array], epoch: int, update: int
    ) -> tuple[Chunk | None, Halt | None]:
        """One update that is not one whole batch: a short batch, or several accumulated."""
        batches = self.plan.batches(epoch, update)
        if self.plan.accumulate == 1:
            return self._run_whole(state, epoch, update, batches[0][None])
        number = self.number(epoch, update)
        before = state
        parts: list[Chunk] = []
        for rows in batches:
            step, program = self._compile("accumulate", len(rows))
            session = program.open(state, self.data)
            feeds = self._feeds(step, number, epoch, 1)
            advanced = session.advance(rows[None], feeds)
            single = {name: values[0] for name, values in feeds.items()}
            if not advanced.steps or advanced.interrupted:
                # An update is whole or not made: back to the state before its first batch.
                if advanced.interrupted:
                    session = program.open(before, self.data)
                return None, Halt(advanced.interrupted, step, session, rows, single, update)
            parts.append(self._chunk_of(update, advanced, len(rows), session, state))
            state = parts[-1].state
        step, program = self._compile("update", 0)
        session = program.open(state, self.data)
        feeds = self._feeds(step, number, epoch, 1)
        none = np.zeros((1, 0), np.int64)
        advanced = session.advance(none, feeds)
        if not advanced.steps or advanced.interrupted:
            single = {name: values[0] for name, values in feeds.items()}
            if advanced.interrupted:
                session = program.open(before, self.data)
            return None, Halt(advanced.interrupted, step, session, none[0], single, update)
        weights = np.array([sum(part.weights[0] for part in parts)])
        values = {
            name: np.array([sum(p.values[name][0] * p.weights[0] for p in parts)]) / weights
            for name in parts[0].values
        }
        return Chunk(update, 1, values, weights, {**state, **session.state()}), None

    def _chunk_of(
        self,
        first: int,
        advanced: Advanced,
        size: int,
        session: Session,
        state: Mapping[str, Array],
    ) -> Chunk:
        values = {name: array.astype(np.float64) for name, array in advanced.outputs.items()}
        weights = values.pop("weight", np.full(advanced.steps, float(size)))
        return Chunk(first, advanced.steps, values, weights, {**state, **session.state()})

    def _feeds(self, step: Step, number: int, epoch: int, count: int) -> dict[str, Array]:
        if "lr" not in step.graph.input_names:
            return {}
        return {"lr": np.array([self.rate.at(number + i, epoch) for i in range(count)])}

    def _compile(self, kind: str, size: int) -> tuple[Step, Program]:
        if (kind, size) not in self._compiled:
            if kind == "update":
                step = build_update(self.recipe)
            else:
                build = build_step if kind == "step" else build_accumulation
                step = build(self.recipe, *self.source.batch_types(size))
            self._compiled[kind, size] = step, self.backend.compile(step.graph, step.wiring)
        return self._compiled[kind, size]

    def _pace(self, updates: int, seconds: float) -> None:
        rate = updates / max(seconds, 1e-9)
        self._chunk = max(1, min(int(rate * CHUNK_SECONDS), 4 * self._chunk))
