"""What explains a difference: said only if it gives the other side's numbers."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.explanation.comparing.difference import ARISES, GIVEN, SHAPE, distance
from chainrule.explanation.comparing.hypotheses import HYPOTHESES
from chainrule.explanation.comparing.suspects import Suspect, Suspects
from chainrule.explanation.symbols import NEXT

_FIRST = 3
"""How many values in which a difference begins are looked into, in each part of a step."""


def find_causes(suspects: Suspects) -> list[str]:
    """Say what explains the first differences."""
    told: dict[str, str] = {cause: cause for cause in _given(suspects)}
    for phase in ("forward", "backward", "update"):
        begun = [
            position
            for position, each in suspects.found.items()
            if each.kind == ARISES and each.phase == phase and not each.note
        ]
        for position in begun[:_FIRST]:
            suspect = Suspect(suspects, position)
            cause = next(filter(None, (try_it(suspect) for try_it in HYPOTHESES)), None)
            if cause:  # the same, said of a gradient, is no news
                own = suspect.name.removeprefix(NEXT).removeprefix("d_")
                told.setdefault(cause.replace(suspect.name, "").replace(own, ""), cause)
    return list(dict.fromkeys(told.values()))


def _given(suspects: Suspects) -> Iterator[str]:
    """What is to be seen from inputs alone: a matrix that is the transpose of the other."""
    a, b = suspects.labels
    for position, each in suspects.found.items():
        mine, theirs = suspects.trace.values[position], suspects.matching.stored[position]
        if each.kind not in (GIVEN, SHAPE) or mine.ndim != 2 or mine.shape != theirs.shape[::-1]:
            continue
        if distance(mine, theirs.T).count == 0:
            yield f"{each.name} is the transpose in {b} of what it is in {a}"
