"""Text that does nothing to the terminal that it is printed on, wherever it came from."""

import unicodedata


def plain(text: str) -> str:
    r"""Return a text in which nothing steers a terminal or hides: ``\x1b`` for an escape.

    Examples
    --------
    >>> plain("w\x1b[31m5") == "w\\x1b[31m5"
    True
    """
    return "".join(c if _is_harmless(c) else repr(c)[1:-1] for c in text)


def _is_harmless(character: str) -> bool:
    # Controls, marks that turn the direction of reading or are invisible, surrogates, line breaks.
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
