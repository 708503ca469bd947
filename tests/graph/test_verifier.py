"""Every rule of a well-formed graph, with the message of the graph that breaks it."""

import re
from dataclasses import replace

import pytest

from chainrule.base.errors import ChainruleError, GraphError, NameNotFoundError, ShapeError
from chainrule.graph import Attributes, DType, Graph, Node, Output, parse_graph, verify_graph
from chainrule.ops import verify

X = Node("input", (), (3,), DType.F64, name="x")
Y = Node("exp", (0,), (3,), DType.F64, name="y")
GOOD = Graph("f", (X, Y), (Output("y", 1),), (("a", "x"),))
NAME_RULE = 'no spaces, none of , ( ) = % " { } and no : at an end;'


def nodes(*given):
    return replace(GOOD, nodes=given)


BROKEN = {
    "graph name": (
        replace(GOOD, name="f g"),
        f"the graph's name has {NAME_RULE} got 'f g'. graph f g.",
    ),
    "node name": (
        nodes(X, replace(Y, name="a b"), Y),
        f"a name has {NAME_RULE} got 'a b'. graph f, node a b.",
    ),
    "same name": (
        nodes(X, Y, Y),
        "two nodes are named y. graph f, node y.",
    ),
    "late input": (
        nodes(X, Y, replace(X, name="z")),
        "inputs come before every other node. graph f, node z.",
    ),
    "input with operands": (
        nodes(X, replace(X, name="z", inputs=(0,))),
        "an input has no operands. graph f, node z.",
    ),
    "input with attributes": (
        nodes(replace(X, attributes=Attributes({"axis": 1}))),
        "an input has no attributes and no scope. graph f, node x.",
    ),
    "input with scope": (
        nodes(replace(X, scope="0")),
        "an input has no attributes and no scope. graph f, node x.",
    ),
    "scope": (
        nodes(X, replace(Y, scope="a b")),
        "a scope has no spaces; got 'a b'. graph f, node y.",
    ),
    "operand after its use": (
        nodes(X, replace(Y, inputs=(1,))),
        "an operand is an earlier node; got position 1. graph f, node y.",
    ),
    "operand before the first": (
        nodes(X, replace(Y, inputs=(-1,))),
        "an operand is an earlier node; got position -1. graph f, node y.",
    ),
    "output": (
        replace(GOOD, outputs=(Output("y", 2),)),
        "output y is no node of the graph. graph f.",
    ),
    "same label": (
        replace(GOOD, outputs=(Output("y", 1), Output("y", 0))),
        "two outputs are labelled y. graph f.",
    ),
    "label": (
        replace(GOOD, outputs=(Output("y, z", 1),)),
        f"a label has {NAME_RULE} got 'y, z'. graph f.",
    ),
    "alias of nothing": (
        replace(GOOD, aliases=(("a", "z"),)),
        "an alias stands for a named node; there is no z. graph f, alias a.",
    ),
    "alias is a name": (
        replace(GOOD, aliases=(("y", "x"),)),
        "an alias is not the name of another node. graph f, alias y.",
    ),
    "same alias": (
        replace(GOOD, aliases=(("a", "x"), ("a", "y"))),
        "an alias stands for one node. graph f, alias a.",
    ),
    "alias text": (
        replace(GOOD, aliases=(("a=b", "x"),)),
        f"an alias has {NAME_RULE} got 'a=b'. graph f, alias a=b.",
    ),
    "nested": (
        nodes(X, replace(Y, attributes=Attributes({"body": nodes(X, Y, Y)}))),
        "two nodes are named y. graph f, node y.",
    ),
}


def test_a_good_graph_passes():
    verify_graph(GOOD)
    assert verify(GOOD) is GOOD


def test_a_result_without_a_name_is_labelled_by_its_position():
    verify_graph(parse_graph("graph f(x: f64[]) -> f64[]\n  %1: f64[] = exp(x)\n  return %1"))


@pytest.mark.parametrize(("graph", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_named(graph, message):
    with pytest.raises(GraphError, match=f"^{re.escape(message)}$"):
        verify_graph(graph)


@pytest.mark.parametrize(
    ("node", "kind", "message"),
    [
        (
            replace(Y, shape=(4,)),
            GraphError,
            "exp of these operands is f64[3]; the node says f64[4]. graph f, node y.",
        ),
        (
            replace(Y, dtype=DType.F32),
            GraphError,
            "exp of these operands is f64[3]; the node says f32[3]. graph f, node y.",
        ),
        (
            replace(Y, inputs=(0, 0)),
            GraphError,
            "exp takes 1 operands; got 2. graph f, node y.",
        ),
        (
            replace(Y, attributes=Attributes({"slope": 1.0})),
            GraphError,
            "exp has no attribute 'slope'. graph f, node y.",
        ),
        (
            replace(Y, op="sum", attributes=Attributes({"axes": (1,)})),
            ShapeError,
            "sum got axes [1] of a value of shape [3]. graph f, node y.",
        ),
        (
            replace(Y, op="sigmod"),
            NameNotFoundError,
            'No op is named "sigmod". graph f, node y. Did you mean "sigmoid"? There are: ',
        ),
    ],
    ids=["shape", "dtype", "arity", "attribute", "axes", "op"],
)
def test_types_are_what_the_op_table_says(node, kind, message):
    with pytest.raises(kind) as caught:
        verify(nodes(X, node))
    assert isinstance(caught.value, ChainruleError)
    assert str(caught.value).startswith(message)
    assert str(caught.value) == message or kind is NameNotFoundError
