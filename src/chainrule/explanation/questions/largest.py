"""The largest elements of a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.explanation.printing.digits import number
from chainrule.explanation.printing.report import in_python
from chainrule.explanation.printing.text import write
from chainrule.explanation.questions.answer import Answer
from chainrule.explanation.questions.places import called, check_count, element
from chainrule.explanation.trace import Index, Place, Trace


@dataclass(frozen=True)
class One:
    """One element.

    Parameters
    ----------
    name : str
        The canonical name: ``d_0.weight[3,7]``.
    symbol : str
    index : tuple of int
    value : float
    rule : str
        What it is made of, with numbers.
    opened_by : str
        What opens it in Python.
    """

    name: str
    symbol: str
    index: Index
    value: float
    rule: str
    opened_by: str


@dataclass(frozen=True)
class Largest(Answer):
    """The elements of a value that are largest by size.

    Parameters
    ----------
    name : str
    elements : tuple of One
        NaN first: it is larger than every number.
    count : int
        How many elements there are.
    zeros : int
        How many of them are zero.
    """

    name: str
    elements: tuple[One, ...]
    count: int
    zeros: int

    right: ClassVar[Sequence[int]] = (1,)

    @property
    def headings(self) -> Sequence[str]:
        shown = len(self.elements)
        of_all = f"{shown} of {self.count} elements, of which {self.zeros} are zero"
        return [f"{self.name}: the largest {of_all}"]

    @property
    def table(self) -> Sequence[Sequence[str]]:
        rows = [[one.symbol, number(one.value), one.rule] for one in self.elements]
        return [["element", "value", "made of"], *rows] if rows else []


def largest(trace: Trace, name: str, n: int) -> Largest:
    """The largest elements of a value; see `Trace.largest`."""
    n = check_count("largest", "elements", n)
    position = _position(trace, name)
    array = trace.values[position]
    sizes = np.abs(array.astype(np.float64)).reshape(-1)
    sizes[np.isnan(sizes)] = np.inf
    # Stable: of equals, the first.
    order = np.argsort(-sizes, kind="stable")[:n]
    indices = [tuple(map(int, np.unravel_index(i, array.shape))) for i in order]
    elements = tuple(_one(trace, Place(position, index)) for index in indices)
    zeros = int(np.count_nonzero(array == 0))
    return Largest(trace.graph.name_of(position), elements, int(array.size), zeros)


def _position(trace: Trace, name: str) -> int:
    graph = trace.graph
    if name not in graph.positions and name not in graph.labels and name[:1] != "%":
        trace.find(name)  # it says what is nearest
    return graph.find(name)


def _one(trace: Trace, place: Place) -> One:
    from chainrule.explanation.explanation import open_place

    opened = open_place(trace, place)
    rule = "given" if opened.is_given else write(opened, opened.rule, with_numbers=True)
    name = element(trace.graph.name_of(place.node), place.index)
    value = float(trace.value(place))
    return One(name, called(trace, place), place.index, value, rule, in_python(opened) or "")
