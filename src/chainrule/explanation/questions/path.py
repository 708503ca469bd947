"""By which ways a number acts on another: the routes through the units in between, which add up."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.capturing.batches import OBJECTIVE, costs_of, parts_of, split_batch
from chainrule.explanation.printing.digits import number
from chainrule.explanation.questions.answer import Answer
from chainrule.explanation.questions.flow import Flow, depends
from chainrule.explanation.questions.places import (
    Named,
    called,
    check_count,
    check_no_rule,
    find,
    find_primal,
)
from chainrule.explanation.trace import Index, Place, Trace

FOLLOWED_AT_MOST = 1_000  # units of one layer, on one way


@dataclass(frozen=True)
class Route:
    """One way.

    Parameters
    ----------
    through : tuple of str
        The units, from the start on: weighted sums of one layer after the other.
    share : float
        What of the gradient goes this way.
    arrives : float
        What of the start's gradient arrives at the last of these units, going this way.
    rate : float
        How fast the gradient that is asked for grows with what arrives: `share` is their product.
    """

    through: tuple[str, ...]
    share: float
    arrives: float
    rate: float


@dataclass(frozen=True)
class Paths(Answer):
    """The ways on which a gradient comes about.

    Parameters
    ----------
    source, target : str
        What is differentiated, and by what.
    gradient : float
        ∂source/∂target in float64.
    stored : float or None
        What the step stored of it, in its own precision; None if it stored nothing of it. By a
        penalised parameter it stored the gradient of the objective, not of the loss.
    routes : tuple of Route
        The largest.
    others : int or None
        How many more ways there are; None where that is not known.
    remainder : float
        What goes by all others: the routes and the remainder are the gradient.
    """

    source: str
    target: str
    gradient: float
    stored: float | None
    routes: tuple[Route, ...]
    others: int | None
    remainder: float

    right: ClassVar[Sequence[int]] = (0, 1, 2)

    @property
    def headings(self) -> Sequence[str]:
        found = [f"∂{self.source}/∂{self.target} = {number(self.gradient)}"]
        if not self.routes:
            return [*found, "Nothing flows this way." if not self.gradient else "By one step."]
        count = len(self.routes)
        return [*found, f"It comes by {'one way' if count == 1 else f'{count} ways'}"
                + (", and others:" if self.remainder or self.others else ":")]  # fmt: skip

    @property
    def table(self) -> Sequence[Sequence[str]]:
        if not self.routes:
            return []
        rows = [
            [number(r.share), number(r.arrives), number(r.rate), " → ".join(r.through)]
            for r in self.routes
        ]
        if self.remainder or self.others:
            count = f"{self.others} others" if self.others else "others"
            rows.append([number(self.remainder), "", "", count])
        rows.append([number(self.gradient), "", "", "together"])
        return [["share", "arrives", "·rate", "through"], *rows]


def path(
    trace: Trace, source: Named, target: Named, *, through: Named | None = None, n: int = 8
) -> Paths:
    """Take a gradient apart by the ways on which it comes; see `Trace.path`."""
    n = check_count("path", "ways", n)
    end = find_primal(trace, target)
    start = find(trace, source)
    if start.node in (trace.graph.labels.get("loss"), trace.graph.labels.get(OBJECTIVE)):
        check_no_rule(trace)
    for place, what in ((start, "from"), (end, "to")):
        if not trace.node(place).dtype.is_float:
            name = called(trace, place)
            raise ConfigurationError(f"path goes {what} a float; {name} is an integer")
    if not depends(trace, start.node, end.node):
        raise ConfigurationError(
            f"{called(trace, start)} is not computed from {called(trace, end)}",
            advice="Ask from what is computed, such as the loss, to what it is computed from",
        )
    unit = None if through is None else find_primal(trace, through)
    flow = Flow(trace, start, end.node, None if unit is None else unit.node)
    gradient = flow.gradient(end.index)
    if unit is not None:
        routes = [_through(flow, unit, end.index)]
        others: int | None = None
    else:
        routes, others = _routes(flow, end.index, n)
    names = called(trace, start), called(trace, end)
    return Paths(
        *names,
        gradient,
        _stored(trace, start, end),
        tuple(routes),
        others,
        _exactly(gradient, routes) if others != 0 else 0.0,
    )


def _exactly(gradient: float, routes: Sequence[Route]) -> float:
    return math.fsum([gradient, *(-route.share for route in routes)])


def _stored(trace: Trace, start: Place, end: Place) -> float | None:
    graph = trace.graph
    position = graph.positions.get(f"d_{graph.name_of(end.node)}")
    if position is None:
        return None
    # What is not penalised has one gradient: by the penalty it would be 0.
    whole = [OBJECTIVE] if end.node in trace.penalised else ["loss", OBJECTIVE]
    batch = split_batch(graph, graph.name_of(position))
    costs = (
        [graph.labels.get(label) for label in whole] if batch is None else costs_of(graph, position)
    )
    return float(trace.values[position][end.index]) if start.node in costs else None


def _routes(flow: Flow, index: Index, n: int) -> tuple[list[Route], int | None]:
    """The largest ways: of a sum of costs, those of each of them."""
    trace, source = flow.trace, flow.source
    costs = parts_of(trace.graph, source.node)
    if costs == [source.node]:
        return _largest_routes(flow, index, n)
    found: list[Route] = []
    others: int | None = 0
    for cost in costs:
        if not depends(trace, cost, flow.target):
            continue
        rate = Flow(trace, source, cost).gradient()
        routes, more = _routes_of_part(Flow(trace, Place(cost, ()), flow.target), index, n)
        others = None if others is None or more is None else others + more
        found += [replace(r, share=rate * r.share, arrives=rate * r.arrives) for r in routes]
    found.sort(key=lambda route: -abs(route.share))
    return found[:n], None if others is None else others + len(found[n:])


def _routes_of_part(flow: Flow, index: Index, n: int) -> tuple[list[Route], int | None]:
    """The largest ways; one step, such as that from a penalty to its weight, is a way, too."""
    if flow.layers():
        return _largest_routes(flow, index, n)
    gradient = flow.gradient(index)
    return [Route((called(flow.trace, flow.source),), gradient, 1.0, gradient)], 0


def _through(flow: Flow, unit: Place, index: Index) -> Route:
    """The share of one unit."""
    trace = flow.trace
    position = flow.cotangent_of(unit.node) if unit.node in flow.made else None
    if position is None:
        raise ConfigurationError(
            f"Nothing flows from {called(trace, flow.source)} to "
            f"{called(trace, Place(flow.target, index))} through {called(trace, unit)}"
        )
    share = float(flow.shares(flow.of_target, index, position)[unit.index])
    arrives = float(flow.values[position][unit.index])
    return Route((called(trace, unit),), share, arrives, share / arrives if arrives else 0.0)


def _largest_routes(flow: Flow, index: Index, n: int) -> tuple[list[Route], int | None]:
    """Follow what flows back from the target, the largest part first, up to the start."""
    layers = flow.layers()
    primals = {flow.cotangent_of(i): i for i in flow.made}
    if not layers:
        return [], None
    finished: list[Route] = []
    # Of each way so far: its share, where it stands, and how fast the gradient grows with that.
    waiting: list[tuple[float, int, tuple[tuple[int, Index], ...], float, float]] = []
    count = left_out = 0

    def follow(of: int, at: Index, rate: float, way: tuple[tuple[int, Index], ...]) -> None:
        nonlocal count, left_out
        through = layers[len(way)]
        parts = flow.shares(of, at, through)
        flat = np.abs(parts).reshape(-1)
        order = np.argsort(-flat, kind="stable")[: np.count_nonzero(flat)]
        left_out += max(len(order) - FOLLOWED_AT_MOST, 0)
        for i in order[:FOLLOWED_AT_MOST]:
            here = tuple(map(int, np.unravel_index(i, parts.shape)))
            arrives = float(flow.values[through][here])
            part = rate * float(parts[here])
            count += 1
            step = (*way, (through, here))
            heapq.heappush(waiting, (-abs(part), count, step, part, part / arrives))

    follow(flow.of_target, index, 1.0, ())
    while waiting and len(finished) < n:
        _, _, way, share, rate = heapq.heappop(waiting)
        if len(way) < len(layers):
            follow(*way[-1], rate, way)
            continue
        units = (called(flow.trace, Place(primals[node], at)) for node, at in reversed(way))
        node, at = way[-1]
        finished.append(Route(tuple(units), share, float(flow.values[node][at]), rate))
    unfinished = any(len(way) < len(layers) for _, _, way, _, _ in waiting)
    finished.sort(key=lambda route: -abs(route.share))
    return finished, None if unfinished or left_out else len(waiting)
