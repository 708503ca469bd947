"""``chainrule inspect``."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from chainrule.cli.changes import Changes, change
from chainrule.cli.experiment_file import overlaid
from chainrule.cli.screen import Screen, Showing
from chainrule.cli.sources import table_of

command = App(
    name="inspect",
    help_epilogue="""Examples:
  chainrule inspect 2-2-2 --stage graph
  chainrule inspect iris
  chainrule inspect iris --kernel gather.x
  chainrule inspect iris.toml --stage asm --instruction-set sse2
  chainrule inspect digits --stage plan --set training.batch_size=100""",
)


@command.default
def inspect(
    source: Annotated[str, Parameter(help="What `chainrule train` would learn from.")],
    /,
    *,
    stage: Annotated[
        str,
        Parameter(
            metavar="STAGE", help="One of graph, lean, kernels, plan, ir, asm; kernels by default."
        ),
    ] = "kernels",
    kernel: Annotated[
        str | None, Parameter(metavar="NAME", help="Show what the stage has of this kernel only.")
    ] = None,
    machine: Annotated[
        str,
        Parameter(
            name="--instruction-set",
            metavar="NAME",
            help="Of which processor: host, avx512, avx2, sse2, aarch64; host by default.",
        ),
    ] = "host",
    changes: Changes = None,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Show what a training step is compiled into, stage by stage."""
    from chainrule.backends import get_backend

    get_backend("native")  # says what is missing, if it is
    from chainrule.backends.native import inspection
    from chainrule.backends.native.instruction_sets import INSTRUCTION_SETS
    from chainrule.cli.steps import first_step

    screen = Screen(as_json=showing.json)
    inspection.STAGES.get(stage)
    chosen = INSTRUCTION_SETS.get(machine)()
    experiment = overlaid(table_of(source), dict(change(text) for text in changes or ()))
    step = first_step(experiment)
    text = inspection.inspect(step.graph, step.wiring, chosen, stage, kernel)
    document: dict[str, Any] = {
        "experiment": source,
        "stage": stage,
        "target": {"triple": chosen.triple, "features": chosen.features},
        "kernels": inspection.kernel_names(step.graph, step.wiring, chosen),
        "text": text,
    }
    screen.document(document)
    screen.verbatim(text)
    return 0
