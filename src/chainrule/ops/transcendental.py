"""More functions of numbers: the error function, angles and hyperbolas, rounding.

A function that the others give to full accuracy is a formula; only what they do not is a word of
the vocabulary, for which each backend needs a kernel.
"""

from __future__ import annotations

import math

from chainrule.ops.elementwise import (
    ZERO,
    Interval,
    Kink,
    Vocabulary,
    elementwise,
    primitive,
)
from chainrule.ops.expression import Expression, Operand

INFINITY = math.inf
_REALS: tuple[float, ...] = (-3.5, -1.0, -0.25, 1e-3, 0.5, 2.0)
_WIDE = (*_REALS, -30.0, 30.0)
_INSIDE = (-0.96875, -0.5, 1e-3, 0.25, 0.875)

# Above 2²⁸, x² + 1 is x² in every dtype, and 1/x² is nothing beside 1.
_LARGE = 2.0**28
# From here on sinh x is eˣ/2, to the last digit; eˣ overflows far above, also in f32.
_EXPONENTIAL = 22.0

EXPM1 = primitive(
    "expm1",
    # exp(x), not y + 1: for x << 0, y is -1 and would leave nothing.
    partials=(lambda s, x, y: s.exp(x),),
    notation="exp({0}) - 1",
    precedence=20,
    samples=(-30.0, -0.5, -1e-9, 0.0, 1e-12, 0.5, 30.0),
    source="IEEE 754-2019, section 9.2",
)
ATAN = primitive(
    "atan", partials=(lambda s, x, y: 1 / (1 + x * x),), samples=_WIDE, source="DLMF, eq. 4.23.3"
)


def pi(s: Vocabulary) -> Expression:
    """π as a formula: a number would be π to 16 digits only where it is read with 50."""
    return 4.0 * s.atan(1.0)


ERF = primitive(
    "erf",
    partials=(lambda s, x, y: 2.0 * s.exp(-(x * x)) / s.sqrt(pi(s)),),
    samples=(-3.5, -1.0, -0.25, 0.0, 1e-3, 0.5, 2.0),
    source="DLMF, eq. 7.2.1",
)
ERFC = primitive(
    "erfc",
    partials=(lambda s, x, y: -2.0 * s.exp(-(x * x)) / s.sqrt(pi(s)),),
    samples=(-3.5, -1.0, 0.0, 0.5, 2.0, 5.0),
    source="DLMF, eq. 7.2.2",
)

FLOOR, CEIL, ROUND = (
    primitive(
        name,
        partials=(ZERO,),
        notation=notation,
        kinks=(Kink((at,), (0.0,)),),
        samples=(-3.75, -1.25, -0.75, 0.25, 0.75, 2.25),
        source="IEEE 754-2019, section 5.9",
    )
    for name, notation, at in (
        ("floor", "⌊{0}⌋", 0.0),
        ("ceil", "⌈{0}⌉", 0.0),
        ("round", "round({0})", 0.5),  # a tie goes to the even neighbour
    )
)

TAN = elementwise(
    "tan",
    value=lambda s, x: s.sin(x) / s.cos(x),
    partials=(lambda s, x, y: 1 + y * y,),
    samples=_REALS,
    source="DLMF, eq. 4.14.4",
)


def _sinh(s: Vocabulary, x: Expression) -> Operand:
    size = s.abs(x)
    grown = s.expm1(s.min(size, _EXPONENTIAL))  # e^|x| - 1: e^x - e^-x would cancel near 0
    half = s.exp(0.5 * size)  # e^|x| overflows before its half does
    near = 0.5 * (grown + grown / (grown + 1))
    return s.sign(x) * s.select(s.less(size, _EXPONENTIAL), near, 0.5 * half * half)


def _cosh(s: Vocabulary, x: Expression) -> Operand:
    up, down = s.exp(0.5 * x), s.exp(-0.5 * x)  # e^x overflows before its half does
    return 0.5 * up * up + 0.5 * down * down


# The partial of sinh is smooth, so second derivatives are right at 0, where |x| has a kink.
SINH = elementwise(
    "sinh",
    value=_sinh,
    partials=(lambda s, x, y: _cosh(s, x),),
    samples=_REALS,
    source="DLMF, eq. 4.28.1",
)
COSH = elementwise(
    "cosh",
    value=_cosh,
    partials=(lambda s, x, y: s.sinh(x),),
    samples=_REALS,
    source="DLMF, eq. 4.28.2",
)


def _hypot(s: Vocabulary, a: Expression, b: Expression) -> Operand:
    # The larger is taken out of the root: its square may overflow, or be too small.
    larger, smaller = s.max(s.abs(a), s.abs(b)), s.min(s.abs(a), s.abs(b))
    ratio = smaller / s.select(s.equal(larger, 0), 1, larger)
    return larger * s.sqrt(1 + ratio * ratio)


def _divide_unless_zero(s: Vocabulary, a: Expression, y: Expression) -> Operand:
    return a / s.select(s.equal(y, 0), 1, y)


HYPOT = elementwise(
    "hypot",
    operands="a b",
    value=_hypot,
    partials=(
        lambda s, a, b, y: _divide_unless_zero(s, a, y),
        lambda s, a, b, y: _divide_unless_zero(s, b, y),
    ),
    kinks=(Kink((0.0, 0.0), (0.0, 0.0)),),
    samples=((1.5, -2.25), (-0.75, 0.5), (0.25, 100.0)),
    source="IEEE 754-2019, section 9.2",
)


def _asinh(s: Vocabulary, x: Expression) -> Operand:
    size = s.abs(x)
    near = s.log1p(size + size * size / (1 + s.sqrt(1 + size * size)))
    large = s.log(s.max(size, 1)) + s.log(2.0)
    return s.sign(x) * s.select(s.less(size, _LARGE), near, large)


def _acosh(s: Vocabulary, x: Expression) -> Operand:
    above = x - 1
    near = s.log1p(above + s.sqrt(above * (above + 2)))
    return s.select(s.less(x, _LARGE), near, s.log(s.max(x, 1)) + s.log(2.0))


def _atanh(s: Vocabulary, x: Expression) -> Operand:
    size = s.abs(x)
    return 0.5 * s.sign(x) * s.log1p(2 * size / (1 - size))


ASINH = elementwise(
    "asinh",
    value=_asinh,
    partials=(lambda s, x, y: 1 / s.hypot(x, 1.0),),
    samples=_WIDE,
    source="DLMF, eq. 4.37.1",
)
ACOSH = elementwise(
    "acosh",
    value=_acosh,
    # Two roots: x² overflows where its root does not.
    partials=(lambda s, x, y: 1 / (s.sqrt(x - 1) * s.sqrt(x + 1)),),
    domain=Interval(1.0, INFINITY),
    samples=(1.0625, 1.5, 2.0, 30.0),
    source="DLMF, eq. 4.37.2",
)
ATANH = elementwise(
    "atanh",
    value=_atanh,
    # (1-x)·(1+x), not 1-x²: keeps digits near |x| = 1. So below.
    partials=(lambda s, x, y: 1 / ((1 - x) * (1 + x)),),
    domain=Interval(-1.0, 1.0, closed=False),
    samples=_INSIDE,
    source="DLMF, eq. 4.37.3",
)
ASIN = elementwise(
    "asin",
    value=lambda s, x: s.atan(x / s.sqrt((1 - x) * (1 + x))),
    partials=(lambda s, x, y: 1 / s.sqrt((1 - x) * (1 + x)),),
    domain=Interval(-1.0, 1.0),
    samples=_INSIDE,
    source="DLMF, eq. 4.23.1",
)
ACOS = elementwise(
    "acos",
    value=lambda s, x: 2 * s.atan(s.sqrt((1 - x) / (1 + x))),
    partials=(lambda s, x, y: -1 / s.sqrt((1 - x) * (1 + x)),),
    domain=Interval(-1.0, 1.0),
    samples=_INSIDE,
    source="DLMF, eq. 4.23.2",
)


def _atan2(s: Vocabulary, a: Expression, b: Expression) -> Operand:
    # The angle to the axis, then to which half of the plane it belongs. At (0, 0) it is 0.
    both = s.logical_and(s.equal(a, 0), s.equal(b, 0))
    angle = s.atan(a / s.abs(s.select(both, 1, b)))
    other = s.select(s.less(a, 0), -1, 1) * pi(s) - angle
    return s.select(s.less(b, 0), other, angle)


def _divide_twice(s: Vocabulary, a: Expression, h: Expression) -> Expression:
    safe = s.select(s.equal(h, 0), 1, h)
    return a / safe / safe


ATAN2 = elementwise(
    "atan2",
    operands="a b",
    value=_atan2,
    # (b/h)/h with h = √(a²+b²): a² + b² may overflow, or be too small.
    partials=(
        lambda s, a, b, y: _divide_twice(s, b, s.hypot(a, b)),
        lambda s, a, b, y: -_divide_twice(s, a, s.hypot(a, b)),
    ),
    samples=((1.5, -2.25), (-0.75, 0.5), (0.25, 100.0)),
    source="IEEE 754-2019, section 9.2",
)
