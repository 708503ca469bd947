"""The composites: mean, softmax and the losses whose digits depend on being one op."""

from __future__ import annotations

import math

from chainrule.base.errors import DTypeError, ShapeError
from chainrule.graph import TensorType, format_shape
from chainrule.ops.builder import Builder, Value
from chainrule.ops.composite import composite
from chainrule.ops.reduce import check_axes, keep_axes
from chainrule.ops.samples import bad_sample, operand, sample
from chainrule.ops.table import Call


def _mean(b: Builder, x: Value, *, axes: tuple[int, ...]) -> Value:
    check_axes("mean", axes, x.shape)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    if not count:
        raise ShapeError(
            f"mean over axes {list(axes)} of shape {format_shape(x.shape)}: no elements"
        )
    return b.sum(x, axes=axes) / float(count)


def _keep(b: Builder, reduced: Value, x: Value, axis: int) -> Value:
    """Put the reduced axis back with size 1, so that it broadcasts against `x`."""
    return b.reshape(reduced, shape=keep_axes(x.shape, (axis,)))


def _softmax(b: Builder, x: Value, *, axis: int) -> Value:
    check_axes("softmax", (axis,), x.shape)
    # e^(x - max): the largest exponent is 0, so nothing overflows.
    e = b.exp(x - _keep(b, b.amax(x, axis=axis), x, axis))
    return e / _keep(b, b.sum(e, axes=(axis,)), x, axis)


def _softmax_pullback(b: Builder, call: Call, d_y: Value, *, axis: int) -> list[Value | None]:
    # d_x = (d_y - Σ d_y·y)·y   [Bridle 1990]
    y = call.output
    inner = b.sum(d_y * y, axes=(axis,))
    return [(d_y - _keep(b, inner, y, axis)) * y]


def _log_softmax(b: Builder, x: Value, *, axis: int) -> Value:
    check_axes("log_softmax", (axis,), x.shape)
    shifted = x - _keep(b, b.amax(x, axis=axis), x, axis)
    total = b.sum(b.exp(shifted), axes=(axis,))
    return shifted - _keep(b, b.log(total), x, axis)


def _log_softmax_pullback(b: Builder, call: Call, d_y: Value, *, axis: int) -> list[Value | None]:
    # d_x = d_y - softmax(x)·Σ d_y
    total = _keep(b, b.sum(d_y, axes=(axis,)), d_y, axis)
    return [d_y - b.exp(call.output) * total]


def _one_hot(b: Builder, labels: Value, like: Value) -> Value:
    """Where, in a value of `like`'s shape, the last axis is at its label."""
    positions = b.iota(shape=like.shape, axis=len(like.shape) - 1, dtype=labels.dtype)
    return b.equal(positions, b.reshape(labels, shape=(*labels.shape, 1)))


def _one_or_nan(b: Builder, labels: Value, like: Value) -> Value:
    """1, and NaN for a label that is no position on the last axis of `like`."""
    size = b.constant(int(like.shape[-1]), labels.dtype)
    known = b.logical_and(
        b.greater_equal(labels, b.constant(0, labels.dtype)), b.less(labels, size)
    )
    return b.select(known, b.constant(1.0, like.dtype), b.constant(math.nan, like.dtype))


def _check_labels(
    op: str, scores: str, values: Value, labels: Value, advice: str | None = None
) -> None:
    if not labels.dtype.is_integer:
        raise DTypeError(
            f"{op} takes labels as integers; got {TensorType(labels.shape, labels.dtype)}",
            advice=advice,
        )
    if not values.shape or labels.shape != values.shape[:-1]:
        raise ShapeError(
            f"{op} takes one label for each row of {scores}; got {scores} "
            f"{format_shape(values.shape)} and labels {format_shape(labels.shape)}"
        )


def _nll(b: Builder, log_probabilities: Value, labels: Value) -> Value:
    _check_labels("nll", "log-probabilities", log_probabilities, labels)
    chosen = b.select(
        _one_hot(b, labels, log_probabilities),
        log_probabilities,
        b.constant(0.0, log_probabilities.dtype),
    )
    last = len(log_probabilities.shape) - 1
    # A label out of range has no element in the sum: 0 would be the best cost there is.
    return -(b.sum(chosen, axes=(last,)) * _one_or_nan(b, labels, log_probabilities))


def _cross_entropy(b: Builder, logits: Value, labels: Value) -> Value:
    advice = "For one distribution per example use cross_entropy_soft"
    _check_labels("cross_entropy", "logits", logits, labels, advice)
    return b.nll(b.log_softmax(logits, axis=len(logits.shape) - 1), labels)


def _cross_entropy_pullback(b: Builder, call: Call, d_y: Value) -> list[Value | None]:
    # d_logits = (softmax(logits) - one_hot(labels))·d_y   [Bishop 2006, eq. 4.109]
    logits, labels = call.inputs
    p = b.softmax(logits, axis=len(logits.shape) - 1)
    one = b.cast(_one_hot(b, labels, logits), dtype=logits.dtype)
    known = d_y * _one_or_nan(b, labels, logits)
    return [(p - one) * b.reshape(known, shape=(*known.shape, 1)), None]


def _cross_entropy_soft(b: Builder, logits: Value, target: Value) -> Value:
    if logits.shape != target.shape or not logits.shape:
        raise ShapeError(
            f"cross_entropy_soft takes a distribution for each row of logits; got logits "
            f"{format_shape(logits.shape)} and targets {format_shape(target.shape)}"
        )
    last = len(logits.shape) - 1
    return -b.sum(target * b.log_softmax(logits, axis=last), axes=(last,))


_LOGITS = operand("f64[B=3,4]", (0.5, -1.0, 3.0, 2.0, 7.0, -2.0, 0.0, 6.5, 1e3, 0.0, -1e3, 2.0))

MEAN = composite(
    "mean",
    arity=1,
    body=_mean,
    formula="y = (Σ x) / n",
    samples=(sample("f64[B=3,4]", axes=(1,)), sample("f64[2,3,2]", axes=(0, 2))),
    bad_samples=(
        bad_sample("mean over axes [0] of shape [0,2]: no elements.", "f64[0,2]", axes=(0,)),
    ),
)
SOFTMAX = composite(
    "softmax",
    arity=1,
    body=_softmax,
    pullback=_softmax_pullback,
    formula="yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)",
    samples=(sample("f64[B=3,4]", axis=1), sample("f64[3,2]", axis=0), sample(_LOGITS, axis=1)),
    bad_samples=(
        bad_sample("softmax got axes [2] of a value of shape [3,4].", "f64[3,4]", axis=2),
    ),
    source="Bridle 1990",
)
LOG_SOFTMAX = composite(
    "log_softmax",
    arity=1,
    body=_log_softmax,
    pullback=_log_softmax_pullback,
    formula="yᵢ = xᵢ - log Σⱼ exp(xⱼ)",
    samples=(sample("f64[B=3,4]", axis=1), sample("f64[3,2]", axis=0), sample(_LOGITS, axis=1)),
    bad_samples=(
        bad_sample("log_softmax got axes [2] of a value of shape [3,4].", "f64[3,4]", axis=2),
    ),
)
NLL = composite(
    "nll",
    arity=2,
    body=_nll,
    formula="y = -x_label",
    samples=(
        sample("f64[B=3,4]", operand("i64[B=3]", below=4)),
        sample("f64[2,1,3]", operand("u32[2,1]", below=3)),
    ),
    bad_samples=(
        bad_sample(
            "nll takes one label for each row of log-probabilities; "
            "got log-probabilities [3,4] and labels [2].",
            "f64[3,4]",
            "i64[2]",
        ),
        bad_sample("nll takes labels as integers; got f64[3].", "f64[3,4]", "f64[3]"),
    ),
    source="Bishop 2006, eq. 4.108",
)
CROSS_ENTROPY = composite(
    "cross_entropy",
    arity=2,
    body=_cross_entropy,
    pullback=_cross_entropy_pullback,
    formula="y = log Σⱼ exp(xⱼ) - x_label",
    samples=(
        sample("f64[B=3,4]", operand("i64[B=3]", below=4)),
        sample(_LOGITS, operand("i64[B=3]", (2, 0, 1))),
    ),
    bad_samples=(
        bad_sample(
            "cross_entropy takes one label for each row of logits; "
            "got logits [3,4] and labels [2].",
            "f64[3,4]",
            "i64[2]",
        ),
        bad_sample(
            "cross_entropy takes labels as integers; got f64[3]. "
            "For one distribution per example use cross_entropy_soft.",
            "f64[3,4]",
            "f64[3]",
        ),
    ),
    source="Bishop 2006, eq. 4.108",
)
CROSS_ENTROPY_SOFT = composite(
    "cross_entropy_soft",
    arity=2,
    body=_cross_entropy_soft,
    formula="y = -Σⱼ tⱼ·log softmax(x)ⱼ",
    samples=(sample("f64[B=3,4]", "f64[B=3,4]"),),
    bad_samples=(
        bad_sample(
            "cross_entropy_soft takes a distribution for each row of logits; "
            "got logits [3,4] and targets [3].",
            "f64[3,4]",
            "f64[3]",
        ),
    ),
    source="Bishop 2006, eq. 4.108",
)
