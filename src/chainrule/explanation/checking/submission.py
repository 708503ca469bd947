"""What a learner wrote, read as values of the step: which value, which numbers, how exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.entry import Entry


@dataclass(frozen=True, eq=False)
class Submission:
    """What could be read of what a learner wrote.

    Parameters
    ----------
    entries : tuple of Entry
    problems : mapping of str to str
        Why something could not be read, by the name that the learner gave it.
    """

    entries: tuple[Entry, ...]
    problems: Mapping[str, str]


def read_submission(anatomy: Anatomy, mine: Mapping[str, Any]) -> Submission:
    """Read what a learner wrote.

    Parameters
    ----------
    anatomy : Anatomy
    mine : mapping of str to array
        By name: a parameter's name stands for its gradient.

    Raises
    ------
    ConfigurationError
        If nothing of it can be read.
    """
    entries, problems = [], {}
    for name, numbers in mine.items():
        value = f"d_{name}" if name in anatomy.parameters else name
        if value not in anatomy.names:
            problems[name] = f"The step has no value {name}"
            continue
        position = anatomy.names[value]
        array = np.asarray(numbers, np.float64)
        if array.shape != anatomy.values[position].shape:
            problems[name] = f"{name} has the shape {array.shape}"
            continue
        entries.append(Entry(name, value, position, array, np.zeros(array.shape)))
    if not entries:
        raise ConfigurationError("Nothing of what was handed in can be read")
    return Submission(tuple(entries), problems)
