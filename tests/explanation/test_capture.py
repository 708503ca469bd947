"""Any step of any run is captured as it was computed, and nothing is changed by it."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import (
    ChainruleError,
    ConfigurationError,
    DataError,
    NonFiniteError,
    ReplayError,
    ShapeError,
    TargetError,
)
from tests.explanation.traces import train
from tests.sampling import dealt
from tests.train.nets import examples, linear, plain, regular, same

X, Y = examples()
BACKENDS = ("native", "numpy")


def frozen():
    net = plain()
    net[0].weight.requires_grad = False
    return net


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 3), nn.Linear(2, 3)

    def forward(self, a, b):
        return self.first(a) + self.second(b).tanh()


class Items:
    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i], Y[i]


def machine(**options):
    rng = np.random.default_rng(0)
    v = (rng.random((40, 6)) < 0.4).astype(float)
    net = nn.RestrictedBoltzmann(6, 3, weight_init=nn.init.normal(0.0, 0.1))
    return train(net, v, v, loss=nn.ContrastiveDivergence(), batch_size=8, **options)


class Swallow(cr.Callback):
    """Lowers nothing, and shows that a step can be explained while training goes on."""

    def on_epoch_end(self, epoch, logs):
        self.trace = cr.explain(self.run.at(step=-1))


RUNS = {
    "plain": lambda **o: train(**o),
    "everything with state": lambda **o: train(regular(), **o),
    "adam": lambda **o: train(optimizer=optim.Adam(lr=0.01), **o),
    "schedule": lambda **o: train(schedule=optim.StepLR(step_size=2, gamma=0.5), **o),
    "plateau": lambda **o: train(
        schedule=optim.ReduceLROnPlateau(patience=0, factor=0.1, threshold=10.0), **o
    ),
    "sample weights": lambda **o: train(sample_weight=np.linspace(0.0, 2.0, len(X)), **o),
    "class weights": lambda **o: train(class_weight={0: 1.0, 1: 2.0, 2: 0.5}, **o),
    "a penalty": lambda **o: train(penalty=nn.L2Penalty(1e-2), **o),
    "clipping": lambda **o: train(optimizer=optim.SGD(lr=0.1, max_norm=0.5, clip_norm=0.1), **o),
    "frozen": lambda **o: train(frozen(), **o),
    "two inputs": lambda **o: train(TwoInputs(), (X, X[:, :2]), **o),
    "items": lambda **o: train(x=Items(), y=None, **o),
    "a root over the mean": lambda **o: train(plain(outputs=1), y=X[:, :1], loss="RMSELoss", **o),
    "float64": lambda **o: train(dtype="float64", **o),
    "a learning rule": machine,
    "a short batch": lambda **o: train(batch_size=40, **o),
    "a split": lambda **o: train(validation_split=0.3, **o),
}


def assert_what_training_did(trace, run, step):
    """The trace's state before and after is the run's, to the bits."""
    before, after = run.at(step).state, run.at(step + 1).state
    position = trace.graph.labels
    for name, value in before.items():
        if name in trace.graph.positions:
            assert same({"": trace.values[trace.graph.find(name)]}, {"": value}), name
        if f"next.{name}" in position:
            assert same({"": trace.values[position[f"next.{name}"]]}, {"": after[name]}), name
    assert set(trace.graph.labels) >= {f"next.{p}" for p, _ in run.net.named_parameters()}


@pytest.mark.parametrize(("kind", "backend"), dealt(RUNS, BACKENDS))
def test_a_step_of_a_run_is_what_training_did(kind, backend):
    run = RUNS[kind](backend=backend)
    step = run.steps - 2
    trace = cr.explain(run.at(step=step))
    assert trace.about.step == step
    assert trace.about.epoch == 2
    assert trace.about.learning_rate == run.at(step).learning_rate
    assert trace.about.is_rule == (kind == "a learning rule")
    assert trace.about.rows == tuple(run.at(step).rows[0])
    assert_what_training_did(trace, run, step)


# Each with the backend that the test above does not take it with.
@pytest.mark.parametrize(
    ("kind", "backend"), dealt([kind for kind in RUNS if kind != "a short batch"], BACKENDS, 1)
)
def test_an_update_of_several_batches_is_one_trace(kind, backend):
    run = RUNS[kind](backend=backend, accumulate=3)
    trace = cr.explain(run.at(step=1))
    assert_what_training_did(trace, run, 1)
    rows = [row for batch in run.at(1).rows for row in batch]
    assert trace.about.rows == tuple(rows)


# --- where the run comes from ----------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_from_a_folder_is_explained_as_the_live_one(tmp_path, backend):
    options = {"optimizer": optim.Adam(lr=0.01), "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}
    run = train(regular(), backend=backend, folder=tmp_path / "run", **options)
    live = cr.explain(run.at(step=5))
    again = cr.explain(cr.load_run(tmp_path / "run", X, Y).at(step=5))
    assert again == live


def test_a_run_from_a_folder_without_its_data_says_what_to_pass(tmp_path):
    train(folder=tmp_path / "run")
    run = cr.load_run(tmp_path / "run")
    with pytest.raises(ReplayError) as caught:
        run.at(step=3)
    assert str(caught.value) == (
        "The run's data is not there to be read again. Pass what it was trained on: "
        f'cr.load_run("{tmp_path}/run", x, y).'
    )


def test_a_generators_run_is_refused():
    def batches():
        yield X[:16], Y[:16]

    run = train(x=batches, y=None)
    with pytest.raises(ReplayError, match="cannot be replayed: its batches came from a generator"):
        run.at(step=0)


def test_a_step_is_explained_while_training_goes_on():
    watching = Swallow()
    run = train(callbacks=[watching])
    assert watching.trace == cr.explain(run.at(step=-1))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_that_is_not_finite_is_explained_from_its_folder(tmp_path, backend):
    net, y = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1)), X[:, :1] * 1e3
    told = {"loss": "MSELoss", "optimizer": optim.SGD(lr=50.0), "folder": tmp_path / "run"}
    with pytest.raises(NonFiniteError):
        train(net, y=y, epochs=40, backend=backend, **told)
    run = cr.load_run(tmp_path / "run", X, y)
    trace = cr.explain(run.at(step=run.steps))
    assert not np.isfinite(trace["loss"].value)
    trace.save(tmp_path / "step.json")
    assert cr.load_trace(tmp_path / "step.json") == trace


@pytest.mark.parametrize("step", [1.0, "3", None, True])
def test_a_step_that_is_no_number_is_refused(step):
    with pytest.raises(ReplayError, match="A step is a whole number from 0 to 12; got"):
        train().at(step=step)


def test_a_step_that_was_never_made_is_refused():
    with pytest.raises(ReplayError) as caught:
        train().at(step=1234)
    assert str(caught.value) == "The run has steps 0 to 12; got 1234."


# --- nothing is changed ----------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_explaining_a_run_changes_nothing(backend):
    optimizer = optim.Adam(lr=0.01)
    run = train(regular(), optimizer=optimizer, backend=backend, accumulate=2)
    weights = {name: a.copy() for name, a in run.net.state_dict().items()}
    kept = {name: np.array(a) for name, a in optimizer.state.items()}
    state = {name: np.array(a) for name, a in run.standing.state.items()}
    history, steps, t = dict(run.history), run.steps, optimizer.t
    for step in (0, run.steps // 2, run.steps):
        cr.explain(run.at(step=step))
    assert same(run.net.state_dict(), weights)
    assert same(optimizer.state, kept)
    assert same(run.standing.state, state)
    assert (dict(run.history), run.steps, optimizer.t) == (history, steps, t)


@pytest.mark.parametrize("backend", BACKENDS)
def test_explaining_a_network_changes_neither_it_nor_the_optimiser(backend):
    net, optimizer = regular().initialize(seed=0), optim.Adam(lr=0.01)
    train(net, optimizer=optimizer)
    weights = {name: a.copy() for name, a in net.state_dict().items()}
    kept = {name: np.array(a) for name, a in optimizer.state.items()}
    trace = cr.explain(net, X, Y, loss="CrossEntropyLoss", optimizer=optimizer, backend=backend)
    assert trace["step"].value == optimizer.t == 12
    assert same(net.state_dict(), weights)
    assert same(optimizer.state, kept)


def test_explaining_first_does_not_change_what_training_does():
    explained, other = regular(), regular()
    cr.explain(explained, X, Y, loss="CrossEntropyLoss")
    assert same(train(explained).net.state_dict(), train(other).net.state_dict())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_network_is_explained_as_its_first_step_is_made(backend):
    run = train(batch_size=len(X), shuffle=False, backend=backend)
    asked = cr.explain(plain(), X, Y, loss="CrossEntropyLoss", backend=backend)
    assert asked == cr.explain(run.at(step=0))


# --- whatever examples come as ---------------------------------------------------------------


@pytest.mark.parametrize(
    "convert", [list, np.ndarray.tolist, cr.tensor, np.asfortranarray], ids=lambda f: f.__name__
)
def test_examples_come_as_anything_that_fit_takes(convert):
    expected = cr.explain(plain(), X, Y, loss="CrossEntropyLoss")
    assert cr.explain(plain(), convert(X), Y, loss="CrossEntropyLoss") == expected


def test_a_network_of_several_inputs_is_explained_on_all_examples():
    trace = cr.explain(TwoInputs(), (X, X[:, :2]), Y, loss="CrossEntropyLoss")
    assert trace.about.rows == tuple(range(len(X)))
    assert trace.graph["x1"].shape == (len(X), 2)


def test_a_data_set_is_explained_on_all_its_items():
    trace = cr.explain(plain(), Items(), loss="CrossEntropyLoss")
    assert len(trace.about.rows) == len(X)


def test_a_network_in_float64_stays_in_it():
    net = plain().astype(np.float64)
    trace = cr.explain(net, X, Y, loss="CrossEntropyLoss")
    assert {v.dtype.name for v in trace.values if v.dtype.kind == "f"} == {"float64"}


def test_examples_of_weight_zero_are_left_out_as_in_fit():
    weights = np.ones(len(X))
    weights[3] = 0.0
    trace = cr.explain(plain(), X, Y, loss="CrossEntropyLoss", sample_weight=weights)
    assert 3 not in trace.about.rows
    assert len(trace.about.rows) == len(X) - 1


def test_a_generator_is_refused():
    with pytest.raises(ConfigurationError) as caught:
        cr.explain(plain(), ((X[:4], Y[:4]) for _ in range(3)), loss="CrossEntropyLoss")
    assert str(caught.value) == (
        "explain captures a step on examples that are there, and a generator gives them once. "
        "Pass one of its batches: x, y = next(batches), then cr.explain(net, x, y)."
    )


REFUSED = {
    "no examples": (X[:0], Y[:0], {}, ShapeError),
    "fewer targets": (X, Y[:-1], {}, ShapeError),
    "not a number": (np.where(X > 0.9, np.nan, X), Y, {}, NonFiniteError),
    "infinite": (np.where(X > 0.9, np.inf, X), Y, {}, NonFiniteError),
    "another width": (X[:, :2], Y, {}, ShapeError),
    "a class too many": (X, Y + 1, {}, TargetError),
    "no targets": (X, None, {}, DataError),
    "text": ("x", Y, {}, DataError),
    "ragged": ([[1.0, 2.0], [3.0]], [0, 1], {}, DataError),
    "an unknown loss": (X, Y, {"loss": "CrossEntropy"}, None),
    "an unknown backend": (X, Y, {"backend": "cuda"}, None),
    "an optimiser's name": (X, Y, {"optimizer": "Adam"}, ConfigurationError),
    "negative weights": (X, Y, {"sample_weight": -np.ones(len(X))}, None),
    "weights of nothing": (X, Y, {"sample_weight": np.zeros(len(X))}, None),
    "class weights that are none": (X, Y, {"class_weight": {7: 1.0}}, None),
    "a penalty that is none": (X, Y, {"penalty": 0.1}, None),
    "a negative seed": (X, Y, {"seed": -1}, ConfigurationError),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_fit_refuses_is_refused_in_the_same_words_but_for_its_name(what):
    x, y, options, kind = REFUSED[what]
    options = {"loss": "CrossEntropyLoss"} | options

    def refusal(call):
        with pytest.raises(kind or Exception) as caught:
            call()
        words = re.sub(r"Line \d+", "Line", str(caught.value))
        return type(caught.value), re.sub(r"\bfit\b", "explain", words)

    fitted = refusal(lambda: cr.fit(plain(), x, y, batch_size=50, progress=False, **options))
    assert refusal(lambda: cr.explain(plain(), x, y, **options)) == fitted


def test_a_network_that_is_all_frozen_is_refused_as_by_fit():
    net = linear()
    for _, parameter in net.named_parameters():
        parameter.requires_grad = False
    with pytest.raises(Exception, match="All 2 parameters are frozen"):
        cr.explain(net, X[:, :1], X[:, :1])


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"x": X}, "x"),
        ({"y": Y}, "y"),
        ({"loss": "L1Loss"}, "loss"),
        ({"optimizer": optim.SGD(lr=0.1)}, "optimizer"),
        ({"sample_weight": np.ones(3)}, "sample_weight"),
        ({"backend": "native"}, "backend"),
        ({"seed": 7}, "seed"),
    ],
)
def test_a_step_of_a_run_takes_no_options_of_another(given, name):
    with pytest.raises(ConfigurationError) as caught:
        cr.explain(train().at(step=0), **given)
    assert str(caught.value) == (
        f"explain got a step of a run, and {name} with it. A step knows its data and all else: "
        "cr.explain(run.at(step))."
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"y": None}, "explain needs targets. Call explain(net, x, y, ...)."),
        (
            {"x": 3, "y": None},
            "explain reads arrays x and y, or an object with __len__ and __getitem__; got int.",
        ),
        (
            {"optimizer": "sgd"},
            "explain takes optimizer as Optimizer; got 'sgd'. Write optimizer=optim.SGD(lr=0.01).",
        ),
        (
            {"optimizer": optim.LBFGS()},
            (
                "explain updates batch by batch; LBFGS minimises a function of all examples. Call "
                "LBFGS(...).minimize(f, net), f being the loss of all examples."
            ),
        ),
        ({"seed": -1}, "explain takes seed as a whole number ≥ 0; got -1."),
        (
            {"penalty": 3},
            (
                "explain takes penalty as a Penalty, or a list of them; got 3. Write "
                "penalty=nn.L2Penalty(1e-4)."
            ),
        ),
    ],
)
def test_errors_speak_of_explain_and_not_of_fit(given, says):
    with pytest.raises(ChainruleError) as caught:
        cr.explain(**({"what": plain(), "x": X, "y": Y, "loss": "CrossEntropyLoss"} | given))
    assert str(caught.value) == says
    assert caught.value.args == (caught.value.message,)


@pytest.mark.parametrize("what", [None, "run", 3])
def test_what_is_no_network_is_refused(what):
    with pytest.raises(ConfigurationError, match="explain takes a network or a step of a run; got"):
        cr.explain(what, X, Y)


def test_a_whole_run_is_refused_with_what_to_write():
    with pytest.raises(ConfigurationError) as caught:
        cr.explain(train())
    assert str(caught.value) == (
        "explain takes a network or a step of a run; got Run. Write cr.explain(net, x, y, "
        "loss=...) or cr.explain(run.at(0))."
    )


@pytest.mark.parametrize("penalty", [None, nn.L2Penalty(0.1)])
def test_gradients_of_several_terms_have_the_equation_of_all_of_them(penalty):
    shared = nn.Linear(3, 3)
    net = nn.Sequential(shared, nn.Tanh(), shared, nn.Tanh(), nn.Linear(3, 2)).initialize(0)
    x, y = np.ones((4, 3)), np.array([0, 1, 0, 1])
    trace = cr.explain(net, x, y, loss=nn.CrossEntropyLoss(), penalty=penalty)
    found = {
        name: caption and caption.name
        for name in ("0.weight", "0.bias", "4.weight", "4.bias")
        for caption in [trace[f"d_{name}", *(0 for _ in trace.graph[name].shape)].caption]
    }
    weight = "BP4" if penalty is None else None  # a penalty's term is of neither
    assert found == {"0.weight": weight, "0.bias": "BP3", "4.weight": weight, "4.bias": "BP3"}
