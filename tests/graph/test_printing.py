"""A graph prints as text that a person reads, and the parser reads back the same graph."""

import re

import pytest
from hypothesis import example, given

from chainrule.base.errors import ParseError
from chainrule.graph import (
    Attributes,
    Axis,
    DType,
    Graph,
    Node,
    Output,
    Source,
    format_attribute,
    format_graph,
    parse_graph,
    verify_graph,
)
from tests.graph.graphs import graphs

LOSS = """\
graph loss(x: f32[B=10,784], t: f32[B=10,10], 0.weight: f32[30,784], 0.bias: f32[30]) -> f32[]
  %4: f32[B=10,30] = contract(x, 0.weight)  over=[1,1]  @0
  0.out: f32[B=10,30] = add(%4, 0.bias)  @0
  1.out: f32[B=10,30] = sigmoid(0.out)  @1
  %7: f32[] = sum(1.out)  axes=[0,1]
  alias W1 = 0.weight
  alias z1 = 0.out
  return loss=%7"""


def test_a_network_prints_as_the_design_shows_it():
    nodes = (
        Node("input", (), (Axis("B", 10), 784), DType.F32, name="x"),
        Node("input", (), (Axis("B", 10), 10), DType.F32, name="t"),
        Node("input", (), (30, 784), DType.F32, name="0.weight"),
        Node("input", (), (30,), DType.F32, name="0.bias"),
        Node(
            "contract", (0, 2), (Axis("B", 10), 30), DType.F32, Attributes({"over": (1, 1)}),
            scope="0",
        ),
        Node("add", (4, 3), (Axis("B", 10), 30), DType.F32, name="0.out", scope="0"),
        Node("sigmoid", (5,), (Axis("B", 10), 30), DType.F32, name="1.out", scope="1"),
        Node("sum", (6,), (), DType.F32, Attributes({"axes": (0, 1)})),
    )  # fmt: skip
    aliases = (("W1", "0.weight"), ("z1", "0.out"))
    graph = Graph("loss", nodes, (Output("loss", 7),), aliases)
    assert str(graph) == LOSS
    assert parse_graph(LOSS) == graph


def test_a_nested_graph_prints_as_an_indented_block():
    text = """\
graph outer(x: f64[3]) -> f64[3]
  y: f64[3] = scan(x)  body=graph step(c: f64[]) -> (f64[], f64[]) {
    %1: f64[] = exp(c)
    alias e = c
    return carry=%1, c
  } length=3  @cell
  return y"""
    graph = parse_graph(text)
    assert format_graph(graph) == text
    assert graph["y"].attributes["length"] == 3
    assert graph["y"].attributes["body"].find("e") == 0


def test_a_graph_without_nodes_prints():
    text = "graph empty() -> ()\n  return"
    assert format_graph(parse_graph(text)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1, 1), "[1,1]"),
        ((), "[]"),
        (((1, 2), ()), "[[1,2],[]]"),
        ((Axis("B", 10), 784), "[B=10,784]"),
        (DType.F32, "f32"),
        ("f32", '"f32"'),
        ('a "b"\n\\n', '"a \\"b\\"\\n\\\\n"'),
        (True, "true"),
        (None, "none"),
        (1, "1"),
        (1.0, "1.0"),
        (1e-300, "1e-300"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
    ],
    ids=repr,
)
def test_attributes_print_by_kind(value, text):
    assert format_attribute(value) == text


@given(graphs())
@example(parse_graph('graph f() -> f32[]\n  return: f32[] = made_up()  s="# @x"\n  return return'))
def test_printing_then_parsing_gives_the_same_graph(graph):
    verify_graph(graph)
    text = format_graph(graph)
    again = parse_graph(text)
    assert again == graph
    assert hash(again) == hash(graph)
    assert format_graph(again) == text  # the names of axes, which equality does not see


def test_sources_print_as_comments_which_the_parser_passes_over():
    node = Node("exp", (0,), (), DType.F32, source=Source("train.py", 41))
    graph = Graph("f", (Node("input", (), (), DType.F32, name="x"), node), (Output("y", 1),))
    text = format_graph(graph, sources=True)
    assert text.splitlines()[1] == "  %1: f32[] = exp(x)  # line 41 of train.py"
    assert parse_graph(text) == graph


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "graph f(x: f32[3]) -> f32[3]\n  y: f32[3] = exp(z)\n  return y",
            "expected the name of an earlier value; got 'z'. line 2.",
        ),
        (
            "graph f(x: f32[3]) -> f32[3]\n  y = exp(x)\n  return y",
            "expected 'name: type = op(operands) attributes'; got 'y = exp(x)'. line 2.",
        ),
        (
            "graph f(x)\n  return",
            "expected 'graph name(inputs) -> types'; got 'graph f(x)'. line 1.",
        ),
        (
            "graph f(x) -> ()\n  return",
            "expected 'name: type, ...'; got 'x'. line 1.",
        ),
        (
            "graph f(x: f32[3]) -> f32[3]",
            "expected a line 'return ...'; got 'the end of the text'. line 1.",
        ),
        (
            "graph f() -> ()\n  return\n  y: f32[] = exp()",
            "expected the end of the text; got 'y: f32[] = exp()'. line 3.",
        ),
        (
            "graph f() -> ()\n  y: f32[] = exp()  axes=[what]\n  return",
            "expected a number, a string, a dtype or a list; got 'what'. line 2.",
        ),
        (
            "graph f() -> ()\n  y: f33[] = exp()\n  return",
            "expected a type such as f32[B=10,784]; got 'f33[]'. line 2.",
        ),
        (
            "graph f() -> ()\n  y: f32[] = exp()  axes=[1,2\n  return",
            "expected a value; got ''. line 2.",
        ),
        (
            "graph f() -> ()\n  y: f32[] = exp()  nonsense\n  return",
            "expected 'attribute=value'; got '  nonsense'. line 2.",
        ),
    ],
    ids=[
        "unknown operand", "no type", "no results", "no input type", "no return", "after return",
        "unknown word", "unknown dtype", "open list", "no attribute",
    ],
)  # fmt: skip
def test_text_that_is_no_graph_is_refused_with_its_line(text, message):
    with pytest.raises(ParseError, match=f"^{re.escape(message)}$"):
        parse_graph(text)


def test_a_shape_with_a_named_axis_is_an_attribute_that_reads_back():
    text = """\
graph f(x: f32[B=3,4]) -> f32[B=3,1]
  %1: f32[B=3] = sum(x)  axes=[1]
  %2: f32[B=3,1] = reshape(%1)  shape=[B=3,1]
  return y=%2"""
    graph = parse_graph(text)
    assert str(graph) == text
    shape = graph.nodes[2].attributes["shape"]
    assert shape == (3, 1)
    assert repr(shape[0]) == "B=3"
