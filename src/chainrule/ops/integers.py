"""Arithmetic of whole numbers: division with remainder, and bits."""

from __future__ import annotations

from chainrule.ops.elementwise import ZERO, Kink, primitive

_WORDS = ((1, 3), (7, 7), (4_000_000_000, 9), (0, 2_863_311_530))
_QUOTIENTS = ((7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (-9.5, -4.0), (3.0, 5.0))

# Rounded down, so that the remainder has the divisor's sign, as in Python. Integers by 0 give 0.
FLOOR_DIVIDE = primitive(
    "floor_divide",
    operands="a b",
    partials=(ZERO, ZERO),
    notation="⌊{0}/{1}⌋",
    accepts="number",
    kinks=(Kink((2.0, 1.0), (0.0, 0.0)),),
    samples=_QUOTIENTS,
)
REMAINDER = primitive(
    "remainder",
    operands="a b",
    partials=(lambda s, a, b, y: 1, lambda s, a, b, y: -s.floor_divide(a, b)),
    notation="{0} mod {1}",
    precedence=30,
    accepts="number",
    kinks=(Kink((2.0, 1.0), (1.0, -2.0)),),
    samples=_QUOTIENTS,
)
BITWISE_AND, BITWISE_OR, BITWISE_XOR, SHIFT_LEFT, SHIFT_RIGHT = (
    primitive(
        name,
        operands="a b",
        partials=(ZERO, ZERO),
        notation=f"{{0}} {sign} {{1}}",
        precedence=precedence,
        accepts="integer",
        samples=samples,
    )
    for name, sign, precedence, samples in (
        ("bitwise_and", "&", 14, _WORDS),
        ("bitwise_or", "|", 12, _WORDS),
        ("bitwise_xor", "⊕", 13, _WORDS),
        ("shift_left", "<<", 15, ((1, 3), (7, 7), (4_000_000_000, 9), (5, 0))),
        ("shift_right", ">>", 15, ((1, 3), (7, 7), (4_000_000_000, 9), (5, 0))),
    )
)
BITWISE_NOT = primitive(
    "bitwise_not",
    partials=(ZERO,),
    notation="~{0}",
    precedence=40,
    accepts="integer",
    samples=(0, 1, 4_000_000_000),
)
