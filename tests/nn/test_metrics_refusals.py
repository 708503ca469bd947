"""Metrics that have no meaning for outputs, targets or a loss: refused, with what to do."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import (
    ConfigurationError,
    ShapeError,
    TargetError,
)
from tests.nn.measured import OF_CLASSES, OF_NUMBERS, Outputs, evaluate

LOGITS, CLASSES = np.eye(3)[[0, 1, 2, 2]], [0, 1, 2, 1]
COLUMN = [[0.5], [1.5], [2.5]]


@pytest.mark.parametrize(
    ("outputs", "target", "loss", "name", "message"),
    [
        (
            COLUMN, COLUMN, "MSELoss", "auc",
            (
                "The metric auc counts classes, and these targets are no classes: they take 3 "
                'values, 0.5, 1.5, 2.5. Use metrics=["mse"] or ["mae"] for a regression.'
            ),
        ),
        (
            COLUMN, COLUMN, "PoissonNLLLoss", "accuracy",
            (
                "The metric accuracy counts classes, and these targets are no classes: they take "
                '3 values, 0.5, 1.5, 2.5. Use metrics=["mse"] or ["mae"] for a regression.'
            ),
        ),
        (
            [0.5, 2.0], [1, -1], "HingeEmbeddingLoss", "accuracy",
            (
                "The metric accuracy counts classes, and the outputs of HingeEmbeddingLoss are "
                "distances."
            ),
        ),
        (
            LOGITS, CLASSES, "CrossEntropyLoss", "top_5_accuracy",
            (
                "The metric top_5_accuracy needs outputs for more than 5 classes, or the right "
                'one is always among them; there are 3. {where}. Use metrics=["accuracy"] or '
                '["top_2_accuracy"].'
            ),
        ),
        (
            [0.5, -0.5], [1, 0], "BCEWithLogitsLoss", "top_1_accuracy",
            (
                "The metric top_1_accuracy needs outputs for more than 1 classes, or the right "
                'one is always among them; there are 2. {where}. Use metrics=["accuracy"].'
            ),
        ),
        (
            LOGITS, CLASSES, "CrossEntropyLoss", "precision",
            (
                "The metric precision is of two classes, and there are 3 classes. {where}. Use "
                'metrics=["precision_macro"], ["precision_micro"] or ["precision_weighted"].'
            ),
        ),
        (
            LOGITS, LOGITS, "BCEWithLogitsLoss", "f1",
            (
                "The metric f1 is of two classes, and there are several labels of each example."
                ' {where}. Use metrics=["f1_macro"], ["f1_micro"] or ["f1_weighted"].'
            ),
        ),
        (
            LOGITS, CLASSES, "CrossEntropyLoss", "specificity",
            (
                "The metric specificity is of two classes, and there are 3 classes. {where}. "
                'Use metrics=["recall_macro"].'
            ),
        ),
        (
            LOGITS, LOGITS, "BCEWithLogitsLoss", "balanced_accuracy",
            (
                "The metric balanced_accuracy is of one class per example, and these are 3 "
                'labels of each. Use metrics=["recall_macro"].'
            ),
        ),
        (
            LOGITS, LOGITS, "BCEWithLogitsLoss", "log_loss",
            (
                "The metric log_loss is of one class per example, and these are 3 labels of "
                "each."
            ),
        ),
        (
            LOGITS, LOGITS, "MSELoss", "log_loss",
            (
                "The metric log_loss takes probabilities, and the outputs of MSELoss are "
                "values. Train with CrossEntropyLoss or BCEWithLogitsLoss for outputs that "
                "probabilities are made of."
            ),
        ),
        (
            LOGITS, CLASSES, "CrossEntropyLoss", "r2",
            (
                "The metric r2 compares numbers, and the outputs of CrossEntropyLoss are "
                'logits. Use metrics=["accuracy"] for classes.'
            ),
        ),
        (
            [[0.5]], [[1.0]], "MSELoss", "r2",
            (
                "The metric r2 compares with the spread of the targets, and there is 1. Use "
                'metrics=["mse"] or ["mae"].'
            ),
        ),
        (
            [0.5, -0.5], [1, 1], "BCEWithLogitsLoss", "auc",
            (
                "The metric auc compares examples of a class with the others, and none of 2 "
                "targets is of class 0. Evaluate it on a set that holds examples of each class,"
                " or leave it out."
            ),
        ),
        (
            [0.5, -0.5], [0, 0], "BCEWithLogitsLoss", "average_precision",
            (
                "The metric average_precision compares examples of a class with the others, and"
                " all targets are of class 0. Evaluate it on a set that holds examples of each "
                "class, or leave it out."
            ),
        ),
        (
            LOGITS, [0, 1, 1, 0], "CrossEntropyLoss", "auc",
            (
                "The metric auc compares examples of a class with the others, and none of 4 "
                "targets is of class 2. Evaluate it on a set that holds examples of each class,"
                " or leave it out."
            ),
        ),
        (
            LOGITS, LOGITS * [1, 1, 0], "BCEWithLogitsLoss", "auc",
            (
                "The metric auc compares examples of a class with the others, and none of 4 "
                "targets is of class 2. Evaluate it on a set that holds examples of each class,"
                " or leave it out."
            ),
        ),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(outputs, target, loss, name, message):
    with pytest.raises(TargetError) as caught:
        evaluate(outputs, target, loss, [name])
    where = str(caught.value.where)
    assert str(caught.value) == message.replace("{where}", where)
    assert ("{where}" in message) == where.startswith("Line ")


def test_classes_whose_examples_have_no_weight_are_not_there():
    with pytest.raises(TargetError, match="none of 2 targets is of class 1"):
        evaluate([0.1, 0.2, 0.3], [0, 0, 1], "BCEWithLogitsLoss", ["auc"], weights=[1, 1, 0])


@pytest.mark.parametrize("name", OF_CLASSES)
def test_outputs_that_are_compared_with_each_other_have_no_metric(name):
    pair = (np.eye(2), np.eye(2)[::-1])
    for loss, target in (("CosineEmbeddingLoss", [1, -1]), ("MarginRankingLoss", np.ones((2, 2)))):
        with pytest.raises(TargetError, match=rf"outputs of {loss} are several"):
            evaluate(pair, target, loss, [name])


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_numbers_are_not_compared_by_broadcasting(name):
    with pytest.raises(ShapeError) as caught:
        evaluate([[0.0], [1.0]], [0, 1], lambda o, t: o[:, 0] * t, [name])
    assert caught.value.message == (
        f"The metric {name} compares element by element; got outputs [B=2,1] and targets [B=2]"
    )


# --- confusions ------------------------------------------------------------------------------


def test_confusion_matrix_is_of_the_loss_it_was_trained_with():
    net = nn.Sequential(nn.Linear(2, 2))
    x, y = np.eye(2), np.array([0, 1])
    cr.fit(net, x, y, loss="CrossEntropyLoss", epochs=60, optimizer=cr.optim.SGD(lr=1.0))
    assert nn.confusion_matrix(net, x, y).tolist() == [[1, 0], [0, 1]]
    weighted = nn.confusion_matrix(net, x, y, weights=[0.5, 2])
    assert weighted.tolist() == [[0.5, 0], [0, 2]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: nn.confusion_matrix(Outputs(), np.eye(2), [0, 1]),
            ConfigurationError,
            (
                "confusion_matrix needs a loss: this network was not trained by fit. Pass a loss, "
                'for example loss="CrossEntropyLoss".'
            ),
        ),
        (
            lambda: nn.confusion_matrix(Outputs(), np.eye(2), np.eye(2), loss="BCEWithLogitsLoss"),
            TargetError,
            "A confusion matrix is of one class per example, and these are 2 labels of each.",
        ),
        (
            lambda: nn.confusion_matrix(Outputs(), COLUMN, COLUMN, loss="MSELoss"),
            TargetError,
            (
                "A confusion matrix counts classes, and these targets are no classes: they take 3 "
                'values, 0.5, 1.5, 2.5. Use metrics=["mse"] or ["mae"] for a regression.'
            ),
        ),
        (
            lambda: nn.confusion_matrix(Outputs(), np.eye(2), [0, 2], loss="CrossEntropyLoss"),
            TargetError,
            (
                "CrossEntropyLoss with 2 outputs takes classes from 0 to 1; got 2. Row 1 of the "
                "targets. Number the classes from 0, or give the last layer more outputs."
            ),
        ),
    ],
    ids=["no loss", "labels", "numbers", "out of range"],
)
def test_confusions_that_cannot_be(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
