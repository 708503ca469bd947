"""Ops with planted faults, in the op table for the time of one test."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

from chainrule.backends.numpy import KERNELS
from chainrule.ops import OPS, Builder, Call, Value, declare, elementwise
from chainrule.ops.contract import Contract
from chainrule.ops.reduce import Sum
from chainrule.ops.samples import sample
from chainrule.ops.shape import Transpose


@pytest.fixture
def tables(monkeypatch):
    """The op table and NumPy's kernels, to be written in; both are restored after the test."""
    monkeypatch.setattr(OPS, "_things", dict(OPS._things))
    monkeypatch.setattr(KERNELS, "_things", dict(KERNELS._things))


def declare_faulty(op: type, kernel: str, *samples: object, **declaration: object) -> str:
    """Enter `op` with the kernel of the op it was made from; return its name."""
    KERNELS.register(op.name, KERNELS.get(kernel))
    declare(op, samples=samples, **declaration)
    return op.name


def wrong_factor() -> str:
    """tanh whose partial is 1.001 times too large, beyond 1.5 only."""
    elementwise(
        "test_wrong_factor",
        value=lambda s, x: s.tanh(x),
        partials=(
            lambda s, x, y: (1 + y) * (1 - y) * s.select(s.greater(x, 1.5), 1.001, 1),
        ),
        samples=(-1.0, 0.5, 1.0, 2.0),
    )  # fmt: skip
    return "test_wrong_factor"


def swapped_operands() -> str:
    """A product whose partials are each other's."""
    elementwise(
        "test_swapped",
        operands="a b",
        value=lambda s, a, b: a * b,
        partials=(lambda s, a, b, y: a, lambda s, a, b, y: b),
        samples=((1.5, -2.0), (0.5, 3.0)),
    )
    return "test_swapped"


@dataclass(frozen=True)
class _MissingSum(Sum):
    """A sum whose cotangent goes to the first element alone."""

    name: ClassVar[str] = "test_missing_sum"

    def pullback(self, b: Builder, call: Call, d_y: Value) -> Sequence[Value | None]:
        size = call.inputs[0].shape[0]
        first = b.equal(b.iota(shape=(size,), axis=0, dtype=d_y.dtype), b.constant(0.0, d_y.dtype))
        return [b.select(first, d_y, b.constant(0.0, d_y.dtype))]


def missing_sum() -> str:
    return declare_faulty(_MissingSum, "sum", sample("f64[3]", axes=(0,)))


@dataclass(frozen=True)
class _ForgottenTranspose(Transpose):
    """A transpose whose pullback repeats it instead of undoing it."""

    name: ClassVar[str] = "test_forgotten_transpose"

    def pullback(self, b: Builder, call: Call, d_y: Value) -> Sequence[Value | None]:
        return [b.transpose(d_y, axes=self.axes)]


def forgotten_transpose() -> str:
    return declare_faulty(_ForgottenTranspose, "transpose", sample("f64[2,2,2]", axes=(1, 2, 0)))


@dataclass(frozen=True)
class _OneSided(Contract):
    """A product that hands its whole cotangent to the left operand's rule twice."""

    name: ClassVar[str] = "test_one_sided"

    def pullback(self, b: Builder, call: Call, d_y: Value) -> Sequence[Value | None]:
        d_left, _ = Contract(self.over, self.batch).pullback(b, call, d_y)
        return [d_left, d_left]


def one_sided_product() -> str:
    return declare_faulty(_OneSided, "contract", sample("f64[2,2]", "f64[2,2]", over=(1, 0)))
