"""The native backend: graphs compiled for a processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from chainrule.backends.cache import Cache
from chainrule.backends.native.compiled import Compiler
from chainrule.backends.native.machine import start
from chainrule.backends.native.program import NativeProgram, Routine
from chainrule.backends.native.target import Target, host
from chainrule.backends.native.workers import processors
from chainrule.backends.protocol import Array, Backend, Program, Wiring, check_type
from chainrule.graph import Graph


@lru_cache(maxsize=256)
def _routine(graph: Graph, compiler: Compiler) -> Routine:
    return Routine(graph, compiler)


class NativeBackend(Backend):
    """Compiles graphs with LLVM.

    Parameters
    ----------
    target : Target, optional
        By default this machine, with all that it can do.
    cache : Path, optional
        The folder where code is kept for other processes; without one it is not.
    """

    name = "native"
    compiles_sizes = True

    def __init__(self, target: Target | None = None, cache: Path | None = None) -> None:
        self._target = target
        self._cache = None if cache is None else Cache(cache)

    @property
    def target(self) -> Target:
        """The machine that code is made for."""
        return self._target or host()

    @property
    def arithmetic(self) -> str:
        return f"native {'fma' if self.target.fma else 'muladd'}"

    @property
    def compiler(self) -> Compiler:
        """What makes the code."""
        return Compiler(self.target, self._cache)

    def start(self) -> None:
        """Raise whatever llvmlite raises if it is not there, or cannot compile for this machine."""
        start(self.target)

    def run(self, graph: Graph, inputs: Sequence[Array]) -> list[Array]:
        for position, value in zip(graph.inputs, inputs, strict=True):
            name = graph.name_of(position)
            check_type(name, graph.nodes[position].type, np.shape(value), value.dtype)
        return _routine(graph, self.compiler)(inputs)

    def compile(self, step: Graph, wiring: Wiring, threads: int | None = None) -> Program:
        count = processors() if threads is None else threads
        return NativeProgram(step, wiring, replace(self.compiler, threads=count))
