"""The loop nests of small graphs, which are straight-line code otherwise."""

import pytest

from chainrule.backends.native.compiled import Compiler
from chainrule.backends.native.program import Routine
from chainrule.backends.native.target import host
from chainrule.backends.protocol import Backend
from chainrule.testing import check_backend
from tests.backends.native.targets import LESSER, loops, target


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


@pytest.mark.parametrize("name", ["host", *LESSER])
def test_every_op_conforms(name):
    check_backend(Loops(host() if name == "host" else target(name)))
