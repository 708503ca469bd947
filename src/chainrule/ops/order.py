"""Ops along one axis: the order of elements, reading by it, reversal, running sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chainrule.base.errors import DTypeError, ShapeError
from chainrule.graph import DType, Shape, TensorType, forget_names, format_shape, same_axis
from chainrule.ops.builder import Builder, Value
from chainrule.ops.expression import Element, Expression, Fold, Lazy, Literal, apply
from chainrule.ops.index import choose
from chainrule.ops.reduce import check_axes
from chainrule.ops.samples import bad_sample, operand, sample
from chainrule.ops.table import Batch, Call, Op, Operands, declare


def _at(index: tuple[int, ...], axis: int, position: int) -> tuple[int, ...]:
    return (*index[:axis], position, *index[axis + 1 :])


def _mixed_along(shape: Shape, *axes: int) -> Shape:
    return forget_names(shape, [shape[axis] for axis in axes])


def _beside(shape: Shape, indices: Shape, axis: int) -> Shape:
    """`shape` as the indices beside it have it along `axis`, where elements change their places."""
    beside = tuple(same_axis(size, other) for size, other in zip(shape, indices, strict=True))
    return forget_names(_at(beside, axis, int(indices[axis])), (shape[axis], indices[axis]))


@dataclass(frozen=True)
class Flip(Op):
    """The elements in reverse order along `axes`: its own transpose."""

    axes: tuple[int, ...]

    name: ClassVar[str] = "flip"
    arity: ClassVar[int | None] = 1

    def infer(self, operands: Operands) -> TensorType:
        (x,) = operands
        check_axes(self.name, self.axes, x.shape)
        return TensorType(_mixed_along(x.shape, *self.axes), x.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        return [b.flip(d_y, axes=self.axes)]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.flip(*batch.operands, axes=tuple(axis + 1 for axis in self.axes))

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        shape = operands[0].shape
        return Element(
            0,
            tuple(shape[k] - 1 - i if k in self.axes else i for k, i in enumerate(index)),
        )

    def formula(self) -> str:
        return f"y = x in reverse over axes {list(self.axes)}"


@dataclass(frozen=True)
class Cumsum(Op):
    """Each element with all before it along `axis`, or, if `reverse`, with all behind it."""

    axis: int
    reverse: bool = False

    name: ClassVar[str] = "cumsum"
    arity: ClassVar[int | None] = 1

    def infer(self, operands: Operands) -> TensorType:
        (x,) = operands
        check_axes(self.name, (self.axis,), x.shape)
        if x.dtype is DType.BOOL:
            raise DTypeError("cumsum takes numbers; got bool", advice="Cast it first")
        return TensorType(_mixed_along(x.shape, self.axis), x.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        # x_i is part of every later sum.
        return [b.cumsum(d_y, axis=self.axis, reverse=not self.reverse)]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.cumsum(*batch.operands, axis=self.axis + 1, reverse=self.reverse)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        size, here = int(operands[0].shape[self.axis]), index[self.axis]
        places = range(size - 1, here - 1, -1) if self.reverse else range(here + 1)
        return Fold("add", [Element(0, _at(index, self.axis, i)) for i in places])

    def formula(self) -> str:
        return f"yᵢ = Σ x_k over k {'≥' if self.reverse else '≤'} i along axis {self.axis}"


@dataclass(frozen=True)
class Argsort(Op):
    """The positions along `axis` of the elements in rising order, or, if `descending`, in falling.

    Elements that are equal keep their order. NaN counts as larger than every number.
    """

    axis: int
    descending: bool = False

    name: ClassVar[str] = "argsort"
    arity: ClassVar[int | None] = 1

    def infer(self, operands: Operands) -> TensorType:
        (x,) = operands
        check_axes(self.name, (self.axis,), x.shape)
        return TensorType(_mixed_along(x.shape, self.axis), DType.I64)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        return [None]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.argsort(*batch.operands, axis=self.axis + 1, descending=self.descending)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        size = int(operands[0].shape[self.axis])
        elements = [Element(0, _at(index, self.axis, i)) for i in range(size)]
        chosen: Expression = Literal(size - 1)
        for i in range(size - 2, -1, -1):
            here = apply("equal", self._rank(elements, i), index[self.axis])
            chosen = apply("select", here, i, chosen)
        return chosen

    def terms_of_found(self, operands: Operands, index: tuple[int, ...], found: int) -> Expression:
        """The position, if as many elements come before the one there as before this place.

        No two elements have as many before them: one count takes the place of all of them.
        """
        size = int(operands[0].shape[self.axis])
        if size == 1 or not 0 <= found < size:
            return self.terms(operands, index)
        elements = [Element(0, _at(index, self.axis, i)) for i in range(size)]
        here = apply("equal", self._rank(elements, found), index[self.axis])
        return apply("select", here, found, -1)

    def _rank(self, elements: list[Element], i: int) -> Expression:
        """How many elements come before element i."""

        def comes_before(position: int) -> Expression:
            k = position + (position >= i)
            # An earlier element comes before unless this one is strictly ahead of it.
            strict = (elements[i], elements[k]) if k < i else (elements[k], elements[i])
            ahead = self._ahead(*strict)
            return apply("select", apply("logical_not", ahead) if k < i else ahead, 1, 0)

        return Fold("add", Lazy(len(elements) - 1, comes_before))

    def _ahead(self, a: Expression, b: Expression) -> Expression:
        low, high = (b, a) if self.descending else (a, b)
        larger_by_nan = apply(
            "logical_and", apply("not_equal", high, high), apply("equal", low, low)
        )
        return apply("logical_or", apply("less", low, high), larger_by_nan)

    def formula(self) -> str:
        return f"y = positions of x in {'falling' if self.descending else 'rising'} order"


@dataclass(frozen=True)
class TakeAlongAxis(Op):
    """Read along `axis` at each place's own position: ``y[.., i, ..] = x[.., at[.., i, ..], ..]``.

    Positions are from 0 up to the axis's size; any other raises when the graph runs.
    """

    axis: int

    name: ClassVar[str] = "take_along_axis"
    arity: ClassVar[int | None] = 2

    def infer(self, operands: Operands) -> TensorType:
        x, indices = operands
        check_axes(self.name, (self.axis,), x.shape)
        _check_beside(self.name, self.axis, x, indices, x.shape)
        return TensorType(_beside(x.shape, indices.shape, self.axis), x.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        x, indices = call.inputs
        size = int(x.shape[self.axis])
        return [b.add_along_axis(d_y, indices, axis=self.axis, size=size), None]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.take_along_axis(*batch.all_mapped(b), axis=self.axis + 1)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        size = int(operands[0].shape[self.axis])
        places = [Element(0, _at(index, self.axis, i)) for i in range(size)]
        return choose(Element(1, index), places)

    def formula(self) -> str:
        return f"yᵢ = x at indicesᵢ, along axis {self.axis}"


@dataclass(frozen=True)
class AddAlongAxis(Op):
    """Add each element into zeros at a position of its own: the transpose of `take_along_axis`.

    Parameters
    ----------
    axis : int
    size : int
        The size of that axis in the result.
    """

    axis: int
    size: int

    name: ClassVar[str] = "add_along_axis"
    arity: ClassVar[int | None] = 2
    adds: ClassVar[bool] = True

    def infer(self, operands: Operands) -> TensorType:
        x, indices = operands
        check_axes(self.name, (self.axis,), x.shape)
        _check_beside(self.name, self.axis, x, indices, indices.shape)
        if x.shape != indices.shape:
            raise ShapeError(
                f"add_along_axis takes an index for each element; got shapes "
                f"{format_shape(x.shape)} and {format_shape(indices.shape)}"
            )
        shape = _beside(x.shape, indices.shape, self.axis)
        return TensorType(_at(shape, self.axis, self.size), x.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        return [b.take_along_axis(d_y, call.inputs[1], axis=self.axis), None]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.add_along_axis(*batch.all_mapped(b), axis=self.axis + 1, size=self.size)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        items = []
        for i in range(int(operands[0].shape[self.axis])):
            place = _at(index, self.axis, i)
            hit = apply("equal", Element(1, place), index[self.axis])
            items.append(apply("select", hit, Element(0, place), 0))
        # From 0: -0 added to it is 0.
        return Fold("add", [Literal(0), *items]) if items else Literal(0)

    def formula(self) -> str:
        return f"y = Σ of the elements of x that the indices send here, along axis {self.axis}"


def _check_beside(op: str, axis: int, x: TensorType, indices: TensorType, shape: Shape) -> None:
    if not indices.dtype.is_integer:
        raise DTypeError(
            f"{op} takes integer indices; got {indices.dtype.value}",
            advice="Cast them to int64",
        )
    if len(indices.shape) != len(x.shape) or _at(indices.shape, axis, 0) != _at(x.shape, axis, 0):
        raise ShapeError(
            f"{op} got shape {format_shape(x.shape)} with indices of shape "
            f"{format_shape(indices.shape)}: they may differ on axis {axis} only"
        )


_TIED = operand("f64[2,4]", (0.5, -1.0, 3.0, -1.0, 7.0, 7.0, 0.0, 6.5))
_PLACES = operand("i64[2,3]", (0, 2, 2, 3, 1, 0))

declare(
    Flip,
    samples=(sample("f64[B=2,3]", axes=(1,)), sample("f64[2,1,3]", axes=(0, 2))),
    bad_samples=(bad_sample("flip got axes [1] of a value of shape [3].", "f64[3]", axes=(1,)),),
)
declare(
    Cumsum,
    samples=(
        sample("f64[B=2,3]", axis=1),
        sample("f64[3,2]", axis=0, reverse=True),
        sample(operand("i32[4]", below=9), axis=0),
    ),
    bad_samples=(
        bad_sample("cumsum got axes [1] of a value of shape [3].", "f64[3]", axis=1),
        bad_sample("cumsum takes numbers; got bool. Cast it first.", "bool[3]", axis=0),
    ),
)
declare(
    Argsort,
    samples=(
        sample(_TIED, axis=1),
        sample(_TIED, axis=1, descending=True),
        sample(_TIED, axis=0),
        sample(operand("f64[4]", (1.0, float("nan"), float("-inf"), 0.0)), axis=0),
        sample(operand("u32[4]", (3, 4_000_000_000, 0, 3)), axis=0, descending=True),
    ),
    bad_samples=(bad_sample("argsort got axes [1] of a value of shape [3].", "f64[3]", axis=1),),
)
declare(
    TakeAlongAxis,
    samples=(
        sample("f64[B=2,4]", _PLACES, axis=1),
        sample("f64[3,2]", operand("u32[1,2]", below=3), axis=0),
    ),
    bad_samples=(
        bad_sample(
            "take_along_axis takes integer indices; got f64. Cast them to int64.",
            "f64[3]",
            "f64[2]",
            axis=0,
        ),
        bad_sample(
            "take_along_axis got shape [3,2] with indices of shape [3,1]: "
            "they may differ on axis 0 only.",
            "f64[3,2]",
            "i64[3,1]",
            axis=0,
        ),
    ),
)
declare(
    AddAlongAxis,
    samples=(
        sample("f64[2,3]", _PLACES, axis=1, size=4),
        sample("f64[0,2]", "i64[0,2]", axis=0, size=2),
    ),
    bad_samples=(
        bad_sample(
            "add_along_axis takes an index for each element; got shapes [3,2] and [2,2].",
            "f64[3,2]",
            "i64[2,2]",
            axis=0,
            size=3,
        ),
    ),
)
