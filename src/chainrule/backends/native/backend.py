"""The native backend: graphs compiled for a processor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from chainrule.backends.native.program import NativeProgram
from chainrule.backends.native.routine import Routine, Stages
from chainrule.backends.native.target import Target, host
from chainrule.backends.protocol import Array, Backend, Program, Wiring, check_type
from chainrule.graph import Graph


@lru_cache(maxsize=256)
def _routine(graph: Graph, target: Target) -> Routine:
    return Routine(Stages(graph, target))


class NativeBackend(Backend):
    """Compiles graphs with LLVM.

    Parameters
    ----------
    target : Target, optional
        By default this machine, with all that it can do.
    """

    name = "native"

    def __init__(self, target: Target | None = None) -> None:
        self._target = target

    @property
    def target(self) -> Target:
        """The machine that code is made for."""
        return self._target or host()

    def run(self, graph: Graph, inputs: Sequence[Array]) -> list[Array]:
        for position, value in zip(graph.inputs, inputs, strict=True):
            name = graph.name_of(position)
            check_type(name, graph.nodes[position].type, np.shape(value), value.dtype)
        return _routine(graph, self.target)(inputs)

    def compile(self, step: Graph, wiring: Wiring) -> Program:
        return NativeProgram(step, wiring, self.target)


BACKEND = NativeBackend()
