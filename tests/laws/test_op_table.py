"""Every op is declared whole: samples, refusals, kinks, an oracle for each primitive."""

import dataclasses
import importlib
import itertools
import pkgutil

import numpy as np
import pytest

import chainrule.ops
from chainrule.backends import get_backend
from chainrule.graph import TensorType
from chainrule.ops import OPS, Builder, Elementwise
from chainrule.ops.elementwise import REALS, Indicator, Marker
from chainrule.ops.expression import read
from chainrule.testing.cases import cases
from chainrule.testing.exact import exact_function

ELEMENTWISE = {name: op for name, op in OPS.items() if isinstance(op, Elementwise)}

# Whatever they are given, they take it.
ACCEPTS_EVERYTHING = {"constant", "cast"}


@pytest.mark.parametrize("op", OPS)
def test_every_op_has_samples(op):
    assert OPS.get(op).samples
    assert list(cases(op))


@pytest.mark.parametrize("op", OPS)
def test_every_op_has_operands_that_it_must_refuse(op):
    declaration = OPS.get(op)
    unary = isinstance(declaration, Elementwise) and declaration.arity == 1
    assert declaration.bad_samples or unary or op in ACCEPTS_EVERYTHING


@pytest.mark.parametrize("op", [name for name, op in ELEMENTWISE.items() if op.kinks])
def test_samples_lie_on_both_sides_of_each_kink(op):
    declaration = ELEMENTWISE[op]
    points = list(zip(*(x.values for x in declaration.samples[0].inputs), strict=True))
    for kink in declaration.kinks:
        # A kink of one operand is a point; of two, where they tie.
        sides = {
            np.sign(point[0] - (point[1] if len(point) == 2 else kink.at[0])) for point in points
        }
        assert {-1, 1} <= sides
        assert 0 not in sides, "a sample lies on the kink, where differences have no meaning"


@pytest.mark.parametrize("op", [name for name, op in ELEMENTWISE.items() if op.kinks])
def test_at_a_declared_kink_the_value_or_its_slope_jumps(op):
    step = 2.0**-20
    for kink in ELEMENTWISE[op].kinks:
        smooth = []
        for i in range(len(kink.at)):
            before, here, behind = (
                value(op, [x + k * step * (i == j) for j, x in enumerate(kink.at)])
                for k in (-1, 0, 1)
            )
            # NaN on one side is where the op's domain ends. Where these functions are smooth their
            # second derivatives are below 10, so that slopes differ by 1e-5.
            steady = abs(behind - before) < 0.1
            smooth.append(steady and abs((behind - here) - (here - before)) < 0.1 * step)
        assert not all(smooth), f"{op} is smooth at {kink.at}"


# Their formulas go on where the op has no meaning; what uses them refuses such operands.
GOES_ON = {"focal"}


@pytest.mark.parametrize("op", [n for n, op in ELEMENTWISE.items() if op.domain is not REALS])
def test_an_op_is_a_number_in_its_domain_and_nowhere_else(op):
    domain = ELEMENTWISE[op].domain
    others = [0.5] * (ELEMENTWISE[op].arity - 1)
    for end, outwards in ((domain.low, -1), (domain.high, 1)):
        if np.isinf(end):
            continue
        with np.errstate(all="ignore"):
            inside, at, outside = (
                value(op, [end + step * outwards, *others]) for step in (-1e-3, 0.0, 1e-3)
            )
        assert np.isfinite(inside)
        assert np.isfinite(at) == domain.closed
        assert np.isnan(outside) or op in GOES_ON


def value(op, point):
    b = Builder()
    inputs = [b.input(TensorType.parse("f64[]"), f"x{i}") for i in range(len(point))]
    graph = b.build(op, {"y": b.apply(op, *inputs)})
    return get_backend("numpy").run(graph, [np.float64(x) for x in point])[0]


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_every_partial_is_a_formula_or_says_why_not(op):
    declaration = ELEMENTWISE[op]
    assert len(declaration.partials) == declaration.arity
    for i, partial in enumerate(declaration.partials):
        assert isinstance(partial, Marker | Indicator) or callable(partial)
        if not isinstance(partial, Marker):
            for word in words(declaration.bind({}).partial(i)):
                assert word in ELEMENTWISE


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_every_value_is_written_in_primitives(op):
    # A backend has kernels for primitives; a formula with another op in it could not run.
    for word in words(ELEMENTWISE[op].bind({}).value):
        assert ELEMENTWISE[word].is_primitive


@pytest.mark.parametrize("op", [name for name, op in ELEMENTWISE.items() if op.is_primitive])
def test_every_primitive_has_a_function_in_the_oracle(op):
    exact_function(op)


def test_no_two_ops_have_the_same_notation():
    shown = [op.notation for op in ELEMENTWISE.values()]
    assert not [text for text, group in itertools.groupby(sorted(shown)) if len(list(group)) > 1]


class Words:
    """Collects the ops that a formula is written with."""

    def __init__(self):
        self.found = set()

    def leaf(self, leaf):
        return None

    def apply(self, op, arguments, dtype):
        self.found.add(op)

    def fold(self, op, items, order):
        raise AssertionError("an elementwise formula has no sums")


def words(expression):
    reader = Words()
    read(expression, reader)
    return reader.found


DATA = {
    thing
    for module in pkgutil.iter_modules(chainrule.ops.__path__)
    for thing in vars(importlib.import_module(f"chainrule.ops.{module.name}")).values()
    if dataclasses.is_dataclass(thing) and isinstance(thing, type)
}


@pytest.mark.parametrize("data", sorted(DATA, key=str), ids=lambda data: data.__name__)
def test_what_is_declared_does_not_change(data):
    assert data.__dataclass_params__.frozen
