"""Scales of inputs and targets: told by the same steps on data brought to scale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import LIKELY, POSSIBLE
from chainrule.explanation.diagnosing.rule import Found, rule

Array = np.ndarray[Any, Any]


@rule(
    "unscaled-inputs",
    severity="warning",
    needs="trials",
    looks_for="Inputs far from mean 0 and deviation 1, which the training suffers from.",
    fix="Standardise: x = (x - mean) / std, with mean and std of the training examples.",
    explains=(
        "saturated-units",
        "dead-units",
        "vanishing-gradient",
        "exploding-gradient",
        "gradient-zero",
        "learning-rate-too-large",
        "class-collapse",
        "loss-not-finite",
        "gradient-not-finite",
        "learning-rate-too-small",
        "unscaled-targets",
        "too-few-units",
    ),
    source="LeCun, Bottou, Orr and Müller 1998, section 4.3",
)
def _unscaled_inputs(evidence: Evidence) -> Iterator[Found]:
    x = evidence.numeric
    if x is None or not x.shape[1] or len(x) < 2:
        return
    some = x[evidence.sampled].astype(np.float64)
    sizes = np.sqrt((some**2).mean(axis=0))
    spreads = some.std(axis=0)
    moving = spreads[spreads > 0]
    if not len(moving):
        return
    largest = int(sizes.argmax())
    ratio = moving.max() / np.quantile(moving, 0.25, method="lower")
    far = sizes[largest] > 10
    tiny = sizes.max() < 0.05
    uneven = ratio > 100
    if not (far or tiny or uneven):
        return
    skill, scaled = evidence.skill(), evidence.skill("inputs")
    if skill is None or scaled is None:
        return
    gain = scaled - skill
    # Pixels at the edge of an image are seldom anything but 0: that alone does little harm.
    suffers = scaled > 0.15 and gain > (0.15 if far or tiny else 0.4)
    if not (suffers or far or tiny):
        return
    columns = f"column {largest} has a root mean square of {sizes[largest]:.4g}"
    yield Found(
        f"The inputs go up to {np.abs(some).max():.4g}"
        + (f", and their spreads differ {ratio:.0f} times" if uneven else ""),
        (
            columns + f", a mean of {some[:, largest].mean():.4g} and a deviation of "
            f"{spreads[largest]:.4g}",
            (
                "the slope of the loss by a weight grows with its input, and its curvature with "
                "the "
                f"square: {sizes[largest] ** 2:.3g} of what it is at scale 1"
            ),
            (
                f"after {evidence.updates} trial steps {evidence.skill_is} is {skill:.3f}; with "
                "the "
                f"inputs standardised it is {scaled:.3f}"
            ),
        ),
        where=f"column {largest}",
        severity="warning" if suffers else "note",
        confidence=LIKELY if suffers else POSSIBLE,
        explains=None if suffers else (),
    )


@rule(
    "unscaled-targets",
    severity="warning",
    needs="trials",
    looks_for="Targets far from the size of the outputs, which the training suffers from.",
    fix="Standardise the targets: y = (y - mean) / std, and undo it on predictions.",
    explains=(
        "learning-rate-too-large",
        "learning-rate-too-small",
        "dead-units",
        "saturated-units",
        "loss-not-finite",
        "gradient-not-finite",
        "too-few-units",
    ),
    source="LeCun, Bottou, Orr and Müller 1998, section 4.5",
)
def _unscaled_targets(evidence: Evidence) -> Iterator[Found]:
    if evidence.values is None or not evidence.case.loss.measures_distance:
        return
    values = evidence.values
    size = float(np.sqrt((values**2).mean()))
    spread = float(values.std(axis=0).max())
    if not spread or (spread > 0.03 and size < 10):
        return
    skill, scaled = evidence.skill(), evidence.skill("targets")
    if skill is None or scaled is None:
        return
    inputs, both = evidence.skill("inputs"), evidence.skill("inputs and targets")
    before = skill
    if inputs is not None and both is not None and both > scaled:
        before, scaled = max(skill, inputs), both  # inputs are out of scale, too
    suffers = scaled - before > 0.15 and scaled > 0.15
    yield Found(
        f"The targets have a mean of {values.mean():.4g} and a deviation of {spread:.4g}",
        (
            "a network at its start gives outputs of about 1 in size",
            (
                f"after {evidence.updates} trial steps {evidence.skill_is} is {skill:.3f}; with "
                "the "
                f"targets standardised it is {scaled:.3f}"
            ),
        ),
        where="targets",
        severity="warning" if suffers else "note",
        confidence=LIKELY if suffers else POSSIBLE,
    )
