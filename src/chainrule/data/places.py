"""Where data sets that are too large to bundle are looked for: the one reader of the environment.

In this order

1. the path that the caller gave;
2. the folder that the variable ``CHAINRULE_DATA`` names;
3. ``chainrule/data`` in the user's cache: ``$XDG_CACHE_HOME``, or else ``~/.cache``
   (``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%`` on Windows).

In 2 and 3 each data set has a folder of its own name.
"""

import os
from pathlib import Path

from chainrule.base.places import user_cache

VARIABLE = "CHAINRULE_DATA"


def folders_for(name: str) -> tuple[Path, ...]:
    """Return the folders in which the data set `name` may be, in the order to look."""
    roots = [cache_folder()]
    if named := os.environ.get(VARIABLE):
        roots.insert(0, Path(named).expanduser())
    return tuple(root / name for root in roots)


def cache_folder() -> Path:
    """Return the folder of data sets in the user's cache. It need not exist."""
    return user_cache() / "data"
