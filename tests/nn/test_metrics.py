"""Accuracy, MSE and MAE of each example; metrics of one's own. The rest stands beside this file."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import NameNotFoundError, ShapeError, TargetError


def measure(name, loss, output, target):
    loss = nn.as_loss(loss)
    target = loss.prepare_target(np.asarray(target), np.dtype(np.float64))
    metric = nn.make_metric(name, loss, target)
    outputs = cr.tensor(np.asarray(output, np.float64))
    return metric.statistics(outputs, cr.tensor(target)).numpy().tolist()


def any_cost(output, target):
    return (output - target).square().sum(axis=1)


ACCURACY = {
    "logits, classes": (
        "CrossEntropyLoss", [[1, 3, 2], [5, 0, 0], [0, 0, -1]], [1, 2, 0], [1, 0, 1]
    ),
    "logits, distributions": (
        "CrossEntropyLoss", [[1, 3, 2], [5, 0, 0]], [[0.1, 0.6, 0.3], [0.2, 0.2, 0.6]], [1, 0]
    ),
    "binary logits, a column": (
        "BCEWithLogitsLoss", [[0.2], [-0.1], [3.0]], [[1], [1], [0]], [1, 0, 0]
    ),
    "binary logits, a vector": ("BCEWithLogitsLoss", [0.2, -0.1, 0.0], [1, 0, 0], [1, 1, 1]),
    "several binary logits, all of them right": (
        "BCEWithLogitsLoss", [[1, -1], [1, 1]], [[1, 0], [1, 0]], [1, 0]
    ),
    "soft binary targets": ("BCEWithLogitsLoss", [[1], [-1]], [[0.9], [0.6]], [1, 0]),
    "values, one-hot": (
        "MSELoss", [[0.1, 0.2], [0.9, 0.8]], [[0, 1], [0, 1]], [1, 0]
    ),
    "values, 0 and 1": ("MSELoss", [[0.6], [0.4], [0.5]], [[1], [1], [0]], [1, 0, 1]),
    "values, several 0 and 1": ("MSELoss", [[0.6, 0.7], [0.6, 0.2]], [[1, 1], [1, 1]], [1, 0]),
    "values, -1 and 1": ("MSELoss", [[0.6], [-0.4], [-0.1]], [[1], [1], [-1]], [1, 0, 1]),
    "values, a vector of -1 and 1": ("MSELoss", [0.6, -0.4], [1, 1], [1, 0]),
    "only one of the two labels": ("MSELoss", [[0.6], [-0.4]], [[-1], [-1]], [0, 1]),
    "a function's outputs, classes": (
        any_cost, [[0.1, 0.2, 0.7], [0.5, 0.4, 0.1]], [2, 1], [1, 0]
    ),
    "a function's two outputs, classes 0 and 1": (
        any_cost, [[0.1, 0.9], [0.5, 0.4]], [1, 1], [1, 0]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCURACY)
def test_accuracy_reads_the_class(case):
    loss, output, target, right = ACCURACY[case]
    assert measure("accuracy", loss, output, target) == [bool(r) for r in right]


def test_accuracy_is_not_closeness():
    """Counted as |a - y| < 0.01, a network that classifies perfectly has 0 %."""
    assert measure("accuracy", "MSELoss", [[0.8], [0.2]], [[1], [0]]) == [True, True]


@pytest.mark.parametrize(
    ("target", "values"),
    [
        ([[0.5], [1.5], [2.25]], "they take 3 values, 0.5, 1.5, 2.25."),
        ([[0.5, 1], [1, 2], [3, 4]], "they take 5 values, 0.5, 1, 2, 3, ..."),
        ([[0.0], [1.0], [2.0]], "they take 3 values, 0, 1, 2."),
    ],
)
def test_accuracy_of_continuous_targets_is_refused(target, values):
    with pytest.raises(TargetError) as caught:
        nn.make_metric("accuracy", nn.MSELoss(), np.array(target))
    assert str(caught.value) == (
        f"The metric accuracy counts classes, and these targets are no classes: {values} "
        'Use metrics=["mse"] or ["mae"] for a regression.'
    )


def test_whole_numbers_beside_one_output_are_no_classes():
    with pytest.raises(TargetError) as caught:
        measure("accuracy", "MSELoss", [0.3, 1.2, 2.0], [0, 1, 2])
    assert caught.value.message == (
        "The metric accuracy counts classes; beside one output a class is 0 or 1, or -1 or 1"
    )


def test_mse_and_mae():
    output, target = [[1.0, 2.0], [0.0, -3.0]], [[0.0, 4.0], [0.0, 0.0]]
    assert measure("mse", "MSELoss", output, target) == [2.5, 4.5]
    assert measure("mae", "MSELoss", output, target) == [1.5, 1.5]
    assert measure("mse", "MSELoss", [1.0, 3.0], [0.0, 1.0]) == [1.0, 4.0]


@pytest.mark.parametrize("name", ["mse", "mae", "accuracy"])
def test_metrics_do_not_broadcast(name):
    with pytest.raises(ShapeError) as caught:
        measure(name, any_cost, [[0.0], [1.0]], [0, 1])
    shown = f"The metric {name}"
    assert caught.value.message == (
        f"{shown} compares element by element; got outputs [2,1] and targets [2]"
    )
    assert caught.value.advice == "Reshape the target with y.reshape(-1, 1)"


def test_a_metric_of_ones_own_gives_numbers_for_each_example(monkeypatch):
    monkeypatch.setattr(nn.METRICS, "_things", dict(nn.METRICS.items()))
    nn.METRICS.register("largest", lambda loss, target: lambda output, target: output.max(axis=1))
    nn.METRICS.register("wrong", lambda loss, target: lambda output, target: output.max())
    assert measure("largest", "MSELoss", [[1, 2], [4, 3]], [[0, 0], [0, 0]]) == [2, 4]
    with pytest.raises(ShapeError) as caught:
        measure("wrong", "MSELoss", [[1, 2], [4, 3]], [[0, 0], [0, 0]])
    assert caught.value.message == (
        "A metric gives numbers for each example, with the 2 of the batch in front; wrong gave []"
    )


def test_an_unknown_layer_suggests_the_nearest():
    with pytest.raises(
        NameNotFoundError, match=r'^No layer is named "Liner"\. Did you mean "Linear"'
    ):
        nn.LAYERS.get("Liner")
