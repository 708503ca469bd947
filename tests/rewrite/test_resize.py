"""A graph for another number of examples computes each of them as before, or there is none."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.backends import get_backend
from chainrule.eager import Trace
from chainrule.graph import Axis, TensorType
from chainrule.graph.types import DType
from chainrule.ops import verify
from chainrule.rewrite import eliminate_dead_nodes, resize_batch

AXIS = Axis("B", 3)
SHARED = cr.tensor(np.arange(12.0).reshape(3, 4))
ROW = cr.tensor(np.array([3.0, -1.0, 2.0, 5.0]))
PLACES = cr.tensor(np.array([2, 0, 1]))


@cr.custom_gradient(lambda x, y, d_y: d_y)
def bent(x):
    return cr.exp(x) * 2.0


def traced(f):
    with Trace() as trace:
        result = f(trace.input(TensorType((AXIS, 4), DType.F64), "x"))
        graph = eliminate_dead_nodes(trace.build("f", {"y": result})).graph
    return graph, [tensor.numpy() for tensor in trace.captures]


APART = {
    "scaled": lambda x: 2 * x + ROW,
    "a product with a shared matrix": lambda x: x @ SHARED.T,
    "softmax over features": lambda x: x.softmax(1),
    "centred over features": lambda x: x - x.mean(1, keepdims=True),
    "sorted over features": lambda x: cr.sort(x, axis=1),
    "running sums over features": lambda x: x.cumsum(1),
    "largest feature": lambda x: x.max(1),
    "where the largest is": lambda x: x.argmax(1),
    "some features": lambda x: x[:, 1:3],
    "every other feature, and one": lambda x: cr.concatenate([x[:, ::2], x[:, 3:]], axis=1),
    "features chosen by number": lambda x: cr.take(x, PLACES, axis=1),
    "features in reverse": lambda x: cr.flip(x, 1),
    "features as a matrix and back": lambda x: x.reshape(3, 2, 2).reshape(-1, 4),
    "several elements for each example and back": lambda x: (x.reshape(-1) ** 2).reshape(3, 4),
    "the axes exchanged and back": lambda x: (x.T * 3).T,
    "a product of each example with itself": lambda x: cr.einsum("bi,bj->bij", x, x),
    "divided by the number of rows that were traced": lambda x: x / x.shape[0],
    "a row of a table for each": lambda x: cr.take(SHARED, x.argmax(1) // 2, axis=0),
    "no gradient": lambda x: cr.stop_gradient(x) + x,
}

MIXING = {
    "centred over examples": lambda x: x - x.mean(0),
    "scaled by the largest of all": lambda x: x / x.max(),
    "softmax over examples": lambda x: x.softmax(0),
    "log-softmax over examples": lambda x: x.log_softmax(0),
    "standardized over examples": lambda x: x / (x.std(0) + 1),
    "running sums over examples": lambda x: x.cumsum(0),
    "sorted over examples": lambda x: cr.sort(x, axis=0),
    "the order of examples": lambda x: cr.argsort(x, axis=0),
    "examples in reverse": lambda x: cr.flip(x, 0),
    "examples rolled": lambda x: cr.roll(x, 1, 0),
    "examples chosen by number": lambda x: cr.take(x, PLACES, axis=0),
    "examples chosen by what they hold": lambda x: cr.take(x, x.argmax(1) // 2, axis=0),
    "the first of them for all": lambda x: x - x[0],
    "all but the first": lambda x: x[1:],
    "every other one": lambda x: x[::2],
    "similarities": lambda x: x @ x.T,
    "a product with a matrix of examples": lambda x: x @ (x.T @ x),
    "flattened with the examples": lambda x: x.reshape(-1),
    "in other rows": lambda x: x.reshape(4, 3),
    "in rows of two": lambda x: x.reshape(6, 2),
    "turned": lambda x: x.T,
    "examples behind one another": lambda x: cr.concatenate([x, x]),
    "one more axis in front": lambda x: x.reshape(1, 3, 4),
    "one number": lambda x: x.sum(),
    "nothing of them": lambda x: ROW * 2,
}

OF_THREE = {
    "a shared array with a row for each": lambda x: x + SHARED,
    "a shared weight for each": lambda x: x * SHARED[:, :1],
    "positions of three": lambda x: x[np.arange(3)],
    "repeated for so many rows": lambda x: cr.broadcast_to(ROW, (3, 4)) + x,
    "a custom function and so many rows": lambda x: bent(x) + SHARED,
}


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("count", [4, 7])
@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_each_example_is_what_it_was(name, count, backend):
    graph, shared = traced(APART[name])
    larger = resize_batch(graph, AXIS, count)
    verify(larger)
    x = np.random.default_rng(0).integers(-8, 8, (count, 4)) / 4.0
    run = get_backend(backend).run
    (together,) = run(larger, [x, *shared])
    assert len(together) == count
    # Sums and products of small multiples of 1/4 are exact in any order; nothing else is summed
    # in an order that the number of rows decides.
    for rows in ([0, 1, 2], [count - 3, count - 2, count - 1], [3, 0, 1]):
        (few,) = run(graph, [x[rows], *shared])
        np.testing.assert_array_equal(together[rows], few)


@pytest.mark.parametrize("name", [*MIXING, *OF_THREE])
def test_what_mixes_examples_or_is_of_so_many_has_no_other_size(name):
    graph, _ = traced((MIXING | OF_THREE)[name])
    assert resize_batch(graph, AXIS, 4) is None


def test_one_output_that_mixes_is_enough():
    with Trace() as trace:
        x = trace.input(TensorType((AXIS, 4), DType.F64), "x")
        outputs = {"y": x * 2, "z": x * x.sum(0)}
        graph = eliminate_dead_nodes(trace.build("f", outputs)).graph
    assert resize_batch(graph, AXIS, 4) is None


def test_what_was_mixed_stays_mixed_when_it_has_the_axis_again():
    graph, _ = traced(lambda x: x + cr.broadcast_to(x.sum(0), x.shape))
    assert graph[graph.outputs[0].label].shape[0] == AXIS
    assert resize_batch(graph, AXIS, 4) is None


def test_a_custom_function_is_opened():
    graph, _ = traced(lambda x: bent(x))
    larger = resize_batch(graph, AXIS, 4)
    assert "custom" not in {node.op for node in larger.nodes}
    x = np.arange(16.0).reshape(4, 4) / 8
    (together,) = get_backend("numpy").run(larger, [x])
    (few,) = get_backend("numpy").run(graph, [x[1:]])
    np.testing.assert_allclose(together[1:], few, rtol=2**-51)  # an exp that a SIMD tail computes
