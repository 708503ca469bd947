"""Confusions: how often each class was taken for which."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.base.errors import NonFiniteError
from chainrule.eager import Tensor, as_tensor
from chainrule.eager.tensor import Array
from chainrule.nn.losses.loss import Loss
from chainrule.nn.metrics.answers import Answers
from chainrule.nn.metrics.registry import counted_targets


def count_confusions(
    loss: Loss, outputs: Any, target: Array, weights: Array | None = None
) -> Array:
    """Count for each class (rows) as which its examples were taken (columns).

    Parameters
    ----------
    loss : Loss
        What outputs and targets are.
    outputs : array of shape (N, ...)
    target : array of shape (N, ...)
        As the loss prepares them.
    weights : array of shape (N,), optional

    Returns
    -------
    array of shape (classes, classes)
        int64; with weights, their sums in float64. Examples and places that the loss ignores do
        not count.

    Raises
    ------
    TargetError
        If the targets are no classes, or an example can have several.
    NonFiniteError
        If an output is NaN: it says no class.
    """
    answers = Answers.of("A confusion matrix", loss, counted_targets(loss, target))
    answers.check_no_labels(target)
    output = Tensor(outputs) if isinstance(outputs, np.ndarray) else outputs
    decided = answers.decide(output, as_tensor(target))
    counted = loss.counted(as_tensor(target))
    kept = np.ones(len(target), np.bool_) if counted is None else counted.numpy()
    wrong = np.isnan(np.asarray(outputs)).reshape(len(target), -1).any(axis=1) & kept
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise NonFiniteError(
            "An output that is NaN says no class", where=f"Row {row} of the outputs"
        )
    actual, predicted = decided.actual.numpy(), decided.predicted.numpy()
    axes = tuple(range(1, actual.ndim))
    places = np.broadcast_to(np.expand_dims(kept, axes), actual.shape)
    if decided.kept is not None:
        places = places & decided.kept.numpy()
    one = np.ones(len(target), np.int64) if weights is None else np.asarray(weights, np.float64)
    counts = np.zeros((decided.classes or 0,) * 2, one.dtype)
    each = np.broadcast_to(np.expand_dims(one, axes), actual.shape)[places]
    np.add.at(counts, (actual[places].astype(np.int64), predicted[places].astype(np.int64)), each)
    return counts
