"""Probes: how well something simple, or the network itself, says held-out targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.explanation.diagnosing.draws import order
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.neighbours import Agreement

Array = np.ndarray[Any, Any]

SHUFFLES = 20


def linear_skill(evidence: Evidence) -> Agreement | None:
    """Ridge regression on two thirds, scored on the rest: correlation, or share of classes."""
    x = evidence.described
    if x is None or not x.shape[1]:
        return None
    features = x.astype(np.float64)
    spread = features.std(axis=0)
    features = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    features = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    places = order(len(features), "halves")
    cut = 2 * len(places) // 3
    train, test = places[:cut], places[cut:]
    gram = features[train].T @ features[train]
    gram += 0.1 * len(train) * np.eye(len(gram))
    solved = np.linalg.solve(gram, features[train].T)
    goal = goals(evidence, evidence.sampled)

    def score(goal: Array) -> float:
        said = features[test] @ (solved @ (goal[train] - goal[train].mean(axis=0)))
        return _score(said + goal[train].mean(axis=0), goal[test], evidence.classes is not None)

    chance = [score(goal[order(len(goal), "chance", k)]) for k in range(SHUFFLES)]
    return Agreement(score(goal), float(np.mean(chance)), float(np.std(chance)))


def network_skill(evidence: Evidence) -> Agreement | None:
    """The network trained on two thirds of the examples, scored on the rest."""
    arrays = evidence.arrays
    if arrays is None or evidence.case.plan is None:
        return None
    places = order(arrays.count, "halves")
    cut = 2 * len(places) // 3
    train, test = places[:cut], places[cut : cut + 1000]
    outputs = evidence.outputs_after(train, test)
    if outputs is None:
        return None
    goal = goals(evidence, test)
    said = outputs.reshape(len(outputs), -1)
    classes = evidence.classes is not None
    if classes:
        answers = evidence.said(outputs)
        if answers is None or evidence.classes is None:
            return None
        said = np.eye(goal.shape[1])[np.minimum(answers, goal.shape[1] - 1)]
    elif said.shape != goal.shape:
        return None
    chance = [
        _score(said, goal[order(len(goal), "chance", k)], classes) for k in range(5 * SHUFFLES)
    ]
    return Agreement(_score(said, goal, classes), float(np.mean(chance)), float(np.std(chance)))


def goals(evidence: Evidence, places: Array) -> Array:
    """Targets as numbers: classes as rows of 0 and 1."""
    if evidence.classes is not None:
        _, labels = np.unique(evidence.classes, return_inverse=True)
        return np.eye(labels.max() + 1)[labels[places]]
    assert evidence.values is not None
    return evidence.values[places]


def _score(said: Array, goal: Array, classes: bool) -> float:
    """The share of right classes, averaged over classes; or the correlation."""
    if classes:
        right = said.argmax(axis=1) == goal.argmax(axis=1)
        shares = [right[goal[:, k] == 1].mean() for k in range(goal.shape[1]) if goal[:, k].any()]
        return float(np.mean(shares))
    a, b = said - said.mean(axis=0), goal - goal.mean(axis=0)
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0
