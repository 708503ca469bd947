"""Elementwise functions of networks, each a formula in the vocabulary."""

from __future__ import annotations

from math import inf

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


def _softplus(s: Vocabulary, x: Expression, *, beta: float, threshold: float) -> Expression:
    # log(1+eᶻ) without overflow for large z. What is left out by default is not in the formula.
    z = x if beta == 1 else beta * x
    y = s.max(z, 0) + s.log1p(s.exp(-s.abs(z)))
    y = y if beta == 1 else y / beta
    return y if threshold == inf else s.select(s.greater(z, threshold), x, y)


def _softplus_slope(
    s: Vocabulary, x: Expression, y: Expression, *, beta: float, threshold: float
) -> Expression:
    # The op, not its formula again: |z| and max(z, 0) have kinks at 0, σ has none, and the second
    # derivative is taken of what stands here.
    z = x if beta == 1 else beta * x
    return s.sigmoid(z) if threshold == inf else s.select(s.greater(z, threshold), 1, s.sigmoid(z))


SOFTPLUS = elementwise(
    "softplus",
    value=_softplus,
    partials=(_softplus_slope,),
    samples=(*_REALS, 0.0),
    source="Dugas et al. 2001, eq. 3",
    beta=1.0,
    threshold=inf,
)
SQUARE = elementwise(
    "square",
    value=lambda s, x: x * x,
    partials=(lambda s, x, y: 2 * x,),
    notation="{0}²",
    precedence=50,
    samples=(-3.5, -1.0, 1e-3, 0.5, 4.0),
    source="IEEE 754-2019, section 5.4.1",
)
