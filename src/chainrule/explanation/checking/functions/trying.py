"""A learner's function called on one network after the other, and compared with the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule.explanation.checking.check import check_trace
from chainrule.explanation.checking.functions.apart import Apart
from chainrule.explanation.checking.functions.cases import Case, sizes_to_try
from chainrule.explanation.checking.functions.finding import GIVEN_RATE, Calling
from chainrule.explanation.checking.functions.objective import Objective
from chainrule.explanation.checking.functions.returned import WRITTEN, answer_of
from chainrule.explanation.checking.functions.watching import DRAWS, SEEDS, Outcome
from chainrule.explanation.checking.verdict import Check
from chainrule.explanation.symbols import NEXT
from chainrule.explanation.trace import Array

_ENOUGH = 3  # networks that no mistake explains: larger ones would say no more
_PAIRS = 6  # networks with two mistakes each
_EXACT = 1e-13  # so little changes no comparison, and no number has few digits any more
_ANEW = 6  # wrong networks on which it is called once more, as if for the first time

CHANGES = "its answer changes between calls with the same arguments"


@dataclass(frozen=True, eq=False)
class Tried:
    """One network on which the function was called.

    Parameters
    ----------
    case : Case
    outcome : Outcome
        What the function returned, or raised.
    notes : tuple of str
        What is wrong with what it gave, apart from the numbers.
    check : Check or None
        Its numbers beside the true ones.
    fitting : int
        How many gradients have a shape in which they can be compared.
    remarks : tuple of str
        What may be the reason of wrong numbers.
    changes : str
        How its answer changes from call to call.
    """

    case: Case
    outcome: Outcome
    notes: tuple[str, ...]
    check: Check | None
    fitting: int
    remarks: tuple[str, ...] = ()
    changes: str = ""

    @property
    def is_right(self) -> bool:
        """Whether all gradients came, and are right."""
        whole = not self.outcome.trouble and not self.notes and not self.outcome.mutated
        return whole and not self.changes and self.check is not None and bool(self.check)

    @property
    def is_explained(self) -> bool:
        """Whether known mistakes, or the shapes, explain what is wrong with its numbers."""
        found = self.check
        if found is None or found or self.notes:
            return True
        return bool(found.causes) and found.is_whole


@dataclass(frozen=True)
class Trial:
    """A function that is known how to call, on networks.

    Parameters
    ----------
    calling : Calling
    objective : Objective
    apart : Apart
    """

    calling: Calling
    objective: Objective
    apart: Apart

    @property
    def cases(self) -> list[Case]:
        """The networks, the smallest first."""
        calling = self.calling
        sizes = sizes_to_try(
            calling.depth,
            is_choice=self.objective.is_choice,
            has_one_output=calling.layout.has_one_output,
        )
        return [
            self.objective.case(widths, count, has_biases=calling.form.has_biases)
            for widths, count in sizes
            if count == 1 or not calling.layout.is_single
        ]

    def tried(self, cases: Sequence[Case]) -> Iterator[Tried]:
        """Call the function on each case, twice, and compare what came.

        One that keeps something from call to call gives something else the second time, or is wrong
        where another network was there before it.
        """
        calls = [
            self.calling.form.arguments(case, self.calling.layout, GIVEN_RATE) for case in cases
        ]
        outcomes = self.apart.calls([call for call in calls for _ in range(2)])
        unexplained = pairs = anew = 0
        for case, call in zip(cases, calls, strict=True):
            first = next(outcomes, None)
            if first is None:
                return
            second = first if first.is_last else next(outcomes, first)
            changes = _changes(first, second) if second is not first else ""
            if first.drawn and second.drawn in (0, first.drawn) and second is not first:
                told = tuple(SEEDS if each == DRAWS else each for each in first.remarks)
                first = replace(first, remarks=told)
            tried = self.compared(case, first)
            if (changes or not tried.is_right) and not first.is_last and anew < _ANEW:
                anew += 1
                alone = self.apart.call(call)
                if alone is not None and not alone.is_last and first.differs(alone):
                    changes = changes or f"{CHANGES}: {_KEPT}"
                    tried = self.compared(case, alone)
            tried = replace(tried, changes=changes)
            yield tried
            unexplained += not tried.is_explained
            pairs += _is_pair(tried)
            if unexplained == _ENOUGH or pairs == _PAIRS or first.is_last:
                return  # the search takes longest where it finds nothing, or two mistakes

    def compared(self, case: Case, outcome: Outcome) -> Tried:
        """What came of a call beside the truth."""
        calling = self.calling
        answer = calling.answer(case, outcome)
        mine, notes = answer.mine, answer.notes
        broken = [name for name, array in mine.items() if not np.isfinite(array).all()]
        if broken:
            told = ", ".join(case.textbook[name] for name in broken)
            notes.append(f"the gradient of {told} has NaN or infinite numbers")
        found = None
        rate = calling.rate
        if mine and not broken:
            truth = self.objective.truth(case, calling.over_outputs, rate)
            if rate is not None:
                # A weight that was left as it is, 0.1, is not rounded to one decimal.
                mine = {name: array * (1 + _EXACT) for name, array in mine.items()}
            named = {f"{NEXT}{name}": a for name, a in mine.items()} if calling.is_update else mine
            found = check_trace(truth.trace, named, has_update=rate is not None)
            if not found and not calling.is_update:
                answer.remarks += _zeros(case, mine, truth.gradients)
        outcome = replace(outcome, mutated=self._not_asked_for(case, outcome, found))
        return Tried(case, outcome, tuple(notes), found, len(mine), tuple(answer.remarks))

    def _is_update_too(self, case: Case, outcome: Outcome) -> bool:
        """Whether the weights that a function was given are those after a right step now."""
        calling = self.calling
        places = replace(calling.places, source=WRITTEN)
        new = answer_of(case, calling.layout, calling.form, outcome, places).mine
        trace = self.objective.truth(case, calling.over_outputs, calling.rate).trace
        true = {name: trace.values[trace.graph.find(f"{NEXT}{name}")] for name in new}
        return all(np.allclose(new[name], true[name], rtol=1e-5) for name in new)

    def _not_asked_for(self, case: Case, outcome: Outcome, found: Check | None) -> tuple[str, ...]:
        """The arguments that were written into and are no weights after their update."""
        own = {path[0] for path in self.calling.form.places(len(case.weights)).values()}
        if not self.calling.is_update:
            if not self.calling.form.has_rate or not found:
                return outcome.mutated
            # A step that returns its gradients, and makes the update as well: if it is one.
            if not self._is_update_too(case, outcome):
                return outcome.mutated
        return tuple(name for name in outcome.mutated if name not in own)


def _is_pair(tried: Tried) -> bool:
    """Whether two mistakes are needed to explain what is wrong."""
    causes = tried.check.causes if tried.check is not None else ()
    return bool(causes) and min(len(cause.faults) for cause in causes) > 1


_KEPT = (
    "it keeps something from one call to the next, as a global, an attribute or a default argument "
    "does, or a buffer that is not set to 0"
)


def _changes(first: Outcome, second: Outcome) -> str:
    """How the second of two calls with the same arguments differs from the first."""
    if not first.differs(second):
        return ""
    if first.drawn and first.drawn != second.drawn:
        return f"{CHANGES}: it draws random numbers"
    if second.trouble and not first.trouble:
        return f"{CHANGES}: {_KEPT}. The second time it {second.trouble}"
    return f"{CHANGES}: {_KEPT}"


def _zeros(case: Case, mine: dict[str, Array], true: dict[str, Array]) -> list[str]:
    """Which gradients are 0 and should not be."""
    names = [name for name, array in mine.items() if not array.any() and true[name].any()]
    if not names:
        return []
    textbook = ", ".join(case.textbook[name] for name in names)
    which = "Every gradient" if len(names) == len(mine) else f"The gradient of {textbook}"
    return [f"{which} is 0: was the array that it begins with ever filled?"]
