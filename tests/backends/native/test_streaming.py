"""What nobody reads again goes past the caches, with the same bits."""

import re

import numpy as np
import pytest

from chainrule.backends.native import streaming
from chainrule.backends.native.compiled import Compiler
from chainrule.backends.native.instruction_sets import INSTRUCTION_SETS
from chainrule.backends.native.program import NativeProgram, Routine
from chainrule.backends.native.routine import Stages
from chainrule.backends.native.step import StepStages
from chainrule.backends.native.target import host
from chainrule.graph import parse_graph
from tests.backends.native.drawn import drawn_network
from tests.backends.native.targets import LESSER, loops, target

PAST = re.compile(r"store .*, align 64, !nontemporal")


def moved(rows, columns):
    """A matrix on its way through what is elementwise, a sum and a product."""
    return parse_graph(f"""\
graph f(x: f32[{rows},{columns}], w: f32[{columns},8]) -> f32[{rows},{columns}]
  halved: f32[{rows},{columns}] = exp(x)
  shown: f32[{rows},{columns}] = square(halved)
  read: f32[{rows},{columns}] = tanh(halved)
  product: f32[{rows},8] = contract(read, w)  over=[1,0]
  total: f32[{rows}] = sum(shown)  axes=[1]
  return shown""")


def streamed(stages):
    """The nodes whose values go past the caches, by name."""
    names = {view.buffer: stages.lean.name_of(i) for i, view in stages.lowered.values.items()}
    return sorted(names[b] for kernel in stages.kernels for b in kernel.streamed)


@pytest.fixture
def everything(monkeypatch):
    """Small values go there, too."""
    monkeypatch.setattr(streaming, "LARGE", 1)


def test_large_values_that_no_kernel_reads_are_streamed():
    stages = Stages(moved(1024, 512), INSTRUCTION_SETS["avx512"](), keep_all=True)
    assert streamed(stages) == ["halved"]
    assert len(PAST.findall(stages.ir)) >= 1
    assert stages.ir.count("fence seq_cst") == 1


def test_small_values_are_left_in_the_caches():
    stages = Stages(moved(512, 256), INSTRUCTION_SETS["avx512"](), keep_all=True)
    assert not streamed(stages)
    assert "nontemporal" not in stages.ir
    assert "fence" not in stages.ir


def test_steps_and_what_is_run_for_its_outputs_stream_nothing(everything):
    step, *_ = drawn_network(3)
    machine = INSTRUCTION_SETS["avx512"]()
    made = [Stages(moved(1024, 512), machine)]
    with loops():
        made.append(StepStages(step.graph, machine, wiring=step.wiring))
        assert not any(map(streamed, made))


@pytest.mark.parametrize(("columns", "is_whole"), [(64, True), (68, False), (80, True), (8, False)])
def test_only_whole_lines_are_streamed(everything, columns, is_whole):
    """A line that is stored in pieces would be read and written for each of them."""
    graph = parse_graph(f"""\
graph f(x: f32[8,4,{columns}]) -> f32[8,4,{columns}]
  y: f32[8,4,{columns}] = exp(x)
  return y""")
    stages = Stages(graph, INSTRUCTION_SETS["avx512"](), keep_all=True)
    assert streamed(stages) == ["y"]
    assert bool(PAST.search(stages.ir)) == is_whole


@pytest.mark.parametrize("name", ["host", *LESSER])
@pytest.mark.parametrize("columns", [64, 65, 96, 512])
def test_values_past_the_caches_have_the_same_bits(monkeypatch, name, columns):
    machine = host() if name == "host" else target(name)
    graph = moved(48, columns)
    rng = np.random.default_rng(columns)
    arrays = [rng.normal(size=graph.nodes[i].shape).astype(np.float32) for i in graph.inputs]
    found = []
    for large in (1, 2**60):
        monkeypatch.setattr(streaming, "LARGE", large)
        recorder = Routine(graph, Compiler(machine), keep_all=True)
        arena = recorder.run(arrays)
        found.append([place.of(arena).tobytes() for place in recorder.compiled.nodes])
    assert found[0] == found[1]


@pytest.mark.parametrize("seed", range(60, 63))
def test_a_step_recorded_past_the_caches_has_the_bits_of_training(everything, seed):
    step, state, data, feeds = drawn_network(seed)
    with loops():
        program = NativeProgram(step.graph, step.wiring, Compiler(host()))
        session = program.open(state, data)
        rows = np.arange(len(data["x"]))
        recorded = session.record(rows, {"lr": feeds["lr"][0]})
    assert session.advance(rows[None], feeds).steps == 1
    for name, label in step.wiring.state.items():
        after = recorded[step.graph.name_of(step.graph.labels[label])]
        assert session.state()[name].tobytes() == after.tobytes(), name
