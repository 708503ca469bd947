"""What each sample gives to a gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.printing.digits import number
from chainrule.explanation.questions.answer import Answer
from chainrule.explanation.questions.flow import Flow
from chainrule.explanation.questions.places import (
    Named,
    called,
    find_gradient,
    find_primal,
    loss_of,
)
from chainrule.explanation.trace import Trace

LISTED = 20


@dataclass(frozen=True)
class Sample:
    """What one sample gives.

    Parameters
    ----------
    example : int
        Its place in the batch.
    row : int
        Its row in the data.
    share : float
    """

    example: int
    row: int
    share: float


@dataclass(frozen=True)
class Samples(Answer):
    """The samples' shares of a gradient, the largest first.

    Parameters
    ----------
    name : str
    stored : float
        The gradient that the step stored.
    samples : tuple of Sample
        All of them. A share is what the gradient would be if only this sample's cost counted, with
        the weight that it has in the batch, all values of the forward pass being what they are.
    rest : float
        What no sample gives: a penalty's part, and the rounding of the stored number.
    has_penalty : bool
    """

    name: str
    stored: float
    samples: tuple[Sample, ...]
    rest: float
    has_penalty: bool

    right: ClassVar[Sequence[int]] = (0, 1)

    @property
    def headings(self) -> Sequence[str]:
        count = len(self.samples)
        return [f"{self.name} = {number(self.stored)}, of {count} sample{'s' * (count != 1)}"]

    @property
    def table(self) -> Sequence[Sequence[str]]:
        listed, left = self.samples[:LISTED], self.samples[LISTED:]
        rows = [[number(s.share), str(s.example), str(s.row)] for s in listed]
        if left:
            rows.append([number(math.fsum(s.share for s in left)), "", f"{len(left)} others"])
        rows.append(
            [number(self.rest), "", "penalty, rounding" if self.has_penalty else "rounding"]
        )
        rows.append([number(self.stored), "", "stored"])
        return [["share", "example", "row"], *rows]


def samples(trace: Trace, named: Named) -> Samples:
    """Take a gradient apart by samples; see `Trace.samples`."""
    loss = loss_of(trace)
    place = find_primal(trace, named)
    gradient = find_gradient(trace, named)
    cost = _cost_of_each(trace, place.node, loss.node)
    flow = Flow(trace, loss, place.node, cost)
    position = flow.cotangent_of(cost)
    stored = float(trace.value(gradient))
    shares = [0.0] * int(trace.graph.nodes[cost].shape[0])
    if position is not None:
        shares = list(map(float, flow.shares(flow.of_target, place.index, position)))
    rows = trace.about.rows or tuple(range(len(shares)))
    found = [Sample(i, rows[i], share) for i, share in enumerate(shares)]
    found.sort(key=lambda sample: -abs(sample.share))
    rest = math.fsum([stored, *(-share for share in shares)])
    has_penalty = "penalty" in trace.graph.labels
    return Samples(called(trace, gradient), stored, tuple(found), rest, has_penalty)


def _cost_of_each(trace: Trace, start: int, loss: int) -> int:
    """The value with one cost for each example, which the loss is the mean of."""
    graph = trace.graph
    reached = {start}
    for i in range(start + 1, loss + 1):
        if not reached.isdisjoint(graph.nodes[i].inputs):
            reached.add(i)
    for i in range(loss, start, -1):
        shape = graph.nodes[i].shape
        if i in reached and len(shape) == 1 and getattr(shape[0], "name", None):
            return i
    raise ConfigurationError(
        f"The loss does not depend on {trace.graph.name_of(start)} by way of one cost per sample",
        advice="Ask for a parameter or a value that the loss is computed from",
    )
