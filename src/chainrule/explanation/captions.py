"""Names for patterns of the chain rule: BP1 to BP4.

A caption is recognised by what a number is made of; nothing is computed from it.

Source: M. Nielsen, Neural Networks and Deep Learning, 2015, chapter 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from chainrule.explanation.trace import Trace
from chainrule.graph import Node
from chainrule.train.writing import ACCUMULATED, TOTAL_COST, TOTAL_WEIGHT


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

ADDED_UP = "; where it is used several times, as by each example of a batch, these are added up"
"""Behind the words of BP3 and BP4, where the gradient is a sum of such products."""


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
    """BP3 or BP4, if each term of the gradient has an error of a sum that the parameter is in.

    A penalty's term has none, and the gradient then is neither of the two.
    """
    # The equations are of one example. Of a batch C is a mean of costs, and δ the error by that
    # mean, its 1/n included: so the gradient is Σ over b of a·δ, BP4 added up. The same holds of a
    # parameter in several layers, or along a sequence. It has the name; the words say the sum.
    captions: set[Caption | None] = set()
    terms = _terms(trace, position)
    is_added_up = len(terms) > 1
    for term in terms:
        made_of = [term] if _is_error(trace, term) else _operands(trace, term)
        sums = [trace.graph.name_of(i).removeprefix("d_") for i in made_of if _is_error(trace, i)]
        roles = {_role(trace, parameter, value) for value in sums} - {None}
        is_added_up |= any(math.prod(trace.graph[value].shape[:-1]) > 1 for value in sums)
        captions |= roles or {None}
    caption = captions.pop() if len(captions) == 1 else None
    if caption is None or not is_added_up:
        return caption
    return replace(caption, words=caption.words + ADDED_UP)


def _role(trace: Trace, parameter: str, value: str) -> Caption | None:
    """BP4 of what a weighted sum multiplies, BP3 of what it adds."""
    position = trace.graph.positions[parameter]
    operands = trace.graph[value].inputs
    nodes = [trace.graph[value], *(trace.graph.nodes[i] for i in operands)]
    for node in nodes:
        if position in node.inputs and (node is nodes[0] or node.name is None):
            return BP4 if node.op == "contract" else BP3
    return None


def _terms(trace: Trace, position: int) -> list[int]:
    """The terms that a gradient adds, as far as these have no names."""
    found = []
    stack = [position]
    while stack:
        node = trace.graph.nodes[here := stack.pop()]
        if node.op == "add" and (here == position or node.name is None):
            stack.extend(node.inputs)
        else:
            found.append(here)
    return found


def _is_error(trace: Trace, position: int) -> bool:
    name = trace.graph.nodes[position].name or ""
    primal = name.removeprefix("d_")
    if primal == name or primal not in trace.graph.positions:
        return False
    return is_weighted_sum(trace, trace.graph[primal])


def is_weighted_sum(trace: Trace, node: Node) -> bool:
    """Whether a value is Σ w·a, or that and a bias."""
    if node.op == "contract":
        return any(is_state(trace, i) for i in node.inputs)
    if node.op != "add":
        return False
    products = [trace.graph.nodes[i] for i in node.inputs if trace.graph.nodes[i].name is None]
    return any(is_weighted_sum(trace, product) for product in products if product.op == "contract")


def is_state(trace: Trace, position: int) -> bool:
    """Whether a value is a parameter or a buffer of the network.

    These are the inputs that a step hands on to the next one, whether it changes them or not; data
    it does not hand on. What the optimiser keeps has a colon in its name, and what is added up over
    batches begins with a word of its own.
    """
    node = trace.graph.nodes[position]
    name = node.name or ""
    if name.startswith((ACCUMULATED, TOTAL_WEIGHT, TOTAL_COST)):
        return False
    is_handed_on = node.op == "input" and f"next.{name}" in trace.graph.labels
    return is_handed_on and node.dtype.is_float and ":" not in name


def _comes_through_weights(trace: Trace, position: int) -> bool:
    """Whether an error is made of errors of the next layer: on the way back stands a weight."""
    stack = [position]
    while stack:
        node = trace.graph.nodes[stack.pop()]
        if node.op == "contract" and any(is_state(trace, i) for i in node.inputs):
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
