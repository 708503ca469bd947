"""What a learner's function returned, taken apart into arrays: whatever it is that holds them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Number, Real
from typing import Any

import numpy as np

from chainrule.explanation.trace import Array

Path = tuple[str | int, ...]
"""Where an array is in what a function returned: keys and positions."""

_DEEPEST = 6  # a dict of lists of tuples of objects is what people write at the most
_MANY = 10_000  # arrays: what holds more is no network's
_LARGEST = 1 << 24  # numbers in one array: the networks have a few dozen
_PLAIN = (str, bytes, bool, type(None))
_ONE = (*_PLAIN, Number, set, frozenset, type, np.ndarray, np.generic)


@dataclass(eq=False)
class Read:
    """The arrays in a value, by where they are.

    Parameters
    ----------
    arrays : dict of path to array
    flaws : dict of path to str
        What is no number in an array: it is complex, or masked.
    whole : set of path
        Arrays of whole numbers, which no gradient is.
    others : list of str
        What else was there: ``None``, ``the text 'dW1'``.
    """

    arrays: dict[Path, Array] = field(default_factory=dict)
    flaws: dict[Path, str] = field(default_factory=dict)
    whole: set[Path] = field(default_factory=set)
    others: list[str] = field(default_factory=list)


def read(value: Any) -> Read:
    """Take a value apart."""
    found = Read()
    _collect(value, (), found)
    return found


def _collect(value: Any, path: Path, found: Read) -> None:
    if len(found.arrays) >= _MANY:
        return
    inside = _inside(value) if len(path) < _DEEPEST else None
    if inside is None:
        _take(value, path, found)
        return
    is_empty = True
    for key, inner in inside:
        is_empty = False
        _collect(inner, (*path, key), found)
    if is_empty and not path:
        found.others.append(f"an empty {type(value).__name__}")


def _inside(value: Any) -> Iterator[tuple[str | int, Any]] | None:
    """What a container holds, by key or position; None if it is none."""
    if isinstance(value, Mapping):
        items = itertools.islice(value.items(), _MANY)
        # bool and IntEnum are ints, and no positions; the process that asks does not know them.
        return ((key if type(key) is int else _word(key), inner) for key, inner in items)
    if isinstance(value, np.ndarray) and value.dtype == object:
        return enumerate(value.flat if value.ndim != 1 else value) if value.ndim else None
    if isinstance(value, list | tuple):
        return None if _is_numbers(value) else enumerate(value)
    if isinstance(value, _ONE):
        return None
    if hasattr(value, "__array__"):  # a tensor or a table of another library
        return None
    if isinstance(value, Iterable) and not callable(value):  # zip, map, dict.values()
        return enumerate(itertools.islice(iter(value), _MANY))
    attributes = getattr(value, "__dict__", None)
    if attributes and not callable(value):  # an object with dW1 and db1 in it
        return ((str(key), inner) for key, inner in tuple(attributes.items()))
    return None


def _word(key: Any) -> str:
    """A key in one word: ``("dW", 1)`` is ``dW_1``."""
    if isinstance(key, bytes):
        return key.decode(errors="replace")
    return "_".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _take(value: Any, path: Path, found: Read) -> None:
    if isinstance(value, _PLAIN):
        found.others.append(f"the text {value[:30]!r}" if isinstance(value, str) else repr(value))
        return
    try:
        array = np.asanyarray(value)
        if array.dtype.kind not in "buifc" or array.size > _LARGEST:
            raise TypeError
    except (TypeError, ValueError, RuntimeError):
        size = getattr(value, "size", 0)
        what = f" of {size} numbers" if isinstance(size, int) and size > _LARGEST else ""
        found.others.append(f"a {type(value).__name__}{what}")
        return
    if isinstance(array, np.ma.MaskedArray):
        if count := int(np.ma.getmaskarray(array).sum()):
            found.flaws[path] = f"is masked in {count} places"
        array = array.data
    if array.dtype.kind == "c":
        if np.any(array.imag):
            found.flaws[path] = "has complex numbers"
        array = array.real
    if array.dtype.kind in "biu":
        found.whole.add(path)
    # float16 and float32 stay what they are: they say how exact a number can be.
    kept = array.dtype in (np.float16, np.float32)
    found.arrays[path] = np.array(array, None if kept else np.float64, subok=False)


def _is_numbers(value: Sequence[Any]) -> bool:
    """Whether a list is a vector or a matrix, written as Python's numbers."""
    if isinstance(value, tuple):
        return bool(value) and all(isinstance(item, Real) for item in value)
    return bool(_shape(value))


def _shape(value: Any) -> tuple[int, ...] | None:
    """The shape of nested lists of numbers; None if they are something else, or jagged."""
    if isinstance(value, Real):
        return ()
    if not isinstance(value, list) or not value:
        return None
    first = _shape(value[0])
    if first is None or any(_shape(item) != first for item in value[1:]):
        return None
    return (len(value), *first)
