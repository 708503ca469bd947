"""argsort: NumPy's stable order for every length, NaN as the largest, in n·log n steps."""

import numpy as np
import pytest

from chainrule.backends import get_backend
from chainrule.backends.native.compiled import compile_routine
from chainrule.backends.native.target import host
from chainrule.graph import DType, TensorType
from chainrule.ops import Builder

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1e-45, -np.nan]


def sorting(shape, dtype, axis, descending):
    b = Builder()
    x = b.input(TensorType(shape, dtype), "x")
    return b.build("f", {"y": b.argsort(x, axis=axis, descending=descending)})


def same_as_numpys(x, axis=0, descending=False):
    graph = sorting(x.shape, DType.of(x.dtype), axis, descending)
    ours, numpys = (get_backend(name).run(graph, [x])[0] for name in ("native", "numpy"))
    return np.array_equal(ours, numpys)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("size", [*range(20), 31, 32, 33, 100, 257])
def test_ties_stay_in_order_at_every_length(size, descending):
    x = np.random.default_rng(size).integers(0, 6, size).astype(np.float32)
    assert same_as_numpys(x, descending=descending)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", [each.value for each in DType])
def test_every_dtype_is_sorted(dtype, descending):
    rng, kind = np.random.default_rng(3), DType(dtype).numpy
    if DType(dtype).is_float:
        x = np.where(rng.random(90) < 0.4, rng.choice(SPECIAL, 90), rng.normal(size=90))
    else:
        x = rng.integers(0, 2**32, 90) - (0 if dtype in ("u32", "bool") else 2**31)
        x = x & 1 if dtype == "bool" else x
    assert same_as_numpys(x.astype(kind), descending=descending)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_axis_is_sorted_by_itself(axis):
    x = np.random.default_rng(axis).integers(0, 4, (5, 6, 7)).astype(np.float64)
    assert same_as_numpys(x, axis)


def test_the_kernels_grow_with_the_logarithm_of_the_length():
    def size_of(length):
        return len(compile_routine(sorting((length,), DType.F32, 0, False), host()).code)

    # Runs are merged 10 times to 1,024 elements and 20 times to a million.
    assert size_of(1 << 20) < 2.5 * size_of(1 << 10)
