"""Nodes, graphs, attributes and types as plain data: equality, hash, names."""

import copy
import math
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest

from chainrule.base.errors import DTypeError, NameNotFoundError, ParseError
from chainrule.graph import (
    Attributes,
    Axis,
    DType,
    Graph,
    Node,
    Output,
    Source,
    TensorType,
    format_graph,
    parse_graph,
)

TEXT = """\
graph f(x: f32[B=10,784], 0.weight: f32[30,784]) -> f32[B=10,30]
  %2: f32[B=10,30] = contract(x, 0.weight)  over=[1,1]
  0.out: f32[B=10,30] = tanh(%2)
  alias W1 = 0.weight
  return result=0.out"""
GRAPH = parse_graph(TEXT)


def test_a_node_is_found_by_name_alias_label_and_position():
    assert [GRAPH.find(name) for name in ("0.weight", "W1", "result", "%2")] == [1, 1, 3, 2]
    assert GRAPH["result"] is GRAPH.nodes[3]
    assert GRAPH.input_names == ("x", "0.weight")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "0.wieght",
            (
                'No value is named "0.wieght". graph f. Did you mean "0.weight"? '
                "There are: W1, x, 0.weight, 0.out, result."
            ),
        ),
        ("%9", 'No value is named "%9". graph f. There are: W1, x, 0.weight, 0.out, result.'),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name, message):
    with pytest.raises(NameNotFoundError) as caught:
        GRAPH.find(name)
    assert str(caught.value) == message


def test_sources_stand_outside_equality_and_hash():
    moved = replace(GRAPH, nodes=tuple(replace(n, source=Source("a.py", 7)) for n in GRAPH.nodes))
    assert moved == GRAPH
    assert hash(moved) == hash(GRAPH)
    assert format_graph(moved) == TEXT


def test_a_hash_is_kept_and_not_carried_to_another_process():
    graph = replace(GRAPH)
    assert "_hash" not in vars(graph)
    assert hash(graph) == vars(graph)["_hash"] == hash(GRAPH)
    moved = copy.copy(graph)  # by the state that pickling would carry
    assert "_hash" not in vars(moved)
    assert (moved, hash(moved)) == (graph, hash(graph))


@pytest.mark.parametrize(
    "change",
    [
        {"op": "exp"},
        {"inputs": (1,)},
        {"shape": (10, 31)},
        {"dtype": DType.F64},
        {"attributes": Attributes({"axis": 1})},
        {"name": "1.out"},
        {"scope": "0"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_all_else_of_a_node_is_part_of_equality(change):
    changed = replace(GRAPH, nodes=(*GRAPH.nodes[:3], replace(GRAPH.nodes[3], **change)))
    assert changed != GRAPH


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (math.nan, float("nan")),
        ((math.nan, 1.0), (float("nan"), 1.0)),
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        ([1, [2]], (1, (2,))),
        (GRAPH, parse_graph(TEXT)),
    ],
    ids=repr,
)
def test_equal_attributes_have_equal_hashes(a, b):
    one, other = Attributes({"value": a}), Attributes({"value": b})
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0), (1, True), (0.0, -0.0), (0, False), (1, "1"), ((1,), (1, 1)), ((1,), (1.0,)),
        (DType.F32, "f32"), (None, 0), (math.nan, 1.0),
    ],
    ids=repr,
)  # fmt: skip
def test_attributes_of_different_kinds_differ(a, b):
    assert Attributes({"value": a}) != Attributes({"value": b})


def test_attributes_have_no_order():
    assert Attributes({"a": 1, "b": 2}) == Attributes({"b": 2, "a": 1})
    assert list(Attributes({"b": 2, "a": 1})) == ["a", "b"]


def test_a_graph_is_a_key():
    assert {GRAPH: 1}[parse_graph(TEXT)] == 1


def test_a_graph_survives_pickle_and_copy():
    for twin in (pickle.loads(pickle.dumps(GRAPH)), copy.deepcopy(GRAPH)):  # noqa: S301  ours
        assert twin == GRAPH
        assert format_graph(twin) == TEXT


def test_a_named_axis_is_a_number_whose_name_arithmetic_drops():
    batch = Axis("B", 10)
    assert batch == 10
    assert str(batch) == "B=10"
    assert type(batch * 2) is int


@pytest.mark.parametrize(
    ("axis", "text"),
    [(Axis("B", 10), "B=10"), (Axis("B", 40, 4), "B=10*4"), (Axis("B", 0, 4), "B=0*4")],
)
def test_an_axis_of_which_each_example_has_several_elements_reads_back(axis, text):
    for again in (Axis.parse(text), copy.copy(axis), pickle.loads(pickle.dumps(axis))):  # noqa: S301
        assert (again, again.name, again.each) == (axis, axis.name, axis.each)
        assert str(again) == text
    assert axis.examples == axis // axis.each
    kind = TensorType((axis, 3), DType.F32)
    assert str(TensorType.parse(str(kind))) == str(kind) == f"f32[{text},3]"


@pytest.mark.parametrize("text", ["10", "B=", "=3", "B=3*", "B=3*0", "B=*3", "B=3*2*2"])
def test_text_that_is_no_axis_is_none(text):
    assert Axis.parse(text) is None


def test_types_print_and_parse():
    kind = TensorType((Axis("B", 10), 784), DType.F32)
    assert str(kind) == "f32[B=10,784]"
    assert str(TensorType.parse("f32[B=10,784]")) == "f32[B=10,784]"
    assert TensorType.parse("bool[]") == TensorType((), DType.BOOL)
    assert (kind.size, TensorType((), DType.F32).size, TensorType((0, 3), DType.F32).size) == (
        7840, 1, 0,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["f16[3]", "f32", "f32[3,]", "f32[-1]", "f32[B=]", "f32[B=3*0]", "f32 [3]"]
)
def test_text_that_is_no_type_is_refused(text):
    message = f"expected a type such as f32[B=10,784]; got {text!r}."
    with pytest.raises(ParseError, match=f"^{re.escape(message)}$"):
        TensorType.parse(text)


@pytest.mark.parametrize("dtype", list(DType))
def test_a_dtype_is_read_from_its_names(dtype):
    assert DType.of(dtype.value) is DType.of(dtype.numpy) is DType.of(str(dtype.numpy)) is dtype


def test_an_unsupported_dtype_is_refused():
    with pytest.raises(DTypeError) as caught:
        DType.of("complex64")
    assert str(caught.value) == (
        "expected one of the dtypes float32, float64, int32, int64, uint32, bool; got 'complex64'. "
        "Convert the array first, for example with x.astype('float32')."
    )


def test_one_output_may_have_two_labels():
    graph = Graph(
        "f", (Node("input", (), (), DType.F64, name="x"),), (Output("a", 0), Output("b", 0))
    )
    assert graph.labels == {"a": 0, "b": 0}
    assert parse_graph(str(graph)) == graph
