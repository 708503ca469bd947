"""What is done for rows is done for one row after the other, and no bit changes by it."""

import numpy as np
import pytest

from chainrule.backends.native.backend import NativeBackend
from chainrule.backends.native.routine import Stages
from chainrule.backends.native.target import host
from chainrule.graph import parse_graph
from tests.backends.native.evaluator import evaluate

SOFTMAX = (
    "graph f(x: {k}[{n},{m}]) -> {k}[{n},{m}]\n  y: {k}[{n},{m}] = softmax(x)  axis=1\n  return y"
)
LAYER_NORM = (
    "graph f(x: {k}[{n},{m}]) -> {k}[{n},{m}]\n"
    "  y: {k}[{n},{m}] = layer_norm(x)  axes=[1] eps=1e-05\n  return y"
)
# e is kept; s is read by all rows of r.
KEPT = (
    "graph f(x: {k}[{n},{m}]) -> ({k}[{n},{m}], {k}[{n}], {k}[{n},{m}])\n"
    "  e: {k}[{n},{m}] = exp(x)\n  s: {k}[{n}] = sum(e)  axes=[1]\n"
    "  back: {k}[{n}] = flip(s)  axes=[0]\n  column: {k}[{n},1] = reshape(back)  shape=[{n},1]\n"
    "  r: {k}[{n},{m}] = div(e, column)\n  return e, s, r"
)


def graph_of(text, rows, columns, kind="f32"):
    return parse_graph(text.format(k=kind, n=rows, m=columns))


def kernels_of(graph, keep_all=False):
    return Stages(graph, host(), keep_all).kernels


@pytest.mark.parametrize("text", [SOFTMAX, LAYER_NORM])
def test_long_rows_are_one_kernel(text):
    assert len(kernels_of(graph_of(text, 5, 200))) == 1
    assert len(kernels_of(graph_of(text, 200, 5))) > 1


@pytest.mark.parametrize("text", [SOFTMAX, LAYER_NORM])
def test_of_what_nobody_else_reads_there_is_one_row(text):
    stages = Stages(graph_of(text, 100, 256), host())
    assert stages.plan.size < 2.1 * 100 * 256 * 4


def test_rows_that_others_read_stay_apart():
    graph = graph_of(KEPT, 6, 70)
    names = [kernel.name.partition("_")[0] for kernel in kernels_of(graph)]
    assert names == ["rows", "map"]


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("columns", [64, 70, 130])
@pytest.mark.parametrize("text", [SOFTMAX, LAYER_NORM, KEPT])
def test_rows_have_the_bits_of_the_ordered_evaluator(text, columns, kind):
    graph = graph_of(text, 3, columns, kind)
    dtype = {"f32": np.float32, "f64": np.float64}[kind]
    x = np.random.default_rng(columns).normal(size=(3, columns)).astype(dtype)
    for expected, found in zip(
        evaluate(graph, [x], host().fma), NativeBackend().run(graph, [x]), strict=True
    ):
        assert expected.tobytes() == found.tobytes()
