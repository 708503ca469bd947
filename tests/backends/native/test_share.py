"""Shared loops: every iteration is one thread's, and as many are each thread's as another's."""

import ctypes

import numpy as np
import pytest

from chainrule.backends.native.emit import emit_kernel
from chainrule.backends.native.ir import module_text
from chainrule.backends.native.machine import Loaded, object_code
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Carried,
    Kernel,
    Local,
    Loop,
    Number,
    Position,
    Read,
    Write,
    index,
)  # fmt: skip
from chainrule.backends.native.target import host
from chainrule.graph import DType

I64, F32 = DType.I64, DType.F32


def parts(body, size, threads, buffers=None):
    """What each thread makes of a buffer of -1, and of one that has room for its own."""
    buffers = buffers or {"y": I64, "own": I64}
    kernel = Kernel("k", tuple(body), buffers)
    function = emit_kernel(kernel, host())
    loaded = Loaded(object_code(module_text([function], host()), host()), host())
    run = loaded.function("k", None, *[ctypes.c_void_p] * len(buffers), *[ctypes.c_int64] * 2)
    made = []
    for thread in range(threads):
        arrays = [np.full(size + 16, -1, dtype.numpy) for dtype in buffers.values()]
        run(*(array.ctypes.data for array in arrays), thread, threads)
        made.append([array[:size] for array in arrays])
    return made


def check_dealt_out(found, size, most=1):
    """Each element was written once, by threads in order, evenly."""
    written = np.array([arrays[0] >= 0 for arrays in found])
    assert (written.sum(axis=0) == 1).all()
    assert (np.diff(written.argmax(axis=0)) >= 0).all()
    counts = written.sum(axis=1)
    assert counts.max() - counts.min() <= most
    for arrays, mine in zip(found, written, strict=True):
        assert (arrays[0][mine] == np.arange(size)[mine]).all()


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 31])
def test_a_shared_loop_is_dealt_out(count, threads):
    body = Write("y", index("i"), Position(index("i")))
    check_dealt_out(parts([Loop("i", count, (body,), shared=True)], count, threads), count)


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 7, 8, 16, 61, 64, 200, 1001])
def test_a_shared_loop_of_lanes_is_dealt_out_in_vectors(count, threads):
    body = Write("y", index("i"), Position(index("i")))
    found = parts([Loop("i", count, (body,), parallel=True, shared=True)], count, threads)
    written = np.array([arrays[0] >= 0 for arrays in found])
    assert (written.sum(axis=0) == 1).all()
    assert (np.max([arrays[0] for arrays in found], axis=0) == np.arange(count)).all()
    if count >= 200:
        assert written.sum(axis=1).max() <= 1.2 * count / threads + 16


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(
    ("outer", "first", "second"), [(1, 8, 10), (3, 31, 6), (2, 1, 1), (5, 2, 0)]
)
def test_loops_that_are_shared_in_one_are_dealt_out_as_one_sequence(outer, first, second, threads):
    units = first + second
    at = index("p") * units
    body = [
        Write("own", index("p"), Number(7, I64)),
        Loop("t", first, (Write("y", at + index("t"), Position(at + index("t"))),), shared=True),
    ]
    if second:
        later = at + index("t") + first
        body.append(Loop("t", second, (Write("y", later, Position(later)),), shared=True))
    found = parts([Loop("p", outer, tuple(body), shared=True)], outer * units, threads)
    check_dealt_out(found, outer * units)
    for y, own in found:
        begun = np.flatnonzero((y.reshape(outer, units) >= 0).any(axis=1))
        assert np.flatnonzero(own >= 0).tolist() == begun.tolist()
        assert (own[begun] == 7).all()


def test_sums_in_a_shared_loop_have_the_same_bits_however_many_threads_there_are():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(37, 50)).astype(np.float32)
    total = Local("total", F32)
    following = Apply("add", (total, Read("x", index("i") * 50 + index("k"), F32)), F32)
    sums = Loop("k", 50, carried=(Carried("total", Number(0.0, F32), following),))
    body = [Loop("i", 37, (sums, Write("y", index("i"), total)), parallel=True, shared=True)]
    kernel = Kernel("k", tuple(body), {"x": F32, "y": F32})
    loaded = Loaded(object_code(module_text([emit_kernel(kernel, host())], host()), host()), host())
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    run = loaded.function("k", None, pointer, pointer, number, number)
    made = []
    for threads in (1, 2, 3):
        y = np.zeros(64, np.float32)
        for thread in range(threads):
            run(x.ctypes.data, y.ctypes.data, thread, threads)
        made.append(y.tobytes())
    assert len(set(made)) == 1


def test_a_shared_loop_is_printed():
    loop = Loop("i", 4, (Write("y", index("i"), Number(1, I64)),), parallel=True, shared=True)
    kernel = Kernel("k", (Loop("p", 2, (loop,), shared=True),), {"y": I64})
    assert str(kernel).splitlines() == [
        "kernel k(y: i64)",
        "  shared for p < 2",
        "    shared parallel for i < 4",
        "      y[i] = 1",
    ]


def test_each_thread_writes_into_a_piece_of_its_own():
    loop = Loop("i", 6, (Write("y", Affine(), Position(index("i"))),), shared=True)
    kernel = Kernel("k", (loop,), {"y": I64}, {"y": 8})
    loaded = Loaded(object_code(module_text([emit_kernel(kernel, host())], host()), host()), host())
    run = loaded.function("k", None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    y = np.zeros(24, np.int64)
    for thread in range(3):
        run(y.ctypes.data, thread, 3)
    assert y[::8].tolist() == [1, 3, 5]
    assert str(kernel).splitlines()[1] == "  own y[8·thread ...]"
