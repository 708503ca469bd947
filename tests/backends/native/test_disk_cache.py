"""Code that comes from the disk is the code that would have been made."""

import json
import os
import subprocess
import sys
import textwrap

import llvmlite
import numpy as np
import pytest

from chainrule.backends.cache import Cache
from chainrule.backends.native import NativeBackend, compiled, key
from chainrule.backends.native.backend import _routine
from chainrule.backends.native.compiled import Compiler
from chainrule.backends.native.key import key_of
from chainrule.backends.native.program import NativeProgram
from chainrule.backends.native.target import host
from chainrule.backends.protocol import Wiring
from chainrule.base.errors import DataError
from chainrule.graph import parse_graph
from chainrule.ops import OPS, elementwise
from tests.backends.native.drawn import drawn_network
from tests.backends.native.targets import LESSER, target
from tests.sampling import one_in

GRAPH = parse_graph("graph f(x: f32[5]) -> f32[5]\n  y: f32[5] = exp(x)\n  return y")
X = np.linspace(-1, 1, 5, dtype=np.float32)
NO_WIRING = Wiring({})


@pytest.fixture
def folder(tmp_path):
    _routine.cache_clear()  # what this process knows is not asked of the disk
    return tmp_path / "code"


@pytest.fixture
def compilations(monkeypatch):
    """What is compiled, as it happens: graphs' names."""
    made = []
    for name in ("compile_routine", "compile_step"):
        compile_ = getattr(compiled, name)

        def noting(graph, *arguments, compile_=compile_):
            made.append(graph.name)
            return compile_(graph, *arguments)

        monkeypatch.setattr(compiled, name, noting)
    return made


def entries(folder):
    return Cache(folder).entries()


def run_anew(backend, graph, inputs):
    _routine.cache_clear()
    return backend.run(graph, inputs)


@pytest.mark.parametrize("seed", one_in(2, range(60, 66)))
def test_a_training_has_the_same_bits_with_the_cache_cold_warm_and_off(folder, compilations, seed):
    step, state, data, feeds = drawn_network(seed)
    rows = np.tile(np.arange(len(data["x"])), (5, 1))
    feeds = {"lr": np.repeat(feeds["lr"], 5)}
    seen = []
    for cache in (None, Cache(folder), Cache(folder)):
        session = NativeProgram(step.graph, step.wiring, Compiler(host(), cache)).open(state, data)
        done = session.advance(rows, feeds)
        recorded = session.record(rows[0], {"lr": feeds["lr"][0]})
        arrays = {**done.outputs, **session.state(), **{f"r {n}": a for n, a in recorded.items()}}
        seen.append({name: array.tobytes() for name, array in arrays.items()})
    assert seen[0] == seen[1] == seen[2]
    assert len(compilations) == 4  # the step and the one that is recorded; off, and cold
    assert len(entries(folder)) == 2


def test_a_graph_is_compiled_once_for_all_backends_of_a_folder(folder, compilations):
    expected = NativeBackend().run(GRAPH, [X])[0]
    for _ in range(2):
        found = run_anew(NativeBackend(cache=folder), GRAPH, [X])[0]
        assert found.tobytes() == expected.tobytes()
    assert compilations == ["f", "f"]


def test_an_index_that_is_out_of_range_is_found_by_code_from_the_disk(folder):
    graph = parse_graph(
        "graph f(x: f32[5], i: i64[2]) -> f32[2]\n  y: f32[2] = gather(x, i)  axis=0\n  return y"
    )
    told = []
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            run_anew(NativeBackend(cache=folder), graph, [X, np.array([1, 7])])
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert "got 7. Element [1] of the indices." in told[0]


@pytest.mark.parametrize(
    "other",
    [
        lambda: key_of(parse_graph(str(GRAPH).replace("exp", "sin")), host(), "run"),
        lambda: key_of(parse_graph(str(GRAPH).replace("5", "6")), host(), "run"),
        lambda: key_of(parse_graph(str(GRAPH).replace("32", "64")), host(), "run"),
        lambda: key_of(GRAPH, host(), "run and keep all"),
        lambda: key_of(GRAPH, target("sse2"), "run"),
    ],
    ids=["op", "size", "dtype", "purpose", "target"],
)
def test_what_the_code_follows_from_is_in_its_key(other):
    assert key_of(GRAPH, host(), "run") == key_of(parse_graph(str(GRAPH)), host(), "run")
    assert other() != key_of(GRAPH, host(), "run")


def test_steps_that_are_wired_differently_have_code_of_their_own(folder, compilations):
    graph = parse_graph(
        "graph step(a: f32[], b: f32[]) -> (f32[], f32[])\n"
        "  c: f32[] = add(a, b)\n  d: f32[] = mul(a, b)\n  return c, d"
    )
    start = {"a": np.float32(2), "b": np.float32(3)}
    found = []
    for _ in range(2):
        for state in ({"a": "c"}, {"a": "d"}, {"b": "c"}, {"a": "d", "b": "c"}):
            program = NativeBackend(cache=folder).compile(graph, Wiring(state))
            session = program.open({name: np.array(start[name]) for name in state}, {})
            fed = {n: np.array([v]) for n, v in start.items() if n not in state}
            session.advance(np.zeros((1, 0), np.int64), fed)
            found.append({name: float(value) for name, value in session.state().items()})
    assert found == [{"a": 5}, {"a": 6}, {"b": 5}, {"a": 6, "b": 5}] * 2
    assert len(compilations) == 4


@pytest.mark.parametrize("name", LESSER)
def test_each_instruction_set_has_code_of_its_own(folder, compilations, name):
    for backend in (NativeBackend(cache=folder), NativeBackend(target(name), folder)) * 2:
        run_anew(backend, GRAPH, [X])
    assert len(compilations) == 2


@pytest.mark.parametrize(
    "damage", [lambda c: b"", lambda c: c[: len(c) // 2]], ids=["empty", "half"]
)
def test_a_damaged_entry_is_compiled_again_and_replaced(folder, compilations, damage):
    expected = run_anew(NativeBackend(cache=folder), GRAPH, [X])[0]
    (entry,) = entries(folder)
    whole = entry.path.read_bytes()
    entry.path.write_bytes(damage(whole))
    assert run_anew(NativeBackend(cache=folder), GRAPH, [X])[0].tobytes() == expected.tobytes()
    assert entry.path.read_bytes() == whole
    assert len(compilations) == 2


def test_an_entry_that_is_whole_and_of_another_form_is_replaced(folder, compilations):
    expected = run_anew(NativeBackend(cache=folder), GRAPH, [X])[0]
    cache = Cache(folder)
    (entry,) = cache.entries()
    whole = cache.get(entry.path.stem)
    cache.put(entry.path.stem, b"something else")
    assert run_anew(NativeBackend(cache=folder), GRAPH, [X])[0].tobytes() == expected.tobytes()
    assert cache.get(entry.path.stem) == whole
    assert len(compilations) == 2


def test_without_a_folder_that_works_there_is_no_cache(tmp_path, folder, compilations):
    (tmp_path / "file").write_text("")
    for _ in range(2):
        found = run_anew(NativeBackend(cache=tmp_path / "file" / "code"), GRAPH, [X])[0]
        assert found.shape == (5,)
    assert len(compilations) == 2


def test_an_op_that_is_declared_elsewhere_is_in_no_entry(folder, compilations):
    """Its formula is not in our sources: the same name may mean something else tomorrow."""
    try:
        for factor in (2.0, 3.0):
            OPS._things.pop("test_op", None)
            elementwise(
                "test_op", value=lambda s, x, f=factor: x * f, partials=(lambda s, x, y: 2,),
                samples=(1.0,),
            )  # fmt: skip
            graph = parse_graph(str(GRAPH).replace("exp", "test_op"))
            found = run_anew(NativeBackend(cache=folder), graph, [X])[0]
            assert found.tolist() == (X * np.float32(factor)).tolist()
    finally:
        OPS._things.pop("test_op", None)
    assert compilations == ["f", "f"]
    assert entries(folder) == []


@pytest.fixture
def sources(monkeypatch, tmp_path):
    """A package whose sources may be changed."""
    root = tmp_path / "package"
    for room in key._ROOMS:
        (root / room).mkdir(parents=True, exist_ok=True)
        (root / room / "one.py").write_text(f"# {room}")
        os.utime(root / room / "one.py", (1000, 1000))
    monkeypatch.setattr(key, "_PACKAGE", root)
    key._compiler.cache_clear()
    yield root
    key._compiler.cache_clear()


@pytest.mark.parametrize("room", ["ops", "rewrite", "graph", "backends/native"])
def test_a_change_of_the_compiler_makes_other_keys(sources, room):
    before = key_of(GRAPH, host(), "run")
    path = sources / room / "one.py"
    path.write_text("# changed")
    os.utime(path, (1000, 1000))
    key._compiler.cache_clear()
    assert key_of(GRAPH, host(), "run") not in (None, before)


def test_sources_that_changed_since_they_were_loaded_make_none(sources):
    (sources / "ops" / "one.py").write_text("# the code that runs is older")
    assert key_of(GRAPH, host(), "run") is None


def test_a_package_without_sources_makes_none(sources):
    for path in sources.rglob("*.py"):
        path.unlink()
    assert key_of(GRAPH, host(), "run") is None


def test_each_version_of_llvmlite_has_code_of_its_own(monkeypatch):
    before = key_of(GRAPH, host(), "run")
    monkeypatch.setattr(llvmlite, "__version__", "99")
    key._compiler.cache_clear()
    try:
        assert key_of(GRAPH, host(), "run") != before
    finally:
        key._compiler.cache_clear()


SCRIPT = """
    import json, sys, time
    import numpy as np
    import chainrule as cr
    from chainrule import nn

    x = np.linspace(-1, 1, 40 * 7, dtype=np.float32).reshape(40, 7)
    y = np.arange(40) % 3
    net = nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 3))
    sys.stdin.readline()
    run = cr.fit(net, x, y, loss="CrossEntropyLoss", batch_size=16, epochs=2, backend="native")
    stages = [name for name in ("lower", "emit", "step") if f"chainrule.backends.native.{name}"
              in sys.modules]
    weights = {name: array.tobytes().hex() for name, array in net.state_dict().items()}
    print(json.dumps({"weights": weights, "stages": stages}))
"""


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        env={**os.environ, "CHAINRULE_CACHE": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process):
    told, _ = process.communicate("go\n", timeout=120)
    assert process.returncode == 0
    return json.loads(told)


def test_processes_that_compile_the_same_at_once_and_one_after_them(folder):
    together = [finish(process) for process in [start(folder) for _ in range(3)]]
    later = finish(start(folder))
    off = finish(start("off"))
    assert [each["weights"] for each in (*together, later)] == [off["weights"]] * 4
    assert off["stages"] == ["lower", "emit", "step"]
    assert later["stages"] == []  # nothing was lowered or written down again
    assert len(entries(folder)) == 2  # whole batches, and the rest
