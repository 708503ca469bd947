"""Of many cases that would say the same for longer, `make test` takes some; the others are slow.

A case of several arguments is a tuple, as for `pytest.mark.parametrize`.
"""

import itertools

import pytest


def one_in(count, cases):
    """All cases: `make test` takes the first and every so many-th after it."""
    return [case if k % count == 0 else slow(case) for k, case in enumerate(cases)]


def dealt(cases, others, start=0):
    """All pairs: `make test` takes each case with one of the others, which take turns."""
    others = list(others)
    return [
        (case, other) if (k + start) % len(others) == j else slow((case, other))
        for k, case in enumerate(cases)
        for j, other in enumerate(others)
    ]


def pairwise(cases):
    """All (name, options): `make test` takes few, in which any two options meet that ever do.

    So each value of an option comes, and beside each value of every other one.
    """
    met = [
        {(name, *pair) for pair in itertools.combinations_with_replacement(sorted(given), 2)}
        for name, options in cases
        for given in [[(option, str(value)) for option, value in options.items()] or [("", "")]]
    ]
    taken, left = set(), set().union(*met)
    while left:
        taken.add(best := max(range(len(met)), key=lambda k: len(met[k] & left)))
        left -= met[best]
    return [case if k in taken else slow(case) for k, case in enumerate(cases)]


def slow(case):
    """For `make test-slow` alone."""
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
