"""Whatever examples come as: arrays of any kind, data sets by item, batches from a generator."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import (
    ConfigurationError,
    DataError,
    ReplayError,
    ShapeError,
    TargetError,
)
from tests.train.nets import examples, plain, regular, same, same_run

X, Y = examples()


def train(x, y=None, net=None, **options):
    told = {"loss": "CrossEntropyLoss", "batch_size": 16, "epochs": 2, **options}
    return cr.fit(net or plain(), x, y, **told)


@pytest.mark.parametrize(
    "convert",
    [list, np.ndarray.tolist, cr.tensor, lambda a: np.asfortranarray(a), lambda a: a[::1]],
    ids=["list of arrays", "nested list", "Tensor", "Fortran order", "view"],
)
def test_whatever_holds_the_numbers(convert):
    expected = train(X, Y)
    assert same_run(train(convert(X), Y), expected)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64", "bool", "float16"])
def test_inputs_of_any_number_type(dtype):
    x = (np.abs(X) * 2).astype(dtype)
    assert same_run(train(x, Y), train(x.astype(np.float64), Y))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float32", "float64"])
def test_classes_of_any_number_type(dtype):
    assert same_run(train(X, Y.astype(dtype)), train(X, Y))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
def test_binary_targets_of_any_number_type(dtype):
    y = (Y == 1).reshape(-1, 1)
    net = lambda: plain(outputs=1)  # noqa: E731
    told = {"loss": "BCEWithLogitsLoss", "metrics": ["accuracy"]}
    assert same_run(
        train(X, y.astype(dtype), net(), **told), train(X, y.astype(float), net(), **told)
    )


def test_computation_is_in_the_dtype_asked_for():
    for dtype in ("float32", "float64", np.float32, np.dtype("float64")):
        run = train(X, Y, dtype=dtype)
        assert {a.dtype for a in run.net.state_dict().values()} == {np.dtype(dtype)}


class Items:
    """A data set as torch has them: a length, and items by number."""

    def __init__(self, x, y):
        self.x = x
        self.y = y
        self.asked = []

    def __len__(self):
        return len(self.x)

    def __getitem__(self, row):
        self.asked.append(row)
        return self.x[row], self.y[row]


@pytest.mark.parametrize("options", [{}, {"accumulate": 2}, {"drop_last": True}])
def test_items_train_as_arrays_do(options):
    run = train(Items(X, Y), None, regular(), **options)
    assert same_run(run, train(X, Y, regular(), **options))
    expected = train(X, Y, regular(), **options)
    for a, b in zip(run.at(3).record_batches(), expected.at(3).record_batches(), strict=True):
        assert same(a, b)


def test_items_can_be_split():
    assert same_run(train(Items(X, Y), validation_split=0.2), train(X, Y, validation_split=0.2))


def test_a_list_of_pairs_is_a_data_set():
    assert same_run(train(list(zip(X, Y, strict=True))), train(X, Y))


def test_items_are_fetched_when_they_are_needed():
    items = Items(X, Y)
    cr.fit(plain(), items, loss="CrossEntropyLoss", batch_size=10, epochs=1, shuffle=False)
    fetched = items.asked[-50:]
    assert fetched == list(range(50))


def test_items_can_be_resumed(tmp_path):
    train(Items(X, Y), folder=tmp_path / "run", epochs=1)
    run = cr.resume(tmp_path / "run", Items(X, Y), epochs=2)
    assert same_run(run, train(X, Y))
    with pytest.raises(ReplayError, match="its numbers differ"):
        cr.resume(tmp_path / "run", Items(X + 1, Y))


def test_items_of_several_inputs():
    pairs = [((a[:2], a[2:]), y) for a, y in zip(X, Y, strict=True)]
    run = train(pairs, None, Two())
    assert same_run(run, train((X[:, :2], X[:, 2:]), Y, Two()))


def batches(size=16):
    for begin in range(0, len(X), size):
        yield X[begin : begin + size], Y[begin : begin + size]


def test_a_generator_of_batches():
    run = train(batches(), epochs=1)
    expected = train(X, Y, shuffle=False, epochs=1)
    assert same(run.net.state_dict(), expected.net.state_dict())
    assert run.history == expected.history
    assert run.steps == 4


def test_a_function_that_makes_a_generator_each_epoch():
    run = train(batches, epochs=3, metrics=["accuracy"], validation=(X, Y))
    expected = train(X, Y, shuffle=False, epochs=3, metrics=["accuracy"], validation=(X, Y))
    assert same(run.net.state_dict(), expected.net.state_dict())
    assert run.history == expected.history


def test_a_generators_batches_can_have_weights():
    w = 1.0 + np.arange(len(X)) % 3

    def weighted():
        for i, (x, y) in enumerate(batches()):
            yield x, y, w[16 * i : 16 * i + 16]

    run = train(weighted)
    expected = train(X, Y, shuffle=False, sample_weight=w)
    assert same(run.net.state_dict(), expected.net.state_dict())
    assert run.history == expected.history


def test_a_generators_batches_can_be_accumulated():
    run = train(lambda: batches(8), accumulate=2)
    expected = train(X, Y, shuffle=False, batch_size=8, accumulate=2)
    assert same(run.net.state_dict(), expected.net.state_dict())
    assert run.steps == expected.steps


def test_a_list_of_batches_is_read_through_iter():
    run = train(iter(list(batches())), epochs=1)
    assert same(run.net.state_dict(), train(X, Y, shuffle=False, epochs=1).net.state_dict())


def test_a_generators_run_has_a_history_but_no_replay(tmp_path):
    run = train(batches, folder=tmp_path / "run")
    with pytest.raises(ReplayError) as caught:
        run.at(1)
    assert str(caught.value) == (
        "This run cannot be replayed: its batches came from a generator, once. "
        "Train on arrays, or on an object with __len__ and __getitem__."
    )
    loaded = cr.load_run(tmp_path / "run")
    assert loaded.history == run.history
    assert same(loaded.net.state_dict(), run.net.state_dict())
    for again in (cr.resume, cr.load_run):
        with pytest.raises(ReplayError, match="its batches came from a generator, once"):
            again(tmp_path / "run", X, Y)


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (
            lambda: (pair for pair in batches()),
            {"epochs": 2},
            (
                "A generator is spent after one epoch; epochs=2. "
                "Pass the function that makes it: fit(net, make_batches, ...)."
            ),
        ),
        (lambda: iter([]), {"epochs": 1}, "The generator of batches yields none."),
        (
            lambda: iter([X]),
            {"epochs": 1},
            "A generator of batches yields (x, y) or (x, y, sample_weight); got ndarray. Batch 0.",
        ),
        (
            lambda: iter([(X, Y[:3])]),
            {"epochs": 1},
            "There is one target for each example; got 50 examples and 3. Batch 0.",
        ),
        (
            lambda: iter([(X, Y), (X[:, :2], Y)]),
            {"epochs": 1},
            "x has rows of type f32[2]; those before are f32[4]. Batch 1.",
        ),
        (
            lambda: iter([(X, Y), (X, Y, np.ones(50))]),
            {"epochs": 1},
            "Either all batches have weights, or none. Batch 1.",
        ),
        (
            lambda: iter([(X, Y)]),
            {"epochs": 1, "validation_split": 0.5},
            (
                "validation_split needs to know all examples, and a generator does not. "
                "Pass validation=(x, y)."
            ),
        ),
        (
            lambda: iter([(X, Y)]),
            {"epochs": 1, "sample_weight": np.ones(50)},
            "Weights go with arrays x and y. Let the generator yield (x, y, sample_weight).",
        ),
        (
            lambda: Items(X, [*Y[:49], "iris"]),
            {},
            (
                "Targets are numbers; got <U21. In the batch of rows 0, 1, 2, 3, 4, 5, 6, 7, ... "
                "Number the classes: np.unique(y, return_inverse=True)[1]."
            ),
        ),
        (
            lambda: [(X[0], 1), (X[0][:2], 1)],
            {},
            (
                "The examples of a batch do not have equal shapes: all input arrays must have "
                "the same shape. In the batch of rows 0, 1."
            ),
        ),
        (lambda: [(X[0], 1), X[1]], {}, "A data set's item is a pair (x, y); got ndarray. Item 1."),
        (list, {}, "The data set has no items: len(list) is 0."),
        (lambda: X, {}, "fit needs targets. Call fit(net, x, y, ...)."),
        (
            lambda: 3,
            {},
            (
                "fit reads arrays x and y, an object with __len__ and __getitem__, or a "
                "generator of "
                "batches; got int."
            ),
        ),
    ],
    ids=[
        "spent",
        "none",
        "no pair",
        "lengths",
        "widths",
        "weights",
        "split",
        "sample weights",
        "item target",
        "item shape",
        "item pair",
        "no items",
        "no targets",
        "a number",
    ],
)
def test_data_that_cannot_be_read_is_refused(x, options, message):
    with pytest.raises((DataError, ConfigurationError, ShapeError)) as caught:
        train(x(), **options)
    assert str(caught.value).startswith(message)


def test_every_batchs_targets_are_checked():
    """Not only those that are looked at before training."""
    y = np.append(Y, 3)
    items = [(X[i % 50], y[50 if i == 290 else i % 50]) for i in range(300)]
    with pytest.raises(TargetError, match=r"from 0 to 2; got 3\. In the batch of rows"):
        train(items, shuffle=False)
    with pytest.raises(TargetError, match=r"from 0 to 2; got 4\. Batch 1, Row 0"):
        train(iter([(X, Y), (X, Y + 3)]), epochs=1)


def test_a_batch_that_weighs_nothing_is_refused():
    with pytest.raises(DataError) as caught:
        train(iter([(X, Y, np.ones(50)), (X, Y, np.zeros(50))]), epochs=1)
    assert str(caught.value) == (
        "Weights are finite, not negative, and not all of them zero. Batch 1."
    )


# --- networks with several inputs and outputs ------------------------------------------------


class Two(nn.Module):
    """Two inputs, joined."""

    def __init__(self):
        self.left, self.right = nn.Linear(2, 5), nn.Linear(2, 5)
        self.out = nn.Linear(5, 3)

    def forward(self, a, b):
        return self.out((self.left(a) + self.right(b)).tanh())


class TwoByTwo(nn.Module):
    """Two inputs, two outputs."""

    def __init__(self):
        self.left, self.right = nn.Linear(2, 3), nn.Linear(2, 3)

    def forward(self, a, b):
        total = self.left(a) + self.right(b)
        return total, total.square().sum(axis=1)


def both(output, target):
    logits, size = output
    return nn.CrossEntropyLoss()(logits, target.astype("int64")) + 0.01 * size


def test_a_network_with_two_inputs_and_two_outputs():
    x = (X[:, :2], X[:, 2:])
    run = train(x, Y, TwoByTwo(), loss=both, optimizer=optim.Adam(lr=0.05), epochs=20)
    assert run.history["loss"][-1] < 0.7 * run.history["loss"][0]
    logits, size = run.net.predict(x)
    assert logits.shape == (50, 3)
    assert size.shape == (50,)
    assert set(run.at(0).record()) >= {"x0", "x1", "target", "loss", "out.0", "out.1"}


def test_a_network_with_two_inputs_validates_on_two():
    x = (X[:, :2], X[:, 2:])
    run = train(x, Y, Two(), validation=(x, Y), metrics=["accuracy"])
    assert run.history["val_loss"][-1] == run.net.evaluate(x, Y)["loss"]


def test_arrays_that_a_network_captured(tmp_path):
    """They are inputs of the step, and belong to what a replay must find again."""

    class Scaled(nn.Module):
        def __init__(self, scale):
            self.scale = scale
            self.linear = nn.Linear(4, 3)

        def forward(self, x):
            return self.linear(x * self.scale)

    scale = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    run = train(X, Y, Scaled(scale), folder=tmp_path / "run")
    again = cr.load_run(tmp_path / "run", X, Y, net=Scaled(scale))
    assert same(again.at(5).state, run.at(5).state)
    with pytest.raises(ReplayError, match="an array that it uses, captured0, has other numbers"):
        cr.load_run(tmp_path / "run", X, Y, net=Scaled(2 * scale))


def test_examples_of_more_axes():
    images = np.resize(X, (20, 2, 3, 4))
    net = nn.Sequential(nn.Flatten(), nn.Linear(24, 3))
    run = train(images, Y[:20], net)
    assert run.steps == 4
    assert run.net.predict(images).shape == (20, 3)
