"""Print text with a terminal's colours, or without where there are none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TextIO

from chainrule.explanation.printing.text import Line

WIDEST = 100  # a line that is longer is hard to read, however wide the terminal is
OTHERWISE = 80


def show(lines_for: Any, file: TextIO | None = None) -> None:
    """Print what `lines_for(width)` gives.

    Colours are for terminals, and not where NO_COLOR is set; a terminal that has no σ shows ?.
    """
    from rich.console import Console
    from rich.text import Text

    out = sys.stdout if file is None else file
    console = Console(file=out, highlight=False, force_jupyter=False)
    lines: Sequence[Line] = lines_for(min(console.width, WIDEST) if console.width else OTHERWISE)
    encoding = getattr(out, "encoding", None) or "utf-8"
    for line in lines:
        if not console.is_terminal or console.is_dumb_terminal:
            text = line.plain.encode(encoding, "replace").decode(encoding)
            out.write(f"{text}\n")
            continue
        styled = Text(end="")
        for part, style in line.parts:
            styled.append(part.encode(encoding, "replace").decode(encoding), style or None)
        styled.rstrip()
        console.print(styled, soft_wrap=True)
