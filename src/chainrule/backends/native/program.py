"""A compiled training step, and a training under way with it."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.backends.native.arena import Place, new_arena
from chainrule.backends.native.compiled import Compiler
from chainrule.backends.native.held import HeldState
from chainrule.backends.native.lending import Lending, lasting
from chainrule.backends.native.meeting import ABANDONED, numbers
from chainrule.backends.native.waiting import call_and_listen, is_worth_it
from chainrule.backends.native.workers import offer_address, run_together
from chainrule.backends.protocol import Advanced, Array, Program, Rows, Session, Wiring, frozen
from chainrule.base.errors import ShapeError
from chainrule.graph import Graph

_POINTER = ctypes.c_void_p


class Routine:
    """A graph made ready to run.

    Parameters
    ----------
    graph : Graph
    compiler : Compiler
    keep_all : bool
        Whether every node's value is to be read afterwards.
    """

    def __init__(self, graph: Graph, compiler: Compiler, *, keep_all: bool = False) -> None:
        self.compiled, self._loaded = compiler.routine(graph, keep_all=keep_all)
        self._run = self._loaded.function("run", None, _POINTER)

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Compute the outputs."""
        arena = self.run(inputs)
        return [place.of(arena).copy() for place in self.compiled.outputs.values()]

    def run(self, inputs: Sequence[Array]) -> Any:
        """Compute all there is, in an arena of its own."""
        arena = new_arena(self.compiled.arena)
        for place, array in zip(self.compiled.inputs.values(), inputs, strict=True):
            place.of(arena)[...] = array
        self.run_in(arena)
        return arena

    def run_in(self, arena: Any) -> None:
        """Compute all there is, in an arena that holds the inputs."""
        self._run(arena.ctypes.data)
        fault = self.compiled.take_fault(arena)
        if fault is not None:
            raise fault


class NativeProgram(Program):
    """A training step, compiled."""

    def __init__(self, step: Graph, wiring: Wiring, compiler: Compiler) -> None:
        wiring.check(step)
        self.step = step
        self.wiring = wiring
        self.compiler = compiler
        self.compiled, self._loaded = compiler.step(step, wiring)
        count = ctypes.c_int64
        which = [count, count] if self.compiled.threads > 1 else []
        self.advance = self._loaded.function("advance", count, _POINTER, _POINTER, count, *which)
        self.step_seconds: float | None = None
        """How long a step took, the last time."""

    @property
    def memory(self) -> int:
        compiled, state = self.compiled, self.wiring.state if self.compiled.replaced else ()
        return compiled.arena + sum(compiled.inputs[name].size for name in state)

    @cached_property
    def recorder(self) -> Routine:
        """The same step with every value kept: no bit differs, since no rounding is fused away."""
        return Routine(self.step, self.compiler, keep_all=True)

    @cached_property
    def _arenas(self) -> Lending:
        """What the recorder computes in."""
        return Lending(self.recorder.compiled.arena)

    def open(self, state: Mapping[str, Array], data: Mapping[str, Array]) -> Session:
        return NativeSession(self, state, data)

    def record(
        self,
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        rows: Rows,
        feeds: Mapping[str, Array],
        names: Sequence[str] | None = None,
    ) -> Mapping[str, Array]:
        step, wiring = self.step, self.wiring
        wiring.check_arrays(step, state, data)
        self.check(data, rows[None], {n: np.asarray(value)[None] for n, value in feeds.items()})
        arena = self._arenas.lend()
        self.recorder.compiled.forget_faults(arena)
        for name, place in self.recorder.compiled.inputs.items():
            value = place.of(arena)
            if name in wiring.state:
                value[...] = state[name]
            elif name in wiring.data:
                # The rows were checked; told to look itself, NumPy would gather them elsewhere.
                np.take(data[name], rows, axis=0, out=value, mode="clip")
            else:
                value[...] = rows if name == wiring.rows else feeds[name]
        self.recorder.run_in(arena)
        arena = lasting(arena)
        if names is None:
            return {name: place.of(arena) for name, place in self._places}
        nodes = self.recorder.compiled.nodes
        return {name: nodes[step.find(name)].of(arena) for name in names}

    @cached_property
    def _places(self) -> list[tuple[str, Place]]:
        """Where the recorder has each node, by name, in the graph's order."""
        nodes = self.recorder.compiled.nodes
        return [(self.step.name_of(position), place) for position, place in enumerate(nodes)]

    def check(self, data: Mapping[str, Array], rows: Rows, feeds: Mapping[str, Array]) -> None:
        """Raise unless what a call reads is there: native code would read past its end."""
        self.wiring.check_fed(self.step, rows, feeds)
        count = min((len(data[name]) for name in self.wiring.data), default=None)
        if count is not None and rows.size:
            low, high = int(rows.min()), int(rows.max())
            if low < 0 or high >= count:
                wrong = low if low < 0 else high
                raise ShapeError(f"the data has rows from 0 to {count - 1}; got {wrong}")


class NativeSession(Session):
    """A training under way: its state lies in the arena."""

    def __init__(
        self, program: NativeProgram, state: Mapping[str, Array], data: Mapping[str, Array]
    ) -> None:
        self._program = program
        program.wiring.check_arrays(program.step, state, data)
        self._data = {name: np.ascontiguousarray(data[name]) for name in program.wiring.data}
        self._arena = new_arena(program.compiled.arena)
        inputs = program.compiled.inputs
        self._state = {name: inputs[name].of(self._arena) for name in program.wiring.state}
        for name, array in self._state.items():
            array[...] = state[name]
        # What `state` gave since the last step.
        self._held: HeldState | None = None

    def advance(self, rows: Rows, feeds: Mapping[str, Array]) -> Advanced:
        compiled = self._program.compiled
        self._program.check(self._data, rows, feeds)
        held, shown = {}, {}
        for memory in compiled.outside:
            kind, _, name = memory.partition(".")
            if kind == "rows":
                # Once more the last: a step asks for the rows of the next one.
                held[memory] = np.concatenate([rows, rows[-1:]]).astype(np.int64, copy=False)
            elif kind == "data":
                held[memory] = self._data[name]
            elif kind == "fed":
                held[memory] = np.ascontiguousarray(feeds[name])
            else:
                place = compiled.outputs[name]
                shown[name] = np.empty((len(rows), *place.shape), place.dtype.numpy)
                held[memory] = shown[name]
        replaces = bool(compiled.replaced or compiled.latest)
        before = self._settled(is_needed=replaces)
        arrays = list(held.values())
        taken, interrupted = self._call(arrays, len(rows))
        fault = compiled.take_fault(self._arena)
        if replaces and taken < len(rows):
            # A step that is not taken has replaced part of the state, or outputs of the one before
            # it: begin again, stop before it.
            for name, array in before.items():
                self._state[name][...] = array
            self._run(arrays, taken)
        if fault is not None:
            raise fault
        outputs = {label: array[:taken] for label, array in shown.items()}
        for label in self._program.wiring.latest:
            all_taken = outputs.pop(label, None)
            if taken and all_taken is not None:
                outputs[label] = frozen(all_taken[-1])
            elif taken:
                outputs[label] = frozen(compiled.outputs[label].of(self._arena))
        return Advanced(taken, outputs, interrupted)

    def _call(self, outside: Sequence[Array], steps: int) -> tuple[int, bool]:
        """Take steps; return how many, and whether Ctrl-C came."""
        program, stop = self._program, self._program.compiled.stop
        taken, interrupted, began = [0], False, time.perf_counter()

        def call() -> None:
            taken[0] = self._run(outside, steps)

        if stop is None or not is_worth_it(program.step_seconds):
            call()
        else:
            flag = self._arena[stop : stop + 1]
            interrupted = call_and_listen(call, lambda: flag.fill(1))
            flag.fill(0)
        if taken[0]:
            program.step_seconds = (time.perf_counter() - began) / taken[0]
        return taken[0], interrupted

    def _run(self, outside: Sequence[Array], steps: int) -> int:
        """Take steps, on as many threads as they are made for; return how many were taken."""
        program, compiled, arena = self._program, self._program.compiled, self._arena
        addresses = [array.ctypes.data for array in outside]
        if compiled.threads > 1:
            addresses.append(offer_address())
        table = np.array(addresses, np.uint64)

        # It holds its memory until native code returns, whatever becomes of the main thread.
        def call(*which: int, _held: object = (arena, table, outside)) -> int:
            taken: int = program.advance(arena.ctypes.data, table.ctypes.data, steps, *which)
            return taken

        if compiled.threads == 1:
            return call()
        team = numbers(arena, compiled.team)
        team[...] = 0
        return run_together(call, compiled.threads, lambda: team.__setitem__(ABANDONED, 1))

    def record(
        self, rows: Rows, feeds: Mapping[str, Array], names: Sequence[str] | None = None
    ) -> Mapping[str, Array]:
        return self._program.record(self._state, self._data, rows, feeds, names)

    def state(self) -> HeldState:
        if self._held is None:
            self._held = HeldState(self._state)
        return self._held

    def _settled(self, is_needed: bool) -> Mapping[str, Array]:
        """A copy of the state before steps replace it, for those who hold it, or for ourselves."""
        held = self.state() if is_needed else self._held
        copies = {} if held is None else held.settle()
        self._held = None
        return copies
