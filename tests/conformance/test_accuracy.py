"""The error of every elementwise op stays below the figure that is stated for it."""

import math

import pytest

from chainrule.backends import BACKENDS
from chainrule.graph import DType
from chainrule.ops import OPS
from chainrule.testing import measure_accuracy
from chainrule.testing.accuracy import float_ops
from chainrule.testing.enclosure import allowed_ulps
from tests.conftest import GOLDEN
from tests.sampling import slow

HEAD = "Error in units in the last place, at most"


def stated(backend):
    """Op to its bounds in f32 and f64, from the file that states them."""
    lines = (GOLDEN / f"accuracy/{backend}.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == HEAD
    return {op: (float(f32), float(f64)) for op, f32, f64 in map(str.split, lines[2:])}


def state(backend):
    """Write that file: twice what this machine shows, since another may have other kernels."""
    lines = [HEAD, f"{'op':<18}{'f32':>6}{'f64':>6}"]
    for op in float_ops():
        bounds = [bound(op, dtype, backend) for dtype in (DType.F32, DType.F64)]
        lines.append(f"{op:<18}{bounds[0]:>6g}{bounds[1]:>6g}")
    path = GOLDEN / f"accuracy/{backend}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def bound(op, dtype, backend):
    if OPS.get(op).is_primitive:
        return allowed_ulps(op)
    measured = measure_accuracy(op, dtype, backend).ulps
    return 0.5 * (measured > 0) if measured <= 0.5 else math.ceil(2 * measured)


# As many points as were measured for what is stated, and the first fourth of them.
@pytest.mark.parametrize("points", [250, slow(1000)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_errors_stay_below_what_is_stated(backend, points, request):
    if request.config.getoption("--update-golden"):
        state(backend)
    bounds = stated(backend)
    assert list(bounds) == list(float_ops())
    wrong = []
    for op, (f32, f64) in bounds.items():
        for dtype, allowed in ((DType.F32, f32), (DType.F64, f64)):
            found = measure_accuracy(op, dtype, backend, points)
            if found.ulps > allowed:
                wrong.append(f"{op} {dtype.value}: {found.ulps:.2f} > {allowed} at {found.at}")
    assert not wrong, "\n".join(wrong)


def test_primitives_keep_to_the_bound_that_all_other_bounds_rest_on():
    for op, bounds in stated("numpy").items():
        if OPS.get(op).is_primitive:
            assert max(bounds) <= allowed_ulps(op), op
