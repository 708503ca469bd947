"""Forward mode: the pullback's transpose pushes tangents."""

import numpy as np
import pytest

from chainrule.autodiff import pullback, pushforward
from chainrule.backends import get_backend
from chainrule.graph import parse_graph
from chainrule.ops import verify


def run(graph, *arrays):
    values = get_backend("numpy").run(verify(graph), [np.asarray(a) for a in arrays])
    return {o.label: v.tolist() for o, v in zip(graph.outputs, values, strict=True)}


def graph(body, signature="x: f64[2]", result="f64[2]", returns="y"):
    lines = [f"graph f({signature}) -> {result}", *body, f"return {returns}"]
    return parse_graph("\n".join(lines))


def test_tangents_are_inputs_and_outputs_by_name():
    forward = pushforward(graph(["y: f64[2] = mul(x, w)"], "x: f64[2], w: f64[2], n: i64[]"))
    assert forward.name == "t_f"
    assert forward.input_names == ("x", "w", "n", "t_x", "t_w")
    # d(x·w) = t_x·w + x·t_w
    assert run(forward, [2.0, 3.0], [5.0, 7.0], 0, [1.0, 0.0], [0.0, 1.0]) == {"t_y": [5.0, 3.0]}


@pytest.mark.parametrize(
    ("body", "x", "tangent", "expected"),
    [
        (["y: f64[2] = square(x)"], [3.0, -1.0], [1.0, 2.0], [6.0, -4.0]),
        (["a: f64[2] = square(x)", "y: f64[2] = mul(a, x)"], [2.0, 1.0], [1.0, 1.0], [12.0, 3.0]),
        (["y: f64[2] = add(x, x)"], [0.0, 0.0], [1.0, 3.0], [2.0, 6.0]),
        (["y: f64[2] = sign(x)"], [1.0, -1.0], [1.0, 1.0], [0.0, 0.0]),
        (["y: f64[2] = relu(x)"], [1.0, -1.0], [5.0, 5.0], [5.0, 0.0]),
        (["a: f64[2] = relu(x)", "y: f64[2] = relu(a)"], [0.0, 2.0], [1.0, 1.0], [0.0, 1.0]),
    ],
)
def test_closed_forms(body, x, tangent, expected):
    assert run(pushforward(graph(body)), x, tangent) == {"t_y": expected}


def test_tangents_that_meet_in_one_value_are_added():
    # Both inputs have the same cotangent, so its transpose has both tangents.
    forward = pushforward(graph(["y: f64[2] = add(x, w)"], "x: f64[2], w: f64[2]"))
    assert run(forward, [0.0, 0.0], [0.0, 0.0], [1.0, 2.0], [10.0, 20.0]) == {"t_y": [11.0, 22.0]}


def test_every_float_result_has_a_tangent():
    forward = pushforward(
        graph(
            ["y: f64[] = sum(x)  axes=[0]", "z: f64[2] = neg(x)", "n: i64[] = argmax(x)  axis=0"],
            result="(f64[], f64[2], i64[])",
            returns="y, z, n",
        )
    )
    assert run(forward, [1.0, 2.0], [10.0, 20.0]) == {"t_y": 30.0, "t_z": [-10.0, -20.0]}


def test_a_result_that_does_not_depend_on_the_inputs_has_zeros():
    forward = pushforward(graph(["y: f64[] = constant()  dtype=f64 value=3.0"], result="f64[]"))
    assert run(forward, [1.0, 2.0], [1.0, 1.0]) == {"t_y": 0.0}


def test_a_result_with_two_labels_has_two_tangents():
    forward = pushforward(
        graph(["y: f64[2] = neg(x)"], result="(f64[2], f64[2])", returns="y, again=y")
    )
    assert run(forward, [1.0, 2.0], [1.0, 2.0]) == {"t_y": [-1.0, -2.0], "t_again": [-1.0, -2.0]}


def test_an_input_that_is_a_result_passes_its_tangent():
    assert run(pushforward(graph([], returns="x")), [1.0, 2.0], [3.0, 4.0]) == {"t_x": [3.0, 4.0]}


def test_forward_over_reverse_is_the_hessian_times_a_vector():
    # f = Σ x³: the gradient is 3x², its derivative along v is 6x·v.
    f = graph(["a: f64[2] = square(x)", "b: f64[2] = mul(a, x)", "y: f64[] = sum(b)  axes=[0]"],
              result="f64[]")  # fmt: skip
    forward = pushforward(pullback(f))
    assert forward.input_names == ("x", "d_y", "t_x", "t_d_y")
    assert run(forward, [2.0, 3.0], 1.0, [1.0, 10.0], 0.0) == {"t_d_x": [12.0, 180.0]}


def test_a_composite_without_a_rule_and_a_custom_rule_are_pushed_through():
    rule = "rule=graph r(a: f64[2], y: f64[2], d: f64[2]) -> f64[2] {"
    text = f"""\
graph f(x: f64[2]) -> f64[]
  c: f64[2] = custom(x)  body=graph b(a: f64[2]) -> f64[2] {{
    %1: f64[2] = neg(a)
    return %1
  }} {rule}
    %3: f64[2] = add(d, d)
    return %3
  }}
  y: f64[] = mean(c)  axes=[0]
  return y"""
    assert run(pushforward(parse_graph(text)), [1.0, 2.0], [3.0, 5.0]) == {"t_y": 8.0}


def test_inputs_that_do_not_move_have_no_tangents():
    graph = parse_graph("""graph f(a: f64[2], b: f64[2], c: f64[2]) -> f64[2]
  ab: f64[2] = mul(a, b)
  y: f64[2] = mul(ab, c)
  return y""")
    forward = pushforward(graph, ["c", "a"])
    assert forward.input_names == ("a", "b", "c", "t_c", "t_a")
    arrays = [np.array(x) for x in ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [1.0, 0.0], [0.0, 1.0])]
    (moved,) = get_backend("numpy").run(verify(forward), arrays)
    assert moved.tolist() == [3.0, 24.0]
    still = pushforward(graph, [])
    assert still.input_names == ("a", "b", "c")
    assert get_backend("numpy").run(still, arrays[:3])[0].tolist() == [0.0, 0.0]


def test_forward_mode_needs_nothing_of_the_cotangents():
    forward = pushforward(graph(["y: f64[2] = tanh(x)"]))
    assert not [name for name in forward.input_names if name.startswith("d_")]
    assert "d_y" not in [node.name for node in forward.nodes if node.op == "input"]
