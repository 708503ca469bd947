"""Graphs that are derived from others, kept: a loop derives the same ones again and again."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence

from chainrule.autodiff import pullback, pushforward
from chainrule.eager.tensor import Tensor
from chainrule.eager.traced import Traced, execute, keep_outputs
from chainrule.graph import Graph


def derived(transformation: Callable[..., Graph], graph: Graph, *options: Hashable) -> Graph:
    """``transformation(graph, *options)``, computed once for equal graphs and options."""
    # Lines and names of axes stand outside the equality of graphs, but not outside what is
    # derived from them.
    unequal = tuple((node.source, str(node.shape)) for node in graph.nodes)
    return _derived(transformation, graph, unequal, options)


@functools.lru_cache(maxsize=256)
def _derived(
    transformation: Callable[..., Graph],
    graph: Graph,
    unequal: Hashable,
    options: tuple[Hashable, ...],
) -> Graph:
    return transformation(graph, *options)


def pull_rule(traced: Traced, results: Sequence[str], arguments: Sequence[int]) -> Graph:
    """The map from the results' cotangents to those of the arguments, and of nothing else."""
    rule = derived(pullback, traced.graph_of(results))
    return keep_outputs(rule, [f"d_{name}" for i in arguments for name in traced.targets[i]])


def push(traced: Traced, arguments: Sequence[int], tangents: Sequence[Tensor]) -> dict[str, Tensor]:
    """The tangents of the float results, by label, where the arguments' leaves move like this."""
    names = tuple(name for i in arguments for name in traced.targets[i])
    forward = derived(pushforward, traced.graph_of(traced.results), names)
    pushed = execute(forward, [*traced.inputs, *tangents])
    return dict(zip(traced.float_results, pushed.values(), strict=True))
