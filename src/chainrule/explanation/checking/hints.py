"""Hints for a learner who wants to find a mistake: where it is, what it is, how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.checking.entry import largest

if TYPE_CHECKING:
    from chainrule.explanation.checking.verdict import Check, Row

_MOST = 4


LEVELS = (1, 2, 3)
"""Where it is; what it is; how to mend it."""


def hints_up_to(check: Check, level: int) -> list[str]:
    """The hints of all levels up to one.

    Raises
    ------
    ConfigurationError
        If there is no such level.
    """
    if level not in LEVELS:
        raise ConfigurationError(f"Hints have the levels 1, 2 and 3; got {level!r:.40}")
    return [hint(check, each) for each in LEVELS[:level]]


def hint(check: Check, level: int) -> str:
    """A hint, in a sentence or several.

    Parameters
    ----------
    check : Check
    level : int
        1, 2 or 3.
    """
    if not check.wrong and not check.causes:
        return "Nothing is wrong with the numbers that could be read."
    if not check.causes or not check.is_whole:
        return _of_unknown(check, level)
    # Of a mistake that may have been made here or there, the first: more places help nobody.
    causes = {cause.mistakes: cause for cause in reversed(check.causes)}
    told = dict.fromkeys(
        " ".join(dict.fromkeys(fault.hints[level - 1] for fault in cause.faults))
        for cause in reversed(causes.values())
    )
    return _or(list(told))


def _or(sentences: list[str]) -> str:
    kept = sentences[:_MOST]
    more = len(sentences) - len(kept)
    text = " Or: ".join(kept)
    return f"{text} And {more} more would give the same numbers." if more else text


def _of_unknown(check: Check, level: int) -> str:
    """Where no mistake that is known explains it: the value in which it begins."""
    first = check.wrong[0]
    name = first.entry.name
    if level == 1:
        right = [row.entry.name for row in check.rows if row.is_right]
        beside = f" {', '.join(right[:_MOST])} is right." if len(right) == 1 else ""
        beside = f" {', '.join(right[:_MOST])} are right." if len(right) > 1 else beside
        return f"From the loss backwards, {name} is the first value that is wrong.{beside}"
    if level == 2:
        if first.count == 1:
            return f"The number {name} is wrong. {_size(first)}"
        return f"In {name}, {first.wrong} of {first.count} numbers are wrong. {_size(first)}"
    where = check.trace.graph.name_of(check.trace.graph.find(first.entry.value))
    return f"Open the true number and compare term by term: {where}."


def _size(row: Row) -> str:
    given, is_one = row.entry.given, row.count == 1
    infinite = int(np.isinf(row.entry.numbers[given]).sum())
    if infinite and is_one:
        return "It is infinite."
    if infinite:
        return f"{infinite} of them {'is' if infinite == 1 else 'are'} infinite."
    mine, true = largest(row.entry.numbers[given]), largest(row.true[given])
    if not mine:
        return "It is 0." if is_one else "All of them are 0."
    if not true:
        return "It should be 0." if is_one else "They should all be 0."
    if mine > 2 * true:
        times = f"{mine / true:.3g} times as large as"
        return (
            f"It is {times} it should be." if is_one else f"They are up to {times} they should be."
        )
    if true > 2 * mine:
        return f"{'It' if is_one else 'The largest'} is {mine / true:.3g} of what it should be."
    return "It is of the right size." if is_one else "They are of the right size."
