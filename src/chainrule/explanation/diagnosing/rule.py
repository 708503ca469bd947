"""A rule of the doctor: declared once, read by the doctor, the documentation and the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from chainrule.base.registry import Registry
from chainrule.explanation.diagnosing.finding import CERTAIN, Finding, Severity

if TYPE_CHECKING:
    from chainrule.explanation.diagnosing.evidence import Evidence

Needs = Literal["nothing", "data", "step", "trials", "run"]
"""What a rule reads: a rule is not asked where this is not there.

- ``nothing``: the set-up as it was given.
- ``data``: examples that can be read.
- ``step``: a captured step.
- ``trials``: steps on copies, with several learning rates.
- ``run``: a history.
"""


@dataclass(frozen=True)
class Found:
    """What a rule says: what its declaration does not say already.

    Parameters
    ----------
    title : str
    chain : tuple of str
    where, line, trace, command : str
    confidence : float
    severity : str, optional
        Where it is not the rule's.
    fix : str, optional
        Where it can be said with the numbers of the case.
    explains : tuple of str, optional
        Where this case of it explains less than others do.
    """

    title: str
    chain: tuple[str, ...] = ()
    where: str = ""
    line: str = ""
    trace: str = ""
    command: str = ""
    confidence: float = CERTAIN
    severity: Severity | None = None
    fix: str | None = None
    explains: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Rule:
    """One disease, and how it is told.

    Parameters
    ----------
    name : str
    severity : {"error", "warning", "note"}
    looks_for : str
        One sentence.
    fix : str
        What to change, as a rule.
    needs : str
    explains : tuple of str
        Findings that follow from this one, where both are there.
    source : str
        Who published the bound that it uses; empty where it follows from the numbers.
    find : callable
        From evidence to what is found, if anything.
    """

    name: str
    severity: Severity
    looks_for: str
    fix: str
    needs: Needs
    explains: tuple[str, ...]
    source: str
    find: Callable[[Evidence], Iterator[Found]]

    def findings(self, evidence: Evidence) -> list[Finding]:
        """What this rule finds."""
        return [
            Finding(
                self.name,
                found.title,
                found.severity or self.severity,
                found.confidence,
                found.where,
                found.chain,
                self.fix if found.fix is None else found.fix,
                "" if evidence.case.target else found.line,
                found.trace,
                found.command,
                explains=self.explains if found.explains is None else found.explains,
            )
            for found in self.find(evidence)
        ]


RULES: Registry[Rule] = Registry("rule of the doctor")


def rule(
    name: str,
    *,
    severity: Severity,
    looks_for: str,
    fix: str,
    needs: Needs = "data",
    explains: tuple[str, ...] = (),
    source: str = "",
) -> Callable[[Callable[[Evidence], Iterator[Found]]], Rule]:
    """Declare a rule: decorates a generator of what is found."""

    def declare(find: Callable[[Evidence], Iterator[Found]]) -> Rule:
        made = Rule(name, severity, looks_for, fix, needs, explains, source, find)
        return RULES.register(name, made)

    return declare
