"""Questions to a trace: the largest, the paths, the samples, why it is zero, the update."""

import json
import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.explanation.questions.update import LETTERS
from tests.optim.grids import TYPICAL, made
from tests.sampling import dealt


def explain(net, x, y, loss="MSELoss", optimizer=None, **options):
    return cr.explain(net, x, y, loss=loss, optimizer=optimizer or optim.SGD(lr=0.1), **options)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def normalised(dropout=0.5, **options):
    """A step in which examples are mixed, one input is always 0, and units are dropped."""
    x = numbers(10, 6)
    x[:, 2] = 0
    layers = [nn.Linear(6, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.Dropout(dropout), nn.Linear(5, 3)]
    net = nn.Sequential(*layers).astype("float64").initialize(0)
    return explain(net, x, np.arange(10) % 3, "CrossEntropyLoss", **options)


# --- path -----------------------------------------------------------------------------------------


def test_the_gradient_of_w1_is_the_sum_of_its_two_paths(worked):
    paths = worked.path("E", "w1")
    first, second = paths.routes
    assert first.through == ("net_o1", "net_h1")
    assert second.through == ("net_o2", "net_h1")
    # The figures are rounded to nine decimals: half a unit of the first, times the other two.
    assert first.share == pytest.approx(0.055399425 * 0.241300709 * 0.05, abs=1e-11)
    assert second.share == pytest.approx(-0.019049118 * 0.241300709 * 0.05, abs=1e-11)
    assert paths.gradient == pytest.approx(0.000438567734, abs=1e-12)
    assert first.share + second.share == pytest.approx(paths.gradient, rel=1e-15)
    assert (paths.others, paths.remainder) == (0, 0.0)
    assert paths.stored == float(worked["d_0.weight", 0, 0].value)


def test_what_arrives_times_its_rate_is_the_share(worked):
    for route in worked.path("E", "i2").routes:
        assert route.arrives * route.rate == pytest.approx(route.share, rel=1e-14)
    (route,) = worked.path("E", "w1", through="net_o1").routes
    assert route.arrives == pytest.approx(0.138498562, abs=5e-10)  # δ_o1


def test_the_share_of_one_unit_and_the_rest_are_the_gradient(worked):
    paths = worked.path("E", "w1", through="o2")
    (route,) = paths.routes
    assert route.share == pytest.approx(-0.000229828287, abs=1e-12)
    total = math.fsum([route.share, paths.remainder])
    assert total == pytest.approx(paths.gradient, rel=1e-15)  # rounded once


def test_a_path_begins_at_any_unit(worked):
    paths = worked.path("net_o1", "w1")
    h1, w5, i1 = (float(worked[name].value) for name in ("h1", "w5", "i1"))
    assert paths.gradient == pytest.approx(w5 * h1 * (1 - h1) * i1, rel=1e-14)
    assert paths.stored is None


def test_routes_of_a_batch_and_the_remainder_are_the_gradient():
    trace = normalised()
    for n in (1, 5, 1000):
        paths = trace.path("loss", ("0.weight", 1, 1), n=n)
        total = math.fsum([*(route.share for route in paths.routes), paths.remainder])
        assert total == pytest.approx(paths.gradient, rel=1e-13)
        assert len(paths.routes) <= n
    assert paths.others == 0
    stored = float(trace["d_0.weight", 1, 1].value)
    assert paths.gradient == pytest.approx(stored, rel=1e-12)


def test_by_a_residual_connection_layers_that_can_be_passed_are_no_stations():
    inner = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    net = nn.Sequential(nn.Linear(2, 3), nn.Residual(inner), nn.Linear(3, 1)).astype("float64")
    paths = explain(net, numbers(2, 2), numbers(2, 1)).path("loss", ("0.weight", 0, 0))
    assert {len(route.through) for route in paths.routes} == {2}
    total = sum(route.share for route in paths.routes)
    assert total == pytest.approx(paths.gradient, rel=1e-14)


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "many", None])
def test_how_many_are_asked_for_is_a_whole_number_from_one_up(worked, n):
    for ask, what in ((worked.path, "path takes a number of ways"),
                      (worked.largest, "largest takes a number of elements")):  # fmt: skip
        arguments = ("E", "w1") if ask == worked.path else ("d_0.weight",)
        with pytest.raises(ConfigurationError, match=f"{what} from 1 up; got n={n!r}"):
            ask(*arguments, n=n)


def test_how_many_may_be_numpys_integer(worked):
    assert worked.largest("d_0.weight", np.int64(2)) == worked.largest("d_0.weight", 2)
    assert len(worked.path("E", "w1", n=np.int64(1)).routes) == 1


def test_a_path_between_what_is_not_connected_is_refused(worked):
    with pytest.raises(ConfigurationError, match="w1 is not computed from E"):
        worked.path("w1", "E")
    with pytest.raises(NameNotFoundError, match=r"net_o11.*Did you mean"):
        worked.path("E", "net_o11")


# --- samples --------------------------------------------------------------------------------------


def test_the_shares_of_samples_are_the_gradient_also_where_a_layer_mixes_them():
    trace = normalised(sample_weight=np.arange(1, 11) / 5)
    for name in ("0.weight", "d_0.weight"):
        answer = trace.samples(name, 1, 1)
        assert sorted(sample.row for sample in answer.samples) == list(range(10))
        assert abs(answer.rest) <= 1e-12 * max(abs(sample.share) for sample in answer.samples)
        assert answer.stored == float(trace["d_0.weight", 1, 1].value)


def test_without_a_layer_that_mixes_a_sample_gives_its_own_gradient():
    x, y = numbers(4, 2), numbers(4, 1, seed=1)
    net = nn.Sequential(nn.Linear(2, 1)).astype("float64").initialize(3)
    answer = explain(net, x, y).samples("0.weight", 0, 1)
    weight, bias = (p.numpy() for p in net.parameters())
    residual = x @ weight.T + bias - y
    expected = 2 * residual[:, 0] * x[:, 1] / 4
    found = {sample.row: sample.share for sample in answer.samples}
    for row, share in enumerate(expected):
        assert found[row] == pytest.approx(share, rel=1e-13)


def test_samples_have_the_rows_of_the_data():
    net = nn.Sequential(nn.Linear(2, 1)).astype("float64")
    run = cr.fit(
        net, numbers(7, 2), numbers(7, 1), batch_size=3, epochs=1, progress=False, dtype="float64"
    )
    trace = cr.explain(run.at(step=1))
    rows = {sample.example: sample.row for sample in trace.samples("0.bias", 0).samples}
    assert [rows[i] for i in range(3)] == list(trace.about.rows)


def test_what_a_penalty_gives_is_no_samples_share():
    trace = normalised(penalty=nn.L2Penalty(0.25))
    weight = float(trace["0.weight", 1, 2].value)
    answer = trace.samples("0.weight", 1, 2)  # the input is always 0
    assert [sample.share for sample in answer.samples] == [0.0] * 10
    assert answer.has_penalty
    assert answer.rest == answer.stored == pytest.approx(0.25 * weight, rel=1e-14)


def test_a_rule_has_no_samples_to_share_a_gradient():
    machine = nn.RestrictedBoltzmann(3, 2)
    v = np.eye(3)
    trace = explain(machine, v, v, nn.ContrastiveDivergence())
    with pytest.raises(ConfigurationError, match="no gradients of a loss"):
        trace.samples("weight", 0, 0)


def test_what_has_no_gradient_says_why():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).initialize(0)
    net[0].weight.requires_grad = False
    trace = explain(net, numbers(3, 2), numbers(3, 1))
    frozen = r"0\.weight\[0,0\] is frozen \(requires_grad=False\), or a buffer: it has no gradient"
    for ask in (trace.samples, trace.optimizer):
        for name in ("0.weight", "d_0.weight"):
            with pytest.raises(ConfigurationError, match=frozen):
                ask(name, 0, 0)
        with pytest.raises(ConfigurationError, match=r"1\.running_mean\[0\] is a buffer: it has"):
            ask("1.running_mean", 0)
    with pytest.raises(ConfigurationError, match=r"x\[0,0\] is given to the step"):
        trace.samples("x", 0, 0)


# --- largest --------------------------------------------------------------------------------------


def test_the_largest_elements_come_by_size_with_what_they_are_made_of(worked):
    answer = worked.largest("d_0.weight", 2)
    assert [one.symbol for one in answer.elements] == ["∂E/∂w4", "∂E/∂w2"]
    assert answer.elements[0].rule == "0.00995425471·0.1"
    assert (answer.count, answer.zeros) == (4, 0)
    assert answer.elements[0].name == "d_0.weight[1,1]"


def test_a_name_that_is_wrong_suggests_the_nearest(worked):
    for ask in (worked.largest, worked.why_zero, worked.samples, worked.optimizer):
        with pytest.raises(NameNotFoundError, match=r"Did you mean .*0\.weight"):
            ask("0.wieght") if ask == worked.largest else ask("0.wieght", 0, 0)


# --- why zero -------------------------------------------------------------------------------------


def test_a_unit_that_is_off_says_its_weighted_sum():
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU()).astype("float64").initialize()
    net.load_state_dict({"0.weight": np.array([[0.5]]), "0.bias": np.array([-0.8])})
    trace = explain(net, [[1.0]], [[1.0]])
    answer = trace.why_zero("1.out", 0, 0)
    assert answer.cause == "condition"
    assert "(-0.3 ≤ 0) holds" in answer.text(200)
    gradient = trace.why_zero("d_0.weight", 0, 0)
    assert gradient.cause == "condition"
    assert "-0.3 ≤ 0" in gradient.text(200)


def test_a_pixel_that_is_zero_ends_the_chain_at_its_row():
    answer = normalised().why_zero("d_0.weight", 0, 2)
    assert answer.cause == "data"
    assert "x is 0 in" in answer.steps[0].because
    assert answer.steps[-1].because == "the data say so: an input, row 0 of the data"


def test_a_dropped_unit_is_found():
    trace = normalised()
    dropped = np.argwhere(trace.values[trace.graph.find("3.out")] == 0)
    kept = trace.values[trace.graph.find("2.out")]
    index = next(tuple(map(int, i)) for i in dropped if kept[tuple(i)] != 0)
    answer = trace.why_zero("3.out", *index)
    assert answer.cause == "chance"
    assert answer.steps[-1].because.endswith("does not hold: dropped by chance")


def saturated(weight):
    net = nn.Sequential(nn.Linear(1, 1), nn.Sigmoid(), nn.Linear(1, 1)).astype("float64")
    net.initialize(0)
    net.load_state_dict({**net.state_dict(), "0.weight": [[weight]], "0.bias": [0.0]})
    return explain(net, [[1.0]], [[1.0]])


def test_a_sigmoid_at_one_has_no_slope():
    answer = saturated(50.0).why_zero("d_0.weight", 0, 0)
    assert answer.cause == "cancellation"
    assert "sigmoid(50)" in answer.steps[-1].because


def test_a_sigmoid_that_underflows_says_so():
    answer = saturated(-800.0).why_zero("1.out", 0, 0)
    assert answer.cause == "underflow"


def test_parameters_that_are_frozen_or_not_used_are_told_apart():
    class Unused(nn.Module):
        def __init__(self):
            self.a, self.b, self.c = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.a(self.c(x))

    net = Unused().initialize()
    net.c.bias.requires_grad = False
    trace = explain(net, numbers(3, 2), numbers(3, 2))
    assert trace.why_zero("d_c.bias", 0).cause == "frozen"
    assert trace.why_zero("d_b.weight", 0, 1).cause == "not used"
    assert trace.why_zero("d_a.weight", 0, 1).cause == "not zero"


@pytest.mark.parametrize(("op", "named"), [("sign", "sign"), ("round", "round")])
def test_what_passes_only_ops_without_a_slope_is_used_and_gets_no_gradient(op, named):
    class Stepped(nn.Module):
        def __init__(self):
            self.a = nn.Linear(2, 2)

        def forward(self, x):
            return getattr(cr, op)(self.a(x))

    trace = explain(Stepped().initialize(), numbers(3, 2), numbers(3, 2))
    answer = trace.why_zero("d_a.weight", 0, 1)
    assert answer.cause == "flat"
    assert f"by way of {named}, whose slope is 0 everywhere" in answer.steps[-1].because


def test_terms_that_cancel_are_shown():
    net = nn.Sequential(nn.Linear(1, 1)).astype("float64").initialize()
    net.load_state_dict({"0.weight": [[0.0]], "0.bias": [0.0]})
    trace = explain(net, [[1.0], [1.0]], [[0.5], [-0.5]])
    answer = trace.why_zero("d_0.weight", 0, 0)
    assert answer.cause == "cancellation"
    assert "-0.5, 0.5" in answer.steps[-1].because


# --- the update -----------------------------------------------------------------------------------


def test_adams_first_update_reads_as_its_paper():
    net = nn.Sequential(nn.Linear(2, 1)).astype("float64").initialize(0)
    trace = explain(net, numbers(3, 2), numbers(3, 1), optimizer=optim.Adam(lr=0.1))
    answer = trace.optimizer("0.weight", 0, 1)
    values = {stage.label: stage.value for stage in answer.stages}
    g = values["g"]
    assert answer.slots == ("exp_avg", "exp_avg_sq")
    assert values["m⁺"] == pytest.approx(0.1 * g, rel=1e-14)
    assert values["v⁺"] == pytest.approx(0.001 * g * g, rel=1e-12)
    # m̂/(√v̂ + ε) = g/(|g| + ε)   [Kingma and Ba 2015, algorithm 1]
    assert answer.change == pytest.approx(-0.1 * g / (abs(g) + 1e-8), rel=1e-12)
    assert values["w⁺"] == answer.after == answer.before + answer.change


@pytest.mark.parametrize(
    ("name", "limit"), dealt(optim.OPTIMIZERS, [{}, {"clip_norm": 0.01}, {"clip_value": 0.01}])
)
def test_every_optimisers_stages_lead_from_the_gradient_to_the_new_number(name, limit):
    net = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2)).initialize(0)
    optimizer = made(name, net.trainable_parameters(), **{"lr": 0.1, **TYPICAL[name], **limit})
    trace = explain(net, numbers(4, 3), numbers(4, 2), optimizer=optimizer)
    answer = trace.optimizer("0.weight", 1, 2)
    values = {stage.label: stage.value for stage in answer.stages}
    assert values["w"] == answer.before == float(trace["0.weight", 1, 2].value)
    assert values["g"] == answer.gradient == float(trace["d_0.weight", 1, 2].value)
    assert values["w⁺"] == answer.after == float(trace["0.weight", 1, 2].update.value)
    for slot in answer.slots:
        letter = LETTERS.get(slot, slot)
        assert f"{letter}⁺" in values or letter in values
    assert answer.stages[-1].label == "w⁺"


def test_what_is_not_updated_is_refused():
    with pytest.raises(ConfigurationError, match=r"x\[0,0\] is not updated"):
        normalised().optimizer("x", 0, 0)


# --- all of them ----------------------------------------------------------------------------------


def test_every_answer_is_text_of_80_columns_and_json(worked):
    trace = normalised()
    answers = [
        worked.path("E", "w1"),
        trace.path("loss", ("0.weight", 1, 1)),
        trace.samples("0.weight", 1, 1),
        trace.largest("d_0.weight"),
        trace.why_zero("d_0.weight", 0, 2),
        worked.optimizer("w1"),
    ]
    for answer in answers:
        assert max(map(len, answer.text().splitlines())) <= 80
        assert str(answer) == answer.text(80)
        assert isinstance(json.loads(answer.to_json()), dict)


def test_show_prints_the_text(worked, capsys):
    answer = worked.path("E", "w1")
    answer.show()
    assert capsys.readouterr().out.rstrip() == answer.text(80)
