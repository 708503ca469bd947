"""What is left of a graph once it is compiled, in memory and on the disk.

The stages are loaded by the first graph whose code is not on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from chainrule.backends.cache import Cache
from chainrule.backends.native.arena import Fault, Place, forget_faults, take_fault
from chainrule.backends.native.key import key_of
from chainrule.backends.native.machine import Loaded, give_back_memory
from chainrule.backends.native.meeting import TEAM
from chainrule.backends.native.target import Target
from chainrule.backends.protocol import Wiring
from chainrule.base.errors import DataError
from chainrule.graph import Graph

if TYPE_CHECKING:
    from chainrule.backends.native.routine import Stages
    from chainrule.backends.native.view import View


@dataclass(frozen=True)
class Compiled:
    """A graph's machine code, and where in memory it finds and puts what.

    Parameters
    ----------
    code : bytes
        An object file.
    arena : int
        The size of the arena, in bytes.
    inputs, outputs : mapping of str to Place
        By name and by label, in the graph's order.
    outside : tuple of str
        Memory that is not in the arena, in the order in which the code takes its addresses.
    latest : tuple of str
        Outputs that are in the arena after the last step.
    nodes : tuple of Place
        Where the graph's nodes are, if all are kept.
    replaced : tuple of str
        Inputs that are replaced by a step which turns out to be one that is not to be taken.
    faults : tuple of Fault
        What can go wrong.
    noted : int
        Where in the arena it is noted.
    stop : int, optional
        Where in the arena a byte stops the code within a step, if it looks for one.
    threads : int
        How many there is memory for; one is not told which it is.
    team : int
        Where in the arena several meet.
    """

    code: bytes
    arena: int
    inputs: dict[str, Place]
    outputs: dict[str, Place]
    outside: tuple[str, ...] = ()
    latest: tuple[str, ...] = ()
    nodes: tuple[Place, ...] = ()
    replaced: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    noted: int = 0
    stop: int | None = None
    threads: int = 1
    team: int = 0

    def take_fault(self, arena: Any) -> DataError | None:
        """What a kernel has noted in an arena since the last time, if anything went wrong."""
        return take_fault(arena, self.noted, self.faults)

    def forget_faults(self, arena: Any) -> None:
        """Let nothing be noted in an arena whose content may be anything."""
        forget_faults(arena, self.noted, self.faults)


@dataclass(frozen=True)
class Compiler:
    """Makes code for a machine, or finds it on the disk.

    Parameters
    ----------
    target : Target
    cache : Cache, optional
    threads : int
        How many may run a step.
    """

    target: Target
    cache: Cache | None = None
    threads: int = 1

    def routine(self, graph: Graph, *, keep_all: bool = False) -> tuple[Compiled, Loaded]:
        """A graph that is run by itself: ``run(arena)``.

        Raises
        ------
        MissingKernelError
            If an op has no kernel here.
        """
        purpose = "run and keep all" if keep_all else "run"
        return self._found(graph, purpose, lambda: compile_routine(graph, self.target, keep_all))

    def step(self, graph: Graph, wiring: Wiring) -> tuple[Compiled, Loaded]:
        """A training step: ``advance(arena, table, steps)``, or with a thread and how many.

        Raises
        ------
        MissingKernelError
            If an op has no kernel here.
        """
        purpose = f"advance {wiring} on {self.threads}"
        return self._found(
            graph, purpose, lambda: compile_step(graph, wiring, self.target, self.threads)
        )

    def _found(
        self, graph: Graph, purpose: str, make: Callable[[], Compiled]
    ) -> tuple[Compiled, Loaded]:
        key = None if self.cache is None else key_of(graph, self.target, purpose)
        if self.cache is None or key is None:
            compiled = make()
            give_back_memory()
            return compiled, Loaded(compiled.code, self.target)
        content = self.cache.get(key)
        if content is not None:
            try:
                compiled = msgspec.msgpack.decode(content, type=Compiled)
                return compiled, Loaded(compiled.code, self.target)
            except msgspec.MsgspecError:  # whole, and yet not of this form
                pass
        compiled = make()
        give_back_memory()
        self.cache.put(key, msgspec.msgpack.encode(compiled))
        return compiled, Loaded(compiled.code, self.target)


def compile_routine(graph: Graph, target: Target, keep_all: bool = False) -> Compiled:
    """Compile a graph that is run by itself."""
    from chainrule.backends.native.routine import Stages

    stages = Stages(graph, target, keep_all=keep_all)
    lean, values = stages.lean, stages.lowered.values
    moved = [stages.moved[position] for position in range(len(graph.nodes))] if keep_all else []
    return _of(
        stages,
        inputs={lean.name_of(position): values[position] for position in lean.inputs},
        outputs={output.label: values[output.node] for output in lean.outputs},
        nodes=[values[position] for position in moved],
    )


def compile_step(graph: Graph, wiring: Wiring, target: Target, threads: int = 1) -> Compiled:
    """Compile a training step."""
    from chainrule.backends.native.step import STOP, StepStages

    stages = StepStages(graph, target, wiring=wiring, threads=threads)
    made = _of(stages, stages.inputs, stages.outputs)
    made = replace(
        made,
        outside=tuple(stages.outside),
        latest=tuple(stages.latest),
        replaced=tuple(stages.replaced),
        stop=stages.plan.offsets.get(STOP),
    )
    if not stages.is_shared:
        return made
    return replace(made, threads=threads, team=stages.plan.offsets[TEAM])


def _of(
    stages: Stages,
    inputs: Mapping[str, View],
    outputs: Mapping[str, View],
    nodes: Sequence[View] = (),
) -> Compiled:
    faults = [stages.plan.offsets[name] for name in stages.faults]
    return Compiled(
        code=stages.code,
        arena=stages.plan.size,
        inputs={name: stages.place(view) for name, view in inputs.items()},
        outputs={label: stages.place(view) for label, view in outputs.items()},
        nodes=tuple(map(stages.place, nodes)),
        faults=tuple(fault for _, fault in stages.lowered.faults),
        noted=faults[0] if faults else 0,
    )
