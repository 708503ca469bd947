"""The last op: which numbers it gives, and what `fit` says of them beside the targets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.base.errors import ChainruleError, ConfigurationError, TargetError
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.units import value_at
from chainrule.nn.reachable import check_reachable
from chainrule.ops import ElementwiseOp, bind

Array = np.ndarray[Any, Any]


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
    """The interval that the last op maps all numbers into; None where it is not known."""
    trace, position = evidence.trace, evidence.output_node
    if trace is None or position is None:
        return None
    node = trace.graph.nodes[position]
    while node.op == "reshape":
        node = trace.graph.nodes[node.inputs[0]]
    bound = bind(node.op, node.attributes)
    if isinstance(bound, ElementwiseOp) and len(node.inputs) == 1 and node.dtype.is_float:
        return _image(bound)
    shares = _is_share(evidence)
    return (0.0, 1.0) if shares else None


def _is_share(evidence: Evidence) -> bool:
    """Whether the outputs are shares of a whole by how they are made, as those of a softmax."""
    trace, position = evidence.trace, evidence.output_node
    assert trace is not None
    assert position is not None
    node, value = trace.graph.nodes[position], np.asarray(trace.values[position], np.float64)
    if value.ndim != 2 or value.shape[1] < 2 or len(node.inputs) != 1:
        return False
    sums = value.sum(axis=1)
    return bool((value >= 0).all() and (value <= 1).all() and np.allclose(sums, 1, atol=1e-4))


def _image(op: ElementwiseOp) -> tuple[float, float] | None:
    """The image of the real line under a unary op, as far as a fine grid shows it."""
    grid = np.concatenate([-np.logspace(6, -3, 400), [0.0], np.logspace(-3, 6, 400)])
    y = value_at(op, grid)
    if not np.isfinite(y).all():
        return None
    low, high = float(y.min()), float(y.max())
    low = -math.inf if low < -1e5 else low
    high = math.inf if high > 1e5 else high
    return None if (low, high) == (-math.inf, math.inf) else (low, high)


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
