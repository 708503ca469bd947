"""A hash by which arrays are known again."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any
from weakref import ReferenceType

import numpy as np
from numpy.typing import NDArray

from chainrule.base.constant import is_constant

Array = NDArray[Any]

LEAF_BYTES = 2**22
"""Of an array's memory that are hashed by themselves, and so at the same time as others."""

THREADS = 4
"""How many hash the leaves of one array; more than there are processors are no loss."""

SIZE = 16
"""Bytes of a hash."""

DEFINITION = "tree"
"""In front of each fingerprint: how it is made may change, and is then another word."""


def fingerprint(arrays: Mapping[str, Array]) -> str:
    """Return a hash of named arrays: their names, types, shapes and numbers.

    Notes
    -----
    An array's numbers are hashed as a tree of two levels, in BLAKE2b's own tree mode [Aumasson
    2013, section 2.10]: leaves of `LEAF_BYTES`, and their hashes, in order, under a root. Which
    thread takes which leaf does not show in it.

    Examples
    --------
    >>> fingerprint({"x": np.zeros(3)})
    'tree:d24cfa382e9377f159926de8b271fa75'
    >>> fingerprint({"x": np.zeros(3, np.int64)}) == fingerprint({"x": np.zeros(3)})
    False
    """
    whole = blake2b(digest_size=SIZE)
    for name, array in sorted(arrays.items()):
        whole.update(f"{name} {array.dtype} {array.shape}".encode())
        whole.update(_known_root(array))
    return f"{DEFINITION}:{whole.hexdigest()}"


def is_comparable(fingerprint: str) -> bool:
    """Whether it was made as `fingerprint` makes them."""
    return fingerprint.startswith(f"{DEFINITION}:")


_known: dict[int, tuple[ReferenceType[Array], bytes]] = {}
"""Roots of arrays that are constant, for as long as there are these arrays."""


def _known_root(array: Array) -> bytes:
    """The root of an array; of one that nobody can write in, it is computed once."""
    key, constant = id(array), is_constant(array)
    found = _known.get(key)
    if constant and found is not None and found[0]() is array:
        return found[1]
    root = _root(np.ascontiguousarray(array))
    if constant:
        _known[key] = weakref.ref(array, lambda _: _known.pop(key, None)), root
    return root


def _root(array: Array) -> bytes:
    numbers = array.reshape(-1).view(np.uint8).data
    count = max(-(-len(numbers) // LEAF_BYTES), 1)

    def leaf(number: int) -> bytes:
        part = numbers[number * LEAF_BYTES : (number + 1) * LEAF_BYTES]
        return _node(part, number, depth=0, last=number == count - 1)

    if count == 1:
        return _node(leaf(0), 0, depth=1, last=True)
    from concurrent.futures import ThreadPoolExecutor  # not for a few numbers

    with ThreadPoolExecutor(min(count, THREADS)) as threads:
        return _node(b"".join(threads.map(leaf, range(count))), 0, depth=1, last=True)


def _node(content: Any, number: int, *, depth: int, last: bool) -> bytes:
    return blake2b(
        content,
        digest_size=SIZE,
        fanout=0,  # any number of leaves
        depth=2,
        leaf_size=LEAF_BYTES,
        node_offset=number,
        node_depth=depth,
        inner_size=SIZE,
        last_node=last,
    ).digest()
