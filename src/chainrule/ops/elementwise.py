"""Declare elementwise ops: one formula for the value, one for each partial derivative.

An op without a `value` formula is a primitive: a word of the vocabulary that the other formulas
are written in, with one kernel per backend. Everything else is read from the formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from chainrule.base.errors import DTypeError, GraphError, NotDifferentiableError
from chainrule.graph import Attributes, AttributeValue, DType, TensorType
from chainrule.ops.broadcasting import broadcast_index, broadcast_shapes, sum_to_shape
from chainrule.ops.builder import Builder, Value
from chainrule.ops.expression import (
    Element,
    Expression,
    Literal,
    Operand,
    Symbol,
    apply,
    as_expression,
    read,
)
from chainrule.ops.formula import NodeReader, substitute
from chainrule.ops.samples import BadSample, Sample, SampleInput
from chainrule.ops.table import OPS, Batch, Call, Declaration, Op, Operands


class Vocabulary:
    """The words that formulas are written in: ``s.exp(x)`` applies the primitive ``exp``."""

    def __getattr__(self, op: str) -> Callable[..., Expression]:
        if op not in OPS:
            raise AttributeError(f"the op table has no {op!r} to write a formula with")
        return lambda *arguments: apply(op, *arguments)


Formula = Callable[..., Operand]


@dataclass(frozen=True)
class Indicator:
    """A partial that is 1 where a condition holds and 0 elsewhere.

    The cotangent is selected, not multiplied: 0 times an infinite cotangent would be NaN.
    """

    condition: Formula


@dataclass(frozen=True)
class Marker:
    """A partial that is not a formula."""

    meaning: str


ZERO = Marker("zero wherever it exists")
NOT_DIFFERENTIABLE = Marker("not differentiable")

Partial = Formula | Indicator | Marker


@dataclass(frozen=True)
class Interval:
    """Where an op is defined; the ends belong to it if they are `closed`."""

    low: float
    high: float
    closed: bool = True

    def __str__(self) -> str:
        if (self.low, self.high) == (float("-inf"), float("inf")):
            return "all reals"
        left, right = "[]" if self.closed else "()"
        return f"{left}{self.low:g}, {self.high:g}{right}"


REALS = Interval(float("-inf"), float("inf"))


@dataclass(frozen=True)
class Kink:
    """A point where the derivative jumps, and the value that is declared for it there.

    Parameters
    ----------
    at : tuple of float
        The operands.
    partials : tuple of float
        The declared partials, one for each operand.
    """

    at: tuple[float, ...]
    partials: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Elementwise(Declaration):
    """The declaration of an elementwise op; `elementwise` and `primitive` make them.

    Parameters
    ----------
    name : str
    operands : tuple of str
        What the formulas call the operands.
    formula : callable or None
        ``(s, x, ..., *, attribute=...)`` to an expression; None for a primitive.
    partials : tuple
        For each operand ``(s, x, ..., y, *, attribute=...)`` to an expression, or `Indicator`,
        `ZERO`, `NOT_DIFFERENTIABLE`.
    accepts : str
        ``"float"``, ``"number"``, ``"integer"``, ``"bool"`` or ``"any"``.
    returns : DType or None
        The result's dtype where it is not the operands'.
    condition : bool
        Whether the first operand is a bool that chooses between the others.
    notation, precedence
        How a formula shows it.
    kinks, domain, samples, source
        Where its derivative jumps, where it is defined, what proves it, who published it.
    correctly_rounded : bool
        Whether every backend gives the float nearest to the exact result, as IEEE 754 asks.
    defaults : mapping
        The attributes and their default values.
    """

    name: str
    operands: tuple[str, ...]
    formula: Formula | None
    partials: tuple[Partial, ...]
    notation: str
    precedence: int
    accepts: str
    returns: DType | None
    condition: bool
    kinks: tuple[Kink, ...]
    domain: Interval
    samples: Sequence[Sample]
    source: str
    correctly_rounded: bool = False
    defaults: Mapping[str, AttributeValue] = field(default_factory=dict)

    @property
    def arity(self) -> int:  # type: ignore[override]
        """The number of operands."""
        return len(self.operands)

    @property
    def is_primitive(self) -> bool:
        """Whether backends have a kernel for it instead of a formula."""
        return self.formula is None

    @cached_property
    def bad_samples(self) -> Sequence[BadSample]:  # type: ignore[override]
        """Operands whose shapes do not broadcast: refused by the rule all of these share."""
        if self.arity == 1:
            return ()
        dtypes = [self._typical_dtype(i).value for i in range(self.arity)]
        types = [f"{d}[{3 + (i == self.arity - 1)}]" for i, d in enumerate(dtypes)]
        shapes = " and ".join(t[t.index("[") :] for t in types)
        return (
            BadSample(
                tuple(map(TensorType.parse, types)),
                f"{self.name} got shapes {shapes}, which do not broadcast: "
                "axis 0 from the back is 3 and 4.",
            ),
        )

    def _typical_dtype(self, operand: int) -> DType:
        if self.condition and operand == 0:
            return DType.BOOL
        return {"bool": DType.BOOL, "integer": DType.U32}.get(self.accepts, DType.F64)

    def bind(self, attributes: Mapping[str, AttributeValue]) -> ElementwiseOp:
        for attribute in attributes:
            if attribute not in self.defaults:
                raise GraphError(f"{self.name} has no attribute {attribute!r}")
        return ElementwiseOp(self, Attributes({**self.defaults, **attributes}))


@dataclass(frozen=True)
class ElementwiseOp(Op):
    """An elementwise op with its attributes bound."""

    declaration: Elementwise
    attributes: Attributes

    arity: ClassVar[int | None] = None

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name in the op table."""
        return self.declaration.name

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The operands as formulas write them."""
        return tuple(map(Symbol, self.declaration.operands))

    @cached_property
    def value(self) -> Expression:
        """The value's formula; a primitive's is the primitive itself."""
        if self.declaration.formula is None:
            return apply(self.name, *self.symbols)
        return as_expression(self.declaration.formula(VOCABULARY, *self.symbols, **self.attributes))

    def partial(self, operand: int) -> Expression:
        """The partial derivative's formula; an `Indicator` as 1 and 0.

        Raises
        ------
        NotDifferentiableError
            If the op is declared not differentiable in this operand.
        """
        partial = self.declaration.partials[operand]
        if isinstance(partial, Indicator):
            return apply("select", self._write(partial.condition), 1, 0)
        if isinstance(partial, Marker):
            if partial is NOT_DIFFERENTIABLE:
                raise NotDifferentiableError(
                    f"{self.name} is not differentiable in {self.declaration.operands[operand]}"
                )
            return Literal(0)
        return self._write(partial)

    def _write(self, formula: Formula) -> Expression:
        return as_expression(formula(VOCABULARY, *self.symbols, Symbol("y"), **self.attributes))

    def infer(self, operands: Operands) -> TensorType:
        dtype = self._check_dtypes([operand.dtype for operand in operands])
        shape = broadcast_shapes(self.name, [operand.shape for operand in operands])
        return TensorType(shape, dtype)

    def _check_dtypes(self, dtypes: list[DType]) -> DType:
        if self.declaration.condition:
            condition = dtypes.pop(0)
            if condition is not DType.BOOL:
                raise DTypeError(f"{self.name} chooses by a bool; got {condition.value}")
        accepted = _ACCEPTS[self.declaration.accepts]
        if any(dtype is not dtypes[0] for dtype in dtypes):
            got = ", ".join(dtype.value for dtype in dtypes)
            raise DTypeError(
                f"{self.name} takes operands of one dtype; got {got}",
                advice="Cast one of them",
            )
        if not accepted(dtypes[0]):
            raise DTypeError(
                f"{self.name} takes {self.declaration.accepts} operands; got {dtypes[0].value}"
            )
        return self.declaration.returns or dtypes[0]

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        return [
            self._cotangent(b, call, i, d_y) if call.wanted[i] else None
            for i in range(len(call.inputs))
        ]

    def _cotangent(self, b: Builder, call: Call, operand: int, d_y: Value) -> Value | None:
        shape = call.inputs[operand].shape
        partial = self.declaration.partials[operand]
        if partial is ZERO:
            return None
        symbols = dict(zip(self.declaration.operands, call.inputs, strict=True))
        primal_nodes = len(b.nodes)
        reader = NodeReader(b, {**symbols, "y": call.output}, d_y.dtype)
        if isinstance(partial, Indicator):
            condition = reader.value(read(self._write(partial.condition), reader))
            chosen = b.select(condition, d_y, b.constant(0.0, d_y.dtype))
            return sum_to_shape(b, chosen, shape)
        written = self.partial(operand)
        if isinstance(written, Literal) and abs(written.value) == 1:
            return sum_to_shape(b, d_y if written.value == 1 else -d_y, shape)
        factor = reader.value(read(written, reader))
        y, x = (b.nodes[v.position].name for v in (call.output, call.inputs[operand]))
        if y and x and factor.position >= primal_nodes:
            b.name(factor, f"d_{y}/d_{x}")
        return sum_to_shape(b, d_y * factor, shape)

    def batched(self, b: Builder, batch: Batch) -> Value:
        # Axes broadcast from the back: an example with fewer axes gets ones in front of its own.
        rank = max(map(len, batch.example_shapes))
        operands = [
            b.reshape(value, shape=(batch.examples, *(1,) * (rank - len(shape)), *shape))
            if mapped and len(shape) < rank
            else value
            for value, mapped, shape in zip(
                batch.operands, batch.mapped, batch.example_shapes, strict=True
            )
        ]
        return b.apply(self.name, *operands, **self.attributes)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        elements = {
            name: Element(i, broadcast_index(index, operands[i].shape))
            for i, name in enumerate(self.declaration.operands)
        }
        return substitute(self.value, elements)

    def formula(self) -> str:
        from chainrule.ops.notation import format_expression

        return f"y = {format_expression(self.value)}"


VOCABULARY = Vocabulary()

_ACCEPTS: dict[str, Callable[[DType], bool]] = {
    "float": lambda dtype: dtype.is_float,
    "number": lambda dtype: dtype is not DType.BOOL,
    "integer": lambda dtype: dtype.is_integer,
    "bool": lambda dtype: dtype is DType.BOOL,
    "any": lambda dtype: True,
}


def elementwise(
    name: str,
    *,
    value: Formula | None,
    partials: Sequence[Partial],
    samples: Sequence[float | tuple[float, ...]],
    operands: str = "x",
    notation: str | None = None,
    precedence: int = 100,
    accepts: str = "float",
    returns: DType | None = None,
    condition: bool = False,
    kinks: Sequence[Kink] = (),
    domain: Interval = REALS,
    source: str = "",
    correctly_rounded: bool = False,
    **defaults: AttributeValue,
) -> Elementwise:
    """Declare an elementwise op: the one place where it is written.

    Parameters
    ----------
    name : str
    value : callable or None
        ``(s, x, ...)`` to the value, written with the vocabulary `s`; None for a primitive.
    partials : sequence
        One for each operand, as ``(s, x, ..., y)``; none may be left out.
    samples : sequence of float or of tuple of float
        Points at which every backend is tested, away from the kinks.
    operands : str
        The operands' names, separated by spaces.
    notation : str, optional
        How a formula shows it, such as ``"{0} + {1}"``; otherwise as a function.
    precedence : int
        How tightly the notation binds: 10 comparison, 20 sum, 30 product, 40 sign, 50 power,
        100 function.
    accepts : str
        The operands' dtypes: ``"float"``, ``"number"``, ``"integer"``, ``"bool"`` or ``"any"``.
    returns : DType, optional
        The result's dtype where it is not the operands'.
    condition : bool
        Whether the first operand is a bool that chooses between the others.
    kinks : sequence of Kink
    domain : Interval
    source : str
        Paper and equation.
    correctly_rounded : bool
        Whether every backend gives the float nearest to the exact result, as IEEE 754 asks.
    **defaults
        The attributes and their default values.

    Raises
    ------
    GraphError
        If a partial is missing.
    """
    names = tuple(operands.split())
    if len(partials) != len(names):
        raise GraphError(
            f"{name} has {len(names)} operands and {len(partials)} partials",
            advice="Give each operand a formula, ZERO or NOT_DIFFERENTIABLE",
        )
    declaration = Elementwise(
        name=name,
        operands=names,
        formula=value,
        partials=tuple(partials),
        notation=notation or f"{name}({', '.join(f'{{{i}}}' for i in range(len(names)))})",
        precedence=precedence,
        accepts=accepts,
        returns=returns,
        condition=condition,
        kinks=tuple(kinks),
        domain=domain,
        samples=_samples(names, accepts, condition, samples),
        source=source,
        correctly_rounded=correctly_rounded,
        defaults=defaults,
    )
    if value is not None:  # a formula with a word that does not exist fails here, at import
        _ = declaration.bind({}).value
        for i, partial in enumerate(partials):
            if not isinstance(partial, Marker):
                declaration.bind({}).partial(i)
    OPS.register(name, declaration)
    return declaration


def primitive(name: str, **declaration: Any) -> Elementwise:
    """Declare a word of the vocabulary: an elementwise op that each backend has a kernel for."""
    return elementwise(name, value=None, **declaration)


def _samples(
    operands: tuple[str, ...],
    accepts: str,
    condition: bool,
    points: Sequence[float | tuple[float, ...]],
) -> list[Sample]:
    """All points as one sample, and, with several operands, one in which they broadcast."""
    rows = [point if isinstance(point, tuple) else (point,) for point in points]
    columns = list(zip(*rows, strict=True))
    dtypes = [{"bool": DType.BOOL, "integer": DType.U32}.get(accepts, DType.F64)] * len(operands)
    if condition:
        dtypes[0] = DType.BOOL
    inputs = [
        SampleInput(TensorType((len(rows),), dtype), column)
        for dtype, column in zip(dtypes, columns, strict=True)
    ]
    samples = [Sample(tuple(inputs))]
    if len(operands) > 1:
        first, *others = inputs
        tall = SampleInput(TensorType((len(rows), 1), first.type.dtype), first.values)
        samples.append(Sample((tall, *others)))
    return samples
