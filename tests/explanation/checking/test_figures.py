"""How often check names a mistake that was made at random, on random networks of all kinds.

The figures that are promised are tested on 1,000 networks (slow), by the hundred, and on a few each
time.
"""

import numpy as np
import pytest

from tests.explanation.checking.learners import anatomies, chosen, search, titles

BLOCKS = [(0, 8), *(pytest.param(i, 100, marks=pytest.mark.slow) for i in range(0, 1000, 100))]


@pytest.mark.parametrize(("first", "count"), BLOCKS)
def test_correct_gradients_at_three_digits_raise_no_alarm(first, count):
    assert not [i for i, anatomy in anatomies(count, first) if search(anatomy, [], digits=3).wrong]


@pytest.mark.parametrize(("first", "count"), BLOCKS)
def test_a_single_mistake_is_named_from_four_digits(first, count):
    made, named = 0, 0
    for i, anatomy in anatomies(count, first):
        for fault in chosen(anatomy, np.random.default_rng([i, 5]), 1):
            made += 1
            named += fault.title in titles(search(anatomy, [fault]).single())
    assert made >= 0.99 * count
    assert named >= 0.99 * made


@pytest.mark.parametrize(("first", "count"), BLOCKS)
def test_two_mistakes_are_named_from_four_digits(first, count):
    made, named, simpler = 0, 0, 0
    for i, anatomy in anatomies(count, first):
        faults = chosen(anatomy, np.random.default_rng([i, 5]), 2)
        found = search(anatomy, faults) if len(faults) == 2 else None
        if found is None or not found.wrong:  # they cannot be made together, or undo each other
            continue
        alone = titles(found.single())
        if not {fault.title for fault in faults}.isdisjoint(alone):  # one of them hides the other
            continue
        if alone:  # another mistake gives these very numbers
            simpler += 1
            continue
        made += 1
        named += {fault.title for fault in faults} in [set(titles(p)) for p in found.pairs()]
    assert made > 4 * simpler  # most pairs are pairs
    assert made >= 0.7 * count
    assert named >= 0.95 * made
