"""Compare per-example gradients with the gradients of examples by themselves, within rounding."""

import numpy as np

import chainrule as cr
from chainrule import nn
from chainrule.backends import get_backend
from chainrule.eager.traced import trace_function
from chainrule.eager.trees import leaves
from chainrule.graph import Graph, Output


def by_path(tree):
    """The arrays of a tree, by path."""
    return {path: leaf.numpy() for path, leaf in leaves(tree, open_modules=False)}


def each_by_itself(f, parameters, data, rows=None, **shared):
    """∂f/∂parameters of one example after the other, stacked; `rows` draw dropout's masks."""
    found = []
    for i in range(len(first_array(data))):
        one = tuple(cut(argument, slice(i, i + 1)) for argument in data)
        gradient = cr.grad(lambda p, one=one: f(p, *one, **shared).sum())
        if rows is None:
            found.append(by_path(gradient(parameters)))
        else:
            with nn.training(seed=3, step=7, rows=rows[i : i + 1]):
                found.append(by_path(gradient(parameters)))
    return {path: np.stack([one[path] for one in found]) for path in found[0]}


def first_array(data):
    return next(leaf for _, leaf in leaves(tuple(data), open_modules=False) if np.ndim(leaf))


def cut(tree, rows):
    """The rows of every array in a tree."""
    if isinstance(tree, dict):
        return {key: cut(branch, rows) for key, branch in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(cut(branch, rows) for branch in tree)
    return tree[rows] if np.ndim(tree) else tree


def rounding(f, parameters, data, **shared):
    """What rounding may do to a gradient of Σ f, on either of two ways of computing it."""
    gradient = cr.grad(lambda p: f(p, *data, **shared).sum())
    return rounding_of(gradient, parameters)


def rounding_of(f, parameters):
    """What rounding may do to the results of f, on either of two ways of computing them.

    An element passes R roundings on its longest way through the graph, where a sum of n terms
    counts n. Each is at most u times a value of the graph, and is carried on by factors that are
    values of the graph: with the largest value M, u·M². The longest sum adds k such errors.
    """
    traced = trace_function(f, (parameters,), {}, (0,))
    graph = traced.graph
    everything = tuple(Output(f"v{i}", i) for i in range(len(graph.nodes)))
    whole = Graph(graph.name, graph.nodes, everything)
    values = get_backend("numpy").run(whole, [tensor.numpy() for tensor in traced.inputs])
    floats = [abs(value) for value in values if value.dtype.kind == "f"]
    largest = max(float(np.max(value, initial=1.0, where=np.isfinite(value))) for value in floats)
    unit = max(np.finfo(value.dtype).eps / 2 for value in floats)
    roundings, longest = [], 1
    for node in graph.nodes:
        terms = 1
        if node.op in ("contract", "sum", "mean", "softmax", "log_softmax", "cross_entropy"):
            terms = max((max(map(int, graph.nodes[i].shape), default=1)) for i in node.inputs)
        longest = max(longest, terms)
        roundings.append(terms + max((roundings[i] for i in node.inputs), default=0))
    return 2 * unit * max(roundings) * longest * largest**2


def assert_apart(f, parameters, *data, rows=None, **shared):
    """Per-example gradients are those of the examples by themselves, and sum up to the whole."""
    whole = cr.grad(lambda p: f(p, *data, **shared).sum())
    apart = cr.per_example_grads(f)
    if rows is None:
        found, total = apart(parameters, *data, **shared), whole(parameters)
    else:
        with nn.training(seed=3, step=7, rows=rows):
            found, total = apart(parameters, *data, **shared), whole(parameters)
    found, total = by_path(found), by_path(total)
    expected = each_by_itself(f, parameters, data, rows, **shared)
    allowed = rounding(f, parameters, data, **shared)
    count = len(first_array(data))
    assert found.keys() == expected.keys() == total.keys()
    for path, gradients in found.items():
        assert gradients.shape == (count, *total[path].shape), path
        assert gradients.dtype == total[path].dtype
        np.testing.assert_allclose(gradients, expected[path], rtol=0, atol=allowed, err_msg=path)
        np.testing.assert_allclose(
            gradients.sum(axis=0), total[path], rtol=0, atol=count * allowed, err_msg=path
        )
        assert np.any(gradients != 0), path
    return found
