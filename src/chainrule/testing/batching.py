"""Hold an op to what it says of batches: that examples stay apart, and how each goes by itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends import Backend
from chainrule.base.errors import ChainruleError, GraphError, ShapeError
from chainrule.graph import Axis, DType, TensorType
from chainrule.ops import Batch, Builder, Op, Value
from chainrule.ops.batching import move_to_front, named_like
from chainrule.ops.expression import Apply, Element, Expression, Fold
from chainrule.testing.cases import Case
from chainrule.testing.values import bound_op, indices, result_faults

Array = NDArray[Any]

_EXAMPLES = 2


def batching_faults(case: Case, backend: Backend) -> Iterator[str]:
    """Say what is wrong with an op's named axes and its batching rule, on one case."""
    yield from _name_faults(case)
    yield from _rule_faults(case, backend)
    yield from _sum_faults(case, backend)


# --- names: element i belongs to example i ----------------------------------------------------


@dataclass(frozen=True)
class _Named:
    """An op on operands one axis of which, of some of them, is that of the examples.

    `places` holds for each operand which axis, and how many elements along it are each example's;
    or None.
    """

    op: Op
    types: tuple[TensorType, ...]
    places: tuple[tuple[int, int] | None, ...]
    axis: Axis

    @property
    def result(self) -> TensorType:
        return self.op.infer(self.types)

    @property
    def shown(self) -> str:
        return ", ".join(map(str, self.types))


def _named(case: Case) -> Iterator[_Named]:
    """Every way in which axes, at most one of each operand, hold the same number of examples."""
    op, operands = bound_op(case)
    types = [TensorType(tuple(map(int, kind.shape)), kind.dtype) for kind in operands]
    for places in itertools.product(*((None, *_places(kind)) for kind in types)):
        chosen = list(zip(types, places, strict=True))
        counts = {kind.shape[at[0]] // at[1] for kind, at in chosen if at is not None}
        if len(counts) == 1:
            named = tuple(_with_axis(kind, at) for kind, at in chosen)
            yield _Named(op, named, places, Axis("examples", counts.pop()))


def _places(kind: TensorType) -> list[tuple[int, int]]:
    """Axes, each as one of examples of one element, and of two where that is possible."""
    return [(i, each) for i, size in enumerate(kind.shape) for each in (1, 2) if size % each == 0]


def _with_axis(kind: TensorType, at: tuple[int, int] | None) -> TensorType:
    if at is None:
        return kind
    place, each = at
    axis = Axis("examples", kind.shape[place], each)
    return TensorType((*kind.shape[:place], axis, *kind.shape[place + 1 :]), kind.dtype)


def _name_faults(case: Case) -> Iterator[str]:
    for named in _named(case):
        found = named_like(named.axis, named.result.shape)
        if len(found) == 1 and not _is_apart(named, found[0]):
            yield (
                f"{case.label}: the result of {named.shown} is said to be {named.result}, and its "
                "i-th example is made of others than the i-th"
            )


def _is_apart(named: _Named, place: int) -> bool:
    result = named.result
    whole = result.shape[place]
    assert isinstance(whole, Axis)
    for index in indices(result):
        example = index[place] // whole.each
        for element in _elements(named.op.terms(named.types, index)):
            at = named.places[element.input]
            if at is not None and element.index[at[0]] // at[1] != example:
                return False
    return True


def _elements(expression: Expression) -> Iterator[Element]:
    stack = [expression]
    while stack:
        match stack.pop():
            case Element() as element:
                yield element
            case Apply(_, arguments):
                stack.extend(arguments)
            case Fold(_, items):
                stack.extend(items)


# --- the rule: each example by itself ---------------------------------------------------------


def _rule_faults(case: Case, backend: Backend) -> Iterator[str]:
    """What the rule makes of several examples is what the op makes of each."""
    if not case.arrays:
        return
    op, operands = bound_op(case)
    several = [_examples(array) for array in case.arrays]
    for mapped in itertools.product((False, True), repeat=len(operands)):
        if not any(mapped):
            continue
        arrays = [many if m else many[0] for many, m in zip(several, mapped, strict=True)]
        which = ", ".join(str(i) for i, m in enumerate(mapped) if m)
        what = f"{case.label}, examples in operands {which}"
        try:
            result = _run_batch(op, arrays, mapped, backend)
        except GraphError:
            continue  # and said so
        except ChainruleError as error:
            yield f"{what}: the batching rule fails: {error}"
            continue
        if result.shape != (_EXAMPLES, *case.result.shape):
            yield f"{what}: the batching rule gives {list(result.shape)}"
            continue
        for i in range(_EXAMPLES):
            one = tuple(x[i] if m else x for x, m in zip(arrays, mapped, strict=True))
            alone = replace(case, label=f"{what}, example {i}", arrays=one)
            (expected,) = backend.run(case.graph, list(one))
            if not np.array_equal(expected, result[i], equal_nan=expected.dtype.kind == "f"):
                yield from result_faults(alone, result[i])


def _examples(array: Array) -> Array:
    """The array, and one with the same elements in other places."""
    return np.stack([array, *(np.roll(array, i).copy() for i in range(1, _EXAMPLES))])


def _run_batch(op: Op, arrays: Sequence[Array], mapped: Sequence[bool], backend: Backend) -> Array:
    b = Builder()
    values = _inputs(b, arrays)
    y = op.batched(b, Batch(tuple(values), tuple(mapped)))
    return backend.run(b.build("batch", {"y": y}), list(arrays))[0]


def _inputs(b: Builder, arrays: Sequence[Array]) -> list[Value]:
    return [b.input(TensorType(x.shape, DType.of(x.dtype)), f"x{i}") for i, x in enumerate(arrays)]


# --- ops that add: a batch is the sum of its examples -----------------------------------------


def _sum_faults(case: Case, backend: Backend) -> Iterator[str]:
    """Where an axis of examples leaves, the result is the sum of those for each example."""
    op, _ = bound_op(case)
    if not op.adds or not case.result.dtype.is_float:
        return
    # Small whole numbers: their products and sums round nowhere, in whatever order.
    whole = [np.rint(4 * x) if x.dtype.kind == "f" else x for x in case.arrays]
    (expected,) = backend.run(case.graph, whole)
    for named in _named(case):
        if named_like(named.axis, named.result.shape):
            continue
        mapped = tuple(at is not None for at in named.places)
        b = Builder()
        split = [
            x if at is None else _split(b, x, *at)
            for x, at in zip(_inputs(b, whole), named.places, strict=True)
        ]
        try:
            y = op.batched(b, Batch(tuple(split), mapped))
        except ShapeError:
            continue  # examples are paired with what holds none: refused, not summed
        (parts,) = backend.run(b.build("batch", {"y": y}), whole)
        total = parts.sum(axis=0, dtype=parts.dtype)
        if total.shape != expected.shape or not np.array_equal(total, expected):
            yield f"{case.label}: of {named.shown} the examples' results do not add up to the whole"


def _split(b: Builder, x: Value, place: int, each: int) -> Value:
    """The examples one by one: what each has along the axis where they were."""
    before, after = x.shape[:place], x.shape[place + 1 :]
    apart = b.reshape(x, shape=(*before, x.shape[place] // each, each, *after))
    return move_to_front(b, apart, place)
