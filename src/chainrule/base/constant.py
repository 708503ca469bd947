"""Arrays that nobody can write in: they can be kept for later without a copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def is_constant(array: Array) -> bool:
    """Whether an array is read-only, and so is all whose memory it shares.

    What it is a view of is asked, too: a read-only view of an array that can be written in changes
    with it. Its memory is its own in the end, or that of an object that lets nobody write, such as
    bytes or a file that is mapped to be read.

    Examples
    --------
    >>> x = np.zeros(3)
    >>> view = x.view()
    >>> view.flags.writeable = False
    >>> is_constant(view)
    False
    >>> x.flags.writeable = False
    >>> is_constant(view)
    True
    """
    arrays = list(_shared(array))
    if any(each.flags.writeable for each in arrays):
        return False
    owner: Any = arrays[-1].base
    if owner is None:
        return True
    try:
        with memoryview(owner) as memory:
            return memory.readonly
    except TypeError:
        return False  # it does not say


def make_constant(array: Array) -> None:
    """Make an array read-only, and all arrays whose memory it shares.

    `np.load` returns a view, so that its own flag is not enough.
    """
    for each in _shared(array):
        each.flags.writeable = False


def _shared(array: Array) -> Iterator[Array]:
    """The array, what it is a view of, and so on."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        yield owner
        owner = owner.base


def as_kept(array: Array, dtype: np.dtype[Any]) -> Array:
    """An array in this dtype that stays as it is, whatever becomes of the one that is given.

    It is the same array if that is constant, lies by rows and has the dtype; otherwise a copy.
    """
    return array.astype(dtype, order="C", copy=not is_constant(array))
