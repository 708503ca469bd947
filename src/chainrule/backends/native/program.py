"""A training step as a native function that takes many steps in one call."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from chainrule.backends.native.frame import copy, count_of, over
from chainrule.backends.native.ir import Function
from chainrule.backends.native.lower import Buffer
from chainrule.backends.native.machine import Loaded
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Carried,
    Kernel,
    Let,
    Local,
    Loop,
    Number,
    Read,
    Statement,
    Value,
    Write,
    buffers_of,
    index,
)
from chainrule.backends.native.plan import Plan, plan_memory
from chainrule.backends.native.positions import FAULTS
from chainrule.backends.native.routine import (
    Routine,
    Stages,
    aligned_bytes,
    call_kernels,
    in_arena,
)
from chainrule.backends.native.target import Target
from chainrule.backends.native.view import View
from chainrule.backends.protocol import (
    Advanced,
    Array,
    Program,
    Rows,
    Session,
    Wiring,
    check_type,
)
from chainrule.base.errors import NameNotFoundError, ShapeError
from chainrule.graph import DType, Graph, TensorType

ROWS = "rows"
FINITE = "finite"
_VECTORS = 4
"""How many vectors are checked at once for being finite."""


@dataclass
class StepStages(Stages):
    """A step on its way to the machine: the graph's kernels, and those that feed and check it.

    Parameters
    ----------
    wiring : Wiring
    """

    wiring: Wiring = field(default_factory=lambda: Wiring({}))

    @cached_property
    def inputs(self) -> dict[str, View]:
        """Where each input lies."""
        lean, values = self.lean, self.lowered.values
        return {lean.name_of(i): values[i] for i in lean.inputs}

    @cached_property
    def outputs(self) -> dict[str, View]:
        """Where each output lies, by label."""
        return {o.label: self.lowered.values[o.node] for o in self.lean.outputs}

    @cached_property
    def fed(self) -> list[str]:
        """Inputs that are given anew for each step."""
        return [name for name in self.wiring.fed(self.graph) if name in self.inputs]

    @cached_property
    def shown(self) -> list[str]:
        """Outputs that are no state: kept from each step."""
        following = set(self.wiring.state.values())
        return [label for label in self.outputs if label not in following]

    @cached_property
    def batch(self) -> int:
        """How many rows a step reads."""
        names = [*self.wiring.data, *filter(None, [self.wiring.rows])]
        return int(self.graph[names[0]].shape[0]) if names else 0

    @cached_property
    def gathers(self) -> list[Kernel]:
        """For each input that is data: copy the step's rows of it."""
        made = []
        for name in self.wiring.data:
            to = self.inputs[name]
            width = count_of(to.shape[1:])
            row = index("row") * width + index("j")
            place = Let("row", Read(ROWS, index("b"), DType.I64))
            put = Write(
                to.buffer, index("b") * width + index("j"), Read(f"data.{name}", row, to.dtype)
            )
            inner = over([("j", width)], [put])
            body: tuple[Statement, ...] = (Loop("b", to.shape[0], (place, *inner)),)
            made.append(self._kernel(f"gather.{name}", body, {f"data.{name}": to.dtype}))
        if self.wiring.rows is not None:
            to = self.inputs[self.wiring.rows]
            body = over(
                [("b", to.size)], [Write(to.buffer, index("b"), Read(ROWS, index("b"), DType.I64))]
            )
            made.append(self._kernel("gather.rows", body, {}))
        for name in self.fed:
            to = self.inputs[name]
            body = copy(View.whole(f"fed.{name}", to.dtype, to.shape), to)
            made.append(self._kernel(f"feed.{name}", body, {f"fed.{name}": to.dtype}))
        return made

    @cached_property
    def checks(self) -> list[Kernel]:
        """For each output that must be finite: whether it is."""
        return [
            self._kernel(
                f"check.{view.buffer}",
                _check_finite(view, i, self._sums(view.dtype)),
                {FINITE: DType.BOOL},
            )
            for i, view in enumerate(self._checked)
        ]

    @cached_property
    def _checked(self) -> list[View]:
        """Values that must be finite, each once; integers always are."""
        views = {self.outputs[label] for label in self.wiring.finite}
        floats = (view for view in views if view.dtype.is_float)
        return sorted(floats, key=lambda view: view.buffer)

    def _sums(self, dtype: DType) -> View:
        """A vector of memory for the checks."""
        view = View.whole(f"finite.{dtype.value}", dtype, (self.target.lanes(dtype),))
        self.lowered.buffers[view.buffer] = Buffer(view.buffer, dtype, view.size)
        return view

    @cached_property
    def moves(self) -> list[Kernel]:
        """After a step that is taken: show its results, then let the next state be the state."""
        made = []
        for label in self.shown:
            view = self.outputs[label]
            to = View.whole(f"shown.{label}", view.dtype, view.shape)
            made.append(self._kernel(f"show.{label}", copy(view, to), {to.buffer: to.dtype}))
        states = {self.inputs[name] for name in self.wiring.state if name in self.inputs}
        sources = {
            name: self.outputs[label]
            for name, label in self.wiring.state.items()
            if name in self.inputs and self.outputs[label] != self.inputs[name]
        }
        # The next value of a state may be another state, which must not be replaced before.
        for name, source in sources.items():
            if source in states:
                held = View.whole(f"held.{name}", source.dtype, source.shape)
                self.lowered.buffers[held.buffer] = Buffer(held.buffer, held.dtype, held.size)
                made.append(self._kernel(f"hold.{name}", copy(source, held), {}))
                sources[name] = held
        for name, source in sources.items():
            made.append(self._kernel(f"next.{name}", copy(source, self.inputs[name]), {}))
        return made

    def _kernel(self, name: str, body: Sequence[Statement], outside: Mapping[str, DType]) -> Kernel:
        known = {
            **{n: b.dtype for n, b in self.lowered.buffers.items()},
            **outside,
            ROWS: DType.I64,
        }
        used = {buffer: known[buffer] for buffer in sorted(buffers_of(body))}
        return Kernel(f'"{name}"', tuple(body), used)

    @property
    def kernels(self) -> list[Kernel]:
        return [*self.gathers, *self.lowered.kernels, *self.checks, *self.moves]

    @cached_property
    def lasting(self) -> list[str]:
        views = [*self.inputs.values(), *self.outputs.values()]
        return list(dict.fromkeys([*(view.buffer for view in views), *self.faults]))

    @cached_property
    def outside(self) -> list[str]:
        """Buffers that are not in the arena, in the order of the table of their addresses."""
        return [
            ROWS,
            *(f"data.{name}" for name in self.wiring.data),
            *(f"fed.{name}" for name in self.fed),
            *(f"shown.{label}" for label in self.shown),
        ]

    @cached_property
    def strides(self) -> dict[str, int]:
        """By how many bytes the buffers outside move on from step to step."""
        found = {ROWS: 8 * self.batch}
        found |= {f"data.{name}": 0 for name in self.wiring.data}
        for prefix, names, views in (
            ("fed", self.fed, self.inputs),
            ("shown", self.shown, self.outputs),
        ):
            for name in names:
                view = views[name]
                found[f"{prefix}.{name}"] = view.size * view.dtype.numpy.itemsize
        return found

    @cached_property
    def ir(self) -> str:
        """``advance(arena, table, steps)``: how many steps were taken."""
        f = Function("advance", [("ptr", "%arena"), ("ptr", "%table"), ("i64", "%steps")], "i64")
        bases = {}
        for i, name in enumerate(self.outside):
            place = f.value(f"getelementptr ptr, ptr %table, i64 {i}")
            bases[name] = f.value(f"load ptr, ptr {place}, align 8")
        head, body, good, after = (f.label(n) for n in ("head", "step", "taken", "after"))
        step, following = f.fresh("s"), f.fresh("s")
        f.do(f"br label %{head}")
        f.begin(head)
        f.lines.append(f"  {step} = phi i64 [ 0, %entry ], [ {following}, %{good} ]")
        f.do(f"br i1 {f.value(f'icmp slt i64 {step}, %steps')}, label %{body}, label %{after}")
        f.begin(body)

        def locate(name: str) -> str:
            if name not in bases:
                return in_arena(f, self.plan, name)
            stride = self.strides[name]
            if not stride:
                return bases[name]
            moved = f.value(f"mul i64 {step}, {stride}")
            return f.value(f"getelementptr i8, ptr {bases[name]}, i64 {moved}")

        call_kernels(f, [*self.gathers, *self.lowered.kernels], locate)
        flags = []
        for slot in range(len(self.lowered.faults)):
            place = f.value(f"getelementptr i64, ptr {locate(FAULTS)}, i64 {2 * slot}")
            fault = f.value(f"load i64, ptr {place}, align 8")
            none = f.value(f"icmp eq i64 {fault}, 0")
            flags.append(f.value(f"zext i1 {none} to i8"))
        if self.checks or flags:
            call_kernels(f, self.checks, locate)
            for i in range(len(self.checks)):
                place = f.value(f"getelementptr i8, ptr {locate(FINITE)}, i64 {i}")
                flags.append(f.value(f"load i8, ptr {place}, align 1"))
            total = flags[0]
            for flag in flags[1:]:
                total = f.value(f"and i8 {total}, {flag}")
            is_finite = f.value(f"icmp ne i8 {total}, 0")
            f.do(f"br i1 {is_finite}, label %{good}, label %{after}")
        else:
            f.do(f"br label %{good}")
        f.begin(good)
        call_kernels(f, self.moves, locate)
        f.lines.append(f"  {following} = add i64 {step}, 1")
        f.do(f"br label %{head}")
        f.begin(after)
        f.do(f"ret i64 {step}")
        return self.module([f])

    @cached_property
    def plan(self) -> Plan:
        self.lowered.buffers[FINITE] = Buffer(FINITE, DType.BOOL, max(len(self._checked), 1))
        kernels = [
            Kernel(k.name, k.body, {n: d for n, d in k.buffers.items() if n not in self.strides})
            for k in self.kernels
        ]
        return plan_memory(self.lowered.buffers, kernels, self.lasting)


def _check_finite(view: View, place: int, sums: View) -> tuple[Statement, ...]:
    """Whether all elements are finite: x - x is 0 for those that are, and NaN for others.

    The zeros are added in lanes, several vectors at once: any order gives the same.
    """
    dtype, lanes = view.dtype, sums.size
    zero, total = Number(0.0, dtype), Local("total", dtype)

    def plus(so_far: Local, at: Affine) -> Value:
        element = Read(view.buffer, at, dtype)
        return Apply("add", (so_far, Apply("sub", (element, element), dtype)), dtype)

    k, lane = index("k"), index("l")
    whole = view.size // (_VECTORS * lanes)
    carried = []
    for v in range(_VECTORS):
        name = Local(f"t{v}", dtype)
        at = k * (_VECTORS * lanes) + lane + v * lanes
        carried.append(Carried(name.name, zero, plus(name, at)))
    together: Value = Local("t0", dtype)
    for v in range(1, _VECTORS):
        together = Apply("add", (together, Local(f"t{v}", dtype)), dtype)
    vectors = Loop("k", whole, carried=tuple(carried))
    side_by_side = Loop("l", lanes, (vectors, Write(sums.buffer, lane, together)), parallel=True)
    done = whole * _VECTORS * lanes
    begin: Value = zero
    statements: list[Statement] = []
    if whole:
        summed = Apply("add", (total, Read(sums.buffer, lane, dtype)), dtype)
        statements += [side_by_side, Loop("l", lanes, carried=(Carried("total", zero, summed),))]
        begin = total
    rest = Loop("k", view.size - done, carried=(Carried("total", begin, plus(total, k + done)),))
    finite = Apply("equal", (total, zero), DType.BOOL)
    return (*statements, rest, Write(FINITE, Affine(place), finite))


class NativeProgram(Program):
    """A training step, compiled."""

    def __init__(self, step: Graph, wiring: Wiring, target: Target) -> None:
        wiring.check(step)
        self.step = step
        self.wiring = wiring
        self.target = target
        self.types = {name: step[name].type for name in step.input_names}
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
        for name in program.wiring.state:
            array = _look_up("state", name, state)
            check_type(name, program.types[name], array.shape, array.dtype)
        for name in program.wiring.data:
            array, kind = _look_up("data", name, data), program.types[name]
            row = TensorType(kind.shape[1:], kind.dtype)
            check_type(f"a row of {name}", row, array.shape[1:], array.dtype)
        self._data = {name: np.ascontiguousarray(data[name]) for name in program.wiring.data}
        self._count = min((len(array) for array in self._data.values()), default=None)
        self._arena = aligned_bytes(stages.plan.size)
        for name in program.wiring.state:
            stages.place(self._arena, stages.inputs[name])[...] = state[name]

    def advance(self, rows: Rows, feeds: Mapping[str, Array]) -> Advanced:
        stages = self._stages
        steps = len(rows)
        self._check_fed(rows.shape[1:], {name: feeds[name][:1] for name in feeds})
        self._check_rows(rows)
        held = {ROWS: np.ascontiguousarray(rows, np.int64)}
        held |= {f"data.{name}": array for name, array in self._data.items()}
        for name in stages.fed:
            kind = self._program.types[name]
            held[f"fed.{name}"] = np.ascontiguousarray(feeds[name], kind.dtype.numpy)
        shown = {}
        for label in stages.shown:
            view = stages.outputs[label]
            shown[label] = np.empty((steps, *view.shape), view.dtype.numpy)
            held[f"shown.{label}"] = shown[label]
        table = np.array([held[name].ctypes.data for name in stages.outside], np.uint64)
        taken = self._program.advance(self._arena.ctypes.data, table.ctypes.data, steps)
        stages.raise_faults(self._arena)
        return Advanced(taken, {label: array[:taken] for label, array in shown.items()})

    def record(
        self, rows: Rows, feeds: Mapping[str, Array], names: Sequence[str] | None = None
    ) -> Mapping[str, Array]:
        program = self._program
        step, recorder, wiring = program.step, program.recorder, program.wiring
        self._check_fed(rows.shape, {name: np.asarray(feeds[name])[None] for name in feeds})
        self._check_rows(rows)
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
        return {name: _frozen(recorder.value(arena, moved[step.find(name)])) for name in names}

    def state(self) -> dict[str, Array]:
        stages = self._stages
        return {
            name: _frozen(stages.place(self._arena, stages.inputs[name]).copy())
            for name in self._program.wiring.state
        }

    def _check_rows(self, rows: Rows) -> None:
        if self._count is not None and rows.size:
            low, high = int(rows.min()), int(rows.max())
            if low < 0 or high >= self._count:
                wrong = low if low < 0 else high
                raise ShapeError(f"the data has rows from 0 to {self._count - 1}; got {wrong}")

    def _check_fed(self, rows: tuple[int, ...], feeds: Mapping[str, Array]) -> None:
        """Raise unless rows and feeds, the latter with a leading axis of 1, are what is taken."""
        program, wiring = self._program, self._program.wiring
        for name in (*wiring.data, *filter(None, (wiring.rows,))):
            if rows != program.types[name].shape[:1]:
                size = int(program.types[name].shape[0])
                raise ShapeError(f"a step reads {size} rows of {name}; got {list(rows)}")
        for name in wiring.fed(program.step):
            array = _look_up("feed", name, feeds)
            check_type(name, program.types[name], array.shape[1:], array.dtype)


def _look_up(kind: str, name: str, arrays: Mapping[str, Array]) -> Array:
    if name not in arrays:
        raise NameNotFoundError.among(kind, name, arrays)
    return np.asarray(arrays[name])


def _frozen(value: Array) -> Array:
    """The array, not to be written in."""
    value.flags.writeable = False
    return value
