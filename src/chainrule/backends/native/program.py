"""A compiled training step, and a training under way with it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np

from chainrule.backends.native.machine import Loaded
from chainrule.backends.native.routine import Routine, Stages, aligned_bytes
from chainrule.backends.native.step import ROWS, StepStages
from chainrule.backends.native.target import Target
from chainrule.backends.protocol import Advanced, Array, Program, Rows, Session, Wiring, frozen
from chainrule.base.errors import ShapeError
from chainrule.graph import Graph


class NativeProgram(Program):
    """A training step, compiled."""

    def __init__(self, step: Graph, wiring: Wiring, target: Target) -> None:
        wiring.check(step)
        self.step = step
        self.wiring = wiring
        self.target = target
        self.stages = StepStages(step, target, wiring=wiring)
        self.loaded = Loaded(self.stages.code, target)
        pointer = ctypes.c_void_p
        self.advance = self.loaded.function(
            "advance", ctypes.c_int64, pointer, pointer, ctypes.c_int64
        )

    @cached_property
    def recorder(self) -> Routine:
        """The same step with every value kept: no bit differs, since no rounding is fused away."""
        return Routine(Stages(self.step, self.target, keep_all=True))

    def open(self, state: Mapping[str, Array], data: Mapping[str, Array]) -> Session:
        return NativeSession(self, state, data)


class NativeSession(Session):
    """A training under way: its state lies in the arena."""

    def __init__(
        self, program: NativeProgram, state: Mapping[str, Array], data: Mapping[str, Array]
    ) -> None:
        self._program = program
        self._stages = stages = program.stages
        program.wiring.check_arrays(program.step, state, data)
        self._data = {name: np.ascontiguousarray(data[name]) for name in program.wiring.data}
        self._count = min((len(array) for array in self._data.values()), default=None)
        self._arena = aligned_bytes(stages.plan.size)
        for name in program.wiring.state:
            self._place(name)[...] = state[name]

    def advance(self, rows: Rows, feeds: Mapping[str, Array]) -> Advanced:
        stages = self._stages
        steps = len(rows)
        self._check(rows, feeds)
        held = {ROWS: np.ascontiguousarray(rows, np.int64)}
        held |= {f"data.{name}": array for name, array in self._data.items()}
        for name in stages.fed:
            held[f"fed.{name}"] = np.ascontiguousarray(feeds[name])
        shown = {}
        for label in stages.shown:
            view = stages.outputs[label]
            shown[label] = np.empty((steps, *view.shape), view.dtype.numpy)
            held[f"shown.{label}"] = shown[label]
        table = np.array([held[name].ctypes.data for name in stages.outside], np.uint64)
        before = self._copies(stages.replaced)
        taken = self._program.advance(self._arena.ctypes.data, table.ctypes.data, steps)
        fault = stages.take_fault(self._arena)
        if taken < steps:  # the bad step has replaced part of the state: replay those before it
            for name, array in before.items():
                self._place(name)[...] = array
            self._program.advance(self._arena.ctypes.data, table.ctypes.data, taken)
        if fault is not None:
            raise fault
        return Advanced(taken, {label: array[:taken] for label, array in shown.items()})

    def record(
        self, rows: Rows, feeds: Mapping[str, Array], names: Sequence[str] | None = None
    ) -> Mapping[str, Array]:
        program = self._program
        step, recorder, wiring = program.step, program.recorder, program.wiring
        self._check(rows[None], {name: np.asarray(value)[None] for name, value in feeds.items()})
        state = self.state()
        inputs = []
        for name in step.input_names:
            if name in state:
                inputs.append(state[name])
            elif name in wiring.data:
                inputs.append(self._data[name][rows])
            else:
                inputs.append(rows if name == wiring.rows else np.asarray(feeds[name]))
        arena = recorder.run(inputs)
        if names is None:
            names = [step.name_of(position) for position in range(len(step.nodes))]
        moved = recorder.stages.moved
        return {name: frozen(recorder.value(arena, moved[step.find(name)])) for name in names}

    def state(self) -> dict[str, Array]:
        return {n: frozen(a) for n, a in self._copies(self._program.wiring.state).items()}

    def _place(self, name: str) -> Array:
        return self._stages.place(self._arena, self._stages.inputs[name])

    def _copies(self, names: Iterable[str]) -> dict[str, Array]:
        return {name: self._place(name).copy() for name in names}

    def _check(self, rows: Rows, feeds: Mapping[str, Array]) -> None:
        """Raise unless what a call reads is there: native code would read past its end."""
        self._program.wiring.check_fed(self._program.step, rows, feeds)
        if self._count is not None and rows.size:
            low, high = int(rows.min()), int(rows.max())
            if low < 0 or high >= self._count:
                wrong = low if low < 0 else high
                raise ShapeError(f"the data has rows from 0 to {self._count - 1}; got {wrong}")
