"""A state's next value is written in its place exactly where nothing reads the state later."""

import pytest

from chainrule.backends.native.in_place import can_take_place
from chainrule.backends.native.nest import (
    Affine,
    Kernel,
    Loop,
    Number,
    Read,
    Write,
    buffers_of,
    index,
)
from chainrule.backends.native.step import StepStages
from chainrule.backends.native.target import host
from chainrule.graph import DType
from tests.backends.native.drawn import drawn_network


def kernel(name, *body):
    nest = (Loop("i", 4, body, parallel=True),)
    return Kernel(name, nest, dict.fromkeys(buffers_of(nest), DType.F32))


def read(buffer, at):
    return Read(buffer, at, DType.F32)


I = index("i")
UPDATE = kernel("update", Write("n", I, read("w", I)))


def test_an_update_of_each_element_by_itself_may_replace_it():
    assert can_take_place([UPDATE], "w", "n")


def test_what_is_read_by_a_later_kernel_stays():
    later = kernel("later", Write("y", I, read("w", I)))
    assert not can_take_place([UPDATE, later], "w", "n")
    assert can_take_place([later, UPDATE], "w", "n")


def test_what_is_read_at_another_place_stays():
    assert not can_take_place([kernel("shift", Write("n", I, read("w", I + 1)))], "w", "n")


def test_what_is_read_after_the_write_stays():
    twice = kernel("twice", Write("n", I, Number(0.0, DType.F32)), Write("y", I, read("w", I)))
    assert not can_take_place([twice], "w", "n")


def test_what_an_outer_loop_reads_stays():
    inner = Loop("j", 4, (Write("n", index("j"), Number(0.0, DType.F32)),), parallel=True)
    outer = kernel("outer", inner, Write("y", I, read("w", Affine())))
    assert not can_take_place([outer], "w", "n")


@pytest.mark.parametrize("seed", range(6))
def test_the_state_of_a_network_is_updated_in_place(seed):
    step, *_ = drawn_network(seed)
    stages = StepStages(step.graph, host(), wiring=step.wiring)
    matrices = [name for name in step.wiring.state if len(stages.inputs[name].shape) == 2]
    assert matrices
    assert not {f"next.{name}" for name in matrices} & {kernel.name for kernel in stages.moves}
