"""Native code gives the bits that the graph means: those of the ordered evaluator."""

from itertools import pairwise

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.backends.native.backend import NativeBackend
from chainrule.backends.native.program import NativeProgram
from chainrule.backends.native.target import host
from chainrule.graph import DType, TensorType
from chainrule.train.state import initial_state
from chainrule.train.step import build_step
from chainrule.train.writing import Recipe
from tests.backends.native.evaluator import evaluate
from tests.backends.native.targets import LESSER, target

ACTIVATIONS = [nn.Sigmoid, nn.Tanh, nn.ReLU, nn.Softplus, nn.SiLU]
LOSSES = ["MSELoss", "QuadraticLoss", "CrossEntropyLoss", "BCEWithLogitsLoss"]
OPTIMIZERS = [
    lambda: optim.SGD(lr=0.5, momentum=0.9), optim.Adam, lambda: optim.AdamW(clip_norm=1.0),
    lambda: optim.RMSprop(centered=True),
]  # fmt: skip


class Skipping(nn.Module):
    """x + f(x), to use a value twice."""

    def __init__(self, width, activation):
        self.linear = nn.Linear(width, width)
        self.activation = activation()

    def forward(self, x):
        return x + self.activation(self.linear(x))


def drawn_network(seed):
    """A step of a random network, its state and its rows."""
    rng = np.random.default_rng(seed)
    sizes = [int(s) for s in rng.integers(1, 24, rng.integers(2, 5))]
    activation = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
    layers = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), activation()]
        if rng.random() < 0.3:
            layers.append(Skipping(b, activation))
        if rng.random() < 0.3:
            layers.append(nn.Dropout(0.3))
    dtype = ["float32", "float64"][rng.integers(2)]
    net = nn.Sequential(*layers).initialize(seed).astype(dtype)
    loss = LOSSES[rng.integers(len(LOSSES))]
    batch = int(rng.integers(1, 9))
    x = rng.normal(size=(batch, sizes[0])).astype(dtype)
    if loss == "CrossEntropyLoss":
        y = rng.integers(0, sizes[-1], batch)
    else:
        y = rng.random((batch, sizes[-1])).astype(dtype)
    recipe = Recipe(net, nn.as_loss(loss), OPTIMIZERS[rng.integers(len(OPTIMIZERS))]())
    types = [TensorType(a.shape, DType.of(a.dtype)) for a in (x, y)]
    step = build_step(recipe, types[:1], types[1])
    state = {**step.captured, **initial_state(recipe, seed, accumulate=False)}
    return step, state, {"x": x, "target": y}, {"lr": np.array([0.1])}


@pytest.mark.parametrize(
    ("seed", "name"),
    [
        *((seed, "host") for seed in range(12)),
        *((seed, n) for seed, n in enumerate([*LESSER] * 3, 40)),
    ],
)
def test_a_training_step_has_the_bits_of_the_ordered_evaluator(seed, name):
    machine = host() if name == "host" else target(name)
    step, state, data, feeds = drawn_network(seed)
    rows = np.arange(len(data["x"]))
    given = {**state, **data, "rows": rows, "lr": feeds["lr"][0]}
    arrays = [np.asarray(given[name]) for name in step.graph.input_names]
    expected = evaluate(step.graph, arrays, machine.fma)
    found = NativeBackend(machine).run(step.graph, arrays)
    for label, a, b in zip(step.graph.labels, expected, found, strict=True):
        assert a.tobytes() == b.tobytes(), label


@pytest.mark.parametrize("seed", range(20, 32))
def test_a_recorded_step_has_the_bits_of_the_fused_one(seed):
    step, state, data, feeds = drawn_network(seed)
    program = NativeProgram(step.graph, step.wiring, host())
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
    program = NativeProgram(step.graph, step.wiring, host())
    once, single = program.open(state, data), program.open(state, data)
    once.advance(rows, feeds)
    for i in range(7):
        single.advance(rows[i : i + 1], {"lr": feeds["lr"][i : i + 1]})
    for name, array in once.state().items():
        assert array.tobytes() == single.state()[name].tobytes(), name
