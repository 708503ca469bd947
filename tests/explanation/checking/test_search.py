"""What the search finds is what trying each mistake and each pair in full would find."""

from dataclasses import replace

import numpy as np
import pytest

from chainrule.explanation.checking import glance, parts
from chainrule.explanation.checking.parts import part_of, telling_places
from chainrule.explanation.checking.search import Search
from chainrule.explanation.checking.suspicion import Suspects
from chainrule.explanation.checking.version import CircularError
from tests.explanation.checking.exhaustive import Exhaustive
from tests.explanation.checking.learners import anatomies, chosen, search, titles

BLOCKS = [(0, 3), *(pytest.param(i, 10, marks=pytest.mark.slow) for i in range(1000, 1040, 10))]


def assert_finds_the_same(found):
    plain = Exhaustive(found.anatomy, found.entries)
    assert titles(found.single()) == plain.single()
    assert [titles(pair) for pair in found.pairs()] == plain.pairs()
    assert titles(found.nearest()) == plain.nearest()


@pytest.fixture(params=[False, True], ids=["", "by a glance first"])
def glancing(request, monkeypatch):
    """Whether a few numbers are looked at first, as it is done in large networks."""
    if request.param:
        monkeypatch.setattr(glance, "_LARGE", 0)
        monkeypatch.setattr(parts, "_FEW", 1)
    return request.param


@pytest.mark.parametrize(("first", "count"), BLOCKS)
@pytest.mark.usefixtures("glancing")
def test_it_finds_what_a_search_in_full_finds(first, count):
    for i, anatomy in anatomies(count, first):
        rng = np.random.default_rng([i, 6])
        faults = chosen(anatomy, rng, 2)
        for made in (faults[:1], faults, [*faults[:1], *chosen(anatomy, rng, 1), *faults[1:]]):
            found = search(anatomy, made)
            if found is not None and found.wrong:
                assert_finds_the_same(found)


@pytest.mark.parametrize(("first", "count"), BLOCKS)
@pytest.mark.usefixtures("glancing")
def test_it_finds_the_same_where_no_mistake_explains_all(first, count):
    for i, anatomy in anatomies(count, first):
        rng = np.random.default_rng([i, 7])
        found = search(anatomy, chosen(anatomy, rng, 1))
        if found is not None and found.wrong:
            entries = list(found.entries)
            k = int(rng.integers(len(entries)))
            entries[k] = replace(entries[k], numbers=entries[k].numbers * 1.3 + 0.01)
            assert_finds_the_same(Search(anatomy, entries))


def test_a_part_of_a_value_is_that_part_of_the_whole(monkeypatch):
    monkeypatch.setattr(parts, "_FEW", 1)
    compared = 0
    for _, anatomy in anatomies(12, 3000):
        suspects = Suspects(anatomy)
        for _, _, version in suspects.made:
            for name in anatomy.parameters:
                position = anatomy.names[f"d_{name}"]
                places = telling_places(anatomy.values[position], None)
                try:
                    number = version.number(position)
                except CircularError:
                    continue
                part = suspects.parts.of(number, places)
                expected = suspects.ledger.value(number)
                size = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
                np.testing.assert_allclose(
                    part, part_of(expected, places), rtol=1e-11, atol=1e-12 * size
                )
                compared += any(places)
    assert compared > 100


def test_a_search_that_is_cut_says_what_was_not_tried():
    _, anatomy = next(anatomies(1))
    faults = chosen(anatomy, np.random.default_rng(0), 2)
    whole = search(anatomy, faults)
    assert whole.pairs()
    assert whole.untried is None
    count = len(whole.suspicions)
    cut = Search(anatomy, whole.entries, most_work=0)
    assert cut.single()[1:] == cut.pairs() == []  # what the first takes is known when it is made
    assert 0 < cut.untried.mistakes < cut.untried.of_mistakes == count
    assert 0 < cut.untried.pairs <= cut.untried.of_pairs == count * (count - 1) // 2
    assert cut.untried == repeat(whole, 0).untried
    assert repeat(whole, 1 << 40).untried is None


def repeat(found, most_work):
    again = Search(found.anatomy, found.entries, most_work=most_work)
    again.single()
    again.pairs()
    return again
