"""``chainrule cache``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from chainrule.backends.cache import Cache
from chainrule.base.places import code_cache
from chainrule.base.sizes import format_bytes
from chainrule.cli.screen import Screen, Showing, counted

command = App(
    name="cache",
    help_epilogue="""Examples:
  chainrule cache
  chainrule cache --clear
  chainrule cache --json""",
)


@command.default
def cache(
    *,
    clear: Annotated[bool, Parameter(negative="")] = False,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Show where compiled code is kept, and how much there is.

    Parameters
    ----------
    clear
        Remove all of it.
    """
    screen = Screen(as_json=showing.json)
    folder = code_cache()
    if folder is None:
        nothing = {"entries": 0, "bytes": 0, "bytes_at_most": 0}
        screen.document({"folder": None, "why_not_used": "CHAINRULE_CACHE is off", **nothing})
        screen.say("Compiled code is not kept: CHAINRULE_CACHE is off, or there is no home folder.")
        return 0
    kept = Cache(folder)
    removed = kept.clear() if clear else None
    entries = kept.entries()
    size = sum(entry.size for entry in entries)
    screen.document(
        {
            "folder": str(folder),
            "why_not_used": kept.refusal,
            "entries": len(entries),
            "bytes": size,
            "bytes_at_most": kept.bytes_at_most,
            **({} if removed is None else {"removed": removed}),
        }
    )
    screen.verbatim(f"Compiled code is kept in {folder}")
    if kept.refusal is not None:
        screen.say(f"It is not used: {kept.refusal}.")
    if removed is not None:
        screen.say(f"{counted(removed, 'entry', 'entries')} removed.")
    else:
        most = format_bytes(kept.bytes_at_most)
        amount = counted(len(entries), "entry", "entries")
        screen.say(f"{amount}, {format_bytes(size)} of at most {most}")
    return 0
