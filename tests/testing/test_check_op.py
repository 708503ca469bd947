"""The conformance of ops: every kind of fault is found, and named."""

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from chainrule.backends import get_backend
from chainrule.backends.numpy import KERNELS
from chainrule.backends.numpy.kernels import UFUNCS
from chainrule.base.errors import ConformanceError, MissingKernelError
from chainrule.graph import TensorType
from chainrule.ops import (
    ZERO,
    Kink,
    composite,
    declare,
    elementwise,
    primitive,
)
from chainrule.ops.elementwise import Interval
from chainrule.ops.expression import Element, Fold
from chainrule.ops.reduce import Sum
from chainrule.ops.samples import bad_sample, sample
from chainrule.ops.shape import Reshape
from chainrule.testing import check_op, exact
from tests.testing.faulty import (
    declare_faulty,
    forgotten_transpose,
    missing_sum,
    one_sided_product,
    swapped_operands,
    tables,
    wrong_factor,
)

__all__ = ["tables"]  # a fixture


def faults(op):
    with pytest.raises(ConformanceError) as caught:
        check_op(op)
    first, *lines = str(caught.value).splitlines()
    assert first == f"The op {op} does not conform:"
    return lines


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("plant", "element"),
    [
        (wrong_factor, "sample 0, f64: ∂y[3]/∂x0[3] is 0.0706508248532 by the terms, "),
        (swapped_operands, "sample 0, f64: ∂y[0]/∂x0[0] is -2 by the terms, 1.5 by the pullback"),
        (missing_sum, "sample 0, f64: ∂y[]/∂x0[1] is 1 by the terms, 0 by the pullback"),
        (forgotten_transpose, "sample 0, f64: ∂y[0, 0, 1]/∂x0["),
        (one_sided_product, "sample 0, f64: ∂y[0, 0]/∂x1[0, 0] is "),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_planted_fault_is_found_at_its_element(plant, element):
    lines = faults(plant())
    assert lines[0].strip().startswith(element)


@pytest.mark.usefixtures("tables")
def test_both_oracles_find_a_wrong_factor():
    lines = faults(wrong_factor())
    assert any("by the terms" in line for line in lines)
    assert any("by differences" in line for line in lines)


@pytest.mark.usefixtures("tables")
def test_a_wrong_second_derivative_is_found():
    # Right to first order: the partial of x³ is 3x², but the partial of *that* is planted wrong.
    elementwise(
        "test_square",
        value=lambda s, x: x * x,
        partials=(lambda s, x, y: 3 * x,),
        samples=(2.0,),
    )
    elementwise(
        "test_cube",
        value=lambda s, x: x * x * x,
        partials=(lambda s, x, y: 3 * s.test_square(x),),
        samples=(2.0,),
    )
    (line, *_) = faults("test_cube")
    u = "∂(Σ u·∂y/∂x0[0])/∂x0[0]"
    assert line.strip().startswith(f"sample 0, f64: {u} is ")


@pytest.mark.usefixtures("tables")
def test_a_wrong_value_is_found():
    @dataclass(frozen=True)
    class Double(Sum):
        name: ClassVar[str] = "test_double"

    KERNELS.register("test_double", lambda op, operands: lambda x: x.sum(op.axes, x.dtype) * 2)
    declare(Double, samples=(sample("f64[3]", axes=(0,)),))
    assert re.fullmatch(
        r"  sample 0, f32: y\[\] should be .* ± .*; got .*", faults("test_double")[0]
    )


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("exact", "The oracle of 50 digits has no function for the primitive test_new."),
        ("enclosure", "The oracle has no image of an interval under the primitive test_new."),
    ],
)
def test_a_primitive_that_the_oracle_does_not_know_is_an_error(monkeypatch, file, message):
    monkeypatch.setitem(UFUNCS, "test_new", np.cbrt)
    primitive("test_new", partials=(lambda s, x, y: y / (3 * x),), samples=(0.5, 1.0))
    elementwise(
        "test_user",
        value=lambda s, x: s.test_new(x + 1),
        partials=(lambda s, x, y: y / (3 * (x + 1)),),
        samples=(0.5,),
    )
    if file == "enclosure":
        known = {**exact._functions(), "test_new": exact.context().cbrt}
        monkeypatch.setattr(exact, "_functions", lambda: known)
    with pytest.raises(MissingKernelError) as caught:
        check_op("test_user")
    assert str(caught.value) == f"{message} Add one in chainrule/testing/{file}.py."


@pytest.mark.usefixtures("tables")
def test_a_shape_rule_that_is_not_the_kernels_is_found():
    @dataclass(frozen=True)
    class Flat(Reshape):
        name: ClassVar[str] = "test_flat"

        def infer(self, operands):
            return TensorType((1, *self.shape), operands[0].dtype)

    name = declare_faulty(Flat, "reshape", sample("f64[2,3]", shape=(6,)))
    assert faults(name)[0] == "  sample 0, f32: the result should be f32[1,6]; got float32[6]"


@pytest.mark.usefixtures("tables")
def test_terms_that_are_not_what_the_kernel_computes_are_found():
    @dataclass(frozen=True)
    class FirstTwo(Sum):
        name: ClassVar[str] = "test_first_two"

        def terms(self, operands, index):
            return Fold("add", [Element(0, (0,)), Element(0, (1,))])

    name = declare_faulty(FirstTwo, "sum", sample("f64[3]", axes=(0,)))
    assert faults(name)[0].startswith("  sample 0, f32: y[] should be ")


@pytest.mark.usefixtures("tables")
def test_bad_operands_that_are_accepted_are_found():
    @dataclass(frozen=True)
    class Lenient(Sum):
        name: ClassVar[str] = "test_lenient"

    bad = (
        bad_sample("never.", "f64[3]", axes=(0,)),
        bad_sample("no such axis.", "f64[3]", axes=(1,)),
    )
    name = declare_faulty(Lenient, "sum", sample("f64[3]", axes=(0,)), bad_samples=bad)
    assert faults(name) == [
        "  bad sample 0 is accepted, as f64[]",
        (
            "  bad sample 1 is refused with 'test_lenient got axes [1] of a value of shape [3].', "
            "not 'no such axis.'."
        ),
    ]


@pytest.mark.usefixtures("tables")
def test_a_kink_with_another_derivative_than_declared_is_found():
    elementwise(
        "test_kink",
        value=lambda s, x: s.max(x, 0),
        partials=(lambda s, x, y: s.select(s.greater(x, 0), 1, 0),),
        kinks=(Kink((0.0,), (0.5,)),),
        samples=(-1.0, 2.0),
    )
    assert faults("test_kink") == [
        "  at the kink (0.0,) the partials are [0.0], not [0.5]",
        "  at the kink (0.0,) the partials are [0.0], not [0.5].",
    ]


@pytest.mark.usefixtures("tables")
def test_a_chosen_pullback_that_is_not_the_bodys_is_found():
    composite(
        "test_composite",
        arity=1,
        body=lambda b, x: b.exp(x) * 2.0,
        pullback=lambda b, call, d_y: [d_y * call.output * 0.5],
        formula="y = 2·exp(x)",
        samples=(sample("f64[2]"),),
    )
    lines = faults("test_composite")
    assert any("by the chosen pullback and" in line for line in lines)


@pytest.mark.usefixtures("tables")
def test_a_zero_that_is_no_zero_is_found():
    elementwise("test_zero", value=lambda s, x: x * x, partials=(ZERO,), samples=(1.0, -2.0))
    assert "∂y[0]/∂x0[0] is 2 by the terms, 0 by the pullback" in faults("test_zero")[0]


@pytest.mark.usefixtures("tables")
def test_a_faultless_op_conforms():
    elementwise(
        "test_cubic",
        value=lambda s, x: x * x * x,
        partials=(lambda s, x, y: 3 * x * x,),
        domain=Interval(-10, 10),
        samples=(-2.0, 0.0, 1.5),
    )
    check_op("test_cubic", get_backend("numpy"))
