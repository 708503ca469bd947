"""Reverse mode: the backward pass is more graph, named, with the right numbers in it."""

import numpy as np
import pytest

from chainrule.autodiff import append_gradients, gradients, pullback
from chainrule.autodiff.reverse import zeros
from chainrule.backends import get_backend
from chainrule.base.errors import NameNotFoundError, NotDifferentiableError
from chainrule.graph import Source, TensorType, parse_graph
from chainrule.ops import (
    NOT_DIFFERENTIABLE,
    OPS,
    Builder,
    elementwise,
    verify,
)


def run(graph, *arrays):
    """The outputs by label."""
    values = get_backend("numpy").run(verify(graph), [np.asarray(a) for a in arrays])
    return {output.label: value for output, value in zip(graph.outputs, values, strict=True)}


def build(f, *inputs):
    """The graph of one result, labelled y, on inputs described by their types."""
    b = Builder()
    values = [b.input(TensorType.parse(kind), f"x{i}") for i, kind in enumerate(inputs)]
    return b.build("f", {"y": f(b, *values)})


NETWORK = """\
graph cost(x: f64[B=4,3], t: f64[B=4,2], 0.weight: f64[2,3], 0.bias: f64[2]) -> f64[]
  %4: f64[B=4,2] = contract(x, 0.weight)  over=[1,1]  @0
  0.out: f64[B=4,2] = add(%4, 0.bias)  @0
  1.out: f64[B=4,2] = sigmoid(0.out)  @1
  %7: f64[B=4,2] = sub(1.out, t)
  %8: f64[B=4,2] = square(%7)
  %9: f64[B=4] = sum(%8)  axes=[1]
  %10: f64[] = constant()  dtype=f64 value=0.5
  %11: f64[B=4] = mul(%9, %10)
  cost: f64[] = mean(%11)  axes=[0]
  alias W1 = 0.weight
  alias b1 = 0.bias
  alias z1 = 0.out
  alias a1 = 1.out
  return cost"""


def test_the_four_equations_of_backpropagation_stand_in_the_graph(golden):
    graph = gradients(parse_graph(NETWORK), of="cost", wrt=["0.weight", "0.bias", "x"])
    golden("autodiff/network", f"{verify(graph)}\n")


def test_a_networks_gradients_are_the_textbooks():
    rng = np.random.default_rng(0)
    x, t, w, b = (rng.normal(size=s) for s in ((4, 3), (4, 2), (2, 3), 2))
    found = run(gradients(parse_graph(NETWORK), "cost", ["0.weight", "0.bias", "x"]), x, t, w, b)
    a = 1 / (1 + np.exp(-(x @ w.T + b)))
    delta = (a - t) * a * (1 - a) / 4  # BP1, of the mean over the batch of 4
    # Some ten roundings of numbers near 1, in a sum of at most four products.
    np.testing.assert_allclose(found["d_0.weight"], delta.T @ x, rtol=0, atol=1e-15)  # BP4
    np.testing.assert_allclose(found["d_0.bias"], delta.sum(axis=0), rtol=0, atol=1e-15)  # BP3
    np.testing.assert_allclose(found["d_x"], delta @ w, rtol=0, atol=1e-15)  # BP2


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda b, x: x + x, 2.0),
        (lambda b, x: x * x, 6.0),
        (lambda b, x: x * x * x, 27.0),
        (lambda b, x: b.exp(x) * b.exp(x) / b.exp(x), np.exp(3.0)),
        (lambda b, x: (x * x) + (x - x * x), 1.0),
    ],
    ids=["x+x", "x*x", "x*x*x", "e*e/e", "both paths"],
)
def test_a_value_that_is_used_several_times_sums_its_contributions(f, expected):
    graph = gradients(build(f, "f64[]"), of="y", wrt=["x0"])
    # exp, twice a product, once a quotient: each within 4 units in the last place, 2**-52.
    np.testing.assert_allclose(run(graph, 3.0)["d_x0"], expected, rtol=20 * 2**-52)


def test_a_value_that_is_not_used_has_zeros():
    graph = gradients(build(lambda b, x, z: x * x, "f64[]", "f64[2,3]"), "y", ["x0", "x1"])
    found = run(graph, 3.0, np.ones((2, 3)))
    assert found["d_x1"].tolist() == [[0.0] * 3] * 2
    assert graph["d_x1"].type == TensorType.parse("f64[2,3]")


def test_a_gradient_does_not_pass_integers():
    def f(b, x):
        whole = b.cast(b.cast(x, dtype=TensorType.parse("i64[]").dtype), dtype=x.dtype)
        return x * whole

    assert run(gradients(build(f, "f64[]"), "y", ["x0"]), 3.7)["d_x0"] == 3.0


def test_a_way_without_slope_adds_nothing_to_one_with():
    # d(x·sign x) = sign x: sign itself hands nothing back, before or after the product does.
    for f in (lambda b, x: x * b.sign(x), lambda b, x: b.sign(x) * x, lambda b, x: b.sign(x) + x):
        found = run(gradients(build(f, "f64[]"), "y", ["x0"]), 3.0)
        assert found["d_x0"] == 1.0


def test_the_gradient_of_an_input_that_is_the_result_is_one():
    graph = gradients(parse_graph("graph f(x: f64[]) -> f64[]\n  return x"), of="x", wrt=["x"])
    assert run(graph, 5.0) == {"x": 5.0, "d_x": 1.0}


def test_derivatives_of_every_order_of_a_cube():
    graph = build(lambda b, x: x * x * x, "f64[]")
    for order, expected in enumerate((12.0, 12.0, 6.0, 0.0, 0.0), start=1):
        of = "y" if order == 1 else "d_x0" if order == 2 else f"d_x0#{order - 1}"
        graph = gradients(graph, of=of, wrt=["x0"])
        label = "d_x0" if order == 1 else f"d_x0#{order}"
        assert graph.outputs[-1].label == label
        assert run(graph, 2.0)[label] == expected  # integers: exact


def test_a_second_gradient_keeps_the_first():
    once = gradients(build(lambda b, x: x * x * x, "f64[]"), of="y", wrt=["x0"])
    twice = gradients(once, of="d_x0", wrt=["x0"])
    assert run(twice, 2.0) == {"y": 8.0, "d_x0": 12.0, "d_x0#2": 12.0}


def test_the_result_is_looked_up_by_label_before_names():
    # f(x, y) with the result labelled y, as a traced function has it.
    text = "graph f(x: f64[], y: f64[]) -> f64[]\n  %2: f64[] = mul(x, y)\n  return y=%2"
    assert run(gradients(parse_graph(text), of="y", wrt=["x", "y"]), 2.0, 3.0) == {
        "y": 6.0,
        "d_x": 3.0,
        "d_y": 2.0,
    }


def test_factors_and_cotangents_are_named_after_their_values():
    text = """\
graph f(x: f64[]) -> f64[]
  u: f64[] = tanh(x)
  v: f64[] = exp(u)
  return v"""
    graph = gradients(parse_graph(text), of="v", wrt=["x"])
    # ∂v/∂u is v itself: a value that exists keeps its name.
    assert {"d_v", "d_u", "d_x", "d_u/d_x"} <= graph.positions.keys()
    assert "d_v/d_u" not in graph.positions


def test_one_cotangent_of_two_values_has_both_names():
    text = "graph f(x: f64[], b: f64[]) -> f64[]\n  y: f64[] = add(x, b)\n  return y"
    graph = gradients(parse_graph(text), of="y", wrt=["x", "b"])
    assert graph.find("d_y") == graph.find("d_x") == graph.find("d_b")
    assert run(graph, 1.0, 2.0) == {"y": 3.0, "d_x": 1.0, "d_b": 1.0}


def test_a_name_that_is_taken_gets_a_call_number():
    text = "graph f(d_x: f64[], x: f64[]) -> f64[]\n  y: f64[] = mul(x, d_x)\n  return y"
    graph = gradients(parse_graph(text), of="y", wrt=["x"])
    assert graph.positions["d_x"] == 0
    assert run(graph, 3.0, 2.0)["d_x"] == 3.0  # by label


def test_backward_nodes_carry_the_scope_and_source_of_what_they_differentiate():
    line = Source("train.py", 41)
    b = Builder()
    x = b.input(TensorType.parse("f64[3,4]"), "x")
    t = b.input(TensorType.parse("f64[3,4]"), "t")
    with b.in_scope("layer", line):
        y = b.sum(b.cross_entropy_soft(b.tanh(x), t), axes=(0,))
    forward = len(b.nodes)
    one = b.apply("constant", value=1.0, dtype=y.dtype)
    append_gradients(b, {y: one}, [x, t])
    # `one` is ours; cross_entropy_soft has no pullback of its own: its body's nodes count too.
    backward = b.nodes[forward + 1 :]
    assert len(backward) > 10
    assert {(node.scope, node.source) for node in backward} == {("layer", line)}


@pytest.mark.parametrize(
    ("of", "wrt", "message"),
    [
        (
            "%1",
            ["x0"],
            (
                "the gradient of a float scalar is asked for; %1 is f64[3]. graph f. "
                "Reduce it with sum or mean, or ask for the jacobian."
            ),
        ),
        (
            "n",
            ["x0"],
            (
                "the gradient of a float scalar is asked for; n is i64[]. graph f. "
                "Reduce it with sum or mean, or ask for the jacobian."
            ),
        ),
        ("y", ["n"], "n is i64[]: only floats have gradients."),
    ],
    ids=["not a scalar", "not a float", "with respect to an integer"],
)
def test_what_has_no_gradient_is_refused(of, wrt, message):
    text = """\
graph f(x0: f64[3]) -> (f64[], i64[])
  %1: f64[3] = exp(x0)
  y: f64[] = sum(%1)  axes=[0]
  n: i64[] = argmax(x0)  axis=0
  return y, n"""
    with pytest.raises(NotDifferentiableError) as caught:
        gradients(parse_graph(text), of, wrt)
    assert str(caught.value) == message


def test_an_unknown_input_is_refused():
    with pytest.raises(NameNotFoundError, match=r'^No value is named "x1"\. graph f\. '):
        gradients(build(lambda b, x: x * x, "f64[]"), "y", ["x1"])


@pytest.fixture
def rounding(monkeypatch):
    """An op that is declared not differentiable, in the table for one test."""
    monkeypatch.setattr(OPS, "_things", dict(OPS._things))
    return elementwise(
        "test_rounding", value=lambda s, x: x * x, partials=(NOT_DIFFERENTIABLE,), samples=(1.0,)
    )


def test_an_op_without_derivative_is_refused_by_name(rounding):
    graph = build(lambda b, x: b.test_rounding(x), "f64[]")
    with pytest.raises(NotDifferentiableError) as caught:
        gradients(graph, "y", ["x0"])
    assert str(caught.value) == "test_rounding is not differentiable in x."


def test_an_op_without_derivative_may_stand_beside_the_way(rounding):
    graph = build(lambda b, x, z: x * b.test_rounding(z), "f64[]", "f64[]")
    assert run(gradients(graph, "y", ["x0"]), 2.0, 3.0)["d_x0"] == 9.0


def test_nothing_is_computed_for_what_nobody_asked_about():
    b = Builder()
    x, w = (b.input(TensorType.parse("f64[3]"), name) for name in "xw")
    y = b.sum(b.tanh(x) * b.exp(w), axes=(0,))
    forward = len(b.nodes)
    append_gradients(b, {y: b.apply("constant", value=1.0, dtype=y.dtype)}, [w])
    # The constant, sum's two, the product with tanh(x), the product with exp(w): nothing for x.
    ops = [node.op for node in b.nodes[forward:]]
    assert ops == ["constant", "reshape", "broadcast", "mul", "mul"]


def test_the_pullbacks_of_a_result_that_is_an_input_and_of_none_at_all():
    text = "graph f(x: f64[2], z: f64[2]) -> (f64[2], f64[2])\n  return x, again=x"
    found = run(pullback(parse_graph(text)), [1.0, 2.0], [0.0, 0.0], [3.0, 4.0], [5.0, 6.0])
    assert {label: d.tolist() for label, d in found.items()} == {"d_x": [8, 10], "d_z": [0, 0]}
    b = Builder()
    x = b.input(TensorType.parse("f64[2]"), "x")
    (d_x,) = append_gradients(b, {}, [x])
    assert b.nodes[d_x.position].op == "broadcast"
    assert d_x.type == x.type


@pytest.mark.parametrize(
    ("kind", "written"), [("f64[2]", "0.0"), ("f32[]", "0.0"), ("i64[3]", "0")]
)
def test_zeros_are_those_of_their_type(kind, written):
    b = Builder()
    made = zeros(b, TensorType.parse(kind))
    graph = b.build("f", {"y": made})
    assert str(made.type) == kind
    assert f"value={written}\n" in str(graph)
    assert not get_backend("numpy").run(graph, [])[0].any()


def test_a_custom_rule_is_what_counts():
    body = parse_graph("graph twice(a: f64[2]) -> f64[2]\n  y: f64[2] = add(a, a)\n  return y")
    rule = parse_graph(
        "graph rule(a: f64[2], y: f64[2], d_y: f64[2]) -> f64[2]\n"
        "  %3: f64[2] = mul(y, d_y)\n  return d_a=%3"
    )

    def f(b, x):
        return b.sum(b.custom(x, body=body, rule=rule), axes=(0,))

    found = run(gradients(build(f, "f64[2]"), "y", ["x0"]), [1.0, 5.0])
    assert found["y"] == 12.0
    assert found["d_x0"].tolist() == [2.0, 10.0]  # the rule's y·d_y, not the true 2·d_y


def test_an_infinite_cotangent_does_not_reach_the_unselected_side():
    # 0 times infinity would be NaN: an indicator selects.
    f = pullback(build(lambda b, x: b.relu(x), "f64[2]"))
    assert run(f, [-1.0, 1.0], [np.inf, np.inf])["d_x0"].tolist() == [0.0, np.inf]


def test_a_pullback_takes_cotangents_and_gives_those_of_float_inputs():
    text = """\
graph f(x: f64[3], i: i64[2]) -> (f64[2], i64[])
  y: f64[2] = gather(x, i)  axis=0
  n: i64[] = argmax(x)  axis=0
  return y, n"""
    rule = pullback(parse_graph(text))
    assert rule.name == "d_f"
    assert rule.input_names == ("x", "i", "d_y")
    found = run(rule, np.zeros(3), np.array([2, 2]), [1.0, 10.0])
    assert {label: value.tolist() for label, value in found.items()} == {"d_x": [0.0, 0.0, 11.0]}


def test_a_pullback_of_a_value_with_two_labels_sums_its_cotangents():
    text = "graph f(x: f64[]) -> (f64[], f64[])\n  y: f64[] = exp(x)\n  return y, z=y"
    rule = pullback(parse_graph(text))
    assert rule.input_names == ("x", "d_y", "d_z")
    assert run(rule, 0.0, 2.0, 3.0) == {"d_x": 5.0}


def test_a_gradient_reads_back_from_its_text():
    graph = gradients(parse_graph(NETWORK), of="cost", wrt=["0.weight", "x"])
    assert parse_graph(str(graph)) == graph
