"""Ops about positions: constants, counting, conversion, reading and writing by index."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from chainrule.base.errors import DTypeError, ShapeError
from chainrule.graph import DType, Shape, TensorType, forget_names, format_shape
from chainrule.ops.batching import move_to_front
from chainrule.ops.builder import Builder, Value
from chainrule.ops.expression import Element, Expression, Fold, Literal, apply
from chainrule.ops.samples import bad_sample, operand, sample
from chainrule.ops.table import Batch, Call, Op, Operands, Source, declare


@dataclass(frozen=True)
class Constant(Source):
    """A scalar written in the graph."""

    value: float
    dtype: DType

    name: ClassVar[str] = "constant"

    def infer(self, operands: Operands) -> TensorType:
        return TensorType((), self.dtype)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        return Literal(self.value)

    def formula(self) -> str:
        return f"y = {self.value:g}"


@dataclass(frozen=True)
class Iota(Source):
    """Each element is its own position along `axis`."""

    shape: tuple[int, ...]
    axis: int
    dtype: DType

    name: ClassVar[str] = "iota"

    def infer(self, operands: Operands) -> TensorType:
        if not 0 <= self.axis < len(self.shape):
            raise ShapeError(f"iota got axis {self.axis} of shape {format_shape(self.shape)}")
        if self.dtype is DType.BOOL:
            raise DTypeError("iota counts in numbers; got bool")
        return TensorType(self.shape, self.dtype)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        return Literal(index[self.axis])

    def formula(self) -> str:
        return f"y[i] = i along axis {self.axis}"


@dataclass(frozen=True)
class Cast(Op):
    """The same numbers in another dtype; floats become integers by dropping the fraction."""

    dtype: DType

    name: ClassVar[str] = "cast"
    arity: ClassVar[int | None] = 1

    def infer(self, operands: Operands) -> TensorType:
        return TensorType(operands[0].shape, self.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        (x,) = call.inputs
        return [b.cast(d_y, dtype=x.dtype) if x.dtype.is_float else None]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.cast(*batch.operands, dtype=self.dtype)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        return apply("cast", Element(0, index), dtype=self.dtype)

    def formula(self) -> str:
        return f"y = x as {self.dtype.value}"


@dataclass(frozen=True)
class Gather(Op):
    """Read slices along `axis` at integer positions: ``y[.., i, ..] = x[.., indices[i], ..]``.

    The axes of `indices` take the place of `axis`. Positions are from 0 up to the axis's size;
    any other raises when the graph runs.
    """

    axis: int

    name: ClassVar[str] = "gather"
    arity: ClassVar[int | None] = 2

    def infer(self, operands: Operands) -> TensorType:
        x, indices = operands
        _check_indices(self.name, self.axis, x.shape, indices)
        shape = x.shape[: self.axis] + indices.shape + x.shape[self.axis + 1 :]
        return TensorType(forget_names(shape, (x.shape[self.axis],)), x.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        x, indices = call.inputs
        return [b.scatter_add(d_y, indices, axis=self.axis, size=int(x.shape[self.axis])), None]

    def batched(self, b: Builder, batch: Batch) -> Value:
        x, indices = batch.operands
        if not batch.mapped[1]:
            return b.gather(x, indices, axis=self.axis + 1)
        if not batch.mapped[0]:
            return move_to_front(b, b.gather(x, indices, axis=self.axis), self.axis)
        # Each example reads slices of its own: the axis moves beside the examples, the others
        # become one, and each element is read by itself.
        columns, rest = _columns(b, x, self.axis + 1, 1)
        read = b.take_along_axis(columns, _for_each(b, indices, columns), axis=1)
        return _uncolumns(b, read, indices.shape[1:], rest, self.axis)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        _, indices = operands
        inner = index[self.axis : self.axis + len(indices.shape)]
        before, after = index[: self.axis], index[self.axis + len(indices.shape) :]
        return choose(
            Element(1, inner),
            [Element(0, (*before, i, *after)) for i in range(operands[0].shape[self.axis])],
        )

    def formula(self) -> str:
        return f"y = x at the indices, along axis {self.axis}"


@dataclass(frozen=True)
class ScatterAdd(Op):
    """Add slices into zeros at integer positions: the transpose of `gather`.

    Parameters
    ----------
    axis : int
        Where the axes of `indices` lie in the operand, and the new axis in the result.
    size : int
        The size of the new axis.
    """

    axis: int
    size: int

    name: ClassVar[str] = "scatter_add"
    arity: ClassVar[int | None] = 2
    adds: ClassVar[bool] = True

    def infer(self, operands: Operands) -> TensorType:
        x, indices = operands
        rank = len(indices.shape)
        inner = x.shape[self.axis : self.axis + rank]
        if not indices.dtype.is_integer:
            raise DTypeError(f"scatter_add takes integer indices; got {indices.dtype.value}")
        if inner != indices.shape:
            raise ShapeError(
                f"scatter_add got shape {format_shape(x.shape)} with indices of shape "
                f"{format_shape(indices.shape)} at axis {self.axis}"
            )
        shape = (*x.shape[: self.axis], self.size, *x.shape[self.axis + rank :])
        return TensorType(forget_names(shape, (*inner, *indices.shape)), x.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        return [b.gather(d_y, call.inputs[1], axis=self.axis), None]

    def batched(self, b: Builder, batch: Batch) -> Value:
        if not batch.mapped[1]:
            return b.scatter_add(*batch.operands, axis=self.axis + 1, size=self.size)
        x, indices = batch.all_mapped(b)
        columns, rest = _columns(b, x, self.axis + 1, len(indices.shape) - 1)
        places = _for_each(b, indices, columns)
        added = b.add_along_axis(columns, places, axis=1, size=self.size)
        return _uncolumns(b, added, (self.size,), rest, self.axis)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        _, indices = operands
        before, here, after = index[: self.axis], index[self.axis], index[self.axis + 1 :]
        items = []
        for inner in _indices(indices.shape):
            hit = apply("equal", Element(1, inner), here)
            items.append(apply("select", hit, Element(0, (*before, *inner, *after)), 0))
        # From 0: -0 added to it is 0.
        return Fold("add", [Literal(0), *items]) if items else Literal(0)

    def formula(self) -> str:
        return f"y = Σ of the slices of x that the indices send here, along axis {self.axis}"


# --- each example with indices of its own -----------------------------------------------------


def _columns(b: Builder, x: Value, axis: int, count: int) -> tuple[Value, Shape]:
    """Give x the axes: examples, the `count` axes from `axis` on as one, all others as one.

    Returns it, and the shape of the others.
    """
    inner = tuple(range(axis, axis + count))
    others = tuple(i for i in range(1, len(x.shape)) if i not in inner)
    moved = b.transpose(x, axes=(0, *inner, *others))
    rest = tuple(x.shape[i] for i in others)
    sizes = math.prod(x.shape[i] for i in inner), math.prod(rest)
    return b.reshape(moved, shape=(x.shape[0], *sizes)), rest


def _for_each(b: Builder, indices: Value, columns: Value) -> Value:
    """The indices of each example, the same in all of its columns."""
    count = math.prod(indices.shape[1:])
    flat = b.reshape(indices, shape=(indices.shape[0], count, 1))
    return b.broadcast(flat, shape=(indices.shape[0], count, columns.shape[2]))


def _uncolumns(b: Builder, columns: Value, inner: Shape, rest: Shape, axis: int) -> Value:
    """Put the axes `inner` back to where they belong among the `rest` of an example's axes."""
    y = b.reshape(columns, shape=(columns.shape[0], *inner, *rest))
    count = len(inner)
    before = range(1 + count, 1 + count + axis)
    after = range(1 + count + axis, len(y.shape))
    return b.transpose(y, axes=(0, *before, *range(1, 1 + count), *after))


def _check_indices(op: str, axis: int, shape: Shape, indices: TensorType) -> None:
    if not indices.dtype.is_integer:
        raise DTypeError(
            f"{op} takes integer indices; got {indices.dtype.value}",
            advice="Cast them to int64",
        )
    if not 0 <= axis < len(shape):
        raise ShapeError(f"{op} got axis {axis} of a value of shape {format_shape(shape)}")


def choose(position: Expression, candidates: list[Element]) -> Expression:
    """The candidate at a position that is known when the graph runs."""
    chosen: Expression = candidates[-1]
    for i, candidate in reversed(list(enumerate(candidates[:-1]))):
        chosen = apply("select", apply("equal", position, i), candidate, chosen)
    return chosen


def _indices(shape: Shape) -> list[tuple[int, ...]]:
    indices: list[tuple[int, ...]] = [()]
    for size in shape:
        indices = [(*index, i) for index in indices for i in range(size)]
    return indices


declare(
    Constant,
    samples=(
        sample(value=0.1, dtype=DType.F64),
        sample(value=float("inf"), dtype=DType.F32),
        sample(value=True, dtype=DType.BOOL),
    ),
)
declare(
    Iota,
    samples=(
        sample(shape=(2, 3), axis=1, dtype=DType.I64),
        sample(shape=(4,), axis=0, dtype=DType.F64),
    ),
    bad_samples=(bad_sample("iota got axis 1 of shape [3].", shape=(3,), axis=1, dtype=DType.I64),),
)
declare(
    Cast,
    samples=(
        sample(operand("f64[4]", (-2.7, -0.5, 0.5, 2.7)), dtype=DType.I64),
        sample("f64[3]", dtype=DType.F64),
        sample(operand("i64[3]", below=5), dtype=DType.F32),
        sample(operand("bool[2]", (0, 1)), dtype=DType.F64),
    ),
)
declare(
    Gather,
    samples=(
        sample("f64[4,3]", operand("i64[B=5]", below=4), axis=0),
        sample("f64[2,4]", operand("i32[2,2]", below=4), axis=1),
        sample("f64[4]", operand("u32[]", below=4), axis=0),
    ),
    bad_samples=(
        bad_sample(
            "gather takes integer indices; got f64. Cast them to int64.",
            "f64[3]",
            "f64[2]",
            axis=0,
        ),
        bad_sample("gather got axis 1 of a value of shape [3].", "f64[3]", "i64[2]", axis=1),
    ),
)
declare(
    ScatterAdd,
    samples=(
        sample("f64[5,3]", operand("i64[5]", below=4), axis=0, size=4),
        sample("f64[2,2,2]", operand("i64[2,2]", below=3), axis=1, size=3),
        sample("f64[2]", operand("i64[]", below=2), axis=1, size=2),
    ),
    bad_samples=(
        bad_sample(
            "scatter_add got shape [5,3] with indices of shape [4] at axis 0.",
            "f64[5,3]",
            "i64[4]",
            axis=0,
            size=4,
        ),
    ),
)
