"""Laws of derivatives, on graphs that nobody wrote."""

import numpy as np
from hypothesis import given, settings

from chainrule.autodiff import pullback, pushforward
from chainrule.backends import get_backend
from chainrule.graph import Graph, Output, parse_graph
from chainrule.ops import verify
from chainrule.rewrite import eliminate_dead_nodes, expand_composites, merge_equal_nodes
from chainrule.testing import check_gradients
from tests.laws.drawn_graphs import arrays_of, smooth_graphs

run = get_backend("numpy").run


def cotangents(graph, stream="u"):
    return arrays_of([graph.nodes[output.node].type for output in graph.outputs], stream)


def tangents(graph, stream="v"):
    return arrays_of([graph.nodes[i].type for i in graph.inputs], stream)


def rounding(graph, arrays):
    """What rounding may do to a sum of a graph's results.

    A drawn graph's pullback has some 60 nodes of at most 27 elements, so that each result is a
    sum of fewer than 2**12 products of values no larger than the largest, M, each rounded by
    2**-53 of itself, and the factors that carry an error on are values of the graph as well.
    """
    everything = tuple(Output(f"v{i}", i) for i in range(len(graph.nodes)))
    values = run(Graph(graph.name, graph.nodes, everything), arrays)
    largest = max(float(np.max(abs(value), initial=1.0)) for value in values)
    return 2.0**-53 * 2**12 * largest**2


@given(smooth_graphs())
@settings(max_examples=60)
def test_a_pullback_is_linear_in_the_cotangent(drawn):
    graph, inputs = drawn
    rule = verify(pullback(graph))
    u, w = cotangents(graph), cotangents(graph, "w")
    of_u, of_w = run(rule, [*inputs, *u]), run(rule, [*inputs, *w])
    # Powers of two and signs round nothing: these hold to the last bit.
    for factor in (2.0, -1.0, 0.0):
        scaled = run(rule, [*inputs, *(factor * each for each in u)])
        for one, other in zip(scaled, of_u, strict=True):
            np.testing.assert_array_equal(one, factor * other)
    both = run(rule, [*inputs, *(a + b for a, b in zip(u, w, strict=True))])
    allowed = 4 * rounding(rule, [*inputs, *(abs(a) + abs(b) for a, b in zip(u, w, strict=True))])
    for whole, a, b in zip(both, of_u, of_w, strict=True):
        np.testing.assert_allclose(whole, a + b, rtol=0, atol=allowed)


@given(smooth_graphs())
@settings(max_examples=60)
def test_a_pushforward_is_the_transpose_of_the_pullback(drawn):
    graph, inputs = drawn
    forward, rule = verify(pushforward(graph)), pullback(graph)
    u, v = cotangents(graph), tangents(graph)
    pushed, pulled = run(forward, [*inputs, *v]), run(rule, [*inputs, *u])
    left = sum(np.sum(a * b) for a, b in zip(pushed, u, strict=True))
    right = sum(np.sum(a * b) for a, b in zip(pulled, v, strict=True))
    allowed = 27 * (rounding(forward, [*inputs, *v]) + rounding(rule, [*inputs, *u])) * 4
    assert abs(left - right) <= allowed


@given(smooth_graphs())
@settings(max_examples=25)
def test_a_pullback_is_what_differences_say(drawn):
    graph, inputs = drawn
    check_gradients(graph, inputs)


@given(smooth_graphs())
@settings(max_examples=10)
def test_second_derivatives_are_what_differences_say(drawn):
    graph, inputs = drawn
    check_gradients(graph, inputs, order=2)


@given(smooth_graphs())
@settings(max_examples=60)
def test_a_gradient_reads_back_from_its_text(drawn):
    graph, _ = drawn
    for each in (graph, pullback(graph), pushforward(graph)):
        assert parse_graph(str(each)) == each


@given(smooth_graphs())
@settings(max_examples=60)
def test_passes_do_not_change_a_gradient(drawn):
    graph, inputs = drawn
    rule = pullback(graph)
    arrays = [*inputs, *cotangents(graph)]
    before = run(rule, arrays)
    for rewrite in (eliminate_dead_nodes, merge_equal_nodes, expand_composites):
        for one, other in zip(run(rewrite(rule).graph, arrays), before, strict=True):
            np.testing.assert_array_equal(one, other)
