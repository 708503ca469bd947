"""Ops that move elements and compute nothing: each element of the result is one operand's."""

from __future__ import annotations

import itertools
import operator
from dataclasses import dataclass
from typing import ClassVar

from chainrule.base.errors import DTypeError, GraphError, ShapeError
from chainrule.graph import Axis, DType, Shape, TensorType, forget_names, format_shape, same_axis
from chainrule.ops.broadcasting import broadcast_index, broadcast_shapes, sum_to_shape
from chainrule.ops.builder import Builder, Value
from chainrule.ops.expression import Element, Expression
from chainrule.ops.samples import bad_sample, sample
from chainrule.ops.table import Batch, Call, Op, Operands, declare


@dataclass(frozen=True)
class Reshape(Op):
    """The same elements, in row-major order, under another shape."""

    shape: tuple[int, ...]

    name: ClassVar[str] = "reshape"
    arity: ClassVar[int | None] = 1

    def infer(self, operands: Operands) -> TensorType:
        (x,) = operands
        result = TensorType(_keep_names(self.shape, x.shape), x.dtype)
        if result.size != x.size:
            raise ShapeError(
                f"reshape to {format_shape(self.shape)} takes {result.size} elements; "
                f"shape {format_shape(x.shape)} has {x.size}"
            )
        return result

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        return [b.reshape(d_y, shape=call.inputs[0].shape)]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.reshape(*batch.operands, shape=(batch.examples, *self.shape))

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        (x,) = operands
        return Element(0, _unravel(_ravel(index, self.shape), x.shape))

    def formula(self) -> str:
        return f"y = x as {format_shape(self.shape)}"


@dataclass(frozen=True)
class Transpose(Op):
    """Axis i of the result is axis ``axes[i]`` of the operand."""

    axes: tuple[int, ...]

    name: ClassVar[str] = "transpose"
    arity: ClassVar[int | None] = 1

    def infer(self, operands: Operands) -> TensorType:
        (x,) = operands
        if sorted(self.axes) != list(range(len(x.shape))):
            raise ShapeError(
                f"transpose got axes {list(self.axes)} of a value of shape "
                f"{format_shape(x.shape)}: each axis must be named once"
            )
        return TensorType(tuple(x.shape[axis] for axis in self.axes), x.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        inverse = tuple(self.axes.index(axis) for axis in range(len(self.axes)))
        return [b.transpose(d_y, axes=inverse)]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.transpose(*batch.operands, axes=(0, *(axis + 1 for axis in self.axes)))

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        at = dict(zip(self.axes, index, strict=True))
        return Element(0, tuple(at[axis] for axis in range(len(self.axes))))

    def formula(self) -> str:
        return f"y = x with axes {list(self.axes)}"


@dataclass(frozen=True)
class Broadcast(Op):
    """Repeat the operand along new or size-1 axes, by NumPy's rule."""

    shape: tuple[int, ...]

    name: ClassVar[str] = "broadcast"
    arity: ClassVar[int | None] = 1

    def infer(self, operands: Operands) -> TensorType:
        (x,) = operands
        shape = broadcast_shapes(self.name, (x.shape, self.shape))
        if shape != self.shape:
            raise ShapeError(
                f"broadcast cannot stretch shape {format_shape(x.shape)} "
                f"to {format_shape(self.shape)}"
            )
        return TensorType(shape, x.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        return [sum_to_shape(b, d_y, call.inputs[0].shape)]

    def batched(self, b: Builder, batch: Batch) -> Value:
        (x,), (shape,) = batch.operands, batch.example_shapes
        new = (1,) * (len(self.shape) - len(shape))
        lined_up = b.reshape(x, shape=(batch.examples, *new, *shape)) if new else x
        return b.broadcast(lined_up, shape=(batch.examples, *self.shape))

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        return Element(0, broadcast_index(index, operands[0].shape))

    def formula(self) -> str:
        return f"y = x repeated to {format_shape(self.shape)}"


@dataclass(frozen=True)
class Slice(Op):
    """Every `steps`-th element from `starts` up to, without, `stops`, on each axis."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]

    name: ClassVar[str] = "slice"
    arity: ClassVar[int | None] = 1

    def infer(self, operands: Operands) -> TensorType:
        (x,) = operands
        shape: list[int] = []
        if not len(self.starts) == len(self.stops) == len(self.steps) == len(x.shape):
            raise ShapeError(
                f"slice takes a start, a stop and a step for each of the {len(x.shape)} axes"
            )
        for axis, size in enumerate(x.shape):
            start, stop, step = self.starts[axis], self.stops[axis], self.steps[axis]
            if not (0 <= start <= stop <= size and step >= 1):
                raise ShapeError(
                    f"slice {start}:{stop}:{step} does not lie within axis {axis} "
                    f"of shape {format_shape(x.shape)}"
                )
            whole = (start, stop, step) == (0, size, 1)
            shape.append(size if whole else -((start - stop) // step))
        return TensorType(_cut(x.shape, tuple(shape)), x.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        (x,) = call.inputs
        inner = tuple(step - 1 for step in self.steps)
        ends = (
            start + (size - 1) * step + 1 if size else start
            for start, size, step in zip(self.starts, d_y.shape, self.steps, strict=True)
        )
        high = tuple(int(size) - end for size, end in zip(x.shape, ends, strict=True))
        zero = b.constant(0.0, d_y.dtype)
        return [b.pad(d_y, zero, low=self.starts, high=high, interior=inner)]

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.slice(
            *batch.operands,
            starts=(0, *self.starts),
            stops=(int(batch.examples), *self.stops),
            steps=(1, *self.steps),
        )

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        at = zip(self.starts, index, self.steps, strict=True)
        return Element(0, tuple(start + i * step for start, i, step in at))

    def formula(self) -> str:
        ranges = zip(self.starts, self.stops, self.steps, strict=True)
        return f"y = x[{', '.join(f'{a}:{z}:{s}' if s > 1 else f'{a}:{z}' for a, z, s in ranges)}]"


@dataclass(frozen=True)
class Pad(Op):
    """Surround the elements, and set them apart, with a scalar: the transpose of `slice`."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    interior: tuple[int, ...]

    name: ClassVar[str] = "pad"
    arity: ClassVar[int | None] = 2

    def infer(self, operands: Operands) -> TensorType:
        x, filler = operands
        if filler.shape or filler.dtype is not x.dtype:
            raise ShapeError(f"pad fills {x} with a scalar of its dtype; got {filler}")
        widths = (self.low, self.high, self.interior)
        if any(len(w) != len(x.shape) or min(w, default=0) < 0 for w in widths):
            raise ShapeError(f"pad takes three widths, none negative, for each axis of {x}")
        shape = (
            size
            if (low, high, inner) == (0, 0, 0)
            else low + size + max(size - 1, 0) * inner + high
            for size, low, high, inner in zip(x.shape, *widths, strict=True)
        )
        return TensorType(_cut(x.shape, tuple(shape)), x.dtype)

    def stops(self, shape: Shape) -> tuple[int, ...]:
        """Where the operand's elements end in the result."""
        return tuple(
            low + (size - 1) * (inner + 1) + 1 if size else low
            for size, low, inner in zip(shape, self.low, self.interior, strict=True)
        )

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        x, _ = call.inputs
        steps = tuple(inner + 1 for inner in self.interior)
        d_x = b.slice(d_y, starts=self.low, stops=self.stops(x.shape), steps=steps)
        if not call.wanted[1]:
            return [d_x, None]
        every = tuple(range(len(x.shape)))
        return [d_x, b.sum(d_y, axes=every) - b.sum(d_x, axes=every)]

    def batched(self, b: Builder, batch: Batch) -> Value:
        widths = {"low": (0, *self.low), "high": (0, *self.high), "interior": (0, *self.interior)}
        x, filler = batch.operands
        if not batch.mapped[1]:
            return b.pad(x, filler, **widths)
        # Each example has a filler of its own: it is chosen where nothing was put.
        x, filler = batch.all_mapped(b)
        everywhere = b.broadcast(b.constant(True, DType.BOOL), shape=x.shape)
        inside = b.pad(everywhere, b.constant(False, DType.BOOL), **widths)
        zero = b.constant(0, x.dtype)
        around = b.reshape(filler, shape=(batch.examples, *(1,) * len(self.low)))
        return b.select(inside, b.pad(x, zero, **widths), around)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        x, _ = operands
        inside = []
        for i, low, inner, size in zip(index, self.low, self.interior, x.shape, strict=True):
            position, rest = divmod(i - low, inner + 1)
            if rest or not 0 <= position < size:
                return Element(1, ())
            inside.append(position)
        return Element(0, tuple(inside))

    def formula(self) -> str:
        return "y = x inside, the filler around and between"


@dataclass(frozen=True)
class Concat(Op):
    """The operands one behind the other along `axis`."""

    axis: int

    name: ClassVar[str] = "concat"
    arity: ClassVar[int | None] = None

    def infer(self, operands: Operands) -> TensorType:
        if not operands:
            raise GraphError("concat takes at least one operand")
        first = operands[0]
        if not 0 <= self.axis < len(first.shape):
            raise ShapeError(
                f"concat got axis {self.axis} of a value of shape {format_shape(first.shape)}"
            )
        for other in operands[1:]:
            if other.dtype is not first.dtype:
                raise DTypeError(
                    f"concat takes operands of one dtype; got {first.dtype.value} "
                    f"and {other.dtype.value}"
                )
            if _without(first.shape, self.axis) != _without(other.shape, self.axis):
                raise ShapeError(
                    f"concat got shapes {format_shape(first.shape)} and "
                    f"{format_shape(other.shape)}: they may differ on axis {self.axis} only"
                )
        if len(operands) == 1:
            return first
        shape = first.shape
        for other in operands[1:]:
            shape = tuple(map(same_axis, shape, other.shape))
        joined = [operand.shape[self.axis] for operand in operands]
        whole = (*shape[: self.axis], sum(map(int, joined)), *shape[self.axis + 1 :])
        return TensorType(forget_names(whole, joined), first.dtype)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        cotangents: list[Value | None] = []
        start = 0
        for operand, wanted in zip(call.inputs, call.wanted, strict=True):
            stop = start + operand.shape[self.axis]
            rank = len(d_y.shape)
            starts = tuple(start if axis == self.axis else 0 for axis in range(rank))
            stops = tuple(
                stop if axis == self.axis else int(d_y.shape[axis]) for axis in range(rank)
            )
            part = b.slice(d_y, starts=starts, stops=stops, steps=(1,) * rank) if wanted else None
            cotangents.append(part)
            start = stop
        return cotangents

    def batched(self, b: Builder, batch: Batch) -> Value:
        return b.concat(*batch.all_mapped(b), axis=self.axis + 1)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        at = list(index)
        here = 0
        while at[self.axis] >= operands[here].shape[self.axis]:
            at[self.axis] -= operands[here].shape[self.axis]
            here += 1
        return Element(here, tuple(at))

    def formula(self) -> str:
        return f"y = operands joined along axis {self.axis}"


def _keep_names(shape: Shape, old: Shape) -> Shape:
    """Let the named axes of `old` keep their names in `shape`, where their examples stay apart.

    In row-major order, examples are still one behind the other along an axis that has as many
    elements in front of it as before, and as many for each of them.
    """
    named = list(forget_names(shape, old))
    places = list(enumerate(zip(_sizes_in_front(shape), map(int, shape), strict=True)))
    for in_front, axis in zip(_sizes_in_front(old), old, strict=True):
        if not isinstance(axis, Axis):
            continue
        count = axis.examples
        found = [
            i
            for i, (before, size) in places
            if before == in_front and (size % count == 0 if count else size == 0)
        ]
        if found:
            # Of axes of size 1 side by side, that which claims to be it.
            place = next((i for i in found if isinstance(shape[i], Axis)), found[0])
            each = int(shape[place]) // count if count else 1
            named[place] = Axis(axis.name, int(shape[place]), each)
    return tuple(named)


def _sizes_in_front(shape: Shape) -> list[int]:
    return list(itertools.accumulate(map(int, shape), operator.mul, initial=1))[: len(shape)]


def _cut(before: Shape, shape: Shape) -> Shape:
    """`shape`, without the names of axes whose size is another than before."""
    changed = [old for old, new in zip(before, shape, strict=True) if old is not new]
    return forget_names(shape, changed)


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _ravel(index: tuple[int, ...], shape: Shape) -> int:
    position = 0
    for i, size in zip(index, shape, strict=True):
        position = position * size + i
    return position


def _unravel(position: int, shape: Shape) -> tuple[int, ...]:
    index: list[int] = []
    for size in reversed(shape):
        position, i = divmod(position, size)
        index.append(i)
    return tuple(reversed(index))


declare(
    Reshape,
    samples=(
        sample("f64[B=2,6]", shape=(2, 2, 3)),
        sample("f64[2,3]", shape=(6,)),
        sample("f64[1]", shape=()),
        sample("i32[4]", shape=(2, 2)),
    ),
    bad_samples=(
        bad_sample(
            "reshape to [2,4] takes 8 elements; shape [2,3] has 6.", "f64[2,3]", shape=(2, 4)
        ),
    ),
)
declare(
    Transpose,
    samples=(sample("f64[B=2,3]", axes=(1, 0)), sample("f64[2,3,4]", axes=(2, 0, 1))),
    bad_samples=(
        bad_sample(
            "transpose got axes [0, 0] of a value of shape [2,3]: each axis must be named once.",
            "f64[2,3]",
            axes=(0, 0),
        ),
    ),
)
declare(
    Broadcast,
    samples=(
        sample("f64[3]", shape=(2, 3)),
        sample("f64[2,1]", shape=(4, 2, 3)),
        sample("f64[]", shape=(2, 2)),
    ),
    bad_samples=(
        bad_sample("broadcast cannot stretch shape [3] to [1].", "f64[3]", shape=(1,)),
        bad_sample(
            "broadcast got shapes [3] and [2], which do not broadcast: "
            "axis 0 from the back is 3 and 2.",
            "f64[3]",
            shape=(2,),
        ),
    ),
)
declare(
    Slice,
    samples=(
        sample("f64[B=4,5]", starts=(0, 1), stops=(4, 4), steps=(1, 1)),
        sample("f64[7]", starts=(1,), stops=(7,), steps=(3,)),
        sample("f64[3,2]", starts=(1, 0), stops=(1, 2), steps=(1, 1)),
    ),
    bad_samples=(
        bad_sample(
            "slice 0:6:1 does not lie within axis 0 of shape [5].",
            "f64[5]",
            starts=(0,),
            stops=(6,),
            steps=(1,),
        ),
    ),
)
declare(
    Pad,
    samples=(
        sample("f64[2,3]", "f64[]", low=(1, 0), high=(0, 2), interior=(0, 1)),
        sample("f64[0]", "f64[]", low=(1,), high=(1,), interior=(2,)),
    ),
    bad_samples=(
        bad_sample(
            "pad fills f64[2] with a scalar of its dtype; got f64[2].",
            "f64[2]",
            "f64[2]",
            low=(0,),
            high=(0,),
            interior=(0,),
        ),
    ),
)
declare(
    Concat,
    samples=(
        sample("f64[B=2,3]", "f64[B=2,1]", axis=1),
        sample("f64[2]", "f64[3]", "f64[1]", axis=0),
    ),
    bad_samples=(
        bad_sample(
            "concat got shapes [2,3] and [3,3]: they may differ on axis 1 only.",
            "f64[2,3]",
            "f64[3,3]",
            axis=1,
        ),
    ),
)
