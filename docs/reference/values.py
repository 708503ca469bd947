"""Numbers and types as a page shows them."""

from __future__ import annotations

_MINUS = "\N{MINUS SIGN}"


def written(value: float) -> str:
    """A number to six digits; whole ones without a point."""
    number = float(value)
    text = f"{number:.0f}" if number.is_integer() and abs(number) < 1e10 else f"{number:.6g}"
    return text.replace("-", _MINUS)
