"""How a number is called: w5, W2[0,1], ∂C/∂W2[0,1], δ1[3,0], and what it is, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.explanation.captions import is_weighted_sum
from chainrule.explanation.capturing.batches import COST, OBJECTIVE, prefix_of, split_batch
from chainrule.explanation.trace import Place, Trace
from chainrule.graph import Node
from chainrule.train.writing import ACCUMULATED, PENALTY, TOTAL_WEIGHT

NEXT = "next."


@dataclass(frozen=True)
class Symbol:
    """The name of one number, in parts, so that any notation can be written from it.

    Parameters
    ----------
    base : str
        What it is an element of: ``W2``, ``0.out``; or a name of its own, ``w5``.
    index : tuple of int or str
        Where it is in that, in numbers or letters; empty where the base says it all.
    of : str
        ``"value"``; ``"derivative"``: of the loss, by this; ``"factor"``: of `other`, by this;
        ``"next"``: what it becomes by the update.
    other : str
        What is differentiated.
    """

    base: str
    index: tuple[int | str, ...] = ()
    of: str = "value"
    other: str = ""

    @property
    def plain(self) -> str:
        """The number without what is done to it: ``W2[0,1]``."""
        return f"{self.base}[{','.join(map(str, self.index))}]" if self.index else self.base

    def __str__(self) -> str:
        match self.of:
            case "derivative" | "factor":
                return f"∂{self.other}/∂{self.plain}"
            case "next":
                return f"{self.plain}⁺"
        return self.plain


def symbol_of(trace: Trace, place: Place) -> Symbol:
    """How the number at a place is called."""
    own = trace.names_of_places.get(place)
    if own is not None:
        return Symbol(own)
    return _symbol(trace, place.node, place.index)


def symbol_of_any(trace: Trace, node: int, index: Sequence[int | str]) -> Symbol:
    """How any number of a node is called, with letters for some indices: ``δ2[b,i]``."""
    return _named(trace, node, tuple(index))


def _symbol(trace: Trace, node: int, index: tuple[int | str, ...]) -> Symbol:
    name = trace.graph.name_of(node)
    aliases = aliases_of(trace)
    if name in aliases:
        return Symbol(aliases[name], _shown_index(trace, node, index))
    parameter = name.removeprefix(NEXT)
    if parameter != name and parameter in trace.graph.positions:
        return _at(trace, parameter, index, "next")
    factor = re.fullmatch(r"d_(.+)/d_(.+)", name)
    if factor and factor[2] in trace.graph.positions:
        other = trace.graph.positions.get(factor[1])
        above = factor[1] if other is None else str(_named(trace, other, index))
        return _at(trace, factor[2], index, "factor", above)
    primal = name.removeprefix("d_")
    if primal != name and primal in trace.graph.positions:
        return _at(trace, primal, index, "derivative", _cost_symbol(trace, name, primal))
    if name.startswith("%"):
        return Symbol(f"{trace.graph.nodes[node].op}{name}", _shown_index(trace, node, index))
    return Symbol(name, _shown_index(trace, node, index))


def _named(trace: Trace, node: int, index: tuple[int | str, ...]) -> Symbol:
    numbers = tuple(i for i in index if isinstance(i, int))
    if len(numbers) == len(index):
        return symbol_of(trace, Place(node, numbers))
    return _symbol(trace, node, index)


def _shown_index(trace: Trace, node: int, index: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The index as it is shown: without the axis of examples, where there is one example."""
    shape = trace.graph.nodes[node].shape
    if trace.names and shape and shape[0] == 1 and getattr(shape[0], "name", None):
        return index[1:]
    return index


def loss_symbol(trace: Trace) -> str:
    """How the loss is called: by a name of its own, C in a textbook's chain, or ``loss``."""
    own = trace.names_of_places.get(Place(trace.graph.find("loss"), ()))
    return own or ("C" if "W1" in trace.graph.positions else "loss")


def objective_symbol(trace: Trace) -> str:
    """How loss + penalty is called: by a name of its own, J in a textbook's chain."""
    place = Place(trace.graph.labels.get(OBJECTIVE, -1), ())
    is_textbooks = "W1" in trace.graph.positions and "J" not in trace.names
    return trace.names_of_places.get(place) or ("J" if is_textbooks else OBJECTIVE)


def _cost_symbol(trace: Trace, name: str, primal: str) -> str:
    """What a gradient is of: the loss, loss + penalty, or a batch's cost, of several batches."""
    found = split_batch(trace.graph, name)
    if found is not None:
        return prefix_of(found[0]) + COST
    is_penalised = trace.graph.positions[primal] in trace.penalised
    return objective_symbol(trace) if is_penalised else loss_symbol(trace)


def aliases_of(trace: Trace) -> dict[str, str]:
    """Canonical names to the textbook's names."""
    found: dict[str, str] = {}
    for alias, name in trace.graph.aliases:
        if alias != "out" and split_batch(trace.graph, alias) is None:
            found.setdefault(name, alias)
    if "W1" in trace.graph.positions:
        found.setdefault("loss", "C")
        found.setdefault(OBJECTIVE, objective_symbol(trace))
    return found


def _at(trace: Trace, name: str, index: tuple[int | str, ...], of: str, other: str = "") -> Symbol:
    inner = _named(trace, trace.graph.positions[name], index)
    return Symbol(inner.plain, (), of, other)


def describe(trace: Trace, place: Place) -> str:
    """What a number is, in words: ``the gradient of the loss by the weight w5``."""
    name = trace.graph.name_of(place.node)
    parameter = name.removeprefix(NEXT)
    if parameter != name and parameter in trace.graph.positions:
        return f"{_noun(trace, parameter)} after the update"
    factor = re.fullmatch(r"d_(.+)/d_(.+)", name)
    if factor:
        return "a factor of the chain rule: the slope of one value by another"
    primal = name.removeprefix("d_")
    if primal != name and primal in trace.graph.positions:
        batch = split_batch(trace.graph, name)
        is_penalised = trace.graph.positions[primal] in trace.penalised
        cost = "the objective" if is_penalised else "the loss"
        cost = cost if batch is None else f"the cost of batch {batch[0]}"
        return f"the gradient of {cost} by {_noun(trace, primal)}"
    return _noun(trace, name)


def _noun(trace: Trace, name: str) -> str:
    node = trace.graph[name]
    batch = split_batch(trace.graph, name)
    if batch is None:
        return _inner_noun(trace, node, name)
    number, inner = batch
    noun = _inner_noun(trace, node, inner)
    if inner.startswith((ACCUMULATED, TOTAL_WEIGHT)):
        return f"{noun} after batch {number}"
    return (
        noun
        if node.op == "input" and inner in trace.graph.positions
        else f"{noun} in batch {number}"
    )


def _inner_noun(trace: Trace, node: Node, name: str) -> str:
    if name.startswith(ACCUMULATED):
        return f"the sum of the batches' gradients by {name.removeprefix(ACCUMULATED)}"
    if name == TOTAL_WEIGHT:
        return "the weight of the batches' examples"
    layer = name.rpartition(".")[0]
    where = f' of layer "{layer}"' if layer else ""
    if ":" in name:
        path, _, slot = name.partition(":")
        return f"the optimiser's {slot} of {path}"
    if node.op == "input":
        ending = name.rpartition(".")[2]
        known = {"x": "an input", "target": "a target", "lr": "the learning rate"}
        return known.get(name) or f"the {ending}{where}"
    if name in ("loss", COST):
        return f"the {name}"
    if name == PENALTY:
        return "what the parameters cost by themselves"
    if name == OBJECTIVE:
        return "what training minimises: the loss and the penalty"
    if name.endswith(".out") or ".out#" in name:
        return f"the {'weighted sum' if is_weighted_sum(trace, node) else 'output'}{where}"
    return f"a value of {name.partition('%')[0] or node.op}{where}"  # of a softmax: softmax%7
