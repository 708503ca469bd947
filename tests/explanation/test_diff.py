"""Two traces compared: rounding is told from a difference, wherever it is planted."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.explanation import Trace
from chainrule.explanation.comparing.difference import distance
from tests.sampling import dealt

RNG = np.random.default_rng(7)
X = RNG.normal(size=(8, 3)).astype("float32")
LABELS = RNG.integers(0, 5, 8)


def network(eps=1e-5, activation=None, dropout=None):
    middle = [nn.Dropout(dropout)] if dropout is not None else []
    return nn.Sequential(
        nn.Linear(3, 4),
        nn.BatchNorm1d(4, eps=eps),
        activation or nn.GELU(),
        *middle,
        nn.Linear(4, 5),
    )


def traced(net=None, x=X, y=LABELS, seed=0, dtype="float32", **options):
    options = {"loss": nn.CrossEntropyLoss(), "backend": "native", **options}
    net = (net or network()).astype(dtype).initialize(seed)
    return cr.explain(net, x, y, seed=seed, **options)


def with_state(change, net=None, dtype="float32"):
    """A network with the numbers of seed 0, changed."""
    made = (net or network()).astype(dtype).initialize(0)
    state = made.state_dict()
    change(state)
    made.load_state_dict(state)
    return made


def changed_value(trace, name, index, change):
    """The trace with one number of it edited."""
    position = trace.graph.find(name)
    values = list(trace.values)
    values[position] = values[position].copy()
    values[position][index] = change(values[position][index])
    return Trace(trace.graph, tuple(values), trace.about)


def shown(diff):
    out = io.StringIO()
    diff.show(out)
    return out.getvalue()


# --- nothing differs ----------------------------------------------------------------------------


def test_a_trace_is_identical_to_itself():
    trace = traced()
    diff = cr.diff(trace, trace)
    assert diff.same
    assert diff.identical
    assert not diff
    assert diff.first is None


def test_the_same_step_computed_twice_is_identical():
    assert cr.diff(traced(), traced()).identical


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "optimizer", [optim.SGD(lr=0.1, momentum=0.9), optim.Adam(lr=0.1), optim.RMSprop(lr=0.1)]
)
def test_numpy_and_native_differ_by_rounding_alone(dtype, optimizer):
    a, b = (traced(dtype=dtype, optimizer=optimizer, backend=name) for name in ("native", "numpy"))
    diff = cr.diff(a, b)
    assert diff.same, shown(diff)
    assert not diff.identical
    assert all(each.excess <= 1 for each in diff.values)


ACTIVATIONS = [
    *(nn.ReLU, nn.Sigmoid, nn.Tanh, nn.SiLU, nn.ELU, nn.Softplus, nn.Mish, nn.Softsign, nn.Softmax),
]


@pytest.mark.parametrize(("layer", "scale"), dealt(ACTIVATIONS, [0.1, 1.0, 10.0]))
def test_rounding_is_told_from_a_difference_for_every_activation(layer, scale):
    x = (scale * X).astype("float32")
    a, b = (traced(network(activation=layer()), x, backend=name) for name in ("native", "numpy"))
    assert cr.diff(a, b).same


@pytest.mark.parametrize("order", [1, -1])
def test_float32_and_float64_differ_by_the_rounding_of_float32(order):
    net = network().initialize(0)
    wide = network().astype("float64")
    wide.load_state_dict(net.state_dict())
    diff = cr.diff(*[traced(net), traced(wide, dtype="float64")][::order])
    assert diff.same, shown(diff)
    assert diff["3.out"].kind == "rounding"


def test_a_nan_equals_a_nan():
    def enlarge(state):
        state["0.weight"] *= np.float32(3e38)

    a, b = (traced(with_state(enlarge), backend=name) for name in ("native", "numpy"))
    assert np.isnan(a.values[a.graph.find("loss")])
    assert cr.diff(a, b).same


def test_a_nan_against_a_number_is_infinitely_far():
    found = distance(np.array([1.0, np.nan, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert found.largest == math.inf
    assert found.index == (1,)
    assert found.count == 1


# --- something is given otherwise ---------------------------------------------------------------


def test_a_weight_one_unit_in_the_last_place_off_is_the_first_difference():
    def one_up(state):
        state["0.weight"][2, 1] = np.nextafter(state["0.weight"][2, 1], np.float32(9))

    diff = cr.diff(traced(), traced(with_state(one_up)))
    assert diff
    assert diff.first.name == "0.weight"
    assert diff.first.place == (2, 1)
    assert diff.first.kind == "given"
    assert diff.first.distance.ulps == 1
    assert [each.name for each in diff.origins] == ["0.weight"]


def test_another_batch_is_said_first_and_nothing_else_is_blamed():
    x = X.copy()
    x[3, 0] += 1
    diff = cr.diff(traced(), traced(x=x))
    assert (diff.first.name, diff.first.place) == ("x", (3, 0))
    assert [each.name for each in diff.origins] == ["x"]
    assert diff.first_forward.kind == "follows"
    assert diff.first_backward.kind == "follows"


def test_another_target_changes_the_loss_and_nothing_before_it():
    y = LABELS.copy()
    y[0] = (y[0] + 1) % 5
    diff = cr.diff(traced(), traced(y=y))
    assert diff.first.name == "target"
    assert diff.first_forward.name == "loss"
    assert diff["3.out"].kind == "same"


def test_another_seed_gives_other_weights():
    diff = cr.diff(traced(), traced(seed=1))
    assert diff.first.name == "0.weight"
    assert {each.kind for each in diff.origins} == {"given"}


def test_another_seed_of_the_same_weights_shows_in_the_mask_alone():
    net = with_state(lambda state: None, network(dropout=0.5))
    a, b = (cr.explain(net, X, LABELS, loss=nn.CrossEntropyLoss(), seed=s) for s in (0, 1))
    diff = cr.diff(a, b)
    assert diff.first.name == "seed"
    assert diff["2.out"].kind == "same"
    assert diff["3.out"].kind == "follows"
    assert [setting.name for setting in diff.settings] == ["seed"]


def test_another_learning_rate_changes_the_update_alone():
    a, b = (traced(optimizer=optim.SGD(lr=lr)) for lr in (0.1, 0.2))
    diff = cr.diff(a, b)
    assert diff.first.name == "lr"
    assert diff.first_forward is None
    assert diff.first_backward is None
    assert diff.first_update.kind == "follows"
    assert ("learning rate", "0.1", "0.2") in [(s.name, s.a, s.b) for s in diff.settings]


def test_batches_of_other_sizes_are_not_compared_number_by_number():
    diff = cr.diff(traced(), traced(x=X[:6], y=LABELS[:6]))
    assert diff.first.kind == "shape"
    assert any("8 and 6 examples" in note for note in diff.notes)
    assert diff["0.weight"].kind == "same"
    assert not diff.causes


def test_a_layer_of_another_width_is_a_difference_of_shapes():
    a, b = (nn.Sequential(nn.Linear(3, n), nn.Tanh(), nn.Linear(n, 5)) for n in (4, 6))
    diff = cr.diff(traced(a), traced(b))
    assert (diff.first.name, diff.first.kind) == ("0.weight", "shape")
    assert diff.first.shapes == ((4, 3), (6, 3))
    assert not diff.causes
    assert diff.opened is None
    assert "[4, 3] and [6, 3]" in shown(diff)


def test_the_transpose_of_a_weight_is_recognised():
    def turn(state):
        state["0.weight"] = state["0.weight"].T.copy()

    a, b = (
        with_state(change, nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 5)))
        for change in (lambda state: None, turn)
    )
    diff = cr.diff(traced(a), traced(b))
    assert diff.causes == ["0.weight is the transpose in b of what it is in a"]


# --- something is computed otherwise ------------------------------------------------------------


def test_another_eps_is_named():
    diff = cr.diff(traced(), traced(network(eps=1e-3)))
    assert diff.causes == ["eps of BatchNorm1d 1: 1e-05 in a, 0.001 in b"]
    assert diff["0.out"].kind == "same"
    assert diff["1.out"].kind == "follows"


def test_another_option_of_the_optimizer_is_named_and_starts_in_the_update():
    a, b = (
        traced(optimizer=optim.SGD(lr=0.1, weight_decay=decay, momentum=0.9))
        for decay in (0.01, 0.1)
    )
    diff = cr.diff(a, b)
    assert diff.first.phase == "update"
    assert diff.first_backward is None
    assert "weight_decay of SGD: 0.01 in a, 0.1 in b" in diff.causes


def test_another_optimizer_is_a_difference_even_where_its_first_step_is_the_same():
    a, b = (traced(optimizer=optim.SGD(lr=0.1, momentum=m)) for m in (0.0, 0.9))
    diff = cr.diff(a, b)
    assert diff
    assert [setting.name for setting in diff.settings] == ["optimiser"]
    assert "next.0.weight:momentum_buffer" in diff.only_in_b


def test_another_reduction_is_named():
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 5))
    y = RNG.normal(size=(8, 5))
    a = traced(net, y=y, loss=nn.MSELoss())
    b = traced(net, y=y, loss=lambda out, t: ((out - t) ** 2).sum(axis=1))
    diff = cr.diff(a, b)
    assert diff.first.name == "loss"
    assert diff.causes[0].startswith("loss is 5 times as large in b: b takes the sum of 5 numbers")


def test_another_activation_is_named():
    a, b = (traced(network(activation=f)) for f in (nn.GELU(), nn.GELU("tanh")))
    diff = cr.diff(a, b)
    assert diff.first.name == "2.out"
    assert diff.causes[0] == "2.out is gelu in a; in b it is gelu_tanh"


def test_another_slope_is_named():
    a, b = (traced(network(activation=nn.LeakyReLU(slope))) for slope in (0.01, 0.2))
    diff = cr.diff(a, b)
    assert diff.first.name == "2.out"
    assert diff.causes[0] == "negative_slope of LeakyReLU 2: 0.01 in a, 0.2 in b"


def test_renamed_modules_are_matched_by_order_and_shape():
    class Named(nn.Module):
        def __init__(self):
            self.first, self.act, self.last = nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 5)

        def forward(self, x):
            return self.last(self.act(self.first(x)))

    plain = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 5)).initialize(0)
    named = Named()
    moved = {"0": "first", "2": "last"}
    state = {moved[k[0]] + k[1:]: v for k, v in plain.state_dict().items()}
    named.load_state_dict(state)
    diff = cr.diff(*(traced(net) for net in (plain, named)))
    assert diff.same
    assert "first is taken for 0" in diff.notes[0]
    assert diff["2.out"].other == "last.out"


# --- a trace that was changed by hand -----------------------------------------------------------


@pytest.mark.parametrize("name", ["0.out", "1.out", "loss", "d_3.out", "d_0.weight", "next.0.bias"])
@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_an_edited_number_is_where_the_difference_begins(name, backend):
    trace = traced(backend=backend)
    index = (0,) * len(trace.graph[name].shape)
    edited = changed_value(trace, name, index, lambda v: v + abs(v) / 100 + 0.01)
    for pair in ((trace, edited), (edited, trace)):
        diff = cr.diff(*pair)
        assert diff.first.name == name
        assert diff.first.kind == "arises"
        assert diff.first.place == index


@pytest.mark.parametrize("name", ["0.out", "1.out", "2.out", "d_3.weight", "next.3.bias"])
def test_an_edit_among_the_rounding_of_two_backends_is_found(name):
    a, b = traced(), traced(backend="numpy")
    largest = np.unravel_index(np.argmax(abs(b.values[b.graph.find(name)])), b.graph[name].shape)
    edited = changed_value(b, name, largest, lambda v: v * np.float32(1 + 1e-4))
    diff = cr.diff(a, edited)
    assert (diff.first.name, diff.first.kind) == (name, "arises")
    assert diff.first.place == tuple(map(int, largest))


def test_an_edited_last_bit_is_found_where_the_arithmetic_is_the_same():
    trace = traced()
    edited = changed_value(trace, "2.out", (0, 0), lambda v: np.nextafter(v, np.float32(9)))
    diff = cr.diff(trace, edited)
    assert diff.first.name == "2.out"
    assert diff.first.note == "the same arithmetic made other bits from the same numbers"


def test_a_nan_that_nothing_explains_is_found():
    trace = traced()
    edited = changed_value(trace, "2.out", (3, 1), lambda v: np.float32(np.nan))
    diff = cr.diff(trace, edited)
    assert (diff.first.name, diff.first.place) == ("2.out", (3, 1))
    assert diff.first.distance.largest == math.inf
    json.dumps(diff.to_json(), allow_nan=False)


# --- what is shown ------------------------------------------------------------------------------


def test_show_is_plain_and_fits_80_columns_where_there_is_no_terminal():
    text = shown(cr.diff(traced(), traced(network(eps=1e-3))))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "eps of BatchNorm1d 1: 1e-05 in a, 0.001 in b." in text
    assert "1.out" in text


@pytest.mark.parametrize(("no_color", "has_colour"), [("", True), ("1", False)])
def test_a_terminal_has_colours_unless_they_are_unwanted(monkeypatch, no_color, has_colour):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", no_color)
    out = Terminal()
    cr.diff(traced(), traced(network(eps=1e-3))).show(out)
    assert ("\x1b[1;31m" in out.getvalue()) == has_colour
    assert max(map(len, re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).splitlines())) <= 60


def test_a_terminal_without_greek_letters_shows_question_marks():
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    cr.diff(traced(), traced(with_state(lambda s: s["0.weight"].__setitem__(0, 1)))).show(out)
    out.flush()
    assert b"begins" in out.buffer.getvalue() or b"given" in out.buffer.getvalue()


def test_show_opens_the_first_differing_number_on_both_sides():
    diff = cr.diff(traced(), traced(with_state(lambda s: s["3.bias"].__setitem__(2, 0.5))))
    text = shown(diff)
    assert "∂" not in text.partition("opened")[0].splitlines()[-1]
    assert diff.opened.name == "3.out"
    opened = text.partition("opened")[2]
    assert "stored" in opened
    assert "0.5" in opened


def test_escapes_in_names_do_not_reach_the_terminal():
    trace = traced(nn.Sequential(nn.Linear(3, 5)))
    about = dataclasses.replace(trace.about, loss="evil\x1b[31m\nloss")
    other = Trace(trace.graph, trace.values, about)
    text = shown(cr.diff(trace, other))
    assert "\x1b" not in text
    assert "evil\\x1b[31m\\nloss" in text


def test_json_has_no_number_that_json_has_not():
    document = cr.diff(traced(), traced(seed=1)).to_json()
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text)["first"]["name"] == "0.weight"


def test_a_diff_knows_its_values_by_name():
    diff = cr.diff(traced(), traced())
    assert diff["0.out"].kind == "same"
    with pytest.raises(NameNotFoundError, match=r'Did you mean "0\.out"'):
        diff["0.outt"]


# --- what is refused ----------------------------------------------------------------------------


def test_what_is_no_trace_is_refused():
    with pytest.raises(ConfigurationError) as error:
        cr.diff(traced(), network())
    assert str(error.value).startswith(
        "diff compares traces, torch traces and runs; got Sequential. Write cr.diff("
    )


def test_what_is_no_torch_module_is_refused():
    with pytest.raises(ConfigurationError) as error:
        cr.trace_torch(network(), X, LABELS, nn.CrossEntropyLoss())
    assert str(error.value) == (
        "trace_torch records a torch module; got Sequential. For a network of ours write "
        "cr.explain(net, x, y, loss=...)."
    )
