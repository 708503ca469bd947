"""What is sorted opens as quickly as anything else, into the element that it is."""

import time
from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

SIZE = 400


class Sorted(nn.Module):
    def __init__(self):
        self.a = nn.Linear(3, SIZE)
        self.b = nn.Linear(SIZE, 1)

    def forward(self, x):
        return self.b(self.a(x).sort(-1))


class Ordered(Sorted):
    def forward(self, x):
        h = self.a(x)
        return self.b(h * h.argsort(-1))


@pytest.fixture(scope="module", params=["native", "numpy"])
def backend(request):
    return request.param


def trace_of(net, backend):
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    y = np.ones((4, 1), "float32")
    return cr.explain(net.initialize(seed=0), x, y, loss=nn.MSELoss(), backend=backend)


def position_of(trace, op):
    return next(i for i, node in enumerate(trace.graph.nodes) if node.op == op)


def in_seconds(explanation):
    # Processor time of this thread alone: others may be at work.
    start = time.thread_time()
    text = explanation.text()
    return time.thread_time() - start, text


def test_a_place_in_order_is_one_count_of_what_comes_before(backend):
    trace = trace_of(Ordered(), backend)
    position = position_of(trace, "argsort")
    values = trace.values[trace.graph.positions["a.out"]]
    order = np.argsort(values, -1, kind="stable")
    explanation = trace[f"%{position}", 0, 3]
    seconds, text = in_seconds(explanation)
    assert explanation.value == order[0, 3]
    assert explanation.evaluate(explanation.expression) == order[0, 3]
    assert f"argsort%{position}[0,3] = {order[0, 3]}" in text
    assert "equal, bit for bit" in text
    assert seconds < 1  # it was more than a hundred


def test_a_weight_in_front_of_a_sort_opens_in_a_second(backend):
    trace = trace_of(Sorted(), backend)
    explanation = trace["d_a.weight", 0, 0]
    seconds, _ = in_seconds(explanation)
    assert all(proof.holds for proof in explanation.proofs)
    assert seconds < 1  # it was more than forty


def test_a_sorted_element_is_the_one_that_stands_there(backend):
    trace = trace_of(Sorted(), backend)
    position = position_of(trace, "sort")
    values = trace.values[trace.graph.positions["a.out"]]
    order = np.argsort(values, -1, kind="stable")
    explanation = trace[f"%{position}", 2, 5]
    assert [part.name for part in explanation.parts()] == [f"a.out[2,{order[2, 5]}]"]
    assert "equal, bit for bit" in explanation.text()


def test_a_place_that_was_changed_is_found(backend):
    trace = trace_of(Ordered(), backend)
    position = position_of(trace, "argsort")
    other = np.array(trace.values[position])
    other[0, 3] = other[0, 4]
    values = (*trace.values[:position], other, *trace.values[position + 1 :])
    (proof,) = replace(trace, values=values)[f"%{position}", 0, 3].proofs
    assert proof.holds is False
