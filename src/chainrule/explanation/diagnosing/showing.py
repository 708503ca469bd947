"""A diagnosis for people: lines for a terminal, and a piece of HTML for notebooks."""

from __future__ import annotations

from html import escape

from chainrule.base.harmless import plain
from chainrule.explanation.diagnosing.finding import Diagnosis, Finding
from chainrule.explanation.printing.notebook import STYLE
from chainrule.explanation.printing.text import NARROWEST, Line, wrap

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold"}
_ROOM = "    "


def lines_of(diagnosis: Diagnosis, width: int = 80) -> list[Line]:
    """The lines of a diagnosis, none longer than `width` unless it has a word that is."""
    width = max(width, NARROWEST)
    lines = _wrapped(_verdict(diagnosis), width)
    for finding in diagnosis.findings:
        lines += [Line(), *_finding(finding, width)]
    if diagnosis.findings and diagnosis.looked_at:
        lines += [Line(), *_wrapped(_basis(diagnosis), width, style="dim")]
    return lines


def _verdict(diagnosis: Diagnosis) -> str:
    if not diagnosis.findings:
        return f"Nothing is wrong that {diagnosis.rules} rules know. {_basis(diagnosis)}"
    counts = []
    for severity, plural in (("error", "errors"), ("warning", "warnings"), ("note", "notes")):
        number = sum(finding.severity == severity for finding in diagnosis.findings)
        if number:
            counts.append(f"{number} {severity if number == 1 else plural}")
    said = ", ".join(counts)
    return said if diagnosis else f"Nothing has to be changed; {said}."


def _basis(diagnosis: Diagnosis) -> str:
    return f"Looked at: {'; '.join(diagnosis.looked_at)}." if diagnosis.looked_at else ""


def _finding(finding: Finding, width: int) -> list[Line]:
    head = f"{finding.severity} {finding.name} ({finding.known})"
    lines = [Line(((head, _STYLES[finding.severity]),))]
    where = f" [{finding.where}]" if finding.where else ""
    lines += _wrapped(finding.title + where, width, "  ")
    for sentence in finding.chain:
        lines += _wrapped(sentence, width, _ROOM, first="  - ")
    for follower in finding.follows:
        said = f"so {follower.name}: {follower.title}"
        lines += _wrapped(said, width, _ROOM, first="  - ")
    if finding.line:
        lines += _wrapped(f"your line: {finding.line}", width, _ROOM, first="  ", style="dim")
    lines += _wrapped(f"change: {finding.fix}", width, _ROOM, first="  ", style="green")
    for opener in (finding.trace, finding.command):
        if opener:
            lines += _wrapped(f"look: {opener}", width, _ROOM, first="  ", style="dim")
    return lines


def _wrapped(
    text: str, width: int, indent: str = "", *, first: str | None = None, style: str = ""
) -> list[Line]:
    begin = indent if first is None else first
    pieces = wrap(plain(text), width - len(begin), width - len(indent))
    return [
        Line(((begin if k == 0 else indent, ""), (piece, style))) for k, piece in enumerate(pieces)
    ]


def fragment(diagnosis: Diagnosis) -> str:
    """A diagnosis as a piece of HTML, without scripts; whatever a name holds is escaped."""
    parts = [STYLE, f"<p><strong>{_text(_verdict(diagnosis))}</strong></p>"]
    for finding in diagnosis.findings:
        parts.append(_article(finding))
    if diagnosis.findings:
        parts.append(f'<p class="q">{_text(_basis(diagnosis))}</p>')
    return f'<div class="chainrule">{"".join(parts)}</div>'


def _article(finding: Finding) -> str:
    head = f"{finding.severity} <code>{_text(finding.name)}</code> ({finding.known})"
    title = _text(finding.title) + (
        f" <code>{_text(finding.where)}</code>" if finding.where else ""
    )
    chain = [*finding.chain, *(f"{each.name}: {each.title}" for each in finding.follows)]
    items = "".join(f"<li>{_text(sentence)}</li>" for sentence in chain)
    told = [f"<h4>{head}</h4><p>{title}</p>", f"<ol>{items}</ol>" if items else ""]
    if finding.line:
        told.append(f'<p class="q">{_text(finding.line)}</p>')
    told.append(f"<p><strong>Change:</strong> {_text(finding.fix)}</p>")
    openers = [each for each in (finding.trace, finding.command) if each]
    told += [f"<p><code>{_text(opener)}</code></p>" for opener in openers]
    return "".join(told)


def _text(text: str) -> str:
    return escape(plain(text))
