"""Elementwise costs: what one output beside one target costs, each a formula in the vocabulary."""

from __future__ import annotations

from chainrule.ops import (  # noqa: F401 - the vocabulary of the formulas
    functions,
    primitives,
    transcendental,
)
from chainrule.ops.elementwise import Interval, Kink, Vocabulary, elementwise
from chainrule.ops.expression import Expression, Operand
from chainrule.ops.primitives import INFINITY

_PROBABILITIES = ((0.25, 1.0), (0.9375, 0.0), (1e-3, 0.25), (0.5, 0.5625), (0.75, 1.0))
# Where a logarithm or a quotient would be infinite, these stand for it; torch's.
_LEAST_LOG, _LEAST_VARIANCE = -100.0, 1e-12


def _side(s: Vocabulary, x: Expression, negative: Operand, other: Operand) -> Expression:
    return s.select(s.less(x, 0), negative, other)


BCE_WITH_LOGITS = elementwise(
    "bce_with_logits",
    # -t·log σ(x) - (1-t)·log(1-σ(x)), with no logarithm of a probability that rounded to 0.
    # x·((x ≥ 0) - t), not max(x, 0) - x·t: for t = 1 that leaves 0 with the error of x.
    operands="x t",
    value=lambda s, x, t: x * (_side(s, x, 0, 1) - t) + s.log1p(s.exp(-s.abs(x))),
    partials=(
        # σ(x) - t, where σ near 1 is written as 1 - σ(-x). ±x, not |x|, which has a kink at 0.
        lambda s, x, t, y: (
            (_side(s, x, 0, 1) - t) + _side(s, x, 1, -1) * s.sigmoid(_side(s, x, x, -x))
        ),
        lambda s, x, t, y: -x,
    ),
    samples=((-30.0, 0.0), (-1.5, 1.0), (0.0, 0.25), (0.5, 0.25), (2.0, 0.0), (30.0, 1.0)),
    source="Bishop 2006, eq. 4.90",
)


def _log(s: Vocabulary, x: Expression) -> Expression:
    return s.max(s.log(x), _LEAST_LOG)


def _log_of_rest(s: Vocabulary, x: Expression) -> Expression:
    return s.max(s.log1p(-x), _LEAST_LOG)


BCE = elementwise(
    "bce",
    # -t·log x - (1-t)·log(1-x). A logarithm below -100 counts as -100, so that a probability of 0
    # costs a number.
    operands="x t",
    value=lambda s, x, t: (t - 1) * _log_of_rest(s, x) - t * _log(s, x),
    partials=(
        # At 0 and 1, where the value is flat, it goes on pushing outputs back, as torch's does.
        lambda s, x, t, y: (x - t) / s.max(x * (1 - x), _LEAST_VARIANCE),
        lambda s, x, t, y: _log_of_rest(s, x) - _log(s, x),
    ),
    kinks=(
        Kink((0.0, 1.0), (-1e12, 100.0)),
        Kink((1.0, 0.0), (1e12, -100.0)),
        Kink((0.0, 0.0), (0.0, 100.0)),
        Kink((1.0, 1.0), (0.0, -100.0)),
    ),
    domain=Interval(0.0, 1.0),
    samples=_PROBABILITIES,
    source="Bishop 2006, eq. 4.90",
)
KL_DIVERGENCE = elementwise(
    "kl_divergence",
    # What one outcome adds to KL(t | p), from x = log p. One that never comes adds nothing.
    operands="x t",
    value=lambda s, x, t: s.select(
        s.equal(t, 0), 0, t * (s.log(s.select(s.equal(t, 0), 1, t)) - x)
    ),
    partials=(lambda s, x, t, y: -t, lambda s, x, t, y: s.log(t) + 1 - x),
    samples=((-1.5, 0.25), (-0.125, 1.0), (-30.0, 1e-3), (-0.75, 0.5)),
    source="Kullback and Leibler 1951",
)
HUBER = elementwise(
    "huber",
    # The slope goes on at ±delta, and the second derivative jumps from 1 to 0: there it is 0.
    value=lambda s, x, *, delta: s.select(
        s.less(s.abs(x), delta), 0.5 * x * x, delta * (s.abs(x) - 0.5 * delta)
    ),
    partials=(lambda s, x, y, *, delta: s.select(s.less(s.abs(x), delta), x, delta * s.sign(x)),),
    samples=(-3.5, -0.75, 1e-3, 0.5, 2.0),
    source="Huber 1964",
    delta=1.0,
)
SMOOTH_L1 = elementwise(
    "smooth_l1",
    value=lambda s, x, *, beta: s.select(
        s.less(s.abs(x), beta), 0.5 * x * x / beta, s.abs(x) - 0.5 * beta
    ),
    partials=(lambda s, x, y, *, beta: s.select(s.less(s.abs(x), beta), x / beta, s.sign(x)),),
    samples=(-3.5, -0.75, 1e-3, 0.5, 2.0),
    source="Girshick 2015, eq. 3",
    beta=1.0,
)


def _focal_slope(s: Vocabulary, x: Expression, y: Expression, *, gamma: float) -> Operand:
    # q^γ·(1 + γ·x·e⁻ˣ/q) with q = 1 - e⁻ˣ; the quotient is 1 at 0.
    q = -s.expm1(-x)
    ratio = s.select(s.equal(x, 0), 1, x * s.exp(-x) / s.select(s.equal(x, 0), 1, q))
    return s.power(q, gamma) * (1 + gamma * ratio)


FOCAL = elementwise(
    "focal",
    # -(1-p)^γ·log p of a cost x = -log p: what a probability near 1 costs is made less still.
    value=lambda s, x, *, gamma: s.power(-s.expm1(-x), gamma) * x,
    partials=(_focal_slope,),
    domain=Interval(0.0, INFINITY),
    samples=(1e-3, 0.25, 1.0, 2.5, 40.0),
    source="Lin et al. 2017, eq. 4",
    gamma=2.0,
)
