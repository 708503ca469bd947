"""Reductions: sum, the largest element, and where it is."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

from chainrule.base.errors import DTypeError, ShapeError
from chainrule.graph import DType, Shape, TensorType, forget_names, format_shape
from chainrule.ops.builder import Builder, Value
from chainrule.ops.expression import Element, Expression, Fold, Lazy, Literal, apply
from chainrule.ops.samples import bad_sample, operand, sample
from chainrule.ops.table import Batch, Call, Op, Operands, declare


def check_axes(op: str, axes: tuple[int, ...], shape: Shape) -> None:
    """Raise ShapeError unless `axes` are distinct, ascending axes of `shape`."""
    if list(axes) != sorted(set(axes)) or any(not 0 <= axis < len(shape) for axis in axes):
        raise ShapeError(f"{op} got axes {list(axes)} of a value of shape {format_shape(shape)}")


def remaining(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """`shape` without `axes`."""
    kept = tuple(size for axis, size in enumerate(shape) if axis not in axes)
    return forget_names(kept, (shape[axis] for axis in axes))


def keep_axes(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """`shape` with size 1 at `axes`."""
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape))


def reduced_elements(shape: Shape, axes: tuple[int, ...], index: tuple[int, ...]) -> Lazy:
    """The operand's elements that reduce to the result's element `index`, in row-major order."""
    sizes = [int(shape[axis]) for axis in axes]
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    count = 1
    for size in sizes:
        count *= size

    def element(position: int) -> Element:
        at = dict(zip(kept, index, strict=True))
        for axis, size in reversed(list(zip(axes, sizes, strict=True))):
            position, at[axis] = divmod(position, size)
        return Element(0, tuple(at[axis] for axis in range(len(shape))))

    return Lazy(count, element)


@dataclass(frozen=True)
class Sum(Op):
    """y = Σ x over `axes`, which leave the shape.

    Notes
    -----
    Over the last axes, contiguous in memory, the order is ``sixteen`` interleaved partial sums;
    over others it is front to back.
    """

    axes: tuple[int, ...]

    name: ClassVar[str] = "sum"
    arity: ClassVar[int | None] = 1
    adds: ClassVar[bool] = True

    def infer(self, operands: Operands) -> TensorType:
        (x,) = operands
        if x.dtype is DType.BOOL:
            raise DTypeError("sum takes numbers; got bool", advice="Cast it first")
        check_axes(self.name, self.axes, x.shape)
        return TensorType(remaining(x.shape, self.axes), x.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        (x,) = call.inputs
        kept = b.reshape(d_y, shape=keep_axes(x.shape, self.axes))
        return [b.broadcast(kept, shape=x.shape)]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.sum(*batch.operands, axes=tuple(axis + 1 for axis in self.axes))

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        (x,) = operands
        elements = reduced_elements(x.shape, self.axes, index)
        if not len(elements):
            return Literal(0)
        rank = len(x.shape)
        contiguous = self.axes == tuple(range(rank - len(self.axes), rank))
        return Fold("add", elements, "sixteen" if contiguous else "front_to_back")

    def formula(self) -> str:
        return f"y = Σ x over axes {list(self.axes)}"


@dataclass(frozen=True)
class Amax(Op):
    """The largest element over one axis, which leaves the shape.

    Notes
    -----
    At a tie the whole cotangent goes to the first of the largest, the one `argmax` names.
    """

    axis: int

    name: ClassVar[str] = "amax"
    arity: ClassVar[int | None] = 1

    def infer(self, operands: Operands) -> TensorType:
        return _along_axis(self.name, operands, self.axis, operands[0].dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        (x,) = call.inputs
        kept = keep_axes(x.shape, (self.axis,))
        first = b.reshape(b.argmax(x, axis=self.axis), shape=kept)
        here = b.equal(b.iota(shape=x.shape, axis=self.axis, dtype=DType.I64), first)
        spread = b.reshape(d_y, shape=kept)
        return [b.select(here, spread, b.constant(0.0, d_y.dtype))]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.amax(*batch.operands, axis=self.axis + 1)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        (x,) = operands
        return Fold("max", reduced_elements(x.shape, (self.axis,), index))

    def formula(self) -> str:
        return f"y = max x over axis {self.axis}"


@dataclass(frozen=True)
class Argmax(Op):
    """The position along one axis of the first of the largest elements; of the first NaN."""

    axis: int

    name: ClassVar[str] = "argmax"
    arity: ClassVar[int | None] = 1

    def infer(self, operands: Operands) -> TensorType:
        return _along_axis(self.name, operands, self.axis, DType.I64)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        return [None]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.argmax(*batch.operands, axis=self.axis + 1)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        (x,) = operands
        elements = reduced_elements(x.shape, (self.axis,), index)
        best, position = elements[0], Literal(0)
        chosen: Expression = position
        for i, element in enumerate(itertools.islice(elements, 1, None), start=1):
            # Not "greater": a NaN is not ≤ anything, and after the first one nothing is larger.
            above = apply("logical_not", apply("less_equal", element, best))
            larger = apply("logical_and", apply("equal", best, best), above)
            best = apply("select", larger, element, best)
            chosen = apply("select", larger, i, chosen)
        return chosen

    def formula(self) -> str:
        return f"y = argmax x over axis {self.axis}"


def _along_axis(op: str, operands: Operands, axis: int, dtype: DType) -> TensorType:
    (x,) = operands
    check_axes(op, (axis,), x.shape)
    if x.dtype is DType.BOOL:
        raise DTypeError(f"{op} takes numbers; got bool", advice="Cast it first")
    if x.shape[axis] == 0:
        raise ShapeError(f"{op} over axis {axis} of shape {format_shape(x.shape)}: it is empty")
    return TensorType(remaining(x.shape, (axis,)), dtype)


_DISTINCT = operand("f64[2,4]", (0.5, -1.0, 3.0, 2.0, 7.0, -2.0, 0.0, 6.5))

declare(
    Sum,
    samples=(
        sample("f64[B=3,4]", axes=(1,)),
        sample("f64[3,4]", axes=(0,)),
        sample("f64[2,3,4]", axes=(0, 2)),
        sample("f64[2,37]", axes=(0, 1)),
        sample("f64[5]", axes=()),
        sample(operand("i64[4]", below=9), axes=(0,)),
        sample("f64[0,3]", axes=(0,)),
    ),
    bad_samples=(
        bad_sample("sum got axes [2] of a value of shape [3,4].", "f64[3,4]", axes=(2,)),
        bad_sample("sum got axes [1, 0] of a value of shape [3,4].", "f64[3,4]", axes=(1, 0)),
        bad_sample("sum takes numbers; got bool. Cast it first.", "bool[3]", axes=(0,)),
    ),
)
declare(
    Amax,
    samples=(sample(_DISTINCT, axis=1), sample(_DISTINCT, axis=0)),
    bad_samples=(
        bad_sample("amax got axes [2] of a value of shape [3,4].", "f64[3,4]", axis=2),
        bad_sample("amax over axis 0 of shape [0,4]: it is empty.", "f64[0,4]", axis=0),
    ),
)
declare(
    Argmax,
    samples=(
        sample(_DISTINCT, axis=1),
        sample(operand("f64[3]", (1.0, 5.0, 5.0)), axis=0),
        sample(operand("f64[4]", (1.0, float("nan"), 2.0, float("nan"))), axis=0),
    ),
    bad_samples=(bad_sample("argmax takes numbers; got bool. Cast it first.", "bool[3]", axis=0),),
)
