"""Gradients of examples as graphs: the axis is kept where it would be summed over."""

import numpy as np
import pytest

from chainrule.autodiff import per_example_gradients, pullback
from chainrule.backends import get_backend
from chainrule.base.errors import DataError, NotDifferentiableError, ShapeError
from chainrule.graph import Axis, TensorType, parse_graph
from chainrule.ops import Builder, verify
from tests.autodiff.test_reverse import NETWORK

COSTS = NETWORK.replace("graph cost(", "graph costs(").replace(") -> f64[]", ") -> f64[B=4]")
COSTS = COSTS.replace("  cost: f64[] = mean(%11)  axes=[0]\n", "")
COSTS = COSTS.replace("  %11: f64[B=4] = mul", "  cost: f64[B=4] = mul")


def run(graph, *arrays):
    """The outputs by label."""
    values = get_backend("numpy").run(verify(graph), [np.asarray(a) for a in arrays])
    return {output.label: value for output, value in zip(graph.outputs, values, strict=True)}


def numbers(*shapes):
    rng = np.random.Generator(np.random.Philox(0))
    return [rng.normal(size=shape) for shape in shapes]


def test_the_axis_of_examples_stays_in_the_four_equations(golden):
    graph = per_example_gradients(parse_graph(COSTS), "cost", ["0.weight", "0.bias"], Axis("B", 4))
    golden("autodiff/per_example", f"{verify(graph)}\n")
    x, t, w, b = numbers((4, 3), (4, 2), (2, 3), 2)
    a = 1 / (1 + np.exp(-(x @ w.T + b)))
    delta = (a - t) * a * (1 - a)  # BP1, of each example's own cost
    found = run(graph, x, t, w, b)
    # Fewer than 16 roundings, of numbers below 4.
    bound = {"rtol": 0, "atol": 16 * 4 * 2.0**-53}
    np.testing.assert_allclose(found["d_0.bias"], delta, **bound)
    np.testing.assert_allclose(found["d_0.weight"], delta[:, :, None] * x[:, None, :], **bound)


def test_values_and_names_of_the_graph_stay_as_they_were():
    graph = parse_graph(COSTS)
    extended = per_example_gradients(graph, "cost", ["0.weight"], Axis("B", 4))
    arrays = numbers((4, 3), (4, 2), (2, 3), 2)
    np.testing.assert_array_equal(run(extended, *arrays)["cost"], run(graph, *arrays)["cost"])
    assert extended.input_names == graph.input_names
    assert set(graph.aliases) <= set(extended.aliases)
    assert extended["z1"].scope == "0"
    assert extended["d_0.weight"].scope == "0"
    assert [output.label for output in extended.outputs] == ["cost", "d_0.weight"]


def test_costs_without_a_name_are_called_by_their_label():
    text = """graph f(x: f64[B=2,3], w: f64[3]) -> f64[B=2]
  %2: f64[B=2] = contract(x, w)  over=[1,0]
  return c=%2"""
    graph = per_example_gradients(parse_graph(text), "c", ["w"], Axis("B", 2))
    assert graph["d_c"].op == "broadcast"


def test_a_label_that_is_taken_gets_a_number():
    text = """graph f(x: f64[B=2,3], w: f64[3]) -> (f64[B=2], f64[3])
  c: f64[B=2] = contract(x, w)  over=[1,0]
  return c, d_w=w"""
    graph = per_example_gradients(parse_graph(text), "c", ["w"], Axis("B", 2))
    assert [output.label for output in graph.outputs] == ["c", "d_w", "d_w#2"]


def test_a_value_that_many_examples_meet_twice_is_summed_by_the_example():
    # w meets the examples in a product and through a sum of itself: both ways add up.
    text = """graph f(x: f64[B=3,4], w: f64[2,4]) -> f64[B=3]
  z: f64[B=3,2] = contract(x, w)  over=[1,1]
  s: f64[4] = sum(w)  axes=[0]
  u: f64[B=3] = contract(x, s)  over=[1,0]
  v: f64[B=3] = sum(z)  axes=[1]
  c: f64[B=3] = mul(u, v)
  return c"""
    graph = per_example_gradients(parse_graph(text), "c", ["w"], Axis("B", 3))
    x = np.arange(12.0).reshape(3, 4) - 5
    w = np.arange(8.0).reshape(2, 4) - 3
    # c = (x·s)², s = Σ w over rows: ∂c/∂w = 2·(x·s)·x in each row. Whole numbers: no rounding.
    expected = 2 * (x @ w.sum(axis=0))[:, None, None] * x[:, None, :] * np.ones((1, 2, 1))
    np.testing.assert_array_equal(run(graph, x, w)["d_w"], expected)


SCALE = """graph scale(a: f64[B=4,3], b: f64[3]) -> f64[B=4,3]
  y: f64[B=4,3] = mul(a, b)
  return y"""


def scaled(*steps):
    """Costs of x·w, with a pullback of somebody's own: steps from ``d_y`` and ``a`` to ``d_b``."""
    operands = "a: f64[B=4,3], b: f64[3], y: f64[B=4,3], d_y: f64[B=4,3]"
    rule = [
        f"graph rule({operands}) -> (f64[B=4,3], f64[3])",
        "  d_a: f64[B=4,3] = mul(d_y, b)",
        *(f"  {step}" for step in steps),
        "  return d_a, d_b",
    ]
    b = Builder()
    x, w = b.input(TensorType.parse("f64[B=4,3]"), "x"), b.input(TensorType.parse("f64[3]"), "w")
    y = b.custom(x, w, body=parse_graph(SCALE), rule=parse_graph("\n".join(rule)))
    return b.build("f", {"c": b.sum(y, axes=(1,))})


def test_a_mean_over_examples_divides_by_their_number_and_not_by_one():
    # Somebody's pullback takes a mean where a sum would be: what each example gave is x/4.
    f = scaled("p: f64[B=4,3] = mul(d_y, a)", "d_b: f64[3] = mean(p)  axes=[0]")
    x = np.arange(12.0).reshape(4, 3)
    found = run(per_example_gradients(f, "c", ["w"], Axis("B", 4)), x, np.ones(3))["d_w"]
    np.testing.assert_array_equal(found, x / 4)
    (_, total) = get_backend("numpy").run(pullback(f), [x, np.ones(3), np.ones(4)])
    np.testing.assert_array_equal(found.sum(axis=0), total)


@pytest.mark.parametrize(
    ("steps", "op"),
    [
        # No sum, but a choice among the examples.
        (["p: f64[B=4,3] = mul(d_y, a)", "d_b: f64[3] = amax(p)  axis=0"], "amax"),
        # The forward pass keeps examples apart; a factor in the backward pass does not.
        (
            [
                "m: f64[3] = mean(a)  axes=[0]",
                "p: f64[B=4,3] = mul(d_y, m)",
                "d_b: f64[3] = sum(p)  axes=[0]",
            ],
            "mean",
        ),
        # The sum over all examples meets each one again.
        (
            [
                "p: f64[B=4,3] = mul(d_y, a)",
                "s: f64[3] = sum(p)  axes=[0]",
                "q: f64[B=4,3] = mul(s, a)",
                "d_b: f64[3] = sum(q)  axes=[0]",
            ],
            "mul",
        ),
        # It is spread out along a new axis of examples.
        (
            [
                "p: f64[B=4,3] = mul(d_y, a)",
                "s: f64[3] = sum(p)  axes=[0]",
                "q: f64[B=4,3] = broadcast(s)  shape=[B=4,3]",
                "d_b: f64[3] = sum(q)  axes=[0]",
            ],
            "broadcast",
        ),
    ],
)
def test_a_pullback_that_shows_examples_to_each_other_is_refused(steps, op):
    with pytest.raises(NotDifferentiableError) as caught:
        per_example_gradients(scaled(*steps), "c", ["w"], Axis("B", 4))
    assert caught.value.message.startswith(
        f"Per-example gradients need examples that stay apart; {op} mixes them: of f64"
    )


def test_an_index_that_is_out_of_range_is_named_and_does_not_reach_another_example():
    text = """graph f(i: i64[B=2,2], w: f64[3]) -> f64[B=2]
  y: f64[B=2,2] = gather(w, i)  axis=0
  c: f64[B=2] = sum(y)  axes=[1]
  return c"""
    graph = per_example_gradients(parse_graph(text), "c", ["w"], Axis("B", 2))
    found = run(graph, np.array([[0, 0], [1, 2]]), np.zeros(3))["d_w"]
    assert found.tolist() == [[2.0, 0.0, 0.0], [0.0, 1.0, 1.0]]
    with pytest.raises(DataError, match="takes indices from 0 to 2; got 4"):
        run(graph, np.array([[0, 4], [1, 2]]), np.zeros(3))


def test_costs_have_the_axis_of_examples_and_no_other():
    text = """graph f(x: f64[B=4,3], w: f64[3]) -> f64[B=4,3]
  y: f64[B=4,3] = mul(x, w)
  return y"""
    for graph, axis in [(text, Axis("B", 4)), (text, Axis("C", 4))]:
        with pytest.raises(ShapeError) as caught:
            per_example_gradients(parse_graph(graph), "y", ["w"], axis)
        assert caught.value.message == (
            "Per-example gradients are those of one float for each example, of shape "
            f"[{axis}]; got f64[B=4,3]"
        )
