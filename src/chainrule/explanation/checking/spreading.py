"""What was handed in, spread out: one name and its numbers after the other.

Dicts may stand in dicts (``{"layer1": {"W": ...}}``), a list may hold an array for each layer
(``{"nabla_w": [...]}``), and a dict by index may hold the elements that are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.checking.naming import Names
from chainrule.explanation.trace import Array, Index

_DEEPEST = 16
_INNER = " → "

_GROUPS = {
    "": ("grads", "gradients", "gradient", "grad", "params", "parameters", "mine", "layers"),
    "new_": ("new", "updated", "next", "update", "updates", "weights_after"),
}


class Elements(dict[Index, Any]):
    """Single elements of a value, by index."""

    def placed(self, shape: tuple[int, ...]) -> Array:
        """An array with these elements; None where there is none.

        Raises
        ------
        LookupError
            If an index is not in it, with a sentence.
        """
        found = np.full(shape, None, object)
        for index, number in self.items():
            inside = len(index) == len(shape) and all(
                0 <= i < n for i, n in zip(index, shape, strict=True)
            )
            if not inside:
                written = ",".join(map(str, index))
                raise LookupError(
                    f"there is no [{written}] in the shape {list(shape)}: indices count from 0"
                )
            found[index] = number
        return found


def spread(names: Names, mine: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield each name as it was written, the name to look up, and the numbers.

    Raises
    ------
    ConfigurationError
        If dicts are nested without an end.
    """
    stack: list[tuple[str, str, Any]] = [(str(key), str(key), each) for key, each in mine.items()]
    stack.reverse()
    while stack:
        shown, name, given = stack.pop()
        if isinstance(given, Mapping) and given:
            if shown.count(_INNER) >= _DEEPEST:
                raise ConfigurationError(
                    f"mine has dicts in dicts, more than {_DEEPEST} deep",
                    advice='Write {"W1": ..., "b1": ...}',
                )
            if all(_is_index(key) for key in given):
                yield shown, name, Elements((_index(key), each) for key, each in given.items())
                continue
            below = [
                (f"{shown}{_INNER}{key}", _joined(names, name, str(key)), each)
                for key, each in given.items()
            ]
            stack.extend(reversed(below))
            continue
        by_layer = _by_layer(names, name, given)
        if by_layer:
            stack.extend(reversed([(f"{shown}[{k}]", base, each) for k, base, each in by_layer]))
            continue
        yield shown, name, given


def _joined(names: Names, outer: str, inner: str) -> str:
    """One name of two: {"layer1": {"W": ...}} is W1, {"grads": {"W1": ...}} is W1."""
    for prefix, words in _GROUPS.items():
        if outer.casefold() in words:
            return prefix + inner
    for name in (f"{outer}.{inner}", f"{inner}{outer}", f"{outer}{inner}"):
        if names.has(name):
            return name
    return f"{outer}.{inner}" if not names.has(inner) else inner


def _by_layer(names: Names, name: str, given: Any) -> list[tuple[int, str, Any]]:
    """A list of arrays, one for each layer, where the name alone stands for nothing."""
    is_list = isinstance(given, Sequence) and not isinstance(given, str)
    if not is_list or not given or names.has(name):
        return []
    for stem in (name, name.removesuffix("s"), name.removesuffix("es")):
        if not names.layers or not names.has(f"{stem}1"):
            continue
        # A list of activations begins with the input, which is no layer's.
        first = 0 if len(given) == names.layers + 1 else 1
        if len(given) + first > names.layers + 1:
            return []
        return [
            (k, f"{stem}{k + first}" if k + first else "x", each) for k, each in enumerate(given)
        ]
    return []


def _is_index(key: Any) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    return bool(parts) and all(
        isinstance(part, int | np.integer) and not isinstance(part, bool) for part in parts
    )


def _index(key: Any) -> Index:
    return tuple(int(part) for part in (key if isinstance(key, tuple) else (key,)))
