"""A look at a few numbers of an entry: most mistakes are ruled out by them.

What a glance says is so for the whole entry. Where it cannot tell, all is computed.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.entry import SAME, Entry
from chainrule.explanation.checking.parts import Parts, Places, part_of, telling_places
from chainrule.explanation.trace import Array

_LARGE = 1 << 14  # numbers: a step that has none with so many is computed whole at once
_ROUNDING = 1e-9  # of what is added up: sums of few numbers are added in another order


class Glance:
    """A few numbers of an entry.

    Parameters
    ----------
    anatomy : Anatomy
    entry : Entry
    parts : Parts
    """

    def __init__(self, anatomy: Anatomy, entry: Entry, parts: Parts) -> None:
        self.anatomy, self.entry, self.parts = anatomy, entry, parts

    def refutes(self, number: int) -> bool:
        """Whether a few numbers show that a value is not what was written."""
        if not self._helps or not self._is_whole:
            return False
        found = self.parts.of(number, self._places)
        allowed = self._allowed + self._rounding(found)
        with np.errstate(all="ignore"):
            conventions = [found * scale for scale in self.entry.scales]
            return not any(self._agrees(expected, allowed) for expected in conventions)

    def _agrees(self, expected: Array, allowed: Array) -> bool:
        near = np.abs(self._written - expected) <= allowed
        return bool((near | (self._written == expected)).all())

    def tells_from_truth(self, number: int) -> bool:
        """Whether a few numbers show that a value is not the true one."""
        if not self._helps:
            return False
        found, true = self.parts.of(number, self._places), self._true
        with np.errstate(all="ignore"):
            allowed = SAME * np.maximum(np.abs(found), np.abs(true)) + self._rounding(found)
            return bool(
                (self._given & ~((np.abs(found - true) <= allowed) | (found == true))).any()
            )

    def _rounding(self, found: Array) -> float:
        return _ROUNDING * (self._size + float(np.abs(found[np.isfinite(found)]).max(initial=0.0)))

    @cached_property
    def _helps(self) -> bool:
        """Whether a few numbers are computed so much faster than all of them."""
        entry, anatomy = self.entry, self.anatomy
        is_one_value = entry.index is None and all(np.ndim(scale) == 0 for scale in entry.scales)
        most = max((node.type.size for node in anatomy.nodes), default=0)
        return is_one_value and most >= _LARGE and any(self._places)

    @cached_property
    def _is_whole(self) -> bool:
        return bool(self.entry.given.all())

    @cached_property
    def _places(self) -> Places:
        true = self.anatomy.values[self.entry.position]
        with np.errstate(all="ignore"):
            off = np.nan_to_num(np.abs(true - self.entry.numbers))
        worst = np.unravel_index(int(np.argmax(off)), off.shape) if off.size else None
        return telling_places(true, None if worst is None else tuple(map(int, worst)))

    @cached_property
    def _true(self) -> Array:
        return part_of(self.anatomy.values[self.entry.position], self._places)

    @cached_property
    def _written(self) -> Array:
        return part_of(self.entry.numbers, self._places)

    @cached_property
    def _given(self) -> Array:
        return part_of(self.entry.given, self._places)

    @cached_property
    def _allowed(self) -> Array:
        """How far off a number may be of a value that agrees.

        That depends on the value's largest number, which is not there. But if all of it agrees, it
        is one of those written, or as good as one.
        """
        return part_of(self.entry.tolerance(self.entry.most), self._places)

    @cached_property
    def _size(self) -> float:
        return self.anatomy.size(self.entry.position)
