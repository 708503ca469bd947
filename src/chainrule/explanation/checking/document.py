"""A check as plain data, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chainrule.explanation.checking.hints import hints_up_to
from chainrule.explanation.printing.document import plain_number

if TYPE_CHECKING:
    from chainrule.explanation.checking.telling_apart import Separation
    from chainrule.explanation.checking.verdict import Cause, Check, Row


def as_data(check: Check, hints: int | None = None) -> dict[str, Any]:
    """A check as dicts and lists; with `hints`, without what they do not tell.

    Parameters
    ----------
    check : Check
    hints : int, optional
        The level.
    """
    found: dict[str, Any] = {
        "format": "chainrule check",
        "version": 1,
        "verdict": check.verdict,
        "right": check.is_right,
        "values": [_row(row, hidden=hints is not None) for row in check.rows],
        "problems": dict(check.problems),
    }
    if hints is not None:
        return {**found, "hints": hints_up_to(check, hints)}
    return {
        **found,
        "explained": bool(check.causes) and check.is_whole,
        "mistakes": list(check.mistakes),
        "causes": [_cause(cause) for cause in check.causes],
        "rounded_on_the_way": check.is_loose,
        "untried": None if check.untried is None else asdict(check.untried),
        "telling_apart": _separation(check.telling_apart),
    }


def _row(row: Row, *, hidden: bool) -> dict[str, Any]:
    place = row.place
    found: dict[str, Any] = {
        "name": row.entry.name,
        "value": row.entry.value,
        "note": row.entry.note,
        "verdict": row.verdict,
        "numbers": row.count,
        "missing": row.missing,
        "wrong": row.wrong,
    }
    if place is not None:
        found["worst"] = {"index": list(place[1]), "yours": plain_number(row.yours)}
        if not hidden:
            found["worst"]["true"] = plain_number(row.truth)
    return found


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "title": cause.title,
        "explains": list(cause.explains),
        "mistakes": [
            {
                "name": fault.mistake.name,
                "title": fault.mistake.title,
                "where": fault.where,
                "sentence": fault.sentence,
                "rule": fault.rule,
                "hints": list(fault.hints),
            }
            for fault in cause.faults
        ],
    }


def _separation(found: Separation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "possible": found.is_possible,
        "x": found.x.tolist() if found.is_possible else None,
        "y": found.y.tolist() if found.is_possible else None,
        "value": found.value or None,
        "index": list(found.index) if found.is_possible else None,
        "true": plain_number(found.true) if found.is_possible else None,
        "causes": [
            {"titles": [cause.title for cause in causes], "number": plain_number(number)}
            for causes, number in found.groups
        ],
    }
