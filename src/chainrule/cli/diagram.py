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
from chainrule.drawing.diagram import DIAGRAM
from chainrule.graph import Graph
from chainrule.nn import Module
from chainrule.nn.flow import forward_graph

command = App(
    name="diagram",
    help_epilogue="""Examples:
  chainrule diagram 2-2-2 --save network.svg
  chainrule diagram 2-2-2 --graph step --save step.svg
  chainrule diagram iris --set network.hidden=[5,4] --save iris.svg
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
    source: Annotated[
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
    save: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Write it to a file, as .svg; by default it is printed."),
    ] = None,
    direction: Annotated[
        str | None,
        Parameter(
            metavar="WHERE",
            help="Where it goes: down or right. By default neurons go right, the rest down.",
        ),
    ] = None,
    changes: Changes = None,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Draw a network, or the graph that it computes, as SVG."""
    screen = Screen(as_json=showing.json)
    if graph is not None and graph not in GRAPHS:
        raise NameNotFoundError.among("graph", graph, GRAPHS)
    if save is not None:
        DIAGRAM.check(save)
    subject = _subject(source, dict(change(text) for text in changes or ()))
    if graph is None:
        picture = subject.net.diagram(direction=direction)
    else:
        picture = GRAPHS[graph](subject).diagram(direction=direction or "down")
    if save is not None:
        picture.save(save)
        screen.say(f"{save}: {picture.width:.0f} × {picture.height:.0f}")
    elif not screen.as_json:
        sys.stdout.write(picture.svg)
    screen.document(
        {
            "source": source,
            "width": picture.width,
            "height": picture.height,
            "table": picture.table(),
            **({"svg": picture.svg} if save is None else {"file": str(save)}),
        }
    )
    return 0


def _subject(source: str, changes: dict[str, Any]) -> _Subject:
    path = Path(source)
    if path.is_dir() or path.suffix == ".safetensors":
        model = load_model(source)
        if changes:
            raise ConfigurationError(
                f"{model.path} is trained already: --set changes an experiment",
                advice="Name what it was trained on, or leave --set out",
            )
        return _Subject(model.net, model.origin.experiment if model.origin else None)
    experiment = overlaid(table_of(source), changes)
    loaded = load_source(experiment.data)
    plan = Plan(complete(experiment, loaded), loaded)
    net = plan.network().initialize(plan.experiment.training.seeds[0])
    example, _ = plan.arrays(plan.parts.training)
    return _Subject(net, experiment, example[:1])
