"""The gradient checker: what it passes, what it finds, and what it says."""

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.autodiff import pullback
from chainrule.base.errors import (
    ConfigurationError,
    GradientError,
    NotDifferentiableError,
)
from chainrule.base.random import normal, normal_words, random_bits, seed_words
from chainrule.graph import TensorType, parse_graph
from chainrule.ops import OPS, Builder
from chainrule.testing import check_gradients
from tests.testing.faulty import (
    forgotten_transpose,
    missing_sum,
    one_sided_product,
    swapped_operands,
    tables,
    wrong_factor,
)

__all__ = ["tables"]  # a fixture


def draw(*shape, stream="x"):
    size = int(np.prod(shape, dtype=int)) * normal_words(np.float64)
    return normal(random_bits(seed_words(0), 0, stream, 0, size), np.float64).reshape(shape)


NETWORK = """\
graph cost(x: f32[B=4,3], t: i64[B=4], w: f32[5,3], b: f32[5]) -> f32[]
  %4: f32[B=4,5] = contract(x, w)  over=[1,1]
  z: f32[B=4,5] = add(%4, b)
  %6: f32[B=4] = cross_entropy(z, t)
  cost: f32[] = mean(%6)  axes=[0]
  return cost"""


def test_a_network_passes_to_second_order():
    inputs = [draw(4, 3), np.array([0, 4, 2, 2]), draw(5, 3, stream="w"), draw(5, stream="b")]
    report = check_gradients(parse_graph(NETWORK), inputs, order=2)
    # x, w, b; then the same and the cotangent of cost.
    assert report.elements == (12 + 15 + 5) + (12 + 15 + 5 + 1)
    assert report.largest_error < 1


def test_a_function_of_tensors_passes():
    w, b = draw(3, 5, stream="w").astype(np.float32), cr.tensor(np.float32(0.5))
    report = check_gradients(lambda x: ((x @ w + b).tanh() * 3).sum(), [draw(2, 3)])
    assert report.elements == 6 + 15 + 1  # what it captures is checked as well


def test_several_results_and_trees_pass():
    def f(pair, scale):
        a, c = pair["a"], pair["c"]
        return a * c * scale, (a.exp() / scale).sum()

    report = check_gradients(f, [{"a": draw(3), "c": draw(3, stream="c")}, 2.0], order=2)
    assert report.elements == 7 + (7 + 3 + 1)


def test_integers_are_passed_by():
    report = check_gradients(lambda x, i: cr.take(x, i, axis=0), [draw(4, 2), np.array([1, 1, 3])])
    assert report.elements == 8


def test_a_module_is_checked_with_its_parameters():
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 2))
    net.initialize(seed=0)
    # 5·4 inputs, 4·3 + 3 + 3 + 3 + 3·2 + 2 parameters, 3 + 3 running statistics, whose zeros are
    # checked as well.
    assert check_gradients(net, [draw(5, 4)]).elements == 20 + 29 + 6


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ([draw(4, 3)], {}, "graph cost takes 4 inputs (x, t, w, b); got 1."),
        ([], {"order": 3}, "order is 1 or 2; got 3."),
    ],
)
def test_what_cannot_be_checked_is_refused(inputs, options, message):
    with pytest.raises(ConfigurationError) as caught:
        check_gradients(parse_graph(NETWORK), inputs, **options)
    assert str(caught.value) == message


def test_fewer_elements_may_be_looked_at():
    assert check_gradients(lambda x: x.tanh(), [draw(1000)], elements=10).elements == 10


def test_a_function_of_random_numbers_is_checked_on_those_it_draws():
    b = Builder()
    seed, step, rows = (
        b.input(TensorType.parse(kind), name)
        for kind, name in (("u32[2]", "seed"), ("i64[]", "step"), ("i64[B=3]", "rows"))
    )
    x = b.input(TensorType.parse("f32[B=3,4]"), "x")
    noise = b.uniform(seed, step, rows, shape=(4,), stream="s", dtype=x.dtype)
    graph = b.build("noisy", {"y": b.square(x) * noise})
    report = check_gradients(graph, [seed_words(1), np.int64(0), np.arange(3), draw(3, 4)])
    assert report.elements == 12


def faulty_element(position, factor=1.001, size=1000):
    """tanh of `size` elements, the derivative of one of them wrong by `factor`."""
    b = Builder()
    x, y, d_y = (b.input(TensorType.parse(f"f64[{size}]"), n) for n in ("x", "y", "d_y"))
    here = b.equal(
        b.iota(shape=(size,), axis=0, dtype=x.dtype), b.constant(float(position), x.dtype)
    )
    wrong = b.select(here, b.constant(factor, x.dtype), b.constant(1.0, x.dtype))
    rule = b.build("rule", {"d_x": d_y * (1.0 - y * y) * wrong})
    b = Builder()
    body = b.build("tanh", {"y": b.tanh(b.input(TensorType.parse(f"f64[{size}]"), "x"))})
    b = Builder()
    x = b.input(TensorType.parse(f"f64[{size}]"), "x")
    z = b.custom(b.square(x), body=body, rule=rule)
    b.name(z, "z")
    return b.build("f", {"out": b.exp(z)})


@pytest.mark.parametrize("position", [0, 417, 999])
def test_a_factor_of_1_001_in_one_element_of_1000_is_found(position):
    with pytest.raises(GradientError) as caught:
        check_gradients(faulty_element(position), [draw(1000)])
    message = str(caught.value)
    number = r"-?[\d.e-]+"
    assert re.fullmatch(
        rf"The gradient d_x of f is wrong in 1 of 1000 elements: d_x\[{position}\] should be "
        rf"{number} ± {number}, and is {number}\. "
        rf"The pullback of op custom \(node z\) is wrong by itself: d_x0\[{position}\] should be "
        rf"{number} ± {number}, and is {number}\. "
        r"At a kink, or where the function ends, differences have no meaning: "
        r"choose other inputs there\.",
        message,
    )


def test_a_factor_of_one_passes():
    check_gradients(faulty_element(417, factor=1.0), [draw(1000)])


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("plant", "shapes", "attributes"),
    [
        (wrong_factor, ["f64[50]"], {}),
        (swapped_operands, ["f64[3,2]", "f64[2]"], {}),
        (missing_sum, ["f64[4]"], {"axes": (0,)}),
        (forgotten_transpose, ["f64[2,2,2]"], {"axes": (1, 2, 0)}),
        (one_sided_product, ["f64[3,3]", "f64[3,3]"], {"over": (1, 0)}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_planted_fault_is_named_inside_a_network(plant, shapes, attributes):
    op = plant()
    b = Builder()
    inputs = [b.input(TensorType.parse(kind), f"x{i}") for i, kind in enumerate(shapes)]
    graph = b.build("f", {"y": b.exp(b.apply(op, *(v * 1.5 for v in inputs), **attributes))})
    # Three times a normal number reaches beyond 1.5, where wrong_factor is wrong.
    arrays = [2 * draw(*map(int, v.shape), stream=str(i)) for i, v in enumerate(inputs)]
    with pytest.raises(GradientError, match=f"The pullback of op {op} \\("):
        check_gradients(graph, arrays)


def test_a_missing_sum_over_the_broadcast_axis_is_found():
    # The bias gradient that is right for one sample: the cotangent of the last row alone.
    rule = parse_graph(
        "graph rule(x: f64[3,2], b: f64[2], y: f64[3,2], d_y: f64[3,2]) -> (f64[3,2], f64[2])\n"
        "  %4: f64[1,2] = slice(d_y)  starts=[2,0] stops=[3,2] steps=[1,1]\n"
        "  d_b: f64[2] = reshape(%4)  shape=[2]\n"
        "  return d_x=d_y, d_b"
    )
    body = parse_graph(
        "graph plus(x: f64[3,2], b: f64[2]) -> f64[3,2]\n  y: f64[3,2] = add(x, b)\n  return y"
    )
    b = Builder()
    x, bias = b.input(TensorType.parse("f64[3,2]"), "x"), b.input(TensorType.parse("f64[2]"), "b")
    graph = b.build("f", {"y": b.custom(x, bias, body=body, rule=rule)})
    with pytest.raises(GradientError, match=r"^The gradient d_b of f is wrong in 2 of 2 elements"):
        check_gradients(graph, [draw(3, 2), draw(2)])


@pytest.mark.usefixtures("tables")
def test_a_wrong_second_derivative_is_found_on_request():
    rule = parse_graph(
        "graph rule(x: f64[3], y: f64[3], d_y: f64[3]) -> f64[3]\n"
        "  %3: f64[3] = custom(x)  body=graph twice(x: f64[3]) -> f64[3] {\n"
        "    %1: f64[3] = add(x, x)\n    return %1\n"
        "  } rule=graph zero(x: f64[3], y: f64[3], d_y: f64[3]) -> f64[3] {\n"
        "    %3: f64[3] = sub(x, x)\n    return %3\n  }\n"
        "  %4: f64[3] = mul(%3, d_y)\n  return %4"
    )
    body = parse_graph("graph sq(x: f64[3]) -> f64[3]\n  y: f64[3] = mul(x, x)\n  return y")
    b = Builder()
    x = b.input(TensorType.parse("f64[3]"), "x")
    graph = b.build("f", {"y": b.custom(x, body=body, rule=rule)})
    check_gradients(graph, [draw(3)])
    with pytest.raises(
        GradientError, match=r"^The second derivative d_x of d_f is wrong in 3 of 3"
    ):
        check_gradients(graph, [draw(3)], order=2)


def test_a_kink_is_reported_as_such():
    with pytest.raises(GradientError) as caught:
        check_gradients(lambda x: x.relu(), [np.array([1.0, 0.0])])
    assert "d_x[1] should be 0" in str(caught.value)
    assert "At a kink" in str(caught.value)


def test_kinks_nearby_are_no_trouble():
    check_gradients(lambda x: x.relu() + abs(x), [np.array([1.0, 1e-6, -1e-6])])


def test_a_function_that_is_not_finite_is_refused():
    with pytest.raises(GradientError) as caught:
        check_gradients(lambda x: x.log(), [np.array([1.0, -1.0])])
    assert str(caught.value) == "lambda is not finite here: see its result y."


def test_an_end_of_the_domain_is_reported():
    with pytest.raises(GradientError, match=r"d_x\[0\] should be nan ± inf, and is "):
        check_gradients(lambda x: x.sqrt(), [np.array([0.0, 1.0])])


def test_what_has_no_derivative_is_refused_by_name(tables):
    from chainrule.ops import NOT_DIFFERENTIABLE, elementwise

    elementwise(
        "test_rough", value=lambda s, x: x * x, partials=(NOT_DIFFERENTIABLE,), samples=(1.0,)
    )
    assert "test_rough" in OPS
    with pytest.raises(NotDifferentiableError, match=r"^test_rough is not differentiable in x"):
        check_gradients(lambda x: x.test_rough(), [draw(2)])


def test_the_pullback_of_a_graph_can_be_checked_itself():
    graph = pullback(parse_graph("graph f(x: f64[3]) -> f64[3]\n  y: f64[3] = tanh(x)\n  return y"))
    assert check_gradients(graph, [draw(3), draw(3, stream="d")], order=2).elements == 6 + 9
