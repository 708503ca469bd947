"""Backends run graphs: dtypes kept, NaN passed on, nobody's arrays written in."""

import numpy as np
import pytest

from chainrule.backends import BACKENDS, get_backend
from chainrule.base.errors import DataError, DTypeError, NameNotFoundError, ShapeError
from chainrule.graph import DType, parse_graph
from chainrule.ops import OPS
from chainrule.testing.cases import cases


@pytest.fixture(autouse=True, params=BACKENDS)
def backend(request):
    """Each test is one of each backend."""
    global RUNNER
    RUNNER = get_backend(request.param)


def run(text, *arrays):
    return RUNNER.run(parse_graph(text), [np.asarray(a) for a in arrays])


@pytest.mark.parametrize("op", OPS)
def test_operands_are_never_written_in(op):
    for case in cases(op):
        for array in case.arrays:
            array.flags.writeable = False
        RUNNER.run(case.graph, list(case.arrays))


@pytest.mark.parametrize("op", OPS)
def test_results_have_the_dtype_of_the_node(op):
    for case in cases(op):
        (result,) = RUNNER.run(case.graph, list(case.arrays))
        assert result.dtype == case.result.dtype.numpy, case.label
        assert result.shape == case.result.shape, case.label


def test_float32_stays_float32_through_a_network_of_scalars():
    # Scalars of shape [] are where NumPy would fall back on float64.
    text = """\
graph f(x: f32[]) -> f32[]
  %1: f32[] = softplus(x)
  %2: f32[] = constant()  dtype=f32 value=0.1
  %3: f32[] = mul(%1, %2)
  %4: f32[] = leaky_relu(%3)  slope=0.3
  y: f32[] = sigmoid(%4)
  return y"""
    (y,) = run(text, np.float32(0.5))
    assert y.dtype == np.float32


@pytest.mark.parametrize(
    ("op", "attributes"), [("amax", "axis=0"), ("sum", "axes=[0]"), ("mean", "axes=[0]")]
)
def test_nan_passes_through_reductions(op, attributes):
    text = f"graph f(x: f64[3]) -> f64[]\n  y: f64[] = {op}(x)  {attributes}\n  return y"
    assert np.isnan(run(text, [1.0, np.nan, 2.0])[0])


def test_argmax_names_the_first_nan():
    text = "graph f(x: f64[4]) -> i64[]\n  y: i64[] = argmax(x)  axis=0\n  return y"
    assert run(text, [1.0, np.nan, 2.0, np.nan])[0] == 1


def test_a_row_with_nan_spoils_its_own_softmax_only():
    text = "graph f(x: f64[2,2]) -> f64[2,2]\n  y: f64[2,2] = softmax(x)  axis=1\n  return y"
    (y,) = run(text, [[1.0, np.nan], [0.0, 0.0]])
    assert np.isnan(y[0]).all()
    assert y[1].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("wrong", [4, -1])
@pytest.mark.parametrize("op", ["gather", "scatter_add"])
def test_an_index_out_of_range_is_refused_with_its_place(op, wrong):
    kinds = {"gather": ("f64[4]", "axis=0"), "scatter_add": ("f64[2,2]", "axis=0 size=4")}
    kind, attributes = kinds[op]
    result = "f64[2,2]" if op == "gather" else "f64[4]"
    text = (
        f"graph f(x: {kind}, i: i64[2,2]) -> {result}\n"
        f"  y: {result} = {op}(x, i)  {attributes}\n  return y"
    )
    x = np.zeros(4) if op == "gather" else np.zeros((2, 2))
    with pytest.raises(DataError) as caught:
        run(text, x, np.array([[0, 3], [wrong, 1]]))
    assert str(caught.value) == (
        f"{op} takes indices from 0 to 3; got {wrong}. Element [1, 0] of the indices."
    )


def test_a_constant_result_cannot_be_spoilt_for_the_next_run():
    text = "graph f() -> f64[]\n  y: f64[] = constant()  dtype=f64 value=3.0\n  return y"
    (y,) = run(text)
    if y.flags.writeable:
        y += 1
    assert run(text)[0] == 3.0


@pytest.mark.parametrize(
    ("array", "kind", "message"),
    [
        (np.zeros(3), DTypeError, "x is float32; got float64."),
        (np.zeros(3, int), DTypeError, "x is float32; got int64."),
        (np.zeros(4, "f4"), ShapeError, "x has the shape [3]; got [4]."),
        (np.zeros((1, 3), "f4"), ShapeError, "x has the shape [3]; got [1, 3]."),
    ],
    ids=["double", "integer", "longer", "another rank"],
)
def test_an_input_of_another_type_is_refused(array, kind, message):
    # NumPy would go on and compute in float64 what the graph says is float32.
    with pytest.raises(kind) as caught:
        run("graph f(x: f32[3]) -> f32[3]\n  y: f32[3] = exp(x)\n  return y", array)
    assert str(caught.value) == message


def test_an_empty_batch_runs():
    text = """\
graph f(x: f64[B=0,3], w: f64[2,3]) -> (f64[2], f64[B=0,2])
  z: f64[B=0,2] = contract(x, w)  over=[1,1]
  p: f64[B=0,2] = softmax(z)  axis=1
  total: f64[2] = sum(p)  axes=[0]
  return total, p"""
    total, p = run(text, np.zeros((0, 3)), np.ones((2, 3)))
    assert total.tolist() == [0.0, 0.0]
    assert p.shape == (0, 2)


def test_the_batch_axis_may_have_any_name():
    # Equal graphs share their kernels; an axis's name is not part of equality.
    for name in ("B=2", "T=2", "2"):
        text = f"graph f(x: f64[{name}]) -> f64[{name}]\n  y: f64[{name}] = exp(x)\n  return y"
        assert run(text, np.zeros(2))[0].tolist() == [1.0, 1.0]


def test_auto_is_the_fastest_there_is():
    assert get_backend("auto").name == "native"


def test_an_unknown_backend_suggests_the_nearest():
    with pytest.raises(NameNotFoundError) as caught:
        get_backend("nunpy")
    assert str(caught.value) == (
        'No backend is named "nunpy". Did you mean "numpy"? There are: numpy, native.'
    )


def test_integers_wrap_as_their_dtype_says():
    text = "graph f(x: u32[2]) -> u32[2]\n  y: u32[2] = add(x, x)\n  return y"
    assert run(text, np.array([2**31, 3], np.uint32))[0].tolist() == [0, 6]
    assert DType.of(run(text, np.array([2**31, 3], np.uint32))[0].dtype) is DType.U32
