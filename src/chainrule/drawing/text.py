"""How wide text is, at most, in whatever font a reader's machine has."""

from __future__ import annotations

import unicodedata

ELLIPSIS = "…"

MONO = 0.61
"""The advance of a monospaced font, in units of its size; the widest common one has 0.602."""

# Advances of DejaVu Sans Bold in hundredths of its size: it is the widest sans-serif that systems
# come with, so that what fits in it fits in all of them.
_ADVANCES = {
    32: "'",
    35: "ijl",
    36: " ",
    38: "/IJ\\|",
    40: ",.:;",
    43: "-",
    46: "!()[]f",
    50: "rt_`",
    53: '*"₀₁₂₃₄₅₆₇₈₉',
    60: "?czs",
    65: "Lvxy",
    68: "akEFTe",
    70: "o0123456789$",
    72: "hnu{}SYbdgpq",
    74: "CPZ",
    77: "BAKRVX",
    82: "UG",
    84: "D#+<=>HN^~",
    87: "OQ&",
    93: "w",
    101: "%@M",
    105: "m",
    111: "W",
}
_SANS = {letter: advance / 100 for advance, group in _ADVANCES.items() for letter in group}


def width_of(text: str, size: float, *, mono: bool = False) -> float:
    """How wide a line of text is, at most.

    Examples
    --------
    >>> width_of("0.weight", 10, mono=True)
    48.8
    >>> width_of("iii", 10) < width_of("mmm", 10)
    True
    """
    if mono and text.isascii():
        return round(size * MONO * len(text), 2)
    return round(size * sum(MONO if mono and c.isascii() else _advance(c) for c in text), 2)


def ellipsise(text: str, room: float, size: float, *, mono: bool = False) -> str:
    """Return `text`, cut short at its end where it is wider than `room`.

    Examples
    --------
    >>> ellipsise("encoder.layers.3.out", 80, 10, mono=True)
    'encoder.lay…'
    """
    if width_of(text, size, mono=mono) <= room:
        return text
    left = room - width_of(ELLIPSIS, size, mono=mono)
    kept = 0
    while kept < len(text):
        left -= width_of(text[kept], size, mono=mono)
        if left < 0:
            break
        kept += 1
    return text[:kept].rstrip() + ELLIPSIS


def printable(text: str) -> str:
    r"""Return `text` on one line, as XML can hold it: what has no form of its own is shown by a �.

    Examples
    --------
    >>> printable("a\x00b\nc\ud800")
    'a�b c�'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(c) for c in text)


def _shown(letter: str) -> str:
    if letter.isspace():
        return " "
    # Cc and Cf can turn lines around or end them; Cs and Cn, the unassigned, XML may refuse.
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in _FORMLESS else letter


_FORMLESS = {"Cc", "Cf", "Cs", "Cn", "Co"}


def _advance(letter: str) -> float:
    if letter in _SANS:
        return _SANS[letter]
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.1
    return 1.04  # as wide as any letter of an alphabet
