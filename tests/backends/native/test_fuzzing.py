"""Random graphs never end the process that compiles them, and their values are right.

A failure prints the seed and the graph. To see it again:

    python -m tests.backends.native.fuzzing SEED
"""

from itertools import pairwise

import pytest

from tests.backends.native.fuzzing import fuzz, machine_for

PLANTED = """
import os, signal, sys
from tests.backends.native import fuzzing

def faults(seed):
    if seed == 12:
        os.kill(os.getpid(), signal.SIGABRT)
    if seed == 13:
        yield "is wrong"

fuzzing.faults = faults
fuzzing.main(sys.argv[1:])
"""


def test_random_graphs_compile_and_are_right():
    assert not fuzz(range(24))


@pytest.mark.slow
@pytest.mark.parametrize(("first", "end"), [(24, 45), *pairwise(range(1000, 3001, 200))])
def test_many_random_graphs_compile_and_are_right(first, end):
    assert not fuzz(range(first, end))


def test_a_process_that_dies_is_found_and_the_seeds_after_it_are_run():
    died, wrong = fuzz(range(10, 15), command=("-c", PLANTED))
    assert died.startswith(f"seed 12, {machine_for(12)[0]}: the process ended with -6:")
    assert "\ngraph drawn(" in died
    assert wrong.startswith(f"seed 13, {machine_for(13)[0]}: is wrong\ngraph drawn(")
