"""Which option of which layer a number is, read from how a network describes itself."""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chainrule.explanation.trace import Trace
from chainrule.nn import LAYERS, LOSSES
from chainrule.optim import OPTIMIZERS

_LINE = re.compile(r"(?P<indent> *)\((?P<name>[^)]*)\): (?P<call>\w+\(.*)")


@dataclass(frozen=True)
class Layer:
    """A layer of a network, as its description has it."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)


def layers_of(network: str) -> dict[str, Layer]:
    """The layers of a network by path, from its ``repr``.

    Examples
    --------
    >>> from chainrule import nn
    >>> layers_of(repr(nn.Sequential(nn.LeakyReLU(0.2), nn.ReLU())))["0"].options
    {'negative_slope': 0.2}
    """
    lines = network.splitlines()
    found = {"": _layer(lines[0])} if lines else {}
    path: list[tuple[int, str]] = []
    for line in lines[1:]:
        match = _LINE.fullmatch(line)
        if not match:
            continue
        indent = len(match["indent"])
        path = [each for each in path if each[0] < indent]
        path.append((indent, match["name"]))
        found[".".join(name for _, name in path)] = _layer(match["call"])
    return found


def _layer(call: str) -> Layer:
    kind = call.partition("(")[0]
    options = _defaults(kind)
    try:
        tree = ast.parse(call, mode="eval").body
        if isinstance(tree, ast.Call):
            options |= {k.arg: ast.literal_eval(k.value) for k in tree.keywords if k.arg}
    except (SyntaxError, ValueError):  # a network's first line is open, an option may be an object
        pass
    return Layer(kind, options)


def _defaults(kind: str) -> dict[str, Any]:
    made: list[Any] = [r.get(kind) for r in (LAYERS, LOSSES, OPTIMIZERS) if kind in r]
    if not made:
        return {}
    parameters = inspect.signature(made[0]).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def attribute_of(trace: Trace, position: int, key: str, value: float) -> str:
    """What an op's attribute is called in its layer: ``negative_slope of LeakyReLU 1``."""
    node = trace.graph.nodes[position]
    layer = layers_of(trace.about.network).get(node.scope.partition("#")[0])
    if layer is None or not node.scope:
        return f"{key} of {node.op} ({trace.graph.name_of(position)})"
    return f"{_named(layer, value) or key} of {layer.kind} {node.scope}"


def option_of(trace: Trace, position: int, value: float) -> str:
    """Which option a constant is: ``eps of BatchNorm1d 1``, or what is done with it.

    Parameters
    ----------
    trace : Trace
    position : int
        Of the constant.
    value : float
        What it is here.
    """
    scope = trace.graph.nodes[position].scope
    layer = layers_of(trace.about.network).get(scope.partition("#")[0]) if scope else None
    if layer is not None:
        option = _named(layer, value)
        if option:
            return f"{option} of {layer.kind} {scope}"
        return f"a constant of {layer.kind} {scope}, {_use(trace, position)}"
    for described in (trace.about.optimizer, trace.about.loss):
        part = _layer(described) if described else Layer("")
        option = _named(part, value)
        if option:
            return f"{option} of {part.kind}"
    return f"a constant, {_use(trace, position)}"


def is_option(trace: Trace, position: int, value: float) -> bool:
    """Whether a number is one that a layer, an optimiser or a loss was told."""
    return not option_of(trace, position, value).startswith("a constant")


def _named(layer: Layer, value: float) -> str:
    """The option that has this value; the learning rate is no constant of a step."""
    for option, given in layer.options.items():
        several = given if isinstance(given, tuple) else (given,)
        for i, each in enumerate(several):
            is_number = isinstance(each, float | int) and not isinstance(each, bool)
            if is_number and option != "lr" and math.isclose(each, value, rel_tol=1e-6):
                return f"{option}[{i}]" if isinstance(given, tuple) else option
    return ""


def _use(trace: Trace, position: int) -> str:
    """What is done with a value: ``which mul (%30) reads``."""
    for i, node in enumerate(trace.graph.nodes):
        if position in node.inputs:
            return f"read by {node.op} ({trace.graph.name_of(i)})"
    return trace.graph.name_of(position)


def layer_of(trace: Trace, position: int) -> str:
    """The layer that computes a value: ``Dropout 2``, or the op."""
    node = trace.graph.nodes[position]
    path = (node.name or "").removesuffix(".out") or node.scope
    layer = layers_of(trace.about.network).get(path)
    return f"{layer.kind} {path}" if layer is not None and path else node.op
