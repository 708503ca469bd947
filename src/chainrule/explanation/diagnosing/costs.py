"""A loss on answers that are made up: what each example costs, and whose cost it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.base.errors import ChainruleError
from chainrule.explanation.diagnosing.draws import normals
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.trials import beginning
from chainrule.nn.measures import LOSS
from chainrule.train.engine import Halt
from chainrule.train.sources import ArraySource

Array = np.ndarray[Any, Any]


def costs(evidence: Evidence, outputs: Array, target: Array) -> Array | None:
    """The cost of each example, where the loss can be asked for it."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(evidence.case.loss(outputs, target).numpy(), np.float64)
    except ChainruleError:
        return None


def is_of_last(evidence: Evidence) -> bool:
    """Whether each example of a batch is said to cost what the last one does."""
    arrays, outputs = evidence.arrays, evidence.outputs
    if arrays is None or outputs is None or len(evidence.sampled) < 3:
        return False
    places = evidence.sampled[:16]
    said = normals((len(places), *outputs.shape[1:]), "answers")
    said = said.astype(outputs.dtype)
    found = costs(evidence, said, arrays.target[places])
    alone = costs(evidence, said[-1:], arrays.target[places[-1:]])
    first = costs(evidence, said[:1], arrays.target[places[:1]])
    if found is None or alone is None or first is None:
        return False
    return bool(np.allclose(found, alone[0]) and not np.allclose(first[0], alone[0]))


def last_of_epochs(evidence: Evidence, epochs: int) -> dict[str, Array]:
    """The loss of each epoch's last batch, and of its last example, from the run's steps."""
    case = evidence.case
    engine, plan, arrays = case.engine, case.plan, case.source
    if engine is None or plan is None or not isinstance(arrays, ArraySource):
        return {}
    found: dict[str, list[float]] = {"last batch": [], "last sample": []}
    state, number = beginning(case)
    for epoch in range(epochs):
        chunks = engine.updates(state, number, epoch, 0, plan.updates_per_epoch, singly=True)
        for chunk in chunks:
            if isinstance(chunk, Halt):
                return {}
            before, state, number = state, chunk.state, number + chunk.updates
            batch = np.ravel(chunk.totals[LOSS])[-1] / np.ravel(chunk.weights[LOSS])[-1]
        found["last batch"].append(float(batch))
        row = plan.batches(epoch, plan.updates_per_epoch - 1)[-1][-1:]
        found["last sample"].append(_loss_of(evidence, row, before))
    return {what: np.array(values) for what, values in found.items()}


def _loss_of(evidence: Evidence, row: Array, state: Mapping[str, Array]) -> float:
    """The loss of one example, with the parameters of a state."""
    case = evidence.case
    assert isinstance(case.source, ArraySource)
    outputs = evidence.outputs_on(case.source, row, state)
    if outputs is None:
        return float("nan")
    return float(case.loss(outputs, case.source.target[row]).numpy().mean())
