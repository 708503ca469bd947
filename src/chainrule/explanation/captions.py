"""Names for patterns of the chain rule: BP1 to BP4.

A caption is recognised by what a number is made of; nothing is computed from it.

Source: M. Nielsen, Neural Networks and Deep Learning, 2015, chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.explanation.trace import Trace
from chainrule.graph import Node


@dataclass(frozen=True)
class Caption:
    """A name for what is done, the equation it is known by, and the same in words."""

    name: str
    equation: str
    words: str


BP1 = Caption(
    "BP1",
    "δᴸ = ∇ₐC ⊙ σ′(zᴸ)",
    "the error of an output unit: how fast the loss changes with its activation, times the slope "
    "of the activation",
)
BP2 = Caption(
    "BP2",
    "δˡ = ((wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ)",
    "the error of a hidden unit: what the next layer sends back through its weights, times the "
    "slope of the activation",
)
BP3 = Caption("BP3", "∂C/∂b = δ", "the gradient of a bias is the error of its unit")
BP4 = Caption(
    "BP4",
    "∂C/∂wⱼₖ = aₖˡ⁻¹ δⱼˡ",
    "the gradient of a weight is the activation it comes from, times the error of the unit it "
    "goes to",
)


def caption_of(trace: Trace, position: int) -> Caption | None:
    """The caption of a node, if it is one of the four patterns."""
    name = trace.graph.nodes[position].name or ""
    primal = name.removeprefix("d_")
    if primal == name or primal not in trace.graph.positions:
        return None
    node = trace.graph[primal]
    if node.op == "input":
        return _of_parameter(trace, position, primal)
    if not is_weighted_sum(trace, node):
        return None
    return BP2 if _comes_through_weights(trace, position) else BP1


def _of_parameter(trace: Trace, position: int, parameter: str) -> Caption | None:
    """BP3 or BP4, if the gradient is made of an error of the weighted sum it goes into."""
    errors = [
        i
        for i in _operands(trace, position)
        if _is_error(trace, i) and _goes_into(trace, parameter, trace.graph.name_of(i)[2:])
    ]
    if not errors:
        return None
    return BP4 if trace.graph.nodes[position].op == "contract" else BP3


def _is_error(trace: Trace, position: int) -> bool:
    name = trace.graph.nodes[position].name or ""
    primal = name.removeprefix("d_")
    if primal == name or primal not in trace.graph.positions:
        return False
    return is_weighted_sum(trace, trace.graph[primal])


def is_weighted_sum(trace: Trace, node: Node) -> bool:
    """Whether a value is Σ w·a, or that and a bias."""
    if node.op == "contract":
        return any(_is_parameter(trace, i) for i in node.inputs)
    if node.op != "add":
        return False
    products = [trace.graph.nodes[i] for i in node.inputs if trace.graph.nodes[i].name is None]
    return any(is_weighted_sum(trace, product) for product in products if product.op == "contract")


def _is_parameter(trace: Trace, position: int) -> bool:
    """Whether a value is a parameter: an input of the step, with a gradient or an update."""
    node = trace.graph.nodes[position]
    return node.op == "input" and len(node.shape) == 2 and "." in (node.name or ".")


def _goes_into(trace: Trace, parameter: str, value: str) -> bool:
    """Whether the parameter is an operand of the weighted sum."""
    position = trace.graph.positions[parameter]
    operands = [*trace.graph[value].inputs]
    for i in list(operands):
        if trace.graph.nodes[i].name is None:
            operands.extend(trace.graph.nodes[i].inputs)
    return position in operands


def _comes_through_weights(trace: Trace, position: int) -> bool:
    """Whether an error is made of errors of the next layer: on the way back stands a weight."""
    stack = [position]
    while stack:
        node = trace.graph.nodes[stack.pop()]
        if node.op == "contract" and any(_is_parameter(trace, i) for i in node.inputs):
            return True
        for i in node.inputs:
            name = trace.graph.nodes[i].name or ""
            if (name.startswith("d_") or not name) and not _is_error(trace, i):
                stack.append(i)
    return False


def _operands(trace: Trace, position: int) -> list[int]:
    """The values that a node is made of, unnamed ones opened."""
    found = []
    stack = list(trace.graph.nodes[position].inputs)
    while stack:
        here = stack.pop()
        if trace.graph.nodes[here].name is None:
            stack.extend(trace.graph.nodes[here].inputs)
        else:
            found.append(here)
    return found
