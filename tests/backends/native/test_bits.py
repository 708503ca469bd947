"""Native code gives the bits that the graph means: those of the ordered evaluator."""

import numpy as np
import pytest

from chainrule.backends.native.backend import NativeBackend
from chainrule.backends.native.compiled import Compiler
from chainrule.backends.native.program import NativeProgram
from chainrule.backends.native.target import host
from chainrule.graph import parse_graph
from tests.backends.native.drawn import arrays_of, drawn_network
from tests.backends.native.evaluator import evaluate
from tests.backends.native.targets import LESSER, target
from tests.sampling import one_in


@pytest.mark.parametrize(
    ("seed", "name"),
    [
        *one_in(2, [(seed, "host") for seed in range(12)]),
        *one_in(2, [(seed, n) for seed, n in enumerate([*LESSER] * 3, 40)]),
    ],
)
def test_a_training_step_has_the_bits_of_the_ordered_evaluator(seed, name):
    machine = host() if name == "host" else target(name)
    step, *given = drawn_network(seed)
    arrays = arrays_of(step, *given)
    expected = evaluate(step.graph, arrays, machine.fma)
    found = NativeBackend(machine).run(step.graph, arrays)
    for label, a, b in zip(step.graph.labels, expected, found, strict=True):
        assert a.tobytes() == b.tobytes(), label


@pytest.mark.parametrize("seed", one_in(2, range(20, 32)))
def test_a_recorded_step_has_the_bits_of_the_fused_one(seed):
    step, state, data, feeds = drawn_network(seed)
    program = NativeProgram(step.graph, step.wiring, Compiler(host()))
    session = program.open(state, data)
    rows = np.arange(len(data["x"]))
    names = [node.name for node in step.graph.nodes if node.name is not None]
    recorded = session.record(rows, {"lr": feeds["lr"][0]}, names)
    done = session.advance(rows[None], feeds)
    assert done.steps == 1
    for label, array in done.outputs.items():
        assert (
            array[0].tobytes() == recorded[step.graph.name_of(step.graph.labels[label])].tobytes()
        )
    for name, label in step.wiring.state.items():
        after = recorded[step.graph.name_of(step.graph.labels[label])]
        assert session.state()[name].tobytes() == after.tobytes(), name


def test_steps_in_one_call_have_the_bits_of_calls_one_by_one():
    step, state, data, _ = drawn_network(3)
    rows = np.tile(np.arange(len(data["x"])), (7, 1))
    feeds = {"lr": np.linspace(0.1, 0.4, 7)}
    program = NativeProgram(step.graph, step.wiring, Compiler(host()))
    once, single = program.open(state, data), program.open(state, data)
    once.advance(rows, feeds)
    for i in range(7):
        single.advance(rows[i : i + 1], {"lr": feeds["lr"][i : i + 1]})
    for name, array in once.state().items():
        assert array.tobytes() == single.state()[name].tobytes(), name


@pytest.mark.parametrize("columns", [3, 4, 5, 16, 19])
def test_what_a_product_becomes_may_be_wider_than_its_sums(columns):
    """Lanes of f64 beside those of f32, where a row has fewer than a vector: as in max_norm."""
    graph = parse_graph(
        f"""graph f(w: f32[8,{columns}], g: f32[6,8], x: f32[6,{columns}]) -> f32[8,{columns}]
  d_w: f32[8,{columns}] = contract(g, x)  over=[0,0]
  moved: f32[8,{columns}] = sub(w, d_w)
  wide: f64[8,{columns}] = cast(moved)  dtype=f64
  squares: f64[8,{columns}] = square(wide)
  norm: f64[8] = sum(squares)  axes=[1]
  narrow: f32[8] = cast(norm)  dtype=f32
  column: f32[8,1] = reshape(narrow)  shape=[8,1]
  y: f32[8,{columns}] = mul(moved, column)
  return y"""
    )
    rng = np.random.default_rng(0)
    shapes = [tuple(map(int, graph.nodes[i].shape)) for i in graph.inputs]
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    (expected,) = evaluate(graph, arrays, host().fma)
    (found,) = NativeBackend().run(graph, arrays)
    assert found.tobytes() == expected.tobytes()
