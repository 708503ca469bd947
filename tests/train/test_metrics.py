"""Metrics in training: history, validation data, resume, callbacks, the progress bar."""

import math

import numpy as np
import pytest
import sklearn.metrics as sk

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, NameNotFoundError, TargetError
from chainrule.train.progress import format_values
from tests.train.nets import examples, plain, regular, same_run

X, Y = examples()
XV, YV = examples(count=80)
CLASSES = [
    "accuracy", "balanced_accuracy", "top_2_accuracy", "log_loss",
    *(f"{score}_{average}" for score in ("precision", "recall", "f1")
      for average in ("macro", "micro", "weighted")),
]  # fmt: skip
OF_ALL = ["auc", "average_precision"]


def train(**options):
    told = {"loss": "CrossEntropyLoss", "epochs": 2, "batch_size": 8, "progress": False, **options}
    return cr.fit(plain(), X, Y, **told)


def test_all_metrics_of_classes_are_in_the_history():
    run = train(metrics=[*CLASSES, *OF_ALL], validation=(XV, YV))
    assert set(run.history) == {
        "loss", "val_loss", "lr", *CLASSES, *(f"val_{name}" for name in [*CLASSES, *OF_ALL]),
    }  # fmt: skip
    found = run.net.evaluate(XV, YV)
    assert list(found) == ["loss", *CLASSES, *OF_ALL]
    assert {name: run.history[f"val_{name}"][-1] for name in found} == found
    logits = run.net.predict(XV).astype(float)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = sk.roc_auc_score(YV, p, multi_class="ovr")
    assert run.history["val_auc"][-1] == pytest.approx(expected, rel=1e-12)


def test_metrics_of_an_epoch_are_of_all_its_examples():
    """Not means of the batches' own: with a rate of 0 they are those of the whole set."""
    run = train(
        metrics=CLASSES, optimizer=optim.SGD(lr=1e-30), epochs=1, batch_size=7, dtype="float64"
    )
    found = run.net.evaluate(X, Y)
    for name in CLASSES:
        # Sums in float64 of the step, and of evaluation: 50 terms.
        assert run.history[name][0] == pytest.approx(found[name], rel=1e-13), name
    accumulated = train(
        metrics=CLASSES,
        optimizer=optim.SGD(lr=1e-30),
        epochs=1,
        batch_size=7,
        accumulate=3,
        dtype="float64",
    )
    for name in CLASSES:
        assert accumulated.history[name][0] == pytest.approx(found[name], rel=1e-13), name


NUMBERS = ["mse", "rmse", "mae", "r2"]


@pytest.mark.parametrize(("dtype", "rel"), [("float64", 1e-12), ("float32", 1e-4)])
@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_of_numbers_in_an_epoch(dtype, rel, weighted):
    """A step sums in the network's dtype: in float32, squares of 50 targets around 1000."""
    x, y = X[:, :2], 1000 + X[:, 1:]
    weights = np.linspace(0.5, 2, len(x)) if weighted else None
    net = nn.Sequential(nn.Linear(2, 3))
    run = cr.fit(
        net,
        x,
        y,
        metrics=NUMBERS,
        optimizer=optim.SGD(lr=1e-30),
        epochs=1,
        batch_size=7,
        dtype=dtype,
        sample_weight=weights,
        progress=False,
    )
    found = net.evaluate(x, y, weights=weights)
    for name in NUMBERS:
        assert run.history[name][0] == pytest.approx(found[name], rel=rel), name
    expected = sk.r2_score(
        y.astype(dtype).astype(float), net.predict(x).astype(float), sample_weight=weights
    )
    assert found["r2"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", [*OF_ALL, "max_error", "explained_variance"])
def test_what_needs_all_examples_needs_validation_data(name):
    told = {"x": X, "y": X[:, :3], "loss": "MSELoss"}
    if name in OF_ALL:
        told = {"x": X, "y": Y, "loss": "CrossEntropyLoss"}
    with pytest.raises(ConfigurationError) as caught:
        cr.fit(plain(), **told, metrics=[name])
    assert str(caught.value) == (
        f"The metric {name} is of all examples at once, and training sees them batch by batch: it "
        "is evaluated on validation data, and there is none. Pass validation=(x, y) or "
        "validation_split=0.2; or leave it out, and ask net.evaluate(x, y, "
        f'metrics=["{name}"]) when training is over.'
    )
    run = cr.fit(plain(), **told, metrics=[name], validation_split=0.4)
    assert set(run.history) == {"loss", "val_loss", f"val_{name}", "lr"}
    assert set(run.net.evaluate(told["x"], told["y"])) == {"loss", name}


def test_validation_data_that_a_metric_has_no_meaning_for_is_refused_before_training():
    calls = []
    watching = cr.LambdaCallback(on_train_begin=lambda: calls.append("began"))
    with pytest.raises(TargetError) as caught:
        train(metrics=["auc"], validation=(X[:3], np.array([0, 2, 0])), callbacks=[watching])
    assert str(caught.value) == (
        "The metric auc compares examples of a class with the others, and none of 3 targets is of "
        "class 1. Validation data. Evaluate it on a set that holds examples of each class, or "
        "leave it out."
    )
    with pytest.raises(TargetError, match=r"^The metric r2 compares with the spread"):
        cr.fit(plain(), X, X[:, :3], metrics=["r2"], validation=(X[:1], X[:1, :3]))
    assert not calls


def test_a_class_that_is_ignored_in_places_is_not_there():
    net = nn.Sequential(nn.Linear(4, 6), nn.Unflatten(1, (3, 2)))
    places, loss = np.stack([Y, (Y + 1) % 3], axis=1), nn.CrossEntropyLoss(ignore_index=1)
    calls = []
    watching = cr.LambdaCallback(on_train_begin=lambda: calls.append("began"))
    with pytest.raises(TargetError, match=r"of class 1\. Validation data\."):
        cr.fit(
            net, X, places, loss=loss, metrics=["auc"], validation_split=0.3, callbacks=[watching]
        )
    assert not calls


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_r2_of_a_batch_without_spread_is_no_noise(dtype):
    """0, as of any set whose targets are equal; rounding leaves a spread of 1e-16 or 1e-7."""
    seen = []
    watching = cr.LambdaCallback(on_train_batch_end=lambda step, logs: seen.append(logs["r2"]))
    cr.fit(
        nn.Sequential(nn.Linear(4, 3)),
        X[:30],
        np.repeat(1000 + X[:10, :3], 3, axis=0),
        metrics=["r2"],
        batch_size=3,
        shuffle=False,
        optimizer=optim.SGD(lr=1e-9),
        callbacks=[watching],
        dtype=dtype,
        progress=False,
    )
    assert seen == [0.0] * 10


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("r2", "The metric r2 compares numbers, and the outputs of CrossEntropyLoss are logits."),
        ("top_3_accuracy", "The metric top_3_accuracy needs outputs for more than 3 classes"),
        ("precision", "The metric precision is of two classes, and there are 3 classes."),
    ],
)
def test_metrics_without_meaning_are_refused_before_training(name, message):
    with pytest.raises(TargetError) as caught:
        train(metrics=[name])
    assert str(caught.value).startswith(message)


def test_a_callback_that_watches_what_training_does_not_have():
    for monitor in ("auc", "f1_macro"):
        with pytest.raises(NameNotFoundError) as caught:
            train(
                metrics=["auc"],
                validation=(XV, YV),
                callbacks=[cr.EarlyStopping(monitor=monitor)],
            )
        assert caught.value.message == f'No value of the history is named "{monitor}"'
    assert 'Did you mean "val_auc"?' in str(
        NameNotFoundError.among("value of the history", "auc", ["loss", "val_loss", "val_auc"])
    )


@pytest.mark.parametrize(
    ("monitor", "larger"),
    [("val_auc", True), ("val_f1_macro", True), ("val_log_loss", False), ("val_loss", False)],
)
def test_early_stopping_knows_which_is_better(monitor, larger):
    stop = cr.EarlyStopping(monitor=monitor, patience=100)
    run = train(
        metrics=["auc", "f1_macro", "log_loss"],
        validation=(XV, YV),
        epochs=8,
        callbacks=[stop],
        optimizer=optim.SGD(lr=3.0),
    )
    values = run.history[monitor]
    assert len(set(values)) > 2
    assert stop.best == (max(values) if larger else min(values))


class StopAfter(cr.Callback):
    """Ctrl-C after an update."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, step, logs):
        if step == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize("step", [0, 6, 7, 8, 12, 20])
def test_resume_with_metrics_of_several_statistics_goes_on_to_the_bit(tmp_path, step):
    """Their totals so far, arrays of float64, come back from the snapshot as they were."""
    told = {
        "loss": "CrossEntropyLoss",
        "metrics": [*CLASSES, "auc"],
        "batch_size": 8,
        "epochs": 4,
        "validation": (XV, YV),
        "sample_weight": np.linspace(0.3, 1.7, len(X)),
        "seed": 3,
        "progress": False,
    }
    whole = cr.fit(regular(), X, Y, **told, optimizer=optim.Adam(lr=0.02))
    told["optimizer"] = optim.Adam(lr=0.02)
    cut = cr.fit(regular(), X, Y, **told, folder=tmp_path / "run", callbacks=[StopAfter(step)])
    assert cut.interrupted
    totals = cut.standing.position.averages.totals
    if cut.standing.position.update:
        assert np.shape(totals["f1_macro"]) == (3, 3)
    resumed = cr.resume(
        tmp_path / "run",
        X,
        Y,
        validation=(XV, YV),
        sample_weight=told["sample_weight"],
        callbacks=[],
        progress=False,
    )
    assert same_run(resumed, whole)
    opened = cr.load_run(tmp_path / "run", X, Y, sample_weight=told["sample_weight"])
    assert opened.history == whole.history
    assert list(opened.net.evaluate(X, Y)) == ["loss", *CLASSES, "auc"]


def test_resume_with_r2_whose_center_is_captured(tmp_path):
    told = {"metrics": ["r2", "rmse"], "batch_size": 8, "epochs": 3, "progress": False}
    x, y = X, X[:, :3] ** 2
    whole = cr.fit(plain(), x, y, **told)
    cr.fit(plain(), x, y, **told, folder=tmp_path / "run", callbacks=[StopAfter(9)])
    resumed = cr.resume(tmp_path / "run", x, y, callbacks=[], progress=False)
    assert same_run(resumed, whole)


def test_a_metric_with_an_argument_is_kept_by_its_name(tmp_path):
    run = train(metrics=[nn.metrics.TopKAccuracy(2)], folder=tmp_path / "run")
    assert list(run.history) == ["loss", "top_2_accuracy", "lr"]
    assert run.net.trained_with[1] == ("top_2_accuracy",)
    opened = cr.load_run(tmp_path / "run", X, Y)
    assert opened.history == run.history
    assert opened.net.evaluate(X, Y) == run.net.evaluate(X, Y)


def test_batches_that_come_by_themselves_have_metrics_too():
    def batches():
        for start in range(0, 50, 8):
            yield X[start : start + 8], Y[start : start + 8]

    told = {"loss": "CrossEntropyLoss", "epochs": 2, "metrics": CLASSES, "progress": False}
    streamed = cr.fit(plain(), batches, **told)
    kept = cr.fit(plain(), X, Y, **told, batch_size=8, shuffle=False)
    assert streamed.history == kept.history


def test_shares_are_shown_in_percent_and_nothing_else():
    values = {
        "loss": 0.5, "accuracy": 0.975, "top_3_accuracy": 1.0, "val_recall_macro": 0.25,
        "f1": 0.75, "auc": 0.9, "r2": -1.5, "val_log_loss": math.nan,
    }  # fmt: skip
    assert format_values(values) == (
        "loss 0.5  accuracy 97.50 %  top_3_accuracy 100.00 %  val_recall_macro 25.00 %  f1 0.75  "
        "auc 0.9  r2 -1.5  val_log_loss nan"
    )
