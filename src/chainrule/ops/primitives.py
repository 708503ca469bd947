"""The vocabulary: the primitive elementwise ops, each with its own partials.

Every other elementwise formula is written in these words, so second derivatives need no rule
of their own. A backend has one kernel for each.
"""

from __future__ import annotations

import math

from chainrule.graph import DType
from chainrule.ops.elementwise import (
    ZERO,
    Indicator,
    Interval,
    Kink,
    primitive,
)

INFINITY = math.inf
_PAIRS = ((1.5, -2.25), (-0.75, 0.5), (3.0, 4.0), (-1e-3, -8.0), (0.25, 100.0))
_REALS = (-3.5, -1.0, -0.25, 1e-3, 0.5, 2.0)
_POSITIVE = (1e-3, 0.25, 1.0, 2.5, 40.0)
_BOOLS = ((0, 0), (0, 1), (1, 0), (1, 1))

ADD = primitive(
    "add",
    correctly_rounded=True,
    operands="a b",
    partials=(lambda s, a, b, y: 1, lambda s, a, b, y: 1),
    notation="{0} + {1}",
    precedence=20,
    accepts="number",
    samples=_PAIRS,
    source="IEEE 754-2019, section 5.4.1",
)
SUB = primitive(
    "sub",
    correctly_rounded=True,
    operands="a b",
    partials=(lambda s, a, b, y: 1, lambda s, a, b, y: -1),
    notation="{0} - {1}",
    precedence=20,
    accepts="number",
    samples=_PAIRS,
    source="IEEE 754-2019, section 5.4.1",
)
MUL = primitive(
    "mul",
    correctly_rounded=True,
    operands="a b",
    partials=(lambda s, a, b, y: b, lambda s, a, b, y: a),
    notation="{0}·{1}",
    precedence=30,
    accepts="number",
    samples=_PAIRS,
    source="IEEE 754-2019, section 5.4.1",
)
DIV = primitive(
    "div",
    correctly_rounded=True,
    operands="a b",
    # -y/b, not -a/b²: b² overflows for |b| > 1e154 while the quotient does not.
    partials=(lambda s, a, b, y: 1 / b, lambda s, a, b, y: -y / b),
    notation="{0}/{1}",
    precedence=30,
    samples=_PAIRS,
    source="IEEE 754-2019, section 5.4.1",
)
NEG = primitive(
    "neg",
    correctly_rounded=True,
    partials=(lambda s, x, y: -1,),
    notation="-{0}",
    precedence=40,
    accepts="number",
    samples=_REALS,
    source="IEEE 754-2019, section 5.5.1",
)
EXP = primitive(
    "exp",
    partials=(lambda s, x, y: y,),
    samples=(-745.0, -30.0, -1.0, 0.0, 0.5, 30.0),
    source="DLMF, eq. 4.2.19",
)
LOG = primitive(
    "log",
    partials=(lambda s, x, y: 1 / x,),
    domain=Interval(0.0, INFINITY, closed=False),
    samples=_POSITIVE,
    source="DLMF, eq. 4.2.2",
)
LOG1P = primitive(
    "log1p",
    partials=(lambda s, x, y: 1 / (1 + x),),
    notation="log(1 + {0})",
    domain=Interval(-1.0, INFINITY, closed=False),
    samples=(-0.5, -1e-9, 0.0, 1e-12, 0.5, 30.0),
    source="IEEE 754-2019, section 9.2",
)
SQRT = primitive(
    "sqrt",
    correctly_rounded=True,
    partials=(lambda s, x, y: 0.5 / y,),
    notation="√({0})",
    domain=Interval(0.0, INFINITY),
    samples=_POSITIVE,
    source="IEEE 754-2019, section 5.4.1",
)
ABS = primitive(
    "abs",
    correctly_rounded=True,
    partials=(lambda s, x, y: s.sign(x),),
    notation="|{0}|",
    accepts="number",
    kinks=(Kink((0.0,), (0.0,)),),
    samples=_REALS,
    source="IEEE 754-2019, section 5.5.1",
)
SIGN = primitive(
    "sign",
    correctly_rounded=True,
    partials=(ZERO,),
    accepts="number",
    kinks=(Kink((0.0,), (0.0,)),),
    samples=_REALS,
    source="Iverson 1962",
)
# At a tie each operand gets half: max(x, x) = x then has the derivative 1, as it must.
MAX = primitive(
    "max",
    correctly_rounded=True,
    operands="a b",
    partials=(
        lambda s, a, b, y: s.select(s.greater(a, b), 1, s.select(s.equal(a, b), 0.5, 0)),
        lambda s, a, b, y: s.select(s.greater(b, a), 1, s.select(s.equal(a, b), 0.5, 0)),
    ),
    accepts="number",
    kinks=(Kink((1.0, 1.0), (0.5, 0.5)),),
    samples=_PAIRS,
    source="IEEE 754-2019, section 9.6",
)
MIN = primitive(
    "min",
    correctly_rounded=True,
    operands="a b",
    partials=(
        lambda s, a, b, y: s.select(s.less(a, b), 1, s.select(s.equal(a, b), 0.5, 0)),
        lambda s, a, b, y: s.select(s.less(b, a), 1, s.select(s.equal(a, b), 0.5, 0)),
    ),
    accepts="number",
    kinks=(Kink((1.0, 1.0), (0.5, 0.5)),),
    samples=_PAIRS,
    source="IEEE 754-2019, section 9.6",
)
POWER = primitive(
    "power",
    operands="a b",
    partials=(
        # a = b = 0 apart: 0·0⁻¹ would be NaN, where a⁰ = 1 is constant. The exponent is chosen, not
        # the product: a NaN that is computed and not chosen comes back in the next derivative.
        lambda s, a, b, y: (
            b * s.power(a, s.select(s.logical_and(s.equal(a, 0), s.equal(b, 0)), 1, b - 1))
        ),
        # y = 0 apart: 0·log 0 would be NaN, where the limit is 0.
        lambda s, a, b, y: y * s.log(s.select(s.equal(y, 0), 1, a)),
    ),
    notation="{0}^{1}",
    precedence=50,
    domain=Interval(0.0, INFINITY),
    samples=((0.5, 2.0), (1.5, -1.5), (3.0, 0.5), (0.9, 10.0), (2.0, 3.0), (2.0, 0.0)),
    source="IEEE 754-2019, section 9.2",
)
SIN = primitive(
    "sin", partials=(lambda s, x, y: s.cos(x),), samples=_REALS, source="DLMF, eq. 4.14.1"
)
COS = primitive(
    "cos", partials=(lambda s, x, y: -s.sin(x),), samples=_REALS, source="DLMF, eq. 4.14.2"
)
TANH = primitive(
    "tanh",
    # (1+y)·(1-y), not 1-y²: keeps digits near |y| = 1.
    partials=(lambda s, x, y: (1 + y) * (1 - y),),
    samples=(-20.0, -2.0, -0.5, 1e-9, 0.5, 3.0),
    source="DLMF, eq. 4.28.4",
)

EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL = (
    primitive(
        name,
        operands="a b",
        partials=(ZERO, ZERO),
        notation=f"{{0}} {sign} {{1}}",
        precedence=10,
        accepts="any" if name in ("equal", "not_equal") else "number",
        returns=DType.BOOL,
        samples=((1.0, 2.0), (2.0, 1.0), (3.0, 3.0)),
        source="IEEE 754-2019, section 5.11",
    )
    for name, sign in (
        ("equal", "="),
        ("not_equal", "≠"),
        ("less", "<"),
        ("less_equal", "≤"),
        ("greater", ">"),
        ("greater_equal", "≥"),
    )
)
LOGICAL_AND, LOGICAL_OR, LOGICAL_XOR = (
    primitive(
        name,
        operands="a b",
        partials=(ZERO, ZERO),
        notation=f"{{0}} {sign} {{1}}",
        precedence=precedence,
        accepts="bool",
        samples=_BOOLS,
        source="Boole 1854",
    )
    for name, sign, precedence in (
        ("logical_and", "∧", 5),
        ("logical_or", "∨", 3),
        ("logical_xor", "⊻", 4),
    )
)
LOGICAL_NOT = primitive(
    "logical_not",
    partials=(ZERO,),
    notation="¬({0})",
    accepts="bool",
    samples=(0, 1),
    source="Boole 1854",
)
IS_FINITE = primitive(
    "is_finite",
    partials=(ZERO,),
    returns=DType.BOOL,
    samples=(0.0, -1.5, INFINITY, -INFINITY, math.nan),
    source="IEEE 754-2019, section 5.7.2",
)
SELECT = primitive(
    "select",
    operands="c a b",
    partials=(
        ZERO,
        Indicator(lambda s, c, a, b, y: c),
        Indicator(lambda s, c, a, b, y: s.logical_not(c)),
    ),
    notation="({1} if {0} else {2})",
    accepts="any",
    condition=True,
    samples=((1, 2.0, 3.0), (0, 2.0, 3.0), (1, -1.5, 0.25)),
    source="McCarthy 1960, section 2",
)
