"""The search for mistakes as plainly as it can be written: each draft by itself, in full.

What `Search` finds by knowing values again is to be the same as this.
"""

from itertools import combinations

import numpy as np

from chainrule.explanation.checking.anatomy import kernel_of
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import faults_of


class Plain:
    """The step with faults made in it, one after the other."""

    def __init__(self, anatomy, *faults):
        self.anatomy, self.draft = anatomy, Draft(anatomy)
        for fault in faults:
            fault.change(self.draft)
        self.count = len(anatomy.nodes)
        self.reached = union(anatomy.below[i] for i in self.draft.changed)
        own = [*self.draft.changed, *range(self.count, len(self.draft.nodes))]
        self.used = union(1 << i for j in own for i in self.draft.nodes[j].inputs if i < self.count)
        self.known = dict(self.draft._given)

    def value(self, wanted):
        """The value of a node; None where it depends on itself."""
        nodes, values = self.draft.nodes, self.anatomy.values
        stack, opened = [wanted], set()
        while stack:
            i = stack[-1]
            if i in self.known:
                stack.pop()
                continue
            if i < self.count and not self.reached >> i & 1:
                self.known[i] = values[i]
                continue
            missing = [j for j in nodes[i].inputs if j not in self.known]
            if not missing:
                kernel = kernel_of(nodes[i], [nodes[j] for j in nodes[i].inputs])
                with np.errstate(all="ignore"):
                    self.known[i] = kernel(*[self.known[j] for j in nodes[i].inputs])
            elif i in opened:
                return None
            opened.add(i)
            stack.extend(missing)
        return self.known[wanted]


def union(bits):
    found = 0
    for each in bits:
        found |= each
    return found


class Exhaustive:
    """What explains entries, in titles."""

    def __init__(self, anatomy, entries):
        self.anatomy, self.entries = anatomy, entries
        self.every = range(len(entries))
        self.wrong = {
            k for k, entry in enumerate(entries) if not entry.agrees(anatomy.values[entry.position])
        }
        self.faults = list(faults_of(anatomy))
        self.alone = [Plain(anatomy, fault) for fault in self.faults]
        self.reached = [
            {k for k in self.every if each.reached >> entries[k].position & 1}
            for each in self.alone
        ]
        self.moved = [
            {k for k in reached if self.differs(k, each)}
            for each, reached in zip(self.alone, self.reached, strict=True)
        ]
        self.fitting = [
            {k for k in self.every if self._fits(k, each, reached)}
            for each, reached in zip(self.alone, self.reached, strict=True)
        ]

    def _fits(self, k, version, reached):
        return self.agrees(k, version) if k in reached else k not in self.wrong

    def agrees(self, k, version):
        value = version.value(self.entries[k].position)
        return value is not None and self.entries[k].agrees(value)

    def differs(self, k, version):
        entry = self.entries[k]
        value = version.value(entry.position)
        if value is None:
            return True
        truth, found = entry.expected(self.anatomy.values[entry.position]), entry.expected(value)
        with np.errstate(all="ignore"):
            near = np.abs(truth - found) <= 1e-9 * np.maximum(np.abs(truth), np.abs(found))
        return bool((entry.given & ~(near | (truth == found))).any())

    def single(self):
        return [
            fault.title
            for fault, reached, fitting in zip(self.faults, self.reached, self.fitting, strict=True)
            if self.wrong <= reached and fitting == set(self.every)
        ]

    def nearest(self):
        right = set(self.every) - self.wrong
        gains = [
            len(fitting & self.wrong) if self.wrong & reached and right <= fitting else 0
            for reached, fitting in zip(self.reached, self.fitting, strict=True)
        ]
        most = max(gains, default=0)
        return [
            fault.title
            for fault, gain in zip(self.faults, gains, strict=True)
            if most and gain == most
        ]

    def pairs(self):
        for by_which in (self._by_moving, self._by_reaching):
            found = [
                [self.faults[i].title, self.faults[j].title]
                for i, j in combinations(range(len(self.faults)), 2)
                if self._explains(i, j, *by_which(i, j))
            ]
            if found:
                return found
        return []

    def _by_moving(self, i, j):
        return self.moved[i], self.moved[j]

    def _by_reaching(self, i, j):
        first, second = self.alone[i], self.alone[j]
        by_first = self.reached[i] | (self.reached[j] if second.used & first.reached else set())
        by_second = self.reached[j] | (self.reached[i] if first.used & second.reached else set())
        return by_first, by_second

    def _explains(self, i, j, by_first, by_second):
        if not by_first - by_second <= self.fitting[i]:
            return False
        if not by_second - by_first <= self.fitting[j] or not self.wrong <= by_first | by_second:
            return False
        orders = [(i, j)]
        if self.alone[i].draft.changed & self.alone[j].draft.changed:
            orders.append((j, i))
        both = by_first & by_second
        return not both or any(self._gives(order, both) for order in orders)

    def _gives(self, order, among):
        version = Plain(self.anatomy, *(self.faults[i] for i in order))
        return all(self.agrees(k, version) for k in among)
