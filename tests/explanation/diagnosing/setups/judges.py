"""How well outputs are what the targets say: 1 is best. No loss enters, so that set-ups compare."""

from __future__ import annotations

from typing import Any

import numpy as np


def classes(outputs: Any, y: Any) -> float:
    """The share of examples whose largest output is that of their class."""
    y = np.asarray(y)
    y = y.argmax(axis=-1) if y.ndim == 2 else y
    return float((np.asarray(outputs).argmax(axis=-1) == y).mean())


def odds(outputs: Any, y: Any) -> float:
    """The share of labels that logits say: 1 (or +1) where they are above 0."""
    return float(((np.ravel(outputs) > 0) == (np.ravel(y) > 0)).mean())


def halves(outputs: Any, y: Any) -> float:
    """The share of labels that probabilities say: 1 where they are above one half."""
    return float(((np.ravel(outputs) > 0.5) == (np.ravel(y) > 0.5)).mean())


def balanced_odds(outputs: Any, y: Any) -> float:
    """The mean of what share of the ones, and what share of the zeros, logits say rightly."""
    said, true = np.ravel(outputs) > 0, np.ravel(y) > 0
    return float((said[true].mean() + (~said[~true]).mean()) / 2)


def r2(outputs: Any, y: Any) -> float:
    """1 - Σ(y - ŷ)² / Σ(y - ȳ)², the targets' own means being those of their columns."""
    y = np.asarray(y, np.float64)
    outputs = np.asarray(outputs, np.float64).reshape(y.shape)
    return float(1 - ((y - outputs) ** 2).sum() / ((y - y.mean(axis=0)) ** 2).sum())


def nearest(outputs: Any, y: Any) -> float:
    """The share of whole-numbered targets that outputs round to."""
    return float((np.rint(np.ravel(outputs)) == np.ravel(y)).mean())
