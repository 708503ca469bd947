"""Copies between layouts put every element to its place."""

import numpy as np
import pytest

from chainrule.backends.native.arena import new_arena
from chainrule.backends.native.emit import emit_kernel
from chainrule.backends.native.ir import module_text
from chainrule.backends.native.machine import Loaded, object_code
from chainrule.backends.native.nest import Kernel, Turn
from chainrule.backends.native.target import host
from chainrule.backends.native.turning import arranged
from chainrule.backends.native.view import View
from chainrule.graph import DType


def run(body, arrays):
    import ctypes

    kernel = Kernel("k", tuple(body), {name: DType.of(a.dtype) for name, a in arrays.items()})
    code = object_code(module_text([emit_kernel(kernel, host())], host()), host())
    loaded = Loaded(code, host())
    loaded.function("k", None, *[ctypes.c_void_p] * len(arrays))(
        *[a.ctypes.data for a in arrays.values()]
    )


def room(size, dtype):
    return new_arena(size * np.dtype(dtype).itemsize + 64).view(dtype)[:size]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (16, 16), (30, 17), (33, 64), (70, 9)])
def test_a_turned_copy_is_the_transpose(shape, dtype):
    rows, columns = shape
    x = room(rows * columns, dtype)
    x[:] = np.arange(rows * columns) % 101 % (2 if dtype == "bool" else 101)
    y = room(rows * columns, dtype)
    kind = DType.of(x.dtype)
    source = View.whole("x", kind, shape)
    turned = View.whole("y", kind, shape[::-1]).transposed((1, 0))
    run(arranged(source, turned, host()), {"x": x, "y": y})
    np.testing.assert_array_equal(y.reshape(columns, rows), x.reshape(shape).T)


def test_matrices_are_turned_in_blocks_and_rows_are_not():
    source = View.whole("x", DType.F32, (64, 64))
    turned = View.whole("y", DType.F32, (64, 64)).transposed((1, 0))
    (loop,) = arranged(source, turned, host())
    assert isinstance(loop.body[0].body[0], Turn)
    (loop,) = arranged(source, View.whole("y", DType.F32, (64, 64)), host())
    assert loop.body[0].parallel


def test_other_axes_stay_where_they_are():
    x, y = room(2 * 5 * 7, "float32"), room(2 * 5 * 7, "float32")
    x[:] = np.arange(70)
    source = View.whole("x", DType.F32, (2, 5, 7))
    output = View.whole("y", DType.F32, (2, 7, 5)).transposed((0, 2, 1))
    run(arranged(source, output, host()), {"x": x, "y": y})
    np.testing.assert_array_equal(y.reshape(2, 7, 5), x.reshape(2, 5, 7).transpose(0, 2, 1))
