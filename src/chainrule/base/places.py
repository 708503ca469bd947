"""Where the user's files are that can be made or fetched again: the folder that systems call cache.

The one reader of the variables that say so. Where there is a choice the door that a user comes in
by asks here, and passes the folder on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_cache() -> Path:
    r"""Return chainrule's folder in the user's cache. It need not exist.

    ``$XDG_CACHE_HOME/chainrule`` where that is set; else ``~/Library/Caches/chainrule`` on macOS,
    ``%LOCALAPPDATA%\chainrule`` on Windows, ``~/.cache/chainrule`` anywhere else.

    Raises
    ------
    RuntimeError
        If nobody knows where the user's home is.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification: a relative path there is to be ignored.
    return (named if named.is_absolute() else _root()) / "chainrule"


def _root() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path.home() / ".cache"


def code_cache() -> Path | None:
    """Return the folder in which machine code is kept, ``code`` in `user_cache`; None: nowhere.

    The variable ``CHAINRULE_CACHE`` names another, or says ``off``.
    """
    named = os.environ.get("CHAINRULE_CACHE")
    if named == "off":
        return None
    try:
        return Path(named).expanduser().absolute() if named else user_cache() / "code"
    except RuntimeError:
        return None
