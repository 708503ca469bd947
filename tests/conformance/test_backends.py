"""Every backend runs every op, in every dtype, within bounds that rounding derives."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from chainrule.backends import BACKENDS, Backend, get_backend
from chainrule.base.errors import ConformanceError, MissingKernelError
from chainrule.ops import OPS, declare, elementwise
from chainrule.ops.reduce import Sum
from chainrule.ops.samples import sample
from chainrule.testing import check_backend
from tests.testing.faulty import tables

__all__ = ["tables"]  # a fixture


@pytest.mark.parametrize("backend", BACKENDS)
def test_backend_conforms(backend):
    check_backend(backend)


@pytest.fixture
def few(monkeypatch):
    """A table of a few ops, since what is wrong with one of them is found as fast."""
    names = ["sum", "argmax", "add", "neg", "tanh", "is_finite", "gather", "transpose"]
    monkeypatch.setattr(OPS, "_things", {name: OPS.get(name) for name in names})


class Altered(Backend):
    """NumPy, with what a function makes of the results of one op."""

    name = arithmetic = "altered"

    def __init__(self, op, alter):
        self.op = op
        self.alter = alter

    def run(self, graph, inputs):
        results = get_backend("numpy").run(graph, inputs)
        if any(node.op == self.op for node in graph.nodes):
            results = [self.alter(result) for result in results]
        return results

    def compile(self, step, wiring, threads=None):
        raise NotImplementedError


def faults(backend):
    with pytest.raises(ConformanceError) as caught:
        check_backend(backend)
    first, *lines = str(caught.value).splitlines()
    assert first == f"The backend {backend.name} does not conform:"
    return [line.strip() for line in lines]


def test_missing_kernels_are_listed(few):
    class Bare(Altered):
        def run(self, graph, inputs):
            if graph.nodes[-1].op in ("gather", "tanh"):
                raise MissingKernelError("none")
            return super().run(graph, inputs)

    assert faults(Bare("", None)) == ["no kernel for: tanh, gather."]


def test_an_op_without_a_kernel_is_listed(tables):
    elementwise("test_op", value=lambda s, x: s.exp(x), partials=(lambda s, x, y: y,), samples=(1,))
    # An elementwise op needs no kernel of its own.

    @dataclass(frozen=True)
    class New(Sum):
        name: ClassVar[str] = "test_sum"

    declare(New, samples=(sample("f64[3]", axes=(0,)),))
    assert faults(get_backend("numpy")) == ["no kernel for: test_sum."]


@pytest.mark.parametrize(
    ("op", "alter", "fault"),
    [
        (
            "tanh",
            lambda y: y * y.dtype.type(1.00001),
            "tanh, sample 0, f32: y[0] should be -1.0 ± 4.8e-7; got -1.000010013580322",
        ),
        (
            "sum",
            lambda y: y.astype(np.float64) if y.dtype == np.float32 else y,
            "sum, sample 0, f32: the result should be f32[B=3]; got float64[3]",
        ),
        (
            "argmax",
            lambda y: y + 1,
            "argmax, sample 0, f32: y[0] should be 2; got 3",
        ),
        (
            "is_finite",
            np.logical_not,
            "is_finite, sample 0, f32: y[0] should be True; got False",
        ),
        (
            "transpose",
            lambda y: y[..., ::-1],
            "transpose, sample 0, f32: y[0, 0] should be 0.",
        ),
        (
            "neg",
            lambda y: y + y.dtype.type(1) if y.dtype == np.uint32 else y,
            "neg, sample 0, u32: y[0] should be 4294967293; got 4294967294",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value in OPS else "",
)  # fmt: skip
def test_a_wrong_result_is_named_with_its_element(few, op, alter, fault):
    assert any(line.startswith(fault) for line in faults(Altered(op, alter)))


def test_many_faults_are_counted(few):
    lines = faults(Altered("add", lambda y: y * 0 + 7))
    assert len(lines) == 21
    assert lines[-1].startswith("and ")
