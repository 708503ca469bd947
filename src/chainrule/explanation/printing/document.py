"""An explanation as plain data: dicts, lists, texts and numbers, for programs and for JSON.

Numbers that JSON has no notation for are the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``.
The fields are told in docs/explaining.md.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from chainrule.explanation.explanation import Explanation
from chainrule.explanation.printing.formulas import rows_of
from chainrule.explanation.printing.report import Report
from chainrule.explanation.printing.text import write
from chainrule.explanation.proofs import Proof
from chainrule.explanation.tree import Branch

FORMAT = "chainrule explanation"
VERSION = 1


def as_data(report: Report) -> dict[str, Any]:
    """Return a report as plain data.

    Parameters
    ----------
    report : Report
    """
    explanation = report.explanation
    about = explanation.trace.about
    place = report.source_line
    return {
        "format": FORMAT,
        "version": VERSION,
        "notice": explanation.trace.notice,
        **_number(explanation),
        "step": {
            "number": about.step,
            "epoch": about.epoch,
            "rows": list(about.rows),
            "learning_rate": plain_number(about.learning_rate),
            "computed_by": about.computed_by,
            "network": about.network,
            "loss": about.loss,
            "optimizer": about.optimizer,
            "versions": dict(about.versions),
        },
        "source": None if place is None else {"where": place[0], "text": place[1]},
        "goes_into": report.goes_into,
        "sections": [
            {
                "heading": section.heading,
                "change": plain_number(section.change),
                "proofs": [_proof(proof) for proof in section.explanation.proofs],
                **_branch(report, section.tree),
            }
            for section in report.sections
        ],
        "captions": [
            {"name": caption.name, "equation": caption.equation, "words": caption.words}
            for caption in report.captions
        ],
        "definitions": {each.name: each.text for each in report.definitions},
    }


def as_json(report: Report, indent: int | None = 2) -> str:
    """Return a report as JSON, with every letter as it is."""
    return json.dumps(as_data(report), indent=indent, ensure_ascii=False, allow_nan=False)


def plain_number(value: Any) -> float | int | str | bool | None:
    """Return a number as JSON has it.

    Examples
    --------
    >>> plain_number(float("nan")), plain_number(-float("inf")), plain_number(0.5)
    ('NaN', '-Infinity', 0.5)
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int):
        return value
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number


def _number(explanation: Explanation) -> dict[str, Any]:
    node = explanation.trace.node(explanation.place)
    return {
        "name": explanation.name,
        "symbol": str(explanation.symbol),
        "what": explanation.what,
        "value": plain_number(explanation.value),
        "dtype": node.dtype.numpy.name,
    }


def _branch(report: Report, tree: Branch) -> dict[str, Any]:
    """A tree as nested dicts, put together from below."""
    results: list[dict[str, Any]] = []
    stack: list[tuple[Branch, bool]] = [(tree, False)]
    while stack:
        branch, is_ready = stack.pop()
        if not is_ready:
            stack.append((branch, True))
            stack.extend((below, False) for below in reversed(branch.branches))
            continue
        first = len(results) - len(branch.branches)
        below, results = results[first:], results[:first]
        results.append(_opened(report, branch, below))
    return results[0]


def _opened(report: Report, branch: Branch, below: list[dict[str, Any]]) -> dict[str, Any]:
    explanation = branch.explanation
    found = _number(explanation)
    if branch.is_repeated:
        return {**found, "is_repeated": True}
    rows = rows_of(explanation)
    caption = explanation.caption
    summary = explanation.summary(report.most)
    return {
        **found,
        "is_repeated": False,
        "caption": None if caption is None else caption.name,
        "rule": write(explanation, rows[0].expression) if rows else None,
        "numbers": next(
            (write(explanation, r.expression, with_numbers=True) for r in rows if r.with_numbers),
            None,
        ),
        "terms": [
            {
                "rule": write(explanation, term.expression),
                "numbers": write(explanation, term.expression, with_numbers=True),
                "value": plain_number(term.value),
                "example": term.example,
                "places": [str(Explanation(explanation.trace, p).name) for p in term.places],
            }
            for term in summary.largest
        ],
        "others": {"count": summary.others, "total": plain_number(summary.remainder)},
        "rounding": plain_number(summary.rounding),
        "parts": below,
        "not_opened": [_number(each) for each in branch.closed],
    }


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "kind": proof.kind,
        "holds": proof.holds,
        "value": plain_number(proof.value),
        "compared": plain_number(proof.compared),
        "bound": plain_number(proof.bound),
        "operations": proof.operations,
        "statement": proof.statement,
    }
