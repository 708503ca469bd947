"""A value in which a difference begins, and what can be tried on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.explanation.comparing.difference import Difference
from chainrule.explanation.comparing.following import Followed
from chainrule.explanation.comparing.rounding import Estimate, excess
from chainrule.explanation.comparing.sides import Matching
from chainrule.explanation.trace import Array, Trace
from chainrule.graph import Node


@dataclass(frozen=True)
class Suspects:
    """The values in which a difference begins, and what to try on them.

    Parameters
    ----------
    trace : Trace
        With the graph.
    followed : Followed
        The other side's numbers in it.
    found : mapping of int to Difference
    matching : Matching
    values : mapping of str to array
        All that the other side has.
    labels : pair of str
        What the two sides are called.
    """

    trace: Trace
    followed: Followed
    found: Mapping[int, Difference]
    matching: Matching
    values: Mapping[str, Array]
    labels: tuple[str, str]


@dataclass(frozen=True)
class Suspect:
    """One such value."""

    all: Suspects
    position: int

    @property
    def name(self) -> str:
        """What it is called."""
        return self.all.trace.graph.name_of(self.position)

    @property
    def node(self) -> Node:
        """What computes it."""
        return self.all.trace.graph.nodes[self.position]

    @property
    def theirs(self) -> Array:
        """What the other side has."""
        return self.all.followed.stored[self.position]

    @property
    def expected(self) -> Array:
        """What the other side's operands would give here."""
        return self.all.followed.computed(self.position).value

    @property
    def segment(self) -> list[tuple[int, Node]]:
        """What lies between it and the values that the other side tells, and itself."""
        graph = self.all.trace.graph
        return [(i, graph.nodes[i]) for i in self.all.followed.segment(self.position)]

    @property
    def boundary(self) -> list[int]:
        """The told values that it is computed from."""
        return self.all.followed.boundary(self.position)

    def again(
        self,
        values: Mapping[int, Array] | None = None,
        nodes: Mapping[int, Node] | None = None,
    ) -> Estimate:
        """What it would be, had some values or nodes been others."""
        return self.all.followed.again(self.position, values, nodes)

    def is_explained(self, found: Estimate) -> bool:
        """Whether this gives the other side's numbers, all of them."""
        return excess(self.theirs, found)[0] <= 1
