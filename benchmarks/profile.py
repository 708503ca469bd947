"""Where a native step's time goes: each kernel's share of the step, and its time by itself.

In the step, the processor's cycle counter is read between kernels: a kernel finds in the cache
what those before it left there. Alone, it runs again and again on the same memory. Reading the
counter takes some 10 ns, behind which what is shorter hides: for those, look at them alone. All
figures are of the fastest repeat, since what else runs on a machine only adds.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.contenders.chainrule_step import Step, step_of
from benchmarks.task import Array
from benchmarks.tasks import task_named
from chainrule.backends.native.arena import new_arena
from chainrule.backends.native.ir import Function
from chainrule.backends.native.machine import Loaded, object_code
from chainrule.backends.native.nest import (
    Apply,
    Kernel,
    Let,
    Loop,
    Statement,
    Value,
    Write,
)
from chainrule.backends.native.routine import call_kernels, in_arena
from chainrule.backends.native.step import ROWS, StepStages
from chainrule.backends.native.target import host

POINTER, COUNT = ctypes.c_void_p, ctypes.c_int64
HIDDEN = 5e-8
"""Seconds, below which the counter between kernels sees nothing."""


@dataclass(frozen=True)
class Timed:
    """A kernel's times.

    Parameters
    ----------
    kernel : Kernel
    makes : str
        The named nodes that it writes.
    in_step, alone : float
        Seconds a run.
    operations : int
        Arithmetic in it; a fused multiply-add is two.
    bytes : int
        The size of all buffers that it reads or writes.
    """

    kernel: Kernel
    makes: str
    in_step: float
    alone: float
    operations: int
    bytes: int

    @property
    def seconds(self) -> float:
        """What it takes, by the way of timing that can see it."""
        return self.in_step if self.in_step > HIDDEN else self.alone


class Bench:
    """A step's kernels, compiled once more so that each can be timed."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.stages = StepStages(step.graph, host(), wiring=step.wiring)
        self.kernels = self.stages.kernels
        alone = [self._alone(i, kernel) for i, kernel in enumerate(self.kernels)]
        ir = self.stages.module([self._in_step(), *alone])
        self._loaded = Loaded(object_code(ir, host()), host())

    def times_in_step(self, steps: int, repeats: int) -> Array:
        """Seconds of each kernel in a step: in its fastest of some repeats of so many steps."""
        run = self._loaded.function("timed", None, POINTER, POINTER, COUNT, POINTER)
        arena, table, outside = self._memory(steps)
        rows = outside[self.stages.outside.index(ROWS)]
        rng, count = np.random.default_rng(0), self._examples()
        found = []
        for _ in range(repeats + 1):
            rows[...] = rng.integers(0, count, rows.shape)  # others, which no cache has
            cycles = np.zeros(len(self.kernels) + 1, np.int64)
            began = time.perf_counter()
            run(arena.ctypes.data, table.ctypes.data, steps, cycles.ctypes.data)
            seconds = (time.perf_counter() - began) / steps
            # The last kernel is none: what reading the counter takes is in all the others.
            found.append(seconds * (cycles[:-1] - cycles[-1]) / cycles.sum())
        fastest: Array = np.min(found[1:], axis=0)  # the first fetches pages, fills caches
        return fastest.clip(min=0.0)

    def times_alone(self, seconds: float) -> list[float]:
        """Seconds of each kernel, run again and again for so long."""
        found = []
        for i in range(len(self.kernels)):
            arena, table, _outside = self._memory(1)
            run = self._loaded.function(f"alone.{i}", None, POINTER, POINTER, COUNT)
            count, spent, fastest = 1, 0.0, float("inf")
            while spent < seconds:
                began = time.perf_counter()
                run(arena.ctypes.data, table.ctypes.data, count)
                took = time.perf_counter() - began
                if took < seconds / 20:  # too short to be told from the call itself
                    count = 2 * count
                else:
                    spent, fastest = spent + took, min(fastest, took / count)
            found.append(fastest)
        return found

    def _memory(self, steps: int) -> tuple[Array, Array, list[Array]]:
        """An arena, the addresses of what is outside of it, and that itself."""
        stages, step = self.stages, self.step
        arena = new_arena(stages.plan.size)
        for name in stages.inputs.keys() & step.wiring.state.keys():
            stages.place(stages.inputs[name]).of(arena)[...] = step.state[name]
        # One more than there are steps: each asks for the rows of the next one.
        held: dict[str, Array] = {ROWS: np.zeros((steps + 1, stages.batch), np.int64)}
        held[ROWS] += np.arange(stages.batch) % self._examples()
        held |= {f"data.{name}": np.ascontiguousarray(a) for name, a in step.data.items()}
        held |= {f"fed.{name}": array for name, array in step.fed(steps).items()}
        for label in stages.shown:
            view = stages.outputs[label]
            held[f"shown.{label}"] = np.empty((steps, *view.shape), view.dtype.numpy)
        arrays = [held[name] for name in stages.outside]
        return arena, np.array([a.ctypes.data for a in arrays], np.uint64), arrays

    def _examples(self) -> int:
        return min((len(array) for array in self.step.data.values()), default=1)

    def _places(self, f: Function, step: str | None) -> Callable[[str], str]:
        """Where a buffer is, at a step (an i64), or at the first."""
        outside = {}
        for i, name in enumerate(self.stages.outside):
            place = f.value(f"getelementptr ptr, ptr %table, i64 {i}")
            outside[name] = f.value(f"load ptr, ptr {place}, align 8")

        def locate(name: str) -> str:
            if name not in outside:
                return in_arena(f, self.stages.plan, name)
            if step is None:
                return outside[name]
            moved = f.value(f"mul i64 {step}, {self.stages.strides[name]}")
            return f.value(f"getelementptr i8, ptr {outside[name]}, i64 {moved}")

        return locate

    def _in_step(self) -> Function:
        """``timed(arena, table, steps, cycles)`` adds up the cycles of each kernel."""
        parameters = [("ptr", "%arena"), ("ptr", "%table"), ("i64", "%steps"), ("ptr", "%cycles")]
        f = Function("timed", parameters)
        with f.loop("%steps") as block:
            locate = self._places(f, block.index)
            before = f.call("i64", "llvm.readcyclecounter")
            for i, kernel in enumerate([*self.kernels, None]):
                if kernel is not None:
                    call_kernels(f, [kernel], locate)
                now = f.call("i64", "llvm.readcyclecounter")
                place = f.value(f"getelementptr i64, ptr %cycles, i64 {i}")
                total = f.value(f"load i64, ptr {place}, align 8")
                taken = f.value(f"sub i64 {now}, {before}")
                f.do(f"store i64 {f.value(f'add i64 {total}, {taken}')}, ptr {place}, align 8")
                before = now
        f.do("ret void")
        return f

    def _alone(self, number: int, kernel: Kernel) -> Function:
        """``alone.<number>(arena, table, times)`` runs one kernel."""
        f = Function(f"alone.{number}", [("ptr", "%arena"), ("ptr", "%table"), ("i64", "%times")])
        locate = self._places(f, None)
        places = {name: locate(name) for name in kernel.buffers}
        with f.loop("%times"):
            call_kernels(f, [kernel], places.__getitem__)
        f.do("ret void")
        return f


def whole_step(name: str, repeats: int = 15) -> float:
    """Seconds of a task's step with nothing between its kernels."""
    task = task_named(name)
    arrays = task.arrays()
    runner = CONTENDERS[OURS].open_task(task, arrays, 1)
    found = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        runner.run(task.profiled_steps)
        found.append((time.perf_counter() - began) / task.profiled_steps)
    return min(found[1:])


def profile(name: str, *, steps: int = 0, repeats: int = 15, alone: float = 0.02) -> list[Timed]:
    """Time the kernels of a task's native step."""
    task = task_named(name)
    bench = Bench(step_of(task, task.arrays()))
    steps = steps or task.profiled_steps
    in_step = bench.times_in_step(steps, repeats)
    lean, stages = bench.stages.lean, bench.stages
    labels: dict[str, list[str]] = {}
    for position, view in stages.lowered.values.items():
        labels.setdefault(view.buffer, []).append(lean.name_of(position))
    found = []
    by_itself = bench.times_alone(alone)
    for kernel, together, single in zip(bench.kernels, in_step, by_itself, strict=True):
        written = [label for b in _written(kernel.body) for label in labels.get(b, ())]
        sizes = [stages.buffers[b] for b in kernel.buffers if b in stages.buffers]
        amount = sum(buffer.size * buffer.dtype.numpy.itemsize for buffer in sizes)
        makes = ", ".join(label for label in written if not label.startswith("%"))
        found.append(Timed(kernel, makes, together, single, operations(kernel.body), amount))
    return found


def operations(body: Sequence[Statement]) -> int:
    """The arithmetic of statements, each loop's as often as it runs."""
    total = 0
    todo: list[tuple[Statement, int]] = [(statement, 1) for statement in body]
    while todo:
        statement, times = todo.pop()
        match statement:
            case Let(_, value) | Write(_, _, value):
                total += times * _operations([value])
            case Loop(_, count, inner, _, carried):
                todo += [(each, times * count) for each in inner]
                total += times * count * _operations([c.next for c in carried])
    return total


def _operations(values: Sequence[Value]) -> int:
    """The arithmetic in values; what several of them share is computed once."""
    seen: set[int] = set()
    todo, total = list(values), 0
    while todo:
        value = todo.pop()
        if isinstance(value, Apply) and id(value) not in seen:
            seen.add(id(value))
            total += 2 if value.op == "fma" else 1
            todo += value.arguments
    return total


def _written(body: Sequence[Statement]) -> list[str]:
    """The buffers that statements write."""
    found, todo = [], list(body)
    while todo:
        match todo.pop():
            case Write(buffer):
                found.append(buffer)
            case Loop(body=inner):
                todo += inner
    return list(dict.fromkeys(found))


def show(
    name: str, found: Sequence[Timed], whole: float, console: Console, *, slowest: int = 0
) -> None:
    """Print the kernels in the order in which they run, or the slowest first."""
    total = sum(each.seconds for each in found)
    table = Table(
        title=f"{name}: {len(found)} kernels, {micro(total)} µs; a step {micro(whole)} µs"
    )
    table.add_column("kernel", no_wrap=True)
    table.add_column("makes", no_wrap=True, overflow="ellipsis", max_width=48)
    for heading in ("in step µs", "share", "alone µs", "Gop/s", "kB", "GB/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    shown = sorted(found, key=lambda t: -t.seconds)[:slowest] if slowest else found
    for each in shown:
        table.add_row(
            each.kernel.name,
            each.makes,
            micro(each.in_step),
            f"{100 * each.seconds / total:.1f} %",
            micro(each.alone),
            rate(each.operations, each.seconds),
            f"{each.bytes / 1e3:.1f}",
            rate(each.bytes, each.seconds),
        )
    console.print(table)


def rate(count: int, seconds: float) -> str:
    """Billions a second."""
    return f"{count / seconds / 1e9:.1f}"


def micro(seconds: float) -> str:
    """Microseconds, to three digits or the nanosecond."""
    return f"{1e6 * seconds:.3f}" if seconds < 1e-5 else f"{1e6 * seconds:.1f}"
