"""300 random networks: one step's bits, however it is compiled and run.

They have skips, shared weights, several outputs, dropout, and layers of 1 to 70 units.
"""

from dataclasses import replace

import numpy as np
import pytest

from chainrule.backends.native.compiled import Compiler
from chainrule.backends.native.program import NativeProgram
from chainrule.backends.native.target import host
from tests.backends.native.drawn import arrays_of, drawn_network
from tests.backends.native.evaluator import evaluate
from tests.backends.native.targets import LESSER, target

COUNT, GROUPS = 300, 20


def taken(step, state, data, feeds, compiler):
    """The outputs of one step, by label: shown ones, and the next state."""
    session = NativeProgram(step.graph, step.wiring, compiler).open(state, data)
    rows = np.arange(len(data["x"]))
    done = session.advance(rows[None], feeds)
    assert done.steps == 1
    shown = {label: array[0] for label, array in done.outputs.items()}
    after = session.state()
    return shown | {label: after[name] for name, label in step.wiring.state.items()}


def recorded(step, state, data, feeds, compiler):
    """The same of a step that is recorded."""
    session = NativeProgram(step.graph, step.wiring, compiler).open(state, data)
    values = session.record(np.arange(len(data["x"])), {"lr": feeds["lr"][0]})
    graph = step.graph
    return {label: values[graph.name_of(node)] for label, node in graph.labels.items()}


def assert_same_bits(a, b):
    for label in a.keys() & b.keys():
        assert a[label].tobytes() == b[label].tobytes(), label


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_a_step_has_the_same_bits_fused_recorded_and_evaluated_in_order(group):
    for seed in range(1000 + group, 1000 + COUNT, GROUPS):
        drawn = drawn_network(seed, largest=70)
        step, *given = drawn
        values = evaluate(step.graph, arrays_of(step, *given), host().fma)
        expected = dict(zip(step.graph.labels, values, strict=True))
        compiler = Compiler(host())
        fused = taken(*drawn, compiler)
        assert fused.keys() == expected.keys()
        assert_same_bits(expected, fused)
        assert_same_bits(expected, recorded(*drawn, compiler))


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_a_step_that_multiplies_and_then_adds_has_the_same_bits_on_every_instruction_set(group):
    for seed in range(1000 + group, 1000 + COUNT, GROUPS):
        drawn = drawn_network(seed, largest=70)
        expected = taken(*drawn, Compiler(replace(host(), fma=False)))
        for name in LESSER:
            machine = replace(target(name), fma=False)
            assert_same_bits(expected, taken(*drawn, Compiler(machine)))
