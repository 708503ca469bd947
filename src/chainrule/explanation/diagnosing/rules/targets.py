"""Whether the inputs say anything of the targets: shuffled apart, or partly wrong; and scales."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import LIKELY, POSSIBLE
from chainrule.explanation.diagnosing.neighbours import NEAREST
from chainrule.explanation.diagnosing.probes import linear_skill, network_skill
from chainrule.explanation.diagnosing.rule import Found, rule

Array = np.ndarray[Any, Any]

FEWEST = 100
"""Examples, below which chance explains too much."""


@rule(
    "shuffled-targets",
    severity="error",
    needs="trials",
    looks_for="Targets that inputs say nothing of: near examples have no nearer targets than "
    "others.",
    fix="See that x and y are in one order: shuffle both by one permutation, x[order] and "
    "y[order].",
    explains=(
        "noisy-targets",
        "overfitting",
        "class-collapse",
        "too-few-units",
        "learning-rate-too-small",
        "leaking-split",
    ),
)
def _shuffled_targets(evidence: Evidence) -> Iterator[Found]:
    agreement = evidence.agreement
    if agreement is None or len(evidence.sampled) < FEWEST or agreement.sigmas > 4:
        return
    if evidence.numeric is None or evidence.count < 3 * evidence.numeric.shape[1]:
        return  # too few to tell
    linear = linear_skill(evidence)
    if linear is None or linear.sigmas > 4:
        return
    network = network_skill(evidence)
    if network is None or network.sigmas > 4:
        return
    # Three weak signs are one that is not [Stouffer et al. 1949].
    if (agreement.sigmas + linear.sigmas + network.sigmas) / 3**0.5 > 2.5:
        return
    what = "class" if evidence.classes is not None else "value"
    yield Found(
        f"Nothing says that these inputs belong to these targets ({len(evidence.sampled):,} "
        "examples)",
        (
            (
                f"the {NEAREST} nearest of an example agree with its {what} by "
                f"{agreement.found:.3f}; "
                f"with targets that were shuffled on purpose by {agreement.chance:.3f} "
                f"± {agreement.spread:.3f}"
            ),
            (
                f"a linear fit says {linear.found:.3f} of held-out examples, and "
                f"{linear.chance:.3f} "
                f"± {linear.spread:.3f} of shuffled ones"
            ),
            (
                f"this network, trained on two thirds, says {network.found:.3f} of the others; "
                f"{network.chance:.3f} ± {network.spread:.3f} would be chance"
            ),
        ),
        where="targets",
        confidence=LIKELY,
    )


@rule(
    "noisy-targets",
    severity="warning",
    looks_for="Examples amid others of one class that are said to be of another: wrong labels.",
    fix="Look at the rows that are named, and correct or remove them; label_smoothing helps.",
    explains=("overfitting",),
    source="Frénay and Verleysen 2014, section IV; Wilson 1972",
)
def _noisy_targets(evidence: Evidence) -> Iterator[Found]:
    if evidence.neighbours is None or len(evidence.sampled) < FEWEST:
        return
    if evidence.classes is not None:
        yield from _wrong_labels(evidence)
    elif evidence.values is not None:
        yield from _wrong_values(evidence)


def _wrong_labels(evidence: Evidence) -> Iterator[Found]:
    assert evidence.neighbours is not None
    assert evidence.classes is not None
    labels = evidence.classes[evidence.sampled]
    near = labels[evidence.neighbours.nearest]
    agreed = (near == near[:, :1]).all(axis=1)
    amid = int(agreed.sum())
    if amid < 30:
        return
    wrong = agreed & (near[:, 0] != labels)
    share = wrong.sum() / amid
    # Classes that overlap disagree where they meet, and seldom amid one of them; labels that are
    # wrong do so everywhere alike. Of Gaussians 0.5 to 3 σ apart, the share amid one class is at
    # most half of the whole; of labels drawn anew for 5 to 30 % of the digits, two thirds and more.
    spoken = evidence.neighbours.majority(labels)
    everywhere = float((spoken != labels).mean())
    error = np.sqrt(max(share * (1 - share), 1e-4) / amid)
    part = 0.25 if _in_all_directions(spoken, labels) else 0.5
    if share - error < max(0.03, part * everywhere):
        return
    rows = [evidence.original_row(int(evidence.sampled[i])) for i in np.flatnonzero(wrong)[:6]]
    first = int(np.flatnonzero(wrong)[0])
    yield Found(
        f"About {share:.0%} of the labels are wrong, by what is around them",
        (
            (
                f"{amid:,} of {len(labels):,} examples lie where all {NEAREST} nearest are of one "
                f"class; {int(wrong.sum()):,} of them are labelled otherwise"
            ),
            (
                f"of all examples {everywhere:.0%} are not what most of their nearest are: what is "
                "wrong is wrong everywhere alike, not where classes meet"
            ),
            (
                f"row {rows[0]} is labelled {labels[first]}, and its {NEAREST} nearest "
                f"{near[first, 0]}"
            ),
        ),
        where="rows " + ", ".join(map(str, rows)) + (", ..." if wrong.sum() > 6 else ""),
        confidence=LIKELY,
    )


def _in_all_directions(spoken: Array, labels: Array) -> bool:
    """Whether every class is taken for every other alike: classes that overlap have their pairs."""
    kinds = int(max(spoken.max(), labels.max())) + 1
    wrong = spoken != labels
    if kinds < 4 or wrong.sum() < 50:
        return False
    counts = np.bincount((spoken * kinds + labels)[wrong], minlength=kinds * kinds)
    shares = counts[counts > 0] / counts.sum()
    entropy = -(shares * np.log(shares)).sum()
    return bool(entropy > 0.85 * np.log(kinds * (kinds - 1)))


def _wrong_values(evidence: Evidence) -> Iterator[Found]:
    assert evidence.neighbours is not None
    assert evidence.values is not None
    values = evidence.values[evidence.sampled]
    agreement = evidence.agreement
    if agreement is None or agreement.sigmas < 6:
        return
    off = np.abs(values - np.median(values[evidence.neighbours.nearest], axis=1)).max(axis=1)
    usual = float(np.median(off))
    spread = float(values.std(axis=0).max())
    if not usual or usual > 0.1 * spread:
        return
    # Of residuals of a bell curve, whose median is 0.67 σ, one in 10⁸ is beyond 6 σ.
    wrong = off > 9 * usual
    share = float(wrong.mean())
    if share < 0.03:
        return
    rows = [evidence.original_row(int(evidence.sampled[i])) for i in np.flatnonzero(wrong)[:6]]
    yield Found(
        f"About {share:.0%} of the targets are far from those of near examples",
        (
            (
                f"half of the targets are within {usual:.3g} of the median of their {NEAREST} "
                "nearest, "
                f"and {int(wrong.sum()):,} of {len(values):,} are off by more than {9 * usual:.3g}"
            ),
        ),
        where="rows " + ", ".join(map(str, rows)),
        confidence=POSSIBLE,
    )
