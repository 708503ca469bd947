"""What ops say of batches of examples is tested: planted faults are found, and named."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from chainrule.base.errors import ConformanceError, GraphError
from chainrule.graph import TensorType
from chainrule.ops import Op, bind, composite, declare
from chainrule.ops.contract import Contract
from chainrule.ops.order import Cumsum, Flip
from chainrule.ops.reduce import Amax, Sum
from chainrule.ops.samples import sample
from chainrule.ops.shape import Transpose
from chainrule.testing import check_op
from tests.testing.faulty import declare_faulty, tables

__all__ = ["tables"]  # a fixture

pytestmark = pytest.mark.usefixtures("tables")


def faults(op):
    with pytest.raises(ConformanceError) as caught:
        check_op(op)
    return [line.strip() for line in caught.value.message.splitlines()[1:]]


@dataclass(frozen=True)
class _KeptName(Flip):
    name: ClassVar[str] = "test_kept_name"

    def infer(self, operands):
        return operands[0]


def test_a_name_that_stays_where_examples_are_mixed_is_found():
    op = declare_faulty(_KeptName, "flip", sample("f64[2,3]", axes=(1,)))
    assert (
        "sample 0, f64: the result of f64[2,examples=3] is said to be f64[2,examples=3], and its "
        "i-th example is made of others than the i-th"
    ) in faults(op)


@dataclass(frozen=True)
class _KeptPairing(Contract):
    """The axis of the second operand keeps its name, although the first one's is summed over."""

    name: ClassVar[str] = "test_kept_pairing"

    def infer(self, operands):
        shape = super().infer(operands).shape
        return TensorType((*shape[:-1], operands[1].shape[1]), operands[0].dtype)


def test_a_name_that_stays_beside_a_sum_over_examples_is_found():
    op = declare_faulty(_KeptPairing, "contract", sample("f64[2,1]", "f64[2,2]", over=(0, 0)))
    assert (
        "sample 0, f64: the result of f64[examples=2,1], f64[2,examples=2] is said to be "
        "f64[1,examples=2], and its i-th example is made of others than the i-th"
    ) in faults(op)


def test_a_composite_does_not_keep_the_name_of_an_axis_that_its_body_mixes():
    composite(
        "test_centred",
        arity=1,
        body=lambda b, x: x - b.reshape(b.mean(x, axes=(0,)), shape=(1, x.shape[1])),
        formula="y = x - mean x",
        samples=(sample("f64[2,3]"),),
    )
    check_op("test_centred")
    kinds = {}
    for text in ("f64[B=2,3]", "f64[2,B=3]"):
        kinds[text] = str(bind("test_centred").infer((TensorType.parse(text),)))
    assert kinds == {"f64[B=2,3]": "f64[2,3]", "f64[2,B=3]": "f64[2,B=3]"}


@dataclass(frozen=True)
class _UnshiftedAxis(Cumsum):
    """A rule that forgets that the examples stand in front."""

    name: ClassVar[str] = "test_unshifted_axis"

    def batched(self, b, batch):
        return b.cumsum(*batch.operands, axis=self.axis, reverse=self.reverse)


def test_a_rule_that_mixes_examples_is_found():
    op = declare_faulty(_UnshiftedAxis, "cumsum", sample("f64[2,2]", axis=0))
    lines = faults(op)
    assert all(line.startswith("sample 0, f64, examples in operands 0, example ") for line in lines)
    assert {line.split(": ")[1].split(" should be ")[0] for line in lines} >= {"y[1, 0]", "y[0, 1]"}


@dataclass(frozen=True)
class _ExamplesBehind(Transpose):
    name: ClassVar[str] = "test_examples_behind"

    def batched(self, b, batch):
        return b.transpose(*batch.operands, axes=(*(axis + 1 for axis in self.axes), 0))


def test_a_rule_that_leaves_the_examples_behind_is_found():
    op = declare_faulty(_ExamplesBehind, "transpose", sample("f64[3,4]", axes=(1, 0)))
    assert faults(op) == [
        "sample 0, f64, examples in operands 0: the batching rule gives [4, 3, 2]"
    ]


@dataclass(frozen=True)
class _FailingRule(Sum):
    name: ClassVar[str] = "test_failing_rule"

    def batched(self, b, batch):
        return b.sum(*batch.operands, axes=(5,))


def test_a_rule_that_fails_is_found():
    op = declare_faulty(_FailingRule, "sum", sample("f64[2]", axes=(0,)))
    assert faults(op)[0] == (
        "sample 0, f64, examples in operands 0: the batching rule fails: "
        "sum got axes [5] of a value of shape [2,2]."
    )


@dataclass(frozen=True)
class _LargestIsNoSum(Amax):
    name: ClassVar[str] = "test_largest_is_no_sum"
    adds: ClassVar[bool] = True


def test_an_op_that_says_it_adds_and_does_not_is_found():
    op = declare_faulty(_LargestIsNoSum, "amax", sample("f64[3,2]", axis=0))
    assert faults(op) == [
        "sample 0, f64: of f64[examples=3,2] the examples' results do not add up to the whole"
    ]


def test_an_op_without_a_rule_cannot_be_declared_by_accident():
    class Incomplete(Op):
        name: ClassVar[str] = "test_incomplete"
        arity: ClassVar[int | None] = 1

        def infer(self, operands):
            return operands[0]

        def pullback(self, b, call, d_y):
            return [d_y]

        def terms(self, operands, index):
            raise NotImplementedError

        def formula(self):
            return "y = x"

    with pytest.raises(GraphError) as caught:
        declare(Incomplete, samples=(sample("f64[2]"),))
    assert str(caught.value) == "The op test_incomplete lacks batched. Write it in Incomplete."
