"""What the search finds is what trying each mistake and each pair in full would find."""

from dataclasses import replace

import numpy as np
import pytest

from chainrule.explanation.checking.search import Search
from tests.explanation.checking.exhaustive import Exhaustive
from tests.explanation.checking.learners import anatomies, chosen, search, titles

BLOCKS = [(0, 6), *(pytest.param(i, 50, marks=pytest.mark.slow) for i in (1000, 2000))]


def assert_finds_the_same(found):
    plain = Exhaustive(found.anatomy, found.entries)
    assert titles(found.single()) == plain.single()
    assert [titles(pair) for pair in found.pairs()] == plain.pairs()
    assert titles(found.nearest()) == plain.nearest()


@pytest.mark.parametrize(("first", "count"), BLOCKS)
def test_it_finds_what_a_search_in_full_finds(first, count):
    for i, anatomy in anatomies(count, first):
        rng = np.random.default_rng([i, 6])
        faults = chosen(anatomy, rng, 2)
        for made in (faults[:1], faults, [*faults[:1], *chosen(anatomy, rng, 1), *faults[1:]]):
            found = search(anatomy, made)
            if found is not None and found.wrong:
                assert_finds_the_same(found)


@pytest.mark.parametrize(("first", "count"), BLOCKS)
def test_it_finds_the_same_where_no_mistake_explains_all(first, count):
    for i, anatomy in anatomies(count, first):
        rng = np.random.default_rng([i, 7])
        found = search(anatomy, chosen(anatomy, rng, 1))
        if found is not None and found.wrong:
            entries = list(found.entries)
            k = int(rng.integers(len(entries)))
            entries[k] = replace(entries[k], numbers=entries[k].numbers * 1.3 + 0.01)
            assert_finds_the_same(Search(anatomy, entries))
