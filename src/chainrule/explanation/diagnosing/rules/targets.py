"""Whether the inputs say anything of the targets: shuffled apart, or partly wrong; and scales."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import LIKELY, POSSIBLE
from chainrule.explanation.diagnosing.neighbours import NEAREST, compare
from chainrule.explanation.diagnosing.probes import linear_skill, network_skill
from chainrule.explanation.diagnosing.rule import Found, rule
from chainrule.explanation.diagnosing.scores import as_targets

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
    if evidence.described is None or evidence.count < 3 * evidence.described.shape[1]:
        return  # too few to tell
    if agreement.spread == 0:
        return  # targets that are all alike have no order
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
    if evidence.numeric is None or not evidence.numeric.shape[1]:
        return  # of words: which one follows is seldom certain, and no label is wrong
    rows = evidence.numeric[evidence.sampled]
    if len(np.unique(rows, axis=0)) < 0.7 * len(rows):
        return  # of equal inputs some may be of one class and some of another
    if evidence.classes is not None:
        found = list(_amid_one_class(evidence))
        yield from found or _where_it_is_surest(evidence)
    elif evidence.values is not None:
        yield from _wrong_values(evidence)


def _amid_one_class(evidence: Evidence) -> Iterator[Found]:
    """Labels that differ from those of all nearest, which are of one class."""
    assert evidence.neighbours is not None
    assert evidence.classes is not None
    labels = evidence.classes[evidence.sampled]
    near = labels[evidence.neighbours.nearest]
    agreed = (near == near[:, :1]).all(axis=1)
    amid = int(agreed.sum())
    if amid < 30:
        return
    # Of a class that nearly all are of, ten neighbours agree by chance.
    commonest = np.bincount(near[agreed, 0]).max()
    if commonest > 0.9 * amid:
        return
    wrong = agreed & (near[:, 0] != labels)
    share = wrong.sum() / amid
    # Classes that overlap disagree where they meet, and seldom amid one of them; labels that are
    # wrong do so everywhere alike. Of Gaussians 0.5 to 3 σ apart, the share amid one class is at
    # most half of the whole; of labels drawn anew for 5 to 30 % of the digits, two thirds and more.
    spoken = evidence.neighbours.majority(labels)
    everywhere = float((spoken != labels).mean())
    error = np.sqrt(max(share * (1 - share), 1e-4) / amid)
    part = 0.25 if _in_all_directions(spoken, labels, kinds=4) else 0.5
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


def _where_it_is_surest(evidence: Evidence) -> Iterator[Found]:
    """So many wrong labels that hardly an example lies amid one class.

    Of classes that overlap, a network is seldom wrong about the unseen examples of which it is
    surest; of labels that are wrong it is as often there as anywhere. Neighbours have to agree
    with it: both are wrong together where they cannot tell, and not where they are sure.
    """
    assert evidence.neighbours is not None
    assert evidence.classes is not None
    labels = evidence.classes[evidence.sampled]
    spoken = evidence.neighbours.majority(labels)
    kinds = len(np.unique(labels))
    if kinds < 3 or not 0.08 < (spoken != labels).mean() < 0.6:
        return
    outputs = evidence.unseen
    if outputs is None or outputs.ndim != 2 or outputs.shape[1] <= labels.max():
        return
    odds = as_targets(outputs.astype(np.float64), evidence.case.loss.outputs)
    said, surely = odds.argmax(axis=1), odds.max(axis=1)
    agreed = said == spoken
    everywhere = float((said != labels).mean())
    most = 0.42 if kinds > 3 else 0.32
    if not 0.05 < everywhere < most or agreed.mean() < 0.5:
        return
    if not _in_all_directions(said[agreed], labels[agreed], kinds=3):
        return
    sure = agreed & (surely >= np.quantile(surely[agreed], 0.6))
    wrong = sure & (said != labels)
    share = float(wrong.sum() / sure.sum())
    error = float(np.sqrt(share * (1 - share) / sure.sum()))
    # Of Gaussians, half-spaces and classes drawn from a softmax, in 2 to 30 dimensions, with 300
    # to 1,000 examples, at most 0.46 of the share everywhere, where that is below these limits;
    # of labels drawn anew for a quarter or more of them, mostly 0.55 to 1.
    if share - error < max(0.05, 0.55 * everywhere):
        return
    places = np.flatnonzero(wrong)
    places = places[np.argsort(-surely[places], kind="stable")][:6]
    rows = [evidence.original_row(int(evidence.sampled[i])) for i in places]
    first = int(places[0])
    yield Found(
        f"About {share:.0%} of the labels are wrong, by what is around them and what can be learnt",
        (
            (
                f"trained on two thirds of the examples, the network says another class than the "
                f"label for {everywhere:.0%} of the last third"
            ),
            (
                f"of the {int(sure.sum()):,} of which it is surest, and the {NEAREST} nearest say "
                f"the same, {int(wrong.sum()):,} are labelled otherwise: what is wrong is wrong "
                "everywhere alike, not where classes meet"
            ),
            (f"row {rows[0]} is labelled {labels[first]}; network and nearest say {said[first]}"),
        ),
        where="rows " + ", ".join(map(str, rows)) + ", ...",
        confidence=LIKELY,
    )


def _in_all_directions(spoken: Array, labels: Array, *, kinds: int) -> bool:
    """Whether every class is taken for every other alike: classes that overlap have their pairs.

    Of fewer than so many `kinds` of classes nothing is said.
    """
    there = int(max(spoken.max(), labels.max())) + 1
    wrong = spoken != labels
    if there < kinds or wrong.sum() < 50:
        return False
    counts = np.bincount((spoken * there + labels)[wrong], minlength=there * there)
    shares = counts[counts > 0] / counts.sum()
    entropy = -(shares * np.log(shares)).sum()
    return bool(entropy > 0.85 * np.log(there * (there - 1)))


def _wrong_values(evidence: Evidence) -> Iterator[Found]:
    assert evidence.neighbours is not None
    assert evidence.values is not None
    values = evidence.values[evidence.sampled]
    # By their ranks: a few that are far off would hide what the others have in common.
    ranks = values.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    if compare(evidence.neighbours, ranks.astype(np.float64), classes=False).sigmas < 6:
        return
    near = values[evidence.neighbours.nearest]
    middle = np.median(near, axis=1)
    off = np.abs(values - middle)
    if not off.any():
        return
    # Not the median of all: of targets that are clipped most may be at an end, where nothing is
    # off. Of a bell curve 70 % are within 1.04 σ, half within 0.67 σ.
    usual = float(np.quantile(off[off > 0], 0.7)) / 1.54
    # Nor is the scale the same everywhere: at a step or an edge the nearest differ themselves.
    around = np.quantile(np.abs(near - middle[:, None]), 0.8, axis=1)
    # Of residuals of a bell curve, whose median is 0.67 σ, one in 10⁸ is beyond 6 σ.
    wrong = ((off > 9 * usual) & (off > 4 * around)).any(axis=1)
    share = float(wrong.mean())
    if share < 0.03:
        return
    rows = [evidence.original_row(int(evidence.sampled[i])) for i in np.flatnonzero(wrong)[:6]]
    yield Found(
        f"About {share:.0%} of the targets are far from those of near examples",
        (
            (
                f"most targets are within {1.54 * usual:.3g} of the median of their {NEAREST} "
                f"nearest, and {int(wrong.sum()):,} of {len(values):,} are off by more than "
                f"{9 * usual:.3g}, and four times as far as these nearest are"
            ),
        ),
        where="rows " + ", ".join(map(str, rows)),
        confidence=POSSIBLE,
    )
