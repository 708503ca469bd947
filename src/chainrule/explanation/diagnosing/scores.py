"""What targets are, what outputs say, and how well the one is the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.nn.losses.loss import READABLE
from chainrule.train.sources import ArraySource

Array = np.ndarray[Any, Any]


WORDS, PLACES = 1000, 4


def features_of(source: ArraySource) -> Array:
    """The inputs that are numbers, [N, F]."""
    numbers = [c.reshape(len(c), -1) for c in source.columns if c.dtype.kind == "f"]
    if not numbers:
        return np.zeros((source.count, 0), np.float32)
    return numbers[0] if len(numbers) == 1 else np.concatenate(numbers, axis=1)


def occurrences(columns: Sequence[Array]) -> Array:
    """How often each of the commonest numbers occurs in a row of integers: a bag of words.

    Of up to four numbers a row each place is counted for itself: they are of different kinds.
    """
    found = []
    for column in columns:
        flat = column.reshape(len(column), -1)
        parts = flat.T[:, :, None] if flat.shape[1] <= PLACES else [flat]
        for part in parts:
            kinds, counts = np.unique(part, return_counts=True)
            kept = np.sort(kinds[np.argsort(-counts, kind="stable")[:WORDS]])
            place = np.minimum(np.searchsorted(kept, part), len(kept) - 1)
            bag = np.zeros((len(part), len(kept)), np.float32)
            np.add.at(bag, (np.arange(len(part))[:, None], place), kept[place] == part)
            found.append(bag)
    return np.concatenate(found, axis=1) if found else np.zeros((0, 0), np.float32)


def classes_of(target: Array) -> Array | None:
    """Targets as classes, where they are: integers, one-hot rows, or two values."""
    if target.dtype.kind in "iub":
        return target.astype(np.int64) if target.ndim == 1 else None
    flat = target.reshape(len(target), -1)
    if flat.shape[1] > 1:
        one_hot = np.isin(flat, (0, 1)).all() and (flat.sum(axis=1) == 1).all()
        return flat.argmax(axis=1) if one_hot else None
    values = np.unique(flat)
    if len(values) <= 2 and np.isin(values, (-1, 0, 1)).all():
        return (flat[:, 0] > 0).astype(np.int64)
    return None


def classes_said(outputs: Array, read_as: str) -> Array | None:
    """The classes that outputs say."""
    flat = outputs.reshape(len(outputs), -1)
    if flat.shape[1] > 1:
        return flat.argmax(axis=1) if outputs.ndim == 2 else None
    low, high = READABLE.get(read_as, (-1.0, 1.0))
    middle = 0.5 if (low, high) == (0.0, 1.0) else 0.0
    if read_as == "values":  # 0 and 1, or signs: by where they lie
        middle = 0.0 if (flat < 0).mean() > 0.05 and (flat > 0).mean() > 0.05 else 0.5
    return (flat[:, 0] > middle).astype(np.int64)


def as_targets(outputs: Array, read_as: str) -> Array:
    """Outputs as what targets are: the probabilities of logits, the numbers of logarithms."""
    with np.errstate(over="ignore"):
        match read_as:
            case "log-probabilities" | "log-values":
                return np.exp(outputs)
            case "binary logits":
                return 1 / (1 + np.exp(-outputs))
            case "logits":
                odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
                return np.asarray(odds / odds.sum(axis=1, keepdims=True))
    return outputs


def score(outputs: Array, target: Array, read_as: str) -> float | None:
    """How well outputs say targets: 1 is all right, 0 is what says nothing.

    Parameters
    ----------
    outputs : array of shape (N, ...)
    target : array of shape (N, ...)
    read_as : str
        What the loss takes the outputs for.
    """
    if not np.isfinite(outputs).all():
        return -1.0
    classes = classes_of(target)
    if classes is not None:
        answers = classes_said(outputs, read_as)
        if answers is None:
            return None
        most = np.unique(classes, return_counts=True)[1].max() / len(classes)
        return float(((answers == classes).mean() - most) / max(1 - most, 1e-9))
    goal = target.reshape(len(target), -1).astype(np.float64)
    said = as_targets(outputs.reshape(len(outputs), -1).astype(np.float64), read_as)
    if said.shape != goal.shape:
        return None
    total = ((goal - goal.mean(axis=0)) ** 2).sum()
    return float(max(1 - ((said - goal) ** 2).sum() / max(total, 1e-300), -1.0))
