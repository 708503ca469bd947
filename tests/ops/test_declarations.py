"""What declarations refuse at import, and what they derive."""

import pytest

from chainrule.base.errors import (
    DTypeError,
    DuplicateNameError,
    GraphError,
    NotDifferentiableError,
    ShapeError,
)
from chainrule.graph import TensorType
from chainrule.ops import (
    NOT_DIFFERENTIABLE,
    OPS,
    ZERO,
    Indicator,
    bind,
    composite,
    elementwise,
    format_expression,
    primitive,
)
from chainrule.ops.samples import sample
from tests.testing.faulty import tables

__all__ = ["tables"]  # a fixture
pytestmark = pytest.mark.usefixtures("tables")

F64 = TensorType.parse("f64[3]")


def square(s, x, y):
    return 2 * x


def test_a_partial_that_is_left_out_fails():
    with pytest.raises(GraphError) as caught:
        elementwise("test_op", operands="a b", value=lambda s, a, b: a * b,
                    partials=(lambda s, a, b, y: b,), samples=((1.0, 2.0),))  # fmt: skip
    assert str(caught.value) == (
        "test_op has 2 operands and 1 partials. "
        "Give each operand a formula, ZERO or NOT_DIFFERENTIABLE."
    )
    assert "test_op" not in OPS


@pytest.mark.parametrize(
    ("value", "partial"),
    [
        (lambda s, x: s.tahn(x), square),
        (lambda s, x: x * x, lambda s, x, y: s.tahn(x)),
        (lambda s, x: x * x, Indicator(lambda s, x, y: s.tahn(x))),
    ],
    ids=["value", "partial", "indicator"],
)
def test_a_word_that_does_not_exist_fails(value, partial):
    with pytest.raises(AttributeError) as caught:
        elementwise("test_op", value=value, partials=(partial,), samples=(1.0,))
    assert str(caught.value) == "the op table has no 'tahn' to write a formula with"
    assert "test_op" not in OPS


def test_a_formula_with_an_attribute_that_is_not_declared_fails():
    with pytest.raises(TypeError, match="slope"):
        elementwise(
            "test_op", value=lambda s, x, *, slope: slope * x, partials=(square,), samples=(1.0,)
        )


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(DuplicateNameError):
        primitive("tanh", partials=(ZERO,), samples=(1.0,))


def test_attributes_have_defaults_and_no_others_are_taken():
    assert format_expression(bind("leaky_relu").value) == "(0.01·x if x ≤ 0 else x)"
    assert format_expression(bind("leaky_relu", {"slope": 0.3}).value) == "(0.3·x if x ≤ 0 else x)"
    with pytest.raises(GraphError, match=r"^leaky_relu has no attribute 'slop'\.$"):
        bind("leaky_relu", {"slop": 0.3})
    with pytest.raises(GraphError, match=r"^sum does not take these attributes: .*'axis'\.?"):
        bind("sum", {"axis": 0})
    with pytest.raises(GraphError, match=r"^sum does not take these attributes: .*'axes'\.?"):
        bind("sum")


def test_partials_are_formulas():
    assert format_expression(bind("sigmoid").partial(0)) == "y·(1 - y)"
    assert format_expression(bind("relu").partial(0)) == "(1 if ¬(x ≤ 0) else 0)"
    assert format_expression(bind("sign").partial(0)) == "0"
    elementwise("test_op", value=lambda s, x: x, partials=(NOT_DIFFERENTIABLE,), samples=(1.0,))
    with pytest.raises(NotDifferentiableError, match=r"^test_op is not differentiable in x\.$"):
        bind("test_op").partial(0)


@pytest.mark.parametrize(
    ("op", "kinds", "error", "message"),
    [
        ("exp", ["i64[3]"], DTypeError, "exp takes float operands; got i64."),
        ("add", ["bool[3]", "bool[3]"], DTypeError, "add takes number operands; got bool."),
        (
            "add",
            ["f32[3]", "f64[3]"],
            DTypeError,
            "add takes operands of one dtype; got f32, f64. Cast one of them.",
        ),
        ("select", ["f64[3]"] * 3, DTypeError, "select chooses by a bool; got f64."),
        (
            "logical_and",
            ["i64[]", "i64[]"],
            DTypeError,
            "logical_and takes bool operands; got i64.",
        ),
        ("shift_right", ["f64[]"] * 2, DTypeError, "shift_right takes integer operands; got f64."),
        (
            "select",
            ["bool[2]", "f64[3]", "f64[3]"],
            ShapeError,
            (
                "select got shapes [2] and [3] and [3], which do not broadcast: "
                "axis 0 from the back is 2 and 3."
            ),
        ),
    ],
)
def test_operands_that_do_not_fit_are_refused(op, kinds, error, message):
    with pytest.raises(error) as caught:
        bind(op).infer(tuple(map(TensorType.parse, kinds)))
    assert str(caught.value) == message


def test_comparisons_give_truth_values():
    assert str(bind("less").infer((F64, F64))) == "bool[3]"
    assert str(bind("select").infer((TensorType.parse("bool[]"), F64, F64))) == "f64[3]"


@pytest.mark.parametrize(
    ("op", "text"),
    [("tanh", "all reals"), ("sqrt", "[0, inf]"), ("log", "(0, inf)"), ("asin", "[-1, 1]")],
)
def test_domains_are_written_as_intervals(op, text):
    assert str(OPS.get(op).domain) == text


def test_a_composite_without_pullback_says_so():
    composite(
        "test_op", arity=1, body=lambda b, x: b.exp(x), formula="y", samples=(sample("f64[]"),)
    )
    op = bind("test_op")
    assert not op.has_pullback
    with pytest.raises(GraphError, match=r"^test_op has no pullback of its own: differentiate its"):
        op.pullback(None, None, None)


def test_a_composites_formula_is_its_declared_one():
    assert bind("softmax", {"axis": 1}).formula() == "yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)"


@pytest.mark.parametrize(
    ("op", "attributes", "formula"),
    [
        ("softplus", {}, "y = max(x, 0) + log(1 + exp(-|x|))"),
        ("sigmoid", {}, "y = (exp(-|x|) if x < 0 else 1)/(1 + exp(-|x|))"),
        ("sum", {"axes": (0, 2)}, "y = Σ x over axes [0, 2]"),
        ("slice", {"starts": (0, 1), "stops": (4, 4), "steps": (1, 2)}, "y = x[0:4, 1:4:2]"),
        ("contract", {"over": (1, 1)}, "y = Σₖ aₖ·bₖ"),
        ("constant", {"value": 0.5, "dtype": F64.dtype}, "y = 0.5"),
    ],
)
def test_formulas_are_read_from_the_declaration(op, attributes, formula):
    assert bind(op, attributes).formula() == formula
