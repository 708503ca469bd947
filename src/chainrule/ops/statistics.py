"""Composites over axes: products, logarithms of sums, variance, length, and sorted elements."""

from __future__ import annotations

import math

from chainrule.base.errors import DTypeError, ShapeError
from chainrule.graph import DType, format_shape
from chainrule.ops.builder import Builder, Value
from chainrule.ops.composite import composite
from chainrule.ops.reduce import check_axes, keep_axes, remaining
from chainrule.ops.samples import bad_sample, operand, sample
from chainrule.ops.table import Call


def _keep(b: Builder, reduced: Value, x: Value, axes: tuple[int, ...]) -> Value:
    """Put the reduced axes back with size 1, so that they broadcast against `x`."""
    return b.reshape(reduced, shape=keep_axes(x.shape, axes))


def _unless_zero(b: Builder, y: Value) -> Value:
    """`y`, and 1 where it is 0: what is divided by it is 0 there, and shall stay so."""
    return b.select(b.equal(y, b.constant(0.0, y.dtype)), b.constant(1.0, y.dtype), y)


def _prod(b: Builder, x: Value, *, axes: tuple[int, ...]) -> Value:
    check_axes("prod", axes, x.shape)
    if x.dtype is DType.BOOL:
        raise DTypeError("prod takes numbers; got bool", advice="Cast it first")
    shape = remaining(x.shape, axes)
    for axis in axes:
        x = _prod_along(b, x, axis)
    return b.reshape(x, shape=shape)


def _prod_along(b: Builder, x: Value, axis: int) -> Value:
    # Halves multiplied with each other: no division by an element, which may be 0, in the gradient.
    if x.shape[axis] == 0:
        return b.broadcast(b.constant(1, x.dtype), shape=keep_axes(x.shape, (axis,)))
    while (size := int(x.shape[axis])) > 1:
        half = size // 2
        product = _part(b, x, axis, 0, half) * _part(b, x, axis, half, 2 * half)
        odd = [_part(b, x, axis, 2 * half, size)] if size % 2 else []
        x = b.concat(product, *odd, axis=axis) if odd else product
    return x


def _part(b: Builder, x: Value, axis: int, start: int, stop: int) -> Value:
    rank = len(x.shape)
    starts = tuple(start if k == axis else 0 for k in range(rank))
    stops = tuple(stop if k == axis else int(x.shape[k]) for k in range(rank))
    return b.slice(x, starts=starts, stops=stops, steps=(1,) * rank)


def _finite_or_zero(b: Builder, x: Value) -> Value:
    return b.select(b.is_finite(x), x, b.constant(0.0, x.dtype))


def _log_sum_exp(b: Builder, x: Value, *, axes: tuple[int, ...]) -> Value:
    check_axes("log_sum_exp", axes, x.shape)
    largest = x
    for axis in reversed(axes):
        largest = b.amax(largest, axis=axis)
    # e^(x - max): the largest exponent is 0, so nothing overflows. An infinite one is left alone.
    shift = _finite_or_zero(b, largest)
    total = b.sum(b.exp(x - _keep(b, shift, x, axes)), axes=axes)
    return b.log(total) + shift


def _log_sum_exp_pullback(
    b: Builder, call: Call, d_y: Value, *, axes: tuple[int, ...]
) -> list[Value | None]:
    # d_x = softmax(x)·d_y = exp(x - y)·d_y; where all are -∞, so is y, and the slope is 0.
    (x,), y = call.inputs, call.output
    return [b.exp(x - _keep(b, _finite_or_zero(b, y), x, axes)) * _keep(b, d_y, x, axes)]


def _count(op: str, x: Value, axes: tuple[int, ...], correction: float) -> float:
    check_axes(op, axes, x.shape)
    left = math.prod(x.shape[axis] for axis in axes) - correction
    if left <= 0:
        raise ShapeError(
            f"{op} over axes {list(axes)} of shape {format_shape(x.shape)} with correction "
            f"{correction:g}: it divides by {left:g}"
        )
    return left


def _deviation(b: Builder, x: Value, axes: tuple[int, ...]) -> Value:
    return x - _keep(b, b.mean(x, axes=axes), x, axes)


def _variance(b: Builder, x: Value, *, axes: tuple[int, ...], correction: float) -> Value:
    count = _count("variance", x, axes, correction)
    # The mean is taken off first: mean(x²) - mean(x)² would cancel.
    return b.sum(b.square(_deviation(b, x, axes)), axes=axes) / count


def _variance_pullback(
    b: Builder, call: Call, d_y: Value, *, axes: tuple[int, ...], correction: float
) -> list[Value | None]:
    # d_x = 2·(x - mean)/(n - correction)·d_y: through the mean nothing flows, as Σ (x - mean) = 0.
    (x,) = call.inputs
    scale = 2.0 / b.constant(_count("variance", x, axes, correction), x.dtype)
    return [_deviation(b, x, axes) * _keep(b, d_y * scale, x, axes)]


def _std(b: Builder, x: Value, *, axes: tuple[int, ...], correction: float) -> Value:
    return b.sqrt(b.variance(x, axes=axes, correction=correction))


def _std_pullback(
    b: Builder, call: Call, d_y: Value, *, axes: tuple[int, ...], correction: float
) -> list[Value | None]:
    # d_x = (x - mean)/((n - correction)·y)·d_y, and 0 where all elements are equal, as in torch.
    (x,), y = call.inputs, call.output
    scaled = d_y / (_unless_zero(b, y) * _count("std", x, axes, correction))
    return [_deviation(b, x, axes) * _keep(b, scaled, x, axes)]


def _norm(b: Builder, x: Value, *, axes: tuple[int, ...]) -> Value:
    check_axes("norm", axes, x.shape)
    return b.sqrt(b.sum(b.square(x), axes=axes))


def _norm_pullback(
    b: Builder, call: Call, d_y: Value, *, axes: tuple[int, ...]
) -> list[Value | None]:
    # d_x = x/|x|·d_y, and 0 at 0, as in torch.
    (x,), y = call.inputs, call.output
    return [x * _keep(b, d_y / _unless_zero(b, y), x, axes)]


def _sort(b: Builder, x: Value, *, axis: int, descending: bool) -> Value:
    return b.take_along_axis(x, b.argsort(x, axis=axis, descending=descending), axis=axis)


_MATRIX = operand("f64[B=2,3]", (0.5, -1.0, 3.0, 2.0, 1e3, -2.0))

PROD = composite(
    "prod",
    arity=1,
    body=_prod,
    formula="y = Π x",
    samples=(
        sample("f64[B=2,5]", axes=(1,)),
        sample(operand("f64[3]", (2.0, 0.0, 3.0)), axes=(0,)),
        sample("f64[2,1,2]", axes=(0, 2)),
        sample("f64[0,2]", axes=(0,)),
        sample(operand("i32[3]", (2, -3, 5)), axes=(0,)),
    ),
    bad_samples=(
        bad_sample("prod got axes [2] of a value of shape [3,4].", "f64[3,4]", axes=(2,)),
        bad_sample("prod takes numbers; got bool. Cast it first.", "bool[3]", axes=(0,)),
    ),
)
LOG_SUM_EXP = composite(
    "log_sum_exp",
    arity=1,
    body=_log_sum_exp,
    pullback=_log_sum_exp_pullback,
    formula="y = log Σ exp(x)",
    samples=(sample(_MATRIX, axes=(1,)), sample("f64[2,1,2]", axes=(0, 2))),
    bad_samples=(
        bad_sample("log_sum_exp got axes [2] of a value of shape [3,4].", "f64[3,4]", axes=(2,)),
    ),
)
VARIANCE = composite(
    "variance",
    arity=1,
    body=_variance,
    pullback=_variance_pullback,
    formula="y = Σ (x - mean x)² / (n - correction)",
    samples=(
        sample("f64[B=2,3]", axes=(1,), correction=0.0),
        sample("f64[2,1,2]", axes=(0, 2), correction=1.0),
    ),
    bad_samples=(
        bad_sample(
            "variance over axes [0] of shape [1,2] with correction 1: it divides by 0.",
            "f64[1,2]",
            axes=(0,),
            correction=1.0,
        ),
    ),
)
STD = composite(
    "std",
    arity=1,
    body=_std,
    pullback=_std_pullback,
    formula="y = √(Σ (x - mean x)² / (n - correction))",
    samples=(
        sample("f64[B=2,3]", axes=(1,), correction=0.0),
        sample("f64[3]", axes=(0,), correction=1.0),
    ),
    bad_samples=(
        bad_sample(
            "variance over axes [0] of shape [0] with correction 0: it divides by 0.",
            "f64[0]",
            axes=(0,),
            correction=0.0,
        ),
    ),
)
NORM = composite(
    "norm",
    arity=1,
    body=_norm,
    pullback=_norm_pullback,
    formula="y = √(Σ x²)",
    samples=(sample("f64[B=2,3]", axes=(1,)), sample("f64[2,1,2]", axes=(0, 2))),
    bad_samples=(
        bad_sample("norm got axes [2] of a value of shape [3,4].", "f64[3,4]", axes=(2,)),
    ),
)
SORT = composite(
    "sort",
    arity=1,
    body=_sort,
    formula="y = x in order",
    samples=(
        sample(operand("f64[B=2,3]", (0.5, -1.0, 3.0, 2.0, 7.0, -2.0)), axis=1, descending=False),
        sample(operand("f64[3]", (0.5, -1.0, 3.0)), axis=0, descending=True),
        sample(operand("i64[4]", (3, 1, 3, 2)), axis=0, descending=True),
    ),
    bad_samples=(
        bad_sample(
            "argsort got axes [1] of a value of shape [3].", "f64[3]", axis=1, descending=False
        ),
    ),
)
