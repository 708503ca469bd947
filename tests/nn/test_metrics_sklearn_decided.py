"""Metrics of what is decided, beside scikit-learn's: accuracy, precision, confusions and others."""

import functools
import warnings
from typing import NamedTuple

import numpy as np
import pytest
import sklearn.metrics as sk

from chainrule import nn
from tests.nn.measured import (
    AS_TWO,
    LABELS,
    MANY,
    TWO,
    WEIGHTS,
    WITHIN,
    Given,
    all_measured,
)

AVERAGES = {"_macro": "macro", "_micro": "micro", "_weighted": "weighted"}
SCORES = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}


def decided(name, true, predicted, weights):
    """scikit-learn's value of a metric of classes, or of labels."""
    if name == "accuracy":
        return sk.accuracy_score(true, predicted, sample_weight=weights)
    if name == "balanced_accuracy":
        return sk.balanced_accuracy_score(true, predicted, sample_weight=weights)
    if name == "specificity":
        return sk.recall_score(true, predicted, pos_label=0, sample_weight=weights, zero_division=0)
    kind = name.partition("_")[0]
    average = AVERAGES.get(name.removeprefix(kind), "binary")
    return SCORES[kind](true, predicted, average=average, sample_weight=weights, zero_division=0)


OF_CLASSES = ["accuracy", "balanced_accuracy", *(s + a for s in SCORES for a in AVERAGES)]
OF_LABELS = ["accuracy", *(s + a for s in SCORES for a in AVERAGES)]
OF_TWO = [*OF_CLASSES, *SCORES, "specificity"]


@pytest.mark.parametrize("case", MANY)
def test_many_classes(case):
    logits, target = MANY[case]
    predicted = logits.argmax(axis=1)
    assert_decided(OF_CLASSES, "CrossEntropyLoss", logits, target, target, predicted)
    assert_decided(OF_CLASSES, "MultiMarginLoss", logits, target, target, predicted)


def forms(cases):
    """Each case in each form; targets that are all 1 do not say that they are signs."""
    for case, (_, target) in cases.items():
        for form in AS_TWO:
            if not (form == "values, -1 and 1" and target.all()):
                yield pytest.param(case, form, id=f"{case}, {form}")


@pytest.mark.parametrize(("case", "form"), list(forms(TWO)))
def test_two_classes(case, form):
    z, target = TWO[case]
    loss, output_of, target_of = AS_TWO[form]
    # One output above the border says 1; of two that are equal, the first says 0: the same.
    predicted = (z > 0).astype(np.int64)
    assert_decided(OF_TWO, loss, output_of(z), target_of(target), target, predicted)


@pytest.mark.parametrize("case", LABELS)
def test_labels(case):
    z, target = LABELS[case]
    predicted = (z > 0).astype(int)
    assert_decided(OF_LABELS, "BCEWithLogitsLoss", z, target, target, predicted)
    assert_decided(OF_LABELS, "SoftMarginLoss", z, 2 * target - 1, target, predicted)


def assert_decided(names, loss, outputs, targets, true, predicted):
    """Metrics of what is decided are scikit-learn's, however the examples are weighted."""
    for weighting in WEIGHTS:
        weights = WEIGHTS[weighting](len(true))
        counted = np.ones(len(true), bool) if weights is None else weights > 0
        found = all_measured(names, loss, outputs, targets, weights, batch_size=64)
        given = [true[counted], predicted[counted], None if weights is None else weights[counted]]
        for name in names:
            expected = once(name, *map(Array.of, given))
            assert found[name] == pytest.approx(expected, **WITHIN), (name, weighting)


class Array(NamedTuple):
    """An array by its content."""

    content: bytes
    dtype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array):
        return array if array is None else cls(array.tobytes(), array.dtype.str, array.shape)

    @property
    def array(self):
        return np.frombuffer(self.content, self.dtype).reshape(self.shape)


@functools.cache  # each form of the same outputs, and each loss, compares with one
def once(name, true, predicted, weights):
    with warnings.catch_warnings():  # of a class that is predicted and not there
        warnings.simplefilter("ignore", UserWarning)
        return decided(
            name, true.array, predicted.array, None if weights is None else weights.array
        )


@pytest.mark.parametrize("case", MANY)
def test_confusion_matrix_of_many_classes(case):
    logits, target = MANY[case]
    found = nn.confusion_matrix(Given(), logits, target, loss="CrossEntropyLoss", batch_size=7)
    labels = range(logits.shape[1])
    expected = sk.confusion_matrix(target, logits.argmax(axis=1), labels=labels)
    assert found.dtype == np.int64
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(("case", "form"), list(forms(TWO)))
def test_confusion_matrix_of_two_classes(case, form):
    z, target = TWO[case]
    loss, output_of, target_of = AS_TWO[form]
    found = nn.confusion_matrix(Given(), output_of(z), target_of(target), loss=loss)
    expected = sk.confusion_matrix(target, (z > 0).astype(int), labels=[0, 1])
    assert found.tolist() == expected.tolist()


def test_confusion_matrix_with_weights_sums_them():
    logits, target = MANY["many"]
    weights = WEIGHTS["weighted"](len(target))
    found = nn.confusion_matrix(Given(), logits, target, loss="CrossEntropyLoss", weights=weights)
    expected = sk.confusion_matrix(target, logits.argmax(axis=1), sample_weight=weights)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
