"""The op table: every op by name, each declared once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from chainrule.base.errors import GraphError, ShapeError
from chainrule.base.registry import Registry
from chainrule.graph import AttributeValue, Graph, Node, Shape, TensorType, verify_graph

if TYPE_CHECKING:
    from chainrule.ops.builder import Builder, Value
    from chainrule.ops.expression import Expression
    from chainrule.ops.samples import BadSample, Sample

Operands = tuple[TensorType, ...]


@dataclass(frozen=True)
class Call:
    """An op's application as its pullback sees it.

    Parameters
    ----------
    inputs : tuple of Value
        The primal operands.
    output : Value
        The primal result.
    wanted : tuple of bool
        Which operands' cotangents are asked for; the others may be returned as None.
    """

    inputs: tuple[Value, ...]
    output: Value
    wanted: tuple[bool, ...]


@dataclass(frozen=True)
class Batch:
    """An op's operands for several examples at once, as its batching rule sees them.

    Parameters
    ----------
    operands : tuple of Value
    mapped : tuple of bool
        Which operands have the examples along one more axis, in front of their own; the others
        are the same for all examples. One of them has, at least.
    """

    operands: tuple[Value, ...]
    mapped: tuple[bool, ...]

    @property
    def examples(self) -> int:
        """The axis of examples."""
        return self.operands[self.mapped.index(True)].shape[0]

    @property
    def example_shapes(self) -> tuple[Shape, ...]:
        """The operands' shapes for one example."""
        pairs = zip(self.operands, self.mapped, strict=True)
        return tuple(value.shape[1:] if mapped else value.shape for value, mapped in pairs)

    def repeated(self, b: Builder, value: Value) -> Value:
        """A value that is the same for all examples, once for each."""
        return b.broadcast(value, shape=(self.examples, *value.shape))

    def all_mapped(self, b: Builder) -> tuple[Value, ...]:
        """The operands, each with the examples in front."""
        pairs = zip(self.operands, self.mapped, strict=True)
        return tuple(value if mapped else self.repeated(b, value) for value, mapped in pairs)


class Op(ABC):
    """An op with its attributes bound: ``Sum(axes=(1,))``.

    A structural op is a frozen dataclass that derives from this class; its fields are its
    attributes. Elementwise ops and composites derive once, for all of their kind.
    """

    name: ClassVar[str]
    arity: ClassVar[int | None]
    """The number of operands; None where any number from one up is meant."""
    adds: ClassVar[bool] = False
    """Whether elements along the axes that leave are added up.

    Then, by the sum rule, the result for a batch is the sum of those for its examples.
    """

    @abstractmethod
    def infer(self, operands: Operands) -> TensorType:
        """The shape rule: the type of the result.

        An axis keeps its name only where element i along it is made of the i-th elements along
        the operands' axes of that name.

        Raises
        ------
        ShapeError, DTypeError
            If the op does not apply to these operands.
        """

    @abstractmethod
    def pullback(self, b: Builder, call: Call, d_y: Value) -> Sequence[Value | None]:
        """Build the operands' cotangents from the result's; None: no derivative flows there."""

    @abstractmethod
    def batched(self, b: Builder, batch: Batch) -> Value:
        """Build the op applied to each example of a batch, with the examples in front.

        Raises
        ------
        GraphError
            If there is no way to.
        """

    @abstractmethod
    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        """One element of the result as arithmetic on elements of the operands."""

    def terms_of_found(self, operands: Operands, index: tuple[int, ...], found: int) -> Expression:
        """`terms` of an integer that is known to be `found`, in fewer operations if there are.

        They give `found` if and only if `terms` do.
        """
        return self.terms(operands, index)

    @abstractmethod
    def formula(self) -> str:
        """The op as a line of mathematics."""


class Source(Op):
    """An op without operands: nothing flows back, and there are no examples to tell apart."""

    arity: ClassVar[int | None] = 0

    def pullback(self, b: Builder, call: Call, d_y: Value) -> Sequence[Value | None]:
        return []

    def batched(self, b: Builder, batch: Batch) -> Value:
        raise GraphError(f"{self.name} has no operands: it is the same for all examples")


class Declaration(ABC):
    """What the table holds of an op: how to bind it, and what proves it."""

    name: str
    arity: int | None
    samples: Sequence[Sample]
    bad_samples: Sequence[BadSample]
    source: str

    @abstractmethod
    def bind(self, attributes: Mapping[str, AttributeValue]) -> Op:
        """Return the op with these attributes.

        Raises
        ------
        GraphError
            If it has no such attribute, or lacks one.
        """


OPS: Registry[Declaration] = Registry("op")


def bind(name: str, attributes: Mapping[str, AttributeValue] | None = None) -> Op:
    """Look `name` up and bind its attributes."""
    return OPS.get(name).bind(attributes or {})


def infer_type(node: Node, operands: Operands) -> TensorType:
    """The type that the op table gives a node; the rule `verify_graph` asks for.

    Raises
    ------
    GraphError
        If the op takes another number of operands.
    ShapeError, DTypeError
        If the op does not apply to them.
    """
    declaration = OPS.get(node.op)
    if declaration.arity is not None and declaration.arity != len(operands):
        raise GraphError(f"{node.op} takes {declaration.arity} operands; got {len(operands)}")
    return declaration.bind(node.attributes).infer(operands)


def verify(graph: Graph) -> Graph:
    """Return `graph` if it is well formed and every type is what the op table says.

    Raises
    ------
    GraphError, ShapeError, DTypeError
    """
    verify_graph(graph, infer_type)
    return graph


@dataclass(frozen=True)
class Structural(Declaration):
    """The declaration of an op that is a class of its own."""

    op: type[Op]
    samples: Sequence[Sample]
    bad_samples: Sequence[BadSample]
    source: str

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.op.name

    @property
    def arity(self) -> int | None:  # type: ignore[override]
        return self.op.arity

    def bind(self, attributes: Mapping[str, AttributeValue]) -> Op:
        try:
            return self.op(**attributes)
        except TypeError as error:
            raise GraphError(f"{self.name} does not take these attributes: {error}") from None


def declare(
    op: type[Op],
    *,
    samples: Sequence[Sample],
    bad_samples: Sequence[BadSample] = (),
    source: str = "",
) -> None:
    """Enter a structural op into the table.

    Parameters
    ----------
    op : type
        A frozen dataclass that derives from `Op`.
    samples : sequence of Sample
        What every backend is tested on, in value and in derivative.
    bad_samples : sequence of BadSample
        What the shape rule refuses, with its message.
    source : str
        Paper and equation, where there is one.

    Raises
    ------
    GraphError
        If a method is missing: the shape rule, the pullback, the batching rule ....
    """
    missing = ", ".join(sorted(op.__abstractmethods__))
    if missing:
        raise GraphError(f"The op {op.name} lacks {missing}", advice=f"Write it in {op.__name__}")
    OPS.register(op.name, Structural(op, samples, bad_samples, source))


def normalize_axis(axis: int, rank: int, op: str) -> int:
    """Count `axis` from the front.

    Raises
    ------
    ShapeError
        If there is no such axis.
    """
    if not -rank <= axis < rank:
        raise ShapeError(f"{op} got axis {axis} of a value with {rank} axes")
    return axis % rank
