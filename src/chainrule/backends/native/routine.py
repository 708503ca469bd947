"""A graph as one native function: all stages, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from chainrule.backends.native.arena import Place
from chainrule.backends.native.emit import emit_kernel
from chainrule.backends.native.ir import Function, module_text
from chainrule.backends.native.layout import Pair
from chainrule.backends.native.lower import lower
from chainrule.backends.native.lowered import Lowered
from chainrule.backends.native.machine import object_code
from chainrule.backends.native.nest import Kernel
from chainrule.backends.native.plan import Plan, plan_memory
from chainrule.backends.native.positions import FAULTS
from chainrule.backends.native.share import THREAD_PARAMETERS
from chainrule.backends.native.streaming import stream_results
from chainrule.backends.native.target import Target
from chainrule.backends.native.view import View
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
        if not self.keep_all:
            return lower(self.lean, self.target, outputs, self.pairs)
        made = lower(self.lean, self.target, range(len(self.lean.nodes)), self.pairs)
        made.kernels = stream_results(made.kernels, made.buffers)
        return made

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

    @cached_property
    def plan(self) -> Plan:
        """Where its buffers lie."""
        return plan_memory(self.lowered.buffers, self.kernels, self.lasting)

    @cached_property
    def ir(self) -> str:
        """The module: a function for each kernel, and ``run``, which calls them in order."""
        run = Function("run", [("ptr", "%arena")])
        call_kernels(run, self.kernels, lambda name: in_arena(run, self.plan, name))
        if any(kernel.streamed for kernel in self.kernels):
            run.do("fence seq_cst")  # then what went past the caches is there for other threads
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

    def place(self, view: View) -> Place:
        """Where in the arena a whole value is."""
        shape, strides = (tuple(map(int, each)) for each in (view.shape, view.strides))
        return Place(self.plan.offsets[view.buffer], view.dtype, shape, strides)


def call_kernels(
    function: Function, kernels: Sequence[Kernel], locate: Callable[[str], str]
) -> None:
    """Write calls of kernels; `locate` gives the address of a buffer."""
    for kernel in kernels:
        passed = [("ptr", locate(name)) for name in kernel.buffers]
        passed += THREAD_PARAMETERS if kernel.is_shared else []
        places = ", ".join(f"{kind} {value}" for kind, value in passed)
        function.do(f'call void @"{kernel.name}"({places})')


def in_arena(function: Function, plan: Plan, name: str) -> str:
    """The address of a buffer in the arena."""
    return function.value(f"getelementptr i8, ptr %arena, i64 {plan.offsets[name]}")
