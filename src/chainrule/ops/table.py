"""The op table: every op by name, each declared once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from chainrule.base.errors import GraphError, ShapeError
from chainrule.base.registry import Registry
from chainrule.graph import AttributeValue, Graph, Node, TensorType, verify_graph

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


class Op(ABC):
    """An op with its attributes bound: ``Sum(axes=(1,))``.

    A structural op is a frozen dataclass that derives from this class; its fields are its
    attributes. Elementwise ops and composites derive once, for all of their kind.
    """

    name: ClassVar[str]
    arity: ClassVar[int | None]
    """The number of operands; None where any number from one up is meant."""

    @abstractmethod
    def infer(self, operands: Operands) -> TensorType:
        """The shape rule: the type of the result.

        Raises
        ------
        ShapeError, DTypeError
            If the op does not apply to these operands.
        """

    @abstractmethod
    def pullback(self, b: Builder, call: Call, d_y: Value) -> Sequence[Value | None]:
        """Build the operands' cotangents from the result's; None: no derivative flows there."""

    @abstractmethod
    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        """One element of the result as arithmetic on elements of the operands."""

    @abstractmethod
    def formula(self) -> str:
        """The op as a line of mathematics."""


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
    """
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
