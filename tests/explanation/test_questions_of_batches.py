"""Questions to an update of several batches: one gradient, of all of their samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 2)), RNG.normal(size=(8, 1))


def explain(*layers, **options):
    net = nn.Sequential(*layers).astype("float64").initialize(0)
    told = {"loss": nn.RMSELoss(), "sample_weight": np.arange(1, 9), "batch_size": 3}
    run = cr.fit(net, X, Y, accumulate=2, epochs=1, progress=False, dtype="float64",
                 **(told | options))  # fmt: skip
    return cr.explain(run.at(step=0))


@pytest.fixture(scope="module")
def trace():
    return explain(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 1))


@pytest.mark.parametrize("index", [(0, 0), (1, 1), (2, 0)])
def test_the_samples_of_all_batches_share_the_gradient_of_the_update(trace, index):
    answer = trace.samples("0.weight", *index)
    assert answer.stored == float(trace["d_0.weight", *index].value)
    largest = max(abs(sample.share) for sample in answer.samples)
    assert abs(answer.rest) <= 1e-13 * largest
    assert sorted((s.batch, s.example) for s in answer.samples) == [
        (batch, example) for batch in (1, 2) for example in (0, 1, 2)
    ]


def test_samples_have_their_own_batchs_rows(trace):
    rows = trace.about.rows
    found = {(s.batch, s.example): s.row for s in trace.samples("0.weight", 0, 0).samples}
    assert [found[1, i] for i in range(3)] == list(rows[:3])
    assert [found[2, i] for i in range(3)] == list(rows[3:])
    for (batch, example), row in found.items():
        assert trace[f"batch{batch}.x", example, 1].value == X[row, 1]


def test_a_batchs_own_gradient_is_of_its_own_samples(trace):
    answer = trace.samples("d_batch2.0.weight", 1, 1)
    assert answer.stored == float(trace["d_batch2.0.weight", 1, 1].value)
    assert [sample.batch for sample in answer.samples] == [2, 2, 2]
    assert {sample.row for sample in answer.samples} == set(trace.about.rows[3:])
    assert abs(answer.rest) <= 1e-13 * max(abs(sample.share) for sample in answer.samples)
    assert trace.samples("batch2.0.out", 1, 1).name == "∂batch2.cost/∂batch2.0.out[1,1]"


def test_the_table_says_of_which_batch_a_sample_is(trace):
    first = trace.samples("0.weight", 0, 0).text().splitlines()[2].split()
    assert first == ["share", "batch", "example", "row"]
    assert "batch" not in trace.samples("d_batch1.0.weight", 0, 0).text().splitlines()[2]


@pytest.mark.parametrize("n", [1, 5, 1000])
def test_the_ways_through_all_batches_are_the_gradient_of_the_update(trace, n):
    paths = trace.path("loss", "0.weight[1,1]", n=n)
    total = math.fsum([*(route.share for route in paths.routes), paths.remainder])
    assert total == pytest.approx(paths.gradient, rel=1e-13)
    assert paths.gradient == pytest.approx(paths.stored, rel=1e-12)
    assert len(paths.routes) <= n
    for route in paths.routes:
        assert route.arrives * route.rate == pytest.approx(route.share, rel=1e-13)
    if n == 1000:
        assert (paths.others, paths.remainder) == (0, 0.0)
        assert {route.through[0].partition(".")[0] for route in paths.routes} == {
            "batch1",
            "batch2",
        }


def test_a_unit_of_one_batch_has_its_share(trace):
    paths = trace.path("loss", "0.weight[1,1]", through="batch1.0.out[1,1]")
    (route,) = paths.routes
    expected = flow_of(trace, "batch1")
    assert route.share == pytest.approx(expected, rel=1e-10)


def flow_of(trace, batch):
    """∂loss/∂(batch's cost)·δ·x, in numbers that the trace stores."""
    weight = float(trace["batch2.accumulated_weight"].value)
    loss = float(trace["loss"].value)
    delta = float(trace[f"d_{batch}.0.out", 1, 1].value)
    x = float(trace[f"{batch}.x", 1, 1].value)
    return delta * x / weight / (2 * loss)  # of √(Σ/weight)


def test_no_part_of_what_is_long_is_cut_in_80_columns(trace):
    text = trace.path("loss", "0.weight[1,1]").text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


class Remembering(nn.Module):
    """Scales by what the batch before left, which its gradient holds."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Buffer(np.ones(()))

    def forward(self, x):
        found = x * self.scale
        self.scale.assign(x.square().mean() + self.scale * 0.5)
        return found


def test_what_a_batch_leaves_to_the_next_is_held_as_training_holds_it():
    trace = explain(nn.Linear(2, 3), Remembering(), nn.Linear(3, 1), sample_weight=None)
    assert float(trace["batch2.next.1.scale"].value) != float(trace["batch1.next.1.scale"].value)
    answer = trace.samples("0.weight", 0, 0)
    assert abs(answer.rest) <= 1e-13 * max(abs(sample.share) for sample in answer.samples)
    paths = trace.path("loss", "0.weight[0,0]", n=1000)
    assert paths.gradient == pytest.approx(paths.stored, rel=1e-12)
    assert paths.remainder == 0
    assert [proof.holds for proof in trace["0.weight", 0, 0].gradient.proofs] == [True, True]


def test_a_zero_of_a_later_batch_ends_at_its_row():
    x = X.copy()
    x[5] = 0
    net = nn.Sequential(nn.Linear(2, 1)).astype("float64").initialize(0)
    run = cr.fit(net, x, Y, loss="MSELoss", batch_size=4, accumulate=2, shuffle=False, epochs=1,
                 progress=False, dtype="float64")  # fmt: skip
    trace = cr.explain(run.at(step=0))
    assert trace.why_zero("batch2.x", 1, 0).steps[-1].because.endswith("row 5 of the data")
    table = trace["d_batch2.0.weight", 0, 0].text(most=4)
    assert "b = 0, row 4" in table
