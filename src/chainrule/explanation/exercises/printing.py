"""Sheets and keys as files: HTML, and PDF by a browser that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from chainrule.base.errors import ConfigurationError
from chainrule.base.file_kinds import FileKind
from chainrule.base.files import Pathlike, write_durably
from chainrule.explanation.exercises.exercise import Exercise
from chainrule.explanation.exercises.key import key_fragment
from chainrule.explanation.exercises.paper import document
from chainrule.explanation.exercises.sheet import sheet_fragment

SHEET = FileKind("A sheet", (".html", ".pdf"))
KEY = FileKind("A key", (".html", ".pdf"))

_BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_SECONDS = 120


def write_sheets(made: Sequence[Exercise], path: Pathlike) -> None:
    """Write sheets into one file, each on a page of its own.

    Raises
    ------
    ConfigurationError
        If the ending is another than ``.html`` or ``.pdf``, or no browser is there for PDF.
    OSError
        As the system says; FolderNotFoundError is one.
    """
    target = SHEET.check(path)
    sections = [sheet_fragment(each, number) for number, each in enumerate(made, 1)]
    _write(target, document(_title("", made), sections))


def write_keys(made: Sequence[Exercise], path: Pathlike) -> None:
    """Write the keys of sheets into one file.

    Raises
    ------
    ConfigurationError, OSError
        As `write_sheets` does.
    """
    target = KEY.check(path)
    sections = [key_fragment(each, number) for number, each in enumerate(made, 1)]
    _write(target, document(_title("Key: ", made), sections))


def _title(what: str, made: Sequence[Exercise]) -> str:
    others = f" to {made[-1].setting.seed}" if len(made) > 1 else ""
    return f"{what}{made[0].title}{others}"


def _write(target: Path, page: str) -> None:
    content = page.encode("utf-8")
    if target.suffix.lower() == ".pdf":
        content = as_pdf(content, target.name)
    write_durably(target, content)


def browser() -> str | None:
    """The browser that prints, or None."""
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def as_pdf(page: bytes, name: str = "sheet.pdf") -> bytes:
    """Print a page by a browser without a window.

    Parameters
    ----------
    page : bytes
        HTML.
    name : str
        The file that is wanted, for errors.

    Raises
    ------
    ConfigurationError
        If there is no browser that can, or it does not print.
    """
    program = browser()
    instead = f"Write {Path(name).with_suffix('.html').name} and print it with your browser"
    if program is None:
        raise ConfigurationError(
            "PDF is printed by Chromium, Chrome or Edge, and none of them is found", advice=instead
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, printed = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_bytes(page)
        words = [
            program,
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            f"--user-data-dir={folder}/profile",
            "--no-pdf-header-footer",
            f"--print-to-pdf={printed}",
            source.as_uri(),
        ]
        if sys.platform != "win32" and os.geteuid() == 0:
            words.insert(1, "--no-sandbox")  # Chromium refuses root otherwise; the page has no code
        try:
            subprocess.run(words, capture_output=True, timeout=_SECONDS, check=True)
            return printed.read_bytes()
        except subprocess.TimeoutExpired:
            reason = f"did not end within {_SECONDS} seconds"
        except (OSError, subprocess.CalledProcessError):
            reason = "did not print"
    raise ConfigurationError(f"{Path(program).name} {reason}", advice=instead)
