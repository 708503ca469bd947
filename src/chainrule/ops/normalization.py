"""Composites that bring numbers to a common size: their pullbacks in closed form."""

from __future__ import annotations

from chainrule.ops.builder import Builder, Value
from chainrule.ops.composite import composite
from chainrule.ops.reduce import keep_axes
from chainrule.ops.samples import bad_sample, operand, sample
from chainrule.ops.table import Call


def _kept_mean(b: Builder, x: Value, axes: tuple[int, ...]) -> Value:
    """The mean over `axes`, which stay with size 1, so that it broadcasts against `x`."""
    return b.reshape(b.mean(x, axes=axes), shape=keep_axes(x.shape, axes))


def _deviation(b: Builder, x: Value, axes: tuple[int, ...], eps: float) -> Value:
    # Of the differences, not mean(x²) - mean(x)²: that cancels where the mean is large.
    variance = _kept_mean(b, b.square(x - _kept_mean(b, x, axes)), axes)
    return b.sqrt(variance + eps)


def _layer_norm(b: Builder, x: Value, *, axes: tuple[int, ...], eps: float) -> Value:
    return (x - _kept_mean(b, x, axes)) / _deviation(b, x, axes, eps)


def _layer_norm_pullback(
    b: Builder, call: Call, d_y: Value, *, axes: tuple[int, ...], eps: float
) -> list[Value | None]:
    # d_x = (d_y - mean(d_y) - y·mean(d_y·y)) / σ   [Ba, Kiros and Hinton 2016, eq. 4]
    (x,), y = call.inputs, call.output
    inner = d_y - _kept_mean(b, d_y, axes) - y * _kept_mean(b, d_y * y, axes)
    return [inner / _deviation(b, x, axes, eps)]


def _root_mean_square(b: Builder, x: Value, axes: tuple[int, ...], eps: float) -> Value:
    return b.sqrt(_kept_mean(b, b.square(x), axes) + eps)


def _rms_norm(b: Builder, x: Value, *, axes: tuple[int, ...], eps: float) -> Value:
    return x / _root_mean_square(b, x, axes, eps)


def _rms_norm_pullback(
    b: Builder, call: Call, d_y: Value, *, axes: tuple[int, ...], eps: float
) -> list[Value | None]:
    # d_x = (d_y - y·mean(d_y·y)) / RMS(x): layer norm's, with no mean taken away.
    (x,), y = call.inputs, call.output
    inner = d_y - y * _kept_mean(b, d_y * y, axes)
    return [inner / _root_mean_square(b, x, axes, eps)]


_FAR = operand("f64[3]", (64.0, 65.0, 62.0))
_NO_SUCH_AXIS = "mean got axes [2] of a value of shape [3,4]."

LAYER_NORM = composite(
    "layer_norm",
    arity=1,
    body=_layer_norm,
    pullback=_layer_norm_pullback,
    formula="y = (x - mean(x)) / √(var(x) + eps)",
    samples=(
        sample("f64[B=2,3]", axes=(1,), eps=1e-5),
        sample("f64[1,2,2]", axes=(1, 2), eps=0.5),
        sample(_FAR, axes=(0,), eps=1e-5),
    ),
    bad_samples=(bad_sample(_NO_SUCH_AXIS, "f64[3,4]", axes=(2,), eps=1e-5),),
    source="Ba, Kiros and Hinton 2016, eq. 4",
)
RMS_NORM = composite(
    "rms_norm",
    arity=1,
    body=_rms_norm,
    pullback=_rms_norm_pullback,
    formula="y = x / √(mean(x²) + eps)",
    samples=(
        sample("f64[B=2,3]", axes=(1,), eps=1e-5),
        sample("f64[1,2,2]", axes=(1, 2), eps=0.5),
    ),
    bad_samples=(bad_sample(_NO_SUCH_AXIS, "f64[3,4]", axes=(2,), eps=1e-5),),
    source="Zhang and Sennrich 2019, eq. 4",
)
