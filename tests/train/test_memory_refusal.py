"""What a training takes of memory is known before it is taken, and refused if it is too much."""

import time
import tracemalloc

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.backends import BACKENDS
from chainrule.base.errors import NotEnoughMemoryError
from chainrule.train import memory
from tests.train.nets import examples, plain

X, Y = examples()


def train(net=None, **options):
    return cr.fit(net or plain(), X, Y, **{"loss": "CrossEntropyLoss", "epochs": 2, **options})


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_grows_with_data_with_state_and_with_batches(backend):
    base = train(backend=backend, batch_size=8).memory
    assert base > X.astype(np.float32).nbytes + Y.nbytes
    assert train(backend=backend, batch_size=32).memory > base
    assert train(backend=backend, batch_size=8, optimizer=optim.Adam()).memory > base
    wide = nn.Sequential(nn.Linear(4, 500), nn.ReLU(), nn.Linear(500, 3))
    weights = sum(p.numpy().nbytes for _, p in wide.initialize().named_parameters())
    assert train(wide, backend=backend, batch_size=8).memory > base + 4 * weights


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_is_what_training_takes(backend):
    """Within a third, where arrays are large: tracemalloc counts what NumPy allocates."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(512, 300)).astype(np.float32), np.arange(512) % 10
    net = nn.Sequential(nn.Linear(300, 1500), nn.ReLU(), nn.Linear(1500, 10)).initialize()
    told = {"loss": "CrossEntropyLoss", "batch_size": 128, "progress": False, "backend": backend}
    expected = cr.fit(net, x, y, **told).memory  # and everything is imported and compiled
    tracemalloc.start()
    try:
        cr.fit(net, x, y, epochs=12, **told)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 2 / 3 < peak / expected < 4 / 3


def test_a_network_that_cannot_fit_is_refused_before_its_parameters_are_drawn():
    huge = nn.Sequential(nn.Linear(4, 3_000_000), nn.ReLU(), nn.Linear(3_000_000, 1_000_000))
    began = time.perf_counter()
    with pytest.raises(NotEnoughMemoryError) as caught:
        train(huge)
    assert time.perf_counter() - began < 2
    told = str(caught.value)
    assert told.startswith(
        "Training this network takes at least 24,000 GB of memory, with 12,000 GB for its "
        "parameters; "
    )
    assert told.endswith(
        " can be had here. Make layers narrower, or batch_size smaller, or find more memory."
    )
    assert not any(p.is_drawn for _, p in huge.named_parameters())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_training_that_takes_more_than_there_is_is_refused_with_the_figures(monkeypatch, backend):
    taken = train(backend=backend).memory
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    with pytest.raises(NotEnoughMemoryError, match=r"; 1\.0 kB can be had here\. Make") as caught:
        train(plain().initialize(), backend=backend)
    assert "for the state of the network and its optimizer" in str(caught.value)
    assert isinstance(caught.value, MemoryError)
    monkeypatch.setattr(memory, "available_memory", lambda: taken)
    train(backend=backend)


def test_where_nobody_knows_how_much_there_is_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    assert train().memory > 0


def test_snapshots_of_large_states_are_few(monkeypatch):
    run = train(epochs=30)
    assert len(run.snapshots._states) > 3
    monkeypatch.setattr("chainrule.train.snapshots.BYTES_IN_MEMORY", 0)
    few = train(epochs=30)
    assert list(few.snapshots._states) == [0, few.steps]
    assert few.at(7).state["0.weight"].tobytes() == run.at(7).state["0.weight"].tobytes()


def test_a_run_that_is_opened_without_its_data_has_no_figure(tmp_path):
    trained = train(folder=tmp_path / "run")
    assert cr.load_run(tmp_path / "run").memory is None
    opened = cr.load_run(tmp_path / "run", X, Y)
    assert (opened.memory, opened.backend) == (trained.memory, trained.backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_after_training_and_replaying_nothing_is_held_to_compute_in(backend):
    run = train(backend=backend, epochs=3)
    assert run.engine._last is None
    run.at(3)
    assert run.engine._last is None
