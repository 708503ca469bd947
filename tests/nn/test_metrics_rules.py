"""Metrics: NaN, what is ignored, several places, what outputs are to a loss."""

import functools

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import (
    NonFiniteError,
    TargetError,
)
from chainrule.eager import where
from chainrule.nn.losses.loss import Loss
from tests.nn.measured import OF_CLASSES, OF_NUMBERS, Outputs, evaluate

# --- NaN -------------------------------------------------------------------------------------

PROBABLE = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5], [0.5, 0.25, 0.25]])
KINDS = {
    "CrossEntropyLoss": (PROBABLE, np.array([0, 1, 2, 1])),
    "NLLLoss": (np.log(PROBABLE), np.array([0, 1, 2, 1])),
    "MultiMarginLoss": (PROBABLE, np.array([0, 1, 2, 1])),
    "two logits": (PROBABLE[:, :2], np.array([0, 1, 0, 1])),
    "BCEWithLogitsLoss": (np.array([0.5, -1, 2, 0.1]), np.array([1, 0, 0, 1])),
    "BCELoss": (np.array([0.5, 0.1, 0.7, 0.6]), np.array([1, 0, 0, 1])),
    "HingeLoss": (np.array([[0.5], [-1], [2], [0.1]]), np.array([[1], [-1], [1], [-1]])),
    "labels": (PROBABLE - 0.3, np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1]])),
    "MSELoss": (PROBABLE, PROBABLE**2),
    "PoissonNLLLoss": (PROBABLE, np.array([[0, 1, 2], [2, 1, 1], [0, 0, 4], [1, 1, 1]])),
}
NAMED = {"two logits": "CrossEntropyLoss", "labels": "BCEWithLogitsLoss"}


@functools.cache
def applicable(kind):
    """The metrics that there are for a kind of outputs."""
    outputs, target = KINDS[kind]
    return list(evaluated(outputs, target, NAMED.get(kind, kind), [*OF_CLASSES, *OF_NUMBERS]))


def evaluated(outputs, target, loss, names):
    """Those metrics that there are, found by halves: most are taken at once."""
    try:
        found = evaluate(outputs, target, loss, names)
        return {name: found[name] for name in names}
    except TargetError:
        halves = [names[: len(names) // 2], names[len(names) // 2 :]] if names[1:] else []
        return {k: v for half in halves for k, v in evaluated(outputs, target, loss, half).items()}


def test_each_metric_is_for_some_kind_of_outputs():
    found = {name for kind in KINDS for name in applicable(kind)}
    assert found == {*OF_CLASSES, *OF_NUMBERS}


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_that_is_nan_makes_every_metric_nan(kind):
    outputs, target = KINDS[kind]
    loss, names = NAMED.get(kind, kind), applicable(kind)
    for row in range(len(outputs)):
        bad = np.array(outputs, float)
        bad.reshape(len(bad), -1)[row, -1] = np.nan
        found = evaluate(bad, target, loss, names, batch_size=3)
        for name in names:
            assert np.isnan(found[name]), (name, row)
        # Of no weight it is not there.
        weights = np.ones(len(bad))
        weights[row] = 0
        kept = weights > 0
        expected = evaluated(outputs[kept], target[kept], loss, names)
        found = evaluate(bad, target, loss, list(expected), weights=weights)
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-12), (name, row)


def test_infinite_outputs_can_still_be_right():
    found = evaluate([[np.inf, 0], [0, -np.inf]], [0, 0], "CrossEntropyLoss", ["accuracy"])
    assert found["accuracy"] == 1
    found = evaluate([np.inf, -np.inf], [1, 0], "BCEWithLogitsLoss", ["accuracy", "auc"])
    assert found["auc"] == found["accuracy"] == 1


def test_a_nan_says_no_class():
    with pytest.raises(NonFiniteError) as caught:
        nn.confusion_matrix(Outputs(), [[0, 1], [np.nan, 0]], [0, 1], loss="CrossEntropyLoss")
    assert str(caught.value) == "An output that is NaN says no class. Row 1 of the outputs."


# --- what is ignored, and places -------------------------------------------------------------


def test_ignored_examples_are_seen_by_no_metric():
    loss = nn.CrossEntropyLoss(ignore_index=-100)
    outputs, target = np.concatenate([PROBABLE, PROBABLE]), np.array([0, 1, 2, 1, *[-100] * 4])
    outputs[5] = np.nan
    names = [name for name in applicable("CrossEntropyLoss") if name != "top_1_accuracy"]
    names.append("top_2_accuracy")
    expected = evaluate(PROBABLE, target[:4], "CrossEntropyLoss", names)
    found = evaluate(outputs, target, loss, names, batch_size=3)
    assert found == pytest.approx(expected, rel=1e-6)
    assert {n: found[n] for n in names} == pytest.approx({n: expected[n] for n in names}, rel=1e-12)
    counts = nn.confusion_matrix(Outputs(), outputs, target, loss=loss)
    assert counts.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_where_all_is_ignored_nothing_is_known():
    loss = nn.CrossEntropyLoss(ignore_index=0)
    found = evaluate(PROBABLE[:2], [0, 0], loss, ["accuracy", "f1_macro"])
    assert np.isnan(found["accuracy"])
    assert np.isnan(found["f1_macro"])


@pytest.mark.parametrize("ignored", [None, 1, -100])
def test_places_count_as_examples_do(ignored):
    """Outputs [B, C, d1, d2] beside classes [B, d1, d2]: what is measured is all places."""
    rng = np.random.default_rng(0)
    outputs, target = rng.normal(size=(5, 3, 2, 4)), rng.integers(0, 3, (5, 2, 4))
    target[0, 0] = [0, 1, 1, 1]
    if ignored == -100:
        target[1:3, 0, 1:] = ignored
    flat, classes = np.moveaxis(outputs, 1, -1).reshape(-1, 3), target.reshape(-1)
    names = [
        "accuracy", "balanced_accuracy", "f1_macro", "recall_micro", "precision_weighted",
        "top_2_accuracy", "log_loss",
    ]  # fmt: skip
    if ignored != 1:  # without examples of a class there is nothing to compare it with
        names += ["auc", "average_precision"]
    loss = nn.CrossEntropyLoss(ignore_index=ignored)
    kept = classes != ignored
    expected = evaluate(flat[kept], classes[kept], "CrossEntropyLoss", names)
    found = evaluate(outputs, target, loss, names, batch_size=2)
    assert {n: found[n] for n in names} == pytest.approx({n: expected[n] for n in names}, rel=1e-12)
    counts = nn.confusion_matrix(Outputs(), outputs, target, loss=loss)
    assert counts.tolist() == nn.confusion_matrix(Outputs(), flat, classes, loss=loss).tolist()
    assert counts.sum() == kept.sum()


class KnownTargets(Loss):
    """Squared error; a target below 0 is not known."""

    def forward(self, output, target):
        return where(target < 0, 0.0, (output - target).square())

    def counted(self, target):
        return target >= 0


def test_what_is_ignored_says_nothing_of_the_targets():
    """Classes, and the middle of the targets, are those of what counts."""
    outputs, target = [0.4, 0.6, 0.3, np.nan], [0, 1, 1, -9]
    found = evaluate(outputs, target, KnownTargets(), ["accuracy", "r2", "auc"])
    expected = evaluate(outputs[:3], target[:3], "MSELoss", ["accuracy", "r2", "auc"])
    assert found == pytest.approx(expected, rel=1e-6)  # the loss is in float32


def test_what_has_no_meaning_for_what_is_ignored_does_not_stop_training(monkeypatch):
    monkeypatch.setattr(nn.METRICS, "_things", dict(nn.METRICS.items()))
    nn.METRICS.register("logs", lambda loss, target: lambda o, t: t.astype("float32").log())
    loss = nn.CrossEntropyLoss(ignore_index=-1)
    items = [(np.ones(2), label) for label in (1, 2, -1, 1)]  # fetched one by one, none left out
    net = nn.Sequential(nn.Linear(2, 3))
    run = cr.fit(net, items, loss=loss, metrics=["logs"], batch_size=2)
    assert run.history["logs"][0] == pytest.approx(np.log(2) / 3, rel=1e-6)


def test_an_output_that_is_nan_counts_however_it_is_read(monkeypatch):
    """A class is read off it all the same: argmax has one."""
    monkeypatch.setattr(nn.METRICS, "_things", dict(nn.METRICS.items()))

    def most(loss, target):
        return nn.metrics.OfAll(lambda c, t, w: float(c.max()), lambda o, t: o.argmax(axis=1))

    nn.METRICS.register("largest_class", most)
    for outputs, known in ((PROBABLE, True), (np.where(PROBABLE == 0.5, np.nan, 0), False)):
        found = evaluate(outputs, [0, 1, 2, 1], "CrossEntropyLoss", ["largest_class"])
        assert np.isnan(found["largest_class"]) != known


# --- what outputs are to a loss --------------------------------------------------------------


def test_metrics_of_numbers_read_outputs_as_the_loss_takes_them():
    target = np.array([[1.0], [3.0], [2.0]])
    logs = np.log(target + 1)
    found = evaluate(logs, target, "PoissonNLLLoss", ["mse", "mae", "max_error"])
    assert found["mse"] == pytest.approx(1, rel=1e-6)  # outputs are float32
    assert found["max_error"] == pytest.approx(1, rel=1e-6)
    counts = evaluate(target + 1, target, nn.PoissonNLLLoss(log_input=False), ["mse"])
    assert counts["mse"] == 1
    pair = (target + 2, np.ones((3, 1)))
    found = evaluate(pair, target, "GaussianNLLLoss", ["mae", "max_error", "explained_variance"])
    assert (found["mae"], found["max_error"], found["explained_variance"]) == (2, 2, 1)


def test_logarithms_of_values_are_read_as_those():
    """Above one half means 1."""
    outputs = np.log([[0.4], [0.6], [3.0], [0.2]])
    found = evaluate(outputs, [[0], [1], [1], [1]], "PoissonNLLLoss", ["accuracy", "auc"])
    assert found["accuracy"] == 0.75
    assert found["auc"] == pytest.approx(2 / 3)
    rows = np.log([[0.4, 0.3], [0.6, 0.7]])
    assert evaluate(rows, np.eye(2), "PoissonNLLLoss", ["accuracy"])["accuracy"] == 1


def test_distances_put_examples_in_order_the_small_ones_first():
    found = evaluate([0.1, 0.2, 3.0, 4.0], [1, 1, -1, -1], "HingeEmbeddingLoss", ["auc"])
    assert found["auc"] == 1


def test_log_loss_of_logarithms_of_a_distribution():
    t = np.array([[0.25, 0.75], [0.5, 0.5]])
    p = np.array([[0.375, 0.625], [0.25, 0.75]])
    expected = -(t * np.log(p)).sum(axis=1).mean()
    for loss, target in (
        (nn.KLDivLoss(), t),
        (nn.KLDivLoss(log_target=True), np.log(t)),
    ):
        found = evaluate(np.log(p), target, loss, ["log_loss", "accuracy"])
        assert found["log_loss"] == pytest.approx(expected, rel=1e-6)  # targets are float32
        assert found["accuracy"] == 0.5
