"""The rule of a whole node, with letters for the indices, read off the op table."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.explanation.inside import open_composites
from chainrule.explanation.rules import format_rule, rule_of
from tests.explanation.traces import explain_worked


def rules(trace):
    opened = open_composites(trace)
    found = {}
    for position, node in enumerate(opened.graph.nodes):
        rule = rule_of(opened, position)
        if node.name is not None and rule is not None:
            found[node.name] = format_rule(opened, rule)
    return found


def classifier(backend="numpy"):
    net = nn.Sequential(
        nn.Linear(4, 3), nn.BatchNorm1d(3), nn.LeakyReLU(), nn.Dropout(0.5), nn.Linear(3, 2)
    ).initialize(3)
    draw = np.random.default_rng(0)
    return cr.explain(
        net,
        draw.random((8, 4), np.float32),
        np.arange(8) % 2,
        loss=nn.CrossEntropyLoss(),
        optimizer=optim.Adam(lr=0.01),
        backend=backend,
    )


def test_the_rules_of_a_chain_are_the_four_equations():
    found = rules(explain_worked())
    assert found["0.out"] == "z1[i] = Σ over j of x[j]·W1[i,j] + b1[i]"
    assert found["d_2.out"] == "δ2[i] = ∂E/∂a2[i]·∂a2[i]/∂z2[i]"
    assert found["d_1.out"] == "∂E/∂a1[i] = Σ over j of δ2[j]·W2[j,i]"
    assert found["d_0.weight"] == "∂E/∂W1[i,j] = δ1[i]·x[j]"
    assert found["loss"] == "E = 0.5·(Σ over j of (a2[j] - target[j])²)"


def test_a_sum_over_the_batch_has_the_batchs_letter():
    found = rules(classifier())
    assert found["d_4.weight"] == "∂loss/∂4.weight[i,j] = Σ over b of ∂loss/∂4.out[b,i]·3.out[b,j]"


def test_the_error_of_a_classifier_is_softmax_minus_one_at_the_target():
    found = rules(classifier())
    (softmax,) = (name for name in found if name.startswith("softmax%"))
    assert found["d_4.out"] == (
        f"∂loss/∂4.out[b,i] = 0.125·({softmax}[b,i] - (1 if i = target[b] else 0))"
    )
    assert found[softmax] == (
        f"{softmax}[b,i] = exp(4.out[b,i] - (max over k of 4.out[b,k]))/"
        "(Σ over j of exp(4.out[b,j] - (max over l of 4.out[b,l])))"
    )


def test_a_number_inside_of_a_composite_opens():
    trace = classifier("native")
    (position,) = (i for i, n in enumerate(trace.graph.nodes) if n.op == "softmax")
    share = trace[f"%{position}", 2, 1]
    assert share.name == f"softmax%{position}[2,1]"
    assert share.value == trace.values[position][2, 1]
    assert share.proofs[0].holds
    assert any(part.name == "4.out[2,1]" for part in share.parts())


def test_the_optimisers_rule_is_read_off_its_update():
    assert rules(classifier())["next.4.weight"] == (
        "4.weight[i,j]⁺ = 4.weight[i,j] - lr/(1 - 0.9^(step + 1))·4.weight:exp_avg[i,j]⁺/"
        "(√(4.weight:exp_avg_sq[i,j]⁺)/√(1 - 0.999^(step + 1)) + 1e-08)"
    )


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_opening_composites_keeps_every_named_value(backend):
    trace = classifier(backend)
    opened = open_composites(trace)
    assert len(opened.graph.nodes) > len(trace.graph.nodes)
    for name, position in trace.graph.positions.items():
        assert np.array_equal(trace.values[position], opened.values[opened.graph.find(name)])


def test_what_is_inside_a_composite_is_computed_with_the_bits_of_the_whole():
    opened = open_composites(classifier("native"))
    for name in ("loss", "d_4.out", "1.out"):
        node = opened.graph[name]
        for proof in opened[name, *(0 for _ in node.shape)].proofs[:1]:
            assert proof.holds, proof
            assert proof.bound == 0
