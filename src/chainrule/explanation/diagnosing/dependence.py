"""Whether the loss is computed from a parameter at all, whatever the numbers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.explanation.diagnosing.costs import costs
from chainrule.explanation.diagnosing.draws import normals
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.train.writing import trainable

Array = np.ndarray[Any, Any]

TURNS = 3


def unread(evidence: Evidence, paths: Sequence[str]) -> list[str]:
    """Those parameters that no cost depends on, however all others are drawn.

    A unit that is off for the weights there are is on for others: what stays without effect for
    all of them is cut off by the way the network or the loss is written.
    """
    return [path for path in paths if all(_is_unread(evidence, path, t) for t in range(TURNS))]


def _is_unread(evidence: Evidence, path: str, turn: int) -> bool:
    state, drawn = evidence.case.state, dict(evidence.case.state)
    for each in trainable(evidence.case.net):
        drawn[each] = normals(state[each].shape, f"draw {turn} {each}").astype(state[each].dtype)
    before = _costs(evidence, drawn)
    drawn[path] = -2 * drawn[path]
    after = _costs(evidence, drawn)
    return before is not None and after is not None and np.array_equal(before, after)


def _costs(evidence: Evidence, state: Mapping[str, Array]) -> Array | None:
    arrays = evidence.arrays
    if arrays is None:
        return None
    places = evidence.sampled[:64]
    outputs = evidence.outputs_on(arrays, places, state)
    return None if outputs is None else costs(evidence, outputs, arrays.target[places])
