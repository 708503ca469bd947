"""What came out of a check: which values are right, and which mistake explains the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.mistake import Fault
from chainrule.explanation.trace import Array, Index, Trace


@dataclass(frozen=True)
class Row:
    """One value that was handed in, beside the true one.

    Parameters
    ----------
    entry : Entry
    true : array
        The true numbers, in the shape of what was written.
    wrong : int
        How many numbers are wrong.
    worst : tuple of int or None
        The index of the number that is furthest off.
    """

    entry: Entry
    true: Array
    wrong: int
    worst: Index | None

    @property
    def is_right(self) -> bool:
        """Whether every number that is there is right."""
        return self.wrong == 0


@dataclass(frozen=True)
class Cause:
    """One mistake, or two that were made together, which explain what is wrong.

    Parameters
    ----------
    faults : tuple of Fault
    explains : tuple of str
        The values that are as these mistakes make them.
    """

    faults: tuple[Fault, ...]
    explains: tuple[str, ...]

    @property
    def title(self) -> str:
        """What was done."""
        return ", and ".join(fault.title for fault in self.faults)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The names of the mistakes."""
        return tuple(fault.mistake.name for fault in self.faults)


@dataclass(frozen=True)
class Check:
    """A learner's numbers compared with the true ones.

    Parameters
    ----------
    trace : Trace
        The true step.
    rows : tuple of Row
        Each value that could be read.
    causes : tuple of Cause
        What explains the wrong ones. Several are numerically equal: each of them gives the numbers
        that were written.
    is_whole : bool
        Whether a cause explains everything that is wrong, or a part of it.
    problems : mapping of str to str
        What could not be read, and why.

    Notes
    -----
    It is true where everything is right and could be read.
    """

    trace: Trace
    rows: tuple[Row, ...]
    causes: tuple[Cause, ...]
    is_whole: bool
    problems: Mapping[str, str]

    @property
    def is_right(self) -> bool:
        """Whether everything is right, and could be read."""
        return not self.problems and all(row.is_right for row in self.rows)

    def __bool__(self) -> bool:
        return self.is_right

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The names of the mistakes that may have been made, each once."""
        return tuple(dict.fromkeys(name for cause in self.causes for name in cause.mistakes))
