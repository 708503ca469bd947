"""A vectorized graph computes each example as the graph does."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.backends import get_backend
from chainrule.base.errors import GraphError
from chainrule.graph import parse_graph
from chainrule.ops import verify
from chainrule.rewrite import vectorize

run = get_backend("numpy").run

TEXT = """graph f(x: f64[3], w: f64[2,3], i: i64[2]) -> (f64[2], f64[2,2], f64[])
  z: f64[2] = contract(w, x)  over=[1,0]
  g: f64[2,2] = gather(w, i)  axis=1
  n: f64[] = sum(w)  axes=[0,1]
  return z, g, n"""


@pytest.mark.parametrize(
    "names", [["x"], ["w"], ["i"], ["x", "w"], ["w", "i"], ["x", "w", "i"]], ids="-".join
)
def test_each_example_is_computed_as_by_itself(names):
    graph = parse_graph(TEXT)
    several = verify(vectorize(graph, names, 4))
    # Whole numbers: no rounding, in whatever order.
    x, w = np.arange(12.0).reshape(4, 3) - 5, np.arange(24.0).reshape(4, 2, 3) - 11
    i = np.array([[0, 2], [1, 1], [2, 0], [0, 0]])
    arrays = {"x": x, "w": w, "i": i}
    together = run(several, [a if name in names else a[0] for name, a in arrays.items()])
    for k in range(4):
        alone = run(graph, [a[k] if name in names else a[0] for name, a in arrays.items()])
        for many, one in zip(together, alone, strict=True):
            np.testing.assert_array_equal(many[k], one)


def test_what_does_not_depend_on_the_examples_is_computed_once():
    several = vectorize(parse_graph(TEXT), ["x"], 4)
    assert [str(node.type) for node in several.nodes if node.op in ("gather", "sum")] == [
        "f64[2,2]", "f64[]",
    ]  # fmt: skip
    assert [str(several.nodes[output.node].type) for output in several.outputs] == [
        "f64[4,2]", "f64[4,2,2]", "f64[4]",
    ]  # fmt: skip


def test_an_op_that_cannot_be_applied_to_several_examples_is_named():
    text = """graph f(seed: u32[2], step: i64[], rows: i64[3]) -> u32[3,2]
  bits: u32[3,2] = random_bits(seed, step, rows)  shape=[2] stream="dropout"
  return bits"""
    by_row = vectorize(parse_graph(text), ["rows"], 2)
    assert str(by_row.nodes[by_row.labels["bits"]].type) == "u32[2,3,2]"
    with pytest.raises(GraphError) as caught:
        vectorize(parse_graph(text), ["seed"], 2)
    assert str(caught.value) == (
        "random_bits takes one seed and one step for all examples. "
        "Tell the examples apart by their rows."
    )


def test_rows_of_a_jacobian_come_in_parts_where_there_are_many():
    x = np.arange(700.0)
    found = cr.jacobian(lambda s: s * x)(2.0).numpy()
    np.testing.assert_array_equal(found, x)
    assert cr.jacobian(lambda w: w[:0])(x).shape == (0, 700)


def test_a_second_derivative_inside_a_trace_is_no_copy_for_each_row():
    f = lambda w: (w.sin() * w).sum()  # noqa: E731
    sizes = {len(cr.trace(cr.hessian(f), np.ones(n)).nodes) for n in (2, 50)}
    assert len(sizes) == 1
