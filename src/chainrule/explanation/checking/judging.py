"""The verdict: what was written beside the truth, and what explains the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.search import Search
from chainrule.explanation.checking.submission import Submission
from chainrule.explanation.checking.suspicion import Suspects, Suspicion
from chainrule.explanation.checking.verdict import Cause, Check, Row, row_of

_FEW_WRONG = 2
"""So many numbers that are off by a unit say too little: almost any mistake would fit one."""

Found = Sequence[tuple[Suspicion, ...]]


def judge(anatomy: Anatomy, submission: Submission, suspects: Suspects | None = None) -> Check:
    """Compare what was read with the truth, and search for what explains the difference.

    Parameters
    ----------
    anatomy : Anatomy
    submission : Submission
    suspects : Suspects, optional
        Those of the anatomy, where it was judged by them before.
    """
    entries = submission.entries
    rows = tuple(row_of(entry, anatomy.values[entry.position]) for entry in entries)
    searched = [_exact_zeros(entry, row) for entry, row in zip(entries, rows, strict=True)]
    search = exact = Search(anatomy, searched, suspects)
    found: Found = []
    is_whole, is_loose = True, False
    near = all(rows[k].is_near for k in search.wrong)
    # Almost any mistake would give one number that is off by a unit in its last place.
    if search.wrong and not (near and _is_by_a_unit(rows)):
        found = [(one,) for one in search.single()] or list(search.pairs())
        if not found and not near:
            loosened = [_loosened(entry, anatomy) for entry in entries]
            search = Search(anatomy, loosened, exact.suspects)
            found = [(one,) for one in search.single()]
            is_loose = bool(found)
        if not found and not near:
            search = exact
            is_whole = False
            found = [(one,) for one in search.nearest()]
    if found:  # what was found explains it better than rounding
        is_exact = is_whole and not is_loose
        rows = tuple(replace(row, is_near=False) for row in rows) if is_exact else rows
    causes = tuple(_cause(suspicions, entries, search) for suspicions in found)
    return Check(
        anatomy.trace,
        rows,
        causes,
        is_whole,
        submission.problems,
        is_loose,
        anatomy,
        exact.untried or search.untried,
    )


def _cause(suspicions: tuple[Suspicion, ...], entries: Sequence[Entry], search: Search) -> Cause:
    faults = tuple(suspicion.fault for suspicion in suspicions)
    every = len(suspicions) > 1  # a pair was looked at only where it explains all
    explained = search.wrong if every else search.wrong & suspicions[0].explained
    return Cause(faults, tuple(entries[k].name for k in sorted(explained)))


def _is_by_a_unit(rows: Sequence[Row]) -> bool:
    """Whether one number or two are wrong, by a unit in the last place."""
    wrong = [row for row in rows if not row.is_right]
    if sum(row.wrong for row in wrong) > _FEW_WRONG:
        return False
    for row in wrong:
        off = np.abs(row.entry.numbers - row.true)
        if (row.entry.given & (off > 1.5 * row.entry.unit)).any():
            return False
    return True


def _exact_zeros(entry: Entry, row: Row) -> Entry:
    """Wrong numbers that are all 0 say that they are 0, and not that they are small."""
    if row.is_right or (entry.numbers[entry.given] != 0).any():
        return entry
    return replace(entry, unit=np.zeros(entry.unit.shape))


def _loosened(entry: Entry, anatomy: Anatomy) -> Entry:
    true = entry.scaled(anatomy.values[entry.position])
    return replace(entry, unit=entry.loosened(true))
