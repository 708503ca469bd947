"""Laws of batches, on graphs that nobody wrote: each example goes by itself."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.autodiff import per_example_gradients, pullback
from chainrule.backends import get_backend
from chainrule.graph import Axis, TensorType, parse_graph
from chainrule.ops import Batch, Builder, verify
from chainrule.ops.batching import batch_graph
from tests.laws.drawn_graphs import smooth_graphs
from tests.laws.test_derivatives import rounding

run = get_backend("numpy").run
COUNT = 3


def several(array):
    """Examples: the array, and others of its kind."""
    return np.stack([array, -0.5 * array, np.roll(array, 1) + 0.25])[:COUNT]


def batched(graph, mapped):
    """The graph applied to examples in the `mapped` inputs; costs are what its results sum up to.

    Returns it, and the types' axis of examples.
    """
    axis = Axis("B", COUNT)
    b = Builder()
    inputs = []
    for i, m in zip(graph.inputs, mapped, strict=True):
        kind = graph.nodes[i].type
        shape = (axis, *kind.shape) if m else kind.shape
        inputs.append(b.input(TensorType(shape, kind.dtype), graph.nodes[i].name))
    batch = Batch(tuple(inputs), mapped)
    values = batch_graph(b, graph, batch)
    outputs = {}
    for output in graph.outputs:
        value, m = values[output.node]
        outputs[output.label] = value if m else batch.repeated(b, value)
    costs = [b.sum(y, axes=tuple(range(1, len(y.shape)))) for y in outputs.values()]
    total = costs[0] if len(costs) == 1 else costs[0] + costs[1]
    return b.build("batch", {**outputs, "costs": total}), axis


def one(arrays, mapped, example):
    return [array[example] if m else array for array, m in zip(arrays, mapped, strict=True)]


@given(smooth_graphs(), st.sampled_from([(True, False), (False, True), (True, True)]))
@settings(max_examples=60)
def test_a_batch_is_its_examples(drawn, mapped):
    graph, inputs = drawn
    arrays = [several(x) if m else x for x, m in zip(inputs, mapped, strict=True)]
    whole, _ = batched(graph, mapped)
    together = run(verify(whole), arrays)
    for i in range(COUNT):
        alone = one(arrays, mapped, i)
        allowed = rounding(graph, alone)
        for y, expected in zip(together, run(graph, alone), strict=False):
            np.testing.assert_allclose(y[i], expected, rtol=0, atol=allowed)


@given(smooth_graphs(), st.sampled_from([(True, False), (False, True)]))
@settings(max_examples=120)
def test_gradients_of_examples_are_those_of_each_by_itself(drawn, mapped):
    graph, inputs = drawn
    arrays = [several(x) if m else x for x, m in zip(inputs, mapped, strict=True)]
    shared = mapped.index(False)
    name = graph.name_of(graph.inputs[shared])
    whole, axis = batched(graph, mapped)
    apart = verify(per_example_gradients(whole, "costs", [name], axis))
    assert parse_graph(str(apart)) == apart
    *_, found = run(apart, arrays)
    assert found.shape == (COUNT, *inputs[shared].shape)
    rule = pullback(graph)
    ones = [np.ones(tuple(map(int, graph.nodes[o.node].shape))) for o in graph.outputs]
    for i in range(COUNT):
        alone = [*one(arrays, mapped, i), *ones]
        expected = run(rule, alone)[shared]
        allowed = 2 * rounding(rule, alone)
        np.testing.assert_allclose(found[i], expected, rtol=0, atol=allowed)
