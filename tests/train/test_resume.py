"""A run that was cut off anywhere and resumed has the bits of one that never stopped."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, ReplayError
from chainrule.train.run import INTERRUPTED
from tests.sampling import one_in
from tests.train.nets import examples, plain, regular, same, same_run

X, Y = examples()
XV, YV = examples(count=20, classes=3)


class Interrupt(cr.Callback):
    """Ctrl-C after one update, or at the end of one epoch."""

    def __init__(self, step=None, epoch=None):
        self.step = step
        self.epoch = epoch

    def on_train_batch_end(self, step, logs):
        if step == self.step:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def everything():
    """Options under which everything that has state has some."""
    return {
        "loss": "CrossEntropyLoss",
        "optimizer": optim.Adam(lr=0.02, amsgrad=True),
        "schedule": optim.ReduceLROnPlateau(factor=0.5, patience=0, threshold=0.25),
        "batch_size": 4,
        "accumulate": 2,
        "epochs": 5,
        "validation_split": 0.2,
        "metrics": ["accuracy"],
        "class_weight": {0: 1.0, 1: 2.0, 2: 0.5},
        "seed": 11,
    }


def early():
    return cr.EarlyStopping(monitor="val_loss", patience=2, min_delta=0.01)


@pytest.fixture(scope="module")
def uninterrupted():
    return cr.fit(regular(), X, Y, callbacks=[early()], **everything())


def test_uninterrupted_run_uses_what_is_tested_here(uninterrupted):
    assert uninterrupted.steps == 25
    assert len(set(uninterrupted.history["lr"])) > 1
    assert uninterrupted.standing.callbacks["EarlyStopping"]["best_epoch"] == 4


@pytest.mark.parametrize("step", one_in(3, range(25)))
def test_resume_after_any_step_is_as_if_nothing_had_happened(tmp_path, step, uninterrupted):
    expected = uninterrupted
    cut = cr.fit(
        regular(),
        X,
        Y,
        callbacks=[early(), Interrupt(step)],
        folder=tmp_path / "run",
        **everything(),
    )
    assert cut.stopped == INTERRUPTED
    assert cut.steps == step + 1
    resumed = cr.resume(tmp_path / "run", X, Y, callbacks=[early()])
    assert same_run(resumed, expected)
    assert resumed.stopped == expected.stopped
    for k in (0, step, expected.steps - 1):
        assert same(resumed.at(k).state, expected.at(k).state)
    assert same_run(cr.load_run(tmp_path / "run", X, Y), expected)


@pytest.mark.parametrize("epoch", range(4))
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_interrupted_at_the_end_of_an_epoch(tmp_path, epoch, first, uninterrupted):
    """Some callbacks have seen the epoch's end, some have not: it is gone through again."""
    both = [Interrupt(epoch=epoch), early()]
    cut = cr.fit(
        regular(),
        X,
        Y,
        callbacks=both if first else both[::-1],
        folder=tmp_path / "run",
        **everything(),
    )
    assert cut.stopped == INTERRUPTED
    assert cut.history.epochs == epoch
    resumed = cr.resume(tmp_path / "run", X, Y, callbacks=[early()])
    assert same_run(resumed, uninterrupted)


def test_interrupted_many_times(tmp_path, uninterrupted):
    cr.fit(
        regular(), X, Y, callbacks=[early(), Interrupt(2)], folder=tmp_path / "run", **everything()
    )
    for step in (3, 9, 10, 17):
        cut = cr.resume(tmp_path / "run", X, Y, callbacks=[early(), Interrupt(step)])
        assert (cut.steps, cut.stopped) == (step + 1, INTERRUPTED)
    assert same_run(cr.resume(tmp_path / "run", X, Y, callbacks=[early()]), uninterrupted)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": lambda: optim.SGD(lr=0.1, momentum=0.9, dampening=0.1)},
        {"optimizer": lambda: optim.AdamW(groups={"*.bias": {"weight_decay": 0.0}})},
        {"schedule": lambda: optim.CosineAnnealingLR(T_max=20, unit="step")},
        {"schedule": lambda: optim.StepLR(step_size=2)},
        {"dtype": lambda: "float64"},
        {"drop_last": lambda: True},
        {"shuffle": lambda: False},
        {"sample_weight": lambda: 1.0 + np.arange(50) % 3},
        {"validation": lambda: (XV, YV, np.ones(20))},
        {"batch_size": lambda: 100},
    ],
    ids=[
        "momentum",
        "groups",
        "per step",
        "per epoch",
        "float64",
        "drop_last",
        "order",
        "weights",
        "validation",
        "one batch",
    ],
)
def test_resume_knows_every_option(tmp_path, options):
    def train(**more):
        told = {name: make() for name, make in options.items()}
        return cr.fit(regular(), X, Y, **{"loss": "CrossEntropyLoss", "epochs": 4, **told, **more})

    expected = train()
    train(folder=tmp_path / "run", callbacks=[Interrupt(expected.steps // 2)])
    given = {n: make() for n, make in options.items() if n in ("sample_weight", "validation")}
    resumed = cr.resume(tmp_path / "run", X, Y, callbacks=[], **given)
    assert same_run(resumed, expected)


def test_more_epochs_are_those_of_a_longer_run(tmp_path, uninterrupted):
    told = everything() | {"epochs": 2}
    cr.fit(regular(), X, Y, folder=tmp_path / "run", callbacks=[early()], **told)
    more = cr.resume(tmp_path / "run", X, Y, epochs=5)
    assert same_run(more, uninterrupted)
    again = cr.resume(tmp_path / "run", X, Y)  # and the folder remembers how many
    assert same_run(again, more)


def test_resuming_what_is_over_returns_it(tmp_path):
    run = cr.fit(regular(), X, Y, folder=tmp_path / "run", callbacks=[early()], **everything())
    files = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    again = cr.resume(tmp_path / "run", X, Y)
    assert same_run(again, run)
    assert again.stopped == run.stopped
    assert files == {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}


def test_early_stopping_ends_a_resumed_run_where_it_ends_a_whole_one(tmp_path):
    told = everything() | {"epochs": 50, "optimizer": optim.SGD(lr=1e-5)}
    whole = cr.fit(regular(), X, Y, callbacks=[early()], **told)
    assert whole.stopped
    assert whole.history.epochs < 50
    told["optimizer"] = optim.SGD(lr=1e-5)
    told["schedule"] = everything()["schedule"]
    cr.fit(regular(), X, Y, callbacks=[early(), Interrupt(6)], folder=tmp_path / "run", **told)
    resumed = cr.resume(tmp_path / "run", X, Y, callbacks=[early()])
    assert same_run(resumed, whole)
    assert resumed.stopped == whole.stopped
    best = dict(resumed.net.state_dict().items())
    assert not same(best, {path: resumed.standing.state[path] for path in best})


def test_resumed_callbacks_are_made_again_from_the_folder(tmp_path, uninterrupted):
    told = everything() | {"epochs": 2}
    cr.fit(regular(), X, Y, folder=tmp_path / "run", callbacks=[early()], **told)
    run = cr.resume(tmp_path / "run", X, Y, epochs=5)
    assert same_run(run, uninterrupted)
    assert set(run.standing.callbacks) == {"EarlyStopping"}


class Counter(cr.Callback):
    """A user's callback with a state."""

    def __init__(self):
        self.count = 0
        self.trail = np.zeros(0)

    def on_epoch_end(self, epoch, logs):
        self.count += 1
        self.trail = np.append(self.trail, logs["loss"])

    def state_dict(self):
        return {"count": self.count, "trail": self.trail}

    def load_state_dict(self, state):
        self.count, self.trail = state["count"], state["trail"]


def test_a_users_callback_gets_its_state_back(tmp_path):
    first, second = Counter(), Counter()
    told = {"loss": "CrossEntropyLoss", "epochs": 4}
    cut = cr.fit(
        plain(), X, Y, callbacks=[first, second, Interrupt(5)], folder=tmp_path / "run", **told
    )
    again = [Counter(), Counter()]
    run = cr.resume(tmp_path / "run", X, Y, callbacks=again)
    assert cut.history.epochs == 2
    assert [counter.count for counter in again] == [4, 4]
    assert again[1].trail.tolist() == run.history["loss"]


class Keeps(cr.Callback):
    def __init__(self, value):
        self.value = value

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


@pytest.mark.parametrize("value", [np.float32(1.5), np.int64(3), None, "text", [1, {"a": 2.0}]])
def test_a_callbacks_state_is_plain_data(tmp_path, value):
    told = {"loss": "CrossEntropyLoss", "epochs": 1, "folder": tmp_path / "run"}
    cr.fit(plain(), X, Y, callbacks=[Keeps(value)], **told)
    again = Keeps(0)
    cr.resume(tmp_path / "run", X, Y, epochs=2, callbacks=[again])
    assert again.value == value


def test_a_callbacks_state_that_is_not_is_refused(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        cr.fit(
            plain(), X, Y, loss="CrossEntropyLoss", callbacks=[Keeps({1})], folder=tmp_path / "r"
        )
    assert str(caught.value) == (
        "A callback's state_dict holds what no file can: Object of type set is not JSON "
        "serializable. Callbacks Keeps. "
        "Keep numbers, text and arrays in it, and lists and dicts of these."
    )


@hypothesis.settings(max_examples=25)
@hypothesis.given(
    count=st.integers(8, 40),
    batch_size=st.integers(2, 12),
    accumulate=st.integers(1, 3),
    drop_last=st.booleans(),
    shuffle=st.booleans(),
    split=st.sampled_from([None, 0.25]),
    weighted=st.booleans(),
    at=st.floats(0, 0.999),
)
def test_whatever_the_settings(
    tmp_path_factory, count, batch_size, accumulate, drop_last, shuffle, split, weighted, at
):
    # What is left of the examples: some validate, and of the weights every fourth is 0.
    left = count * (0.4 if weighted else 0.7)
    hypothesis.assume(not drop_last or batch_size * accumulate <= left)
    told = {
        "loss": "CrossEntropyLoss",
        "epochs": 3,
        "batch_size": batch_size,
        "accumulate": accumulate,
        "drop_last": drop_last,
        "shuffle": shuffle,
        "validation_split": split,
        "optimizer": optim.SGD(lr=0.1, momentum=0.9),
    }
    given = {"sample_weight": np.arange(count) % 4} if weighted else {}
    x, y = X[:count], Y[:count]
    net = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.3), nn.Linear(5, 3))
    expected = cr.fit(net, x, y, **told, **given)
    step = int(at * expected.steps)
    folder = tmp_path_factory.mktemp("runs") / "run"
    again = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.3), nn.Linear(5, 3))
    told["optimizer"] = optim.SGD(lr=0.1, momentum=0.9)
    cr.fit(again, x, y, folder=folder, callbacks=[Interrupt(step)], **told, **given)
    resumed = cr.resume(folder, x, y, callbacks=[], **given)
    assert same_run(resumed, expected)
    loaded = cr.load_run(folder, x, y, **given)
    assert same(loaded.at(step).state, expected.at(step).state)


# --- things of the user's own ----------------------------------------------------------------


class Twofold(nn.Module):
    def __init__(self, width=6):
        self.left, self.right = nn.Linear(4, width), nn.Linear(4, width)
        self.out = nn.Linear(width, 3)

    def forward(self, x):
        return self.out(self.left(x).tanh() * self.right(x))


def hinge(output, target):
    wanted = 2.0 * target - 1.0
    return (1 - output * wanted).relu().mean(axis=1)


class Own:
    net = Twofold
    y = np.eye(3)[Y]


def test_own_network_and_loss_are_passed_again(tmp_path):
    told = {"loss": hinge, "epochs": 3}
    expected = cr.fit(Twofold(), X, Own.y, **told)
    cr.fit(Twofold(), X, Own.y, folder=tmp_path / "run", callbacks=[Interrupt(3)], **told)
    resumed = cr.resume(tmp_path / "run", X, Own.y, net=Twofold(), loss=hinge, callbacks=[])
    assert same_run(resumed, expected)
    loaded = cr.load_run(tmp_path / "run", net=Twofold())
    assert same(loaded.net.state_dict(), expected.net.state_dict())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"loss": hinge, "callbacks": []},
            (
                "The run's network has modules of your own, which no file can make. Run {}. "
                "Build it again and pass it: net=..."
            ),
        ),
        (
            {"net": Twofold, "callbacks": []},
            (
                "The run's loss is your own, hinge, which no file can make. Run {}. "
                "Pass it again: loss=hinge."
            ),
        ),
        (
            {"net": Twofold, "loss": hinge},
            (
                "The run had a callback of your own, Interrupt, which no file can make. Run {}. "
                "Pass the callbacks again: callbacks=[...], or callbacks=[] to go on without any."
            ),
        ),
    ],
    ids=["network", "loss", "callback"],
)
def test_what_no_file_can_make_is_asked_for(tmp_path, given, message):
    folder = tmp_path / "run"
    cr.fit(Twofold(), X, Own.y, loss=hinge, folder=folder, callbacks=[Interrupt(1)])
    given = {name: value() if name == "net" else value for name, value in given.items()}
    with pytest.raises(ReplayError) as caught:
        cr.resume(folder, X, Own.y, **given)
    assert str(caught.value) == message.format(folder)
