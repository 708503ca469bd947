"""Every pass keeps values, says where each node went, and leaves names where they were."""

import numpy as np
import pytest

from chainrule.backends import get_backend
from chainrule.graph import Graph, Output, TensorType, parse_graph
from chainrule.ops import OPS, Builder, verify
from chainrule.rewrite import eliminate_dead_nodes, expand_composites, merge_equal_nodes
from chainrule.testing.cases import cases

PASSES = [eliminate_dead_nodes, expand_composites, merge_equal_nodes]

NETWORK = parse_graph(
    """\
graph f(x: f64[B=2,3], t: i64[B=2], w: f64[4,3], unused: f64[7]) -> (f64[], f64[B=2,4])
  %4: f64[B=2,4] = contract(x, w)  over=[1,1]  @0
  again: f64[B=2,4] = contract(x, w)  over=[1,1]
  %6: f64[B=2,4] = tanh(%4)
  %7: f64[B=2,4] = tanh(again)
  z: f64[B=2,4] = add(%6, %7)
  dead: f64[B=2,4] = exp(z)
  each: f64[B=2] = cross_entropy(z, t)  @loss
  loss: f64[] = mean(each)  axes=[0]
  alias logits = z
  alias gone = dead
  return loss, z"""
)
ARRAYS = [np.arange(6.0).reshape(2, 3) / 5, np.array([3, 0]), np.eye(4, 3), np.zeros(7)]


def run_all(graph, arrays):
    """The value of every node."""
    everything = tuple(Output(f"v{i}", i) for i in range(len(graph.nodes)))
    return get_backend("numpy").run(Graph(graph.name, graph.nodes, everything), arrays)


@pytest.mark.parametrize("rewrite", PASSES, ids=lambda p: p.__name__)
def test_each_node_has_its_value_where_the_map_says(rewrite):
    result = rewrite(NETWORK)
    verify(result.graph)
    before, after = run_all(NETWORK, ARRAYS), run_all(result.graph, ARRAYS)
    for old, new in result.moved.items():
        np.testing.assert_array_equal(before[old], after[new])
    assert result.graph.input_names == NETWORK.input_names
    for name in ("loss", "z", "logits", "each"):
        assert result.moved[NETWORK.find(name)] == result.graph.find(name)
    assert [o.label for o in result.graph.outputs] == ["loss", "z"]


@pytest.mark.parametrize("rewrite", PASSES, ids=lambda p: p.__name__)
@pytest.mark.parametrize("op", OPS)
def test_every_op_survives(op, rewrite):
    for case in cases(op):
        result = rewrite(case.graph)
        verify(result.graph)
        (before,) = get_backend("numpy").run(case.graph, list(case.arrays))
        (after,) = get_backend("numpy").run(result.graph, list(case.arrays))
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("rewrite", PASSES, ids=lambda p: p.__name__)
def test_a_pass_done_twice_changes_nothing_more(rewrite):
    once = rewrite(NETWORK).graph
    assert rewrite(once).graph == once


def test_dead_nodes_go_and_inputs_stay():
    result = eliminate_dead_nodes(NETWORK)
    assert "dead" not in result.graph.positions
    assert "gone" not in result.graph.positions
    assert NETWORK.find("dead") not in result.moved
    assert "unused" in result.graph.positions


def test_merging_keeps_names_of_values_that_are_equal():
    result = merge_equal_nodes(NETWORK)
    ops = [node.op for node in result.graph.nodes]
    # `again` has a name, so it stays beside the unnamed product before it.
    assert ops.count("contract") == 2
    assert ops.count("tanh") == 2


def test_merging_joins_what_is_equal_after_merging():
    graph = parse_graph("""\
graph f(x: f64[3]) -> f64[3]
  %1: f64[3] = exp(x)
  %2: f64[3] = exp(x)
  %3: f64[3] = tanh(%1)
  %4: f64[3] = tanh(%2)
  y: f64[3] = sub(%3, %4)
  return y""")
    result = merge_equal_nodes(graph)
    assert [node.op for node in result.graph.nodes] == ["input", "exp", "tanh", "sub"]
    assert [result.moved[i] for i in range(6)] == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("leaky_relu(x)  slope=0.0", "leaky_relu(x)  slope=-0.0"),
        ("mul(x, z)", "mul(z, x)"),
        ("reshape(x)  shape=[3]", "reshape(x)  shape=[B=3]"),
    ],
)
def test_what_is_not_equal_is_not_merged(one, other):
    named = "f64[B=3]" if "B" in other else "f64[3]"
    graph = parse_graph(
        f"graph f(x: f64[3], z: f64[3]) -> (f64[3], {named})\n"
        f"  %2: f64[3] = {one}\n  %3: {named} = {other}\n  return %2, %3"
    )
    assert len(merge_equal_nodes(graph).graph.nodes) == 4


def test_inputs_are_never_merged():
    graph = parse_graph(
        "graph f(x: f64[3], z: f64[3]) -> f64[3]\n  y: f64[3] = sub(x, z)\n  return y"
    )
    assert merge_equal_nodes(graph).graph == graph


def test_composites_open_all_the_way_down():
    result = expand_composites(NETWORK)
    ops = {node.op for node in result.graph.nodes}
    assert not ops & {"cross_entropy", "log_softmax", "mean"}
    each = result.graph["each"]
    assert (each.op, each.scope) == ("neg", "loss")  # the body's result has the name


def test_composites_that_a_backend_knows_stay():
    result = expand_composites(NETWORK, keep=lambda op: op == "log_softmax")
    ops = {node.op for node in result.graph.nodes}
    assert "log_softmax" in ops
    assert "cross_entropy" not in ops


def test_a_custom_function_opens_into_its_body():
    (case,) = cases("custom")
    ops = [node.op for node in expand_composites(case.graph).graph.nodes]
    assert ops == ["input", "mul", "mul"]


def test_a_function_that_returns_its_input_keeps_both_names():
    b = Builder()
    x = b.input(TensorType.parse("f64[2]"), "x")
    body = parse_graph("graph same(a: f64[2]) -> f64[2]\n  return a")
    rule = parse_graph("graph rule(a: f64[2], y: f64[2], d: f64[2]) -> f64[2]\n  return d")
    y = b.custom(x, body=body, rule=rule)
    b.name(y, "y")
    b.aliases["also"] = "y"
    result = expand_composites(b.build("f", {"y": y}))
    verify(result.graph)
    assert result.graph.find("y") == result.graph.find("also") == result.graph.find("x") == 0
