"""From the gradient to the change of a weight, as a textbook writes it."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim


def update(optimizer, dtype="float64", index=(1, 1)):
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).astype(dtype).initialize(0)
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(3, 2)), draw.normal(size=(3, 1))
    trace = cr.explain(net, x, y, optimizer=optimizer)
    return trace, trace.optimizer("0.weight", *index)


def rules(answer):
    return [(stage.label, stage.rule) for stage in answer.stages if stage.rule]


def norm_of(trace):
    gradients = [trace.values[trace.graph.find(f"d_{i}.{n}")]
                 for i in (0, 2) for n in ("weight", "bias")]  # fmt: skip
    return float(np.sqrt(sum(float((g.astype(float) ** 2).sum()) for g in gradients)))


def test_plain_descent_is_two_lines():
    _, answer = update(optim.SGD(lr=0.1))
    assert rules(answer) == [("Δw", "-(lr·g)"), ("w⁺", "w + Δw")]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_with_a_clipped_norm_reads_as_its_papers(dtype):
    trace, answer = update(optim.Adam(lr=0.1, clip_norm=0.1), dtype)
    assert [label for label, _ in rules(answer)] == [
        "‖g‖", "factor", "ĝ", "t", "m⁺", "v⁺", "Δw", "w⁺",
    ]  # fmt: skip
    found = dict(rules(answer))
    assert found["‖g‖"] == "√(the sum of the squares of all 13 gradients)"
    assert found["factor"] == "min(0.1/(‖g‖ + 1e-06), 1)"
    assert found["ĝ"] == "g·factor"
    assert found["m⁺"] == "0.9·m + 0.1·ĝ"
    assert found["v⁺"] == "0.999·v + 0.001·ĝ²"
    assert found["Δw"] == "-(lr/(1 - 0.9^t)·m⁺/(√(v⁺)/√(1 - 0.999^t) + 1e-08))"
    values = {stage.label: stage.value for stage in answer.stages}
    tolerance = 1e-6 if dtype == "float32" else 1e-13  # a few units of the last place
    assert values["‖g‖"] == pytest.approx(norm_of(trace), rel=tolerance)
    assert values["ĝ"] == pytest.approx(values["g"] * values["factor"], rel=tolerance)
    assert values["Δw"] == pytest.approx(answer.change, rel=tolerance, abs=tolerance)
    assert "m is exp_avg; v is exp_avg_sq" in answer.text()


def test_rows_that_are_limited_have_their_norm():
    trace, answer = update(optim.SGD(lr=0.1, max_norm=0.1))
    assert rules(answer) == [
        ("t1", "w - lr·g"),
        ("norm", "√(the sum of the squares of the 2 numbers of its row)"),
        ("factor", "0.1/max(norm, 0.1)"),
        ("w⁺", "t1·factor"),
    ]
    values = {stage.label: stage.value for stage in answer.stages}
    weight, gradient = (trace.values[trace.graph.find(n)][1] for n in ("0.weight", "d_0.weight"))
    assert values["norm"] == pytest.approx(np.linalg.norm(weight - 0.1 * gradient), rel=1e-13)


def test_values_are_clipped_before_norms():
    _, answer = update(optim.SGD(lr=0.1, clip_norm=0.1, clip_value=0.01))
    found = dict(rules(answer))
    assert found["ĝ"] == "min(max(g, -0.01), 0.01)"
    assert found["ĝ′"] == "ĝ·factor"
    assert found["Δw"] == "-(lr·ĝ′)"


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optim.Adam(lr=0.1, clip_norm=0.1, weight_decay=0.1, amsgrad=True),
        lambda: optim.AdamW(lr=0.1, clip_value=0.1),
        lambda: optim.SGD(lr=0.1, momentum=0.9, nesterov=True, max_norm=0.1, clip_norm=0.01),
        lambda: optim.NAdam(lr=0.1),
    ],
    ids=["Adam", "AdamW", "SGD", "NAdam"],
)
def test_no_line_of_an_update_is_cut_in_80_columns(optimizer):
    _, answer = update(optimizer())
    text = answer.text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


# Muon's matrices are not one number's stages.
@pytest.mark.parametrize("name", [name for name in optim.OPTIMIZERS if name != "Muon"])
def test_each_letter_is_explained_before_it_is_used(name):
    _, answer = update(optim.OPTIMIZERS[name](lr=0.1))
    known = {"lr", "step"}
    for stage in answer.stages:
        for label in re.findall(r"(?<![\w.\]])(t\d+|[mv]⁺|ĝ′*|Δw)(?!\w)", stage.rule):
            assert label in known, (stage.label, stage.rule)
        known.add(stage.label)


def test_a_number_of_a_stage_is_what_training_stored():
    trace, answer = update(optim.Adam(lr=0.1))
    stored = {
        "m⁺": "next.0.weight:exp_avg",
        "v⁺": "next.0.weight:exp_avg_sq",
        "w⁺": "next.0.weight",
    }
    values = {stage.label: stage.value for stage in answer.stages}
    for label, name in stored.items():
        assert values[label] == float(trace.values[trace.graph.find(name)][1, 1])
