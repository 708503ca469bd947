"""Metrics summed over batches of evaluation, and outputs and targets to measure.

Each number is a quotient of sums of at most a hundred terms of order 1, so that some 1e-14 is what
rounding can make of it; 1e-12 is promised.
"""

import numpy as np
import pytest

from chainrule import nn

WITHIN = {"rel": 1e-12, "abs": 1e-12}


class Given(nn.Module):
    """Outputs that are its inputs, in float64."""

    def __init__(self):
        self.one = nn.Parameter(np.ones(()))

    def forward(self, x):
        return x * self.one


def all_measured(names, loss, outputs, targets, weights=None, batch_size=7):
    """Some metrics, summed over batches of evaluation."""
    return Given().evaluate(
        np.asarray(outputs, np.float64),
        np.asarray(targets),
        loss=loss,
        metrics=names,
        weights=weights,
        batch_size=batch_size,
    )


def measured(name, loss, outputs, targets, weights=None):
    return all_measured([name], loss, outputs, targets, weights)[name]


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z)))


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def classes(seed, n, count):
    return np.random.default_rng(seed).integers(0, count, n)


WEIGHTS = {
    "alike": lambda n: None,
    "weighted": lambda n: np.random.default_rng(9).uniform(0.1, 3, n),
    "some of no weight": lambda n: np.arange(n) % 3 * 0.5 + (np.arange(n) == 0),
}
each_weighting = pytest.mark.parametrize("weighting", WEIGHTS)


# --- what is measured ---------------------------------------------------------------------------


def _absent(seed, n, count, *, from_targets=None, from_outputs=None):
    """Logits and classes, one class never there, one never predicted."""
    z, t = numbers(seed, n, count), classes(seed + 1, n, count)
    if from_outputs is not None:
        z[:, from_outputs] = -9
    if from_targets is not None:
        t[t == from_targets] = (from_targets + 1) % count
    return z, t


MANY = {
    "many": _absent(1, 60, 4),
    "ties": (np.round(numbers(2, 60, 4)), classes(3, 60, 4)),
    "one class is never predicted": _absent(4, 40, 4, from_outputs=2),
    "one class is never there": _absent(5, 40, 4, from_targets=0),
    "one is never there, another never predicted": _absent(
        6, 40, 4, from_targets=0, from_outputs=3
    ),
    "one class is neither": _absent(7, 40, 4, from_targets=1, from_outputs=1),
    "all right": (10 * np.eye(4)[classes(8, 30, 4)], classes(8, 30, 4)),
    "all wrong": (10 * np.eye(4)[(classes(8, 30, 4) + 1) % 4], classes(8, 30, 4)),
    "one example, right": (np.array([[0.0, 1.0, 0.5]]), np.array([1])),
    "one example, wrong": (np.array([[0.0, 1.0, 0.5]]), np.array([2])),
}


TWO = {
    "two": (numbers(11, 50), classes(12, 50, 2)),
    "ties at the border": (np.round(numbers(13, 50)), classes(14, 50, 2)),
    "never says yes": (-abs(numbers(15, 20)), classes(16, 20, 2)),
    "never says no": (1 + abs(numbers(17, 20)), classes(18, 20, 2)),
    "only ones": (numbers(19, 20), np.ones(20, np.int64)),
    "only zeros": (numbers(20, 20), np.zeros(20, np.int64)),
    "only zeros, and right": (-1 - abs(numbers(21, 20)), np.zeros(20, np.int64)),
    "all right": (np.array([3.0, -2.0, 1.0]), np.array([1, 0, 1])),
    "all wrong": (np.array([-3.0, 2.0, -1.0]), np.array([1, 0, 1])),
    "one example": (np.array([0.3]), np.array([1])),
}

# How a loss takes two classes: from the log-odds, and from 0 and 1.
AS_TWO = {
    "two logits": ("CrossEntropyLoss", lambda z: np.stack([-z, z], axis=1), lambda t: t),
    "log-odds": ("BCEWithLogitsLoss", lambda z: z, lambda t: t),
    "a column of log-odds": (
        "BCEWithLogitsLoss", lambda z: z[:, None], lambda t: t[:, None],
    ),
    "probabilities": ("BCELoss", lambda z: np.where(z > 0, 0.75, 0.25), lambda t: t),
    "values, 0 and 1": ("MSELoss", lambda z: np.where(z > 0, 0.75, 0.25), lambda t: t),
    "values, -1 and 1": ("MSELoss", lambda z: z, lambda t: 2 * t - 1),
    "signs": ("HingeLoss", lambda z: z[:, None], lambda t: 2 * t[:, None] - 1),
    "one-hot": ("MSELoss", lambda z: np.stack([-z, z], axis=1), lambda t: np.eye(2)[t]),
}  # fmt: skip


LABELS = {
    "labels": (numbers(31, 40, 3), classes(32, 120, 2).reshape(40, 3)),
    "one label is never there": (
        numbers(33, 40, 3), classes(34, 120, 2).reshape(40, 3) * [1, 0, 1],
    ),
    "one label is never predicted": (
        numbers(35, 40, 3) - [0, 0, 99], classes(36, 120, 2).reshape(40, 3),
    ),
    "one label is neither": (
        numbers(38, 40, 3) - [0, 99, 0], classes(39, 120, 2).reshape(40, 3) * [1, 0, 1],
    ),
    "none is there": (numbers(37, 10, 3), np.zeros((10, 3), np.int64)),
}  # fmt: skip


# --- as a network gives it, in float32 ------------------------------------------------------------

NAMES = [
    "accuracy", "top_k_accuracy", "log_loss", "precision", "recall", "f1", "specificity",
    "balanced_accuracy", "auc", "average_precision", "mse", "rmse", "mae", "max_error", "r2",
    "explained_variance",
]  # fmt: skip
AVERAGES = ("macro", "micro", "weighted")
OF_NUMBERS = NAMES[NAMES.index("mse") :]
OF_CLASSES = [name for name in NAMES if name not in OF_NUMBERS and name != "top_k_accuracy"]
OF_CLASSES += ["top_1_accuracy"]
OF_CLASSES += [
    f"{score}_{average}" for score in ("precision", "recall", "f1") for average in AVERAGES
]


class Outputs(nn.Module):
    """Outputs that are its inputs; of several inputs a tuple."""

    def forward(self, *inputs):
        return inputs if len(inputs) > 1 else inputs[0]


def evaluate(outputs, target, loss, metrics, **options):
    if isinstance(outputs, tuple):
        x = tuple(np.asarray(o, np.float32) for o in outputs)
    else:
        x = np.asarray(outputs, np.float32)
    return Outputs().evaluate(x, np.asarray(target), loss=loss, metrics=metrics, **options)
