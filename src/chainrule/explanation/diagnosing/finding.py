"""What the doctor says: findings, each with its chain of causes, and the diagnosis they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

import msgspec

from chainrule.base.errors import NameNotFoundError

Severity = Literal["error", "warning", "note"]

GRAVITY: tuple[Severity, ...] = ("error", "warning", "note")
"""The gravest first. An error: training cannot do what it is meant to. A warning: it will do it
badly. A note: worth knowing, and often as it should be."""

CERTAIN, LIKELY, POSSIBLE = 1.0, 0.8, 0.5
"""How sure a finding is: proved from the numbers; told by a test that is seldom wrong; a guess."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Parameters
    ----------
    name : str
        The rule's name: ``"dead-units"``.
    title : str
        One sentence.
    severity : {"error", "warning", "note"}
    confidence : float
        From 0 to 1; `known` says it in a word.
    where : str
        The layer, parameter, rows or columns.
    chain : tuple of str
        Sentences with their numbers, the cause first; each follows from those before it.
    fix : str
        What to change.
    line : str
        The user's line, where there is one: ``"line 12 of train.py: return x.relu()"``.
    trace : str
        What opens the number in question, in Python.
    command : str
        What opens it on the command line; empty where no command can.
    follows : tuple of Finding
        What is found besides, and follows from this: it is mended with it.
    explains : tuple of str
        The names of what would follow from this.
    """

    name: str
    title: str
    severity: Severity
    confidence: float
    where: str = ""
    chain: tuple[str, ...] = ()
    fix: str = ""
    line: str = ""
    trace: str = ""
    command: str = ""
    follows: tuple[Finding, ...] = ()
    explains: tuple[str, ...] = field(default=(), repr=False)

    @property
    def known(self) -> str:
        """How sure it is: ``"certain"``, ``"likely"`` or ``"possible"``."""
        if self.confidence >= CERTAIN:
            return "certain"
        return "likely" if self.confidence >= LIKELY else "possible"


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found, the gravest first.

    Its truth value says whether something has to be changed: notes alone do not make it true.

    Parameters
    ----------
    findings : tuple of Finding
        Root causes; what follows from one stands in its `follows`.
    looked_at : tuple of str
        What the findings, or their absence, are based on.
    rules : int
        How many rules were asked.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> x, y = np.linspace(-1, 1, 8).reshape(4, 2), np.array([[-1.0], [1.0], [1.0], [-1.0]])
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1), nn.Sigmoid())
    >>> diagnosis = cr.doctor(net, x, y, loss="QuadraticLoss")
    >>> bool(diagnosis), diagnosis.findings[0].name
    (True, 'unreachable-targets')
    """

    findings: tuple[Finding, ...]
    looked_at: tuple[str, ...] = ()
    rules: int = field(default=0, compare=False)

    def __bool__(self) -> bool:
        return any(finding.severity != "note" for finding in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Finding:
        """The finding of a name, also where it follows from another.

        Raises
        ------
        NameNotFoundError
            If nothing of that name was found.
        """
        for finding in self.all:
            if finding.name == name:
                return finding
        raise NameNotFoundError.among("finding", name, self.names)

    @property
    def all(self) -> tuple[Finding, ...]:
        """The findings, each with those that follow from it behind it."""
        found: list[Finding] = []
        stack = list(reversed(self.findings))
        while stack:
            finding = stack.pop()
            found.append(finding)
            stack += reversed(finding.follows)
        return tuple(found)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all findings, also of those that follow from another."""
        return tuple(dict.fromkeys(finding.name for finding in self.all))

    def text(self, width: int = 80) -> str:
        """What `show` prints, as plain text."""
        from chainrule.explanation.diagnosing.showing import lines_of

        return "\n".join(line.plain for line in lines_of(self, width))

    def __str__(self) -> str:
        return self.text()

    def show(self, *, file: TextIO | None = None) -> None:
        """Print the diagnosis: in colour on a terminal, as plain text elsewhere."""
        from chainrule.explanation.diagnosing.showing import lines_of
        from chainrule.explanation.printing.terminal import show

        show(lambda width: lines_of(self, width), file)

    def as_data(self) -> dict[str, Any]:
        """The diagnosis as plain data."""
        return {
            "found": [_data(finding) for finding in self.findings],
            "looked_at": list(self.looked_at),
            "rules": self.rules,
        }

    def to_json(self) -> str:
        """The diagnosis as JSON."""
        return msgspec.json.encode(self.as_data()).decode()

    def _repr_html_(self) -> str:
        from chainrule.explanation.diagnosing.showing import fragment

        return fragment(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self._repr_html_()}


def _data(finding: Finding) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(finding)
    del data["explains"]
    return {**data, "known": finding.known, "follows": [_data(each) for each in finding.follows]}


def gravest_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings in the order in which they are told: by gravity, then by how sure they are."""
    return tuple(sorted(findings, key=lambda f: (GRAVITY.index(f.severity), -f.confidence)))
