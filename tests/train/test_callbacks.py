"""Callbacks: when they are called, with what, and what they can stop."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.base.errors import ConfigurationError, NameNotFoundError
from tests.train.nets import examples, linear, plain, same

X, Y = examples()


def train(*callbacks, **options):
    told = {"loss": "CrossEntropyLoss", "epochs": 2, "batch_size": 20, **options}
    return cr.fit(plain(), X, Y, callbacks=callbacks, **told)


class Recorder(cr.Callback):
    def __init__(self, name, calls):
        self.name = name
        self.calls = calls

    def on_train_begin(self):
        self.calls.append((self.name, "train begins"))

    def on_train_end(self):
        self.calls.append((self.name, "train ends"))

    def on_epoch_begin(self, epoch):
        self.calls.append((self.name, "epoch begins", epoch))

    def on_epoch_end(self, epoch, logs):
        self.calls.append((self.name, "epoch ends", epoch, sorted(logs)))

    def on_train_batch_end(self, step, logs):
        self.calls.append((self.name, "step", step, sorted(logs)))


def test_order_of_calls():
    calls = []
    train(Recorder("a", calls), Recorder("b", calls), metrics=["accuracy"], validation=(X, Y))
    logged = ["accuracy", "loss"]
    finally_logged = ["accuracy", "loss", "lr", "val_accuracy", "val_loss"]
    expected = [("train begins",)]
    for epoch in (0, 1):
        expected.append(("epoch begins", epoch))
        expected += [("step", 3 * epoch + i, logged) for i in range(3)]
        expected.append(("epoch ends", epoch, finally_logged))
    expected.append(("train ends",))
    assert calls == [(name, *call) for call in expected for name in "ab"]


def test_lambda_callback_calls_its_functions():
    calls = []
    callback = cr.LambdaCallback(
        on_train_begin=lambda: calls.append("begin"),
        on_epoch_begin=lambda epoch: calls.append(epoch),
        on_train_batch_end=lambda step, logs: calls.append(("step", step)),
        on_epoch_end=lambda epoch, logs: calls.append(("epoch", epoch, logs["loss"])),
        on_train_end=lambda: calls.append("end"),
    )
    run = train(callback, epochs=1)
    steps = [("step", 0), ("step", 1), ("step", 2)]
    assert calls == ["begin", 0, *steps, ("epoch", 0, run.history["loss"][0]), "end"]


def test_logs_of_an_epoch_are_its_history():
    seen = []
    run = train(cr.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs))))
    assert seen == [run.history.epoch(0), run.history.epoch(1)]


def test_a_callback_sees_the_network_as_it_is():
    seen = []

    class Look(cr.Callback):
        def on_train_batch_end(self, step, logs):
            seen.append(self.run.net.state_dict())
            assert self.run.steps == step + 1

        def on_epoch_end(self, epoch, logs):
            assert same(self.run.net.state_dict(), seen[-1])
            assert self.run.history.epochs == epoch + 1

    run = train(Look())
    assert same(seen[-1], run.net.state_dict())
    assert not same(seen[0], seen[1])


def test_what_a_callback_changes_does_not_enter_training():
    class Meddle(cr.Callback):
        def on_train_batch_end(self, step, logs):
            self.run.net[0].weight.replace(np.zeros((5, 4)))

    assert same(train(Meddle()).net.state_dict(), train().net.state_dict())


def test_a_callback_stops_the_run_after_its_epoch():
    class Stop(cr.Callback):
        def on_train_batch_end(self, step, logs):
            if step == 3:
                self.run.stop("enough")

    run = train(Stop(), epochs=10)
    assert (run.stopped, run.steps, run.history.epochs) == ("enough", 6, 2)
    assert "stopped: enough" in repr(run)


class Raises(cr.Callback):
    def __init__(self, moment, at):
        self.moment = moment
        self.at = at

    def on_epoch_begin(self, epoch):
        self.check("epoch begin", epoch)

    def on_train_batch_end(self, step, logs):
        self.check("step", step)

    def on_epoch_end(self, epoch, logs):
        self.check("epoch end", epoch)

    def check(self, moment, number):
        if (moment, number) == (self.moment, self.at):
            raise ZeroDivisionError(moment)


@pytest.mark.parametrize(
    ("moment", "at", "steps"), [("epoch begin", 1, 3), ("step", 4, 5), ("epoch end", 1, 6)]
)
def test_an_exception_leaves_the_last_whole_state(moment, at, steps):
    optimizer, net = optim.SGD(lr=0.1, momentum=0.9), plain()
    with pytest.raises(ZeroDivisionError, match=moment):
        cr.fit(
            net,
            X,
            Y,
            loss="CrossEntropyLoss",
            batch_size=20,
            epochs=3,
            optimizer=optimizer,
            callbacks=[Raises(moment, at)],
        )
    expected = train(epochs=3, optimizer=optim.SGD(lr=0.1, momentum=0.9)).at(steps)
    assert same(net.state_dict(), expected.parameters)
    assert same(optimizer.state, {name: expected.state[name] for name in optimizer.state})
    assert optimizer.t == steps


# --- early stopping --------------------------------------------------------------------------


class Play(cr.Callback):
    """Puts a made-up value into the logs, which the callbacks after it read."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, epoch, logs):
        logs["played"] = self.values[epoch]


def play(values, **options):
    """The run, the epochs done, and the weights at the end of each."""
    weights = []
    run = train(
        Play(values),
        cr.LambdaCallback(
            on_epoch_end=lambda epoch, logs: weights.append(run_of[0].run.net.state_dict())
        ),
        *(run_of := [cr.EarlyStopping(monitor="played", **options)]),
        epochs=len(values),
        optimizer=optim.SGD(lr=0.5),
    )
    return run, run.history.epochs, weights


@pytest.mark.parametrize(
    ("values", "options", "epochs", "best"),
    [
        ([3, 2, 1, 2, 2, 2], {"patience": 2}, 5, 2),
        ([3, 2, 1, 2, 2, 2], {"patience": 1}, 4, 2),
        ([3, 2, 1, 2, 2, 2], {"patience": 0}, 4, 2),
        ([1, 2, 3, 2, 2, 2], {"patience": 2, "mode": "max"}, 5, 2),
        ([5, 4, 3, 2, 1, 0], {"patience": 2}, 6, 5),
        ([9, 8.5, 8.1, 8, 7.5, 7.4], {"patience": 2, "min_delta": 1.0}, 3, 0),
        ([2, 1, np.nan, np.nan, np.nan, 0], {"patience": 2}, 4, 1),
        ([np.nan, 2, 1, 3, 3, 3], {"patience": 2}, 5, 2),
    ],
    ids=["min", "one", "zero", "max", "never", "delta", "nan", "nan first"],
)
def test_early_stopping_ends_with_the_best_weights(values, options, epochs, best):
    run, done, weights = play(values, **options)
    assert done == epochs
    assert same(run.net.state_dict(), weights[best])
    stopped = epochs < len(values)
    assert (run.stopped is not None) is stopped
    if stopped:
        assert run.stopped == (
            f"played has not improved since epoch {best + 1} ({values[best]:.6g})"
        )


def test_early_stopping_can_leave_the_last_weights():
    run, _, weights = play([1, 2, 3], restore_best_weights=False)
    assert run.history.epochs == 2
    assert same(run.net.state_dict(), weights[-1])


@pytest.mark.parametrize(("monitor", "better"), [("accuracy", "larger"), ("loss", "smaller")])
def test_early_stopping_knows_which_is_better(monitor, better):
    stop = cr.EarlyStopping(monitor=monitor)
    run = train(stop, metrics=["accuracy"], epochs=6, optimizer=optim.SGD(lr=0.5))
    values = run.history[monitor]
    assert stop.best == (max(values) if better == "larger" else min(values))


def test_early_stopping_forgets_an_earlier_run():
    stop = cr.EarlyStopping(monitor="loss", patience=3)
    train(stop, epochs=3, optimizer=optim.SGD(lr=0.5))
    first = stop.best
    train(stop, epochs=1)
    assert stop.best_epoch == 0
    assert stop.best != first


def test_early_stopping_needs_a_value_that_is_there():
    with pytest.raises(NameNotFoundError) as caught:
        train(cr.EarlyStopping(monitor="val_los"), validation=(X, Y))
    assert str(caught.value) == (
        'No value of the history is named "val_los". Did you mean "val_loss"? '
        "There are: loss, val_loss, lr."
    )


# --- plateaus and schedules ------------------------------------------------------------------


def test_stop_on_plateau():
    x, y = np.zeros((4, 1)), np.ones((4, 1))
    # Only the bias trains: the loss (1 - b)² falls to a quarter in each epoch.
    falling = cr.fit(
        linear(),
        x,
        y,
        optimizer=optim.SGD(lr=0.25),
        epochs=10,
        callbacks=[cr.StopOnPlateau(window=2, tolerance=0.9)],
    )
    assert falling.stopped is None
    standing = cr.fit(
        linear(),
        x,
        y,
        optimizer=optim.SGD(lr=0.25),
        epochs=10,
        callbacks=[cr.StopOnPlateau(window=2, tolerance=0.95)],
    )
    assert standing.history.epochs == 3
    assert standing.stopped == "loss fell by less than 0.95 of itself in 2 epochs (1 to 0.0625)"


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (lambda: optim.StepLR(step_size=2, gamma=0.5), [1, 1, 0.5, 0.5, 0.25]),
        (lambda: optim.ExponentialLR(gamma=0.5), [1, 0.5, 0.25, 0.125, 0.0625]),
        # By step, with 3 of them in an epoch: the history has an epoch's last rate.
        (lambda: optim.ExponentialLR(gamma=0.5, unit="step"), [0.5**k for k in (2, 5, 8, 11, 14)]),
    ],
    ids=["epochs in pairs", "epochs", "steps"],
)
def test_learning_rate_follows_its_schedule(schedule, rates):
    run = train(schedule=schedule(), epochs=5, optimizer=optim.SGD(lr=1.0))
    assert run.history["lr"] == rates


def test_learning_rate_of_a_schedule_is_the_one_that_is_used():
    run = train(
        schedule=optim.ExponentialLR(gamma=0.5, unit="step"), optimizer=optim.SGD(lr=1.0), epochs=1
    )
    for step in range(3):
        values = run.at(step).record(["b2", "d_2.bias"])
        moved = values["b2"] - np.float32(0.5**step) * values["d_2.bias"]
        assert moved.tobytes() == run.at(step + 1).state["2.bias"].tobytes()


def test_rate_is_reduced_on_a_plateau():
    plateau = optim.ReduceLROnPlateau(factor=0.5, patience=1, threshold=1e9, threshold_mode="abs")
    run = train(schedule=plateau, epochs=7, optimizer=optim.SGD(lr=0.1))
    # The first epoch is the best for ever; two bad ones, and it is halved.
    assert run.history["lr"] == [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    assert run.at(-1).learning_rate == 0.025
    assert run.at(0).learning_rate == 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.EarlyStopping(patience=-1), "EarlyStopping takes patience as a whole number"),
        (lambda: cr.EarlyStopping(mode="least"), 'EarlyStopping takes mode as "auto" or "min" or'),
        (lambda: cr.EarlyStopping(min_delta=-1.0), "EarlyStopping takes min_delta as a number"),
        (lambda: cr.StopOnPlateau(window=0), "StopOnPlateau takes window as a whole number"),
    ],
    ids=["patience", "mode", "delta", "window"],
)
def test_options_of_callbacks_are_checked(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()
