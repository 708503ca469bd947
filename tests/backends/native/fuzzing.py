"""Random graphs compiled and run in a process of their own, since LLVM ends one that it fails in.

    python -m tests.backends.native.fuzzing SEED ...

prints each seed before it begins with it, and what is wrong with its graph.
"""

import ctypes
import mmap
import subprocess
import sys
from collections import Counter
from contextlib import nullcontext

import numpy as np

from chainrule.backends import get_backend
from chainrule.backends.native import lending, program, streaming
from chainrule.backends.native.compiled import Compiler, compile_routine, compile_step
from chainrule.backends.native.program import NativeProgram, Routine
from chainrule.backends.native.target import host
from chainrule.ops import Builder, ElementwiseOp, bind
from chainrule.rewrite import expand_composites
from chainrule.testing.cases import Case
from chainrule.testing.values import result_faults
from tests.backends.native.drawn import drawn_network
from tests.backends.native.drawn_graphs import drawn_graph
from tests.backends.native.evaluator import element
from tests.backends.native.targets import LESSER, foreign, loops
from tests.tree import ROOT

SECONDS = 60
"""For one graph. None takes more than a few, or the compiler has lost itself."""

LOOKED_AT = 5
"""Elements of each value whose bounds are computed: it is slow."""


PAGE = mmap.PAGESIZE

STREAMED = (streaming.LARGE, 1)
"""From how many bytes on results go past the caches: drawn graphs have none that are large."""


def guarded_arena(size):
    """An arena that ends where memory may not be touched; what goes further ends the process."""
    pages = -(-size // PAGE) * PAGE
    memory = np.frombuffer(mmap.mmap(-1, pages + PAGE), np.uint8)
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    assert protect(ctypes.c_void_p(memory.ctypes.data + pages), PAGE, 0) == 0
    return memory[pages - size : pages]


def machine_for(seed):
    """The name of the target that a seed's graph is compiled for, and the target."""
    name = ["host", "host", "host", *LESSER, "aarch64"][seed % (4 + len(LESSER))]
    return name, host() if name == "host" else foreign(name)


def faults(seed):
    """What is wrong with native code for a seed's graph."""
    name, target = machine_for(seed)
    streaming.LARGE = STREAMED[seed % len(STREAMED)]
    runs_here = name != "aarch64" and (host().fma or not target.fma)
    if seed % 5 == 4:
        step, state, data, feeds = drawn_network(seed)
        if runs_here:
            with loops() if seed % 2 else nullcontext():
                compiled = NativeProgram(step.graph, step.wiring, Compiler(target))
            yield from step_faults(compiled, state, data, feeds)
        else:
            assert compile_step(step.graph, step.wiring, target).code
        return
    graph, arrays = drawn_graph(seed)
    graph = expand_composites(graph, keep=lambda op: False).graph
    if runs_here:
        yield from graph_faults(graph, arrays, target, np.random.default_rng(seed))
    else:
        assert compile_routine(graph, target).code


def step_faults(compiled, state, data, feeds):
    """Whether two steps, taken by one call, have the bits of recorded ones."""
    session, slow = compiled.open(state, data), compiled.open(state, data)
    rows = np.arange(len(data["x"]))
    names = {label: compiled.step.name_of(at) for label, at in compiled.step.labels.items()}
    done = session.advance(np.stack([rows, rows]), {"lr": np.repeat(feeds["lr"], 2)})
    for taken in range(done.steps):
        recorded = slow.record(rows, {"lr": feeds["lr"][0]}, [*names.values()])
        for label, array in done.outputs.items():
            if array[taken].tobytes() != recorded[names[label]].tobytes():
                yield f"step {taken}: {label} has other bits where it is recorded"
        slow.advance(rows[None], feeds)
    for name, array in session.state().items():
        if array.tobytes() != slow.state()[name].tobytes():
            yield f"{name} has other bits after two calls than after one of two steps"


def graph_faults(graph, arrays, target, rng):
    """Whether each node's value is right, given its operands', and the same unrecorded."""
    with loops():
        recorder = Routine(graph, Compiler(target), keep_all=True)
    arena = recorder.run(arrays)
    values = [place.of(arena) for place in recorder.compiled.nodes]
    for how in (nullcontext, loops):
        with how():
            results = Routine(graph, Compiler(target))(arrays)
        for label, result in zip(graph.labels, results, strict=True):
            if bits(result) != bits(values[graph.labels[label]]):
                yield f"{label} has other bits where nothing is recorded ({how.__name__})"
    for position, node in enumerate(graph.nodes):
        if node.op != "input":
            operands = [values[i] for i in node.inputs]
            for fault in node_faults(graph, node, operands, values[position], target.fma, rng):
                yield f"%{position} = {node.op}: {fault}"


def node_faults(graph, node, operands, result, fma, rng):
    """What is wrong with a few elements of a node's value, given its operands'."""
    op = bind(node.op, node.attributes)
    types = tuple(graph.nodes[i].type for i in node.inputs)
    b = Builder()
    inputs = [b.input(kind, f"x{i}") for i, kind in enumerate(types)]
    one = b.build("one", {"y": b.apply(node.op, *inputs, **node.attributes)})
    if node.op == "argsort":  # its terms are as many as the cube of its elements
        if not np.array_equal(get_backend("numpy").run(one, operands)[0], result):
            yield "another order than NumPy's"
        return
    size = result.size
    chosen = range(size) if size <= LOOKED_AT else rng.integers(0, size, LOOKED_AT)
    where = [tuple(map(int, np.unravel_index(i, result.shape))) for i in chosen]
    for at in where:
        with np.errstate(all="ignore"):
            expected = np.asarray(element(op, types, operands, at, node, fma)).astype(result.dtype)
        if bits(expected) != bits(result[at]):
            yield f"y{list(at)} should be {expected} by its terms; got {result[at]}"
    # What is written in other ops is bounded by theirs.
    written = isinstance(op, ElementwiseOp) and not op.declaration.is_primitive
    if node.dtype.is_float and not written and all(map(tame, operands)):
        where = [at for at in where if np.isfinite(result[at])]  # outside of a domain: see above
        yield from result_faults(Case(node.op, "drawn", one, tuple(operands)), result, where)


def bits(array):
    """An array's bits; of NaN there is one."""
    is_float = array.dtype.kind == "f"
    return (np.where(np.isnan(array), np.nan, array) if is_float else array).tobytes()


def tame(array):
    """Whether nothing overflows or vanishes: bounds are not derived for that."""
    size = np.abs(array[array != 0]) if array.dtype.kind == "f" else array
    return array.dtype.kind != "f" or bool(((size > 1e-6) & (size < 1e6)).all())


def main(seeds):
    program.new_arena = lending.new_arena = guarded_arena
    for seed in map(int, seeds):
        print(f"seed {seed}", flush=True)
        for fault in faults(seed):
            print(f"fault {fault}", flush=True)


def fuzz(seeds, command=("-m", "tests.backends.native.fuzzing")):
    """Run seeds in processes; return what went wrong, with the graphs."""
    wrong, left = [], list(seeds)
    while left:
        words = [sys.executable, *command, *map(str, left)]
        try:
            run = subprocess.run(
                words, cwd=ROOT, capture_output=True, text=True, check=False,
                timeout=SECONDS + len(left),
            )  # fmt: skip
            said, ended, errors = run.stdout, run.returncode, run.stderr
        except subprocess.TimeoutExpired as late:
            said, ended, errors = (late.stdout or b"").decode(), "no end", ""
        done = Counter()
        for line in said.splitlines():
            word, _, rest = line.partition(" ")
            if word == "seed":
                seed = int(rest)
                done[seed] = 0
            elif word == "fault":
                done[seed] += 1
                wrong.append(described(seed, rest))
        assert done, f"it did not begin:\n{errors}"
        if ended:
            wrong.append(described(seed, f"the process ended with {ended}:\n{errors[-2000:]}"))
        left = left[len(done) :]
    return wrong


def described(seed, fault):
    graph = drawn_network(seed)[0].graph if seed % 5 == 4 else drawn_graph(seed)[0]
    return f"seed {seed}, {machine_for(seed)[0]}: {fault}\n{graph}"


if __name__ == "__main__":
    main(sys.argv[1:])
