"""The random generators that learners use: watched, and set, so that each report is the same."""

import random
from typing import Any

import numpy as np

_SEED = 271_828  # none that people set: what a function sets is seen


def state_of_generators() -> tuple[Any, ...]:
    """What Python's and NumPy's generators will draw next."""
    state = np.random.get_state(legacy=True)  # noqa: NPY002 - the one that learners use
    return random.getstate(), state[1].tobytes(), state[2]  # type: ignore[index]


def set_generators() -> None:
    """Have them draw the same each time; only in a process that a learner's function has alone."""
    random.seed(_SEED)
    np.random.seed(_SEED)  # noqa: NPY002
