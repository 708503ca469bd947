"""What a step's values must be, given the values they were computed from, and how far off.

Each op is done again in double precision, on numbers that one side of a comparison stored, and
with each result comes how far rounding may have moved it: running error analysis [Higham 2002,
§3.3], to first order. So rounding noise is told from a difference: whatever came in with the
operands, the result has to follow from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from chainrule.backends.numpy.backend import make_kernel
from chainrule.backends.numpy.kernels import UFUNCS
from chainrule.explanation.trace import Array
from chainrule.graph import Attributes, AttributeValue, DType, Graph, Node, TensorType
from chainrule.ops import CompositeOp, Custom, ElementwiseOp, bind
from chainrule.ops.expression import Element, Expression, Literal, read
from chainrule.testing.enclosure import MAX_ULPS, allowed_ulps

_CORRECT = 0.5  # of a unit in the last place: no float is nearer
_TWICE = 2  # two computations, each with an error of its own

ANOTHER_FORMULA = _TWICE * MAX_ULPS
"""What another formula for a function may be off, in units in the last place of its terms."""


@dataclass(frozen=True)
class Estimate:
    """Numbers in double precision, and how far from them what was computed may be.

    Parameters
    ----------
    value : array
    error : array or float
        Of a truth value: 1 where it may be the other one.
    additions : int
        Of a sum: how many there are on the way of a term. What is added to it may be added first.
    """

    value: Array
    error: Any = 0.0
    additions: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether nothing but the number itself will do."""
        return not np.any(self.error)


@dataclass(frozen=True)
class Rounding:
    """How results are rounded by whoever computed them.

    Parameters
    ----------
    coarse : dtype or None
        The one that all floats may have been rounded to, where two sides computed in different
        ones; None: each value in its node's.
    by_node : bool
        Whether each node rounded on its own: then an op that rounds correctly has one result.
        Others may fuse or reorder what lies between the values they tell.
    """

    coarse: np.dtype[Any] | None = None
    by_node: bool = True

    def ulp(self, value: Array, dtype: DType) -> Array:
        """A unit in the last place, half for each of two computations."""
        kind = self._kind(dtype)
        with np.errstate(all="ignore"):
            gap = np.spacing(np.abs(value).astype(kind)).astype(np.float64)
        return np.where(np.isfinite(gap), gap, 0.0)

    def of_literal(self, value: float, dtype: DType) -> Estimate:
        """A number that a formula or a graph has in it."""
        if not dtype.is_float or isinstance(value, bool):
            return Estimate(np.asarray(value))
        exact = np.asarray(float(dtype.numpy.type(value)))
        return Estimate(exact, self.ulp(exact, dtype) if self.coarse is not None else 0.0)

    def rounded(self, value: Array, error: Any, dtype: DType, *, is_exact: bool) -> Estimate:
        """The result of an op that rounds correctly, or has nothing to round."""
        kind = self._kind(dtype)
        with np.errstate(all="ignore"):
            nearest = np.asarray(value).astype(kind).astype(np.float64)
        if self.by_node and self.coarse is None and not np.any(error):
            # float64 has digits enough that rounding twice is rounding once  [Figueroa 1995].
            return Estimate(nearest)
        value = np.where(np.isinf(nearest), nearest, value)
        return Estimate(value, error if is_exact else error + self.ulp(value, dtype))

    def overflown(self, value: Array, dtype: DType) -> Array:
        """The value, infinite where its dtype has no number of this size."""
        with np.errstate(all="ignore"):
            nearest = np.asarray(value).astype(self._kind(dtype))
        return np.where(np.isinf(nearest), nearest.astype(np.float64), value)

    def _kind(self, dtype: DType) -> np.dtype[Any]:
        return self.coarse if self.coarse is not None else np.dtype(dtype.numpy)


def excess(stored: Array, found: Estimate) -> tuple[float, tuple[int, ...], float]:
    """How far stored numbers are from an estimate, in units of what is allowed, and where.

    Returns
    -------
    float
        Above 1 where they are too far; infinite where a bound of 0 is missed, or NaN met a number.
    tuple of int
        Where it is largest.
    float
        What is allowed there.
    """
    stored, value = np.asarray(stored), found.value
    if not stored.size:
        return 0.0, (0,) * stored.ndim, 0.0
    error = np.broadcast_to(np.asarray(found.error, np.float64), stored.shape)
    if stored.dtype.kind != "f":
        wrong = np.asarray((stored != value) & (error == 0))
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), stored.shape))
        return (float("inf") if wrong.any() else 0.0), index, 0.0
    with np.errstate(all="ignore"):
        wide = stored.astype(np.float64)
        nearest = np.asarray(value).astype(stored.dtype).astype(np.float64)
        equal = (wide == value) | (wide == nearest) & ((error > 0) | np.isinf(wide))
        equal |= np.isnan(wide) & np.isnan(value)
        away = np.abs(wide - value)
        ratio = np.where(equal, 0.0, np.where(error > 0, away / error, np.inf))
        ratio = np.where(np.isnan(ratio), np.where(np.isinf(error), 0.0, np.inf), ratio)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(ratio)), ratio.shape))
    return float(ratio[index]), index, float(error[index])


def estimate(
    node: Node, types: tuple[TensorType, ...], operands: Sequence[Estimate], rounding: Rounding
) -> Estimate:
    """Apply a node's op to estimates of its operands."""
    op = bind(node.op, node.attributes)
    with np.errstate(all="ignore"):
        if not any(kind.dtype.is_float for kind in types):
            found = _as_it_is(op, node, types, operands, rounding)
        elif isinstance(op, CompositeOp | Custom):
            body = op.body(types) if isinstance(op, CompositeOp) else op.body
            found = _inside(body, operands, rounding)
        elif isinstance(op, ElementwiseOp):
            terms = op.terms(types, (0,) * len(node.shape))
            floats = [kind.dtype for kind in types if kind.dtype.is_float]
            found = read(terms, _Reader(operands, floats[0], rounding))
            if not rounding.by_node and not op.declaration.is_primitive:
                found = _by_another_formula(found, operands, rounding, floats[0])
        else:
            found = _structural(op, node, types, operands, rounding)
    value = np.broadcast_to(found.value, node.shape)
    return replace(found, value=value)


def _by_another_formula(
    found: Estimate, operands: Sequence[Estimate], rounding: Rounding, dtype: DType
) -> Estimate:
    """A function that somebody else may write with terms as large as its operands.

    What cancels among them is lost, as in x·(1 + erf(x/√2))/2 where x is far below zero.
    """
    sizes = [np.abs(e.value) for e in (found, *operands) if e.value.dtype.kind == "f"]
    largest = reduce(np.maximum, sizes)
    return replace(found, error=found.error + ANOTHER_FORMULA * rounding.ulp(largest, dtype))


def _as_it_is(
    op: Any,
    node: Node,
    types: tuple[TensorType, ...],
    operands: Sequence[Estimate],
    rounding: Rounding,
) -> Estimate:
    """What is made of no floats: it must not be widened, or random bits would be others."""
    if isinstance(op, CompositeOp):
        found = _inside(op.body(types), operands, rounding)
        return found
    arrays = [estimate.value for estimate in operands]
    if isinstance(op, ElementwiseOp):
        uncertain = [estimate for estimate in operands if not estimate.is_exact]
        value = read(op.terms(types, (0,) * len(node.shape)), _Exactly(arrays))
        if not uncertain:
            return Estimate(value)
        flipped = [
            np.logical_not(a) if e.value.dtype == np.bool_ and not e.is_exact else a
            for a, e in zip(arrays, operands, strict=True)
        ]
        other = read(op.terms(types, (0,) * len(node.shape)), _Exactly(flipped))
        doubt = np.logical_or.reduce(np.broadcast_arrays(*(e.error != 0 for e in uncertain)))
        return Estimate(value, ((other != value) & doubt).astype(np.float64))
    value = make_kernel(node, types)(*arrays)
    if node.op == "constant" and node.dtype.is_float:
        return rounding.of_literal(float(value), node.dtype)
    error = 0.0
    if node.op == "cast" and not operands[0].is_exact:
        error = operands[0].error
    return Estimate(widened(value), error)


def _inside(body: Graph, operands: Sequence[Estimate], rounding: Rounding) -> Estimate:
    """The result of a composite's body."""
    known = dict(zip(body.inputs, operands, strict=True))
    for i, node in enumerate(body.nodes):
        if i not in known:
            types = tuple(body.nodes[j].type for j in node.inputs)
            known[i] = estimate(node, types, [known[j] for j in node.inputs], rounding)
    return known[body.outputs[0].node]


def _structural(
    op: Any,
    node: Node,
    types: tuple[TensorType, ...],
    operands: Sequence[Estimate],
    rounding: Rounding,
) -> Estimate:
    """A sum of products of its operands' elements, or a move of them."""
    kernel = make_kernel(
        _widened(node), tuple(TensorType(t.shape, _double(t.dtype)) for t in types)
    )
    floats = [kind.dtype.is_float for kind in types]

    def on(change: Any) -> Array:
        pairs = zip(operands, floats, strict=True)
        return np.asarray(kernel(*(change(e) if is_float else e.value for e, is_float in pairs)))

    value = on(lambda e: e.value)
    if not node.dtype.is_float:
        return Estimate(value)
    error: Any = 0.0
    # With positive numbers nothing cancels: sizes and errors add up as terms do. What chooses
    # instead of adding, as the largest does, moves no further than what it chooses from.
    size = on(lambda e: np.abs(e.value))
    if not all(e.is_exact for e, is_float in zip(operands, floats, strict=True) if is_float):
        grown = on(lambda e: np.abs(e.value) + e.error) - size
        up = np.abs(on(lambda e: e.value + e.error) - value)
        down = np.abs(on(lambda e: e.value - e.error) - value)
        error = np.nan_to_num(np.fmax(grown, np.fmax(up, down)), nan=0.0, posinf=np.inf)
    terms = on(lambda e: np.ones_like(e.value))
    roundings = np.maximum(terms - 1, 0) + (sum(floats) - 1 if op.adds else 0)
    if np.any(roundings):
        error = error + _sum_bound(roundings, size, rounding, node.dtype)
    if node.op == "cast":
        return rounding.rounded(value, error, node.dtype, is_exact=False)
    additions = int(np.max(roundings, initial=0))
    return Estimate(rounding.overflown(value, node.dtype), error, additions)


def _sum_bound(roundings: Array, size: Array, rounding: Rounding, dtype: DType) -> Array:
    """2γₙ Σ|tᵢ|: n roundings on each term's way, in two orders   [Higham 2002, eq. 3.5]."""
    precision: Any = np.finfo(rounding.coarse or dtype.numpy)
    unit, smallest = float(precision.eps) / 2, float(precision.smallest_subnormal)
    shares = roundings * unit
    gamma = np.where(shares < 0.5, shares / (1 - np.minimum(shares, 0.5)), np.inf)
    bound = 2 * gamma * np.where(np.isfinite(size), size, 0.0)
    return np.where(roundings > 0, bound + roundings * smallest, 0.0)


@dataclass(frozen=True)
class _Exactly:
    """Reads a formula of integers and truth values."""

    arrays: Sequence[Array]

    def leaf(self, leaf: Expression) -> Any:
        if isinstance(leaf, Element):
            return self.arrays[leaf.input]
        assert isinstance(leaf, Literal)
        kinds = [array.dtype for array in self.arrays if array.dtype != np.bool_]
        return np.asarray(leaf.value, kinds[0] if kinds else None)

    def apply(self, op: str, arguments: Sequence[Any], dtype: DType | None) -> Any:
        return arguments[0].astype(dtype.numpy) if dtype else UFUNCS[op](*arguments)

    def fold(self, op: str, items: Sequence[Any], order: str) -> Any:
        raise NotImplementedError(f"an elementwise formula with a long {op}")


@dataclass(frozen=True)
class _Reader:
    """Reads an elementwise formula as estimates: whole arrays at once."""

    operands: Sequence[Estimate]
    dtype: DType
    rounding: Rounding

    def leaf(self, leaf: Expression) -> Estimate:
        match leaf:
            case Element(operand):
                return self.operands[operand]
            case Literal(value):
                return self.rounding.of_literal(value, self.dtype)
        raise TypeError(f"{type(leaf).__name__} has no place in an op's terms")

    def apply(self, op: str, arguments: Sequence[Estimate], dtype: DType | None) -> Estimate:
        values = [argument.value for argument in arguments]
        if dtype is not None:
            value = np.asarray(values[0], _double(dtype).numpy)
            return Estimate(value, arguments[0].error)
        function = UFUNCS[op]
        value = np.asarray(function(*values))
        moved = [
            np.asarray(function(*values[:i], other, *values[i + 1 :]))
            for i, argument in enumerate(arguments)
            if not argument.is_exact
            for other in _neighbours(argument)
        ]
        if value.dtype.kind != "f":
            doubt = [np.asarray(other != value) for other in moved]
            unsure: Any = np.logical_or.reduce(np.broadcast_arrays(*doubt)) if doubt else 0.0
            return Estimate(value, np.asarray(unsure, np.float64) if doubt else 0.0)
        error: Any = 0.0
        for above, below in zip(moved[::2], moved[1::2], strict=True):
            reach = np.fmax(np.abs(above - value), np.abs(below - value))
            error = error + np.nan_to_num(reach, nan=0.0, posinf=np.inf)
        ulps = allowed_ulps(op)
        if ulps <= _CORRECT:
            additions = sum(argument.additions for argument in arguments)
            if additions and op == "add" and not self.rounding.by_node:
                # Others begin a sum with the bias: all the additions round its size, too.
                size = np.abs(values[0]) + np.abs(values[1])
                error = error + _sum_bound(np.asarray(additions), size, self.rounding, self.dtype)
            return self.rounding.rounded(value, error, self.dtype, is_exact=not ulps)
        value = self.rounding.overflown(value, self.dtype)
        return Estimate(value, error + _TWICE * ulps * self.rounding.ulp(value, self.dtype))

    def fold(self, op: str, items: Sequence[Estimate], order: str) -> Estimate:
        total = items[0]
        for item in items[1:]:
            total = self.apply(op, [total, item], None)
        return total


def _neighbours(argument: Estimate) -> tuple[Array, Array]:
    """The ends of what an estimate may be."""
    if argument.value.dtype == np.bool_:
        flipped = np.where(argument.error != 0, ~argument.value, argument.value)
        return flipped, argument.value
    return argument.value + argument.error, argument.value - argument.error


def widened(array: Array) -> Array:
    """Floats in double precision, anything else as it is."""
    array = np.asarray(array)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _double(dtype: DType) -> DType:
    return DType.F64 if dtype.is_float else dtype


def _widened(node: Node) -> Node:
    attributes: dict[str, AttributeValue] = {
        key: _double(value) if isinstance(value, DType) else value
        for key, value in node.attributes.items()
    }
    return replace(node, dtype=_double(node.dtype), attributes=Attributes(attributes))
