"""With a penalty there are two: the loss C, and what is minimised, J = C + penalty."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(6, 2)), RNG.normal(size=(6, 1))
BACKENDS = ("native", "numpy")


def network():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    return net.astype("float64").initialize(0)


DECAY = nn.L2Penalty(0.25)


def explain(penalty=DECAY, **options):
    return cr.explain(network(), X, Y, loss="MSELoss", penalty=penalty, **options)


@pytest.fixture(scope="module", params=BACKENDS)
def trace(request):
    return explain(backend=request.param)


def test_the_objective_is_the_loss_and_the_penalty(trace):
    assert trace["J"].name == trace["objective"].name == "objective"
    assert trace["J"].value == trace["loss"].value + trace["penalty"].value
    assert [part.name for part in trace["J"].parts()] == ["loss", "penalty"]
    assert all(proof.holds for proof in trace["J"].proofs)
    assert trace["J"].what == "what training minimises: the loss and the penalty"


def test_a_gradient_says_of_which_of_the_two_it_is(trace):
    symbols = {name: str(trace[name].symbol) for name in ("d_0.weight[1,1]", "d_0.bias[1]")}
    assert symbols == {"d_0.weight[1,1]": "∂J/∂W1[1,1]", "d_0.bias[1]": "∂C/∂b1[1]"}
    assert str(trace["d_1.out", 0, 0].symbol) == "∂C/∂a1[0,0]"
    assert trace["d_0.weight", 1, 1].what.startswith("the gradient of the objective by the weight")
    assert trace["d_0.bias", 1].what.startswith("the gradient of the loss by the bias")


def test_every_surface_says_of_which_it_is(trace, tmp_path):
    weight = trace["0.weight", 1, 1]
    assert "∂J/∂W1[1,1] = " in weight.text()
    assert "lr·∂J/∂W1[1,1]" in weight.text()
    assert "∂C/∂W1" not in weight.text()
    assert "loss + penalty moves by" in " ".join(weight.text().split())
    assert r"\frac{\partial J}{\partial W_{1}" in weight.latex()
    assert "∂C/∂b1[1]" in trace["0.bias", 1].text()
    trace.to_html(tmp_path / "step.html")
    page = (tmp_path / "step.html").read_text("utf-8")
    for name, of in (("W1", "J"), ("W2", "J"), ("b1", "C")):
        pattern = rf'"name":"{name}\[[^"]*","of":"derivative","other":"(\w)"'
        assert set(re.findall(pattern, page)) == {of}


def test_the_loss_alone_is_what_it_is_without_a_penalty(trace):
    alone = explain(None, backend=trace.about.computed_by.partition(" ")[0])
    assert "objective" not in alone.graph.positions
    assert str(alone["d_0.weight", 1, 1].symbol) == "∂C/∂W1[1,1]"
    paths = trace.path("C", "W1[1,1]")
    assert paths.gradient == pytest.approx(float(alone["d_0.weight", 1, 1].value), rel=1e-13)
    assert paths.stored is None  # what is stored is of the objective
    assert trace.path("C", "b1[1]").stored == float(trace["d_0.bias", 1].value)


def test_the_ways_from_the_objective_are_the_stored_gradient(trace):
    paths = trace.path("objective", "W1[1,1]", n=100)
    assert (paths.source, paths.target) == ("J", "W1[1,1]")
    assert paths.stored == float(trace["d_0.weight", 1, 1].value)
    total = math.fsum(route.share for route in paths.routes)
    assert total == pytest.approx(paths.stored, rel=1e-13)
    (penalty,) = (route for route in paths.routes if route.through == ("penalty",))
    assert penalty.share == pytest.approx(0.25 * float(trace["W1", 1, 1].value), rel=1e-14)
    others = [route for route in paths.routes if route is not penalty]
    assert others == list(trace.path("loss", "W1[1,1]", n=100).routes)


def test_of_few_ways_the_rest_is_exact(trace):
    paths = trace.path("objective", "W1[1,1]", n=2)
    assert len(paths.routes) == 2
    total = math.fsum([*(route.share for route in paths.routes), paths.remainder])
    assert total == pytest.approx(paths.gradient, rel=1e-15)


def test_the_penalty_and_a_unit_have_their_shares_of_the_objective(trace):
    (penalty,) = trace.path("J", "W1[1,1]", through="penalty").routes
    assert penalty.share == pytest.approx(0.25 * float(trace["W1", 1, 1].value), rel=1e-14)
    (unit,) = trace.path("J", "W1[1,1]", through="z1[1,1]").routes
    assert unit.share == trace.path("C", "W1[1,1]", through="z1[1,1]").routes[0].share


def test_one_term_of_a_sum_has_its_own_share():
    """A sum hands the same cotangent to its terms: it is not the share of each of them."""
    inner = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    net = nn.Sequential(nn.Linear(2, 3), nn.Residual(inner), nn.Linear(3, 1))
    trace = cr.explain(net.astype("float64").initialize(0), X, Y, loss="MSELoss")
    shares = [
        trace.path("loss", "0.weight[0,0]", through=f"1.module.{name}[0,0]").routes[0].share
        for name in ("0.out", "1.out")
    ]
    assert shares[0] == pytest.approx(shares[1], rel=1e-13)  # tanh is of each number alone
    whole = trace.path("loss", "0.weight[0,0]", through="1.out[0,0]").routes[0].share
    assert shares[1] != pytest.approx(whole, rel=1e-3)


def test_what_a_penalty_gives_stands_beside_the_samples_where_it_gives_anything(trace):
    assert trace.samples("0.weight", 1, 1).has_penalty
    assert not trace.samples("0.bias", 1).has_penalty


def test_an_update_of_several_batches_has_an_objective():
    run = cr.fit(network(), X, Y, loss="MSELoss", penalty=nn.L2Penalty(0.25), batch_size=2,
                 accumulate=3, epochs=1, progress=False, dtype="float64")  # fmt: skip
    trace = cr.explain(run.at(step=0))
    assert trace["objective"].value == trace["loss"].value + trace["penalty"].value
    assert str(trace["d_0.weight", 1, 1].symbol) == "∂J/∂W1[1,1]"
    assert str(trace["d_batch1.0.weight", 1, 1].symbol) == "∂batch1.cost/∂W1[1,1]"
    paths = trace.path("objective", "0.weight[1,1]", n=1000)
    assert paths.gradient == pytest.approx(paths.stored, rel=1e-12)
    assert ("penalty",) in [route.through for route in paths.routes]
    answer = trace.samples("0.weight", 1, 1)
    expected = 0.25 * float(trace["0.weight", 1, 1].value)
    assert answer.rest == pytest.approx(expected, rel=1e-12)
    assert all(proof.holds for proof in trace["0.weight", 1, 1].gradient.proofs)


def test_a_trace_with_an_objective_is_read_again(trace, tmp_path):
    trace.save(tmp_path / "step.json")
    again = cr.load_trace(tmp_path / "step.json")
    assert again == trace
    assert not again.is_altered


def test_a_parameter_of_this_name_is_refused():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.objective = nn.Parameter(np.ones((2, 1)))

        def forward(self, x):
            return x @ self.objective

    with pytest.raises(ConfigurationError, match="called objective"):
        cr.explain(Named(), X, Y, penalty=nn.L2Penalty(0.1))
