"""Which iterations of a shared loop are a thread's: bounds that are computed as it runs.

Of n units, thread t of T has those from n·t/T up to n·(t+1)/T: as many as the others, or one more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chainrule.backends.native.ir import Function

THREAD_PARAMETERS = [("i64", "%thread"), ("i64", "%threads")]
"""What a function takes that several threads run: the number of this one, and of all."""


@dataclass(frozen=True)
class Share:
    """Units from `begin` up to `end`: names of i64; none where these are equal or beyond.

    Parameters
    ----------
    begin, end : str
    """

    begin: str
    end: str

    @classmethod
    def of(cls, function: Function, units: int) -> Share:
        """What the thread has of so many."""
        after = function.value("add i64 %thread, 1")
        bounds = []
        for number in ("%thread", after):
            product = function.value(f"mul i64 {number}, {units}")
            bounds.append(function.value(f"udiv i64 {product}, %threads"))
        return cls(*bounds)

    @contextmanager
    def each(self, function: Function) -> Iterator[str]:
        """Write a loop over them; the number of the unit is yielded."""
        there = function.value(f"icmp slt i64 {self.begin}, {self.end}")
        with function.when(there):
            count = function.value(f"sub i64 {self.end}, {self.begin}")
            with function.loop(count) as block:
                yield function.value(f"add i64 {block.index}, {self.begin}")

    def divided(self, function: Function, units: int) -> Share:
        """The iterations that hold so many units each, and of which some are in the share."""
        rounded = function.value(f"add i64 {self.end}, {units - 1}")
        end = function.value(f"udiv i64 {rounded}, {units}")
        # A share of nothing is no iteration, wherever in one it begins.
        there = function.value(f"icmp slt i64 {self.begin}, {self.end}")
        begin = function.value(f"udiv i64 {self.begin}, {units}")
        return Share(begin, function.value(f"select i1 {there}, i64 {end}, i64 {begin}"))

    def within(self, function: Function, iteration: str, units: int) -> Share:
        """Counted from the first unit of an iteration."""
        before = function.value(f"mul i64 {iteration}, {units}")
        begin, end = (function.value(f"sub i64 {b}, {before}") for b in (self.begin, self.end))
        return Share(begin, end)

    def of_those(self, function: Function, first: int, count: int) -> Share:
        """Counted from a unit, and no more than some from there on."""
        bounds = []
        for bound in (self.begin, self.end):
            moved = function.value(f"sub i64 {bound}, {first}") if first else bound
            below = function.value(f"icmp slt i64 {moved}, 0")
            positive = function.value(f"select i1 {below}, i64 0, i64 {moved}")
            above = function.value(f"icmp sgt i64 {positive}, {count}")
            bounds.append(function.value(f"select i1 {above}, i64 {count}, i64 {positive}"))
        return Share(*bounds)
