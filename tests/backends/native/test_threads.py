"""Several threads share a step: the bits are those of one, whatever happens."""

import itertools
import os
import subprocess
import sys
import threading
import warnings
from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.backends.native import lower, step, workers
from chainrule.backends.native.compiled import Compiler
from chainrule.backends.native.machine import object_code
from chainrule.backends.native.program import NativeProgram
from chainrule.backends.native.step import StepStages
from chainrule.backends.native.target import host
from chainrule.base.errors import ConfigurationError, DataError
from chainrule.graph import DType, TensorType
from chainrule.train.state import initial_state
from chainrule.train.step import build_step
from chainrule.train.writing import Recipe
from tests.backends.native.drawn import drawn_network
from tests.backends.native.targets import target
from tests.sampling import one_in


@pytest.fixture
def all_shared(monkeypatch):
    """Whatever can be shared is, however small it is."""
    monkeypatch.setattr(step, "WORTH", 0.0)
    monkeypatch.setattr(lower, "is_small", lambda graph: False)


def opened(drawn, threads, machine=None):
    graph, state, data, _ = drawn
    program = NativeProgram(graph.graph, graph.wiring, Compiler(machine or host(), None, threads))
    assert program.compiled.threads == threads
    return program.open(state, data)


def taken(session, count, batch, lr=0.1, seed=0):
    """What many steps make, as bytes, on other rows each."""
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.permutation(batch) for _ in range(count)])
    done = session.advance(rows, {"lr": np.full(count, lr)})
    arrays = {**done.outputs, **session.state()}
    return done.steps, {name: array.tobytes() for name, array in arrays.items()}


def of_sizes(sizes, batch, loss="MSELoss", optimizer=optim.Adam, dtype="float32", data=None):
    """A step of a plain network."""
    rng = np.random.default_rng(3)
    layers = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.Tanh()]
    return of_network(
        nn.Sequential(*layers).initialize(1).astype(dtype),
        rng.normal(size=(batch, sizes[0])).astype(dtype) if data is None else data,
        rng.normal(size=(batch, sizes[-1])).astype(dtype),
        loss,
        optimizer(),
    )


def of_network(net, x, y, loss, optimizer):
    recipe = Recipe(net, nn.as_loss(loss), optimizer)
    types = [TensorType(a.shape, DType.of(a.dtype)) for a in (x, y)]
    graph = build_step(recipe, types[:1], types[1])
    state = {**graph.captured, **initial_state(recipe, 0, accumulate=False)}
    return graph, state, {"x": x, "target": y}, {}


@pytest.mark.parametrize("seed", one_in(3, range(200, 216)))
def test_random_networks_have_the_same_bits_on_one_two_and_three_threads(seed, all_shared):
    drawn = drawn_network(seed)
    batch = len(drawn[2]["x"])
    expected = taken(opened(drawn, 1), 15, batch)
    for threads in (2, 3):
        assert taken(opened(drawn, threads), 15, batch) == expected


@pytest.mark.parametrize(
    ("seed", "name"), one_in(3, itertools.product(range(216, 220), ["avx2", "sse2"]))
)
def test_on_lesser_processors_too(seed, name, all_shared):
    drawn = drawn_network(seed)
    batch = len(drawn[2]["x"])
    machine = target(name)
    expected = taken(opened(drawn, 1, machine), 15, batch)
    assert taken(opened(drawn, 2, machine), 15, batch) == expected


ODD = [
    ((1, 70, 3), 1), ((69, 33, 65), 17), ((31, 64, 31), 33), ((5, 1, 47), 64), ((40, 130), 50),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("sizes", "batch"), ODD)
def test_odd_sizes_have_the_same_bits(sizes, batch, dtype, all_shared):
    drawn = of_sizes(sizes, batch, dtype=dtype)
    expected = taken(opened(drawn, 1), 4, batch)
    for threads in (2, 5):
        assert taken(opened(drawn, threads), 4, batch) == expected


@pytest.mark.slow
def test_many_steps_have_the_same_bits_each_time(all_shared):
    drawn = of_sizes((12, 40, 24, 5), 16)
    expected = taken(opened(drawn, 1), 300, 16)
    for threads in (2, 3, 2):
        assert taken(opened(drawn, threads), 300, 16) == expected


def test_a_recorded_step_has_the_bits_of_the_shared_one(all_shared):
    drawn = drawn_network(27)
    graph, _, data, _ = drawn
    session, rows = opened(drawn, 2), np.arange(len(data["x"]))
    recorded = session.record(rows, {"lr": np.float64(0.1)})
    session.advance(rows[None], {"lr": np.array([0.1])})
    for name, label in graph.wiring.state.items():
        after = recorded[graph.graph.name_of(graph.graph.labels[label])]
        assert session.state()[name].tobytes() == after.tobytes(), name


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_all_threads_stop_before_a_step_that_is_not_finite(threads, all_shared):
    drawn = of_sizes((20, 33, 7), 12, optimizer=optim.SGD)
    alone, session = opened(drawn, 1), opened(drawn, threads)
    rows = np.tile(np.arange(12), (40, 1))
    rates = np.full(40, 0.05)
    rates[23] = np.inf
    done = session.advance(rows, {"lr": rates})
    assert done.steps == 23
    alone.advance(rows[:23], {"lr": rates[:23]})
    for name, array in alone.state().items():
        assert session.state()[name].tobytes() == array.tobytes(), name
    assert session.advance(rows[:5], {"lr": np.full(5, 0.05)}).steps == 5


class Looked(nn.Module):
    """Rows that are looked up, and a layer."""

    def __init__(self):
        self.table = nn.Embedding(10, 32)
        self.linear = nn.Linear(32, 6)

    def forward(self, x):
        return self.linear(self.table(x))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_all_threads_stop_before_an_index_that_has_no_place(threads, all_shared):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 10, 24)
    y = rng.normal(size=(24, 6)).astype(np.float32)
    drawn = of_network(Looked().initialize(0), x, y, "MSELoss", optim.SGD())
    drawn[2]["x"] = np.where(np.arange(24) == 17, 12, x)
    session = opened(drawn, threads)
    batch = 24
    rows = np.zeros((9, batch), np.int64)
    rows[6, 3] = 17
    with pytest.raises(DataError, match="takes indices from 0 to 9; got 12"):
        session.advance(rows, {"lr": np.full(9, 0.05)})
    expected = opened(drawn, 1)
    expected.advance(rows[:6], {"lr": np.full(6, 0.05)})
    for name, array in expected.state().items():
        assert session.state()[name].tobytes() == array.tobytes(), name


def test_a_run_that_is_resumed_with_other_threads_goes_on_with_the_same_bits(tmp_path, all_shared):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 20)).astype("f"), rng.normal(size=(60, 4)).astype("f")

    def run(threads, epochs, folder):
        net = nn.Sequential(nn.Linear(20, 33), nn.Tanh(), nn.Linear(33, 4)).initialize(5)
        options = {"batch_size": 16, "progress": False, "backend": "native", "seed": 2}
        return cr.fit(net, x, y, epochs=epochs, threads=threads, folder=folder, **options)

    whole = run(1, 4, tmp_path / "one")
    run(2, 2, tmp_path / "two")
    resumed = cr.resume(tmp_path / "two", x, y, epochs=4, progress=False)
    for name, array in whole.net.state_dict().items():
        assert resumed.net.state_dict()[name].tobytes() == array.tobytes(), name
    assert resumed.history["loss"] == whole.history["loss"]


# --- what is worth it ---------------------------------------------------------------------------


def test_a_small_step_is_one_threads_and_no_other_is_started():
    drawn = of_sizes((784, 30, 10), 10)
    graph, state, data, _ = drawn
    program = NativeProgram(graph.graph, graph.wiring, Compiler(host(), None, 4))
    assert program.compiled.threads == 1
    code = [
        NativeProgram(graph.graph, graph.wiring, Compiler(host(), None, n)).compiled.code
        for n in (1, 2)
    ]
    assert code[0] == code[1]
    before = threading.active_count()
    taken(program.open(state, data), 3, 10)
    assert threading.active_count() == before


def test_a_large_step_is_shared_and_its_products_are():
    graph, *_ = of_sizes((256, 384, 192), 64)
    stages = StepStages(graph.graph, host(), wiring=graph.wiring, threads=2)
    shared = {kernel.name for kernel in stages.kernels if kernel.is_shared}
    products = {k.name for k in stages.kernels if k.name.startswith("product")}
    assert products
    assert products <= shared


def test_one_thread_has_no_code_for_others():
    graph, *_ = of_sizes((256, 384, 192), 64)
    alone = StepStages(graph.graph, host(), wiring=graph.wiring, threads=1)
    assert "atomic" not in alone.ir
    assert "%thread" not in alone.ir
    assert not any(kernel.is_shared for kernel in alone.kernels)


def test_code_for_aarch64_calls_nothing_and_pauses(all_shared):
    from tests.backends.native.targets import foreign

    graph, *_ = of_sizes((16, 32, 8), 8)
    stages = StepStages(graph.graph, foreign("aarch64"), wiring=graph.wiring, threads=2)
    assert "llvm.aarch64.hint" in stages.ir
    code = object_code(stages.ir, foreign("aarch64"))
    assert b"__aarch64" not in code  # a library's atomics


# --- the threads themselves ---------------------------------------------------------------------


@pytest.mark.parametrize(("wrong", "shown"), [(0, "0"), (-2, "-2"), (1.5, "1.5"), ("two", "'two'")])
def test_a_number_of_threads_that_is_none_is_refused(wrong, shown):
    net = nn.Linear(2, 1)
    with pytest.raises(ConfigurationError) as caught:
        cr.fit(net, np.zeros((4, 2)), np.zeros((4, 1)), threads=wrong, progress=False)
    assert str(caught.value).startswith("fit takes threads")
    assert f"got {shown}" in str(caught.value)


def test_as_many_threads_as_this_process_may_use_processors(monkeypatch):
    monkeypatch.setattr(workers, "_quota", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(3)), raising=False)
    assert workers.processors() == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(99)), raising=False)
    assert workers.processors() == workers.MOST
    monkeypatch.setattr(workers, "_quota", lambda: 2)
    assert workers.processors() == 2


def test_workers_are_started_once(all_shared):
    drawn = of_sizes((12, 40, 24, 5), 16)
    session = opened(drawn, 3)
    taken(session, 5, 16)
    there = {thread.ident for thread in threading.enumerate()}
    for _ in range(5):
        taken(session, 5, 16)
    assert {thread.ident for thread in threading.enumerate()} == there


def test_trainings_in_several_threads_do_not_disturb_each_other(all_shared):
    drawn = of_sizes((12, 40, 24, 5), 16)
    expected = taken(opened(drawn, 1), 300, 16)
    found = []
    sessions = [opened(drawn, 2) for _ in range(3)]
    at_once = [
        threading.Thread(target=lambda s=s: found.append(taken(s, 300, 16))) for s in sessions
    ]
    for thread in at_once:
        thread.start()
    for thread in at_once:
        thread.join()
    assert found == [expected] * 3


class Interrupted(Exception):
    pass


def test_an_exception_leaves_no_thread_behind(all_shared, monkeypatch):
    drawn = of_sizes((12, 40, 24, 5), 16)
    session = opened(drawn, 3)
    program, real = session._program, session._program.advance

    def first_never_comes(arena, table, steps, thread, threads):
        if thread == 0:
            raise Interrupted
        return real(arena, table, steps, thread, threads)

    program.advance = first_never_comes
    with pytest.raises(Interrupted):
        taken(session, 5, 16)
    program.advance = real
    assert len(workers._idle) >= 2  # they are back, and wait for work
    again = opened(drawn, 3)
    assert taken(again, 5, 16) == taken(opened(drawn, 1), 5, 16)


def test_without_another_thread_one_does_all_the_work(all_shared, monkeypatch):
    drawn = of_sizes((12, 40, 24, 5), 16)
    expected = taken(opened(drawn, 1), 30, 16)

    def none_left():
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(workers, "_Worker", none_left)
    monkeypatch.setattr(workers, "_idle", [])
    assert taken(opened(drawn, 3), 30, 16) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_that_is_forked_starts_threads_of_its_own(all_shared):
    drawn = of_sizes((12, 40, 24, 5), 16)
    session = opened(drawn, 3)
    taken(session, 5, 16)
    expected = taken(opened(drawn, 1), 5, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of others' threads
        child = os.fork()
    if not child:
        try:
            right = taken(opened(drawn, 3), 5, 16) == expected
        except BaseException:
            os._exit(2)
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert taken(opened(drawn, 3), 5, 16) == expected


ONE_PROCESSOR = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np
from chainrule.backends.native import lower, step, workers
assert workers.processors() == 1
step.WORTH = 0.0
lower.is_small = lambda graph: False
from tests.backends.native.test_threads import of_sizes, opened, taken
drawn = of_sizes((12, 40, 24, 5), 16)
assert taken(opened(drawn, 3), 200, 16) == taken(opened(drawn, 1), 200, 16)
print("right")
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen")
def test_three_threads_get_on_with_one_processor():
    command = [sys.executable, "-c", ONE_PROCESSOR]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.returncode) == ("right\n", 0), done.stderr
