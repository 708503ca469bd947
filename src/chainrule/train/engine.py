"""Run updates: the one place that `fit`, resume and replay take steps by."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.backends import Advanced, Backend, Program, Rows, Session
from chainrule.base.errors import ReplayError
from chainrule.eager.tensor import Array
from chainrule.graph import Graph
from chainrule.nn.measures import LOSS
from chainrule.train.plan import LearningRate, Plan
from chainrule.train.sources import Source
from chainrule.train.step import build_accumulation, build_step, build_update
from chainrule.train.writing import (
    BATCH_WEIGHT,
    COST_WEIGHT,
    MEAN_COST,
    PENALTY,
    SUM,
    Recipe,
    Step,
)

CHUNK_SECONDS = 0.1
"""How long updates run before control comes back for progress, callbacks and Ctrl-C."""

State = Mapping[str, Array]

_NO_ROWS: Rows = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Chunk:
    """Consecutive updates that were made.

    Parameters
    ----------
    updates : int
    totals : mapping of str to float64 array
        Σ wᵢ·vᵢ of each update's examples, v being costs and the statistics of metrics.
    weights : mapping of str to float64 array
        Σ wᵢ of each update's examples.
    state : mapping of str to array
        The state after the last one.
    """

    updates: int
    totals: Mapping[str, Array]
    weights: Mapping[str, Array]
    state: State


@dataclass(frozen=True)
class Halt:
    """A step that was not taken, because something in it is not finite.

    Parameters
    ----------
    step : Step
    session : Session
        With the state before it.
    rows : int64 array
        The rows of the data that it read.
    feeds : mapping of str to array
    batch_rows : int64 array
        The rows of all batches of its update.
    """

    step: Step
    session: Session
    rows: Rows
    feeds: Mapping[str, Array]
    batch_rows: Rows


@dataclass(frozen=True)
class Recorded:
    """A step of an update, and the values of its nodes.

    Parameters
    ----------
    graph : Graph
    state : mapping of str to str
        Inputs that are state to the labels of what they become.
    values : mapping of str to array
        By name, in the graph's order.
    """

    graph: Graph
    state: Mapping[str, str]
    values: Mapping[str, Array]


class Engine:
    """Compiled steps for every batch size that comes up, and the data they read.

    Parameters
    ----------
    recipe : Recipe
    source : Source
    plan : Plan
    rate : LearningRate
    backend : Backend
    threads : int, optional
        How many share a step.
    """

    def __init__(
        self,
        recipe: Recipe,
        source: Source,
        plan: Plan,
        rate: LearningRate,
        backend: Backend,
        threads: int | None = None,
    ) -> None:
        self.recipe = recipe
        self.rate = rate
        self.backend = backend
        self.threads = threads
        self._compiled: dict[object, tuple[Step, Program]] = {}
        self._chunk = 1
        self._last: tuple[Program, State, Session] | None = None
        self.read(source, plan)

    def read(self, source: Source, plan: Plan) -> None:
        """Go on with these examples."""
        self.source, self.plan, self.data = source, plan, source.arrays()
        self._last = None

    @property
    def steps(self) -> list[Step]:
        """The steps that will come up: for a whole batch, a short one, an accumulated update."""
        accumulates = self.plan.accumulate > 1
        kind = "accumulate" if accumulates else "step"
        made = [self._compile(kind, size)[0] for size in self.plan.sizes()]
        return [*made, self._compile("update", 0)[0]] if accumulates else made

    @property
    def program_memory(self) -> int:
        """Bytes of the step that takes most: sessions come one after the other."""
        assert self.steps, "they are compiled"
        return max(program.memory for _, program in self._compiled.values())

    def text(self) -> str:
        """The graphs of a run's steps, for a whole batch where there is one."""
        accumulates = self.plan.accumulate > 1
        chosen = [self.steps[0], self.steps[-1]] if accumulates else [self.steps[0]]
        return "\n\n".join(str(step.graph) for step in chosen)

    def graph(self, number: int) -> Graph:
        """The step of the first batch of an update."""
        kind, rows = self._batches(*self.plan.locate(number))[0]
        return self._compile(kind, len(rows))[0].graph

    def updates(
        self, state: State, number: int, epoch: int, start: int, stop: int, *, singly: bool = False
    ) -> Iterator[Chunk | Halt]:
        """Make the updates from `start` to `stop` of an epoch, a chunk at a time.

        Parameters
        ----------
        state : mapping of str to array
            The state before update `start`.
        number : int
            The number of update `start` in the run.
        epoch, start, stop : int
        singly : bool
            One update a chunk, for callbacks that watch each.

        Yields
        ------
        Chunk or Halt
            After a Halt there is nothing more.

        Raises
        ------
        KeyboardInterrupt
            After the chunk of what was made before.
        """
        position = start
        while position < stop:
            limit = position + 1 if singly else min(stop, position + self._chunk)
            began = time.perf_counter()
            for result in self._run(state, number, epoch, position, limit):
                yield result
                if isinstance(result, Halt):
                    return
                position += result.updates
                number += result.updates
                state = result.state
                self._pace(result.updates, time.perf_counter() - began)

    def state_before(self, state: State, step: int, target: int) -> State:
        """Replay from the state before update `step` to that before update `target`.

        Raises
        ------
        ReplayError
            If a step on the way is not finite now, which it was not then.
        """
        while step < target:
            epoch, first = self.plan.locate(step)
            stop = min(self.plan.updates_per_epoch, first + target - step)
            for chunk in self.updates(state, step, epoch, first, stop):
                if isinstance(chunk, Halt):
                    raise ReplayError(f"Replaying step {step} gave a value that is not finite")
                state = chunk.state
                step += chunk.updates
        self.rest()
        return state

    def rest(self) -> None:
        """Let go of the memory that steps are computed in."""
        self._last = None

    def record(
        self, state: State, number: int, names: Sequence[str] | None
    ) -> list[Mapping[str, Array]]:
        """Values of the nodes of one update: of each of its batches' steps."""
        epoch, update = self.plan.locate(number)
        parts = self._batches(epoch, update)
        return [found.values for found in self._record(state, number, parts, names)]

    def record_whole(self, state: State, number: int) -> list[Recorded]:
        """All that one update computes: its step; or its batches' steps, and the update after."""
        epoch, update = self.plan.locate(number)
        parts = self._batches(epoch, update)
        if self.plan.accumulate > 1:
            parts.append(("update", _NO_ROWS))
        return list(self._record(state, number, parts, None))

    def _record(
        self,
        state: State,
        number: int,
        parts: Sequence[tuple[str, Rows]],
        names: Sequence[str] | None,
    ) -> Iterator[Recorded]:
        epoch, _ = self.plan.locate(number)
        for kind, rows in parts:
            step, program = self._compile(kind, len(rows))
            feeds = _first(self._feeds(step, number, epoch, rows[None]))
            labels = {n: label for n, label in step.wiring.state.items() if n not in step.captured}
            nodes = {n: step.graph.name_of(step.graph.labels[to]) for n, to in labels.items()}
            # What the next part goes on from is recorded with the rest: a step with a number that
            # is not finite would not be taken.
            asked = None if names is None else [*names, *nodes.values()]
            before = {**step.captured, **state}
            found = program.record(before, self.data, rows, feeds, asked)
            state = {**state, **{name: found[node] for name, node in nodes.items()}}
            values = found if names is None else {name: found[name] for name in names}
            yield Recorded(step.graph, labels, values)

    def _run(
        self, state: State, number: int, epoch: int, position: int, limit: int
    ) -> Iterator[Chunk | Halt]:
        """Make some updates: several of one whole batch each, or a single one of another kind."""
        if self.plan.accumulate > 1:
            return self._run_accumulated(state, number, epoch, position)
        rows = self.plan.whole_updates(epoch, position, limit)
        if not len(rows):
            rows = self.plan.batches(epoch, position)[0][None]
        return self._run_simple(state, number, epoch, rows)

    def _run_simple(
        self, state: State, number: int, epoch: int, rows: Rows
    ) -> Iterator[Chunk | Halt]:
        step, program = self._compile("step", rows.shape[1])
        session = self._go_on(step, program, state)
        feeds = self._feeds(step, number, epoch, rows)
        advanced = session.advance(rows, feeds)
        if advanced.steps:
            state = _After(state, session)
            if advanced.steps == len(rows):
                self._last = program, state, session
            yield _chunk(advanced, rows.shape[1], state)
        if advanced.interrupted:
            raise KeyboardInterrupt
        if advanced.steps < len(rows):
            bad = rows[advanced.steps]
            yield Halt(step, session, bad, _first(feeds, advanced.steps), bad)

    def _run_accumulated(
        self, state: State, number: int, epoch: int, update: int
    ) -> Iterator[Chunk | Halt]:
        """One update of several batches: it is whole, or it is not made."""
        parts: list[Chunk] = []
        for kind, rows in [*self._batches(epoch, update), ("update", _NO_ROWS)]:
            step, program = self._compile(kind, len(rows))
            session = self._open(step, program, state)
            feeds = self._feeds(step, number, epoch, rows[None])
            advanced = session.advance(rows[None], feeds)
            if advanced.interrupted:
                raise KeyboardInterrupt
            if not advanced.steps:
                of_update = np.concatenate(self.plan.batches(epoch, update))
                yield Halt(step, session, rows, _first(feeds), of_update)
                return
            state = _After(state, session)
            if kind == "accumulate":
                parts.append(_chunk(advanced, len(rows), state))
        totals = {name: np.sum([p.totals[name] for p in parts], axis=0) for name in parts[0].totals}
        weights = {name: np.sum([p.weights[name] for p in parts], axis=0) for name in totals}
        if PENALTY in advanced.outputs:  # by the last step, the update
            weights[PENALTY] = weights[LOSS]
            totals[PENALTY] = advanced.outputs[PENALTY].astype(np.float64) * weights[LOSS]
        yield Chunk(1, totals, weights, state)

    def _batches(self, epoch: int, update: int) -> list[tuple[str, Rows]]:
        kind = "accumulate" if self.plan.accumulate > 1 else "step"
        return [(kind, rows) for rows in self.plan.batches(epoch, update)]

    def _go_on(self, step: Step, program: Program, state: State) -> Session:
        """The session that came to this state, if it is the last one; otherwise a new one."""
        # Let go of it first: what Ctrl-C leaves of a session is no state.
        last, self._last = self._last, None
        if last is not None and last[0] is program and last[1] is state:
            return last[2]
        return self._open(step, program, state)

    def _open(self, step: Step, program: Program, state: State) -> Session:
        return program.open({**step.captured, **state}, self.data)

    def _feeds(self, step: Step, number: int, epoch: int, rows: Rows) -> dict[str, Array]:
        """What consecutive steps on these rows, [steps, B], are fed."""
        feeds = self.source.feeds(rows) if rows.size else {}
        if "lr" in step.graph.input_names:
            feeds["lr"] = self.rate.over(number, epoch, len(rows))
        return feeds

    def _compile(self, kind: str, size: int) -> tuple[Step, Program]:
        if (kind, size) not in self._compiled:
            if kind == "update":
                step = build_update(self.recipe)
            else:
                build = build_step if kind == "step" else build_accumulation
                step = build(self.recipe, *self.source.batch_types(size))
            program = self.backend.compile(step.graph, step.wiring, self.threads)
            self._compiled[kind, size] = step, program
        return self._compiled[kind, size]

    def _pace(self, updates: int, seconds: float) -> None:
        rate = updates / max(seconds, 1e-9)
        self._chunk = max(1, min(int(rate * CHUNK_SECONDS), 4 * self._chunk))


def _first(feeds: Mapping[str, Array], step: int = 0) -> dict[str, Array]:
    return {name: values[step] for name, values in feeds.items()}


class _After(Mapping[str, Array]):
    """`state` with what the session's step changed, which the session gives when it is asked for.

    Arrays that were captured are no state.
    """

    def __init__(self, state: State, session: Session) -> None:
        self._names = tuple(state)
        self._changed = session.state()
        changed = set(self._changed)  # the names alone: asking for an array copies them
        self._others = {name: state[name] for name in state if name not in changed}

    def __getitem__(self, name: str) -> Array:
        if name in self._others:
            return self._others[name]
        if name not in self._names:
            raise KeyError(name)
        return self._changed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _chunk(advanced: Advanced, size: int, state: State) -> Chunk:
    outputs = {name: array.astype(np.float64) for name, array in advanced.outputs.items()}
    loss = outputs.pop("loss")
    mean_cost = outputs.pop(MEAN_COST, loss)
    weight = outputs.pop(BATCH_WEIGHT, np.full(advanced.steps, float(size)))
    cost_weight = outputs.pop(COST_WEIGHT, weight)
    totals = {LOSS: mean_cost * cost_weight}
    if PENALTY in outputs:
        totals[PENALTY] = outputs.pop(PENALTY) * cost_weight
    weights = dict.fromkeys(totals, cost_weight)
    for name, total in outputs.items():
        totals[name.removeprefix(SUM)], weights[name.removeprefix(SUM)] = total, weight
    return Chunk(advanced.steps, totals, weights, state)
