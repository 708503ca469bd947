"""The terms of a sum as a table that adds up: the largest, all others, rounding, the stored number.

Which examples contribute how much, and which units send how much back, are read off it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from chainrule.explanation.capturing.batches import rows_of
from chainrule.explanation.explanation import Explanation, Term
from chainrule.explanation.printing.digits import Column, column


@dataclass(frozen=True)
class Item:
    """One line of the table.

    Parameters
    ----------
    term : Term or None
        None for all the others together.
    count : int
        How many terms it stands for.
    value : float
    share : float or None
        Its size, as a share of the sizes of all terms; None where they are not finite.
    """

    term: Term | None
    count: int
    value: float
    share: float | None


@dataclass(frozen=True)
class Balance:
    """A sum, by the size of its terms.

    Parameters
    ----------
    explanation : Explanation
        What is the sum.
    items : list of Item
        The largest first; the others, together, last.
    rounding : float
        What the stored number differs from the exact sum of all terms.
    count : int
        How many terms there are.
    """

    explanation: Explanation
    items: list[Item]
    rounding: float
    count: int

    @property
    def stored(self) -> float:
        """The number that training computed."""
        return float(self.explanation.value)

    @property
    def column(self) -> Column:
        """The values as they are printed: what stands there adds up exactly."""
        return column([item.value for item in self.items], self.stored)

    @property
    def examples_differ(self) -> bool:
        """Whether there is one term for each example of the batch."""
        return all(item.term is None or item.term.example is not None for item in self.items)

    def row_of_data(self, term: Term) -> int | None:
        """The row of the data that a term's example is, where its number does not say it."""
        trace = self.explanation.trace
        rows = rows_of(trace.graph, trace.about.rows, self.explanation.name)
        if term.example is None or term.example >= len(rows):
            return None
        row = rows[term.example]
        return None if rows == tuple(range(len(rows))) else row


def balance(explanation: Explanation, most: int = 8) -> Balance | None:
    """Return the table of a sum; None for what is none.

    Parameters
    ----------
    explanation : Explanation
    most : int
        How many terms have a line of their own.
    """
    count = len(explanation.terms)
    if count < 2:
        return None
    significant = sum(term.value != 0 for term in explanation.terms)  # NaN is
    summary = explanation.summary(max(min(most, significant), 1))
    sizes = math.fsum(abs(t.value) for t in explanation.terms) if _is_finite(explanation) else 0.0

    def share(size: float) -> float | None:
        return size / sizes if sizes else None

    items = [Item(term, 1, term.value, share(abs(term.value))) for term in summary.largest]
    if summary.others:
        shown = {id(term) for term in summary.largest}
        rest = [abs(t.value) for t in explanation.terms if id(t) not in shown]
        others = share(math.fsum(rest)) if sizes else None
        items.append(Item(None, summary.others, summary.remainder, others))
    return Balance(explanation, items, summary.rounding, count)


def _is_finite(explanation: Explanation) -> bool:
    return all(math.isfinite(term.value) for term in explanation.terms)
