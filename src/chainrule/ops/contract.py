"""contract: the sum of products over chosen axes; every matrix product is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chainrule.base.errors import DTypeError, ShapeError
from chainrule.graph import Shape, TensorType, forget_names, format_shape, same_axis
from chainrule.ops.batching import move_to_front
from chainrule.ops.builder import Builder, Value
from chainrule.ops.expression import Element, Expression, Fold, Lazy
from chainrule.ops.samples import bad_sample, sample
from chainrule.ops.table import Batch, Call, Op, Operands, declare


@dataclass(frozen=True)
class Contract(Op):
    """y = Σ a·b over pairs of axes.

    Parameters
    ----------
    over : tuple of int
        Pairs of contracted axes, flat: ``(a_axis, b_axis, a_axis, b_axis, ...)``.
    batch : tuple of int
        Pairs of axes along which both run together, flat likewise.

    Notes
    -----
    The result's axes are the batch axes, then a's remaining ones, then b's. The sum runs over
    the contracted axes in the order given, the last fastest, front to back.
    """

    over: tuple[int, ...] = ()
    batch: tuple[int, ...] = ()

    name: ClassVar[str] = "contract"
    arity: ClassVar[int | None] = 2
    adds: ClassVar[bool] = True

    @property
    def a_over(self) -> tuple[int, ...]:
        """Contracted axes of the first operand."""
        return self.over[0::2]

    @property
    def b_over(self) -> tuple[int, ...]:
        """Contracted axes of the second operand."""
        return self.over[1::2]

    @property
    def a_batch(self) -> tuple[int, ...]:
        """Batch axes of the first operand."""
        return self.batch[0::2]

    @property
    def b_batch(self) -> tuple[int, ...]:
        """Batch axes of the second operand."""
        return self.batch[1::2]

    def a_free(self, rank: int) -> tuple[int, ...]:
        """The first operand's remaining axes."""
        return _others(rank, self.a_over + self.a_batch)

    def b_free(self, rank: int) -> tuple[int, ...]:
        """The second operand's remaining axes."""
        return _others(rank, self.b_over + self.b_batch)

    def infer(self, operands: Operands) -> TensorType:
        a, b = operands
        if a.dtype is not b.dtype or not a.dtype.is_float:
            raise DTypeError(
                f"contract takes two floats of one dtype; got {a.dtype.value} and {b.dtype.value}"
            )
        self._check_axes(self.a_over + self.a_batch, a.shape)
        self._check_axes(self.b_over + self.b_batch, b.shape)
        pairs = zip(self.a_over + self.a_batch, self.b_over + self.b_batch, strict=True)
        for i, j in pairs:
            if a.shape[i] != b.shape[j]:
                raise ShapeError(
                    f"contract got shapes {format_shape(a.shape)} and {format_shape(b.shape)}: "
                    f"axis {i} of the first is {int(a.shape[i])} and "
                    f"axis {j} of the second is {int(b.shape[j])}"
                )
        together = zip(self.a_batch, self.b_batch, strict=True)
        shape = [same_axis(a.shape[i], b.shape[j]) for i, j in together]
        shape += [a.shape[i] for i in self.a_free(len(a.shape))]
        shape += [b.shape[i] for i in self.b_free(len(b.shape))]
        gone = [a.shape[i] for i in self.a_over] + [b.shape[i] for i in self.b_over]
        return TensorType(forget_names(tuple(shape), gone), a.dtype)

    def _check_axes(self, axes: tuple[int, ...], shape: Shape) -> None:
        if len(self.over) % 2 or len(self.batch) % 2:
            raise ShapeError("contract takes axes in pairs, one of each operand")
        if len(set(axes)) < len(axes) or any(not 0 <= axis < len(shape) for axis in axes):
            raise ShapeError(
                f"contract got axes {list(axes)} of a value of shape {format_shape(shape)}"
            )

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        left, right = call.inputs
        d_left = d_right = None
        batch = len(self.a_batch)
        left_free = self.a_free(len(left.shape))
        right_free = self.b_free(len(right.shape))
        # The result's axes: batch, then left's free ones, then right's.
        y_left = tuple(range(batch, batch + len(left_free)))
        y_right = tuple(range(batch + len(left_free), len(d_y.shape)))
        y_batch = tuple(range(batch))
        if call.wanted[0]:
            product = _product(
                b, d_y, right, _pairs(y_right, right_free), _pairs(y_batch, self.b_batch)
            )
            contracted = tuple(i for _, i in sorted(zip(self.b_over, self.a_over, strict=True)))
            d_left = _arrange(b, product, self.a_batch + left_free + contracted)
        if call.wanted[1]:
            contracted = tuple(j for _, j in sorted(zip(self.a_over, self.b_over, strict=True)))
            # d_y before left, or left before d_y: whichever leaves the axes in right's order.
            if self.b_batch + right_free + self.b_over == tuple(range(len(right.shape))):
                product = _product(
                    b, d_y, left, _pairs(y_left, left_free), _pairs(y_batch, self.a_batch)
                )
                axes = self.b_batch + right_free + contracted
            else:
                product = _product(
                    b, left, d_y, _pairs(left_free, y_left), _pairs(self.a_batch, y_batch)
                )
                axes = self.b_batch + contracted + right_free
            d_right = _arrange(b, product, axes)
        return [d_left, d_right]

    def batched(self, b: Builder, batch: Batch) -> Value:
        # The examples are a batch axis of both operands, or a free one, the first, of one.
        first, second = batch.mapped
        over = _pairs(_behind(self.a_over, first), _behind(self.b_over, second))
        own = _pairs(_behind(self.a_batch, first), _behind(self.b_batch, second))
        if first and second:
            return b.contract(*batch.operands, over=over, batch=(0, 0, *own))
        y = _product(b, batch.operands[0], batch.operands[1], over, own)
        in_front = len(self.a_batch)
        if second:
            in_front += len(self.a_free(len(batch.operands[0].shape)))
        return move_to_front(b, y, in_front)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        a, b = operands
        batch = len(self.a_batch)
        left_free = self.a_free(len(a.shape))
        at_a = dict(zip(self.a_batch + left_free, index, strict=False))
        right = index[:batch] + index[batch + len(left_free) :]
        at_b = dict(zip(self.b_batch + self.b_free(len(b.shape)), right, strict=True))
        sizes = [int(a.shape[i]) for i in self.a_over]
        count = 1
        for size in sizes:
            count *= size

        def product(position: int) -> Expression:
            here_a, here_b = dict(at_a), dict(at_b)
            for i, j, size in reversed(list(zip(self.a_over, self.b_over, sizes, strict=True))):
                position, here = divmod(position, size)
                here_a[i] = here_b[j] = here
            return Element(0, _index(here_a)) * Element(1, _index(here_b))

        return Fold("add", Lazy(count, product))

    def formula(self) -> str:
        return "y = Σₖ aₖ·bₖ"


def _others(rank: int, taken: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis for axis in range(rank) if axis not in taken)


def _pairs(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis for pair in zip(first, second, strict=True) for axis in pair)


def _behind(axes: tuple[int, ...], mapped: bool) -> tuple[int, ...]:
    """Axes of one example, in an operand that may have the examples in front."""
    return tuple(axis + mapped for axis in axes)


def _index(at: dict[int, int]) -> tuple[int, ...]:
    return tuple(at[axis] for axis in range(len(at)))


def _product(
    b: Builder, a: Value, c: Value, over: tuple[int, ...], batch: tuple[int, ...]
) -> Value:
    return b.contract(a, c, over=over, batch=batch) if batch else b.contract(a, c, over=over)


def _arrange(b: Builder, value: Value, axes: tuple[int, ...]) -> Value:
    """Transpose `value`, whose axes are the operand's `axes`, into the operand's own order."""
    if axes == tuple(range(len(axes))):
        return value
    return b.transpose(value, axes=tuple(axes.index(i) for i in range(len(axes))))


declare(
    Contract,
    samples=(
        sample("f64[B=3,4]", "f64[2,4]", over=(1, 1)),
        sample("f64[3,4]", "f64[4,2]", over=(1, 0)),
        sample("f64[4,3]", "f64[4,2]", over=(0, 0)),
        sample("f64[4]", "f64[4]", over=(0, 0)),
        sample("f64[3]", "f64[2]"),
        sample("f64[2,3,4]", "f64[2,4,5]", over=(2, 1), batch=(0, 0)),
        sample("f64[3,2,4]", "f64[4,5,2]", over=(2, 0), batch=(1, 2)),
        sample("f64[2,3,4]", "f64[4,5,3]", over=(1, 2, 2, 0)),
        sample("f64[1,37]", "f64[1,37]", over=(1, 1)),
    ),
    bad_samples=(
        bad_sample(
            "contract got shapes [3,4] and [2,5]: "
            "axis 1 of the first is 4 and axis 1 of the second is 5.",
            "f64[3,4]",
            "f64[2,5]",
            over=(1, 1),
        ),
        bad_sample(
            "contract got axes [2] of a value of shape [3,4].", "f64[3,4]", "f64[4]", over=(2, 0)
        ),
        bad_sample(
            "contract takes two floats of one dtype; got f64 and f32.",
            "f64[3]",
            "f32[3]",
            over=(0, 0),
        ),
    ),
)
