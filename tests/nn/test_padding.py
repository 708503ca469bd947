"""Batches that are not whole are padded where code is compiled: nobody can see it in a number."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.backends import get_backend
from chainrule.backends.native import NativeBackend
from chainrule.backends.native import backend as native
from chainrule.backends.numpy.backend import NumpyBackend
from chainrule.base.errors import DataError, NonFiniteError
from chainrule.nn import batches
from chainrule.nn.batches import map_batches
from tests.nn.catalogue import CALLED, LAYERS
from tests.nn.measured import OF_CLASSES, OF_NUMBERS, Outputs
from tests.nn.parity import numbers
from tests.nn.test_losses_training import CHOICES
from tests.nn.test_metrics_rules import KINDS, NAMED, applicable


class Sized(NumpyBackend):
    """NumPy, that says it compiles each size; it keeps how many rows it was asked for."""

    compiles_sizes = True

    def __init__(self):
        self.rows = []

    def run(self, graph, inputs):
        self.rows.append(len(inputs[0]))
        return super().run(graph, inputs)


class Centred(nn.Module):
    """Subtracts the mean of the batch."""

    def __init__(self):
        self.linear = nn.Linear(3, 2)

    def forward(self, x):
        return self.linear(x - x.mean(0))


@pytest.fixture
def sized(monkeypatch):
    backend = Sized()
    monkeypatch.setattr(batches, "get_backend", lambda name: backend)
    return backend


@pytest.fixture
def ran(monkeypatch):
    """How many rows the native backend was asked for."""
    rows, run = [], NativeBackend.run

    def noted(self, graph, inputs):
        rows.append(len(inputs[0]))
        return run(self, graph, inputs)

    monkeypatch.setattr(NativeBackend, "run", noted)
    return rows


def unpadded(monkeypatch):
    monkeypatch.setattr(batches, "resize_batch", lambda *_: None)


# --- sizes ---------------------------------------------------------------------------------------


def test_batches_are_of_powers_of_two_and_of_the_whole_size(sized):
    net = nn.Linear(2, 3)
    for count in range(1, 14):
        assert net.predict(np.ones((count, 2)), batch_size=12).shape == (count, 3)
    assert sized.rows == [1, 2, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12, 12, 1]


@pytest.mark.parametrize(
    ("net", "count", "rows"),
    [
        # The widest value is x, of 512 bytes a row: 4 MiB are 8192 rows.
        (nn.Linear(128, 3), 20_000, [8192, 8192, 4096]),
        (nn.Linear(128, 3), 5000, [4096, 1024]),
        (nn.Linear(128, 3), 511, [256, 256]),
        # 40,000 bytes a row are 104 rows.
        (nn.Linear(2, 10_000), 600, [256, 256, 128]),
        # Between them is a number for all examples: which ones they are would be seen.
        (Centred(), 600, [256, 256, 88]),
    ],
    ids=["as many as fit", "as many as there are", "few", "wide", "mixing"],
)
def test_evaluation_takes_as_many_rows_as_the_widest_value_lets_it(sized, net, count, rows):
    width = int(next(iter(net.parameters())).shape[1])
    width_out = int(net(np.ones((1, width), np.float32)).shape[1])
    x, y = np.ones((count, width), np.float32), np.zeros((count, width_out), np.float32)
    net.evaluate(x, y, loss="MSELoss")
    assert sized.rows == rows


def test_no_rows_are_no_rows(sized):
    assert nn.Linear(2, 3).predict(np.ones((0, 2))).shape == (0, 3)
    assert sized.rows == [0]


def test_what_does_not_compile_is_given_the_rows_there_are(monkeypatch):
    monkeypatch.setattr(Sized, "compiles_sizes", NumpyBackend.compiles_sizes)
    backend = Sized()
    list(map_batches(lambda x: x * 2, {"x": np.ones((5, 2))}, 256, backend))
    assert backend.rows == [5]


def test_a_network_is_compiled_for_few_sizes(monkeypatch):
    made = []
    monkeypatch.setattr(batches, "get_backend", lambda name: NativeBackend())
    routine = native.Routine

    def noted(graph, compiler):
        made.append(int(graph.nodes[0].shape[0]))
        return routine(graph, compiler)

    monkeypatch.setattr(native, "Routine", noted)
    net = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    for _ in range(2):
        for count in range(1, 41):
            net.predict(numbers(0, count, 3), batch_size=32)
    assert made == [1, 2, 4, 8, 16, 32]


# --- predict -------------------------------------------------------------------------------------


class Attention(nn.Module):
    """Each example looks at its own five places."""

    def __init__(self):
        self.q, self.k = nn.Linear(4, 8), nn.Linear(4, 8)
        self.out = nn.Linear(4, 3)

    def forward(self, x):
        weights = cr.einsum("bti,bsi->bts", self.q(x), self.k(x)).softmax(2)
        return self.out(cr.einsum("bts,bsi->bti", weights, x)).mean(1)


def classifier():
    layers = [nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Linear(64, 10), nn.LogSoftmax(1))


def words():
    return nn.Sequential(nn.Embedding(30, 6, padding_idx=0), nn.Flatten(), nn.Linear(42, 5))


def normed():
    return nn.Sequential(nn.Linear(20, 24), nn.LayerNorm(24), nn.GELU(), nn.Linear(24, 1))


NETWORKS = {
    "classifier": (classifier, numbers(0, 300, 20)),
    "in float64": (lambda: classifier().astype("float64"), numbers(0, 300, 20)),
    "words": (words, np.random.default_rng(0).integers(0, 30, (300, 7))),
    "normed": (normed, numbers(1, 300, 20)),
    "attention": (Attention, numbers(2, 300, 5, 4)),
    "one number": (lambda: nn.Linear(37, 1), numbers(3, 300, 37)),
    "wide": (lambda: nn.Linear(3, 130, bias=False), numbers(4, 300, 3)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_rows_bits_do_not_depend_on_the_rows_around_it(name, ran, monkeypatch):
    make, x = NETWORKS[name]
    net = make()
    monkeypatch.setattr(batches, "get_backend", lambda name: get_backend("native"))
    whole = net.predict(x)
    assert ran == [256, 64]
    for count in (1, 2, 3, 5, 100, 255, 256, 257):
        np.testing.assert_array_equal(net.predict(x[:count]), whole[:count])
    assert ran[2:] == [1, 2, 4, 8, 128, 256, 256, 256, 1]
    alone = np.concatenate([net.predict(row[None]) for row in x[::7]])
    np.testing.assert_array_equal(alone, whole[::7])
    # What is padded is what would have been computed for the rows there are.
    unpadded(monkeypatch)
    for count in (3, 5, 100):
        np.testing.assert_array_equal(net.predict(x[:count]), whole[:count])
    assert ran[-3:] == [3, 5, 100]


class Mixing(nn.Module):
    def __init__(self, how):
        self.how = how
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.how(self.linear(x))


MIXING = {
    "centred": lambda y: y - y.mean(0),
    "softmax over the batch": lambda y: y.softmax(0),
    "softmax of all": lambda y: y.reshape(-1).softmax(0).reshape(y.shape[0], -1),
    "relative to the last": lambda y: y - y[-1],
    "in reverse": lambda y: cr.flip(y, 0),
    "similarities": lambda y: (y @ y.T).sum(1, keepdims=True),
    "batch statistics": lambda y: nn.BatchNorm1d(2, affine=False, track_running_stats=False)(y),
}


@pytest.mark.parametrize("name", MIXING)
@pytest.mark.parametrize("count", [3, 5])
def test_a_network_whose_examples_mix_sees_no_other_rows(sized, name, count):
    net = Mixing(MIXING[name])
    x = numbers(0, count, 4)
    found = net.predict(x)
    assert sized.rows == [count]
    alone = net(cr.tensor(x.astype(np.float32))).numpy()
    # Numbers of order 1, each of at most ten operations in float32.
    np.testing.assert_allclose(found, alone, rtol=0, atol=2**-19)


def test_what_a_network_makes_of_the_number_of_its_rows_is_of_those_it_was_given(sized):
    found = Mixing(lambda y: 0 * y + y.shape[0]).predict(np.ones((5, 4)))
    assert sized.rows == [8]
    np.testing.assert_array_equal(found, np.full((5, 2), 5.0))


def test_layers_but_those_over_the_batch_are_padded(sized):
    padded = set()
    for name in CALLED:
        make, x = LAYERS[name]
        few = tuple(a[:3] for a in x) if isinstance(x, tuple) else x[:3]
        sized.rows.clear()
        make().predict(few)
        if sized.rows == [4]:
            padded.add(name)
    # The catalogue has these three over axis 0.
    assert set(CALLED) - padded == {"Softmax", "LogSoftmax", "Softmin"}


def test_several_outputs_are_trimmed_alike(sized):
    class Joint(nn.Module):
        def forward(self, x, z):
            return {"s": x * 2, "t": (x + z, z)}

    x, z = numbers(0, 5, 2).astype(np.float32), numbers(1, 5, 2).astype(np.float32)
    found = Joint().predict((x, z))
    assert sized.rows == [8]
    np.testing.assert_array_equal(found["s"], x * 2)
    np.testing.assert_array_equal(found["t"][0], x + z)
    np.testing.assert_array_equal(found["t"][1], z)


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_a_position_outside_of_a_table_is_named_by_its_row(backend, monkeypatch):
    monkeypatch.setattr(batches, "get_backend", lambda name: get_backend(backend))
    net = nn.Embedding(5, 2)
    for row in (0, 4):
        x = np.zeros((5, 3), np.int64)
        x[row, 1] = 9
        with pytest.raises(DataError, match=rf"^Row {row} of x holds 9 in element \[1\]; "):
            net.predict(x)


# --- evaluate ------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_every_loss_is_of_the_rows_there_are(choice, sized, monkeypatch):
    case = CHOICES[choice]
    outputs, target = case.draw(case.shape)
    rows = np.arange(3) % len(outputs[0])
    x = tuple(np.asarray(o, np.float32)[rows] for o in outputs)
    y = np.zeros(3) if target is None else np.asarray(target)[rows]
    weights = np.array([0.5, 2.0, 1.25])

    def evaluated():
        return Outputs().evaluate(
            x if len(x) > 1 else x[0], y, loss=case.loss, metrics=[], weights=weights
        )

    padded = evaluated()
    assert sized.rows == [4]
    unpadded(monkeypatch)
    assert padded["loss"] == pytest.approx(evaluated()["loss"], rel=2**-20)


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_is_of_the_rows_there_are(kind, monkeypatch):
    names = applicable(kind)
    backend = Sized()
    outputs, target = (np.concatenate([a, a[::-1], a[1:]]) for a in KINDS[kind])

    def evaluated(weights):
        return Outputs().evaluate(
            np.asarray(outputs, np.float32),
            target,
            loss=NAMED.get(kind, kind),
            metrics=names,
            weights=weights,
            batch_size=8,
        )

    monkeypatch.setattr(batches, "get_backend", lambda name: backend)
    for weights in (None, np.linspace(0, 2, len(target))):
        padded = evaluated(weights)
        assert backend.rows[-2:] == [8, 4]
        with monkeypatch.context() as plain:
            unpadded(plain)
            found = evaluated(weights)
        assert backend.rows[-2:] == [8, 3]
        assert list(found) == list(padded) == ["loss", *names]
        for name, value in found.items():
            assert padded[name] == pytest.approx(value, rel=2**-20, nan_ok=True), name


def test_all_metrics_are_among_these():
    assert {n for kind in KINDS for n in applicable(kind)} == {*OF_CLASSES, *OF_NUMBERS}


@pytest.mark.parametrize("ignored", [[], [6], [0, 5, 6]])
def test_evaluation_by_compiled_code_has_the_bits_of_the_rows_there_are(ignored, monkeypatch, ran):
    net, x = classifier(), numbers(0, 7, 20)
    y = np.array([3, 0, 9, 9, 1, 4, 4])
    y[ignored] = -100
    monkeypatch.setattr(batches, "get_backend", lambda name: get_backend("native"))
    options = {
        "loss": nn.NLLLoss(ignore_index=-100),
        "metrics": ["accuracy", "f1_macro", "top_3_accuracy"],
    }
    padded = net.evaluate(x, y, weights=np.arange(7) / 2, **options)
    unpadded(monkeypatch)
    assert net.evaluate(x, y, weights=np.arange(7) / 2, **options) == padded
    assert ran == [8, 7]


def test_a_last_row_that_is_nan_is_one_row(sized):
    x = np.array([[1.0, 0.0], [0.0, 1.0], [np.nan, 0.0]])
    net = nn.Sequential()
    found = net.evaluate(x, [0, 1, 0], loss="CrossEntropyLoss", metrics="accuracy")
    assert sized.rows == [4]
    assert np.isnan(list(found.values())).all()
    found = net.evaluate(
        x, [0, 1, 0], loss="CrossEntropyLoss", metrics="accuracy", weights=[1, 1, 0]
    )
    assert found["accuracy"] == 1
    with pytest.raises(NonFiniteError):
        nn.confusion_matrix(net, x, [0, 1, 0], loss="CrossEntropyLoss")


def test_a_confusion_matrix_counts_the_rows_there_are(sized):
    z = np.eye(3)[[0, 1, 2, 2, 2]]
    found = nn.confusion_matrix(nn.Sequential(), z, [0, 1, 1, 2, 2], loss="CrossEntropyLoss")
    assert sized.rows == [8]
    np.testing.assert_array_equal(found, [[1, 0, 0], [0, 1, 1], [0, 0, 2]])


def test_a_loss_that_mixes_examples_sees_no_other_rows(sized):
    def far_from_the_mean(output, target):
        return ((output - target - (output - target).mean(0)) ** 2).sum(1)

    x = numbers(0, 5, 2).astype(np.float32)
    found = nn.Sequential().evaluate(x, np.zeros((5, 2)), loss=far_from_the_mean)
    assert sized.rows == [5]
    assert found["loss"] == pytest.approx(x.var(0).sum(), rel=1e-5)


def test_validation_in_fit_is_padded(ran):
    net, x, y = nn.Linear(4, 2), numbers(0, 21, 4), numbers(1, 21, 2)
    run = cr.fit(
        net, x[:10], y[:10], loss="MSELoss", validation=(x[10:], y[10:]), epochs=1,
        batch_size=16, progress=False, backend="native",
    )  # fmt: skip
    assert ran
    assert {16} == set(ran)
    cost = ((net.predict(x[10:]) - y[10:]) ** 2).mean()
    assert run.history["val_loss"][-1] == pytest.approx(cost, rel=1e-5)
