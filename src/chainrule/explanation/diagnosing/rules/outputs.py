"""Targets beside the interval in which outputs lie."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.base.errors import TargetError
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import LIKELY
from chainrule.explanation.diagnosing.outputs import (
    last_op,
    opener,
    output_range,
    refusal_of,
    tried_range,
)
from chainrule.explanation.diagnosing.rule import Found, rule

Array = np.ndarray[Any, Any]


@rule(
    "unreachable-targets",
    severity="error",
    looks_for="Targets outside of what the last layer can give, or that mean nothing to the loss.",
    fix="Bring the targets into the range of the outputs, or end the network with another layer.",
    explains=(
        "saturated-units",
        "gradient-zero",
        "vanishing-gradient",
        "class-collapse",
        "dead-units",
        "loss-not-finite",
        "gradient-not-finite",
        "learning-rate-too-small",
        "learning-rate-too-large",
        "too-few-units",
        "unscaled-targets",
    ),
)
def _unreachable_targets(evidence: Evidence) -> Iterator[Found]:
    case, arrays = evidence.case, evidence.arrays
    assert arrays is not None
    refused = refusal_of(evidence)
    if isinstance(refused, TargetError):
        yield Found(
            refused.message,
            (str(refused), *_floor(evidence)),
            where="targets",
            fix=refused.advice,
            line="" if evidence.last is None else evidence.last.line,
            **opener(evidence),
        )
        return
    if not case.loss.measures_distance or arrays.target.dtype.kind != "f":
        return
    ends = output_range(evidence)
    if ends is None:
        yield from _out_of_reach(evidence)
        return
    low, high = ends
    target = arrays.target
    # Rounding: the targets of an f32 network are a little outside of the ends.
    slack = 1e-6 * max(
        1.0, abs(low) if math.isfinite(low) else 1, abs(high) if math.isfinite(high) else 1
    )
    outside = (target < low - slack) | (target > high + slack)
    if not outside.any():
        return
    # A little noise that goes beyond an end costs nothing that would be seen.
    beyond = target - np.clip(target, low, high)
    if outside.mean() < 0.05 and (beyond**2).mean() < 1e-3 * target.var():
        return
    place = int(np.argwhere(outside)[0][0])
    yield Found(
        f"{outside.mean():.0%} of the targets lie outside of [{low:g}, {high:g}], where the "
        "outputs lie",
        (
            (
                f"the targets go from {target.min():g} to {target.max():g}; the last op, "
                f"{last_op(evidence)}, gives no number outside of [{low:g}, {high:g}]"
            ),
            *_floor(evidence),
        ),
        where=f"row {evidence.original_row(place)} of the targets",
        line=evidence.line("out"),
        **opener(evidence),
    )


def _out_of_reach(evidence: Evidence) -> Iterator[Found]:
    """Targets far beyond where outputs are, however large the weights: those of a cosine, say."""
    assert evidence.arrays is not None
    target = evidence.arrays.target.astype(np.float64)
    ends = tried_range(evidence)
    if ends is None:
        return
    low, high = ends
    slack = 0.1 * (high - low)
    beyond = target - np.clip(target, low - slack, high + slack)
    if (beyond != 0).mean() < 0.05 or (beyond**2).mean() < 0.01 * target.var():
        return
    yield Found(
        f"{(beyond != 0).mean():.0%} of the targets lie where no weights bring the outputs",
        (
            (
                "with weights drawn anew with a deviation of 10, and of 100, all outputs lie in "
                f"[{low:.3g}, {high:.3g}]"
            ),
            f"the targets go from {target.min():g} to {target.max():g}",
        ),
        where="targets",
        line=evidence.line("out"),
        confidence=LIKELY,
        **opener(evidence),
    )


def _floor(evidence: Evidence) -> Iterator[str]:
    """The least mean square that any weights reach, where outputs lie in an interval."""
    ends, arrays = output_range(evidence), evidence.arrays
    assert arrays is not None
    if ends is None or arrays.target.dtype.kind != "f" or not evidence.case.loss.measures_distance:
        return
    target = arrays.target.astype(np.float64)
    beyond = target - np.clip(target, *ends)
    if beyond.any():
        yield (
            f"the mean squared error has a floor of {np.mean(beyond**2):.4g} that no weights reach "
            "below, while the last activation is driven to its end"
        )
