"""A graph's values as they follow from numbers that somebody stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from chainrule.explanation.comparing.rounding import (
    ANOTHER_FORMULA,
    Estimate,
    Rounding,
    estimate,
    widened,
)
from chainrule.explanation.trace import Array
from chainrule.graph import Graph, Node


@dataclass
class Followed:
    """A graph's values as they follow from numbers that were stored.

    Parameters
    ----------
    graph : Graph
    stored : mapping of int to array
        By position: what one side has. Other values are computed, also those of inputs' users.
    rounding : Rounding
    """

    graph: Graph
    stored: Mapping[int, Array]
    rounding: Rounding
    _known: dict[int, Estimate] = field(default_factory=dict)

    def at(self, position: int) -> Estimate:
        """A value as what comes after it sees it: as stored, or else as computed."""
        if position in self.stored:
            return Estimate(widened(self.stored[position]))
        return self.computed(position)

    def computed(self, position: int) -> Estimate:
        """A value as it follows from stored ones, whether or not it is itself stored."""
        self._compute(position, self._known, {}, {})
        return self._known[position]

    def again(
        self,
        position: int,
        values: Mapping[int, Array] | None = None,
        nodes: Mapping[int, Node] | None = None,
    ) -> Estimate:
        """The same, had some values or nodes been others.

        Parameters
        ----------
        position : int
        values : mapping of int to array
            In the place of what is stored, or would be computed.
        nodes : mapping of int to Node
            With other ops or attributes.
        """
        known: dict[int, Estimate] = {}
        self._compute(position, known, values or {}, nodes or {})
        return known[position]

    def _as_another_writes_it(self, position: int, found: Estimate) -> Estimate:
        """A factor of the chain rule, such as (1 + y)·(1 - y): others write 1 - y²."""
        name = self.graph.nodes[position].name or ""
        if self.rounding.by_node or not (name.startswith("d_") and "/" in name):
            return found
        size = np.maximum(np.abs(found.value), 1.0)
        gap = self.rounding.ulp(size, self.graph.nodes[position].dtype)
        return replace(found, error=found.error + ANOTHER_FORMULA * gap)

    def segment(self, position: int) -> list[int]:
        """The values without a stored number between stored ones and this one, and itself."""
        found = {position}
        stack = [position]
        while stack:
            for operand in self.graph.nodes[stack.pop()].inputs:
                if operand not in self.stored and operand not in found:
                    found.add(operand)
                    stack.append(operand)
        return sorted(found)

    def boundary(self, position: int) -> list[int]:
        """The stored values that one is computed from."""
        operands = {i for j in self.segment(position) for i in self.graph.nodes[j].inputs}
        return sorted(i for i in operands if i in self.stored)

    def _compute(
        self,
        position: int,
        known: dict[int, Estimate],
        values: Mapping[int, Array],
        nodes: Mapping[int, Node],
    ) -> None:
        for i in self.segment(position):
            if i in known:
                continue
            node = nodes.get(i, self.graph.nodes[i])
            if node.op == "input":
                raise KeyError(f"nothing is known of {self.graph.name_of(i)}")
            operands = []
            for j in node.inputs:
                if j in values:
                    operands.append(Estimate(widened(values[j])))
                elif j in self.stored:
                    operands.append(Estimate(widened(self.stored[j])))
                else:
                    operands.append(known[j])
            types = tuple(self.graph.nodes[j].type for j in node.inputs)
            known[i] = self._as_another_writes_it(i, estimate(node, types, operands, self.rounding))
