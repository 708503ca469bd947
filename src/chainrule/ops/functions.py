"""Elementwise functions of networks, each a formula in the vocabulary."""

from __future__ import annotations

from chainrule.ops import (  # noqa: F401 - the vocabulary of the formulas
    integers,
    primitives,
    transcendental,
)
from chainrule.ops.elementwise import Indicator, Kink, Vocabulary, elementwise
from chainrule.ops.expression import Expression

_REALS = (-745.0, -30.0, -1.5, -1e-3, 0.5, 2.0, 30.0)


def sigmoid_formula(s: Vocabulary, x: Expression) -> Expression:
    """1/(1+e⁻ˣ), for formulas that contain it."""
    # 1/(1+e⁻ˣ) alone overflows for x < -709: e⁻ˡˣˡ is never above 1.
    e = s.exp(-s.abs(x))
    return s.select(s.less(x, 0), e, 1) / (1 + e)


SIGMOID = elementwise(
    "sigmoid",
    value=sigmoid_formula,
    partials=(lambda s, x, y: y * (1 - y),),
    samples=(*_REALS, 0.0),
    source="Rumelhart, Hinton and Williams 1986, eq. 2",
)
RELU = elementwise(
    "relu",
    # select, not max(x, 0): max's gradient at 0 is one half. Not x > 0 either: NaN stays NaN.
    value=lambda s, x: s.select(s.less_equal(x, 0), 0, x),
    partials=(Indicator(lambda s, x, y: s.logical_not(s.less_equal(x, 0))),),
    kinks=(Kink((0.0,), (0.0,)),),
    samples=_REALS,
    source="Nair and Hinton 2010",
)
LEAKY_RELU = elementwise(
    "leaky_relu",
    value=lambda s, x, *, slope: s.select(s.less_equal(x, 0), slope * x, x),
    partials=(lambda s, x, y, *, slope: s.select(s.less_equal(x, 0), slope, 1),),
    kinks=(Kink((0.0,), (0.01,)),),
    samples=_REALS,
    source="Maas, Hannun and Ng 2013",
    slope=0.01,
)
SOFTPLUS = elementwise(
    "softplus",
    # log(1+eˣ) without overflow for large x.
    value=lambda s, x: s.max(x, 0) + s.log1p(s.exp(-s.abs(x))),
    # The op, not its formula again: |x| and max(x, 0) have kinks at 0, σ has none, and the second
    # derivative is taken of what stands here.
    partials=(lambda s, x, y: s.sigmoid(x),),
    samples=(*_REALS, 0.0),
    source="Dugas et al. 2001, eq. 3",
)
SQUARE = elementwise(
    "square",
    value=lambda s, x: x * x,
    partials=(lambda s, x, y: 2 * x,),
    notation="{0}²",
    precedence=50,
    samples=(-3.5, -1.0, 1e-3, 0.5, 4.0),
)
BCE_WITH_LOGITS = elementwise(
    "bce_with_logits",
    # -t·log σ(x) - (1-t)·log(1-σ(x)), with no logarithm of a probability that rounded to 0.
    operands="x t",
    value=lambda s, x, t: s.max(x, 0) - x * t + s.log1p(s.exp(-s.abs(x))),
    partials=(lambda s, x, t, y: s.sigmoid(x) - t, lambda s, x, t, y: -x),
    samples=((-30.0, 0.0), (-1.5, 1.0), (0.0, 0.25), (0.5, 0.25), (2.0, 0.0), (30.0, 1.0)),
    source="Bishop 2006, eq. 4.90",
)
