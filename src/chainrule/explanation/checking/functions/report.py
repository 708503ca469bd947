"""What came of calling a learner's function: right, or where not, and by which mistake."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from textwrap import wrap
from typing import TextIO

from chainrule.base.harmless import plain
from chainrule.explanation.checking.functions.conventions import Layout
from chainrule.explanation.checking.functions.trying import Tried
from chainrule.explanation.checking.verdict import ROUNDED, Cause
from chainrule.explanation.printing.terminal import show
from chainrule.explanation.printing.text import Line
from chainrule.explanation.symbols import NEXT


@dataclass(frozen=True, eq=False)
class FunctionCheck:
    """What came of calling a learner's backpropagation on networks.

    Parameters
    ----------
    name : str
        The function's.
    layout : Layout or None
        What it is written for; None if that could not be found out.
    tried : tuple of Tried
        The networks, the smallest first.
    trouble : str
        Why it could not be called at all.
    notes : tuple of str
    is_whole : bool
        Whether every network was tried, and not only the first, which say enough.
    conventions : tuple of str
        What it was compared with, and what was assumed.

    Notes
    -----
    It is true where the function is right on every network.
    """

    name: str
    layout: Layout | None
    tried: tuple[Tried, ...]
    trouble: str = ""
    notes: tuple[str, ...] = ()
    is_whole: bool = True
    conventions: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether the function is right on every network."""
        return bool(self.tried) and all(each.is_right for each in self.tried)

    def __bool__(self) -> bool:
        return self.is_right

    @cached_property
    def wrong(self) -> tuple[Tried, ...]:
        """The networks on which it is wrong, the smallest first."""
        return tuple(each for each in self.tried if not each.is_right)

    @property
    def smallest(self) -> Tried | None:
        """The smallest network on which it is wrong."""
        return self.wrong[0] if self.wrong else None

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """What explains the smallest wrong network, and every other one.

        On a small network many mistakes give the same numbers; those that larger ones rule out are
        left out. A network that no mistake explains rules out all of them.
        """
        whole = [each for each in self.wrong if not each.notes]  # all numbers came
        found = (each.check for each in whole or self.wrong)
        checks = [each for each in found if each is not None and each.causes and each.is_whole]
        if not checks or not all(each.is_explained for each in self.wrong):
            return ()
        common = set.intersection(*({cause.mistakes for cause in each.causes} for each in checks))
        return tuple(cause for cause in checks[0].causes if cause.mistakes in common)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The names of the mistakes that explain all that is wrong."""
        return tuple(dict.fromkeys(name for cause in self.causes for name in cause.mistakes))

    def text(self, width: int = 80) -> str:
        """What `show` prints, as plain text."""
        return "\n".join(line.plain for line in self._lines(width))

    def show(self, *, file: TextIO | None = None) -> None:
        """Print whether the function is right, and otherwise which mistake it makes, and where."""
        show(self._lines, file)

    def _lines(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for text, style in self._told():
            indent = " " * (len(text) - len(text.lstrip()))
            for part in wrap(plain(text), width, subsequent_indent=indent) or [""]:
                lines.append(Line(((part, style),)))
        return lines

    def _told(self) -> Iterator[tuple[str, str]]:
        """What is said, and in which style."""
        if self.layout is None:
            yield f"{self.name} could not be called. {self.trouble}.", "bold red"
            return
        count = len(self.tried)
        first = "" if self.is_whole else "the first "
        if self.is_right:
            told = f"{self.name} is right on {first or 'all '}{count} networks."
            more = " It takes long: there was no time for more." if first else ""
            yield f"{told}{more}", "bold green"
        else:
            told = f"{self.name} is wrong on {len(self.wrong)} of {first}{count} networks."
            yield told, "bold red"
        yield f"Called so that it fits: {self.layout}.", "dim"
        for note in (*self.conventions, *self.notes):
            yield note, "dim"
        for told in (*self._observed(), *self._changes()):
            yield told, ""
        if any(each.check is not None and each.check.verdict == ROUNDED for each in self.tried):
            yield "It rounds on the way: keep all digits until the end.", ""
        if self.smallest is not None:
            yield "", ""
            yield f"The smallest on which it is wrong: {self.smallest.case}", "bold"
            yield from self._of_smallest(self.smallest)

    def _observed(self) -> Iterator[str]:
        """What the function does beside computing."""
        printed = next((each.outcome.printed for each in self.tried if each.outcome.printed), "")
        if printed:
            yield f"It prints: {printed}"
        remarks = (each for tried in self.tried for each in tried.outcome.remarks)
        seen = dict.fromkeys(remarks)
        yield from seen

    def _changes(self) -> Iterator[str]:
        found = next((each.changes for each in self.tried if each.changes), "")
        if found:
            yield f"{found[0].upper()}{found[1:]}."

    def _of_smallest(self, smallest: Tried) -> Iterator[tuple[str, str]]:
        if smallest.outcome.trouble:
            yield f"  It {smallest.outcome.trouble}.", ""
        for argument in smallest.outcome.mutated:
            yield f"  It writes into its argument {argument}: the caller's numbers are lost.", ""
        for note in smallest.notes:
            yield f"  {note[0].upper()}{note[1:]}.", ""
        for remark in smallest.remarks:
            yield f"  {remark}", ""
        if len(self.causes) > 1:
            yield "  Each of these gives the same numbers on every network:", ""
        for cause in self.causes:
            yield f"  The mistake: {cause.title}.", "bold"
            lines = ((fault.rule, fault.hints[-1]) for fault in cause.faults)
            for line in dict.fromkeys(itertools.chain(*lines)):
                yield f"    {line}", ""
        if not self.causes and smallest.check is not None and not smallest.check:
            yield "  No mistake I know explains this on every network.", ""
            if smallest.check.causes and smallest.check.is_whole:
                yield f"  On this one it is as if: {smallest.check.causes[0].title}.", ""
        yield from self._numbers(smallest)

    def _numbers(self, smallest: Tried) -> Iterator[tuple[str, str]]:
        """The network, so that it can be computed by hand, and what is wrong on it."""
        case = smallest.case
        yield "", ""
        for i, (weight, bias) in enumerate(zip(case.weights, case.biases, strict=True), 1):
            yield f"  W{i} = {weight.tolist()}   b{i} = {bias.tolist()}", ""
        yield f"  x = {case.x.tolist()}   y = {case.y.tolist()}", ""
        for row in smallest.check.rows if smallest.check is not None else ():
            if row.worst is not None:
                mine, true = (float(a[row.worst]) for a in (row.entry.numbers, row.true))
                where = f"[{','.join(map(str, row.worst))}]" if row.worst else ""
                new = row.entry.value.startswith(NEXT)
                name = case.textbook[row.entry.value.removeprefix(NEXT).removeprefix("d_")]
                told = f"{'new ' if new else 'd'}{name}{where}"
                yield f"  {told}: yours {mine:.6g}, true {true:.6g}", ""
