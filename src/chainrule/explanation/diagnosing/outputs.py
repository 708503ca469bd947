"""The last op: which numbers it gives, and what `fit` says of them beside the targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.base.errors import ChainruleError, ConfigurationError, TargetError
from chainrule.explanation.diagnosing.draws import normals
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.intervals import EVERYWHERE, interval_of
from chainrule.nn.reachable import check_reachable
from chainrule.train.writing import trainable


def refusal_of(evidence: Evidence) -> ChainruleError | None:
    """What `fit` says of outputs and targets."""
    case, arrays = evidence.case, evidence.arrays
    assert arrays is not None
    width = None
    if evidence.trace is not None and evidence.output_node is not None:
        shape = evidence.trace.graph.nodes[evidence.output_node].shape
        width = int(shape[1]) if len(shape) > 1 else None
    try:
        case.loss.check_target(arrays.target, width)
        check_reachable(case.net, case.loss, arrays.target)
    except (TargetError, ConfigurationError) as error:
        return error
    return None


def output_range(evidence: Evidence) -> tuple[float, float] | None:
    """The interval in which the outputs lie, whatever the weights; None where it is all numbers."""
    trace, position = evidence.trace, evidence.output_node
    if trace is None or position is None:
        return None
    found = interval_of(trace, position)
    return None if found == EVERYWHERE else found


def tried_range(evidence: Evidence) -> tuple[float, float] | None:
    """The interval that outputs stay in however large the weights are drawn, as those of a cosine.

    None where ten times larger weights give larger outputs, or where it cannot be tried.
    """
    arrays, state = evidence.arrays, evidence.case.state
    if arrays is None or evidence.outputs is None:
        return None
    paths = trainable(evidence.case.net)
    ends = []
    for scale in (10.0, 100.0):
        said = []
        for turn in range(3):
            drawn = {
                path: scale * normals(state[path].shape, f"weights {turn} {path}") for path in paths
            }
            cast = {path: array.astype(state[path].dtype) for path, array in drawn.items()}
            outputs = evidence.outputs_on(arrays, evidence.sampled[:128], {**state, **cast})
            if outputs is None or not np.isfinite(outputs).all():
                return None
            said.append(outputs)
        ends.append((float(np.min(said)), float(np.max(said))))
    (low, high), (lower, higher) = ends
    width = high - low
    if width <= 0 or lower < low - 0.1 * width or higher > high + 0.1 * width:
        return None
    return min(low, lower), max(high, higher)


def last_op(evidence: Evidence) -> str:
    """What the last op is called."""
    trace, position = evidence.trace, evidence.output_node
    assert trace is not None
    assert position is not None
    return trace.graph.nodes[position].op


def opener(evidence: Evidence) -> dict[str, Any]:
    """What opens an output, beside a target that it cannot be."""
    trace, position = evidence.trace, evidence.output_node
    if trace is None or position is None:
        return {}
    name = trace.graph.name_of(position)
    index = (0,) * len(trace.graph.nodes[position].shape)
    return {"trace": evidence.open(name, *index), "command": evidence.command(name, *index)}
