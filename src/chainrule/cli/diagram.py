"""``chainrule diagram``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.cli.changes import Changes, change
from chainrule.cli.completion import complete
from chainrule.cli.experiment import Experiment
from chainrule.cli.experiment_file import overlaid
from chainrule.cli.model_file import load_model
from chainrule.cli.screen import Screen, Showing
from chainrule.cli.sources import load_source, table_of
from chainrule.cli.steps import first_step
from chainrule.cli.training import Plan
from chainrule.graph import Graph
from chainrule.nn import Module
from chainrule.nn.flow import forward_graph

command = App(
    name="diagram",
    help_epilogue="""Examples:
  chainrule diagram 2-2-2 --to network.svg
  chainrule diagram 2-2-2 --graph step --to step.svg
  chainrule diagram iris --set network.hidden=[5,4] --to iris.svg
  chainrule diagram runs/iris > trained.svg""",
)


@dataclass(frozen=True)
class _Subject:
    """What is drawn: a network, and where there is one the experiment that trains it."""

    net: Module
    experiment: Experiment | None
    example: Any = None


def _forward(subject: _Subject) -> Graph:
    return forward_graph(subject.net, subject.example)


def _step(subject: _Subject) -> Graph:
    if subject.experiment is None:
        raise ConfigurationError(
            "The model does not say what it was trained for, so there is no step to draw",
            advice="Models written by `chainrule train` do; --graph forward needs none",
        )
    return first_step(subject.experiment).graph


GRAPHS: dict[str, Callable[[_Subject], Graph]] = {"forward": _forward, "step": _step}


@command.default
def diagram(
    target: Annotated[
        str, Parameter(help="What `chainrule train` would learn from, a model file or a run.")
    ],
    /,
    *,
    graph: Annotated[
        str | None,
        Parameter(
            metavar="GRAPH",
            help="Draw what is computed: forward, or step (forward, backward, update).",
        ),
    ] = None,
    to: Annotated[
        Path | None, Parameter(metavar="FILE.svg", help="Where to write it; else it is printed.")
    ] = None,
    direction: Annotated[
        str | None, Parameter(metavar="WHERE", help="Where it goes: down or right.")
    ] = None,
    changes: Changes = None,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Draw a network, or the graph that it computes, as SVG."""
    screen = Screen(as_json=showing.json)
    if graph is not None and graph not in GRAPHS:
        raise NameNotFoundError.among("graph", graph, GRAPHS)
    subject = _subject(target, dict(change(text) for text in changes or ()))
    if graph is None:
        picture = subject.net.diagram(direction=direction)
    else:
        picture = GRAPHS[graph](subject).diagram(direction=direction or "down")
    if to is not None:
        picture.save(to)
        screen.say(f"{to}: {picture.width:.0f} × {picture.height:.0f}")
    elif not screen.as_json:
        sys.stdout.write(picture.svg)
    screen.document(
        {
            "target": target,
            "width": picture.width,
            "height": picture.height,
            "table": picture.table(),
            **({"svg": picture.svg} if to is None else {"file": str(to)}),
        }
    )
    return 0


def _subject(target: str, changes: dict[str, Any]) -> _Subject:
    path = Path(target)
    if path.is_dir() or path.suffix == ".safetensors":
        model = load_model(target)
        if changes:
            raise ConfigurationError(
                f"{model.path} is trained already: --set changes an experiment",
                advice="Name what it was trained on, or leave --set out",
            )
        return _Subject(model.net, model.origin.experiment if model.origin else None)
    experiment = overlaid(table_of(target), changes)
    source = load_source(experiment.data)
    plan = Plan(complete(experiment, source), source)
    net = plan.network().initialize(plan.experiment.training.seeds[0])
    example, _ = plan.arrays(plan.parts.training)
    return _Subject(net, experiment, example[:1])
