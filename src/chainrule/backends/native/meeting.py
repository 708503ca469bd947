"""Where in an arena threads meet: numbers in lines of the cache of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

TEAM = "team"
"""The buffer."""

_LINE = 8
ARRIVED, TURN, TAKEN, ABANDONED = (_LINE * place for place in range(4))
"""Who waits; how often all have met; steps taken; whether somebody will never come."""

SIZE = 4 * _LINE


def numbers(arena: Any, offset: int) -> Any:
    """The numbers, as an array that shares the arena's memory."""
    return arena[offset : offset + 8 * SIZE].view(np.int64)
