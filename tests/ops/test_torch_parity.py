"""Every op that torch has gives torch's values, gradients and second gradients.

One case is one quantity of one op, for one sample of operands in one dtype, with one choice of
attributes. Operands are those that the op declares, in several shapes that broadcast. The bound is
derived: `enclose` gives the interval in which correct rounding may leave each element of ours;
torch, whose formula may be another, is allowed as much again on either side, and what `CANCELS`
says where its formula cancels.
"""

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

from chainrule.autodiff import pullback
from chainrule.backends import get_backend
from chainrule.graph import DType, TensorType
from chainrule.ops import OPS, Elementwise, Sample, SampleInput
from chainrule.ops.composite import unfold
from chainrule.testing.cases import FLOATS, INTEGERS, cases, materialize, sample_graph
from chainrule.testing.enclosure import enclose
from tests.ops.torch_functions import (
    ATTRIBUTES,
    CANCELS,
    FOR_SECOND_GRADIENTS,
    FUNCTIONS,
    WITHOUT,
    WITHOUT_GRADIENT,
    WITHOUT_POINTS,
)

VALUE, FIRST, SECOND = "value", "gradient", "second gradient"

SHAPES = {
    1: [((7,),), ((),), ((2, 3),), ((0,),), ((1, 4, 1),)],
    2: [((7,), (7,)), ((3, 1), (4,)), ((), (5,)), ((2, 1, 3), (4, 1)), ((0, 1), (1,)), ((), ())],
    3: [((5,), (5,), (5,)), ((3, 1), (4,), ()), ((2,), (3, 1), (1,))],
}


@dataclass(frozen=True)
class Parity:
    """An op on arrays, to be compared."""

    op: str
    label: str
    sample: Sample

    @property
    def dtypes(self):
        return [operand.type.dtype for operand in self.sample.inputs]

    @cached_property
    def graph(self):
        return sample_graph(self.op, self.sample)


def samples(name):
    """The op's operands in each dtype and shape, with each choice of attributes."""
    declaration = OPS.get(name)
    if not isinstance(declaration, Elementwise):
        for case in cases(name):
            if DType.U32 not in (n.dtype for n in case.graph.nodes if n.op != "input"):
                inputs = tuple(
                    SampleInput(TensorType(a.shape, DType.of(a.dtype)), tuple(a.ravel().tolist()))
                    for a in case.arrays
                )
                attributes = dict(case.graph.nodes[-1].attributes.items())
                yield case.label, Sample(inputs, attributes)
        return
    declared = declaration.samples[0].inputs
    grid = [dict(declaration.defaults), *ATTRIBUTES.get(name, ())]
    for attributes, dtype, shapes in itertools.product(
        grid, _dtypes(declaration), SHAPES[declaration.arity]
    ):
        inputs = tuple(
            _shaped(operand, shape, dtype, position)
            for position, (operand, shape) in enumerate(zip(declared, shapes, strict=True))
        )
        given = ",".join(f"{k}={v:g}" for k, v in attributes.items())
        shown = " ".join(map(str, shapes)).replace(" ", "")
        yield " ".join(filter(None, (dtype.value, shown, given))), Sample(inputs, attributes)


def _dtypes(declaration):
    if declaration.accepts == "bool":
        return (DType.BOOL,)
    # torch's unsigned integers have no arithmetic.
    integers = tuple(kind for kind in INTEGERS if kind is not DType.U32)
    return {
        "integer": integers,
        "float": FLOATS,
        "number": FLOATS + integers,
        "any": (*FLOATS, *integers, DType.BOOL),
    }[declaration.accepts]


def _shaped(operand, shape, dtype, position):
    """The declared values in another shape; each operand begins elsewhere, so that all meet."""
    kind = DType.BOOL if operand.type.dtype is DType.BOOL else dtype
    values = np.roll(np.array(operand.values, np.float64), position)
    if kind is DType.BOOL:
        values = values > 0
    elif not kind.is_float:
        values = np.where(np.isfinite(values), np.trunc(values), 0)
        values = np.where(values > 2**31 - 1, 2**31 - 1, values)
    filled = np.resize(values, shape) if math.prod(shape) else np.zeros(shape)
    return SampleInput(TensorType(shape, kind), tuple(filled.ravel().tolist()))


CASES = [Parity(op, *sample) for op in FUNCTIONS if op in OPS for sample in samples(op)]


def has_gradient(case):
    """Whether floats go in and come out, and torch differentiates it."""
    if case.op in WITHOUT_GRADIENT:
        return False
    return any(kind.is_float for kind in case.dtypes) and case.graph.nodes[-1].dtype.is_float


def quantities():
    """All that is compared; second gradients in f32 are slow but for the first of each op.

    Their graphs are those of f64, all of which are compared: the dtype adds its rounding.
    """
    seen = set()
    for case in CASES:
        orders = (VALUE, FIRST, SECOND) if has_gradient(case) else (VALUE,)
        for order in orders:
            again = order == SECOND and DType.F32 in case.dtypes and case.op in seen
            marks = [pytest.mark.slow] if again else []
            yield pytest.param(case, order, id=f"{case.op} {case.label} {order}", marks=marks)
        if DType.F32 in case.dtypes and has_gradient(case):
            seen.add(case.op)


def ours(case, order):
    """The graph of a quantity, and the arrays it is computed from."""
    arrays = materialize(case.sample)
    graph = case.graph
    for level in range((VALUE, FIRST, SECOND).index(order)):
        back = pullback(graph)
        extra = [back.nodes[i].type for i in back.inputs[len(graph.inputs) :]]
        arrays = [*arrays, *(_direction(kind, level, i) for i, kind in enumerate(extra))]
        graph = back
    return graph, arrays


def _direction(kind, level, position):
    """A cotangent: small numbers that both dtypes hold."""
    size = math.prod(map(int, kind.shape))
    numbers = ((np.arange(size) * 5 + 3 * level + 2 * position) % 13 - 6) / 4 + 0.125
    return numbers.reshape(tuple(map(int, kind.shape))).astype(kind.dtype.numpy)


def theirs(torch, case, order, arrays):
    """The same in torch: operands, then cotangents in the order that our graphs take them."""
    count = len(case.sample.inputs)
    leaves = [torch.tensor(array) for array in arrays]
    floats = [leaf for leaf in leaves if leaf.is_floating_point()]
    for leaf in floats:
        leaf.requires_grad_(order != VALUE)
    functions = FUNCTIONS | FOR_SECOND_GRADIENTS if order == SECOND else FUNCTIONS
    y = functions[case.op](torch, *leaves[:count], **case.sample.attributes)
    if order == VALUE:
        return [y]
    wrt = [leaf for leaf in leaves[:count] if leaf.is_floating_point()]
    d_y, *others = leaves[count:]
    first = gradient(torch, [y], wrt, [d_y])
    if order == FIRST:
        return first
    return gradient(torch, first, [*wrt, d_y], others)


def gradient(torch, results, wrt, cotangents):
    """The gradients that torch has; where none flows, zeros."""
    pairs = [
        (result, cotangent)
        for result, cotangent in zip(results, cotangents, strict=True)
        if result.requires_grad
    ]
    if not pairs:
        return [torch.zeros_like(leaf) for leaf in wrt]
    found = torch.autograd.grad(
        [result for result, _ in pairs],
        wrt,
        [cotangent for _, cotangent in pairs],
        create_graph=True,
        allow_unused=True,
    )
    return [torch.zeros_like(leaf) if d is None else d for leaf, d in zip(wrt, found, strict=True)]


@pytest.mark.parametrize(("case", "order"), list(quantities()))
def test_op_is_torchs(torch, case, order):
    graph, arrays = ours(case, order)
    arrays = without_points(case, order, arrays)
    results = get_backend("numpy").run(graph, arrays)
    wanted = theirs(torch, case, order, arrays)
    assert len(results) == len(wanted)
    for output, result, tensor in zip(graph.outputs, results, wanted, strict=True):
        expected = tensor.detach().numpy(force=True)
        assert result.shape == expected.shape, output.label
        if result.dtype.kind != "f":
            np.testing.assert_array_equal(result, expected.astype(result.dtype))
            continue
        assert result.dtype == expected.dtype
        faults = [
            f"{output.label}{list(index)}: ours {result[index]!r}, torch {expected[index]!r}"
            for index in np.ndindex(result.shape)
            if not agrees(case, graph, output.node, index, arrays, result, expected)
        ]
        assert not faults, "\n".join(faults)


def without_points(case, order, arrays):
    """Where torch is known to be wrong, let it compute at the first point instead."""
    omitted = WITHOUT_POINTS.get((case.op, order), ())
    operands = arrays[: len(case.sample.inputs)]
    if not omitted or not all(a.size for a in operands):
        return arrays
    moved = [a.copy() for a in operands]
    for point in omitted:
        for a, at in zip(moved[1:], point[1:], strict=True):
            a[a == at] = 1.0
    return [*moved, *arrays[len(operands) :]]


def agrees(case, graph, node, index, arrays, result, expected):
    got, want = float(result[index]), float(expected[index])
    if got == want or (math.isnan(got) and math.isnan(want)):
        return True
    interval = enclose(unfold(graph, node, index), arrays, graph.nodes[node].dtype)
    low, high = float(interval.low), float(interval.high)
    if not math.isfinite(high - low):
        return False
    unit = float(np.finfo(result.dtype).eps) / 2
    width = high - low + CANCELS.get(case.op, 0.0) * unit
    return low - width <= want <= high + width


@pytest.mark.parametrize("order", [VALUE, FIRST, SECOND])
def test_another_function_is_not_taken_for_torchs(torch, order, monkeypatch):
    """x·(1 + 1e-5) in the place of x, in float32: one part in 100,000 is seen."""
    case = next(case for case in CASES if (case.op, case.dtypes[0]) == ("tanh", DType.F32))
    monkeypatch.setitem(FUNCTIONS, "tanh", lambda torch, x: (x * 1.00001).tanh())
    with pytest.raises(AssertionError):
        test_op_is_torchs(torch, case, order)


def test_every_op_is_compared_or_has_a_reason_not_to_be():
    missing = set(OPS) - set(FUNCTIONS) - set(WITHOUT)
    assert not missing, "give each a function of torch's, or a reason, in torch_functions.py"
    assert set(FUNCTIONS) | set(WITHOUT) <= set(OPS)
    assert not set(FUNCTIONS) & set(WITHOUT)
    assert all(WITHOUT.values())
    assert {case.op for case in CASES} == set(FUNCTIONS)
