"""The loop nests of small graphs, which are straight-line code otherwise."""

import pytest

from chainrule.backends.native.compiled import Compiler
from chainrule.backends.native.program import Routine
from chainrule.backends.native.target import host
from chainrule.backends.protocol import Backend
from chainrule.testing import check_backend
from tests.backends.native.targets import LESSER, check_share, loops, target


class Loops(Backend):
    """Runs every graph as loop nests."""

    name = "loops"
    arithmetic = ""

    def __init__(self, machine):
        self.compiler = Compiler(machine)

    def run(self, graph, inputs):
        with loops():
            return Routine(graph, self.compiler)(inputs)

    def compile(self, step, wiring):
        raise NotImplementedError


def test_every_op_conforms():
    check_backend(Loops(host()))


# From 1: what an instruction set runs here it does not run in test_targets.
@pytest.mark.parametrize(("share", "name"), list(enumerate(LESSER, 1)))
def test_every_op_conforms_on_a_lesser_processor(share, name, monkeypatch):
    check_share(Loops(target(name)), share, len(LESSER), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSER)
def test_every_op_conforms_on_each_lesser_processor(name):
    check_backend(Loops(target(name)))
