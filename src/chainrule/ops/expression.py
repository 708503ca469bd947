"""Scalar expressions: one formula as data, read by every backend, proof and page.

An elementwise op's value and partials are expressions over its inputs; what a structural op
says of one output element (`Op.terms`) is an expression over elements of its inputs. Whoever
needs a formula *reads* it: NumPy with arrays, a graph builder with nodes, a test with mpmath
numbers, a person as text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from chainrule.graph import DType

V = TypeVar("V")


class Expression:
    """A scalar formula. Arithmetic operators build larger ones."""

    __slots__ = ()

    def __add__(self, other: Operand) -> Expression:
        return apply("add", self, other)

    def __radd__(self, other: Operand) -> Expression:
        return apply("add", other, self)

    def __sub__(self, other: Operand) -> Expression:
        return apply("sub", self, other)

    def __rsub__(self, other: Operand) -> Expression:
        return apply("sub", other, self)

    def __mul__(self, other: Operand) -> Expression:
        return apply("mul", self, other)

    def __rmul__(self, other: Operand) -> Expression:
        return apply("mul", other, self)

    def __truediv__(self, other: Operand) -> Expression:
        return apply("div", self, other)

    def __rtruediv__(self, other: Operand) -> Expression:
        return apply("div", other, self)

    def __neg__(self) -> Expression:
        return apply("neg", self)


Operand = Expression | float | int | bool
OVER = "over "
"""How the order of a fold begins in which one item stands for all."""


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Expression):
    """A number written in the formula; it takes the dtype of what it meets."""

    value: float | int | bool


@dataclass(frozen=True, slots=True, eq=False)
class Symbol(Expression):
    """An argument of an elementwise formula: ``x``, or ``y`` for the op's own result."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Element(Expression):
    """One element of an op's input: which input, and the index in it."""

    input: int
    index: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Apply(Expression):
    """A primitive of the op table applied to expressions.

    `dtype` is given where the primitive changes it (``cast``); otherwise it is None.
    """

    op: str
    arguments: tuple[Expression, ...]
    dtype: DType | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fold(Expression):
    """Many expressions combined by one associative primitive, in a declared order.

    Parameters
    ----------
    op : str
        ``"add"`` or ``"max"``.
    items : sequence of Expression
        May be lazy: a sequence that makes its items when asked.
    order : str
        ``"front_to_back"``, or ``"sixteen"``: 16 interleaved partial sums combined by a
        fixed tree, the order of a sum over a contiguous axis. In a rule for any element one item
        stands for all: then it is `OVER` and the names of the variables, ``"over k, l"``.
    """

    op: str
    items: Sequence[Expression]
    order: str = "front_to_back"


class Lazy(Sequence[Expression]):
    """Expressions made when they are looked at: a sum of a million products costs nothing."""

    def __init__(self, length: int, make: Callable[[int], Expression]) -> None:
        self._length = length
        self._make = make

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self._make(i) for i in range(*position.indices(self._length))]
        if not -self._length <= position < self._length:
            raise IndexError(position)
        return self._make(position % self._length)


def apply(op: str, *arguments: Operand, dtype: DType | None = None) -> Expression:
    """Apply the primitive `op`; plain numbers become literals."""
    return Apply(op, tuple(map(as_expression, arguments)), dtype)


def as_expression(operand: Operand) -> Expression:
    """Return `operand`, a plain number as a `Literal`."""
    return operand if isinstance(operand, Expression) else Literal(operand)


class Reader(Protocol[V]):
    """Gives the parts of an expression a meaning: numbers, arrays, graph nodes, text."""

    def leaf(self, leaf: Expression) -> V:
        """Read a `Literal`, `Symbol` or `Element`."""
        ...

    def apply(self, op: str, arguments: Sequence[V], dtype: DType | None) -> V:
        """Read a primitive applied to values already read."""
        ...

    def fold(self, op: str, items: Sequence[V], order: str) -> V:
        """Read many values combined in a declared order."""
        ...


def read(expression: Expression, reader: Reader[V]) -> V:
    """Read `expression` with `reader`; a part that is used twice is read once."""
    # A stack, not recursion: a gather from 5,000 rows is 5,000 choices deep.
    # The memo holds the expression beside its value: an id is unique only among the living.
    memo: dict[int, tuple[Expression, V]] = {}
    stack: list[tuple[Expression, Sequence[Expression] | None]] = [(expression, None)]
    while stack:
        part, children = stack.pop()
        if id(part) in memo:
            continue
        if not isinstance(part, Apply | Fold):
            memo[id(part)] = (part, reader.leaf(part))
        elif children is None:
            # Lazy items are made anew at each look: these stay until they have been read.
            made = part.arguments if isinstance(part, Apply) else list(part.items)
            stack.append((part, made))
            stack.extend((child, None) for child in reversed(made))
        else:
            values = [memo[id(child)][1] for child in children]
            if isinstance(part, Apply):
                memo[id(part)] = (part, reader.apply(part.op, values, part.dtype))
            else:
                memo[id(part)] = (part, reader.fold(part.op, values, part.order))
    return memo[id(expression)][1]


def fold_in_order(items: Sequence[V], combine: Callable[[V, V], V], order: str) -> V:
    """Combine `items`, at least one, in a declared order.

    ``front_to_back`` is ((a+b)+c)+d. ``sixteen`` keeps 16 interleaved partial results, item i
    going to partial i mod 16, and halves them: p0+p8 ... p7+p15, then p0+p4 ..., to one.
    """
    if order == "front_to_back":
        return functools.reduce(combine, items)
    if order != "sixteen":
        raise ValueError(f"expected the order front_to_back or sixteen; got {order!r}")
    partials = [functools.reduce(combine, items[k::16]) for k in range(min(16, len(items)))]
    width = 8
    while width:
        for k in range(width):
            if k + width < len(partials):
                partials[k] = combine(partials[k], partials[k + width])
        width //= 2
    return partials[0]
