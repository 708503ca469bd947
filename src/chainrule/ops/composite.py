"""Composites: a graph of smaller ops that is printed, differentiated and explained as one node.

A backend may have a kernel for a composite, and otherwise runs its body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from chainrule.base.errors import ChainruleError, GraphError
from chainrule.graph import Attributes, AttributeValue, DType, Graph, TensorType
from chainrule.ops.batching import batch_body, type_of_result
from chainrule.ops.builder import Builder, Value
from chainrule.ops.expression import Apply, Element, Expression, Fold, Literal, read
from chainrule.ops.samples import BadSample, Sample
from chainrule.ops.table import OPS, Batch, Call, Declaration, Op, Operands, bind

Body = Callable[..., Value]
Pullback = Callable[..., "Sequence[Value | None]"]


@dataclass(frozen=True, eq=False)
class Composite(Declaration):
    """The declaration of a composite; `composite` makes it."""

    name: str
    arity: int | None
    body: Body
    pullback: Pullback | None
    formula: str
    samples: Sequence[Sample]
    bad_samples: Sequence[BadSample]
    source: str

    def bind(self, attributes: Mapping[str, AttributeValue]) -> CompositeOp:
        return CompositeOp(self, Attributes(attributes))


@dataclass(frozen=True)
class CompositeOp(Op):
    """A composite with its attributes bound."""

    declaration: Composite
    attributes: Attributes

    arity: ClassVar[int | None] = None

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name in the op table."""
        return self.declaration.name

    @property
    def has_pullback(self) -> bool:
        """Whether a pullback was chosen by hand; otherwise the body is differentiated."""
        return self.declaration.pullback is not None

    def body(self, operands: Operands) -> Graph:
        """The body for operands of these types, with one output, ``y``."""
        return _body(self, operands)

    def infer(self, operands: Operands) -> TensorType:
        return type_of_result(self.body(operands))

    def pullback(self, b: Builder, call: Call, d_y: Value) -> Sequence[Value | None]:
        if self.declaration.pullback is None:
            raise GraphError(f"{self.name} has no pullback of its own: differentiate its body")
        return self.declaration.pullback(b, call, d_y, **self.attributes)

    def batched(self, b: Builder, batch: Batch) -> Value:
        pairs = zip(batch.operands, batch.example_shapes, strict=True)
        types = tuple(TensorType(shape, value.dtype) for value, shape in pairs)
        return batch_body(b, self.body(types), batch)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        body = self.body(operands)
        return unfold(body, body.labels["y"], index)

    def formula(self) -> str:
        return self.declaration.formula


# Types hash by size alone, so the batch axis's name is part of the key as text.
@lru_cache(maxsize=1024)
def _cached_body(op: CompositeOp, operands: Operands, printed: str) -> Graph:
    b = Builder()
    inputs = [b.input(operand, f"x{i}") for i, operand in enumerate(operands)]
    try:
        y = op.declaration.body(b, *inputs, **op.attributes)
    except ChainruleError:  # a DTypeError is a TypeError, too
        raise
    except TypeError as error:
        raise GraphError(f"{op.name} does not take these attributes: {error}") from None
    return b.build(op.name, {"y": y})


def _body(op: CompositeOp, operands: Operands) -> Graph:
    return _cached_body(op, operands, " ".join(map(str, operands)))


def unfold(body: Graph, position: int, index: tuple[int, ...]) -> Expression:
    """One element of a body's value as arithmetic on elements of the body's inputs."""
    return _Unfolding(body).element(position, index)


class _Unfolding:
    """Terms of a body's value, in elements of the body's inputs: each element is visited once."""

    def __init__(self, body: Graph) -> None:
        self.body = body
        self.known: dict[_Where, Expression] = {}

    def element(self, position: int, index: tuple[int, ...]) -> Expression:
        stack: list[_Where] = [(position, index)]
        while stack:
            where = stack[-1]
            if where in self.known:
                stack.pop()
                continue
            node = self.body.nodes[where[0]]
            if node.op == "input":
                self.known[where] = Element(*where)
                continue
            operands = tuple(self.body.nodes[i].type for i in node.inputs)
            terms = bind(node.op, node.attributes).terms(operands, where[1])
            replacement = _Replacement(node.inputs, self.known)
            replaced = read(terms, replacement)
            if not replacement.missing:
                self.known[where] = replaced
            stack.extend(replacement.missing)
        return self.known[position, index]


_Where = tuple[int, tuple[int, ...]]  # a node of the body, and an index in its value


class _Replacement:
    """Reads the terms of one node with what is known of its operands' elements."""

    def __init__(self, inputs: tuple[int, ...], known: Mapping[_Where, Expression]) -> None:
        self.inputs = inputs
        self.known = known
        self.missing: list[_Where] = []

    def leaf(self, leaf: Expression) -> Expression:
        match leaf:
            case Element(operand, index):
                where = (self.inputs[operand], index)
                if where not in self.known:
                    self.missing.append(where)
                    return leaf
                return self.known[where]
            case Literal():
                return leaf
        raise GraphError(f"{type(leaf).__name__} has no place in an op's terms")

    def apply(self, op: str, arguments: Sequence[Expression], dtype: DType | None) -> Expression:
        return Apply(op, tuple(arguments), dtype)

    def fold(self, op: str, items: Sequence[Expression], order: str) -> Expression:
        return Fold(op, tuple(items), order)


def composite(
    name: str,
    *,
    arity: int | None,
    body: Body,
    formula: str,
    samples: Sequence[Sample],
    bad_samples: Sequence[BadSample] = (),
    pullback: Pullback | None = None,
    source: str = "",
) -> Composite:
    """Declare a composite: the one place where it is written.

    Parameters
    ----------
    name : str
    arity : int or None
        Number of operands; None for any.
    body : callable
        ``(b, *operands, **attributes)`` to the result, built with the builder `b`.
    formula : str
    samples, bad_samples
        As for any op.
    pullback : callable, optional
        ``(b, call, d_y, **attributes)`` to the operands' cotangents, chosen by hand where it
        keeps digits or saves work; tests hold it equal to the body's.
    source : str
        Paper and equation.
    """
    declaration = Composite(name, arity, body, pullback, formula, samples, bad_samples, source)
    OPS.register(name, declaration)
    return declaration
