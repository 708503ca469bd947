"""An update of several batches is one trace, and each of its numbers opens to each batch's data."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.explanation.page.content import content_of
from tests.explanation.traces import X, explain_accumulated, train

BACKENDS = ("native", "numpy")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", ["MSELoss", "RMSELoss"])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_number_of_an_accumulated_update_holds_its_proofs(backend, loss, weighted):
    net = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1))
    told = {"loss": loss, "penalty": nn.L2Penalty(1e-2), "dtype": "float64"}
    weights = np.linspace(0.5, 2.0, 10) if weighted else None
    told |= {"sample_weight": weights, "optimizer": optim.SGD(lr=0.1, momentum=0.9)}
    run = train(net, X[:10, :2], X[:10, 2:3], batch_size=2, accumulate=2, backend=backend, **told)
    trace = cr.explain(run.at(1))
    kinds = set()
    for name, position in trace.graph.positions.items():
        node = trace.graph.nodes[position]
        if node.op == "input" or name == "next.step":
            continue
        for proof in trace[name, *(0 for _ in node.shape)].proofs:
            assert proof.holds, (name, proof)
            kinds.add((name, proof.kind))
    for gradient in ("d_0.weight", "d_batch2.0.weight", "d_batch1.0.out"):
        assert (gradient, "finite difference") in kinds


def test_a_gradient_of_an_update_opens_down_to_each_batchs_data():
    trace = explain_accumulated()
    found, seen = [trace["d_0.weight", 1, 2]], set()
    while found:
        explanation = found.pop()
        if explanation.name not in seen:
            seen.add(explanation.name)
            found += explanation.parts()
    for batch, row in (("batch1", 0), ("batch2", 4)):
        value = trace[f"{batch}.x", 0, 2]
        assert value.name in seen
        assert value.value == np.float32(X[row, 2])


@pytest.mark.parametrize(
    ("name", "symbol", "what"),
    [
        ("batch1.x", "batch1.x[0,0]", "an input in batch 1"),
        ("batch2.0.out", "batch2.0.out[0,0]", 'the weighted sum of layer "0" in batch 2'),
        (
            "d_batch2.0.out",
            "∂batch2.cost/∂batch2.0.out[0,0]",
            'the gradient of the cost of batch 2 by the weighted sum of layer "0" in batch 2',
        ),
        (
            "d_batch1.0.weight",
            "∂batch1.cost/∂W1[0,0]",
            'the gradient of the cost of batch 1 by the weight of layer "0"',
        ),
        (
            "batch1.accumulated.0.weight",
            "batch1.accumulated.0.weight[0,0]",
            "the sum of the batches' gradients by 0.weight after batch 1",
        ),
        (
            "d_0.weight",
            "∂C/∂W1[0,0]",
            'the gradient of the loss by the weight of layer "0"',
        ),
        ("next.0.weight", "W1[0,0]⁺", 'the weight of layer "0" after the update'),
        ("loss", "C", "the loss"),
        ("batch1.cost", "batch1.cost", "the cost in batch 1"),
    ],
)
def test_values_of_batches_have_names_that_say_so(name, symbol, what):
    trace = explain_accumulated()
    explanation = trace[name, *(0 for _ in trace.graph[name].shape)]
    assert str(explanation.symbol) == symbol
    assert explanation.what == what


def test_the_four_equations_are_named_in_each_batch():
    trace = explain_accumulated()
    for batch in ("batch1", "batch2"):
        names = (f"d_{batch}.2.out", f"d_{batch}.0.out", f"d_{batch}.0.bias", f"d_{batch}.0.weight")
        found = [trace[n, *(0 for _ in trace.graph[n].shape)].caption for n in names]
        assert [caption and caption.name for caption in found] == ["BP1", "BP2", "BP3", "BP4"]


def test_a_weights_gradient_is_that_of_the_whole_update():
    trace = explain_accumulated()
    assert trace["0.weight", 0, 0].gradient.name == "d_0.weight[0,0]"
    assert trace["batch1.0.out", 0, 0].gradient.name == "d_batch1.0.out[0,0]"


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_accumulated_trace_is_read_again_equal(tmp_path, backend):
    trace = explain_accumulated(backend)
    trace.save(tmp_path / "step.json")
    again = cr.load_trace(tmp_path / "step.json")
    assert again == trace
    assert not again.is_altered


def test_a_page_knows_where_the_rows_of_a_batch_begin():
    trace = explain_accumulated()
    assert trace.about.rows == tuple(range(8))
    begins = {node["name"]: node.get("rows", 0) for node in content_of(trace)["nodes"]}
    for name in ("x", "0.out", "cost"):
        assert (begins[f"batch1.{name}"], begins[f"batch2.{name}"]) == (0, 4)
    assert (begins["d_batch1.0.out"], begins["d_batch2.0.out"]) == (0, 4)
    assert (begins["loss"], begins["d_0.weight"], begins["next.0.weight"]) == (0, 0, 0)
