"""What the examples that are nearest say of a target: whether inputs tell the targets at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.explanation.diagnosing.draws import order

Array = np.ndarray[Any, Any]

EXAMPLES = 2000
"""How many are compared with each other, at most."""

NEAREST = 10


def distances(these: Array, those: Array) -> Array:
    """The squared distance of each of these points from each of those."""
    squares = (these * these).sum(axis=1)[:, None] + (those * those).sum(axis=1)[None, :]
    return np.asarray(np.maximum(squares - 2 * (these @ those.T), 0.0))


@dataclass(frozen=True)
class Neighbours:
    """Examples, and the nearest of each in standardised inputs.

    Parameters
    ----------
    features : float64 array of shape (N, F)
    nearest : int array of shape (N, k)
        The nearest first; never itself.
    """

    features: Array
    nearest: Array

    @classmethod
    def of(cls, features: Array, k: int = NEAREST) -> Neighbours | None:
        """Find them; None for fewer examples than that takes."""
        count = len(features)
        if count < 4 * k:
            return None
        x = np.asarray(features, np.float64)
        spread = x.std(axis=0)
        x = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        distance = distances(x, x)
        np.fill_diagonal(distance, np.inf)
        near = np.argpartition(distance, k, axis=1)[:, :k]
        order = np.take_along_axis(distance, near, axis=1).argsort(axis=1, kind="stable")
        return cls(x, np.take_along_axis(near, order, axis=1))

    def agreement(self, labels: Array) -> Array:
        """For each example the share of its nearest that have its label."""
        return np.asarray((labels[self.nearest] == labels[:, None]).mean(axis=1))

    def majority(self, labels: Array) -> Array:
        """For each example the label that most of its nearest have."""
        near = labels[self.nearest]
        votes = np.stack([(near == k).sum(axis=1) for k in range(labels.max() + 1)])
        return np.asarray(votes.argmax(axis=0))

    def skill_of_classes(self, labels: Array) -> float:
        """The share of examples whose label most of their nearest have, above the commonest's."""
        right = float((self.majority(labels) == labels).mean())
        most = np.unique(labels, return_counts=True)[1].max() / len(labels)
        return float((right - most) / max(1 - most, 1e-9))

    def skill_of_values(self, values: Array) -> float:
        """The share of the variance that the means of the nearest explain."""
        rest = ((values - values[self.nearest].mean(axis=1)) ** 2).sum()
        return float(1 - rest / max(((values - values.mean(axis=0)) ** 2).sum(), 1e-300))

    def correlation(self, values: Array) -> float:
        """Between the values and the means of their nearest's, over all columns."""
        v = values - values.mean(axis=0)
        means = v[self.nearest].mean(axis=1)
        scale = np.sqrt((v * v).sum() * (means * means).sum())
        return float((v * means).sum() / scale) if scale > 0 else 0.0


@dataclass(frozen=True)
class Agreement:
    """How well the nearest say the targets, beside targets that were shuffled.

    Parameters
    ----------
    found : float
    chance : float
        Its mean over shuffled targets.
    spread : float
        Its standard deviation over these.
    """

    found: float
    chance: float
    spread: float

    @cached_property
    def sigmas(self) -> float:
        """How many standard deviations it is above chance."""
        return (self.found - self.chance) / max(self.spread, 1e-12)


def compare(
    neighbours: Neighbours, target: Array, *, classes: bool, shuffles: int = 30
) -> Agreement:
    """Compare the targets with shuffled ones."""

    def measure(y: Array) -> float:
        if classes:
            return float(neighbours.agreement(y).mean())
        return neighbours.correlation(y)

    chance = [measure(target[order(len(target), "chance", k)]) for k in range(shuffles)]
    return Agreement(measure(target), float(np.mean(chance)), float(np.std(chance)))
