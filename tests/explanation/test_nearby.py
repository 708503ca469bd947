"""What a number moves, computed alone, is what the whole graph gives."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.backends import get_backend
from chainrule.explanation.capturing.batches import costs_of
from chainrule.explanation.double import in_double_precision
from chainrule.explanation.nearby import at, what_moves
from chainrule.graph import Graph, Output
from tests.explanation.drawn import COMBINATIONS, draw
from tests.sampling import slow

NUMBERS = 8


def whole(double, start, moved, outputs):
    """Run the graph with one value put in the place of what was computed."""
    inputs = [i for i, node in enumerate(double.graph.nodes) if node.op == "input"]
    nodes = list(double.graph.nodes)
    found = dict(zip(inputs, (double.values[i] for i in inputs), strict=True)) | {start: moved}
    backend = get_backend("numpy")
    for i, node in enumerate(nodes):
        if i in found:
            continue
        entering = [nodes[j] for j in node.inputs]
        held = [n.__class__("input", (), n.shape, n.dtype) for n in entering]
        one = node.__class__(
            node.op, tuple(range(len(held))), node.shape, node.dtype, node.attributes
        )
        graph = Graph("one", (*held, one), (Output("y", len(held)),))
        found[i] = backend.run(graph, [found[j] for j in node.inputs])[0]
    return [found[i] for i in outputs]


@pytest.mark.parametrize("i", [*range(3, 200, 45), *map(slow, range(26, 200, 23))])
def test_what_a_number_moves_is_what_the_whole_step_gives(i):
    trace = draw(i, *COMBINATIONS[i % len(COMBINATIONS)])
    double = in_double_precision(trace)
    graph, random = trace.graph, np.random.default_rng(i)
    gradients = [name for name in graph.positions if name.startswith("d_")]
    for name in gradients[:NUMBERS]:
        gradient, primal = graph.positions[name], graph.positions.get(name.removeprefix("d_"))
        if primal is None or graph.nodes[gradient].shape != graph.nodes[primal].shape:
            continue
        index = tuple(int(random.integers(0, size)) for size in graph.nodes[primal].shape)
        costs = [double.positions[j] for j in costs_of(graph, gradient)]
        wanted = {**dict.fromkeys(costs, ()), double.positions[gradient]: at(index)}
        start = double.positions[primal]
        b, made, arrays = what_moves(double.graph, double.values, start, index, wanted)
        small = b.build("small", {f"%{j}": made[j] for j in wanted})
        for by in (0.0, 0.37, -1e-3):
            number = arrays[0] + by
            moved = np.array(double.values[start])
            moved[index] = number.item()
            with np.errstate(all="ignore"):
                alone = get_backend("numpy").run(small, [number, *arrays[1:]])
                all_ = whole(double, start, moved, wanted)
            for part, full, box in zip(alone, all_, wanted.values(), strict=True):
                expected = full[tuple(slice(low, high) for low, high in box)]
                # Sums are added up in another order: some ulps of their terms.
                np.testing.assert_allclose(part, expected, rtol=1e-9, atol=1e-11)
