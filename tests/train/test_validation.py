"""Data that is held out: given, or split off by the seed; never trained on."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.base.errors import (
    ConfigurationError,
    DataError,
    NonFiniteError,
    ShapeError,
    TargetError,
)
from tests.train.nets import examples, linear, plain, regular, same_run

X, Y = examples()


def train(**options):
    told = {"loss": "CrossEntropyLoss", "epochs": 2, "batch_size": 8, **options}
    return cr.fit(plain(), X, Y, **told)


def test_split_is_the_seeds():
    assert same_run(train(validation_split=0.3, seed=1), train(validation_split=0.3, seed=1))
    rows = [
        {
            int(row)
            for step in range(5)
            for row in train(validation_split=0.2, seed=s).at(step).rows[0]
        }
        for s in (1, 2)
    ]
    assert len(rows[0]) == len(rows[1]) == 40
    assert rows[0] != rows[1]


def test_split_never_trains_on_what_is_held_out():
    run = train(validation_split=0.3, epochs=3)
    trained = {int(row) for step in range(run.steps) for row in run.at(step).rows[0]}
    assert len(trained) == 35
    held_out = sorted(set(range(50)) - trained)
    expected = run.net.evaluate(X[held_out], Y[held_out])
    assert run.history["val_loss"][-1] == expected["loss"]


def test_split_leaves_the_callers_numbering():
    """A row is called what the caller calls it, also where some are held out."""
    run = train(validation_split=0.3, shuffle=False)
    rows = run.at(0).rows[0]
    assert list(rows) != list(range(8))
    target = run.at(0).record(["target"])["target"]
    assert target.tolist() == Y[rows].tolist()


def test_validation_counts_short_batches_by_their_size():
    xv, yv = examples(count=300)  # more than one batch of evaluation, the last one short
    run = train(validation=(xv, yv), metrics=["accuracy"])
    hits = run.net.predict(xv).argmax(axis=1) == yv
    assert run.history["val_accuracy"][-1] == hits.mean()
    assert set(run.history) == {"loss", "accuracy", "val_loss", "val_accuracy", "lr"}
    assert run.history.epochs == 2


def test_validation_uses_the_network_as_it_predicts():
    """Without dropout, and with batch norm's running statistics."""
    run = cr.fit(regular(), X, Y, loss="CrossEntropyLoss", validation=(X, Y), epochs=3)
    assert run.history["val_loss"][-1] == run.net.evaluate(X, Y)["loss"]
    assert run.history["val_loss"][-1] != run.history["loss"][-1]


def test_validating_changes_no_bit_of_training():
    a, b = train(validation=(X[:10], Y[:10])), train()
    assert a.history["loss"] == b.history["loss"]


@pytest.mark.parametrize("metric", ["accuracy", "mse", "mae"])
def test_metrics_are_in_the_history(metric):
    run = cr.fit(linear(), [[1.0], [2.0]], [[1.0], [0.0]], metrics=[metric], epochs=3)
    assert len(run.history[metric]) == 3


def test_evaluate_uses_loss_and_metrics_of_training():
    run = train(metrics=["accuracy"])
    assert set(run.net.evaluate(X, Y)) == {"loss", "accuracy"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"validation": (X, Y), "validation_split": 0.2},
            "fit takes validation or validation_split, not both.",
        ),
        ({"validation": X}, "validation is (x, y) or (x, y, sample_weight)."),
        (
            {"validation_split": 0.001},
            "validation_split=0.001 of 50 examples leaves none to validate on.",
        ),
        (
            {"validation_split": 0.999},
            "validation_split=0.999 of 50 examples leaves none to train on.",
        ),
        (
            {"validation_split": 1.5},
            "fit takes validation_split as a number in (0, 1), or None; got 1.5.",
        ),
        (
            {"validation_split": 0.0},
            "fit takes validation_split as a number in (0, 1), or None; got 0.0.",
        ),
    ],
    ids=["both", "one array", "empty validation", "empty training", "too much", "zero"],
)
def test_validation_that_cannot_be_is_refused(options, message):
    with pytest.raises(ConfigurationError) as caught:
        train(**options)
    assert str(caught.value) == message


def test_validation_data_is_checked_too():
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"^x holds NaN in row 3, column 1\. Validation data"):
        train(validation=(bad, Y))


@pytest.mark.parametrize(
    ("validation", "error", "message"),
    [
        (
            (X[:, :3], Y),
            DataError,
            "x has rows of type f32[3]; those before are f32[4]. Validation data.",
        ),
        (
            (X, Y + 1),
            TargetError,
            (
                "CrossEntropyLoss with 3 outputs takes classes from 0 to 2; got 3. "
                "Validation data, Row 6 of the targets. These count from 1: pass y - 1."
            ),
        ),
        (
            (X[:10], Y),
            ShapeError,
            "There is one target for each example; got 10 examples and 50. Validation data.",
        ),
    ],
    ids=["width", "classes", "lengths"],
)
def test_validation_that_does_not_fit_is_refused_before_training(validation, error, message):
    begun = []
    with pytest.raises(error) as caught:
        train(
            validation=validation,
            callbacks=[cr.LambdaCallback(on_train_begin=lambda: begun.append(1))],
        )
    assert str(caught.value) == message
    assert not begun


def test_schedule_sees_validation_loss():
    """Reduce-on-plateau watches what it is meant to watch: the held-out loss, if there is one."""
    flat = (np.zeros((1, 4)), np.array([0]))
    plateau = optim.ReduceLROnPlateau(factor=0.5, patience=0, threshold=10.0, threshold_mode="abs")
    run = train(validation=flat, schedule=plateau, epochs=3, optimizer=optim.SGD(lr=0.1))
    assert run.history["lr"] == [0.1, 0.1, 0.05]
