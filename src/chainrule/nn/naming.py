"""Names of parts: what a module, a parameter or a buffer can be called, and how paths are made."""

from __future__ import annotations

from chainrule.base.errors import ConfigurationError

ADVICE = "It is one part of a path such as encoder.0.weight: letters, digits, _ and -"


def join(path: str, name: str) -> str:
    """The path of `name` inside `path`; either may be empty."""
    return f"{path}.{name}" if path and name else path or name


def is_name(name: object) -> bool:
    """Whether something can be one part of a path.

    Letters and digits are those of any script, with the signs that Python's own names may have in
    them. What a graph's names are made of besides is none of it: the dot of ``0.out``, the ``#``
    of ``0.out#2``, the brackets, the colon.

    Examples
    --------
    >>> [is_name(name) for name in ("encoder", "größe", "परत", "skip-2", "a.b", "a#2", "a b", "")]
    [True, True, True, True, False, False, False, False]
    """
    return isinstance(name, str) and name != "" and all(map(_is_of_a_name, name))


def check_name(owner: str, name: object, kind: str) -> None:
    """Raise ConfigurationError unless a part of `owner`, of this kind, can have this name."""
    if is_name(name):
        return
    article = "an" if kind[:1] in "AEIOU" else "a"
    raise ConfigurationError(
        f"{article.capitalize()} {kind} in {owner} cannot be called {name!r}", advice=ADVICE
    )


def as_path(path: str) -> str:
    """A path made of whatever keys a dict has, as one that a graph's name can be."""
    return "".join(c if c in ".#" or _is_of_a_name(c) else "_" for c in path)


def _is_of_a_name(character: str) -> bool:
    # isidentifier alone knows the vowel signs of many scripts, isalnum alone a ² or a ½.
    return character in "-_" or character.isalnum() or f"_{character}".isidentifier()
