"""A graph as one native function: all stages, one after the other."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.backends.native.emit import emit_kernel
from chainrule.backends.native.ir import Function, module_text
from chainrule.backends.native.layout import Pair
from chainrule.backends.native.lower import Lowered, lower
from chainrule.backends.native.machine import Loaded, object_code
from chainrule.backends.native.nest import Kernel
from chainrule.backends.native.plan import ALIGNMENT, Plan, plan_memory
from chainrule.backends.native.positions import FAULTS
from chainrule.backends.native.target import Target
from chainrule.backends.native.view import View
from chainrule.backends.protocol import Array
from chainrule.base.errors import DataError
from chainrule.graph import Graph
from chainrule.rewrite import eliminate_dead_nodes, expand_composites, merge_equal_nodes


@dataclass
class Stages:
    """What a graph becomes on its way to the machine.

    Parameters
    ----------
    graph : Graph
        As it is given.
    target : Target
    keep_all : bool
        Whether every node's value is to be read afterwards.
    """

    graph: Graph
    target: Target
    keep_all: bool = False

    @cached_property
    def _lean(self) -> tuple[Graph, Mapping[int, int]]:
        expanded = expand_composites(self.graph, keep=lambda op: False)
        merged = merge_equal_nodes(expanded.graph)
        moved = {old: merged.moved[new] for old, new in expanded.moved.items()}
        if self.keep_all:
            return merged.graph, moved
        return eliminate_dead_nodes(merged.graph).graph, {}

    @property
    def lean(self) -> Graph:
        """The graph without composites, nothing in it computed twice or for nobody."""
        return self._lean[0]

    @property
    def moved(self) -> Mapping[int, int]:
        """Where the nodes of the graph are in the lean one, if all are kept."""
        return self._lean[1]

    @cached_property
    def lowered(self) -> Lowered:
        """Its kernels."""
        outputs = [output.node for output in self.lean.outputs]
        kept = range(len(self.lean.nodes)) if self.keep_all else outputs
        return lower(self.lean, self.target, list(kept), self.pairs)

    @property
    def pairs(self) -> Sequence[Pair]:
        """Inputs, and the nodes whose values take their place."""
        return ()

    @property
    def kernels(self) -> list[Kernel]:
        """All that run for it, in order."""
        return self.lowered.kernels

    @cached_property
    def lasting(self) -> list[str]:
        """Buffers that live from the first kernel to the last."""
        if self.keep_all:
            return list(self.lowered.buffers)
        positions = [*self.lean.inputs, *(output.node for output in self.lean.outputs)]
        views = [self.lowered.values[i] for i in positions]
        return list(dict.fromkeys([*(view.buffer for view in views), *self.faults]))

    @property
    def faults(self) -> list[str]:
        """The buffer in which kernels note what goes wrong, if anything can."""
        return [FAULTS] if self.lowered.faults else []

    def take_fault(self, arena: Any) -> DataError | None:
        """What a kernel has noted since the last time, if an index was out of range."""
        if not self.lowered.faults:
            return None
        count = len(self.lowered.faults)
        begin = self.plan.offsets[FAULTS]
        noted = arena[begin : begin + 16 * count].view(np.int64).reshape(count, 2)
        for slot in np.flatnonzero(noted[:, 0])[:1]:
            place, number = (int(each) for each in noted[slot])
            noted[...] = 0
            _, fault = self.lowered.faults[slot]
            element = [int(i) for i in np.unravel_index(place - 1, fault.shape)]
            return DataError(
                f"{fault.takes}; got {number}", where=f"Element {element} of the indices"
            )
        return None

    @cached_property
    def plan(self) -> Plan:
        """Where its buffers lie."""
        return plan_memory(self.lowered.buffers, self.kernels, self.lasting)

    @cached_property
    def ir(self) -> str:
        """The module: a function for each kernel, and ``run``, which calls them in order."""
        run = Function("run", [("ptr", "%arena")])
        call_kernels(run, self.kernels, lambda name: in_arena(run, self.plan, name))
        run.do("ret void")
        return self.module([run])

    def module(self, entries: Sequence[Function]) -> str:
        """The kernels' functions and others that call them, as IR."""
        made = [emit_kernel(kernel, self.target) for kernel in self.kernels]
        return module_text([*made, *entries], self.target, [k.name for k in self.kernels])

    @cached_property
    def code(self) -> bytes:
        """The machine code."""
        return object_code(self.ir, self.target)

    def place(self, arena: Any, view: View) -> Array:
        """The array in an arena that a whole value is."""
        dtype = view.dtype.numpy
        begin = self.plan.offsets[view.buffer]
        flat = arena[begin : begin + view.size * dtype.itemsize].view(dtype)
        strides = [dtype.itemsize * stride for stride in view.strides]
        return np.lib.stride_tricks.as_strided(flat, view.shape, strides)


def call_kernels(
    function: Function, kernels: Sequence[Kernel], locate: Callable[[str], str]
) -> None:
    """Write calls of kernels; `locate` gives the address of a buffer."""
    for kernel in kernels:
        places = ", ".join(f"ptr {locate(name)}" for name in kernel.buffers)
        function.do(f'call void @"{kernel.name}"({places})')


def in_arena(function: Function, plan: Plan, name: str) -> str:
    """The address of a buffer in the arena."""
    return function.value(f"getelementptr i8, ptr %arena, i64 {plan.offsets[name]}")


class Routine:
    """A graph made ready to run.

    Parameters
    ----------
    stages : Stages
    """

    def __init__(self, stages: Stages) -> None:
        self.stages = stages
        self._loaded = Loaded(stages.code, stages.target)
        self._run = self._loaded.function("run", None, ctypes.c_void_p)

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Compute the outputs."""
        lean = self.stages.lean
        arena = self.run(inputs)
        return [self.value(arena, output.node).copy() for output in lean.outputs]

    def run(self, inputs: Sequence[Array]) -> Any:
        """Compute all there is in an arena of its own."""
        arena = aligned_bytes(self.stages.plan.size)
        for position, array in zip(self.stages.lean.inputs, inputs, strict=True):
            self.value(arena, position)[...] = array
        self._run(arena.ctypes.data)
        fault = self.stages.take_fault(arena)
        if fault is not None:
            raise fault
        return arena

    def value(self, arena: Any, position: int) -> Array:
        """A node's value in an arena."""
        return self.stages.place(arena, self.stages.lowered.values[position])


def aligned_bytes(size: int) -> Any:
    """Zeroed memory that begins where a line of the cache does."""
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + size]
