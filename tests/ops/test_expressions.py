"""Expressions: formulas as data, read as numbers, as text, in a declared order."""

import ast
import itertools
import operator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.graph import DType, TensorType, parse_graph
from chainrule.ops import Builder, bind, format_expression
from chainrule.ops.composite import unfold
from chainrule.ops.expression import (
    Apply,
    Element,
    Fold,
    Lazy,
    Literal,
    Symbol,
    apply,
    fold_in_order,
    read,
)
from chainrule.ops.formula import NodeReader
from chainrule.testing.exact import evaluate

X, Y, Z = map(Symbol, "xyz")
F64 = TensorType.parse


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (X + Y + Z, "x + y + z"),
        (X - (Y - Z), "x - (y - z)"),
        ((X - Y) - Z, "x - y - z"),
        (X - (Y + Z), "x - (y + z)"),
        (X + (Y + Z), "x + y + z"),
        (X * (Y + Z), "x·(y + z)"),
        (X * Y + Z, "x·y + z"),
        (X / (Y * Z), "x/(y·z)"),
        (X / Y / Z, "x/y/z"),
        (-(X + Y), "-(x + y)"),
        (-X * Y, "-x·y"),
        (1 / X, "1/x"),
        (X * -2.5, "x·(-2.5)"),
        (X + -2.5, "x + (-2.5)"),
        (X - -Y, "x - (-y)"),
        (X * -Y, "x·(-y)"),
        (apply("neg", -X), "-(-x)"),
        (apply("less", X, -3), "x < -3"),
        (apply("exp", -apply("abs", X)), "exp(-|x|)"),
        (apply("power", -X, Y), "(-x)^y"),
        (apply("power", X, apply("power", Y, Z)), "x^(y^z)"),
        (apply("power", apply("power", X, Y), Z), "(x^y)^z"),
        (apply("square", X + 1), "(x + 1)²"),
        (apply("square", apply("square", X)), "(x²)²"),
        (apply("sqrt", X + 1), "√(x + 1)"),
        (apply("select", apply("less", X, 0), -X, X), "(-x if x < 0 else x)"),
        (apply("log1p", X) - 1, "log(1 + x) - 1"),
        (Fold("add", [X, Y * Z]) * 2, "(x + y·z)·2"),
        (Fold("max", [X, Y]), "max(x, y)"),
        (Fold("add", [-X, -Y, Z - X]), "-x + (-y) + z - x"),
        (Fold("add", [X, apply("less", X, Y), Literal(-2)]), "x + (x < y) + (-2)"),
        (apply("exp", X, Y), "exp(x, y)"),
        (apply("add", X), "add(x)"),
        (Element(0, (1, 2)) + Element(1, ()), "x0[1,2] + x1[]"),
        (apply("cast", X, dtype=None), "cast(x)"),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
def test_formulas_have_the_parentheses_that_reading_needs(expression, text):
    assert format_expression(expression) == text


# From the loosest to the tightest.
BINDING = ["logical_or", "logical_xor", "logical_and", "less", "bitwise_or", "bitwise_xor",
           "bitwise_and", "shift_left", "add", "remainder", "mul", "power"]  # fmt: skip


@pytest.mark.parametrize(("loose", "tight"), list(itertools.pairwise(BINDING)))
def test_a_looser_op_within_a_tighter_one_stands_in_parentheses(loose, tight):
    inner = format_expression(apply(tight, Y, Z))
    assert format_expression(apply(loose, apply(tight, Y, Z), X)).startswith(inner)
    assert format_expression(apply(loose, X, apply(tight, Y, Z))).endswith(inner)
    inner = format_expression(apply(loose, Y, Z))
    assert format_expression(apply(tight, apply(loose, Y, Z), X)).startswith(f"({inner})")
    assert format_expression(apply(tight, X, apply(loose, Y, Z))).endswith(f"({inner})")


@pytest.mark.parametrize(
    ("outer", "inner"),
    [("sub", "add"), ("sub", "sub"), ("div", "mul"), ("div", "div"), ("remainder", "remainder"),
     ("shift_left", "shift_right"), ("shift_right", "shift_left"), ("less", "equal"),
     ("equal", "less")],
)  # fmt: skip
def test_ops_that_bind_alike_are_read_from_the_left(outer, inner):
    assert "(" not in format_expression(apply(outer, apply(inner, X, Y), Z))
    assert format_expression(apply(outer, X, apply(inner, Y, Z))).endswith(")")


def test_leaves_may_be_written_as_numbers():
    plugged = {"x": "0.5", "y": "-2"}
    text = format_expression(X * Y, lambda leaf: plugged[leaf.name])
    assert text == "0.5·(-2)"


OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow, ast.USub: operator.neg,
}  # fmt: skip


def calculate(text):
    """The value of a formula as a reader of mathematics would find it."""

    def value(node):
        match node:
            case ast.Expression(body):
                return value(body)
            case ast.BinOp(left, op, right):
                return OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op, operand):
                return OPERATORS[type(op)](value(operand))
            case ast.Constant(number):
                return Fraction(number)
        raise AssertionError(ast.dump(node))

    return value(ast.parse(text.replace("·", "*").replace("^", "**"), mode="eval"))


FORMULAS = st.recursive(
    st.integers(-3, 3).map(Literal),
    lambda inner: (
        st.builds(apply, st.sampled_from(["add", "sub", "mul", "div"]), inner, inner)
        | st.builds(apply, st.just("neg"), inner)
        | st.builds(apply, st.just("power"), inner, st.integers(0, 2).map(Literal))
        | st.lists(inner, min_size=1, max_size=3).map(lambda items: Fold("add", items))
    ),
    max_leaves=8,
)


class Exactly:
    """Reads a formula as fractions."""

    def leaf(self, leaf):
        return Fraction(leaf.value)

    def apply(self, op, arguments, dtype):
        names = {"div": operator.truediv, "power": operator.pow}
        return (names.get(op) or getattr(operator, op))(*arguments)

    def fold(self, op, items, order):
        return sum(items)


@given(FORMULAS)
def test_a_formula_reads_as_what_it_is(expression):
    try:
        expected = read(expression, Exactly())
    except ZeroDivisionError:
        return
    assert calculate(format_expression(expression)) == expected


class Counting:
    """Counts how often each part is read."""

    def __init__(self):
        self.reads = 0

    def leaf(self, leaf):
        return 1

    def apply(self, op, arguments, dtype):
        self.reads += 1
        return sum(arguments)

    def fold(self, op, items, order):
        self.reads += 1
        return sum(items)


def test_a_shared_part_is_read_once():
    part = X
    for _ in range(200):
        part = part + part
    reader = Counting()
    assert read(part, reader) == 2**200
    assert reader.reads == 200


def test_a_lazy_sum_reads_each_item():
    # Its items are made anew at each look, so two may have the same id, one after the other.
    items = Lazy(1000, lambda i: Literal(i) * 1)
    assert read(Fold("add", items), Exactly()) == 499500
    assert [item.arguments[0].value for item in items[2:4]] == [2, 3]
    assert items[-1].arguments[0].value == 999
    with pytest.raises(IndexError):
        items[1000]


@pytest.mark.parametrize(
    ("kind", "parts"),
    [(Literal, (1,)), (Symbol, ("x",)), (Element, (0, (1,))), (Apply, ("neg", (X,))),
     (Fold, ("add", (X,)))],
)  # fmt: skip
def test_a_part_is_known_by_what_it_is_not_by_how_it_reads(kind, parts):
    # Comparing two formulas part by part would walk both, at each look into a table.
    part = kind(*parts)
    assert part != kind(*parts)
    assert part in {part}
    assert not hasattr(part, "__dict__"), "a sum of a million products has a million of these"


def test_a_number_takes_the_dtype_of_what_it_meets():
    b = Builder()
    count = b.input(F64("i64[]"), "n")
    reader = NodeReader(b, {"n": count}, DType.F32)
    first = read(apply("select", apply("equal", Symbol("n"), 3), 1, 0.5), reader)
    assert [b.nodes[i].dtype for i in b.nodes[first.position].inputs[1:]] == [DType.F32] * 2
    (here,) = (node for node in b.nodes if node.op == "equal")
    assert b.nodes[here.inputs[1]].dtype is DType.I64
    assert reader.value(True).dtype is DType.BOOL
    assert reader.value(2).dtype is DType.F32


def test_a_formula_may_be_deeper_than_pythons_stack():
    part = X
    for _ in range(20_000):
        part = -part
    assert read(part, Counting()) == 1


@pytest.mark.parametrize("op", ["gather", "argmax"])
def test_terms_of_long_axes_can_be_read(op):
    x = np.arange(5000.0) % 4999
    operands = (F64("f64[5000]"), F64("i64[]")) if op == "gather" else (F64("f64[5000]"),)
    terms = bind(op, {"axis": 0}).terms(operands, ())
    assert evaluate(terms, [x, np.array(4321)]) == (4321 if op == "gather" else 4998)


def test_a_graph_of_any_depth_unfolds():
    lines = [f"  v{i}: f64[2] = neg({f'v{i - 1}' if i else 'x'})" for i in range(3001)]
    graph = parse_graph("\n".join(["graph f(x: f64[2]) -> f64[2]", *lines, "  return v3000"]))
    assert evaluate(unfold(graph, graph.find("v3000"), (1,)), [np.array([1.0, 3.0])]) == -3


def test_unfolding_visits_each_element_once():
    # Ten products of a row with a column: without memory 2^10 visits, and more of the terms.
    lines = [f"  v{i}: f64[2,2] = contract({p}, {p})  over=[1,0]" for i, p in
             enumerate(["x", *(f"v{k}" for k in range(9))])]  # fmt: skip
    graph = parse_graph("\n".join(["graph f(x: f64[2,2]) -> f64[2,2]", *lines, "  return v9"]))
    half = np.full((2, 2), 0.5)
    assert evaluate(unfold(graph, graph.find("v9"), (0, 1)), [half]) == 0.5


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 33, 40])
def test_sixteen_partial_sums_are_combined_by_a_fixed_tree(count):
    def text(order):
        return fold_in_order([str(i) for i in range(count)], lambda a, b: f"({a}+{b})", order)

    assert sorted(text("sixteen").replace("(", "").replace(")", "").split("+")) == sorted(
        map(str, range(count))
    )
    if count == 1:
        assert text("sixteen") == "0"
    if count == 17:
        assert text("front_to_back").startswith("((((((((((((((((0+1)+2)")
        assert text("sixteen") == (
            "(((((0+16)+8)+(4+12))+((2+10)+(6+14)))+(((1+9)+(5+13))+((3+11)+(7+15))))"
        )


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match=r"^expected the order front_to_back or sixteen; got 'a'$"):
        fold_in_order([1, 2], operator.add, "a")


def test_numbers_become_literals_on_either_side():
    for expression in (X + 1, 1 + X, X - 1, 1 - X, X * 2, 2 * X, X / 2, 2 / X):
        assert isinstance(expression, Apply)
        assert {type(part) for part in expression.arguments} == {Symbol, Literal}
