"""Of many cases that would say the same for longer, `make test` takes some; the others are slow.

A case of several arguments is a tuple, as for `pytest.mark.parametrize`.
"""

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


def slow(case):
    """For `make test-slow` alone."""
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
