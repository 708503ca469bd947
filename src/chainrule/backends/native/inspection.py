"""The stages of a step's compilation, as text: all of one, or what it has of one kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.backends.native.emit import emit_kernel
from chainrule.backends.native.machine import assembly
from chainrule.backends.native.nest import Kernel
from chainrule.backends.native.plan import Plan
from chainrule.backends.native.step import StepStages
from chainrule.backends.native.target import Target
from chainrule.backends.protocol import Wiring
from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.base.registry import Registry
from chainrule.graph import Graph

Show = Callable[[StepStages, Kernel | None], str]
STAGES: Registry[Show] = Registry("stage")
"""In the order in which they follow each other."""


def inspect(
    step: Graph, wiring: Wiring, target: Target, stage: str, kernel: str | None = None
) -> str:
    r"""What a training step is at one stage of its compilation.

    Parameters
    ----------
    step : Graph
    wiring : Wiring
    target : Target
        One of `INSTRUCTION_SETS`, or another.
    stage : str
        One of `STAGES`.
    kernel : str, optional
        Show what the stage has of this kernel only.

    Raises
    ------
    NameNotFoundError
        If no stage, or no kernel of the step, has this name.
    ConfigurationError
        If the stage has no kernels.

    Examples
    --------
    >>> from chainrule.backends.native.instruction_sets import INSTRUCTION_SETS
    >>> from chainrule.graph import parse_graph
    >>> lines = (
    ...     "graph step(w: f32[9999]) -> f32[9999]",
    ...     "  next: f32[9999] = neg(w)",
    ...     "  return next",
    ... )
    >>> step = parse_graph("\n".join(lines))
    >>> print(inspect(step, Wiring({"w": "next"}), INSTRUCTION_SETS["sse2"](), "kernels"))
    kernel map_1(v0: f32)
      # v0 is w, next: f32[9999]
      parallel for i0 < 9999
        v1 = neg(v0[i0])
        v0[i0] = v1
    """
    show = STAGES.get(stage)
    stages = StepStages(step, target, wiring=wiring)
    chosen = None
    if kernel is not None:
        if stage in ("graph", "lean"):
            raise ConfigurationError(
                f'A graph is not divided into kernels yet: "{kernel}" is none of it',
                advice="Look for it in the stage kernels",
            )
        found = {each.name: each for each in stages.kernels}
        if kernel not in found:
            raise NameNotFoundError.among("kernel", kernel, found)
        chosen = found[kernel]
    return show(stages, chosen)


def kernel_names(step: Graph, wiring: Wiring, target: Target) -> Sequence[str]:
    """The kernels of a step, in the order in which they run."""
    return [each.name for each in StepStages(step, target, wiring=wiring).kernels]


@STAGES.register("graph")
def _graph(stages: StepStages, chosen: Kernel | None) -> str:
    return str(stages.graph)


@STAGES.register("lean")
def _lean(stages: StepStages, chosen: Kernel | None) -> str:
    return str(stages.lean)


@STAGES.register("kernels")
def _kernels(stages: StepStages, chosen: Kernel | None) -> str:
    meanings = _meanings(stages)
    shown = []
    for kernel in stages.kernels if chosen is None else [chosen]:
        head, *body = str(kernel).splitlines()
        remarks = [f"  # {b} is {meanings[b]}" for b in kernel.buffers if b in meanings]
        shown.append("\n".join([head, *remarks, *body]))
    return "\n\n".join(shown)


def _meanings(stages: StepStages) -> dict[str, str]:
    """For each buffer the nodes of the lean graph whose values it holds: names, or the op."""
    found: dict[str, list[int]] = {}
    for position, view in sorted(stages.lowered.values.items()):
        found.setdefault(view.buffer, []).append(position)
    meanings = {}
    for buffer, positions in found.items():
        nodes = [stages.lean.nodes[i] for i in positions]
        names = [node.name for node in nodes if node.name is not None]
        told = ", ".join(names) or f"%{positions[0]}, of {nodes[0].op}"
        meanings[buffer] = f"{told}: {nodes[0].type}"
    return meanings


@STAGES.register("plan")
def _plan(stages: StepStages, chosen: Kernel | None) -> str:
    if chosen is None:
        return str(stages.plan)
    offsets = stages.plan.offsets
    own = {name: offsets[name] for name in chosen.buffers if name in offsets}
    return str(Plan(own, stages.plan.size))


@STAGES.register("ir")
def _ir(stages: StepStages, chosen: Kernel | None) -> str:
    return (stages.ir if chosen is None else emit_kernel(chosen, stages.target).text()).rstrip()


@STAGES.register("asm")
def _asm(stages: StepStages, chosen: Kernel | None) -> str:
    text = assembly(stages.ir, stages.target)
    if chosen is None:
        return text.rstrip()
    lines = text.splitlines()
    begin = next(
        i
        for i, line in enumerate(lines)
        if line.startswith((f"{chosen.name}:", f'"{chosen.name}":'))
    )
    end = next(i for i in range(begin, len(lines)) if lines[i].startswith(".Lfunc_end"))
    return "\n".join(lines[begin:end])
