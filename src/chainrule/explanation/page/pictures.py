"""The pictures of a step, as they stand in the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.drawing import Diagram
from chainrule.drawing.looks import INK, PREFIX, ROOT_CLASS
from chainrule.explanation.page.network import network_of
from chainrule.explanation.symbols import symbol_of_any
from chainrule.explanation.trace import Trace

WRITTEN_AT_MOST = 3
"""How many numbers a value may have that are written into its box."""

DRAWN_AT_MOST = 600
"""A graph of more nodes is drawn with its modules collapsed, and not otherwise."""

_STYLE = re.compile(r"<style>.*?</style>\s*", re.DOTALL)
_COLOUR = re.compile(r' (?:fill|stroke)="#[0-9a-f]{6}"')  # of light paper: the style has both


@dataclass(frozen=True)
class Picture:
    """A picture of the page.

    Parameters
    ----------
    kind : str
        ``network``, ``graph`` or ``modules``: the graph with its modules collapsed.
    svg : str
    """

    kind: str
    svg: str


def pictures_of(trace: Trace) -> tuple[list[Picture], str]:
    """Return the pictures of a step, and the style that they share.

    Parameters
    ----------
    trace : Trace
        With composites opened.
    """
    diagrams = list(_diagrams(trace))
    pictures = [Picture(kind, _bare(diagram.svg)) for kind, diagram in diagrams]
    return pictures, "\n".join(_styles([diagram.svg for _, diagram in diagrams]))


def _diagrams(trace: Trace) -> Iterator[tuple[str, Diagram]]:
    network = network_of(trace)
    if network is not None:
        yield "network", network
    graph = trace.graph
    values = dict(_written(trace))
    if len(graph.nodes) <= DRAWN_AT_MOST:
        yield "graph", graph.diagram(values=values)
    outermost = {(node.scope or "").partition(".")[0] for node in graph.nodes} - {""}
    collapsed = [path for path in sorted(outermost) if _can_collapse(trace, path)]
    if collapsed:
        yield "modules", graph.diagram(values=values, collapse=collapsed)


def _can_collapse(trace: Trace, path: str) -> bool:
    return any(
        node.scope == path or (node.scope or "").startswith(f"{path}.")
        for node in trace.graph.nodes
    )


def _written(trace: Trace) -> Iterator[tuple[str, str]]:
    """What is written into the boxes of small values: ``z1 = 0.3775, 0.3925``."""
    for position, node in enumerate(trace.graph.nodes):
        if node.type.size > WRITTEN_AT_MOST or (not node.inputs and node.op != "input"):
            continue
        name = trace.graph.name_of(position)
        symbol = symbol_of_any(trace, position, ["" for _ in node.shape])
        called = str(symbol).replace("[,]", "").replace("[]", "")
        numbers = ", ".join(f"{v:.4g}" for v in trace.values[position].ravel().tolist())
        prefix = "" if node.name is None or called == name else f"{called} = "
        yield name, (prefix + numbers).replace("-", "−")


def _bare(svg: str) -> str:
    """The picture without what the page says once for all of them."""
    return _COLOUR.sub("", _STYLE.sub("", svg))


def _styles(svgs: list[str]) -> Iterator[str]:
    """The rules of all pictures, each once, and colours that follow the reader's choice."""
    rules = (line for svg in svgs for line in _STYLE.findall(svg)[0].splitlines())
    classes = {rule for rule in rules if rule.startswith(f".{PREFIX}")}
    light, dark = (
        ";".join(f"--{PREFIX}{name}:{colours[i]}" for name, colours in INK.items()) for i in (0, 1)
    )
    yield f".{ROOT_CLASS}{{{light}}}"
    yield f"@media (prefers-color-scheme:dark){{.{ROOT_CLASS}{{{dark}}}}}"
    yield f':root[data-theme="light"] .{ROOT_CLASS}{{{light}}}'
    yield f':root[data-theme="dark"] .{ROOT_CLASS}{{{dark}}}'
    yield from (rule.removesuffix("</style>") for rule in sorted(classes))
