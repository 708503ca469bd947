"""Arithmetic of whole numbers: division with remainder, and bits."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.ops.elementwise import ZERO, Elementwise, Kink, primitive

_WORDS = ((1, 3), (7, 7), (4_000_000_000, 9), (0, 2_863_311_530))
_SHIFTS = ((1, 3), (7, 7), (4_000_000_000, 9), (5, 0))
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
    source="Graham, Knuth and Patashnik 1994, section 3.4",
)
REMAINDER = primitive(
    "remainder",
    operands="a b",
    partials=(lambda s, a, b, y: 1, lambda s, a, b, y: -s.floor_divide(a, b)),
    notation="{0} mod {1}",
    precedence=25,  # looser than a product: x·(y mod z) is not x·y mod z
    accepts="number",
    kinks=(Kink((2.0, 1.0), (1.0, -2.0)),),
    samples=_QUOTIENTS,
    source="Graham, Knuth and Patashnik 1994, section 3.4",
)


def _of_bits(
    name: str, sign: str, precedence: int, samples: Sequence[tuple[float, ...]]
) -> Elementwise:
    return primitive(
        name,
        operands="a b",
        partials=(ZERO, ZERO),
        notation=f"{{0}} {sign} {{1}}",
        precedence=precedence,
        accepts="integer",
        samples=samples,
        source="Warren 2012, chapter 2",
    )


BITWISE_AND = _of_bits("bitwise_and", "&", 14, samples=_WORDS)
BITWISE_OR = _of_bits("bitwise_or", "|", 12, samples=_WORDS)
BITWISE_XOR = _of_bits("bitwise_xor", "⊕", 13, samples=_WORDS)
SHIFT_LEFT = _of_bits("shift_left", "<<", 15, samples=_SHIFTS)
SHIFT_RIGHT = _of_bits("shift_right", ">>", 15, samples=_SHIFTS)
BITWISE_NOT = primitive(
    "bitwise_not",
    partials=(ZERO,),
    notation="~{0}",
    precedence=40,
    accepts="integer",
    samples=(0, 1, 4_000_000_000),
    source="Warren 2012, chapter 2",
)
