"""What came out of a check: which values are right, and which mistake explains the others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.mistake import Fault
from chainrule.explanation.trace import Array, Index, Trace

if TYPE_CHECKING:
    from chainrule.explanation.checking.search import Untried
    from chainrule.explanation.checking.telling_apart import Separation

RIGHT, ROUNDED, WRONG = "right", "rounded", "wrong"


@dataclass(frozen=True, eq=False)
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
    is_near : bool
        Whether those are off by so little that rounding on the way explains it.
    """

    entry: Entry
    true: Array
    wrong: int
    worst: Index | None
    is_near: bool = False

    @property
    def is_right(self) -> bool:
        """Whether every number that is there is right."""
        return self.wrong == 0

    @property
    def count(self) -> int:
        """How many numbers are there."""
        return int(np.count_nonzero(self.entry.given))

    @property
    def missing(self) -> int:
        """How many are not."""
        return self.entry.given.size - self.count

    @property
    def verdict(self) -> str:
        """``"right"``, ``"rounded"`` or ``"wrong"``."""
        if self.is_right:
            return RIGHT
        return ROUNDED if self.is_near else WRONG

    @property
    def place(self) -> tuple[str, Index] | None:
        """The worst number in the step: the value's name, and the whole index."""
        if self.worst is None:
            return None
        return self.entry.value, (*(self.entry.index or ()), *self.worst)

    @property
    def yours(self) -> float | None:
        """The worst number, as it was written."""
        return None if self.worst is None else float(self.entry.numbers[self.worst])

    @property
    def truth(self) -> float | None:
        """What it should be."""
        return None if self.worst is None else float(self.true[self.worst])


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


@dataclass(frozen=True, eq=False)
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
    is_loose : bool
        Whether the causes explain what is wrong but for a few units in the last place.
    anatomy : Anatomy, optional
        The step taken apart.
    untried : Untried, optional
        What was left out of the search for causes, where the step is so large that it was cut.

    Notes
    -----
    It is true where everything is right, or right and rounded on the way, and could be read.
    """

    trace: Trace
    rows: tuple[Row, ...]
    causes: tuple[Cause, ...]
    is_whole: bool
    problems: Mapping[str, str]
    is_loose: bool = False
    anatomy: Anatomy | None = field(default=None, repr=False, compare=False)
    untried: Untried | None = None

    @property
    def is_right(self) -> bool:
        """Whether everything is right, and could be read."""
        return not self.problems and all(row.is_right for row in self.rows)

    @property
    def verdict(self) -> str:
        """``"right"``, ``"rounded"`` (right, but rounded on the way) or ``"wrong"``.

        It is about what could be read; what could not is in `problems`.
        """
        found = {row.verdict for row in self.rows}
        return next(each for each in (WRONG, ROUNDED, RIGHT) if each in found or each == RIGHT)

    def __bool__(self) -> bool:
        return not self.problems and self.verdict != WRONG

    @property
    def wrong(self) -> tuple[Row, ...]:
        """The values that are wrong, in the order of the backward pass: the first one first."""
        found = [row for row in self.rows if row.verdict == WRONG]
        return tuple(sorted(found, key=lambda row: row.entry.position))

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The names of the mistakes that may have been made, each once."""
        return tuple(dict.fromkeys(name for cause in self.causes for name in cause.mistakes))

    def hint(self, level: int = 1) -> str:
        """Help a learner who wants to find it: 1 says where, 2 what, 3 how to mend it.

        Parameters
        ----------
        level : int

        Raises
        ------
        ConfigurationError
            If there is no such level.
        """
        from chainrule.explanation.checking.hints import hints_up_to

        return hints_up_to(self, level)[-1]

    @cached_property
    def telling_apart(self) -> Separation | None:
        """An input on which the causes that are equal here give different numbers.

        None where there is nothing to tell apart. It is looked for when it is asked for.
        """
        from chainrule.explanation.checking.telling_apart import tell_apart

        return tell_apart(self)

    def show(self, *, hints: int | None = None, file: TextIO | None = None) -> None:
        """Print what is right, what is wrong, and which mistake explains it.

        Parameters
        ----------
        hints : int, optional
            Only hints, up to this level: no true number, no mistake's name below level 2.
        file : text file, optional
            By default standard output; colours are for terminals.
        """
        from chainrule.explanation.checking.showing import lines_of_check
        from chainrule.explanation.printing.terminal import show

        show(lambda width: lines_of_check(self, width, hints=hints), file)

    def text(self, width: int = 80, *, hints: int | None = None) -> str:
        """What `show` prints, as plain text."""
        from chainrule.explanation.checking.showing import lines_of_check

        return "\n".join(line.plain for line in lines_of_check(self, width, hints=hints))

    def to_json(self, *, hints: int | None = None) -> dict[str, Any]:
        """The same as plain data, for programs: no NaN, no infinity, which JSON does not have."""
        from chainrule.explanation.checking.document import as_data

        return as_data(self, hints)

    def _repr_html_(self) -> str:
        from chainrule.explanation.checking.showing import fragment

        return fragment(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self._repr_html_()}

    def __repr__(self) -> str:
        told = f", {', '.join(self.mistakes)}" if self.mistakes else ""
        unread = f", {len(self.problems)} not read" if self.problems else ""
        return f"Check({self.verdict}{told}{unread})"


def row_of(entry: Entry, value: Array) -> Row:
    """Compare what was written with the true value."""
    true = entry.scaled(value)
    wrong = entry.wrong(value)
    worst = None
    if wrong.any():
        with np.errstate(all="ignore"):
            off = np.where(wrong, np.abs(entry.numbers - true), -1.0)
        off = np.where(np.isnan(off), math.inf, off)
        worst = tuple(map(int, np.unravel_index(int(np.argmax(off)), off.shape)))
    return Row(
        entry, true, int(np.count_nonzero(wrong)), worst, bool(wrong.any()) and _near(entry, true)
    )


def _near(entry: Entry, true: Array) -> bool:
    with np.errstate(all="ignore"):
        off = np.abs(entry.numbers - true)
        return bool(
            (~entry.given | (off <= entry.loosened(true) / 2) | (entry.numbers == true)).all()
        )
