"""How much memory there is to be had, as the system tells."""

from __future__ import annotations

import os
import re
from pathlib import Path

_SYSTEM = Path("/")


def available_memory() -> int | None:
    """Return how many bytes can be taken without others having to give any up.

    On Linux that is memory and swap space that is free or can be freed at once, and no more than
    the control group has left; on other systems with POSIX's figures all of the machine's memory,
    since they do not tell how much of it is in use. None where nobody tells.
    """
    free = _meminfo()
    if free is None:
        return _all_memory()
    return min([free, *_left_in_groups()])


def _meminfo() -> int | None:
    try:
        text = (_SYSTEM / "proc/meminfo").read_text()
    except OSError:
        return None
    found = dict(re.findall(r"^(MemAvailable|SwapFree): +(\d+) kB$", text, re.MULTILINE))
    return 1024 * sum(map(int, found.values())) if "MemAvailable" in found else None


def _left_in_groups() -> list[int]:
    """What each control group that this process is in has left: a container's limit is one."""
    try:
        (own,) = re.findall(r"^0::/(.*)$", (_SYSTEM / "proc/self/cgroup").read_text(), re.MULTILINE)
    except (OSError, ValueError):
        return []
    root = _SYSTEM / "sys/fs/cgroup"
    left = []
    for group in [root / own, *(root / own).parents]:
        try:
            limit = (group / "memory.max").read_text()
            used = (group / "memory.current").read_text()
            # Files that were read are counted too, and let go when memory is asked for.
            files = re.search(r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.M)
            left.append(int(limit) - int(used) + (int(files[1]) if files else 0))
        except (OSError, ValueError):  # no such figures, or no limit: "max"
            pass
        if group == root:
            break
    return left


def _all_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
