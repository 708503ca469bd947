"""Numbers that are made of very many: they open in about a second, and no stack overflows."""

import math
import time

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim

SECONDS = 5  # of this process alone; about one where nothing is measured


@pytest.fixture
def quick():
    """Fails if the test took long."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < SECONDS


def explain(net, x, y, loss="MSELoss", backend="numpy"):
    return cr.explain(net, x, y, loss=loss, optimizer=optim.SGD(lr=0.1), backend=backend)


def drawn(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def assert_opens(trace, *key):
    explanation = trace[key]
    summary = explanation.summary()
    shown = [term.value for term in summary.largest]
    total = math.fsum([*shown, summary.remainder, summary.rounding])
    assert total == pytest.approx(float(explanation.value), rel=1e-12)
    assert all(proof.holds for proof in explanation.proofs)
    return summary


def batch(backend):
    net = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2)).initialize(0)
    return explain(net, drawn(60_000, 4), drawn(60_000, 2), backend=backend)


@pytest.fixture(scope="module")
def full():
    return {backend: batch(backend) for backend in ("native", "numpy")}


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("key", [("d_0.weight", 0, 1), ("d_0.bias", 1)])
def test_a_sum_over_60000_examples(full, quick, backend, key):
    summary = assert_opens(full[backend], *key)
    assert len(summary.largest) + summary.others == 60_000
    sizes = [abs(term.value) for term in summary.largest]
    assert sizes == sorted(sizes, reverse=True)
    assert len({term.example for term in summary.largest}) == 8


def test_a_sum_of_many_lists_the_same_terms_as_one_of_few(monkeypatch):
    from chainrule.explanation import long_sums

    trace = explain(nn.Sequential(nn.Linear(3, 2)).initialize(0), drawn(50, 3), drawn(50, 2))
    written = trace["d_0.weight", 1, 2].summary()
    monkeypatch.setattr(long_sums, "MANY", 1)
    gathered = trace["d_0.weight", 1, 2].summary()
    assert [t.value for t in gathered.largest] == [t.value for t in written.largest]
    assert [t.example for t in gathered.largest] == [t.example for t in written.largest]
    assert gathered.remainder == pytest.approx(written.remainder, rel=1e-12)


TABLE = np.random.default_rng(0).integers(0, 5_000, (64, 6))


def test_a_row_of_a_table_of_5000(quick):
    net = nn.Sequential(nn.Embedding(5_000, 3), nn.Flatten(), nn.Linear(18, 2)).initialize(0)
    trace = explain(net, TABLE, drawn(64, 2))
    assert_opens(trace, "0.out", 3, 2, 1)
    assert_opens(trace, "d_0.weight", int(TABLE[0, 0]), 1)


def test_a_softmax_over_10000_classes(quick):
    net = nn.Sequential(nn.Linear(8, 10_000), nn.LogSoftmax(1)).initialize(0)
    trace = explain(net, drawn(4, 8), np.arange(4), "NLLLoss")
    assert_opens(trace, "1.out", 0, 7)
    assert_opens(trace, "d_0.out", 1, 3)


def test_a_network_of_60_layers():
    layers = [layer for _ in range(60) for layer in (nn.Linear(5, 5), nn.Tanh())]
    trace = explain(nn.Sequential(*layers).initialize(0), drawn(8, 5), np.tanh(drawn(8, 5)))
    assert_opens(trace, "d_0.weight", 0, 1)
    paths = trace.path("loss", "118.weight[0,1]")
    total = math.fsum([*(route.share for route in paths.routes), paths.remainder])
    assert total == pytest.approx(paths.gradient, rel=1e-12)


class Chain(nn.Module):
    """A hundred and fifty steps without a name."""

    def __init__(self):
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        x = self.linear(x)
        for _ in range(150):
            x = (x * 0.99).tanh() + 0.01 * x * x
        return x


def test_a_long_chain_of_values_without_names():
    trace = explain(Chain().initialize(0), drawn(2, 3), drawn(2, 3))
    assert_opens(trace, "out", 0, 1)
    explanation = trace["d_linear.weight", 0, 1]
    assert explanation.proofs[0].holds


def test_a_weight_of_a_large_network_is_proved_in_a_moment(quick):
    layers = [nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)]
    x, y = drawn(128, 784), np.arange(128) % 10
    trace = explain(nn.Sequential(*layers).initialize(0), x, y, "CrossEntropyLoss")
    begin = time.process_time()
    explanation = trace["0.weight", 3, 7]
    explanation.text()
    assert time.process_time() - begin < SECONDS / 2
    moved = explanation.gradient.proofs[1]
    # The loss has some 50,000 kinks for each unit of this weight: steps that are too long to stay
    # between two of them, or noise that is measured across them, would give five digits less.
    assert moved.holds
    assert moved.bound < 1e-8
