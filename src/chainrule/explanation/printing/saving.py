"""Write a report to a file; what it becomes is said by the file's ending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chainrule.base.file_kinds import FileKind
from chainrule.base.files import write_durably
from chainrule.explanation.printing.document import as_json
from chainrule.explanation.printing.latex_document import document
from chainrule.explanation.printing.notebook import page
from chainrule.explanation.printing.report import Report
from chainrule.explanation.printing.text import lines_of

_WIDTH = 80


def _as_text(report: Report) -> str:
    return "".join(f"{line.plain}\n" for line in lines_of(report, _WIDTH))


FORMS: dict[str, Callable[[Report], str]] = {
    ".tex": document,
    ".html": page,
    ".json": lambda report: f"{as_json(report)}\n",
    ".txt": _as_text,
}
"""What a report is written as, by the ending of the file."""


EXPLANATION = FileKind("The explanation of a number", tuple(FORMS))


def save(report: Report, path: Path) -> None:
    """Write a report.

    Raises
    ------
    ConfigurationError
        If the ending is none of `FORMS`.
    OSError
        As the system says; FolderNotFoundError is one.
    """
    form = FORMS[EXPLANATION.check(path).suffix.lower()]
    write_durably(path, form(report).encode())
