"""The largest along an axis is the first of several, and the first NaN, on any vectors."""

import numpy as np
import pytest

from chainrule.backends.native.backend import NativeBackend
from chainrule.backends.native.target import host
from chainrule.graph import DType, parse_graph
from tests.backends.native.targets import LESSER, target
from tests.sampling import one_in


def first_largest(row):
    """What the terms of `amax` and `argmax` say, one element after the other."""
    best, place = row[0], 0
    for i, element in enumerate(row):
        if best == best and not element <= best:
            best, place = element, i
    return best, place


def native(op, x, name):
    kind = DType.of(x.dtype).value
    rows, columns = x.shape
    result = kind if op == "amax" else "i64"
    graph = parse_graph(
        f"graph f(x: {kind}[{rows},{columns}]) -> {result}[{rows}]\n"
        f"  y: {result}[{rows}] = {op}(x)  axis=1\n  return y"
    )
    return NativeBackend(host() if name == "host" else target(name)).run(graph, [x])[0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("columns", one_in(2, [127, 128, 129, 143, 191, 192, 250, 1000]))
@pytest.mark.parametrize("name", ["host", *LESSER])
def test_rows_of_ties_zeros_and_nans(columns, dtype, name):
    rng = np.random.default_rng(columns)
    x = rng.integers(-3, 4, (40, columns)).astype(dtype)
    x[8:24] = -np.abs(x[8:24])
    if dtype != "int32":
        x[16:24] = np.copysign(np.minimum(x[16:24], 0), rng.normal(size=(8, columns)))
        x[16:20] = np.where(x[16:20] == 0, x[16:20], -np.abs(x[16:20]))
        x[24:28] = -np.inf
        for row in range(28, 40):  # NaNs of both signs, by themselves and beside infinities
            places = rng.integers(0, columns, rng.integers(1, 4))
            x[row, places] = np.copysign(np.nan, rng.normal(size=len(places)))
            x[row, rng.integers(columns)] = np.inf
        x[38] = np.nan
    else:
        x[30:] = np.iinfo(np.int32).min
    for edge, row in ((0, 0), (columns - 1, 1), (columns - 16, 2), (15, 3)):
        x[row, edge] = 9
    expected = [first_largest(row) for row in x]
    largest = np.array([value for value, _ in expected], dtype)
    assert native("amax", x, name).tobytes() == largest.tobytes()
    assert native("argmax", x, name).tolist() == [place for _, place in expected]
