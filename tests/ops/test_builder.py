"""The builder: ops as methods, names with call numbers, scopes, shared constants."""

import pytest

from chainrule.base.errors import GraphError, NameNotFoundError, ShapeError
from chainrule.graph import Axis, DType, Source, TensorType, parse_graph, verify_graph
from chainrule.ops import Builder, verify

F64 = DType.F64


def start(*kinds):
    b = Builder()
    return b, *(
        b.input(TensorType.parse(kind), name) for kind, name in zip(kinds, "xyz", strict=False)
    )


def test_ops_are_methods_and_operators():
    b, x, y = start("f64[2]", "f64[2]")
    graph = b.build("f", {"out": b.tanh(x + y) * x / 2 - (1 - y) + (3 * -x) / (2 / y)})
    assert (
        str(verify(graph))
        == """\
graph f(x: f64[2], y: f64[2]) -> f64[2]
  %2: f64[2] = add(x, y)
  %3: f64[2] = tanh(%2)
  %4: f64[2] = mul(%3, x)
  %5: f64[] = constant()  dtype=f64 value=2
  %6: f64[2] = div(%4, %5)
  %7: f64[] = constant()  dtype=f64 value=1
  %8: f64[2] = sub(%7, y)
  %9: f64[2] = sub(%6, %8)
  %10: f64[2] = neg(x)
  %11: f64[] = constant()  dtype=f64 value=3
  %12: f64[2] = mul(%11, %10)
  %13: f64[2] = div(%5, y)
  %14: f64[2] = div(%12, %13)
  %15: f64[2] = add(%9, %14)
  return out=%15"""
    )


@pytest.mark.parametrize(
    ("combine", "op"),
    [
        (lambda a, x: a + x, "add"), (lambda a, x: a - x, "sub"),
        (lambda a, x: a * x, "mul"), (lambda a, x: a / x, "div"),
    ],
    ids=["add", "sub", "mul", "div"],
)  # fmt: skip
def test_a_number_may_stand_on_either_side(combine, op):
    for on_the_left in (True, False):
        b, x = start("f64[2]")
        y = combine(5, x) if on_the_left else combine(x, 5)
        node = b.nodes[y.position]
        assert node.op == op
        assert [b.nodes[i].op for i in node.inputs] == (
            ["constant", "input"] if on_the_left else ["input", "constant"]
        )


def test_an_op_that_does_not_exist_is_no_method():
    b, x = start("f64[2]")
    with pytest.raises(AttributeError, match=r"^sigmod$"):
        b.sigmod(x)
    with pytest.raises(
        NameNotFoundError, match=r'^No op is named "sigmiod"\. Did you mean "sigmoid"\?'
    ):
        b.apply("sigmiod", x)


def test_an_op_that_does_not_apply_appends_nothing():
    b, x, y = start("f64[2]", "f64[3]")
    with pytest.raises(ShapeError):
        x + y
    assert len(b.nodes) == 2


def test_a_value_of_another_graph_is_refused():
    _, x = start("f64[2]")
    b, y = start("f64[2]")
    with pytest.raises(GraphError, match=r"^add got a value of another graph\.$"):
        y + x
    assert len(b.nodes) == 1


def test_a_name_that_is_taken_gets_a_call_number():
    b, x = start("f64[2]")
    for _ in range(3):
        b.name(b.tanh(x), "0.out")
    assert [node.name for node in b.nodes] == ["x", "0.out", "0.out#2", "0.out#3"]
    assert b.input(TensorType((), F64), "x").type == TensorType((), F64)
    assert b.nodes[-1].name == "x#2"


def test_a_second_name_is_an_alias():
    b, x = start("f64[2]")
    y = b.tanh(x)
    for name in ("a", "b", "b", "a"):
        b.name(y, name)
    graph = b.build("f", {"a": y})
    assert graph.aliases == (("b", "a"),)
    assert graph.find("a") == graph.find("b") == 1
    verify_graph(graph)


def test_an_alias_that_is_taken_gets_a_call_number():
    b, x = start("f64[2]")
    y = b.tanh(x)
    b.name(y, "y")
    b.name(y, "x")
    assert b.aliases == {"x#2": "y"}


def test_a_constant_is_made_once_for_each_dtype():
    b, _ = start("f64[2]")
    same = {b.constant(2.0, F64).position for _ in range(2)}
    assert len(same) == 1
    others = [b.constant(2.0, DType.F32), b.constant(2, F64), b.constant(-0.0, F64)]
    assert len({value.position for value in others} | same) == 4
    assert b.constant(0.0, F64) != b.constant(-0.0, F64)


def test_nodes_belong_to_the_scope_and_line_they_are_made_in():
    lines = iter(range(10))
    b = Builder(source=lambda: Source("a.py", next(lines)))
    x = b.input(TensorType((), F64), "x")
    b.exp(x)
    with b.in_scope("encoder", Source("b.py", 7)):
        b.exp(x)
        with b.in_scope("encoder.0"):
            b.exp(x)
        b.exp(x)
    b.exp(x)
    assert [(node.scope, str(node.source)) for node in b.nodes[1:]] == [
        ("", "line 0 of a.py"),
        ("encoder", "line 7 of b.py"),
        ("encoder.0", "line 7 of b.py"),
        ("encoder", "line 7 of b.py"),
        ("", "line 1 of a.py"),
    ]


def test_a_scope_ends_when_an_error_leaves_it():
    b, x, y = start("f64[2]", "f64[3]")
    with pytest.raises(ShapeError), b.in_scope("0"):
        x + y
    assert b.scope == ""


INNER = parse_graph(
    """\
graph inner(a: f64[2]) -> f64[2]
  h: f64[2] = tanh(a)  @cell
  out: f64[2] = exp(h)
  return out"""
)


@pytest.mark.parametrize(("names", "expected"), [(False, [None, None]), (True, ["h", "out"])])
def test_a_graph_is_inlined_under_the_scope(names, expected):
    b, x = start("f64[2]")
    with b.in_scope("layer", Source("a.py", 3)):
        values = b.inline(INNER, [x], names=names)
    assert [b.nodes[v.position].op for v in values] == ["input", "tanh", "exp"]
    assert [node.name for node in b.nodes[1:]] == expected
    assert [node.scope for node in b.nodes[1:]] == ["layer.cell", "layer"]
    assert {str(node.source) for node in b.nodes[1:]} == {"line 3 of a.py"}


def test_inlined_names_get_call_numbers():
    b, x = start("f64[2]")
    (_, _, once) = b.inline(INNER, [x], names=True)
    b.inline(INNER, [once], names=True)
    assert [node.name for node in b.nodes] == ["x", "h", "out", "h#2", "out#2"]


def test_a_graph_is_inlined_with_all_its_inputs():
    b, x = start("f64[2]")
    for values in ([x, x], []):
        message = rf"^graph inner takes 1 inputs; got {len(values)}\.$"
        with pytest.raises(GraphError, match=message):
            b.inline(INNER, values)


def test_inputs_that_come_late_are_moved_to_the_front():
    b, x = start("f64[]")
    y = b.exp(x)
    late = b.input(TensorType((), F64), "late")
    graph = b.build("f", {"out": y + late})
    assert graph.input_names == ("x", "late")
    assert str(verify(graph)).splitlines()[1:3] == [
        "  %2: f64[] = exp(x)",
        "  %3: f64[] = add(%2, late)",
    ]


@pytest.mark.parametrize(
    ("left", "right", "result"),
    [
        ("f64[B=3,5]", "f64[5]", "f64[B=3,5]"),
        ("f64[5]", "f64[B=3,5]", "f64[B=3,5]"),
        ("f64[B=3,5]", "f64[3,1]", "f64[B=3,5]"),
        ("f64[3,1]", "f64[B=3,5]", "f64[B=3,5]"),
        ("f64[B=1,5]", "f64[1,5]", "f64[B=1,5]"),
        ("f64[1,5]", "f64[B=1,5]", "f64[B=1,5]"),
        ("f64[B=1,5]", "f64[3,5]", "f64[3,5]"),
        ("f64[]", "f64[B=0]", "f64[B=0]"),
    ],
)
def test_broadcasting_keeps_the_batch_axis_named(left, right, result):
    _b, x, y = start(left, right)
    assert str((x + y).type) == result


def test_an_axis_whose_examples_do_not_stay_together_has_no_name():
    b, x = start("f64[B=4,3]")
    assert str(b.reshape(x, shape=(12,)).type) == "f64[B=4*3]"
    assert str(b.reshape(x, shape=(3, 4)).type) == "f64[3,4]"
    assert str(b.reshape(x, shape=(4, 3, 1)).type) == "f64[B=4,3,1]"
    assert type(x.shape[0]) is Axis


@pytest.mark.parametrize(
    ("left", "right", "axis", "sizes"),
    [
        ("f64[0]", "f64[3]", 0, "0 and 3"),
        ("f64[3]", "f64[0]", 0, "3 and 0"),
        ("f64[2,3]", "f64[3,3]", 1, "2 and 3"),
        ("f64[4,1,3]", "f64[2,2,1]", 2, "4 and 2"),
    ],
)
def test_sizes_that_differ_broadcast_only_from_one(left, right, axis, sizes):
    _b, x, y = start(left, right)
    with pytest.raises(ShapeError, match=rf"axis {axis} from the back is {sizes}"):
        x + y
