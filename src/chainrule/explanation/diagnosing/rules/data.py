"""Inputs and targets: what can be said of them before a network has seen them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.base.errors import NonFiniteError
from chainrule.explanation.diagnosing.draws import order
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import LIKELY
from chainrule.explanation.diagnosing.neighbours import EXAMPLES, distances
from chainrule.explanation.diagnosing.rule import Found, rule
from chainrule.explanation.diagnosing.scores import features_of

Array = np.ndarray[Any, Any]

GAP = 0.2
"""How much nearer than all others copies are, at most."""


@rule(
    "not-finite-data",
    severity="error",
    needs="nothing",
    looks_for="NaN or infinity in a row of inputs or targets: it would reach every weight in one "
    "step.",
    fix="Remove these rows, or fill them in: x[np.isnan(x)] = 0 after standardising, say.",
    explains=("gradient-not-finite", "loss-not-finite"),
)
def _not_finite_data(evidence: Evidence) -> Iterator[Found]:
    case = evidence.case
    if not isinstance(case.refusal, NonFiniteError):
        return
    bad: dict[int, str] = {}
    for k, array in enumerate(case.given):
        name = "y" if k == len(case.given) - 1 else ("x" if len(case.given) == 2 else f"x[{k}]")
        if array.dtype.kind == "f" and array.ndim:
            flat = np.isfinite(array.reshape(len(array), -1))
            for row in np.flatnonzero(~flat.all(axis=1)):
                column = int(np.argmin(flat[row]))
                value = array.reshape(len(array), -1)[row, column]
                bad.setdefault(int(row), f"{name}[{row}, {column}] is {value}")
    if not bad:  # beyond the largest float32, or in the validation data
        yield Found(case.refusal.message, (str(case.refusal),), fix=case.refusal.advice)
        return
    rows = sorted(bad)
    shown = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
    count = len(rows)
    yield Found(
        f"{count} of {len(case.given[0]):,} rows {'holds' if count == 1 else 'hold'} numbers that "
        "are not finite",
        (
            bad[rows[0]],
            (
                "a sum with it is not finite: the loss of its batch, every gradient, and after one "
                "update every weight"
            ),
        ),
        where=f"row{'s' if count > 1 else ''} {shown}",
        fix="Remove or fill in "
        + ("this row" if count == 1 else "these rows")
        + ": keep = np.isfinite(x.reshape(len(x), -1)).all(axis=1); x, y = x[keep], y[keep]",
    )


@rule(
    "constant-features",
    severity="note",
    looks_for="Input columns that hold the same number in every example: they say nothing.",
    fix="Leave these columns out; their weights only get a share of the bias's gradient.",
    explains=(
        "shuffled-targets",
        "dead-units",
        "gradient-zero",
        "class-collapse",
        "too-few-units",
        "learning-rate-too-small",
        "learning-rate-too-large",
        "noisy-targets",
    ),
)
def _constant_features(evidence: Evidence) -> Iterator[Found]:
    assert evidence.arrays is not None
    x = evidence.numeric
    if x is None or len(x) < 2:
        return
    if not x.shape[1]:  # words, or rows of a table: what is padded in all of them is no matter
        columns = [column.reshape(len(column), -1) for column in evidence.arrays.columns]
        x = np.concatenate(columns, axis=1) if columns else x
        if not x.shape[1] or not (x == x[:1]).all():
            return
    constant = np.flatnonzero((x == x[:1]).all(axis=0))
    if not len(constant):
        return
    every = len(constant) == x.shape[1]
    yield Found(
        f"{len(constant)} of {x.shape[1]} input columns never change",
        (f"column {constant[0]} is {x[0, constant[0]]:g} in all {len(x):,} examples",)
        + (("no input tells two examples apart",) if every else ()),
        where=f"columns {_some(constant)}",
        severity="error" if every else None,
        explains=None if every else (),
    )


@rule(
    "duplicate-features",
    severity="note",
    looks_for="Input columns that are copies of each other, up to scale and shift.",
    fix="Keep one of each: two weights share the work of one, and only their sum is determined.",
)
def _duplicate_features(evidence: Evidence) -> Iterator[Found]:
    x = evidence.numeric
    if x is None or len(x) < 8 or x.shape[1] < 2:
        return
    x = x[evidence.sampled].astype(np.float64)
    spread = x.std(axis=0)
    varying = np.flatnonzero(spread > 1e-12 * np.maximum(np.abs(x).max(axis=0), 1e-300))
    # A column with a handful of numbers that are not its commonest is like another by chance.
    enough = [j for j in varying if len(np.unique(x[:, j])) > 2 or min(_counts(x[:, j])) >= 8]
    z = (x[:, enough] - x[:, enough].mean(axis=0)) / spread[enough]
    # Not equal after rounding: a copy in f32 is off by 1e-7, and rounds otherwise here and there.
    alike = np.triu(np.abs(z.T @ z) / len(z) > 1 - 1e-6, 1)
    copies = [
        (enough[int(alike[:, j].argmax())], enough[j]) for j in alike.any(axis=0).nonzero()[0]
    ]
    if copies:
        a, b = copies[0]
        yield Found(
            f"{len(copies)} input columns are copies of others",
            (f"column {b} is column {a}, up to scale and shift, in {len(x):,} examples",),
            where=f"columns {_some(np.array([b for _, b in copies]))}",
        )


@rule(
    "duplicate-rows",
    severity="note",
    looks_for="Examples that are there more than once, input and target alike.",
    fix="Remove the copies, unless each stands for an observation: np.unique(x, axis=0).",
)
def _duplicate_rows(evidence: Evidence) -> Iterator[Found]:
    if evidence.arrays is None:
        return
    rows = hashes([*evidence.arrays.columns, evidence.arrays.target])
    _, first, counts = np.unique(rows, return_index=True, return_counts=True)
    copies = int((counts - 1).sum())
    if copies < max(2, len(rows) // 100):
        return
    place = int(first[counts.argmax()])
    again = int(np.flatnonzero(rows == rows[place])[1])
    yield Found(
        f"{copies:,} of {len(rows):,} examples are copies of others",
        (
            (
                f"row {evidence.original_row(again)} is row {evidence.original_row(place)}, "
                f"which is there {counts.max()} times"
            ),
        ),
        where=f"row {evidence.original_row(again)}",
    )


@rule(
    "leaking-split",
    severity="warning",
    looks_for="Examples of the validation data that the network is trained on, or copies of such "
    "with a little noise.",
    fix="Split before anything is copied, and split copies together; then measure again.",
)
def _leaking_split(evidence: Evidence) -> Iterator[Found]:
    held_out, arrays = evidence.case.held_out, evidence.arrays
    if held_out is None or arrays is None:
        return
    mine, theirs = hashes(arrays.columns), hashes(held_out.columns)
    leaked = np.isin(theirs, mine)
    share = float(leaked.mean())
    # Where few inputs are possible, some come again by chance: as often as within the training.
    _, counts = np.unique(mine, return_counts=True)
    by_chance = float(1 - len(counts) / len(mine))
    if _is_measured(evidence, len(counts)):
        by_chance = 0.0
    if leaked.sum() < 2 or share < max(0.02, 2 * by_chance):
        yield from _near_copies(evidence)
        return
    place = int(np.flatnonzero(leaked)[0])
    twin = evidence.original_row(int(np.flatnonzero(mine == theirs[place])[0]))
    yield Found(
        f"{int(leaked.sum()):,} of {len(theirs):,} validation examples are trained on",
        (
            f"validation row {place} has the inputs of training row {twin}, to the bit",
            (
                f"{share:.0%} of the validation examples are such; within the training examples "
                f"{by_chance:.1%} would be"
            ),
            (
                "the validation figures say how well examples are remembered, not how well new "
                "ones "
                "are answered"
            ),
        ),
        where=f"validation row {place}",
        severity="error" if share > 0.5 else None,
    )


def _near_copies(evidence: Evidence) -> Iterator[Found]:
    """Validation examples that are training examples but for a little noise."""
    assert evidence.case.held_out is not None
    theirs = features_of(evidence.case.held_out)
    if evidence.neighbours is None or theirs.shape[1] < 2 or len(theirs) < 20:
        return
    assert evidence.numeric is not None
    mine = evidence.numeric[evidence.sampled].astype(np.float64)
    theirs = theirs[order(len(theirs), "held out")[:EXAMPLES]].astype(np.float64)
    distinct = np.array([len(np.unique(column)) for column in mine.T])
    if (distinct > 0.3 * len(mine)).mean() < 0.75:
        return  # of columns of a few values many agree, and the nearest is near by chance
    spread = mine.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    apart = distances(theirs / scale, mine / scale)
    near = np.sqrt(np.sort(apart, axis=1))
    k = len(mine) // 10
    if k < 3 or not near[:, k - 1].all():
        return
    # Copies lie together and all else far from them: between two ranks there is a gap.
    ranks = near[:, : k + 1]
    gaps = np.where(ranks[:, 1:] > 0, ranks[:, :-1] / np.maximum(ranks[:, 1:], 1e-300), 1.0)
    copied = (gaps < GAP).any(axis=1) & (near[:, 0] > 0)
    # Points spread evenly in d dimensions: the 2k-th is 2^(1/d) times as far as the k-th, and the
    # k-th less than a share s of the next one's distance with probability s^(k·d). Far ones tell
    # d: of what was copied often the nearest are all copies.
    usual, further = (float(np.median(near[:, rank - 1])) for rank in (k, 2 * k))
    dimensions = np.log(2) / max(np.log(further / usual), 1e-9)
    by_chance = min(2 * GAP**dimensions, 1.0)
    share = float(copied.mean())
    if share < max(0.05, 5 * by_chance):
        return
    yield Found(
        f"{share:.0%} of the validation examples are next to some that are trained on",
        (
            (
                f"training examples that are as near as these are less than a {1 / GAP:.0f}th as "
                f"far as the next ones; by chance that would be so of {by_chance:.1%}, in "
                f"{dimensions:.0f} dimensions"
            ),
            "copies with a little noise, or measurements of one and the same thing, were split up",
        ),
        where="validation",
        confidence=LIKELY,
    )


@rule(
    "class-imbalance",
    severity="note",
    looks_for="A class that nine in ten examples are of, or more: always saying it is right as "
    "often; or one of several that is ten times rarer than the others.",
    fix="Measure more than accuracy (metrics=['f1_macro']), or weigh the rare class: class_weight.",
)
def _class_imbalance(evidence: Evidence) -> Iterator[Found]:
    if evidence.classes is None:
        return
    labels, counts = np.unique(evidence.classes, return_counts=True)
    share, least = counts.max() / counts.sum(), counts.min() / counts.sum()
    if len(labels) > 2 and share < 0.9 and least < 0.1 / len(labels):
        yield Found(
            f"Of {counts.sum():,} examples {counts.min():,} are of class {labels[counts.argmin()]}",
            (f"were all classes as common, {counts.sum() / len(labels):,.0f} would be",),
            where="targets",
        )
        return
    if len(labels) < 2 or share < 0.9:
        return
    yield Found(
        f"{share:.0%} of the examples are of class {labels[counts.argmax()]}",
        (f"of {counts.sum():,} examples, {counts.sum() - counts.max():,} are of other classes",),
        where="targets",
    )


def _is_measured(evidence: Evidence, distinct: int) -> bool:
    """Whether a column takes so many values that no two rows are alike by chance."""
    x = evidence.numeric
    if x is None or not x.shape[1]:
        return False
    widest = max(len(np.unique(x[:, j])) for j in range(min(x.shape[1], 64)))
    return widest > 0.3 * distinct and distinct > 20


def hashes(arrays: Any) -> Array:
    """A number for each row, equal for equal rows."""
    import hashlib

    count = len(arrays[0])
    flat = [np.ascontiguousarray(array).reshape(count, -1) for array in arrays]
    found = np.empty(count, np.uint64)
    for row in range(count):
        digest = hashlib.blake2b(digest_size=8)
        for array in flat:
            digest.update(array[row].tobytes())
        found[row] = int.from_bytes(digest.digest(), "little")
    return found


def _counts(column: Array) -> Array:
    return np.unique(column, return_counts=True)[1]


def _some(columns: Array) -> str:
    shown = ", ".join(map(str, columns[:6].tolist()))
    return f"{shown}, ..." if len(columns) > 6 else shown
