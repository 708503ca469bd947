"""The 2-2-2 network, number by number, as its textbook derives it."""

from __future__ import annotations

import pytest

from chainrule.data.worked import worked_example
from chainrule.explanation.expansion import Number
from chainrule.explanation.symbols import symbol_of
from chainrule.ops import format_expression
from tests.explanation.traces import explain_worked


def formula(explanation):
    def name(leaf):
        if isinstance(leaf, Number):
            return str(symbol_of(explanation.trace, leaf.place))
        return f"{leaf.value:g}"

    return format_expression(explanation.rule, name)


@pytest.fixture
def worked(worked_on_each):
    """The first step of the 2-2-2 network, from each backend."""
    return worked_on_each


@pytest.mark.parametrize(
    ("name", "symbol", "rule"),
    [
        ("net_h1", "net_h1", "i1·w1 + i2·w2 + b1"),
        ("h1", "out_h1", "sigmoid(net_h1)"),
        ("E", "E", "0.5·((out_o1 - target_o1)² + (out_o2 - target_o2)²)"),
        ("d_3.out[0]", "∂E/∂out_o1", "out_o1 - target_o1"),
        ("d_3.out/d_2.out[0]", "∂out_o1/∂net_o1", "out_o1·(1 - out_o1)"),
        ("δ_o1", "δ_o1", "∂E/∂out_o1·∂out_o1/∂net_o1"),
        ("d_2.weight[0,0]", "∂E/∂w5", "δ_o1·out_h1"),
        ("d_1.out[0]", "∂E/∂out_h1", "δ_o1·w5 + δ_o2·w7"),
        ("δ_h1", "δ_h1", "∂E/∂out_h1·∂out_h1/∂net_h1"),
        ("d_0.weight[0,0]", "∂E/∂w1", "δ_h1·i1"),
        ("next.2.weight[0,0]", "w5⁺", "w5 - lr·∂E/∂w5"),
    ],
)
def test_each_number_has_the_textbooks_name_and_rule(worked, name, symbol, rule):
    explanation = worked[name]
    assert str(explanation.symbol) == symbol
    assert formula(explanation) == rule


def test_every_figure_of_the_first_step_is_in_the_trace(worked):
    for figure in worked_example("2-2-2").figures:
        if figure.steps == 0:
            value = float(worked[figure.element].value)
            assert abs(value - figure.value) <= figure.tolerance, figure.symbol


@pytest.mark.parametrize(
    ("name", "caption"),
    [("δ_o1", "BP1"), ("δ_h1", "BP2"), ("d_2.weight[0,0]", "BP4"), ("d_0.weight[0,0]", "BP4")],
)
def test_the_four_equations_are_named_where_they_apply(worked, name, caption):
    assert worked[name].caption.name == caption


def test_what_needs_no_caption_has_none(worked):
    for name in ("net_h1", "h1", "E", "d_1.out[0]", "w1", "next.0.weight[0,0]"):
        assert worked[name].caption is None


def test_a_weights_gradient_and_update_are_found_from_the_weight(worked):
    weight = worked["w5"]
    assert weight.is_given
    assert weight.gradient.name == "d_2.weight[0,0]"
    assert weight.update.name == "next.2.weight[0,0]"
    assert weight.change == float(weight.update.value) - float(weight.value)


def test_the_two_paths_to_w1_are_the_terms_of_the_hidden_units_gradient(worked):
    first, second = worked["d_1.out[0]"].terms
    assert first.value == pytest.approx(0.055399425, abs=5e-10)
    assert second.value == pytest.approx(-0.019049118, abs=5e-10)


def test_every_number_of_the_step_holds_both_proofs(worked):
    graph = worked.graph
    for name in graph.positions:
        node = graph[name]
        if node.op == "input" or name == "next.step":
            continue
        for proof in worked[name, *(0 for _ in node.shape)].proofs:
            assert proof.holds, (name, proof)


def test_native_numbers_come_out_again_bit_for_bit():
    trace = explain_worked(backend="native")
    for name in ("h1", "E", "δ_h1", "next.0.weight[0,0]"):
        proof = trace[name].proofs[0]
        assert proof.bound == 0
        assert proof.statement.endswith("equal, bit for bit")
