"""What each sample gives to a gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.capturing.batches import costs_of_batches, rows_of, split_batch
from chainrule.explanation.printing.digits import number
from chainrule.explanation.questions.answer import Answer
from chainrule.explanation.questions.flow import Flow, reached_from
from chainrule.explanation.questions.places import (
    Named,
    called,
    check_no_rule,
    find_gradient,
    find_primal,
)
from chainrule.explanation.trace import Place, Trace

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
    batch : int
        The number of its batch, of an update of several; the first is 1.
    """

    example: int
    row: int
    share: float
    batch: int = 1


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
        several = ["batch"] if len({sample.batch for sample in self.samples}) > 1 else []
        rows = [
            [number(s.share), *(str(s.batch) for _ in several), str(s.example), str(s.row)]
            for s in listed
        ]
        blank = ["" for _ in several]
        if left:
            others = number(math.fsum(s.share for s in left))
            rows.append([others, *blank, "", f"{len(left)} others"])
        what = "penalty, rounding" if self.has_penalty else "rounding"
        rows.append([number(self.rest), *blank, "", what])
        rows.append([number(self.stored), *blank, "", "stored"])
        return [["share", *several, "example", "row"], *rows]


def samples(trace: Trace, named: Named) -> Samples:
    """Take a gradient apart by samples; see `Trace.samples`."""
    check_no_rule(trace)
    place = find_primal(trace, named)
    gradient = find_gradient(trace, named)
    stored = float(trace.value(gradient))
    source, batches = _costs_of(trace, gradient)
    found: list[Sample] = []
    for batch, part in batches:
        cost = _cost_of_each(trace, place.node, part)
        if cost is None:
            continue
        shares = _shares(trace, place, part, cost)
        rows = rows_of(trace.graph, trace.about.rows, trace.graph.name_of(part))
        rows = rows or tuple(range(len(shares)))
        rate = 1.0 if part == source else Flow(trace, Place(source, ()), part).gradient()
        found += [Sample(i, rows[i], rate * share, batch) for i, share in enumerate(shares)]
    if not found:
        raise ConfigurationError(
            f"The loss does not depend on {trace.graph.name_of(place.node)} by way of one cost per "
            "sample",
            advice="Ask for a parameter or a value that the loss is computed from",
        )
    found.sort(key=lambda sample: -abs(sample.share))
    rest = math.fsum([stored, *(-sample.share for sample in found)])
    of_update = split_batch(trace.graph, trace.graph.name_of(gradient.node)) is None
    has_penalty = of_update and place.node in trace.penalised
    return Samples(called(trace, gradient), stored, tuple(found), rest, has_penalty)


def _costs_of(trace: Trace, gradient: Place) -> tuple[int, list[tuple[int, int]]]:
    """What a gradient is of, and the batches whose costs are in that: their numbers, and where."""
    graph = trace.graph
    costs = list(enumerate(costs_of_batches(graph), 1))
    of_batch = split_batch(graph, graph.name_of(gradient.node))
    if of_batch is not None:
        own = costs[of_batch[0] - 1]
        return own[1], [own]
    loss = graph.labels["loss"]
    return loss, costs or [(1, loss)]


def _shares(trace: Trace, place: Place, part: int, cost: int) -> list[float]:
    """What flows through each example's cost from the cost of its batch."""
    flow = Flow(trace, Place(part, ()), place.node, cost)
    position = flow.cotangent_of(cost)
    if position is None:
        return [0.0] * int(trace.graph.nodes[cost].shape[0])
    return list(map(float, flow.shares(flow.of_target, place.index, position)))


def _cost_of_each(trace: Trace, start: int, part: int) -> int | None:
    """The value with one cost for each example that a batch's cost is made of, if it is reached."""
    reached = reached_from(trace, start, part)
    for i in sorted(trace.graph.ancestors([part]), reverse=True):
        if i in reached and i != start and _is_by_example(trace, i):
            return i
    return None


def _is_by_example(trace: Trace, position: int) -> bool:
    shape = trace.graph.nodes[position].shape
    return len(shape) == 1 and bool(getattr(shape[0], "name", None))
