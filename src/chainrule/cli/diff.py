"""``chainrule diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from chainrule.cli.screen import Screen, Showing

command = App(
    name="diff",
    help_epilogue="""Examples:
  chainrule diff before.json after.json
  chainrule diff runs/iris runs/iris-2
  chainrule diff runs/iris runs/iris-2 --json""",
)


@command.default
def diff(
    a: Annotated[str, Parameter(help="A trace (.json), or the folder of a run.")],
    b: Annotated[str, Parameter(help="What it is compared with, of the same kind.")],
    /,
    *,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Compare two training steps, or two runs, value by value."""
    from chainrule.explanation import diff as compare

    found = compare(_read(a), _read(b))
    screen = Screen(as_json=showing.json)
    screen.document(found.to_json())
    if not showing.json:
        found.show()
    return 0


def _read(target: str) -> Any:
    """A trace from its file, or a run, with its data, from its folder."""
    from chainrule.cli.steps import run_in
    from chainrule.explanation import load_trace

    path = Path(target)
    return run_in(path)[0] if path.is_dir() else load_trace(path)
