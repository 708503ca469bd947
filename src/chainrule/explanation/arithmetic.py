"""Compute one number again from what it was computed from, in the arithmetic that made it.

It reads `Op.terms`, the formula that is shown, and rounds after each operation as the backend does.
A number of native code comes out with the same bits. NumPy adds in an order of its own, and its
elementary functions differ by some units in the last place between an array and a scalar: there a
bound comes with the number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

import numpy as np

from chainrule.backends import get_backend
from chainrule.backends.numpy.kernels import UFUNCS
from chainrule.base.random import derive, row_bits
from chainrule.explanation.inside import body_of, choices_inside
from chainrule.explanation.long_sums import operands_of_long_sum
from chainrule.explanation.trace import Array, Index, Place
from chainrule.graph import DType, Graph, Node, TensorType
from chainrule.ops import OPS, Builder, Elementwise, bind
from chainrule.ops.expression import Apply, Element, Expression, Fold, Literal, fold_in_order, read

Scalar = Any
Lookup = Callable[[int, Index], "Rounded"]
_Stored = tuple[Sequence[Array], Array]  # the values of a node's operands, and its own

# NumPy's elementary functions stay within 4 units in the last place, for an array and for a scalar.
_LIBRARY_ULPS = 8


@dataclass(frozen=True)
class Rounded:
    """A number computed again, and how far from it the stored one may be."""

    value: Scalar
    bound: float = 0.0

    def explains(self, stored: Scalar) -> bool:
        """Whether the stored number is what was computed again, bit for bit or within the bound."""
        if np.array_equal(self.value, stored, equal_nan=True):
            signs = np.asarray(self.value), np.asarray(stored)
            return bool(self.bound or self.value != self.value or _bits(*signs))
        return bool(abs(float(self.value) - float(stored)) <= self.bound)


def _bits(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def recompute(computed_by: str, graph: Graph, values: Sequence[Array], place: Place) -> Rounded:
    """Compute one element of a node again, from the stored values of its operands.

    Parameters
    ----------
    computed_by : str
        The arithmetic of the backend that stored them.
    graph : Graph
    values : sequence of array
        Of every node, by position.
    place : Place
        In a node that is no input.
    """
    node = graph.nodes[place.node]
    arrays = [values[i] for i in node.inputs]
    types = tuple(graph.nodes[i].type for i in node.inputs)
    with np.errstate(all="ignore"):
        many = operands_of_long_sum(graph, values, place)
        if many is not None:
            return _long_sum(computed_by, node, types, many, place.index)
        stored = (arrays, values[place.node])
        return _element(
            computed_by, node, types, lambda i, at: Rounded(arrays[i][at]), place.index, stored
        )


def _element(
    computed_by: str,
    node: Node,
    types: tuple[TensorType, ...],
    look_up: Lookup,
    index: Index,
    stored: _Stored | None,
) -> Rounded:
    op = bind(node.op, node.attributes)
    body = body_of(node, types)
    if body is not None:
        inner = None if stored is None else choices_inside(body, stored[0])
        return _inside(computed_by, body, look_up, body.outputs[0].node, index, inner)
    if stored is not None and node.dtype.is_integer:
        terms = op.terms_of_found(types, index, int(stored[1][index]))
    else:
        terms = op.terms(types, index)
    reader = _Reader(computed_by, node.dtype, look_up)
    if node.op == "contract" and isinstance(terms, Fold):
        return reader.accumulate(
            [read(argument, reader) for argument in item.arguments]
            for item in terms.items
            if isinstance(item, Apply)  # a contraction is made of products
        )
    found = read(terms, reader)
    if isinstance(found.value, np.generic):
        return found
    return Rounded(node.dtype.numpy.type(found.value))  # a number of the formula, by itself


def _long_sum(
    computed_by: str,
    node: Node,
    types: tuple[TensorType, ...],
    factors: Sequence[Array],
    index: Index,
) -> Rounded:
    """A sum of very many elements, or products, as `_element` computes it."""
    reader = _Reader(computed_by, node.dtype, lambda i, at: Rounded(0.0))
    if node.op == "contract":
        return reader.accumulate([Rounded(a) for a in each] for each in zip(*factors, strict=True))
    terms = bind(node.op, node.attributes).terms(types, index)
    order = terms.order if isinstance(terms, Fold) else "front_to_back"
    return reader.fold("add", [Rounded(item) for item in factors[0]], order)


def _inside(
    computed_by: str,
    body: Graph,
    look_up: Lookup,
    position: int,
    index: Index,
    values: Sequence[Array] | None,
) -> Rounded:
    """Compute one element of a composite's body: each one that it needs, once.

    `values` are those of the body's nodes, where integers are found there by a search.
    """
    known: dict[tuple[int, Index], Rounded] = {}
    missing: list[tuple[int, Index]] = []

    def ask(operand: tuple[int, Index]) -> Rounded:
        node, at = operand
        if body.nodes[node].op == "input":
            return look_up(node, at)
        if operand not in known:
            missing.append(operand)
            return Rounded(body.nodes[node].dtype.numpy.type(0))
        return known[operand]

    stack = [(position, index)]
    while stack:
        where = stack[-1]
        if where in known or body.nodes[where[0]].op == "input":
            stack.pop()
            continue
        node = body.nodes[where[0]]
        types = tuple(body.nodes[i].type for i in node.inputs)
        stored = None if values is None else ([values[i] for i in node.inputs], values[where[0]])
        found = _element(computed_by, node, types, _asking(ask, node), where[1], stored)
        if missing:
            stack.extend(missing)
            missing.clear()
        else:
            known[where] = found
    return ask((position, index))


def _asking(ask: Callable[[tuple[int, Index]], Rounded], node: Node) -> Lookup:
    return lambda operand, at: ask((node.inputs[operand], at))


@dataclass(frozen=True)
class _Reader:
    """Reads terms as numbers of a dtype, each operation rounded."""

    computed_by: str
    dtype: DType
    look_up: Lookup

    @property
    def backend(self) -> str:
        return self.computed_by.partition(" ")[0]

    @property
    def is_ordered(self) -> bool:
        """Whether sums are added in their declared order."""
        return self.backend == "native"

    def leaf(self, leaf: Expression) -> Rounded:
        match leaf:
            case Element(operand, index):
                return self.look_up(operand, index)
            case Literal(value):
                return Rounded(value)
        raise TypeError(f"{type(leaf).__name__} has no place in an op's terms")

    def apply(self, op: str, arguments: Sequence[Rounded], dtype: DType | None) -> Rounded:
        numbers = [argument.value for argument in arguments]
        if op != "random_bits":
            numbers = typed(numbers, self.dtype)
        if dtype is not None:
            return Rounded(np.asarray(numbers[0]).astype(dtype.numpy)[()], arguments[0].bound)
        value = primitive(self.backend, op, numbers)
        if not self.dtype.is_float or self.is_ordered:
            return Rounded(value)
        bound = 0.0 if _is_correctly_rounded(op) else _LIBRARY_ULPS * _ulp(value)
        if value == 0 and _chooses(op):
            # Which zero NumPy gives depends on the processor, and on how many numbers there are.
            bound = float(np.finfo(value.dtype).smallest_subnormal)
        if value.dtype == np.bool_ or op == "select":
            bound = arguments[-1].bound if op == "select" else 0.0
            if op == "select":
                bound = arguments[1 if numbers[0] else 2].bound
            return Rounded(value, bound)
        for i, argument in enumerate(arguments):
            if argument.bound:
                bound += _ulp(value) + max(
                    abs(float(primitive(self.backend, op, _moved(numbers, i, d))) - float(value))
                    for d in (-argument.bound, argument.bound)
                )
        return Rounded(value, bound)

    def fold(self, op: str, items: Sequence[Rounded], order: str) -> Rounded:
        if not items:
            return Rounded(self.dtype.numpy.type(0))
        combine = np.add if op == "add" else lambda a, b: primitive(self.backend, op, [a, b])
        numbers = typed([item.value for item in items], self.dtype)
        value = fold_in_order(numbers, combine, order)
        if self.is_ordered or not self.dtype.is_float:
            return Rounded(value)
        inherited = sum(item.bound for item in items)
        if op != "add":
            return Rounded(value, inherited)
        return Rounded(value, inherited + _sum_bound(self.dtype, numbers))

    def accumulate(self, factors: Iterable[Sequence[Rounded]]) -> Rounded:
        """The sum of the products of a contraction."""
        fused = self.computed_by.endswith(" fma")
        total: Scalar = None
        products, inherited = [], 0.0
        for first, second in factors:
            a, b = first.value, second.value
            if not self.is_ordered:
                products.append(a * b)
                inherited += abs(float(a)) * second.bound + abs(float(b)) * first.bound
            if total is None:
                total = a * b
            else:
                total = _fused(a, b, total) if fused else total + a * b
        if total is None:
            return Rounded(self.dtype.numpy.type(0))
        bound = 0.0 if self.is_ordered else inherited + _sum_bound(self.dtype, products)
        return Rounded(total, bound)


def typed(numbers: Sequence[Scalar], otherwise: DType) -> list[Scalar]:
    """Numbers, those that are written in a formula in the dtype of what they meet."""
    met = [number.dtype for number in numbers if isinstance(number, np.generic)]
    dtype = next((d for d in met if d != np.bool_), otherwise.numpy)
    return [
        number
        if isinstance(number, np.generic)
        else np.bool_(number)
        if isinstance(number, bool)
        else dtype.type(number)
        for number in numbers
    ]


def _moved(numbers: list[Scalar], position: int, by: float) -> list[Scalar]:
    moved = list(numbers)
    moved[position] = numbers[position].dtype.type(float(numbers[position]) + by)
    return moved


def _ulp(value: Scalar) -> float:
    return float(np.spacing(abs(value))) if np.isfinite(value) else 0.0


def _sum_bound(dtype: DType, items: Sequence[Scalar]) -> float:
    """2γₙ Σ|tᵢ|: two orders of adding n terms, each product rounded   [Higham 2002, eq. 3.5].

    And the smallest numbers, where products underflow; a sum that starts at 0 turns -0 into 0.
    """
    precision: Any = np.finfo(dtype.numpy)
    unit, smallest = float(precision.eps) / 2, float(precision.smallest_subnormal)
    n = len(items) + 1
    if len(items) == 1:
        return smallest
    return 2 * n * unit / (1 - n * unit) * float(sum(abs(float(t)) for t in items)) + n * smallest


def _fused(a: Scalar, b: Scalar, c: Scalar) -> Scalar:
    """a·b + c with one rounding."""
    if not (np.isfinite(a) and np.isfinite(b) and np.isfinite(c)):
        return a * b + c
    if a.dtype == np.float64:
        exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        return np.float64(float(exact)) if exact else a * b + c
    # The product is exact in float64. The sum is rounded to odd there, so that rounding it once
    # more to float32 is as if it had been rounded only once   [Boldo and Melquiond 2008].
    p, wide = float(a) * float(b), float(c)
    total = p + wide
    back = total - p
    error = (p - (total - back)) + (wide - back)  # exact [Knuth 1969]
    if error and not np.float64(total).view(np.int64) & 1:
        total = float(np.nextafter(total, np.inf if error > 0 else -np.inf))
    return np.float32(total)


def primitive(backend: str, op: str, arguments: Sequence[Scalar]) -> Scalar:
    """Apply one primitive of the op table to NumPy scalars, as a backend does."""
    if op == "random_bits":  # frozen, and the same everywhere
        low, high, step, row, *stream, word = map(int, arguments)
        seed = np.array([low, high], np.uint32)
        key = derive(derive(seed, *stream), step % 2**32, step // 2**32)
        return row_bits(key, row, word + 1)[word]
    if op == "select":
        return arguments[1] if arguments[0] else arguments[2]
    if _is_the_same_everywhere(op):  # asking a backend would only take time
        return UFUNCS[op](*arguments)
    arrays = [np.asarray(argument) for argument in arguments]
    graph = _graph_of(op, tuple(DType.of(array.dtype) for array in arrays))
    return get_backend(backend).run(graph, arrays)[0][()]


def _is_correctly_rounded(op: str) -> bool:
    declaration = OPS.get(op)
    return isinstance(declaration, Elementwise) and declaration.correctly_rounded


@cache
def _is_the_same_everywhere(op: str) -> bool:
    """Whether IEEE 754 leaves no choice in it; where an op has a kink, the sign of 0 is free."""
    declaration = OPS.get(op)
    if not isinstance(declaration, Elementwise) or op not in UFUNCS:
        return False
    decides = declaration.returns is DType.BOOL
    return decides or (declaration.correctly_rounded and not declaration.kinks)


@cache
def _chooses(op: str) -> bool:
    """Whether it gives one of its operands, as a maximum does: of two zeros, either."""
    declaration = OPS.get(op)
    return isinstance(declaration, Elementwise) and bool(declaration.kinks)


@lru_cache(maxsize=1024)
def _graph_of(op: str, dtypes: tuple[DType, ...]) -> Graph:
    b = Builder()
    operands = [b.input(TensorType((), dtype), f"x{i}") for i, dtype in enumerate(dtypes)]
    return b.build(op, {"y": b.apply(op, *operands)})
