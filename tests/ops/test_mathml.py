"""MathML of an expression is what the expression says: read back, it gives the same numbers."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from chainrule.ops import OPS, Elementwise
from chainrule.ops.expression import Element, Fold, Literal, Symbol, apply, read
from chainrule.ops.mathml import mathml, symbol
from chainrule.testing.exact import context
from tests.ops.markup import calculate, python_of
from tests.ops.test_expressions import FORMULAS, Exactly

X, Y = Symbol("x"), Symbol("y")
ELEMENTWISE = {name: op for name, op in OPS.items() if isinstance(op, Elementwise)}


def plain(markup):
    """What is left without spacing and stretching."""
    return re.sub(r"(?<=<mo) [^>]*|<mo>&#x2061;</mo>", "", markup)


ROW = "<mrow>{}</mrow>".format
LAYOUTS = [
    (X / Y, "<mfrac><mrow><mi>x</mi></mrow><mrow><mi>y</mi></mrow></mfrac>"),
    (apply("square", X), "<msup><mrow><mi>x</mi></mrow><mn>2</mn></msup>"),
    (
        apply("square", -X),
        f"<msup>{ROW(ROW('<mo>(</mo><mo>−</mo><mi>x</mi><mo>)</mo>'))}<mn>2</mn></msup>",
    ),
    (apply("exp", -X), "<msup><mi>e</mi><mrow><mo>−</mo><mi>x</mi></mrow></msup>"),
    (apply("sqrt", X + 1), f"<msqrt>{ROW('<mi>x</mi><mo>+</mo><mn>1</mn>')}</msqrt>"),
    (apply("abs", X), ROW("<mo>|</mo><mi>x</mi><mo>|</mo>")),
    (X * -2.5, f"<mi>x</mi><mo>·</mo>{ROW('<mo>(</mo><mo>−</mo><mn>2.5</mn><mo>)</mo>')}"),
    (
        apply("max", X, Y),
        f"<mi>max</mi>{ROW('<mo>(</mo><mi>x</mi><mo>,</mo><mi>y</mi><mo>)</mo>')}",
    ),
    (Literal(float("inf")), "<mi>∞</mi>"),
    (Literal(2.0**28), "<mn>268435456</mn>"),
]


@pytest.mark.parametrize(("expression", "markup"), LAYOUTS, ids=str)
def test_layout_is_that_of_mathematics(expression, markup):
    assert plain(mathml(expression)) == markup


def test_small_numbers_are_powers_of_ten_with_all_their_digits():
    assert python_of(mathml(Literal(-1.5e-8))) == "-number('1.5')*((number('10'))**(-number('8')))"
    assert "0.044715" in mathml(Literal(0.044715))
    assert "1.0507009873554805" in mathml(Literal(1.0507009873554805))


def test_an_index_stands_below_its_name():
    below = ROW("<mn>1</mn><mo>,</mo><mn>2</mn>")
    assert mathml(Element(0, (1, 2))) == f"<msub><msub><mi>x</mi><mn>0</mn></msub>{below}</msub>"


def test_a_choice_within_a_choice_is_one_list_of_cases():
    inner = apply("select", apply("greater", X, 1), 1, X)
    markup = mathml(apply("select", apply("less", X, 0), 0, inner))
    assert markup.count("<mtable>") == 1
    assert markup.count("<mtr>") == 3


@pytest.mark.parametrize(
    ("name", "markup"),
    [
        ("x", "<mi>x</mi>"),
        ("alpha", "<mi>α</mi>"),
        ("beta_2", "<msub><mi>β</mi><mn>2</mn></msub>"),
        ("exp_avg", "<mi>exp_avg</mi>"),
        ("a<b", "<mi>a&lt;b</mi>"),
    ],
)
def test_names_that_spell_greek_letters_are_greek(name, markup):
    assert symbol(name) == markup


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_notation_of_every_op_is_well_formed(op):
    bound = ELEMENTWISE[op].bind({})
    ET.fromstring(f"<math>{mathml(bound.value)}</math>")


@pytest.mark.parametrize(
    "op", [name for name, op in ELEMENTWISE.items() if op.accepts == "float" and not op.returns]
)
def test_values_read_back_are_those_of_the_expression(op):
    declaration = ELEMENTWISE[op]
    bound = declaration.bind({})
    for point in zip(*(x.values for x in declaration.samples[0].inputs), strict=True):
        values = dict(zip(declaration.operands, map(float, point), strict=True))
        wanted = calculate(bound.value, values)
        found = calculate(python_of(mathml(bound.value)), values)
        # 1 + e^x keeps 50 digits of the sum, in the oracle of the text; log1p keeps those of e^x.
        assert abs(found - wanted) <= 1e-30 * abs(wanted) + 1e-45


@given(FORMULAS)
def test_markup_keeps_the_structure(expression):
    try:
        wanted = read(expression, Exactly())
    except ZeroDivisionError:
        return
    found = calculate(python_of(mathml(expression)), {})
    assert abs(found - wanted.numerator / context().mpf(wanted.denominator)) <= 1e-40


def test_sums_keep_their_terms_apart():
    choice = apply("select", apply("less", X, 0), X, 1)
    found = python_of(mathml(Fold("add", [X, choice, Literal(-2)])))
    assert calculate(found, {"x": 3.0}) == 3.0 + 1 - 2


def test_terms_of_a_sum_stand_in_parentheses_only_where_reading_needs_them():
    product, bits = X * Literal(3), apply("bitwise_and", X, Literal(3))
    alone = mathml(product)
    assert mathml(Fold("add", [X, product])) == f"<mi>x</mi><mo>+</mo>{alone}"
    assert mathml(Fold("add", [product, X])) == f"{alone}<mo>+</mo><mi>x</mi>"
    for terms in ([X, bits], [bits, X]):
        whole = mathml(Fold("add", terms))
        assert mathml(bits) in whole
        assert ">(<" in whole


def test_a_minus_in_front_is_a_sign_and_between_two_a_difference():
    assert mathml(-X) == '<mo form="prefix">\N{MINUS SIGN}</mo><mi>x</mi>'
    assert mathml(X - 2) == "<mi>x</mi><mo>\N{MINUS SIGN}</mo><mn>2</mn>"
