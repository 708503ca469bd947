"""Fold findings that follow from another under it: what is left are root causes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainrule.explanation.diagnosing.finding import GRAVITY, Finding, gravest_first
from chainrule.explanation.diagnosing.rule import RULES


def fold(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Root causes, each with what follows from it.

    A finding follows from the first other one that says that it explains it, in the order of the
    rules. A root is as grave as the gravest of what follows from it: data out of scale is no more
    than a note, until it saturates a layer.
    """
    order = list(RULES)
    findings = sorted(findings, key=lambda f: order.index(f.name))
    above: dict[str, str | None] = {
        finding.name: next((f.name for f in findings if finding.name in f.explains), None)
        for finding in findings
    }
    followers: dict[str, list[Finding]] = {}
    for finding in findings:
        root = _root(finding.name, above)
        if root != finding.name:
            followers.setdefault(root, []).append(finding)
    roots = []
    for finding in findings:
        if above[finding.name] is None:
            behind = gravest_first(followers.pop(finding.name, ()))
            severity = min((f.severity for f in (finding, *behind)), key=GRAVITY.index)
            roots.append(replace(finding, severity=severity, follows=behind))
    return gravest_first(roots)


def _root(name: str, above: dict[str, str | None]) -> str:
    # What explains what is acyclic: a test looks.
    while (cause := above[name]) is not None:
        name = cause
    return name
