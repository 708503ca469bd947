"""Samples made concrete, and graphs made wide."""

import numpy as np
import pytest

from chainrule.base.errors import DTypeError, NameNotFoundError
from chainrule.graph import DType, parse_graph
from chainrule.ops import OPS, verify
from chainrule.ops.samples import operand, sample
from chainrule.testing.accuracy import float_ops, measure_accuracy
from chainrule.testing.cases import cases, float64_cases, materialize, retype
from chainrule.testing.widen import in_float64


def dtypes(op):
    return [
        case.label.partition(", ")[2] for case in cases(op) if case.label.startswith("sample 0")
    ]


@pytest.mark.parametrize("op", OPS)
def test_operands_are_what_the_graph_takes(op):
    for case in cases(op):
        verify(case.graph)
        for position, array in zip(case.graph.inputs, case.arrays, strict=True):
            node = case.graph.nodes[position]
            assert (array.shape, array.dtype) == (node.shape, node.dtype.numpy)


def test_floats_stand_for_every_dtype_that_the_op_accepts():
    assert dtypes("tanh") == ["f32", "f64"]
    assert dtypes("add") == ["f32", "f64", "i32", "i64", "u32"]
    assert dtypes("equal") == ["f32", "f64", "i32", "i64", "u32", "bool"]
    assert dtypes("contract") == ["f32", "f64"]
    assert dtypes("logical_and") == [""]
    assert dtypes("custom") == [""]


def test_derivatives_are_of_float64_alone():
    assert {str(case.graph.nodes[0].dtype.value) for case in float64_cases("add")} == {"f64"}
    assert [case.op for case in float64_cases("custom")] == ["custom"]
    assert list(float64_cases("iota")) == []


def test_values_are_cut_to_the_dtype():
    numbers = sample(operand("f64[4]", (-2.5, 0.0, 0.7, float("inf"))))

    def values(dtype):
        return materialize(retype(numbers, dtype))[0].tolist()

    assert values(DType.I32) == [-2, 0, 0, 0]
    assert values(DType.U32) == [2, 0, 0, 0]
    assert values(DType.BOOL) == [False, False, True, True]
    assert values(DType.F32) == [-2.5, 0.0, float(np.float32(0.7)), float("inf")]


def test_drawn_values_are_the_same_each_time_and_differ_between_operands():
    described = sample("f64[50]", "f64[50]", operand("i64[200]", below=4))
    a, b, i = materialize(described)
    again, _, _ = materialize(described)
    other, _, _ = materialize(described, seed=1)
    assert a.tobytes() == again.tobytes()
    assert a.tolist() != b.tolist()
    assert a.tolist() != other.tolist()
    assert set(i.tolist()) == {0, 1, 2, 3}
    assert abs(a.mean()) < 0.5  # 50 normal numbers: the mean is within 0.5 but for one in 2,000


def test_a_wide_graph_is_the_same_function():
    text = """\
graph f(x: f32[B=2], i: i64[2]) -> (f32[B=2], i64[2])
  %2: f32[] = constant()  dtype=f32 value=0.5
  h: f32[B=2] = mul(x, %2)  @layer
  %4: f32[B=2] = custom(h)  body=graph twice(a: f32[B=2]) -> f32[B=2] {
    %1: f32[B=2] = add(a, a)
    return %1
  } rule=graph r(a: f32[B=2], y: f32[B=2], d: f32[B=2]) -> f32[B=2] {
    %3: f32[B=2] = add(d, d)
    return %3
  }
  %5: f32[2] = cast(i)  dtype=f32
  y: f32[B=2] = add(%4, %5)
  alias also = h
  return y, same=i"""
    assert str(in_float64(parse_graph(text))) == text.replace("f32", "f64")


def test_accuracy_is_measured_in_units_in_the_last_place():
    assert 0.4 < measure_accuracy("add", DType.F32).ulps <= 0.5
    assert measure_accuracy("neg", DType.F64).ulps == 0.0
    found = measure_accuracy("exp", "float64")
    assert found.op == "exp"
    assert found.ulps >= 0.5
    assert len(found.at) == 1


def test_accuracy_of_other_ops_and_dtypes_is_refused():
    with pytest.raises(
        NameNotFoundError, match=r"^No elementwise op from floats to floats is named"
    ):
        measure_accuracy("sum", "float32")
    with pytest.raises(
        DTypeError, match=r"^errors in the last place are those of floats; got i64\.$"
    ):
        measure_accuracy("add", "int64")


def test_accuracy_is_of_ops_from_floats_to_floats():
    measured = set(float_ops())
    assert {"add", "sigmoid", "power", "bce_with_logits"} <= measured
    assert not measured & {"equal", "select", "logical_and", "shift_right", "is_finite", "sum"}
